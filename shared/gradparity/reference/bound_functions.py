"""Bound the rounding errors of each activation and loss, and of their derivatives. See `bound`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..contract import LEAK, Activation, Loss
from .activations import sigmoid
from .layers import Array
from .losses import softmax, softplus
from .precision import Precision

SIGMOID_ULP = 4
"""The largest error, in ulp, of σ in a library or written by hand, rounded up from 3.5 (float32) and 2.3 (float64)."""

FUNCTION_ULP = 8
"""The largest error, in ulp, of tanh, exp, log1p and functions made of them, rounded up."""


@dataclass(frozen=True)
class ActivationBound:
    """E of an activation and of its derivative.

    Attributes:
        value: (format, z, E_z, a, tail) → E_a. `tail` is an absolute error of σ: see `absolute_sigmoid` in `bound`.
        slope: (format, z, E_z, a, E_a, tail) → |σ'| and its E.
    """

    value: Callable[[Precision, Array, Array, Array, float], Array]
    slope: Callable[[Precision, Array, Array, Array, Array, float], tuple[Array, Array]]


def _sigmoid(r: Precision, z: Array, e_z: Array, a: Array, tail: float) -> Array:
    # The largest slope of the sigmoid anywhere within E_z of z.
    q = np.exp(-np.maximum(0, np.abs(z) - e_z))
    steepest, own = q / (1 + q) ** 2, SIGMOID_ULP * r.eps
    return np.minimum(steepest * e_z, 1) * (1 + own) + own * a + r.eta + tail


def _sigmoid_slope(
    r: Precision, z: Array, e_z: Array, a: Array, e_a: Array, tail: float
) -> tuple[Array, Array]:
    slope = a * (1 - a)
    e = (np.abs(1 - 2 * a) * e_a + e_a**2) * (1 + 3 * r.u)
    return slope, e + 3 * r.u * slope + 2 * r.eta + tail


def _tanh(r: Precision, z: Array, e_z: Array, a: Array, _: float) -> Array:
    q = np.exp(-2 * np.maximum(0, np.abs(z) - e_z))
    steepest, own = 4 * q / (1 + q) ** 2, FUNCTION_ULP * r.eps
    return np.minimum(steepest * e_z, 2) * (1 + own) + own * np.abs(a) + r.eta


def _tanh_slope(
    r: Precision, z: Array, e_z: Array, a: Array, e_a: Array, _: float
) -> tuple[Array, Array]:
    # Programs compute 1 - a², or (1 + a) (1 - a) with the product multiplied out, as JAX does.
    slope = (1 - np.abs(a)) * (1 + np.abs(a))
    e = (2 * np.abs(a) * e_a + e_a**2) * (1 + 3 * r.u)
    return slope, e + r.u * (np.abs(a) * (1 + np.abs(a)) + 3 * slope) + r.eta


def _relu(_: Precision, z: Array, e_z: Array, _a: Array, _t: float) -> Array:
    return np.where(z <= -e_z, 0.0, e_z)


def _at_the_kink(z: Array, e_z: Array) -> Array:
    """Return True where rounding decides on which side z lies. An exact 0 lies on the left."""
    return (np.abs(z) <= e_z) & (e_z > 0)


def _relu_slope(
    _: Precision, z: Array, e_z: Array, _a: Array, _e: Array, _t: float
) -> tuple[Array, Array]:
    return (z > 0) * 1.0, _at_the_kink(z, e_z) * 1.0


def _leaky(r: Precision, z: Array, e_z: Array, a: Array, _: float) -> Array:
    left = 2 * r.u * np.abs(a) + np.where(z == 0, 0.0, r.eta)
    return np.where(z > -e_z, 1.0, LEAK) * e_z * (1 + r.u) + np.where(z <= e_z, left, 0.0)


def _leaky_slope(
    r: Precision, z: Array, e_z: Array, _a: Array, _e: Array, _t: float
) -> tuple[Array, Array]:
    return np.where(z > 0, 1.0, LEAK), _at_the_kink(z, e_z) * (1.0 - LEAK) + r.u * LEAK


ACTIVATION_BOUNDS: dict[Activation, ActivationBound] = {
    "sigmoid": ActivationBound(_sigmoid, _sigmoid_slope),
    "identity": ActivationBound(
        lambda _r, _z, e_z, _a, _t: e_z,
        lambda _r, z, _ez, _a, _ea, _t: (np.ones_like(z), np.zeros_like(z)),
    ),
    "relu": ActivationBound(_relu, _relu_slope),
    "tanh": ActivationBound(_tanh, _tanh_slope),
    "leaky_relu": ActivationBound(_leaky, _leaky_slope),
}


@dataclass(frozen=True, eq=False)
class LossBound:
    """E of a loss, |∂loss/∂outputs|, and the E of that derivative."""

    e_loss: Any
    d_a: Array
    e_d_a: Array


def _mse(r: Precision, a: Array, e_a: Array, targets: Array) -> LossBound:
    residual = np.abs(a - targets)
    e_residual = e_a * (1 + r.u) + r.u * residual
    e_square = (2 * residual * e_residual + e_residual**2) * (1 + 2 * r.u)
    e_square += 2 * r.u * residual**2 + r.eta
    e_loss = _mean(r, residual**2, e_square, a.size)
    d_a = 2 * residual / a.size
    e_d_a = 2 * e_residual / a.size + 3 * r.u * d_a + r.eta
    return LossBound(e_loss, d_a, r.unless_overflow(2 * residual, e_d_a))


def _mean(r: Precision, size: Array, e: Array, count: int) -> Any:
    """Compute E of a sum divided by `count`, from the absolute values (`size`) and the E of its terms."""
    gamma = r.gamma(size.size + 3)
    total = (1 + gamma) * e.sum() + gamma * size.sum()
    return r.unless_overflow(size.sum(), total / count + 2 * r.eta)


def _binary(r: Precision, z: Array, e_z: Array, targets: Array) -> LossBound:
    own, p = FUNCTION_ULP * r.eps, sigmoid(z)
    # |d loss/dz| = |σ - y|, and its slope is at most 1/4. The terms of any usual formula are at most this large.
    size = (1 + np.abs(targets)) * np.abs(z) + softplus(-np.abs(z))
    e = (np.abs(p - targets) + e_z / 4) * e_z + own * size + r.eta
    e_loss = _mean(r, size, e, z.size)
    # The derivative of log(1 + e^z) has an exponential of a difference, which is off by the rounding of its argument.
    spread = own * (1 + np.abs(z)) * (p + np.abs(targets) * (1 + sigmoid(-z)))
    e_d_a = (np.minimum(e_z / 4, 1) + spread) * (1 + 2 * r.u) / z.size + r.eta
    return LossBound(e_loss, np.abs(p - targets) / z.size, _unless_infinite(e_z, e_d_a))


def _softmax(r: Precision, z: Array, e_z: Array, targets: Array) -> LossBound:
    samples, classes = z.shape
    own, p = FUNCTION_ULP * r.eps, softmax(z)
    top, e_top = np.abs(z).max(1, keepdims=True), e_z.max(1, keepdims=True)
    log_p = np.abs(z - z.max(1, keepdims=True)) + np.log(classes)
    total = np.abs(targets).sum(1, keepdims=True)
    # log softmax moves by at most the move of its own logit plus the largest move of any logit.
    e_log_p = e_z + e_top + own * (np.abs(z) + top + log_p + 1) + r.gamma(classes) * (1 + log_p)
    size = np.abs(targets) * (log_p + 1)
    e_loss = _mean(r, size, np.abs(targets) * e_log_p + r.eta, samples)
    # Each exponential is off by a factor e^(E of its logit + E of the largest), and by the rounding of its argument.
    wide = np.expm1(np.minimum(2 * e_top + e_z, 700.0)) + own * (1 + log_p) + r.gamma(classes + 2)
    e_d_a = np.minimum(p * wide, 1) * total + r.gamma(classes + 3) * (p * total + np.abs(targets))
    d_a = np.abs(p * targets.sum(1, keepdims=True) - targets) / samples
    return LossBound(e_loss, d_a, _unless_infinite(e_top, e_d_a / samples + r.eta))


def _unless_infinite(e_z: Array, e: Array) -> Array:
    return np.where(np.isfinite(e_z), e, np.inf)


LOSS_BOUNDS: dict[Loss, Callable[[Precision, Array, Array, Array], LossBound]] = {
    "mse": _mse,
    "binary_cross_entropy": _binary,
    "softmax_cross_entropy": _softmax,
}
