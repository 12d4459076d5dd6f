"""Mistakes in the gradient: back-propagation, sums over samples, the derivative of the loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ...contract import Network
from ...reference.activations import sigmoid, sigmoid_prime
from ...reference.layers import Array, DenseLayer, LinearLayer
from ...reference.passes import Pass
from .base import (
    Changes,
    LayerMistake,
    Layers,
    Possible,
    Predict,
    Program,
    StepMistake,
    instead,
    layers_where,
    mistake,
    not_first,
    of,
    plain,
)
from .losses import cross_entropy

_SIGMOID = of("sigmoid")


def _beside(offset: int) -> Possible:
    """Select sigmoid layers with as many units as the layer below (-1) or above (+1)."""

    def possible(network: Network) -> Layers:
        shapes = network.shapes
        return frozenset(
            k
            for k in layers_where(network, _SIGMOID)
            if 0 <= k + 1 + offset < len(shapes) and shapes[k + 1 + offset] == shapes[k + 1]
        )

    return possible


def _neighbour(offset: int) -> Changes:
    """Use σ' of the layer below (-1) or above (+1)."""

    def changes(program: Program) -> Mapping[str, Callable[..., Any]]:
        activations = program.run().activations

        def slope(_z: Array, _a: Array, layer: LinearLayer) -> Array:
            other = activations[layer.index + 1 + offset]
            return other * (1 - other)

        return {"slope": slope}

    return changes


def _square(network: Network) -> Layers:
    """Select square dense layers that pass a gradient down."""

    def applies(layer: LinearLayer) -> bool:
        return isinstance(layer, DenseLayer) and layer.shape_in == layer.shape_out

    return layers_where(network, applies) & not_first(network)


def _detached(program: Program) -> Mapping[str, Callable[..., Any]] | None:
    """Pass no gradient down. If several layers were detached, only the highest one would show."""
    if len(program.layers) != 1:
        return None
    return {"passed_down": lambda _d_a, delta, weight, layer: 0 * layer.passed_down(delta, weight)}


def _updated_first(program: Program) -> Mapping[str, Callable[..., Any]] | None:
    """Use δ Wᵀ with the W that has just been updated."""
    schedule, equations = program.case.schedule, program.equations
    if not plain(schedule):
        return None
    rate = schedule.learning_rate * program.scale
    weight_grads: dict[int, Array] = {}

    def weight_grad(below: Array, d_a: Array, delta: Array, layer: LinearLayer) -> Array:
        weight_grads[layer.index] = equations.weight_grad(below, d_a, delta, layer)
        return weight_grads[layer.index]

    def passed_down(d_a: Array, delta: Array, weight: Array, layer: LinearLayer) -> Array:
        weight = weight - weight.dtype.type(rate) * weight_grads[layer.index]
        return equations.passed_down(d_a, delta, weight, layer)

    return {"weight_grad": weight_grad, "passed_down": passed_down}


def _without(sample: int) -> Predict:
    """Leave out the batch's first (0) or last (-1) sample; the mean divides by N - 1."""

    def predict(program: Program) -> Pass | None:
        rows = program.rows
        return program.run(rows=np.delete(rows, sample)) if len(rows) > 1 else None

    return predict


def _without_but_counted(sample: int) -> Predict:
    """Leave out the batch's first (0) or last (-1) sample; the mean still divides by N."""

    def predict(program: Program) -> Pass | None:
        def output(predictions: Array, targets: Array, network: Network) -> Array:
            d_a = program.equations.output(predictions, targets, network)
            d_a[sample] = 0
            return d_a

        return program.run(replace(program.equations, output=output))

    return predict


def _broadcast(program: Program) -> Pass | None:
    """Compare every prediction with every target, because (N, 1) - (N,) is (N, N)."""
    case = program.case
    if case.targets.shape[1] != 1 or case.network.loss != "mse":
        return None
    return program.run(
        replace(
            program.equations,
            loss=lambda a, y, _: np.mean((a - y.T) ** 2),
            output=lambda a, y, _: 2 * (a - np.mean(y)) / len(a),
        )
    )


