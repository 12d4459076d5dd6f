"""ATen's operations on each entry alone: arithmetic, functions, activations, comparisons, and their derivatives."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from ...reference.bound_functions import FUNCTION_ULP
from ...reference.precision import Precision
from .. import bounded
from ..bounded import Bounded, clip, exp, expm1, log, sigmoid, tanh, where
from ..bounded import softplus as log_one_plus_exp

Operand = Any
"""A `Bounded` or a number."""


def add(x: Bounded, y: Operand, alpha: float = 1) -> Bounded:
    """Compute x + alpha·y."""
    return x + (y if alpha == 1 else alpha * y)


def sub(x: Bounded, y: Operand, alpha: float = 1) -> Bounded:
    """Compute x - alpha·y."""
    return x - (y if alpha == 1 else alpha * y)


def div(x: Bounded, y: Operand, rounding_mode: str | None = None) -> Bounded:
    """Compute x / y, rounded to an integer if asked."""
    if rounding_mode == "floor":
        return x // y
    if rounding_mode == "trunc":
        return bounded.truncate(x / y)
    return x / y


def fmod(x: Bounded, y: Operand) -> Bounded:
    """Compute the remainder with the sign of x."""
    return x - bounded.truncate(x / y) * y


def addcmul(x: Bounded, y: Bounded, z: Bounded, value: float = 1) -> Bounded:
    """Compute x + value·y·z."""
    return x + (y if value == 1 else value * y) * z


def addcdiv(x: Bounded, y: Bounded, z: Bounded, value: float = 1) -> Bounded:
    """Compute x + value·y / z."""
    return x + (y if value == 1 else value * y) / z


def lerp(x: Bounded, y: Bounded, weight: Operand) -> Bounded:
    """Compute x + weight·(y - x), from the nearer end."""
    near = weight.value if isinstance(weight, Bounded) else weight
    return where(abs(near) < 0.5, x + weight * (y - x), y - (y - x) * (1 - weight))


def masked_fill(x: Bounded, mask: Bounded, value: Operand) -> Bounded:
    """Put `value` where the mask is true."""
    return where(mask, value, x)


def clamp(x: Bounded, min: Operand = None, max: Operand = None) -> Bounded:  # as ATen names them
    """Compute min(max(x, low), high)."""
    return clip(x, min, max)


def hardtanh(x: Bounded, min_val: float = -1, max_val: float = 1) -> Bounded:
    """Compute min(max(x, low), high)."""
    return clip(x, min_val, max_val)


def hardtanh_backward(g: Bounded, x: Bounded, min_val: float, max_val: float) -> Bounded:
    """Return the cotangent, but 0 where x is at an end."""
    return where((x <= min_val) | (x >= max_val), 0.0, g)


def threshold(x: Bounded, threshold: float, value: float) -> Bounded:
    """Return `value` where x is not above the threshold."""
    return where(x <= threshold, value, x)


def threshold_backward(g: Bounded, x: Bounded, threshold: float) -> Bounded:
    """Return the cotangent, but 0 where x is not above the threshold."""
    return where(x <= threshold, 0.0, g)


_KAPPA = 0.044715


def _erf(x: Bounded) -> Bounded:
    """Compute erf, which ATen's kernels of GELU in float32 and shorter take from a polynomial.

    That is 1 - P(t) t e^-x², t = 1 / (1 + p|x|), with an absolute error of 1.5e-7: Abramowitz and Stegun, *Handbook of
    Mathematical Functions*, 7.1.26.
    """
    y = bounded.erf(x)
    if x.precision.eps < _FLOAT32.eps:
        return y
    t = 1 / (1 + 0.3275911 * abs(x))
    p: Bounded | float = 1.061405429
    for coefficient in (-1.453152027, 1.421413741, -0.284496736, 0.254829592):
        p = p * t + coefficient
    by_polynomial = 1 - p * t * exp(-(x * x))
    return replace(y, error=np.maximum(y.error, by_polynomial.error + 1.5e-7))


_FLOAT32 = Precision.of(np.float32)


def gelu(x: Bounded, approximate: str = "none") -> Bounded:
    """Compute x Φ(x), or its approximation by tanh."""
    if approximate == "tanh":
        inner = math.sqrt(2 / math.pi) * (x + _KAPPA * (x * x * x))
        return 0.5 * x * (1 + tanh(inner))
    return 0.5 * x * (1 + _erf(x * math.sqrt(0.5)))


def gelu_backward(g: Bounded, x: Bounded, approximate: str = "none") -> Bounded:
    """Compute the cotangent through GELU."""
    if approximate == "tanh":
        inner = math.sqrt(2 / math.pi) * (x + _KAPPA * (x * x * x))
        slope = math.sqrt(2 / math.pi) * (1 + 3 * _KAPPA * (x * x))
        t = tanh(inner)
        return g * (0.5 * (1 + t) + 0.5 * x * (1 - t * t) * slope)
    cdf = 0.5 * (1 + _erf(x * math.sqrt(0.5)))
    pdf = exp(-0.5 * (x * x)) * (1 / math.sqrt(2 * math.pi))
    return g * (cdf + x * pdf)


def silu(x: Bounded) -> Bounded:
    """Compute x σ(x)."""
    return x * sigmoid(x)


def silu_backward(g: Bounded, x: Bounded) -> Bounded:
    """Compute the cotangent through x σ(x)."""
    s = sigmoid(x)
    return g * s * (1 + x * (1 - s))


def elu(x: Bounded, alpha: float = 1, scale: float = 1, input_scale: float = 1) -> Bounded:
    """Compute x above 0, alpha (eˣ - 1) below."""
    return where(x > 0, x * scale, expm1(bounded.minimum(x, 0.0) * input_scale) * (alpha * scale))


def elu_backward(
    g: Bounded, alpha: float, scale: float, input_scale: float, is_result: bool, x: Bounded
) -> Bounded:
    """Compute the cotangent through ELU, from its input or its result."""
    below = (
        input_scale * (x + alpha * scale)
        if is_result
        else input_scale * alpha * scale * exp(bounded.minimum(x, 0.0) * input_scale)
    )
    return where(x > 0, g * scale, g * below)


def celu(x: Bounded, alpha: float = 1) -> Bounded:
    """Compute x above 0, alpha (e^(x/alpha) - 1) below."""
    return elu(x, alpha, 1, 1 / alpha)


def leaky_relu(x: Bounded, negative_slope: float = 0.01) -> Bounded:
    """Compute x above 0, slope·x below."""
    return where(x > 0, x, x * negative_slope)


def leaky_relu_backward(g: Bounded, x: Bounded, negative_slope: float, is_result: bool) -> Bounded:
    """Compute the cotangent through it."""
    return where(x > 0, g, g * negative_slope)


def prelu_backward(g: Bounded, x: Bounded, weight: Bounded) -> tuple[Bounded, Bounded]:
    """Compute the cotangents of x and of the slope, before that is summed."""
    return where(x > 0, g, weight * g), where(x > 0, 0.0, x * g)


def softplus(x: Bounded, beta: float = 1, threshold: float = 20) -> Bounded:
    """Compute log(1 + eᵝˣ) / β, and x itself above the threshold."""
    return where(x * beta > threshold, x, log_one_plus_exp(x * beta) / beta)


def softplus_backward(g: Bounded, x: Bounded, beta: float, threshold: float) -> Bounded:
    """Compute the cotangent through softplus."""
    return where(x * beta > threshold, g, g * sigmoid(x * beta))


def log_sigmoid_forward(x: Bounded) -> tuple[Bounded, Bounded]:
    """Compute log σ(x), and e^-|x|, which is kept for the backward pass."""
    return -log_one_plus_exp(-x), exp(-abs(x))


def log_sigmoid_backward(g: Bounded, x: Bounded, buffer: Bounded) -> Bounded:
    """Compute the cotangent through log σ(x)."""
    return g * sigmoid(-x)


def by_way_of_float32(number: float, like: Bounded) -> Bounded:
    """Return a number in the format of `like` that ATen has in float32, even where it computes in float64."""
    return bounded.cast(bounded.constant(number, _FLOAT32), like.precision)


def hardsigmoid(x: Bounded) -> Bounded:
    """Compute min(max(x + 3, 0), 6) / 6."""
    return clip(x + 3, 0.0, 6.0) / 6


def hardsigmoid_backward(g: Bounded, x: Bounded) -> Bounded:
    """Compute the cotangent through it."""
    return where((x > -3) & (x < 3), g * by_way_of_float32(1 / 6, g), 0.0)


def hardswish(x: Bounded) -> Bounded:
    """Compute x min(max(x + 3, 0), 6) / 6."""
    return x * clip(x + 3, 0.0, 6.0) / 6


def hardswish_backward(g: Bounded, x: Bounded) -> Bounded:
    """Compute the cotangent through it."""
    return where(x <= -3, 0.0, where(x < 3, g * (x / 3 + 0.5), g))


def mish(x: Bounded) -> Bounded:
    """Compute x tanh(log(1 + eˣ))."""
    return x * tanh(log_one_plus_exp(x))


def mish_backward(g: Bounded, x: Bounded) -> Bounded:
    """Compute the cotangent through it."""
    t = tanh(log_one_plus_exp(x))
    return g * (t + x * sigmoid(x) * (1 - t * t))


def erfc(x: Bounded) -> Bounded:
    """Compute 1 - erf, as a function with an error of its own."""
    y = 1 - bounded.erf(x)
    return replace(y, error=y.error + FUNCTION_ULP * x.precision.eps * np.abs(y.value))


def logaddexp(x: Bounded, y: Bounded) -> Bounded:
    """Compute log(eˣ + eʸ)."""
    return bounded.maximum(x, y) + bounded.log1p(exp(-abs(x - y)))


def softshrink(x: Bounded, lambd: float = 0.5) -> Bounded:
    """Move x towards 0, at most to it."""
    return where(x > lambd, x - lambd, where(x < -lambd, x + lambd, 0.0))


def hardshrink(x: Bounded, lambd: float = 0.5) -> Bounded:
    """Return x, but 0 where it is at most `lambd` in size."""
    return where(abs(x) <= lambd, 0.0, x)


def shrink_backward(g: Bounded, x: Bounded, lambd: float) -> Bounded:
    """Return the cotangent, but 0 where x is at most `lambd` in size."""
    return where(abs(x) <= lambd, 0.0, g)


def nonzero(x: Bounded) -> Bounded:
    """Return whether an entry is not 0."""
    return x if x.value.dtype == bool else x != 0


def xlogy(x: Operand, y: Operand) -> Bounded:
    """Compute x log y, and 0 where x is 0."""
    return where(x == 0, 0.0, x * log(y))


_Rule = Callable[..., Any]


_ALSO_IN_PLACE: dict[str, _Rule] = {
    "add": add,
    "sub": sub,
    "mul": lambda x, y: x * y,
    "div": div,
    "floor_divide": lambda x, y: x // y,
    "remainder": lambda x, y: x % y,
    "fmod": fmod,
    "pow": lambda x, y: x**y,
    "neg": lambda x: -x,
    "abs": abs,
    "exp": exp,
    "exp2": lambda x: 2.0**x,
    "expm1": expm1,
    "log": log,
    "log2": lambda x: log(x) * (1 / math.log(2)),
    "log10": lambda x: log(x) * (1 / math.log(10)),
    "log1p": bounded.log1p,
    "sqrt": bounded.sqrt,
    "rsqrt": bounded.rsqrt,
    "reciprocal": lambda x: 1 / x,
    "sin": bounded.sin,
    "cos": bounded.cos,
    "tan": lambda x: bounded.sin(x) / bounded.cos(x),
    "atan": bounded.arctan,
    "sinh": lambda x: 0.5 * (expm1(x) - expm1(-x)),
    "cosh": lambda x: 0.5 * (exp(x) + exp(-x)),
    "erf": bounded.erf,
    "erfc": erfc,
    "sign": bounded.sign,
    "sgn": bounded.sign,
    "floor": bounded.floor,
    "ceil": bounded.ceil,
    "round": bounded.round,
    "trunc": bounded.truncate,
    "addcmul": addcmul,
    "addcdiv": addcdiv,
    "lerp": lerp,
    "xlogy": xlogy,
    "masked_fill": masked_fill,
    "clamp": clamp,
    "clamp_min": bounded.maximum,
    "clamp_max": bounded.minimum,
    "sigmoid": sigmoid,
    "tanh": tanh,
    "relu": lambda x: bounded.maximum(x, 0),
    "hardtanh": hardtanh,
    "threshold": threshold,
    "gelu": gelu,
    "silu": silu,
    "elu": elu,
    "celu": celu,
    "leaky_relu": leaky_relu,
    "hardsigmoid": hardsigmoid,
    "hardswish": hardswish,
    "mish": mish,
    "eq": lambda x, y: x == y,
    "ne": lambda x, y: x != y,
    "lt": lambda x, y: x < y,
    "le": lambda x, y: x <= y,
    "gt": lambda x, y: x > y,
    "ge": lambda x, y: x >= y,
    "logical_and": lambda x, y: nonzero(x) & nonzero(y),
    "logical_or": lambda x, y: nonzero(x) | nonzero(y),
    "logical_xor": lambda x, y: nonzero(x) ^ nonzero(y),
    "logical_not": lambda x: ~nonzero(x),
    "bitwise_and": lambda x, y: x & y,
    "bitwise_or": lambda x, y: x | y,
    "bitwise_xor": lambda x, y: x ^ y,
    "bitwise_not": lambda x: ~x,
}


RULES: dict[str, _Rule] = {
    **{f"aten.{name}": rule for name, rule in _ALSO_IN_PLACE.items()},
    **{f"aten.{name}_": rule for name, rule in _ALSO_IN_PLACE.items()},
    "aten.where": where,
    "aten.minimum": bounded.minimum,
    "aten.maximum": bounded.maximum,
    "aten.rsub": lambda x, y, alpha=1: y - (x if alpha == 1 else alpha * x),
    "aten.isnan": partial(bounded.classified, np.isnan),
    "aten.softplus": softplus,
    "aten.log_sigmoid_forward": log_sigmoid_forward,
    "aten._prelu_kernel": lambda x, weight: where(x > 0, x, weight * x),
    "aten.logaddexp": logaddexp,
    "aten.softshrink": softshrink,
    "aten.hardshrink": hardshrink,
    "aten.softshrink_backward": shrink_backward,
    "aten.hardshrink_backward": shrink_backward,
    "aten.isinf": partial(bounded.classified, np.isinf),
    "aten.sigmoid_backward": lambda g, y: g * (1 - y) * y,
    "aten.tanh_backward": lambda g, y: g * (1 - y * y),
    "aten.hardtanh_backward": hardtanh_backward,
    "aten.threshold_backward": threshold_backward,
    "aten.gelu_backward": gelu_backward,
    "aten.silu_backward": silu_backward,
    "aten.elu_backward": elu_backward,
    "aten.leaky_relu_backward": leaky_relu_backward,
    "aten._prelu_kernel_backward": prelu_backward,
    "aten.softplus_backward": softplus_backward,
    "aten.log_sigmoid_backward": log_sigmoid_backward,
    "aten.hardsigmoid_backward": hardsigmoid_backward,
    "aten.hardswish_backward": hardswish_backward,
    "aten.mish_backward": mish_backward,
}
