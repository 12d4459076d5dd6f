"""ATen's reductions: sums and moments, largest and smallest entries, norms, what is sorted."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import bounded
from ..bounded import Bounded, cotangents, exact, exp, log, moved, sqrt, total, where
from .torch_movement import converted, select, split, stack
from .torch_pointwise import nonzero

Dims = int | Sequence[int] | None
Optional = Bounded | None


def axes_of(x: Bounded, dim: Dims) -> list[int]:
    """Return the axes that a reduction names: none named, all meant."""
    if dim is None or (not isinstance(dim, int) and not dim):
        return list(range(x.ndim))
    return [d % max(x.ndim, 1) for d in ([dim] if isinstance(dim, int) else dim)] if x.ndim else []


def count(x: Bounded, axes: Sequence[int]) -> int:
    """Return the number of entries along axes."""
    return math.prod(x.shape[axis] for axis in axes)


def sum_(x: Bounded, dim: Dims = None, keepdim: bool = False, dtype: str | None = None) -> Bounded:
    """Sum over axes."""
    if x.value.dtype == bool:
        x = Bounded(x.value.astype(np.int64), x.error, x.precision)
    return total(converted(x, dtype), axes_of(x, dim), keepdim)


def mean(x: Bounded, dim: Dims = None, keepdim: bool = False, dtype: str | None = None) -> Bounded:
    """Compute the mean over axes."""
    return sum_(x, dim, keepdim, dtype) / count(x, axes_of(x, dim))


def centred(x: Bounded, axes: Sequence[int]) -> tuple[Bounded, Bounded]:
    """Return the mean over axes, and the sum of the squared distances from it; both keep their axes."""
    m = total(x, axes, True) / count(x, axes)
    d = x - m
    return m, total(d * d, axes, True)


def dropped(x: Bounded, axes: Sequence[int], keepdim: bool) -> Bounded:
    """Leave out axes that a reduction kept, unless they are to be kept."""
    return x if keepdim else moved(lambda at: np.squeeze(at, tuple(axes)), x)


def var_mean(
    x: Bounded,
    dim: Any = None,
    unbiased: bool = True,
    keepdim: bool = False,
    correction: float | None = None,
) -> tuple[Bounded, Bounded]:
    """Compute the variance over axes, and the mean."""
    if isinstance(dim, bool):  # var(x, unbiased)
        dim, unbiased = None, dim
    axes = axes_of(x, dim)
    less = float(unbiased) if correction is None else correction
    m, squares = centred(x, axes)
    variance = squares / max(count(x, axes) - less, 0)
    return dropped(variance, axes, keepdim), dropped(m, axes, keepdim)


def var(x: Bounded, *arguments: Any, **attributes: Any) -> Bounded:
    """Compute the variance over axes."""
    return var_mean(x, *arguments, **attributes)[0]


def std(x: Bounded, *arguments: Any, **attributes: Any) -> Bounded:
    """Compute the standard deviation over axes."""
    return sqrt(var(x, *arguments, **attributes))


def std_mean(x: Bounded, *arguments: Any, **attributes: Any) -> tuple[Bounded, Bounded]:
    """Compute the standard deviation over axes, and the mean."""
    variance, m = var_mean(x, *arguments, **attributes)
    return sqrt(variance), m


def max_(x: Bounded, other: Bounded | int | None = None, keepdim: bool = False) -> Any:
    """Compute the largest entry: of all, along an axis with its index, or of two arrays."""
    if isinstance(other, Bounded):
        return bounded.maximum(x, other)
    if other is None:
        return bounded.largest(x)
    return bounded.largest(x, other, keepdim), bounded.argmax(x, other, keepdim)


def min_(x: Bounded, other: Bounded | int | None = None, keepdim: bool = False) -> Any:
    """Compute the smallest entry: of all, along an axis with its index, or of two arrays."""
    if isinstance(other, Bounded):
        return bounded.minimum(x, other)
    if other is None:
        return bounded.smallest(x)
    return bounded.smallest(x, other, keepdim), bounded.argmin(x, other, keepdim)


def any_(x: Bounded, dim: Dims = None, keepdim: bool = False) -> Bounded:
    """Return whether any entry is not 0."""
    return bounded.largest(nonzero(x), axes_of(x, dim), keepdim)


def all_(x: Bounded, dim: Dims = None, keepdim: bool = False) -> Bounded:
    """Return whether no entry is 0."""
    return ~any_(~nonzero(x), dim, keepdim)


def prod(x: Bounded, dim: Dims = None, keepdim: bool = False, dtype: str | None = None) -> Bounded:
    """Multiply over an axis, or over all."""
    return bounded.product(converted(x, dtype), axes_of(x, dim), keepdim)


def cumprod(x: Bounded, dim: int, dtype: str | None = None) -> Bounded:
    """Multiply along an axis, up to each entry."""
    x = converted(x, dtype)
    if x.ndim == 0:
        return x
    parts = [select(x, dim, 0)]
    for i in range(1, x.shape[dim]):
        parts.append(parts[-1] * select(x, dim, i))
    return stack(parts, dim)


def norm(
    x: Bounded, p: float | None = 2, dim: Dims = None, keepdim: bool = False, dtype: Any = None
) -> Bounded:
    """Compute the p-norm over axes."""
    axes, p = axes_of(x, dim), 2 if p is None else p
    x = converted(x, dtype)
    if p == math.inf:
        return bounded.largest(abs(x), axes, keepdim)
    if p == -math.inf:
        return bounded.smallest(abs(x), axes, keepdim)
    if p == 0:
        return total(where(x == 0, 0.0, exact(np.ones(x.shape), x.precision)), axes, keepdim)
    if p == 1:
        return total(abs(x), axes, keepdim)
    if p == 2:
        return sqrt(total(x * x, axes, keepdim))
    return total(abs(x) ** p, axes, keepdim) ** (1 / p)


def aminmax(
    x: Bounded, *, dim: int | None = None, keepdim: bool = False
) -> tuple[Bounded, Bounded]:
    """Return the smallest and the largest entry."""
    axes = axes_of(x, dim)
    return bounded.smallest(x, axes, keepdim), bounded.largest(x, axes, keepdim)


def glu(x: Bounded, dim: int = -1) -> Bounded:
    """Multiply one half along an axis by the sigmoid of the other."""
    a, b = split(x, x.shape[dim] // 2, dim)
    return a * bounded.sigmoid(b)


def logsumexp(x: Bounded, dim: Dims, keepdim: bool = False) -> Bounded:
    """Compute log Σ eˣ over axes."""
    axes = axes_of(x, dim)
    top = bounded.largest(x, axes, True)
    return dropped(log(total(exp(x - top), axes, True)) + top, axes, keepdim)


def sort(x: Bounded, dim: int = -1, descending: bool = False) -> tuple[Bounded, Bounded]:
    """Sort along an axis; return the order, too, which is unknown where rounding or a tie decides."""
    if x.ndim == 0:
        return x, exact(0, x.precision)
    key = -x if descending else x
    values, order = bounded.sort(key, dim), bounded.argsort(key, dim)
    tied = np.diff(values.value, axis=dim) == 0
    none = np.zeros_like(np.take(values.value, [0], dim), dtype=bool)
    tied = np.concatenate([none, tied], dim) | np.concatenate([tied, none], dim)
    order = Bounded(order.value, np.where(tied, np.inf, order.error), x.precision)
    return -values if descending else values, order


def topk(
    x: Bounded, k: int, dim: int = -1, largest: bool = True, sorted: bool = True
) -> tuple[Bounded, ...]:
    """Return the k largest entries along an axis, and their indices."""
    if not sorted:
        raise ValueError("in no certain order")
    found = sort(x, dim, largest)
    return tuple(moved(lambda at: np.take(at, range(k), dim), one) for one in found)


RULES: dict[str, Callable[..., Any]] = {
    "aten.sum": sum_,
    "aten.mean": mean,
    "aten.var": var,
    "aten.std": std,
    "aten.var_mean": var_mean,
    "aten.std_mean": std_mean,
    "aten.amax": lambda x, dim=None, keepdim=False: bounded.largest(x, axes_of(x, dim), keepdim),
    "aten.amin": lambda x, dim=None, keepdim=False: bounded.smallest(x, axes_of(x, dim), keepdim),
    "aten.max": max_,
    "aten.min": min_,
    "aten.argmax": bounded.argmax,
    "aten.argmin": bounded.argmin,
    "aten.any": any_,
    "aten.all": all_,
    "aten.cumsum": lambda x, dim, dtype=None: bounded.cumulative(converted(x, dtype), dim),
    "aten.cumprod": cumprod,
    "aten.prod": prod,
    "aten.norm": norm,
    "aten.linalg_vector_norm": norm,
    "aten._foreach_norm": lambda xs, p=2, dtype=None: [norm(x, p, dtype=dtype) for x in xs],
    "aten.aminmax": aminmax,
    "aten.glu": glu,
    "aten.glu_backward": lambda g, x, dim: cotangents(glu(x, dim), g, [x])[0],
    "aten.logsumexp": logsumexp,
    "aten.sort": sort,
    "aten.topk": topk,
}