CROSS_ENTROPY = StepMistake(
    "binary cross-entropy in place of the MSE",
    "∂L/∂a = (a - y) / (a (1 - a)) / elements",
    "∂L/∂a = 2 (a - y) / elements",
    instead("mse", lambda a, y: (a - y) / (a * (1 - a)) / y.size, cross_entropy),
)

_RIGHT_DELTA = "δ = ∂L/∂a ⊙ a (1 - a)"
_RIGHT_BIAS = "∂L/∂b = Σ over samples of δ"
_RIGHT_DOWN = "∂L/∂a_below = δ Wᵀ"
_RIGHT_WEIGHT = "∂L/∂W = a_belowᵀ δ"

GRADIENT: tuple[LayerMistake | StepMistake, ...] = (
    mistake("σ' is missing", "δ = ∂L/∂a", _RIGHT_DELTA, _SIGMOID, slope=lambda z, _a, _: z * 0 + 1),
    mistake(
        "σ' is applied twice",
        "δ = ∂L/∂a ⊙ (a (1 - a))²",
        _RIGHT_DELTA,
        _SIGMOID,
        slope=lambda z, _a, _: sigmoid_prime(z) ** 2,
    ),
    mistake(
        "σ' = a (1 - a) is given z for a",
        "δ = ∂L/∂a ⊙ z (1 - z)",
        _RIGHT_DELTA,
        _SIGMOID,
        slope=lambda z, _a, _: z * (1 - z),
    ),
    mistake(
        "σ'(z) is given a for z",
        "δ = ∂L/∂a ⊙ σ'(a)",
        _RIGHT_DELTA,
        _SIGMOID,
        slope=lambda _z, a, _: sigmoid_prime(a),
    ),
    LayerMistake(
        "σ' of the layer below",
        "δ = ∂L/∂a ⊙ a_below (1 - a_below)",
        _RIGHT_DELTA,
        _neighbour(-1),
        _beside(-1),
    ),
    LayerMistake(
        "σ' of the layer above",
        "δ = ∂L/∂a ⊙ a_above (1 - a_above)",
        _RIGHT_DELTA,
        _neighbour(+1),
        _beside(+1),
    ),
    mistake(
        "tanh' in place of σ'",
        "δ = ∂L/∂a ⊙ (1 - a²)",
        _RIGHT_DELTA,
        _SIGMOID,
        slope=lambda _z, a, _: 1 - a * a,
    ),
    mistake(
        "ReLU' in place of σ'",
        "δ = ∂L/∂a ⊙ [z > 0]",
        _RIGHT_DELTA,
        _SIGMOID,
        slope=lambda z, _a, _: (z > 0) + z * 0,
    ),
    mistake(
        "σ' has the wrong sign",
        "δ = ∂L/∂a ⊙ a (a - 1)",
        _RIGHT_DELTA,
        _SIGMOID,
        slope=lambda z, _a, _: -sigmoid_prime(z),
    ),
    mistake("σ' is a alone", "δ = ∂L/∂a ⊙ a", _RIGHT_DELTA, _SIGMOID, slope=lambda _z, a, _: a),
    mistake(
        "σ' is 1 - a alone",
        "δ = ∂L/∂a ⊙ (1 - a)",
        _RIGHT_DELTA,
        _SIGMOID,
        slope=lambda z, _a, _: sigmoid(-z),
    ),
    mistake(
        "σ' is missing in the weight gradient only",
        "∂L/∂W = a_belowᵀ ∂L/∂a",
        _RIGHT_WEIGHT,
        weight_grad=lambda below, d_a, _delta, layer: layer.weight_grad(below, d_a),
    ),
    mistake(
        "σ' is missing in what is passed down",
        "∂L/∂a_below = ∂L/∂a Wᵀ",
        _RIGHT_DOWN,
        passed_down=lambda d_a, _delta, weight, layer: layer.passed_down(d_a, weight),
    ),
    LayerMistake(
        "the weight is transposed in back-propagation",
        "∂L/∂a_below = δ W",
        _RIGHT_DOWN,
        lambda _: {"passed_down": lambda _d_a, delta, weight, _layer: delta @ weight},
        _square,
    ),
    LayerMistake(
        "the gradient is computed after the layer above was updated",
        "∂L/∂a_below = δ (W - lr ∂L/∂W)ᵀ",
        _RIGHT_DOWN,
        _updated_first,
        not_first,
        linear=False,
    ),
    mistake(
        "the bias gradient is missing",
        "∂L/∂b = 0",
        _RIGHT_BIAS,
        bias_grad=lambda delta, layer: 0 * layer.bias_grad(delta),
    ),
    mistake(
        "the bias gradient is averaged over the samples",
        "∂L/∂b = mean over samples of δ",
        _RIGHT_BIAS,
        bias_grad=lambda delta, layer: layer.bias_grad(delta) / len(delta),
    ),
    mistake(
        "the bias gradient is the last sample's",
        "∂L/∂b = δ of the last sample",
        _RIGHT_BIAS,
        bias_grad=lambda delta, layer: layer.bias_grad(delta[-1:]),
    ),
    mistake(
        "the bias gradient is the first sample's",
        "∂L/∂b = δ of the first sample",
        _RIGHT_BIAS,
        bias_grad=lambda delta, layer: layer.bias_grad(delta[:1]),
    ),
    mistake(
        "the bias gradient has the wrong sign",
        "∂L/∂b = -Σ over samples of δ",
        _RIGHT_BIAS,
        bias_grad=lambda delta, layer: -layer.bias_grad(delta),
    ),
    mistake(
        "the weight gradient has the wrong sign",
        "∂L/∂W = -a_belowᵀ δ",
        _RIGHT_WEIGHT,
        weight_grad=lambda below, _d_a, delta, layer: -layer.weight_grad(below, delta),
    ),
    mistake(
        "the weight gradient is averaged over the samples",
        "∂L/∂W = a_belowᵀ δ / N",
        _RIGHT_WEIGHT,
        weight_grad=lambda below, _d_a, delta, layer: layer.weight_grad(below, delta) / len(delta),
    ),
    LayerMistake(
        "the layer is detached: no gradient reaches the layers below",
        "∂L/∂a_below = 0",
        _RIGHT_DOWN,
        _detached,
        not_first,
    ),
    mistake(
        "the layer is frozen: its gradient is zero",
        "∂L/∂W = 0, ∂L/∂b = 0",
        _RIGHT_WEIGHT,
        weight_grad=lambda below, _d_a, delta, layer: 0 * layer.weight_grad(below, delta),
        bias_grad=lambda delta, layer: 0 * layer.bias_grad(delta),
    ),
    StepMistake(
        "the last sample is dropped",
        "sums over N - 1 samples, divided by N - 1",
        "sums over N samples",
        _without(-1),
    ),
    StepMistake(
        "the last sample is dropped, the mean still divides by N",
        "sums over N - 1 samples, divided by N",
        "sums over N samples",
        _without_but_counted(-1),
    ),
    StepMistake(
        "the first sample is dropped",
        "sums over N - 1 samples, divided by N - 1",
        "sums over N samples",
        _without(0),
    ),
    StepMistake(
        "the first sample is dropped, the mean still divides by N",
        "sums over N - 1 samples, divided by N",
        "sums over N samples",
        _without_but_counted(0),
    ),
    StepMistake(
        "predictions (N, 1) and targets (N,) broadcast to (N, N)",
        "r_ij = a_i - y_j",
        "r_i = a_i - y_i",
        _broadcast,
    ),
    CROSS_ENTROPY,
    StepMistake(
        "the sign of the residual in place of the residual (the gradient of the mean absolute error)",
        "∂L/∂a = sign(a - y) / elements",
        "∂L/∂a = 2 (a - y) / elements",
        instead("mse", lambda a, y: np.sign(a - y) / y.size, lambda a, y: np.mean(np.abs(a - y))),
    ),
)
