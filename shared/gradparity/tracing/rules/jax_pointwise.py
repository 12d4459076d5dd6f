"""The JAX primitives that compute entry by entry, or that change the format, or that make an array."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from ...reference.bound_functions import FUNCTION_ULP
from ...reference.precision import Precision
from .. import bounded as b
from ..bounded import Array, Bounded, exact, where
from . import Rule, dtype_of
from .jax_movement import Shape

_DOUBLE = Precision.of(np.float64)


def divide(x: Bounded, y: Bounded) -> Bounded:
    """Divide; integers towards zero."""
    return x / y if x.floating else _integers(lambda n, d: (n - np.fmod(n, d)) // d, x, y)


def remainder(x: Bounded, y: Bounded) -> Bounded:
    """Compute the remainder with the dividend's sign."""
    if not x.floating:
        return _integers(np.fmod, x, y)
    if x.error.any() or y.error.any():
        return x - b.truncate(x / y) * y
    quotient = np.rint((x.value - np.fmod(x.value, y.value)) / y.value)
    return x - exact(quotient, x.precision) * y


def minimum(x: Bounded, y: Bounded) -> Bounded:
    """Return the smaller, entry by entry."""
    return b.minimum(x, y) if x.floating else _integers(np.minimum, x, y)


def clamp(low: Bounded, x: Bounded, high: Bounded) -> Bounded:
    """Return x within its limits."""
    return minimum(b.maximum(x, low), high)


def cube_root(x: Bounded, **_: Any) -> Bounded:
    """Compute the cube root, with the sign of x."""
    return where(x == 0, 0.0, b.sign(x) * abs(x) ** exact(1 / 3, x.precision))


def square_of(x: Bounded, **_: Any) -> Bounded:
    """Compute x²."""
    return x * x


def log1p(x: Bounded, **_: Any) -> Bounded:
    """Compute log(1 + x).

    In float64 on CPUs, XLA is up to 129 ulp off below 1/√2 - 1 (https://github.com/jax-ml/jax/issues/39707, measured in
    jaxlib 0.10).
    """
    found = b.log1p(x)
    inaccurate = (x.value + x.error > 1 - math.sqrt(2)) & (x.value - x.error < math.sqrt(0.5) - 1)
    if x.precision != _DOUBLE or not inaccurate.any():
        return found
    own = 130 * x.precision.eps * np.abs(found.value) * inaccurate
    return Bounded(found.value, found.error + own, found.precision, found.parents)


def round_(x: Bounded, *, rounding_method: str) -> Bounded:
    """Round to an integer: ties to even, or away from zero."""
    if rounding_method == "TO_NEAREST_EVEN":
        return b.round(x)
    value, error = _away_from_zero(x.value), x.error
    up, down = _away_from_zero(x.value + error), _away_from_zero(x.value - error)
    reach = np.where(error == 0, 0.0, np.maximum(up - value, value - down))
    return Bounded(value, reach, x.precision)


def _away_from_zero(x: Array) -> Array:
    below = np.floor(np.abs(x))
    return np.copysign(below + (np.abs(x) - below >= 0.5), x)


def arc_tangent(y: Bounded, x: Bounded) -> Bounded:
    """Compute the angle of the point (x, y)."""
    r, value = x.precision, np.arctan2(y.value, x.value)
    # The angle turns by no more than the step over the distance that is left.
    step = x.error + y.error
    left = np.hypot(x.value, y.value) - step
    turned = np.where(step == 0, 0.0, step / np.where(left > 0, left, 1.0))
    turned = np.where((step == 0) | (left > 0), turned, np.inf)
    own = FUNCTION_ULP * r.eps * np.abs(value) + np.where(value == 0, 0.0, r.eta)
    length = x * x + y * y
    return Bounded(
        value,
        turned * (1 + FUNCTION_ULP * r.eps) + own,
        r,
        ((y, lambda g: g * (x / length)), (x, lambda g: g * (-y / length))),
    )


def select_n(which: Bounded, *cases: Bounded) -> Bounded:
    """Return the case of this number, entry by entry."""
    found = cases[0]
    if len(cases) == 2 and which.value.dtype == bool:
        return where(which, cases[1], found)
    for number, case in enumerate(cases[1:], 1):
        found = where(which == number, case, found)
    return found


def _comparison(compare: Callable[[Bounded, Bounded], Bounded]) -> Rule:
    def rule(x: Bounded, y: Bounded) -> Bounded:
        found = compare(x, y)
        if x is not y:
            return found
        # JAX asks whether x ≠ x to find what is not a number; rounding does not make it one.
        return Bounded(found.value, np.isinf(x.error) * 1.0, x.precision)

    return rule


def _integers(function: Callable[..., Array], *xs: Bounded, **parameters: Any) -> Bounded:
    """Compute with integers or bools, entry by entry: of what depends on an uncertain one nothing is known."""
    with np.errstate(all="ignore"):
        value = np.asarray(function(*(x.value for x in xs), **parameters))
        unknown = sum(x.error > 0 for x in xs)
    return Bounded(value, np.where(unknown, np.inf, 0.0), xs[0].precision)


def shift_right_logical(x: Bounded, y: Bounded) -> Bounded:
    """Shift the bits to the right; zeros follow."""
    unsigned = np.dtype(f"u{x.value.dtype.name}".replace("uu", "u"))
    return _integers(
        lambda n, s: np.right_shift(n.astype(unsigned), s.astype(unsigned)).astype(n.dtype), x, y
    )


