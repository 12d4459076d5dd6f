"""What NumPy's universal functions compute, and others that work entry by entry."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from .. import bounded as b
from ..bounded import Bounded, exact, total, where
from .numpy_arguments import Rule, array, arrays, everywhere, exactly, logical


def _ufunc(function: Rule) -> Rule:
    def rule(*xs: Any, where: Any = True, **_: Any) -> Any:
        everywhere(where)
        return function(*arrays(xs))

    return rule


def _logaddexp(x: Bounded, y: Bounded) -> Bounded:
    same = exact(0.0, x.precision)
    apart = where(x == y, same, x - y)  # ∞ - ∞
    return b.maximum(x, y) + b.log1p(b.exp(-abs(apart)))


def _remainder_towards_zero(x: Bounded, y: Bounded) -> Bounded:
    return x - b.truncate(x / y) * y


def _heaviside(x: Bounded, middle: Bounded) -> Bounded:
    return where(x == 0, middle, where(x > 0, exact(1.0, x.precision), exact(0.0, x.precision)))


def _copysign(x: Bounded, y: Bounded) -> Bounded:
    return where(y < 0, -abs(x), abs(x))


def _where(condition: Any, *xs: Any) -> Any:
    if not xs:
        return exactly(np.nonzero)(condition)
    x, y = (array(x, (*xs, condition)) for x in xs)
    condition = condition if not isinstance(condition, Bounded) else logical(condition)
    return where(condition, x, y)


def _select(conditions: Sequence[Any], choices: Sequence[Any], default: Any = 0) -> Bounded:
    found = array(default, (choices, conditions))
    for condition, choice in reversed(list(zip(conditions, choices, strict=True))):
        found = where(condition, array(choice, [found]), found)
    return found


def _round(x: Bounded, decimals: int = 0, **_: Any) -> Bounded:
    if not decimals:
        return b.round(x)
    scale = 10.0 ** abs(decimals)
    return b.round(x * scale) / scale if decimals > 0 else b.round(x / scale) * scale


def _nan_to_num(x: Bounded, *_: Any, **__: Any) -> Bounded:
    if not np.isfinite(x.value).all():
        raise ValueError("what is not finite")
    return x


def _sinc(x: Bounded) -> Bounded:
    at = b.irrational(math.pi, x.precision) * where(x == 0, 1.0, x)
    return where(x == 0, 1.0, b.sin(at) / at)


def _clip(x: Any, low: Any = None, high: Any = None, *_: Any, **attributes: Any) -> Bounded:
    low = attributes.get("min", attributes.get("a_min", low))
    high = attributes.get("max", attributes.get("a_max", high))
    return b.clip(array(x), low, high)


UFUNCS: dict[str, Rule] = {
    "add": lambda x, y: x + y if x.value.dtype != bool or y.value.dtype != bool else x | y,
    "subtract": lambda x, y: x - y,
    "multiply": lambda x, y: x * y if x.value.dtype != bool or y.value.dtype != bool else x & y,
    "divide": lambda x, y: x / y,
    "floor_divide": lambda x, y: x // y,
    "remainder": lambda x, y: x % y,
    "fmod": _remainder_towards_zero,
    "power": lambda x, y: x**y,
    "float_power": lambda x, y: (1.0 * x) ** y,
    "negative": lambda x: -x,
    "positive": lambda x: x,
    "absolute": abs,
    "fabs": abs,
    "conjugate": lambda x: x,
    "square": lambda x: x * x,
    "reciprocal": lambda x: 1.0 / x,
    "sqrt": b.sqrt,
    "cbrt": lambda x: b.sign(x) * abs(x) ** (1 / 3),
    "exp": b.exp,
    "exp2": lambda x: exact(2.0, x.precision) ** x,
    "expm1": b.expm1,
    "log": b.log,
    "log2": lambda x: b.log(x) / b.irrational(math.log(2), x.precision),
    "log10": lambda x: b.log(x) / b.irrational(math.log(10), x.precision),
    "log1p": b.log1p,
    "logaddexp": _logaddexp,
    "tanh": b.tanh,
    "sinh": lambda x: (b.expm1(x) - b.expm1(-x)) / 2,
    "cosh": lambda x: (b.exp(x) + b.exp(-x)) / 2,
    "sin": b.sin,
    "cos": b.cos,
    "tan": lambda x: b.sin(x) / b.cos(x),
    "arctan": b.arctan,
    "arcsin": lambda x: b.arctan(x / b.sqrt((1 - x) * (1 + x))),
    "arccos": lambda x: (
        b.irrational(math.pi / 2, x.precision) - b.arctan(x / b.sqrt((1 - x) * (1 + x)))
    ),
    "arctanh": lambda x: (b.log1p(x) - b.log1p(-x)) / 2,
    "hypot": lambda x, y: b.sqrt(x * x + y * y),
    "deg2rad": lambda x: x * b.irrational(math.pi / 180, x.precision),
    "rad2deg": lambda x: x * b.irrational(180 / math.pi, x.precision),
    "erf": b.erf,  # SciPy's are universal functions, too
    "expit": b.sigmoid,
    "maximum": b.maximum,
    "minimum": b.minimum,
    "fmax": b.maximum,
    "fmin": b.minimum,
    "clip": b.clip,
    "sign": b.sign,
    "heaviside": _heaviside,
    "copysign": _copysign,
    "signbit": lambda x: x < 0,
    "floor": b.floor,
    "ceil": b.ceil,
    "rint": b.round,
    "trunc": b.truncate,
    "less": lambda x, y: x < y,
    "less_equal": lambda x, y: x <= y,
    "greater": lambda x, y: x > y,
    "greater_equal": lambda x, y: x >= y,
    "equal": lambda x, y: x == y,
    "not_equal": lambda x, y: x != y,
    "logical_and": lambda x, y: logical(x) & logical(y),
    "logical_or": lambda x, y: logical(x) | logical(y),
    "logical_xor": lambda x, y: logical(x) ^ logical(y),
    "logical_not": lambda x: ~logical(x),
    "bitwise_and": lambda x, y: x & y,
    "bitwise_or": lambda x, y: x | y,
    "bitwise_xor": lambda x, y: x ^ y,
    "invert": lambda x: ~x,
    "left_shift": exactly(np.left_shift),
    "right_shift": exactly(np.right_shift),
    "isnan": partial(b.classified, np.isnan),
    "isinf": partial(b.classified, np.isinf),
    "isfinite": partial(b.classified, np.isfinite),
    "matmul": lambda x, y: x @ y,
    "vecdot": lambda x, y: total(x * y, -1),
}


def _outer(function: Rule) -> Rule:
    def rule(x: Any, y: Any, **_: Any) -> Any:
        x, y = arrays((x, y))
        return function(x.reshape(*x.shape, *[1] * y.ndim), y)

    return rule


RULES: dict[str, Rule] = {
    **{name: _ufunc(function) for name, function in UFUNCS.items()},
    **{f"{name}.outer": _outer(function) for name, function in UFUNCS.items()},
    "where": _where,
    "select": _select,
    "clip": _clip,
    "real": lambda x: x,
    "round": _round,
    "nan_to_num": _nan_to_num,
    "sinc": _sinc,
    **{
        function.__name__: exactly(function)
        for function in (
            np.nonzero,
            np.flatnonzero,
            np.argwhere,
            np.count_nonzero,
            np.searchsorted,
            np.digitize,
            np.isin,
            np.bincount,
            np.unravel_index,
            np.ravel_multi_index,
            np.argpartition,
            np.array_equal,
            np.gcd,
        )
    },
}
