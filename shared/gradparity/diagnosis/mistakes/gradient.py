"""Mistakes in the gradient: back-propagation, sums over samples, the derivative of the loss."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from ...contract import Network, map_params
from ...reference.activations import sigmoid, sigmoid_prime
from ...reference.layers import Array, Place
from ...reference.passes import Equations, Pass
from ...verdict.case import Case, oracle_dtype
from .base import Layers, Mistake, Predict, layers_where, mistake, of, patched, plain, run
from .losses import cross_entropy


def _output(
    output: Callable[[Array, Array], Array], loss: Callable[[Array, Array], Any]
) -> Predict:
    def predict(case: Case, equations: Equations, _: Layers, __: float) -> Pass | None:
        if case.network.loss != "mse":
            return None
        changed = replace(
            equations, output=lambda a, y, _: output(a, y), loss=lambda a, y, _: loss(a, y)
        )
        return run(case, changed)

    return predict


_SIGMOID = of("sigmoid")


def _neighbour(offset: int) -> Predict:
    """σ' of the layer below (-1) or above (+1), in those of the layers where the shapes allow it."""

    def predict(case: Case, equations: Equations, layers: Layers, _: float) -> Pass | None:
        a = [case.batch[0].astype(oracle_dtype()), *run(case, equations).activations[1:]]
        other = {
            layer: a[layer + 1 + offset]
            for layer in layers & layers_where(case.network, _SIGMOID)
            if 0 <= layer + 1 + offset < len(a)
            and a[layer + 1 + offset].shape == a[layer + 1].shape
        }
        return (
            None
            if not other
            else run(
                case,
                patched(
                    equations,
                    frozenset(other),
                    slope=lambda _z, _a, at: other[at.index] * (1 - other[at.index]),
                ),
            )
        )

    return predict


def _transposed(case: Case, equations: Equations, layers: Layers, _: float) -> Pass | None:
    """δ W for δ Wᵀ, in those of the layers that are square."""
    shapes = [layer.weight.shape for layer in case.params]
    square = frozenset(
        at for at in layers if shapes[at] == shapes[at][:1] * 2 == case.network.shapes[at] * 2
    )
    changed = patched(equations, square, passed_down=lambda _d_a, delta, weight, _: delta @ weight)
    return run(case, changed) if square - {0} else None


def _detached(case: Case, equations: Equations, layers: Layers, _: float) -> Pass | None:
    """No gradient reaches what lies below the highest of these layers."""
    if len(layers) != 1 or 0 in layers:
        return None
    (top,) = layers
    found = run(case, equations)
    grads = tuple(
        map_params(np.zeros_like, (layer,))[0] if index < top else layer
        for index, layer in enumerate(found.grads)
    )
    return replace(found, grads=grads)


def _frozen(case: Case, equations: Equations, layers: Layers, _: float) -> Pass | None:
    found = run(case, equations)
    grads = tuple(
        map_params(np.zeros_like, (layer,))[0] if index in layers else layer
        for index, layer in enumerate(found.grads)
    )
    return replace(found, grads=grads)


def _updated_first(case: Case, equations: Equations, layers: Layers, scale: float) -> Pass | None:
    """δ Wᵀ with the W that has just been updated."""
    if layers <= {0} or not plain(case.schedule):
        return None
    rate = oracle_dtype()(case.schedule.learning_rate * scale)
    weight_grads: dict[int, Array] = {}

    def weight_grad(below: Array, d_a: Array, delta: Array, at: Place) -> Array:
        weight_grads[at.index] = equations.weight_grad(below, d_a, delta, at)
        return weight_grads[at.index]

    def passed_down(d_a: Array, delta: Array, weight: Array, at: Place) -> Array:
        if at.index in layers:
            weight = weight - rate * weight_grads[at.index]
        return equations.passed_down(d_a, delta, weight, at)

    return run(case, replace(equations, weight_grad=weight_grad, passed_down=passed_down))


def _without(sample: int, *, keep_count: bool = False) -> Predict:
    """The batch's first (0) or last (-1) sample is left out; the mean may still divide by its full size."""

    def predict(case: Case, equations: Equations, _: Layers, __: float) -> Pass | None:
        rows = np.arange(len(case.inputs))[case.schedule.batch(case.update)]
        if keep_count:

            def output(predictions: Array, targets: Array, network: Network) -> Array:
                d_a = equations.output(predictions, targets, network)
                d_a[sample] = 0
                return d_a

            return run(case, replace(equations, output=output))
        return run(case, equations, rows=np.delete(rows, sample)) if len(rows) > 1 else None

    return predict


def _broadcast(case: Case, equations: Equations, _: Layers, __: float) -> Pass | None:
    """(N, 1) - (N,) is (N, N): every prediction is compared with every target."""
    if case.targets.shape[1] != 1 or case.network.loss != "mse":
        return None
    return run(
        case,
        replace(
            equations,
            loss=lambda a, y, _: np.mean((a - y.T) ** 2),
            output=lambda a, y, _: 2 * (a - np.mean(y)) / len(a),
        ),
    )


