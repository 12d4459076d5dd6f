"""The equations, in any dtype: the oracle, the teacher, and whatever else must be right by construction.

Shares no code with the implementations, so that a mistake in one of them cannot hide here. Works for real,
extended (`np.longdouble`) and complex arrays; the complex ones serve complex-step differentiation, by which
its gradients are checked.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..contract import Layer, Network, Params, map_params

Array = np.ndarray


def sigmoid(z: Array) -> Array:
    """1 / (1 + e^-z), with the exponential of a non-positive number only: it cannot overflow."""
    right = np.real(z) >= 0
    exp = np.exp(np.where(right, -z, z))
    return np.where(right, 1 / (1 + exp), exp / (1 + exp))


def sigmoid_prime(z: Array) -> Array:
    """σ'(z) = σ(z) σ(-z): unlike a (1 - a), it does not cancel where a is close to 1."""
    return sigmoid(z) * sigmoid(-z)


@dataclass(frozen=True, eq=False)
class Pass:
    """All that one forward and backward pass computes; list index = layer, from 0.

    Attributes:
        pre_activations: z of each layer, `(samples, units)`.
        activations: the inputs first, then a of each layer: one more than there are layers.
        loss: a scalar array of the pass's dtype.
        deltas: ∂loss/∂z of each layer.
        grads: ∂loss/∂parameter.
    """

    pre_activations: list[Array]
    activations: list[Array]
    loss: Any
    deltas: list[Array]
    grads: Params


def _squares(predictions: Array, targets: Array) -> Any:
    return np.sum((predictions - targets) ** 2, axis=(-2, -1)) / targets.size


def _twice_the_mean_residual(predictions: Array, targets: Array) -> Array:
    return 2 * (predictions - targets) / targets.size


@dataclass(frozen=True)
class Equations:
    """The equations of one pass; the defaults are right. Each may be replaced, by that of a known mistake.

    Attributes:
        weigh: (a_below, W, b, layer) → z = a_below W + b.
        activate: (z, layer) → a.
        loss: (a_L, targets) → the mean of (a_L - y)² over all elements.
        output: (a_L, targets) → ∂loss/∂a_L = 2 (a_L - y) / elements.
        slope: (z, a, layer) → σ'(z).
        passed_down: (∂loss/∂a, δ, W, layer) → ∂loss/∂a of the layer below = δ Wᵀ.
        weight_grad: (a_below, ∂loss/∂a, δ, layer) → ∂loss/∂W = a_belowᵀ δ.
        bias_grad: (δ, layer) → ∂loss/∂b = Σ over samples of δ.
    """

    weigh: Callable[[Array, Array, Array | None, int], Array] = lambda below, weight, bias, _: (
        below @ weight if bias is None else below @ weight + bias[..., None, :]
    )
    activate: Callable[[Array, int], Array] = lambda z, _: sigmoid(z)
    loss: Callable[[Array, Array], Any] = _squares
    output: Callable[[Array, Array], Array] = _twice_the_mean_residual
    slope: Callable[[Array, Array, int], Array] = lambda z, _a, _: sigmoid_prime(z)
    passed_down: Callable[[Array, Array, Array, int], Array] = lambda _d_a, delta, weight, _: (
        delta @ np.swapaxes(weight, -2, -1)
    )
    weight_grad: Callable[[Array, Array, Array, int], Array] = lambda below, _d_a, delta, _: (
        np.swapaxes(below, -2, -1) @ delta
    )
    bias_grad: Callable[[Array, int], Array] = lambda delta, _: np.sum(delta, axis=-2)


RIGHT = Equations()


def evaluate(
    network: Network,
    params: Params,
    inputs: Array,
    targets: Array,
    equations: Equations = RIGHT,
) -> Pass:
    """One pass, in the dtype of its arguments (Rumelhart, Hinton and Williams 1986).

    The params may have a leading axis, for several networks at once; so have the results then.

    Forward: z_l = a_{l-1} W_l + b_l, a_l = σ(z_l). Backward: δ_l = ∂loss/∂a_l ⊙ σ'(z_l), from the last layer down.
    """
    activations, pre_activations = [inputs], []
    for index, layer in enumerate(params):
        z = equations.weigh(activations[-1], layer.weight, layer.bias, index)
        pre_activations.append(z)
        activations.append(equations.activate(z, index))

    loss = equations.loss(activations[-1], targets)
    d_a = equations.output(activations[-1], targets)
    deltas: list[Array] = []
    grads: list[Layer] = []
    for index in reversed(range(len(network.layers))):
        weight, bias = params[index]
        below, z, a = activations[index], pre_activations[index], activations[index + 1]
        delta = d_a * equations.slope(z, a, index)
        weight_grad = equations.weight_grad(below, d_a, delta, index)
        bias_grad = None if bias is None else equations.bias_grad(delta, index)
        d_a = equations.passed_down(d_a, delta, weight, index)
        deltas.insert(0, delta)
        grads.insert(0, Layer(weight_grad, bias_grad))
    return Pass(pre_activations, activations, loss, deltas, tuple(grads))


def sgd_step(params: Params, grads: Params, learning_rate: float) -> Params:
    """W - learning_rate · gradient."""
    return map_params(lambda w, g: w - w.dtype.type(learning_rate) * g, params, grads)


def cast(params: Params, dtype: Any) -> Params:
    """The same params in another dtype."""
    return map_params(lambda tensor: tensor.astype(dtype), params)
