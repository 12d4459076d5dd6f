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
    for layer, (weight, bias) in zip(layers, params, strict=True):
        index, n = layer.index, layer.fan_in
        size = layer.affine(np.abs(a[index]), np.abs(weight))
        # A sum of zeros is exact, and so is the side of a kink on which it lies.
        some = layer.affine(((a[index] != 0) | (e_a[index] > 0)) * 1.0, (weight != 0) * 1.0) > 0
        if bias is not None:
            size = size + layer.spread(np.abs(bias))
            n += 1
            some |= layer.spread(bias) != 0
        g = r.gamma(n)
        e_z = (1 + g) * layer.affine(e_a[index], np.abs(weight)) + g * size
        e_z = r.unless_overflow(size, e_z + np.where(some, (2 * layer.fan_in + 1) * r.eta, 0.0))
        out = ACTIVATION_BOUNDS[layer.activation].value(r, z[index], e_z, a[index + 1], tail)
        e_zs.append(e_z)
        e_a.append(np.where(np.isfinite(e_z), out, np.inf))  # inf - inf would be NaN
    return e_zs, e_a


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
        slope, e_slope = ACTIVATION_BOUNDS[layer.activation].slope(
            r, z[index], e_z[index], a[index + 1], e_a[index + 1], tail
        )
        e_delta = r.product(d_a, e_d_a, slope, e_slope, roundings=3 if last else 1)
        # Sums over the samples, and over the positions of an image.
        delta, a_in, e_in = np.abs(deltas[index]), np.abs(a[index]), e_a[index]
        count = len(delta) * layer.positions
        g, floor = r.gamma(count), (2 * count + 1) * r.eta
        size = layer.weight_grad(a_in, delta)
        e_weight = layer.weight_grad(a_in, e_delta) + layer.weight_grad(e_in, delta + e_delta)
        e_weight = r.unless_overflow(size, (1 + g) * e_weight + g * size + floor)
        size = layer.bias_grad(delta)
        e_bias = r.unless_overflow(size, (1 + g) * layer.bias_grad(e_delta) + g * size + floor)
        e_grads.insert(0, Layer(e_weight, None if bias is None else e_bias))
        # Sums over this layer's units.
        g, floor = r.gamma(layer.fan_out), (2 * layer.fan_out + 1) * r.eta
        size = layer.passed_down(delta, np.abs(weight))
        e_d_a = (1 + g) * layer.passed_down(e_delta, np.abs(weight)) + g * size + floor
        e_d_a = r.unless_overflow(size, e_d_a)
        d_a = np.abs(layer.passed_down(deltas[index], weight))
    return tuple(e_grads)
