"""What NumPy's sums, means, extremes and orders along axes compute."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import bounded as b
from ..bounded import Bounded, exact, moved, put_add, total, where
from .numpy_arguments import Rule, array, arrays, everywhere, logical, plain
from .numpy_pointwise import UFUNCS


def _at(x: Bounded, index: Any, values: Any, sign: int = 1) -> Bounded:
    """Add at an index, once for each time that it stands there."""
    places = np.arange(x.size).reshape(x.shape)[plain(index)]
    added = moved(lambda at: np.broadcast_to(at, places.shape), array(values, [x]))
    return put_add(x, places, added if sign > 0 else -added)


def _chosen(x: Bounded, given: Any, neutral: float) -> Bounded:
    return x if given is True else where(given, x, exact(neutral, x.precision))


def _sum(
    x: Any, axis: Any = None, *_: Any, keepdims: bool = False, initial: Any = 0, **attributes: Any
) -> Bounded:
    x = _chosen(array(x), attributes.get("where", True), 0.0)
    x = 1 * x if x.value.dtype == bool else x
    found = total(x, axis, bool(keepdims))
    return found if _is(initial, 0) else found + initial


def _is(given: Any, number: float) -> bool:
    return (
        given is None
        or given is np._NoValue
        or (not isinstance(given, Bounded) and given == number)
    )


def _product(
    x: Any, axis: Any = None, *_: Any, keepdims: bool = False, initial: Any = 1, **attributes: Any
) -> Bounded:
    x = _chosen(array(x), attributes.get("where", True), 1.0)
    found = b.product(x, axis, bool(keepdims))
    return found if _is(initial, 1) else found * initial


def _extreme(reduce: Rule, with_initial: Rule, neutral: float) -> Rule:
    def rule(
        x: Any, axis: Any = None, *_: Any, keepdims: bool = False, initial: Any = None, **more: Any
    ) -> Any:
        found = reduce(_chosen(array(x), more.get("where", True), neutral), axis, bool(keepdims))
        absent = initial is None or initial is np._NoValue
        return found if absent else with_initial(found, initial)

    return rule


_max = _extreme(b.largest, b.maximum, -np.inf)
_min = _extreme(b.smallest, b.minimum, np.inf)


def _truth(reduce: Rule) -> Rule:
    def rule(x: Any, axis: Any = None, *_: Any, keepdims: bool = False, **more: Any) -> Any:
        everywhere(more.get("where", True))
        return reduce(logical(array(x)), axis, bool(keepdims))

    return rule


_any, _all = _truth(b.any_true), _truth(b.all_true)


def _first_axis(reduce: Rule) -> Rule:
    """Return the rule of a universal function's `reduce`, which is along axis 0 by default."""

    def rule(x: Any, axis: Any = 0, *rest: Any, **attributes: Any) -> Any:
        return reduce(x, axis, *rest, **attributes)

    return rule


def _count(x: Bounded, axis: Any, given: Any) -> Any:
    if given is True:
        axes = range(x.ndim) if axis is None else np.atleast_1d(axis)
        return math.prod(x.shape[i] for i in axes)
    mask = np.broadcast_to(plain(given), x.shape)
    return mask.sum(axis if axis is None else tuple(np.atleast_1d(axis)), keepdims=True)


def _mean(x: Any, axis: Any = None, *_: Any, keepdims: Any = False, **more: Any) -> Bounded:
    x, given, kept = array(x), more.get("where", True), keepdims is True
    found = total(_chosen(x, given, 0.0), axis, keepdims=True) / _count(x, axis, given)
    return found if kept else _squeezed(found, axis)


def _squeezed(x: Bounded, axis: Any) -> Bounded:
    axes = None if axis is None else tuple(int(i) for i in np.atleast_1d(axis))
    return moved(lambda at: at.squeeze(axes), x)


def _var(
    x: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    ddof: Any = 0,
    keepdims: Any = False,
    **more: Any,
) -> Bounded:
    """Compute the mean square of the distances from the mean, as NumPy does."""
    x = array(x)
    everywhere(more.get("where", True))
    mean = more.get("mean", np._NoValue)
    center = _mean(x, axis, keepdims=True) if mean is np._NoValue else mean
    less = ddof if more.get("correction", np._NoValue) is np._NoValue else more["correction"]
    apart = x - center
    found = total(apart * apart, axis, keepdims=True) / (_count(x, axis, True) - less)
    return found if keepdims is True else _squeezed(found, axis)


def _std(*arguments: Any, **attributes: Any) -> Bounded:
    return b.sqrt(_var(*arguments, **attributes))


def _average(
    x: Any, axis: Any = None, weights: Any = None, returned: Any = False, *, keepdims: Any = False
) -> Any:
    if weights is None:
        found = _mean(x, axis, keepdims=keepdims)
        return (
            (found, exact(np.full(found.shape, _count(x, axis, True)), found.precision))
            if returned
            else found
        )
    x, weights = arrays((x, weights))
    if weights.shape != x.shape:
        shape = [1] * x.ndim
        shape[axis] = -1
        weights = weights.reshape(shape)
    weights = moved(lambda at: np.broadcast_to(at, x.shape), weights)
    sums = total(weights, axis, keepdims is True)
    found = total(x * weights, axis, keepdims is True) / sums
    return (found, sums) if returned else found


