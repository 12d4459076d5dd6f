"""The reference's losses and their derivatives, in any dtype."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..contract import Loss
from .activations import Array, sigmoid, softmax
from .vocabulary import BINARY_CROSS_ENTROPY_OF_PROBABILITIES, CROSS_ENTROPY_OF_PROBABILITIES


def softplus(z: Array) -> Array:
    """Compute log(1 + e^z). The exponential is taken of non-positive numbers only."""
    right = np.real(z) > 0
    return np.where(right, z, 0) + np.log1p(np.exp(np.where(right, -z, z)))


def _squares(outputs: Array, targets: Array) -> Any:
    return np.sum((outputs - targets) ** 2, axis=(-2, -1)) / _elements(outputs)


def _binary(outputs: Array, targets: Array) -> Any:
    terms = softplus(outputs) - targets * outputs
    return np.sum(terms, axis=(-2, -1)) / _elements(outputs)


def _softmax(outputs: Array, targets: Array) -> Any:
    top = np.max(np.real(outputs), axis=-1, keepdims=True)
    log_sum = top + np.log(np.sum(np.exp(outputs - top), axis=-1, keepdims=True))
    return np.sum(targets * (log_sum - outputs), axis=(-2, -1)) / outputs.shape[-2]


def times_log(weight: Array, log: Callable[[Array], Array], x: Array) -> Array:
    """Compute weight · log(x), with a logarithm of any form; 0 where the weight is 0, even if the logarithm is not."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(weight == 0, 0, weight * log(x))


def _over(weight: Array, x: Array) -> Array:
    """Compute weight / x, the slope of weight · log(x); 0 where the weight is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(weight == 0, 0, weight / x)


def _binary_of_probabilities(p: Array, targets: Array) -> Any:
    terms = times_log(targets, np.log, p) + times_log(1 - targets, np.log1p, -p)
    return -np.sum(terms, axis=(-2, -1)) / _elements(p)


def _cross_entropy(p: Array, targets: Array) -> Any:
    return -np.sum(times_log(targets, np.log, p), axis=(-2, -1)) / p.shape[-2]


def _elements(outputs: Array) -> int:
    return outputs.shape[-2] * outputs.shape[-1]


@dataclass(frozen=True)
class LossFunction:
    """A loss as a function of (outputs, targets), and its derivative with respect to the outputs."""

    function: Callable[[Array, Array], Any]
    derivative: Callable[[Array, Array], Array]


LOSSES: dict[Loss, LossFunction] = {
    "mse": LossFunction(_squares, lambda a, y: 2 * (a - y) / _elements(a)),
    "binary_cross_entropy": LossFunction(_binary, lambda z, y: (sigmoid(z) - y) / _elements(z)),
    "softmax_cross_entropy": LossFunction(
        _softmax,
        lambda z, y: (softmax(z) * np.sum(y, axis=-1, keepdims=True) - y) / z.shape[-2],
    ),
    BINARY_CROSS_ENTROPY_OF_PROBABILITIES: LossFunction(
        _binary_of_probabilities, lambda p, y: (_over(1 - y, 1 - p) - _over(y, p)) / _elements(p)
    ),
    CROSS_ENTROPY_OF_PROBABILITIES: LossFunction(
        _cross_entropy, lambda p, y: -_over(y, p) / p.shape[-2]
    ),
}
