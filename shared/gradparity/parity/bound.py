"""What rounding can do to a correct implementation, entry by entry.

A running error analysis (Higham, *Accuracy and Stability of Numerical Algorithms*, 2002, ch. 3) of the
sigmoid MLP with MSE and SGD. It holds for any order of summation, with or without fused multiply-adds,
and where subnormal numbers are flushed to zero. Every E below bounds |computed - exact| for one array.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..contract import Layer, Params, map_params
from .reference import Array, Pass
from .step import Step

SIGMOID_ULP = 4
"""The worst error of a library's or a newcomer's σ in ulp, rounded up: measured 3.5 (float32), 2.3 (float64)."""

SAFETY = 1.01
"""The bound itself is computed in floating point."""


@dataclass(frozen=True)
class Precision:
    """A floating-point format: machine epsilon, smallest normal number η and largest number."""

    name: str
    eps: float
    eta: float
    largest: float

    @classmethod
    def of(cls, dtype: Any) -> Precision:
        """The format of a NumPy dtype."""
        info = np.finfo(dtype)
        return cls(info.dtype.name, float(info.eps), float(info.smallest_normal), float(info.max))

    @property
    def u(self) -> float:
        """Unit roundoff."""
        return self.eps / 2

    def unless_overflow(self, size: Array, e: Array) -> Array:
        """E, but infinite where the sum of the terms' absolute values, `size`, is beyond the dtype's range."""
        return np.where(size <= self.largest, e, np.inf)

    def gamma(self, n: int) -> float:
        """γ_n = nu / (1 - nu): relative error of n roundings, and of a sum of products of n terms in any order."""
        return n * self.u / (1 - n * self.u)

    def product(self, a: Array, e_a: Array, b: Array, e_b: Array, roundings: int) -> Array:
        """E of a·b, given E of a and of b, and how many roundings the product itself takes."""
        ku = roundings * self.u
        return (a * e_b + b * e_a + e_a * e_b) * (1 + ku) + ku * a * b + roundings * self.eta


def bound(
    network_pass: Pass,
    params: Params,
    updated: Params,
    targets: Array,
    learning_rate: float,
    r: Precision,
    *,
    absolute_sigmoid: bool = False,
) -> Step:
    """E for every number of one step, computed in float64.

    `network_pass` is the pass on the same `params` and `targets`, `updated` the weights after it, all within
    rounding of the exact values; `r` is the format that the implementations under test compute in.
    `absolute_sigmoid` allows a σ that is right to a few eps only in absolute terms, as ½ (1 + tanh(z/2)) is.
    """
    a = [_double(array) for array in network_pass.activations]
    z = [_double(array) for array in network_pass.pre_activations]
    deltas = [_double(array) for array in network_pass.deltas]
    layers = [Layer(_double(w), None if b is None else _double(b)) for w, b in params]

    tail = SIGMOID_ULP * r.eps if absolute_sigmoid else 0.0
    e_a = _forward(r, a, z, layers, tail)
    residual = np.abs(a[-1] - _double(targets))
    e_residual = e_a[-1] * (1 + r.u) + r.u * residual
    e_grads = _backward(r, a, e_a, deltas, residual, e_residual, layers, tail)

    def e_updated(e_grad: Array, grad: Array, weight: Array, new: Array) -> Array:
        change = learning_rate * np.abs(grad)
        rounding = 3 * r.u * change + 2 * r.u * np.abs(new) + r.u * np.abs(weight)
        size = np.maximum(change + np.abs(weight), learning_rate)
        return r.unless_overflow(size, learning_rate * e_grad + rounding + r.eta)

    e_loss = SAFETY * _loss(r, residual, e_residual)
    doubles = (map_params(_double, p) for p in (network_pass.grads, params, updated))
    return Step(
        [SAFETY * e for e in e_a[1:]],
        e_loss,
        map_params(lambda e: SAFETY * e, e_grads),
        e_loss,
        map_params(lambda *tensors: SAFETY * e_updated(*tensors), e_grads, *doubles),
    )


def _double(array: Array) -> Array:
    return array.astype(np.float64)


def _forward(
    r: Precision, a: list[Array], z: list[Array], layers: list[Layer], tail: float
) -> list[Array]:
    """E of the activations; the inputs, first in the list, are exact. `tail` is σ's own absolute error."""
    e_a = [np.zeros_like(a[0])]
    for index, (weight, bias) in enumerate(layers):
        n = len(weight)
        size = np.abs(a[index]) @ np.abs(weight) + (0 if bias is None else np.abs(bias))
        g = r.gamma(n if bias is None else n + 1)
        e_z = (1 + g) * (e_a[index] @ np.abs(weight)) + g * size + (2 * n + 1) * r.eta
        e_z = r.unless_overflow(size, e_z)
        # The largest slope of the sigmoid anywhere within E_z of z.
        q = np.exp(-np.maximum(0, np.abs(z[index]) - e_z))
        slope = q / (1 + q) ** 2
        own = SIGMOID_ULP * r.eps
        e_out = np.minimum(slope * e_z, 1) * (1 + own) + own * a[index + 1] + r.eta + tail
        e_a.append(np.where(np.isfinite(e_z), e_out, np.inf))  # inf - inf is no number in [0, 1]
    return e_a