CROSS_ENTROPY = Mistake(
    "binary cross-entropy in place of the MSE",
    "∂L/∂a = (a - y) / (a (1 - a)) / elements",
    "∂L/∂a = 2 (a - y) / elements",
    _output(lambda a, y: (a - y) / (a * (1 - a)) / y.size, cross_entropy),
    by_layer=False,
)

_RIGHT_DELTA = "δ = ∂L/∂a ⊙ a (1 - a)"
_RIGHT_BIAS = "∂L/∂b = Σ over samples of δ"
_RIGHT_DOWN = "∂L/∂a_below = δ Wᵀ"
_RIGHT_WEIGHT = "∂L/∂W = a_belowᵀ δ"

GRADIENT: tuple[Mistake, ...] = (
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
    Mistake(
        "σ' of the layer below", "δ = ∂L/∂a ⊙ a_below (1 - a_below)", _RIGHT_DELTA, _neighbour(-1)
    ),
    Mistake(
        "σ' of the layer above", "δ = ∂L/∂a ⊙ a_above (1 - a_above)", _RIGHT_DELTA, _neighbour(+1)
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
        weight_grad=lambda below, d_a, _delta, at: at.weight_grad(below, d_a),
    ),
    mistake(
        "σ' is missing in what is passed down",
        "∂L/∂a_below = ∂L/∂a Wᵀ",
        _RIGHT_DOWN,
        passed_down=lambda d_a, _delta, weight, at: at.passed_down(d_a, weight),
    ),
    Mistake(
        "the weight is transposed in back-propagation",
        "∂L/∂a_below = δ W",
        _RIGHT_DOWN,
        _transposed,
    ),
    Mistake(
        "the gradient is computed after the layer above was updated",
        "∂L/∂a_below = δ (W - lr ∂L/∂W)ᵀ",
        _RIGHT_DOWN,
        _updated_first,
        linear=False,
    ),
    mistake(
        "the bias gradient is missing",
        "∂L/∂b = 0",
        _RIGHT_BIAS,
        bias_grad=lambda delta, at: 0 * at.bias_grad(delta),
    ),
    mistake(
        "the bias gradient is averaged over the samples",
        "∂L/∂b = mean over samples of δ",
        _RIGHT_BIAS,
        bias_grad=lambda delta, at: at.bias_grad(delta) / len(delta),
    ),
    mistake(
        "the bias gradient is the last sample's",
        "∂L/∂b = δ of the last sample",
        _RIGHT_BIAS,
        bias_grad=lambda delta, at: at.bias_grad(delta[-1:]),
    ),
    mistake(
        "the bias gradient is the first sample's",
        "∂L/∂b = δ of the first sample",
        _RIGHT_BIAS,
        bias_grad=lambda delta, at: at.bias_grad(delta[:1]),
    ),
    mistake(
        "the bias gradient has the wrong sign",
        "∂L/∂b = -Σ over samples of δ",
        _RIGHT_BIAS,
        bias_grad=lambda delta, at: -at.bias_grad(delta),
    ),
    mistake(
        "the weight gradient has the wrong sign",
        "∂L/∂W = -a_belowᵀ δ",
        _RIGHT_WEIGHT,
        weight_grad=lambda below, _d_a, delta, at: -at.weight_grad(below, delta),
    ),
    mistake(
        "the weight gradient is averaged over the samples",
        "∂L/∂W = a_belowᵀ δ / N",
        _RIGHT_WEIGHT,
        weight_grad=lambda below, _d_a, delta, at: at.weight_grad(below, delta) / len(delta),
    ),
    Mistake(
        "the layer is detached: no gradient reaches the layers below",
        "∂L/∂a_below = 0",
        _RIGHT_DOWN,
        _detached,
    ),
    Mistake(
        "the layer is frozen: its gradient is zero", "∂L/∂W = 0, ∂L/∂b = 0", _RIGHT_WEIGHT, _frozen
    ),
    Mistake(
        "the last sample is dropped",
        "sums over N - 1 samples, divided by N - 1",
        "sums over N samples",
        _without(-1),
        by_layer=False,
    ),
    Mistake(
        "the last sample is dropped, the mean still divides by N",
        "sums over N - 1 samples, divided by N",
        "sums over N samples",
        _without(-1, keep_count=True),
        by_layer=False,
    ),
    Mistake(
        "the first sample is dropped",
        "sums over N - 1 samples, divided by N - 1",
        "sums over N samples",
        _without(0),
        by_layer=False,
    ),
    Mistake(
        "the first sample is dropped, the mean still divides by N",
        "sums over N - 1 samples, divided by N",
        "sums over N samples",
        _without(0, keep_count=True),
        by_layer=False,
    ),
    Mistake(
        "predictions (N, 1) and targets (N,) broadcast to (N, N)",
        "r_ij = a_i - y_j",
        "r_i = a_i - y_i",
        _broadcast,
        by_layer=False,
    ),
    CROSS_ENTROPY,
    Mistake(
        "the sign of the residual in place of the residual (the gradient of the mean absolute error)",
        "∂L/∂a = sign(a - y) / elements",
        "∂L/∂a = 2 (a - y) / elements",
        _output(lambda a, y: np.sign(a - y) / y.size, lambda a, y: np.mean(np.abs(a - y))),
        by_layer=False,
    ),
)
