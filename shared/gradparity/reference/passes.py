"""The equations of a forward and backward pass, in any dtype. The oracle and the teacher use them.

This module shares no code with the implementations, so a mistake in one of them cannot hide here. It works for real,
extended (`np.longdouble`) and complex arrays. Its gradients are checked by complex-step differentiation, which needs
complex arrays.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..contract import Layer, Network, Params, map_params
from .activations import ACTIVATIONS
from .layers import Array, LinearLayer, layers_of
from .losses import LOSSES


@dataclass(frozen=True, eq=False)
class Pass:
    """The numbers of one forward and backward pass. The index into each list is the layer, from 0.

    Attributes:
        pre_activations: z of each layer, `(samples, units)`, or `(samples, height, width, channels)`.
        activations: the inputs first, then a of each layer: one entry more than there are layers.
        loss: a scalar array of the pass's dtype.
        deltas: ∂loss/∂z of each layer.
        grads: ∂loss/∂parameter.
    """

    pre_activations: list[Array]
    activations: list[Array]
    loss: Any
    deltas: list[Array]
    grads: Params


@dataclass(frozen=True)
class Equations:
    """The equations of one pass. The defaults are right; a known mistake replaces one or more of them.

    Attributes:
        weigh: (a_below, W, b, layer) → z = a_below W + b.
        activate: (z, layer) → a.
        loss: (a_L, targets, network) → the loss.
        output: (a_L, targets, network) → ∂loss/∂a_L.
        slope: (z, a, layer) → σ'(z): ∂a/∂z of each unit.
        across: (∂loss/∂a, z, a, layer) → the part of ∂loss/∂z from the layer's other units: 0, but for softmax.
        passed_down: (∂loss/∂a, δ, W, layer) → ∂loss/∂a of the layer below = δ Wᵀ.
        weight_grad: (a_below, ∂loss/∂a, δ, layer) → ∂loss/∂W = a_belowᵀ δ.
        bias_grad: (δ, layer) → ∂loss/∂b = Σ δ over the samples, and over the positions of an image.
    """

    weigh: Callable[[Array, Array, Array | None, LinearLayer], Array] = (
        lambda below, weight, bias, layer: (
            layer.affine(below, weight) + (0 if bias is None else layer.spread(bias))
        )
    )
    activate: Callable[[Array, LinearLayer], Array] = lambda z, layer: ACTIVATIONS[
        layer.activation
    ].function(z)
    loss: Callable[[Array, Array, Network], Any] = lambda a, y, network: LOSSES[
        network.loss
    ].function(a, y)
    output: Callable[[Array, Array, Network], Array] = lambda a, y, network: LOSSES[
        network.loss
    ].derivative(a, y)
    slope: Callable[[Array, Array, LinearLayer], Array] = lambda z, _a, layer: ACTIVATIONS[
        layer.activation
    ].derivative(z)
    across: Callable[[Array, Array, Array, LinearLayer], Any] = lambda d_a, z, _a, layer: (
        ACTIVATIONS[layer.activation].across(d_a, z)
    )
    passed_down: Callable[[Array, Array, Array, LinearLayer], Array] = (
        lambda _d_a, delta, weight, layer: layer.passed_down(delta, weight)
    )
    weight_grad: Callable[[Array, Array, Array, LinearLayer], Array] = (
        lambda below, _d_a, delta, layer: layer.weight_grad(below, delta)
    )
    bias_grad: Callable[[Array, LinearLayer], Array] = lambda delta, layer: layer.bias_grad(delta)


RIGHT = Equations()


def evaluate(
    network: Network,
    params: Params,
    inputs: Array,
    targets: Array,
    equations: Equations = RIGHT,
) -> Pass:
    """Carry out one pass, in the dtype of its arguments (Rumelhart, Hinton and Williams 1986).

    The params may have a leading axis, for several networks at once; then the results have it, too.

    Forward: z_l = a_{l-1} W_l + b_l, a_l = σ(z_l). Backward: δ_l = ∂loss/∂a_l ⊙ σ'(z_l), from the last layer down;
    where a unit's activation depends on the layer's other units, as in softmax, their part is added.
    """
    activations, pre_activations = [inputs], []
    for layer, (weight, bias) in zip(layers_of(network), params, strict=True):
        z = equations.weigh(activations[-1], weight, bias, layer)
        pre_activations.append(z)
        activations.append(equations.activate(z, layer))

    loss = equations.loss(activations[-1], targets, network)
    d_a = equations.output(activations[-1], targets, network)
    deltas: list[Array] = []
    grads: list[Layer] = []
    for layer in reversed(layers_of(network)):
        k = layer.index
        weight, bias = params[k]
        below, z, a = activations[k], pre_activations[k], activations[k + 1]
        delta = d_a * equations.slope(z, a, layer) + equations.across(d_a, z, a, layer)
        weight_grad = equations.weight_grad(below, d_a, delta, layer)
        bias_grad = None if bias is None else equations.bias_grad(delta, layer)
        d_a = equations.passed_down(d_a, delta, weight, layer)
        deltas.insert(0, delta)
        grads.insert(0, Layer(weight_grad, bias_grad))
    return Pass(pre_activations, activations, loss, deltas, tuple(grads))


def cast(params: Params, dtype: Any) -> Params:
    """Convert the params to another dtype."""
    return map_params(lambda tensor: tensor.astype(dtype), params)
