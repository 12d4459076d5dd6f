"""Mistakes in the derivative of a cross-entropy, with respect to its logits or to the predicted probabilities."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ...contract import Loss
from ...reference.activations import sigmoid, sigmoid_prime, softmax
from ...reference.layers import Array
from ...reference.losses import LOSSES, times_log
from ...reference.passes import Pass
from ...reference.vocabulary import (
    BINARY_CROSS_ENTROPY_OF_PROBABILITIES,
    CROSS_ENTROPY_OF_PROBABILITIES,
)
from .base import LossFormula, Program, StepMistake, instead
from .losses import cross_entropy, of_the_complement, sign_slip, squared_error, swapped


def _mistake(
    kind: Loss, name: str, wrong: str, output: LossFormula, loss: LossFormula | None = None
) -> StepMistake:
    predict = instead(kind, output, loss or LOSSES[kind].function)
    return StepMistake(name, f"∂L/∂z = {wrong}", f"∂L/∂z = {_RIGHT[kind]}", predict)


def _of_probabilities(
    kind: Loss, name: str, wrong: str, output: LossFormula, loss: LossFormula | None = None
) -> StepMistake:
    unguarded = instead(kind, output, loss or LOSSES[kind].function)

    def predict(program: Program) -> Pass | None:
        with np.errstate(all="ignore"):  # targets of 0 and 1 in a denominator
            return unguarded(program)

    right = {_BINARY_P: "(p - y) / (p (1 - p)) / elements", _CROSS_P: "-y / p / N"}[kind]
    return StepMistake(name, f"∂L/∂p = {wrong}", f"∂L/∂p = {right}", predict)


def _times(kind: Loss, name: str, wrong: str, factor: Callable[[Array], float]) -> StepMistake:
    """Make a mistake that multiplies the loss and its derivative by a factor, which depends on the outputs."""
    right = LOSSES[kind]
    return _mistake(
        kind,
        name,
        wrong,
        lambda z, y: factor(z) * right.derivative(z, y),
        lambda z, y: factor(z) * right.function(z, y),
    )


def _softmax(z: Array, axis: int | None) -> Array:
    exp = np.exp(z - np.max(z, axis=axis, keepdims=True))
    return exp / np.sum(exp, axis=axis, keepdims=True)


def _probabilities(p: Callable[[Array], Array]) -> LossFormula:
    return lambda z, y: (p(z) * np.sum(y, axis=1, keepdims=True) - y) / len(z)


_RIGHT: dict[Loss, str] = {
    "binary_cross_entropy": "(σ(z) - y) / elements",
    "softmax_cross_entropy": "(softmax(z) - y) / N",
}
_B, _S = "the derivative of the binary cross-entropy", "the derivative of the softmax cross-entropy"
_BINARY: Loss = "binary_cross_entropy"
_SOFTMAX: Loss = "softmax_cross_entropy"
_C = "the derivative of the cross-entropy"
_BINARY_P, _CROSS_P = BINARY_CROSS_ENTROPY_OF_PROBABILITIES, CROSS_ENTROPY_OF_PROBABILITIES

CROSS_ENTROPIES: tuple[StepMistake, ...] = (
    _times(_BINARY, f"the mean is missing in {_B}", "σ(z) - y", lambda z: z.size),
    _times(
        _BINARY,
        f"{_B} is a mean over samples, a sum over outputs",
        "(σ(z) - y) / N",
        lambda z: z.shape[1],
    ),
    _times(
        _BINARY, f"{_B} is a mean over outputs, a sum over samples", "(σ(z) - y) / outputs", len
    ),
    _times(_BINARY, f"{_B} has the wrong sign", "(y - σ(z)) / elements", lambda _: -1.0),
    _times(_BINARY, f"{_B} is doubled", "2 (σ(z) - y) / elements", lambda _: 2.0),
    _times(_BINARY, f"{_B} is halved", "(σ(z) - y) / elements / 2", lambda _: 0.5),
    _mistake(
        _BINARY,
        f"σ' on top of {_B}",
        "(σ(z) - y) σ'(z) / elements",
        lambda z, y: (sigmoid(z) - y) * sigmoid_prime(z) / z.size,
    ),
    _mistake(
        _BINARY, f"{_B} without σ: z - y", "(z - y) / elements", lambda z, y: (z - y) / z.size
    ),
    _mistake(
        _BINARY,
        "the derivative of the MSE in place of the binary cross-entropy's",
        "2 (z - y) / elements",
        lambda z, y: 2 * (z - y) / z.size,
        lambda z, y: np.mean((z - y) ** 2),
    ),
    _mistake(
        _BINARY,
        f"σ applied twice in {_B}",
        "(σ(σ(z)) - y) / elements",
        lambda z, y: (sigmoid(sigmoid(z)) - y) / z.size,
        lambda z, y: LOSSES[_BINARY].function(sigmoid(z), y),
    ),
    _times(_SOFTMAX, f"the mean is missing in {_S}", "softmax(z) - y", len),
    _times(
        _SOFTMAX,
        f"{_S} is a mean over all elements",
        "(softmax(z) - y) / (N · classes)",
        lambda z: 1 / z.dtype.type(z.shape[1]),
    ),
    _times(_SOFTMAX, f"{_S} has the wrong sign", "(y - softmax(z)) / N", lambda _: -1.0),
    _times(_SOFTMAX, f"{_S} is doubled", "2 (softmax(z) - y) / N", lambda _: 2.0),
    _mistake(
        _SOFTMAX,
        f"softmax over the samples in {_S}",
        "(softmax(z) over the samples - y) / N",
        _probabilities(lambda z: _softmax(z, 0)),
    ),
    _mistake(
        _SOFTMAX,
        f"softmax over all elements in {_S}",
        "(softmax(z) over all elements - y) / N",
        _probabilities(lambda z: _softmax(z, None)),
    ),
    _mistake(
        _SOFTMAX,
        f"softmax applied twice in {_S}",
        "(softmax(softmax(z)) - y) / N",
        _probabilities(lambda z: softmax(softmax(z))),
        lambda z, y: LOSSES[_SOFTMAX].function(softmax(z), y),
    ),
    _mistake(
        _SOFTMAX,
        f"σ in place of softmax in {_S}",
        "(σ(z) - y) / N",
        lambda z, y: (sigmoid(z) - y) / len(z),
    ),
    _mistake(_SOFTMAX, f"no softmax in {_S}", "(z - y) / N", lambda z, y: (z - y) / len(z)),
    _mistake(
        _SOFTMAX,
        f"p (1 - p) on top of {_S}",
        "(p - y) p (1 - p) / N",
        lambda z, y: (softmax(z) - y) * softmax(z) * (1 - softmax(z)) / len(z),
    ),
)

OF_PROBABILITIES: tuple[StepMistake, ...] = (
    _of_probabilities(
        _BINARY_P,
        f"the output's slope on top of p - y, which has {_B} and the slope in it",
        "(p - y) / elements",
        lambda p, y: (p - y) / p.size,
    ),
    _of_probabilities(
        _BINARY_P,
        "the derivative of the MSE in place of the binary cross-entropy's",
        "2 (p - y) / elements",
        lambda p, y: 2 * (p - y) / p.size,
        squared_error,
    ),
    _of_probabilities(
        _BINARY_P,
        f"y and p are swapped in {_B}",
        "(y - p) / (y (1 - y)) / elements",
        lambda p, y: (y - p) / (y * (1 - y)) / p.size,
        swapped,
    ),
    _of_probabilities(
        _BINARY_P,
        f"the second term has the wrong sign in {_B}",
        "-(y / p + (1 - y) / (1 - p)) / elements",
        lambda p, y: -(y / p + (1 - y) / (1 - p)) / p.size,
        sign_slip,
    ),
    _of_probabilities(
        _BINARY_P,
        f"the second term is missing in {_B}",
        "-y / p / elements",
        lambda p, y: -y / p / p.size,
        lambda p, y: -np.mean(times_log(y, np.log, p)),
    ),
    _of_probabilities(
        _BINARY_P,
        f"y and 1 - y are swapped in {_B}",
        "(y / (1 - p) - (1 - y) / p) / elements",
        lambda p, y: (y / (1 - p) - (1 - y) / p) / p.size,
        of_the_complement,
    ),
    _of_probabilities(
        _CROSS_P,
        f"the output's slope on top of p - y, which has {_C} and the slope in it",
        "(p - y) / N",
        lambda p, y: (p - y) / len(p),
    ),
    _of_probabilities(
        _CROSS_P,
        "the derivative of the MSE in place of the cross-entropy's",
        "2 (p - y) / elements",
        lambda p, y: 2 * (p - y) / p.size,
        squared_error,
    ),
    _of_probabilities(
        _CROSS_P,
        "the derivative of the binary cross-entropy in place of the cross-entropy's",
        "(p - y) / (p (1 - p)) / elements",
        LOSSES[_BINARY_P].derivative,
        cross_entropy,
    ),
    _of_probabilities(
        _CROSS_P,
        f"y and p are swapped in {_C}",
        "-p / y / N",
        lambda p, y: -p / y / len(p),
        swapped,
    ),
)
