"""Bound the rounding errors of each activation and loss, and of their derivatives. See `bound`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..contract import LEAK, Activation, Loss
from .activations import of_the_others, sigmoid, softmax
from .layers import Array
from .losses import softplus
from .precision import Precision
from .vocabulary import (
    BINARY_CROSS_ENTROPY_OF_PROBABILITIES,
    CROSS_ENTROPY_OF_PROBABILITIES,
    SOFTMAX,
)

SIGMOID_ULP = 4
"""The largest error, in ulp, of σ in a library or written by hand, rounded up from 3.5 (float32) and 2.3 (float64)."""

FUNCTION_ULP = 8
"""The largest error, in ulp, of tanh, exp, log1p and functions made of them, rounded up."""

_DOUBLE = Precision.of(np.float64)


@dataclass(frozen=True)
class ActivationBound:
    """E of an activation and of its derivative.

    Attributes:
        value: (format, z, E_z, a, tail) → E_a. `tail` is an absolute error of σ: see `absolute_sigmoid` in `bound`.
        slope: (format, z, E_z, a, E_a, tail) → |σ'| and its E.
        across: (format, |∂loss/∂a|, its E, a, E_a) → E of the part of ∂loss/∂z that comes from the layer's other units,
            and of the roundings of the whole sum; 0 if no other unit counts.
    """

    value: Callable[[Precision, Array, Array, Array, float], Array]
    slope: Callable[[Precision, Array, Array, Array, Array, float], tuple[Array, Array]]
    across: Callable[[Precision, Array, Array, Array, Array], Any] = lambda _r, _d, _ed, _a, _ea: 0


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


def _softmax(r: Precision, z: Array, e_z: Array, a: Array, _: float) -> Array:
    own, units = FUNCTION_ULP * r.eps, z.shape[-1]
    top, e_top = z.max(-1, keepdims=True), e_z.max(-1, keepdims=True)
    # Each exponential is off by a factor e^(E of its logit), their sum by at most e^(the largest E); and both by the
    # rounding of their arguments, in the sum weighted with a: Σ a (max z - z) ≤ log units.
    moved = np.expm1(np.minimum(e_z + e_top, 700.0))
    own = own * (2 + top - z + np.log(units)) + r.gamma(units + 2)
    # Programs may take e^z as it is. It must not overflow; what underflows counts relative to the sum, at least e^top.
    floor = (1 + units) * r.eta * np.exp(np.clip(e_top - top, 0.0, 700.0))
    safe = (np.abs(top) + e_top + np.log(units) < np.log(r.largest)) & (np.abs(top) + e_top < 700)
    e = np.minimum(a * moved, 1) * (1 + own) + own * a + floor
    return np.where(safe, e, np.inf)


def _softmax_slope(
    r: Precision, z: Array, e_z: Array, a: Array, e_a: Array, _: float
) -> tuple[Array, Array]:
    return a * of_the_others(a), np.abs(1 - 2 * a) * e_a + e_a**2


def _softmax_across(r: Precision, d_a: Array, e_d_a: Array, a: Array, e_a: Array) -> Array:
    # The terms are s_i d_i and s_i d_j s_j. Programs sum d_j s_j first, or build the matrix of all ∂s_i/∂z_j.
    passed, e_passed = d_a * a, d_a * e_a + a * e_d_a + e_a * e_d_a
    e = a * of_the_others(e_passed) + e_a * of_the_others(passed + e_passed)
    size = (a + e_a) * (d_a + e_d_a + (passed + e_passed).sum(-1, keepdims=True))
    floor = (a.shape[-1] + 6) * r.eta * (1 + (d_a + e_d_a).sum(-1, keepdims=True))
    return r.unless_overflow(size, e + r.gamma(a.shape[-1] + 5) * size + floor)


ACTIVATION_BOUNDS: dict[Activation, ActivationBound] = {
    "sigmoid": ActivationBound(_sigmoid, _sigmoid_slope),
    "identity": ActivationBound(
        lambda _r, _z, e_z, _a, _t: e_z,
        lambda _r, z, _ez, _a, _ea, _t: (np.ones_like(z), np.zeros_like(z)),
    ),
    "relu": ActivationBound(_relu, _relu_slope),
    "tanh": ActivationBound(_tanh, _tanh_slope),
    "leaky_relu": ActivationBound(_leaky, _leaky_slope),
    SOFTMAX: ActivationBound(_softmax, _softmax_slope, _softmax_across),
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


def _softmax_loss(r: Precision, z: Array, e_z: Array, targets: Array) -> LossBound:
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


@dataclass(frozen=True, eq=False)
class _Logarithm:
    """A probability x of which programs take the logarithm, and divide by it, with its E.

    Attributes:
        log: |log x|.
        e_log: E of log x, from the E of x alone.
        inverse: 1/x.
        e_inverse: E of 1/x, from the E of x alone.
        safe: False where rounding may make x so small that its inverse overflows, or zero.
    """

    log: Array
    e_log: Array
    inverse: Array
    e_inverse: Array
    safe: Array

    @classmethod
    def of(cls, r: Precision, x: Array, e: Array) -> _Logarithm:
        low = x - e
        safe = low > 4 * r.eta
        low = np.where(safe, low, 1.0)
        e, x = np.where(safe, e, 0.0), np.where(safe, x, 1.0)
        return cls(np.abs(np.log(low)), np.log(x / low), 1 / low, e / x / low, safe)


def _binary_of_probabilities(r: Precision, p: Array, e_p: Array, targets: Array) -> LossBound:
    y, not_y, n = np.abs(targets), np.abs(1 - targets), p.size
    of_p = _Logarithm.of(r, p, e_p)
    # p was rounded to float64; of 1 - p, that may be a fair part.
    of_q = _Logarithm.of(r, 1 - p - _DOUBLE.eps * p, e_p * (1 + r.u) + r.u * (1 - p))
    safe = of_p.safe & of_q.safe
    own, z = FUNCTION_ULP * r.eps, of_p.log + of_q.log  # at least |logit|
    # Some programs show σ(z) and compute loss and derivative from z. Their terms are at most this large, too.
    size = (1 + y) * (1 + z)
    e = y * of_p.e_log + not_y * of_q.e_log + own * size + r.eta
    e_loss = _mean(r, size, np.where(safe, e, np.inf), n)
    spread = own * (1 + z) * (p + y * (2 - p)) * of_p.inverse * of_q.inverse
    # The derivative times p (1 - p) is p - y, which many programs compute: its E is in here, because the products of
    # each factor's slope with the other factor add up to 1, so their absolute values to no less.
    d_a = y * of_p.inverse + not_y * of_q.inverse
    e_d_a = y * of_p.e_inverse + not_y * of_q.e_inverse
    e_d_a = (e_d_a * (1 + 8 * r.u) + 8 * r.u * d_a + spread) / n + r.eta
    residual = (np.abs(p - targets) + _DOUBLE.eps) * of_p.inverse * of_q.inverse
    e_d_a = r.unless_overflow(d_a, np.where(safe, e_d_a, np.inf))
    return LossBound(e_loss, np.minimum(d_a, residual) / n, e_d_a)


def _cross_entropy(r: Precision, p: Array, e_p: Array, targets: Array) -> LossBound:
    y, (samples, classes), of_p = np.abs(targets), p.shape, _Logarithm.of(r, p, e_p)
    # Some programs show softmax(z) and compute log p from z, shifted by the largest.
    size = y * (1 + of_p.log + np.log(classes))
    e = y * of_p.e_log + FUNCTION_ULP * r.eps * size + r.eta
    e_loss = _mean(r, size, np.where(of_p.safe, e, np.inf), samples)
    d_a = y * of_p.inverse / samples
    e_d_a = y * of_p.e_inverse / samples * (1 + 4 * r.u) + 4 * r.u * d_a + r.eta
    return LossBound(e_loss, d_a, r.unless_overflow(d_a, np.where(of_p.safe, e_d_a, np.inf)))


def _unless_infinite(e_z: Array, e: Array) -> Array:
    return np.where(np.isfinite(e_z), e, np.inf)


LOSS_BOUNDS: dict[Loss, Callable[[Precision, Array, Array, Array], LossBound]] = {
    "mse": _mse,
    "binary_cross_entropy": _binary,
    "softmax_cross_entropy": _softmax_loss,
    BINARY_CROSS_ENTROPY_OF_PROBABILITIES: _binary_of_probabilities,
    CROSS_ENTROPY_OF_PROBABILITIES: _cross_entropy,
}