def _loss(r: Precision, residual: Array, e_residual: Array) -> Any:
    e_square = (2 * residual * e_residual + e_residual**2) * (1 + 2 * r.u)
    e_square += 2 * r.u * residual**2 + r.eta
    gamma = r.gamma(residual.size + 3)
    total = (1 + gamma) * e_square.sum() + gamma * (residual**2).sum()
    return r.unless_overflow((residual**2).sum(), total / residual.size + 2 * r.eta)


def _backward(
    r: Precision,
    a: list[Array],
    e_a: list[Array],
    deltas: list[Array],
    residual: Array,
    e_residual: Array,
    layers: list[Layer],
    tail: float,
) -> Params:
    """E of the gradients, from the last layer down."""
    kappa = 1 / residual.size
    d_a = 2 * kappa * residual
    e_d_a = 2 * kappa * e_residual + 6 * r.u * kappa * residual + r.eta
    e_d_a = r.unless_overflow(2 * residual, e_d_a)
    e_grads: list[Layer] = []
    for index in reversed(range(len(layers))):
        weight, bias = layers[index]
        # sigma' = a (1 - a)
        out, e_out = a[index + 1], e_a[index + 1]
        slope = out * (1 - out)
        e_slope = (np.abs(1 - 2 * out) * e_out + e_out**2) * (1 + 3 * r.u)
        e_slope += 3 * r.u * slope + 2 * r.eta + tail
        last = index == len(layers) - 1
        e_delta = r.product(d_a, e_d_a, slope, e_slope, roundings=3 if last else 1)
        # Sums over the samples.
        delta, a_in, e_in = np.abs(deltas[index]), np.abs(a[index]), e_a[index]
        samples = len(delta)
        g, floor = r.gamma(samples), (2 * samples + 1) * r.eta
        e_weight = (1 + g) * (a_in.T @ e_delta + e_in.T @ delta + e_in.T @ e_delta)
        e_weight += g * (a_in.T @ delta) + floor
        e_weight = r.unless_overflow(a_in.T @ delta, e_weight)
        size = delta.sum(0)
        e_bias = (1 + g) * e_delta.sum(0) + g * size + floor
        e_bias = None if bias is None else r.unless_overflow(size, e_bias)
        e_grads.insert(0, Layer(e_weight, e_bias))
        # Sums over this layer's units.
        units = weight.shape[1]
        g, floor = r.gamma(units), (2 * units + 1) * r.eta
        size = delta @ np.abs(weight).T
        e_d_a = (1 + g) * (e_delta @ np.abs(weight).T) + g * size + floor
        e_d_a = r.unless_overflow(size, e_d_a)
        d_a = np.abs(deltas[index] @ weight.T)
    return tuple(e_grads)