def _accumulate(x: Any, axis: Any = None, *_: Any, **__: Any) -> Bounded:
    x = array(x)
    x = 1 * x if x.value.dtype == bool else x
    return b.cumulative(x.reshape(-1), 0) if axis is None else b.cumulative(x, axis)


def _cumprod(x: Any, axis: Any = None, *_: Any, **__: Any) -> Bounded:
    x = array(x)
    x, axis = (x.reshape(-1), 0) if axis is None else (x, axis)
    rows = moved(lambda at: np.moveaxis(at, axis, 0), x)
    found = [rows[0]]
    for i in range(1, len(rows)):
        found.append(found[-1] * rows[i])
    return moved(lambda *at: np.stack(at, axis), *found)


def _arg(function: Rule) -> Rule:
    def rule(x: Any, axis: Any = None, *_: Any, keepdims: Any = False, **__: Any) -> Any:
        return function(array(x), axis, keepdims is True)

    return rule


def _norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Bounded:
    x = array(x)
    single = x.ndim == 1 or (axis is not None and np.ndim(axis) == 0)
    if ord is None or (ord == 2 and single) or ord == "fro":
        return b.sqrt(total(x * x, axis, keepdims))
    if not single:
        raise ValueError(f"ord={ord!r}")
    if ord == 1:
        return total(abs(x), axis, keepdims)
    if ord in {np.inf, -np.inf}:
        return (b.largest if ord > 0 else b.smallest)(abs(x), axis, keepdims)
    if ord == 0:
        return total(
            where(x == 0, exact(0.0, x.precision), exact(1.0, x.precision)), axis, keepdims
        )
    return total(abs(x) ** ord, axis, keepdims) ** (1 / ord)


def _diff(x: Bounded, n: int = 1, axis: int = -1) -> Bounded:
    for _ in range(n):
        rows = moved(lambda at: np.moveaxis(at, axis, 0), x)
        x = moved(lambda at: np.moveaxis(at, 0, axis), rows[1:] - rows[:-1])
    return x


def _sort(x: Any, axis: Any = -1, *_: Any, **__: Any) -> Bounded:
    x = array(x)
    return b.sort(x.reshape(-1), 0) if axis is None else b.sort(x, axis)


def _argsort(x: Any, axis: Any = -1, *_: Any, **__: Any) -> Bounded:
    x = array(x)
    return b.argsort(x.reshape(-1), 0) if axis is None else b.argsort(x, axis)


def _median(x: Any, axis: Any = None, *_: Any, keepdims: Any = False, **__: Any) -> Bounded:
    x = array(x)
    over = range(x.ndim) if axis is None else [int(i) % x.ndim for i in np.atleast_1d(axis)]
    kept = [i for i in range(x.ndim) if i not in over]
    shape = [1 if i in over else n for i, n in enumerate(x.shape)]

    def rows(at: Any) -> Any:
        return at.transpose(*kept, *over).reshape(*(x.shape[i] for i in kept), -1)

    ordered = b.sort(moved(rows, x), -1)
    half = ordered.shape[-1] // 2
    found = ordered[..., half]
    if ordered.shape[-1] % 2 == 0:
        found = (found + ordered[..., half - 1]) / 2
    return found.reshape(shape) if keepdims is True else found


def _logaddexp(x: Any, axis: int = 0, *_: Any, keepdims: Any = False, **more: Any) -> Bounded:
    """Add logarithms one after the other, as NumPy does: each step rounds a number of the result's size."""
    everywhere(more.get("where", True))
    rows = moved(lambda at: np.moveaxis(at, axis, 0), array(x))
    found = rows[0]
    for i in range(1, len(rows)):
        found = UFUNCS["logaddexp"](found, rows[i])
    return moved(lambda at: np.expand_dims(at, axis), found) if keepdims is True else found


RULES: dict[str, Rule] = {
    "add.reduce": _first_axis(_sum),
    "multiply.reduce": _first_axis(_product),
    "maximum.reduce": _first_axis(_max),
    "minimum.reduce": _first_axis(_min),
    "fmax.reduce": _first_axis(_max),
    "fmin.reduce": _first_axis(_min),
    "logical_or.reduce": _first_axis(_any),
    "logical_and.reduce": _first_axis(_all),
    "add.accumulate": _first_axis(_accumulate),
    "multiply.accumulate": _first_axis(_cumprod),
    "add.at": _at,
    "subtract.at": lambda x, index, values: _at(x, index, values, -1),
    "logaddexp.reduce": _logaddexp,
    "sum": _sum,
    "prod": _product,
    "max": _max,
    "amax": _max,
    "min": _min,
    "amin": _min,
    "ptp": lambda x, *more, **rest: _max(x, *more, **rest) - _min(x, *more, **rest),
    "any": _any,
    "all": _all,
    "mean": _mean,
    "average": _average,
    "var": _var,
    "std": _std,
    "cumsum": _accumulate,
    "cumprod": _cumprod,
    "argmax": _arg(b.argmax),
    "argmin": _arg(b.argmin),
    "median": _median,
    "sort": _sort,
    "argsort": _argsort,
    "diff": _diff,
    "norm": _norm,
    "linalg.norm": _norm,
    "linalg.vector_norm": lambda x, *, axis=None, keepdims=False, ord=2: _norm(
        x.reshape(-1) if axis is None else x, ord, 0 if axis is None else axis, keepdims
    ),
}
