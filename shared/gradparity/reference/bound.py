"""Bound the rounding errors of a correct implementation, entry by entry.

This is a running error analysis (Higham, *Accuracy and Stability of Numerical Algorithms*, 2002, ch. 3) of the
contract's networks. It holds for any order of summation, with or without fused multiply-adds, and where
subnormal numbers are flushed to zero. Every E below bounds |computed - exact| for one array.
"""

from __future__ import annotations

import numpy as np

from ..contract import Layer, Network, Params, map_params
from .bound_functions import ACTIVATION_BOUNDS, LOSS_BOUNDS, SIGMOID_ULP, LossBound
from .layers import Array, LinearLayer, layers_of
from .passes import Pass
from .precision import Precision
from .step import StepValues

SAFETY = 1.01
"""Factor on the bound, because the bound itself is computed in floating point."""


def bound(
    network: Network,
    network_pass: Pass,
    params: Params,
    targets: Array,
    r: Precision,
    *,
    absolute_sigmoid: bool = False,
) -> StepValues:
    """Compute E, in float64, for the activations, the loss and the gradients of one pass.

    `network_pass` is the pass on the same `params` and `targets`, within rounding of the exact values. `r` is the
    format in which the implementations under test compute. `absolute_sigmoid` allows a σ whose absolute error, but
    not its relative error, is a few eps: ½ (1 + tanh(z/2)) is an example.
    """
    a = [double(array) for array in network_pass.activations]
    z = [double(array) for array in network_pass.pre_activations]
    deltas = [double(array) for array in network_pass.deltas]
    doubles = [Layer(double(w), None if b is None else double(b)) for w, b in params]
    layers = layers_of(network)
    tail = SIGMOID_ULP * r.eps if absolute_sigmoid else 0.0

    e_z, e_a = _forward(r, layers, a, z, doubles, tail)
    with np.errstate(invalid="ignore"):  # 0 · ∞, where there is no bound
        of_loss = LOSS_BOUNDS[network.loss](r, a[-1], e_a[-1], double(targets))
        e_grads = _backward(r, layers, a, e_a, z, e_z, deltas, of_loss, doubles, tail)
    e_loss = SAFETY * of_loss.e_loss
    return StepValues(
        [SAFETY * e for e in e_a[1:]], e_loss, map_params(lambda e: SAFETY * e, e_grads), e_loss
    )


def double(array: Array) -> Array:
    """Convert the array to float64."""
    return array.astype(np.float64)


def _forward(
    r: Precision,
    layers: list[LinearLayer],
    a: list[Array],
    z: list[Array],
    params: list[Layer],
    tail: float,
) -> tuple[list[Array], list[Array]]:
    """Compute E of the pre-activations and of the activations. The first activations are the exact inputs."""
    e_zs, e_a = [], [np.zeros_like(a[0])]
    for layer, parameters in zip(layers, params, strict=True):
        at = layer.index
        e_z, e_out = forward_error(r, layer, a[at], e_a[at], z[at], a[at + 1], parameters, tail)
        e_zs.append(e_z)
        e_a.append(e_out)
    return e_zs, e_a


def forward_error(
    r: Precision,
    layer: LinearLayer,
    below: Array,
    e_below: Array,
    z: Array,
    a: Array,
    parameters: Layer,
    tail: float,
) -> tuple[Array, Array]:
    """Compute E of one layer's pre-activations and activations, from its inputs and their E."""
    weight, bias = parameters
    n = layer.fan_in
    size = layer.affine(np.abs(below), np.abs(weight))
    # A sum of zeros is exact, and so is the side of a kink on which it lies.
    some = layer.affine(((below != 0) | (e_below > 0)) * 1.0, (weight != 0) * 1.0) > 0
    if bias is not None:
        size = size + layer.spread(np.abs(bias))
        n += 1
        some |= layer.spread(bias) != 0
    g = r.gamma(n)
    e_z = (1 + g) * layer.affine(e_below, np.abs(weight)) + g * size
    e_z = r.unless_overflow(size, e_z + np.where(some, (2 * layer.fan_in + 1) * r.eta, 0.0))
    out = ACTIVATION_BOUNDS[layer.activation].value(r, z, e_z, a, tail)
    return e_z, np.where(np.isfinite(e_z), out, np.inf)  # inf - inf would be NaN


def _backward(
    r: Precision,
    layers: list[LinearLayer],
    a: list[Array],
    e_a: list[Array],
    z: list[Array],
    e_z: list[Array],
    deltas: list[Array],
    of_loss: LossBound,
    params: list[Layer],
    tail: float,
) -> Params:
    """Compute E of the gradients, from the last layer down."""
    d_a, e_d_a = of_loss.d_a, of_loss.e_d_a
    e_grads: list[Layer] = []
    for layer in reversed(layers):
        index, (weight, bias) = layer.index, params[layer.index]
        last = index == len(layers) - 1
        bounds = ACTIVATION_BOUNDS[layer.activation]
        a_out, e_out = a[index + 1], e_a[index + 1]
        slope, e_slope = bounds.slope(r, z[index], e_z[index], a_out, e_out, tail)
        e_delta = r.product(d_a, e_d_a, slope, e_slope, roundings=3 if last else 1)
        e_delta = e_delta + bounds.across(r, d_a, e_d_a, a_out, e_out)
        delta = np.abs(deltas[index])
        e_weight, e_bias = gradient_error(r, layer, a[index], e_a[index], delta, e_delta)
        e_grads.insert(0, Layer(e_weight, None if bias is None else e_bias))
        e_d_a = passed_down_error(r, layer, delta, e_delta, weight)
        d_a = np.abs(layer.passed_down(deltas[index], weight))
    return tuple(e_grads)


def gradient_error(
    r: Precision, layer: LinearLayer, below: Array, e_below: Array, delta: Array, e_delta: Array
) -> tuple[Array, Array]:
    """Compute E of the gradients of a layer's weight and bias, from its inputs, |δ|, and their E."""
    # Sums over the samples, and over the positions of an image.
    count = len(delta) * layer.positions
    g, floor = r.gamma(count), (2 * count + 1) * r.eta
    below = np.abs(below)
    size = layer.weight_grad(below, delta)
    e_weight = layer.weight_grad(below, e_delta) + layer.weight_grad(e_below, delta + e_delta)
    e_weight = r.unless_overflow(size, (1 + g) * e_weight + g * size + floor)
    size = layer.bias_grad(delta)
    e_bias = (1 + g) * layer.bias_grad(e_delta) + g * size + floor
    return e_weight, r.unless_overflow(size, e_bias)


def passed_down_error(
    r: Precision, layer: LinearLayer, delta: Array, e_delta: Array, weight: Array
) -> Array:
    """Compute E of ∂loss/∂a of the layer below, from |δ| and its E."""
    # Sums over this layer's units.
    g, floor = r.gamma(layer.fan_out), (2 * layer.fan_out + 1) * r.eta
    size = layer.passed_down(delta, np.abs(weight))
    e_d_a = (1 + g) * layer.passed_down(e_delta, np.abs(weight)) + g * size + floor
    return r.unless_overflow(size, e_d_a)