def convert(x: Bounded, *, new_dtype: str, **_: Any) -> Bounded:
    """Convert to another dtype; numbers to integers towards zero."""
    dtype = np.dtype(new_dtype)
    if dtype.kind == "f":
        return b.cast(x, Precision.of(dtype))
    if dtype.kind == "b":
        return x != 0
    found = b.to_integers(x) if x.floating else x
    return Bounded(found.value.astype(dtype), found.error, found.precision)


def bitcast(x: Bounded, *, new_dtype: str) -> Bounded:
    """Read the bits as another dtype of the same size."""
    stored = x.value.astype(dtype_of(x))
    dtype = np.dtype(new_dtype)
    if dtype.itemsize != stored.dtype.itemsize:
        raise ValueError("the dtypes have different sizes")
    found = exact(stored.view(dtype), Precision.of(dtype) if dtype.kind == "f" else x.precision)
    unknown = np.where(x.error > 0, np.inf, 0.0)
    return Bounded(found.value, found.error + unknown, found.precision)


def reduce_precision(x: Bounded, *, exponent_bits: int, mantissa_bits: int) -> Bounded:
    """Round to a format of so many bits, and back."""
    top = 2.0 ** (exponent_bits - 1) - 1
    largest = (2 - 2.0**-mantissa_bits) * 2.0**top
    name = f"e{exponent_bits}m{mantissa_bits}"
    format_ = Precision(name, 2.0**-mantissa_bits, 2.0 ** (1 - top), largest)
    return b.cast(b.cast(x, format_), x.precision)


def iota(*_shape: Bounded, dtype: str, shape: Shape, dimension: int, **_: Any) -> Bounded:
    """Count along an axis."""
    steps = np.arange(shape[dimension]).reshape(
        [-1 if axis == dimension else 1 for axis in range(len(shape))]
    )
    found = np.broadcast_to(steps, shape).astype(dtype)
    return exact(found, Precision.of(dtype) if found.dtype.kind == "f" else _DOUBLE)


def empty(*, dtype: str, shape: Shape = (), **_: Any) -> Bounded:
    """Return an array of which nothing is known."""
    found = np.zeros(shape, dtype)
    precision = Precision.of(dtype) if found.dtype.kind == "f" else _DOUBLE
    return Bounded(exact(found, precision).value, np.full(shape, np.inf), precision)


def _plain(function: Callable[..., Bounded]) -> Rule:
    """Return a rule for a primitive whose parameters do not change what it computes."""
    return lambda *xs, **_: function(*xs)


RULES: dict[str, Rule] = {
    "add": _plain(lambda x, y: x + y),
    "add_any": _plain(lambda x, y: x + y),
    "sub": _plain(lambda x, y: x - y),
    "mul": _plain(lambda x, y: x * y),
    "div": divide,
    "rem": remainder,
    "neg": _plain(lambda x: -x),
    "sign": _plain(b.sign),
    "abs": _plain(abs),
    "max": b.maximum,
    "min": minimum,
    "pow": lambda x, y: x**y,
    "integer_pow": lambda x, *, y: x**y,
    "square": square_of,
    "sqrt": _plain(b.sqrt),
    "rsqrt": _plain(b.rsqrt),
    "cbrt": cube_root,
    "exp": _plain(b.exp),
    "exp2": _plain(lambda x: 2**x),
    "expm1": _plain(b.expm1),
    "log": _plain(b.log),
    "log1p": log1p,
    "tanh": _plain(b.tanh),
    "logistic": _plain(b.sigmoid),
    "sin": _plain(b.sin),
    "cos": _plain(b.cos),
    "tan": _plain(lambda x: b.sin(x) / b.cos(x)),
    "sinh": _plain(lambda x: (b.exp(x) - b.exp(-x)) / 2),
    "cosh": _plain(lambda x: (b.exp(x) + b.exp(-x)) / 2),
    "atan2": arc_tangent,
    "atan": _plain(lambda x: arc_tangent(x, x * 0 + 1)),
    "asin": _plain(lambda x: arc_tangent(x, b.sqrt((1 - x) * (1 + x)))),
    "acos": _plain(lambda x: arc_tangent(b.sqrt((1 - x) * (1 + x)), x)),
    "erf": _plain(b.erf),
    "erfc": _plain(lambda x: 1 - b.erf(x)),
    "floor": _plain(b.floor),
    "ceil": _plain(b.ceil),
    "round": round_,
    "select_n": select_n,
    "clamp": clamp,
    "eq": _comparison(operator.eq),
    "ne": _comparison(operator.ne),
    "lt": _comparison(operator.lt),
    "le": _comparison(operator.le),
    "gt": _comparison(operator.gt),
    "ge": _comparison(operator.ge),
    "lt_to": _comparison(operator.lt),
    "le_to": _comparison(operator.le),
    "eq_to": _comparison(operator.eq),
    "and": lambda x, y: x & y,
    "or": lambda x, y: x | y,
    "xor": lambda x, y: x ^ y,
    "not": lambda x: ~x,
    "shift_left": lambda x, y: _integers(np.left_shift, x, y),
    "shift_right_arithmetic": lambda x, y: _integers(np.right_shift, x, y),
    "shift_right_logical": shift_right_logical,
    "is_finite": partial(b.classified, np.isfinite),
    "convert_element_type": convert,
    "bitcast_convert_type": bitcast,
    "reduce_precision": reduce_precision,
    "iota": iota,
    "empty2": empty,
}
