"""The JAX primitives that sum, multiply, compare or count over axes and windows."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from .. import bounded as b
from ..bounded import Array, Bounded, exact, moved, take, total
from . import Rule
from .convolutions import Geometry, convolve, windows
from .jax_movement import Shape, stack, unstack
from .jax_pointwise import minimum


def reduce_min(x: Bounded, *, axes: Shape, **_: Any) -> Bounded:
    """Return the smallest over the axes."""
    return b.smallest(x, axes) if x.floating else _reduced(np.min, x, axes)


def _reduced(function: Callable[..., Array], x: Bounded, axes: Shape) -> Bounded:
    unknown = x.error.any(tuple(axes))
    value = np.asarray(function(x.value, axis=tuple(axes)))
    return Bounded(value, np.where(unknown, np.inf, 0.0), x.precision)


def _count(x: Bounded, axes: Shape) -> tuple[Bounded, int]:
    """Return how many are true, and of how many."""
    ones = Bounded(x.value.astype(np.int64), x.error, x.precision)
    return total(ones, axes), math.prod(x.shape[axis] for axis in axes)


def reduce_and(x: Bounded, *, axes: Shape, **_: Any) -> Bounded:
    """Whether all are true."""
    if x.value.dtype != bool:
        return _reduced(np.bitwise_and.reduce, x, axes)
    found, size = _count(x, axes)
    return found == size


def reduce_or(x: Bounded, *, axes: Shape, **_: Any) -> Bounded:
    """Whether any is true."""
    if x.value.dtype != bool:
        return _reduced(np.bitwise_or.reduce, x, axes)
    return _count(x, axes)[0] > 0


def _arg(function: Callable[..., Bounded]) -> Rule:
    def rule(x: Bounded, *, axes: Shape, index_dtype: str) -> Bounded:
        found = function(x, *axes)
        return Bounded(found.value.astype(index_dtype), found.error, found.precision)

    return rule


def psum(*arrays: Bounded, axes: Shape, axis_index_groups: None = None) -> tuple[Bounded, ...]:
    """Sum over axes, as `vmap` leaves it of a sum over a named one."""
    if axis_index_groups is not None:
        raise ValueError("sums over groups of a named axis")
    return tuple(total(x, axes) if axes else x for x in arrays)


def cumsum(x: Bounded, *, axis: int, reverse: bool) -> Bounded:
    """Sum along an axis, up to each entry."""
    return _flipped(b.cumulative(_flipped(x, axis, reverse), axis), axis, reverse)


def _running(combine: Callable[[Bounded, Bounded], Bounded]) -> Rule:
    """Return a rule that combines the entries along an axis, up to each."""

    def rule(x: Bounded, *, axis: int, reverse: bool) -> Bounded:
        rows = unstack(_flipped(x, axis, reverse), axis=axis)
        found = [rows[0]]
        for row in rows[1:]:
            found.append(combine(found[-1], row))
        return _flipped(stack(*found, axis=axis), axis, reverse)

    return rule


def _flipped(x: Bounded, axis: int, reverse: bool) -> Bounded:
    return moved(lambda at: np.flip(at, axis), x) if reverse else x


def log_add_exp(x: Bounded, y: Bounded) -> Bounded:
    """Compute log(e^x + e^y)."""
    return b.maximum(x, y) + b.log1p(b.exp(-abs(x - y)))


def dot_general(x: Bounded, y: Bounded, *, dimension_numbers: Any, **_: Any) -> Bounded:
    """Sum products over axes of both; `dimension_numbers` are ((summed of x, of y), (batch of x, of y))."""
    (of_x, of_y), (batch_x, batch_y) = dimension_numbers
    letters = iter("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
    left = [next(letters) for _ in x.shape]
    right = [next(letters) for _ in y.shape]
    for i, j in zip((*of_x, *batch_x), (*of_y, *batch_y), strict=True):
        right[j] = left[i]
    out = [left[i] for i in batch_x]
    out += [left[i] for i in range(x.ndim) if i not in {*of_x, *batch_x}]
    out += [right[j] for j in range(y.ndim) if j not in {*of_y, *batch_y}]
    return b.einsum(f"{''.join(left)},{''.join(right)}->{''.join(out)}", x, y)


def conv_general_dilated(
    x: Bounded,
    kernel: Bounded,
    *,
    window_strides: Shape,
    padding: Sequence[tuple[int, int]],
    lhs_dilation: Shape,
    rhs_dilation: Shape,
    dimension_numbers: Mapping[str, Shape],
    feature_group_count: int,
    batch_group_count: int,
    **_: Any,
) -> Bounded:
    """Compute a convolution; `dimension_numbers` say which axis is which."""
    axes = len(window_strides)
    geometry = Geometry.of(axes, window_strides, padding, lhs_dilation, rhs_dilation)
    found = convolve(
        moved(lambda at: at.transpose(dimension_numbers["lhs_spec"]), x),
        moved(lambda at: at.transpose(dimension_numbers["rhs_spec"]), kernel),
        geometry,
        feature_group_count,
        batch_group_count,
    )
    return moved(lambda at: at.transpose(np.argsort(dimension_numbers["out_spec"])), found)


def _window(reduce: Callable[..., Bounded], fill: float) -> Rule:
    def rule(
        x: Bounded,
        *,
        window_dimensions: Shape,
        window_strides: Shape,
        padding: Sequence[tuple[int, int]],
        base_dilation: Shape,
        window_dilation: Shape,
    ) -> Bounded:
        geometry = Geometry.of(x.ndim, window_strides, padding, base_dilation, window_dilation)
        found = windows(x, window_dimensions, geometry, fill)
        return reduce(found, range(x.ndim, 2 * x.ndim))

    return rule


def _selected(
    x: Bounded,
    select_prim: str,
    window_dimensions: Shape,
    geometry: Geometry,
) -> Bounded:
    """Return the position in the flat array of the largest, or the smallest, entry of each window."""
    sign = 1 if select_prim in {"ge", "gt"} else -1
    found = windows(sign * x, window_dimensions, geometry, -np.inf)
    out = found.shape[: x.ndim]
    winner = b.argmax(found.reshape(*out, -1), -1, keepdims=True)
    positions = geometry.positions(x.shape, window_dimensions).reshape(*out, -1)
    at = np.take_along_axis(positions, winner.value, -1)
    return Bounded(at[..., 0], winner.error[..., 0], x.precision)


def select_and_scatter_add(
    source: Bounded,
    x: Bounded,
    *,
    select_prim: str,
    window_dimensions: Shape,
    window_strides: Shape,
    padding: Sequence[tuple[int, int]],
) -> Bounded:
    """Add each entry of `source` where its window of x has its largest entry: backwards through pooling."""
    geometry = Geometry.of(x.ndim, window_strides, padding)
    at = _selected(x, select_prim, window_dimensions, geometry)
    return b.put_add(exact(np.zeros(x.shape), source.precision), at, source)


def select_and_gather_add(
    tangents: Bounded,
    x: Bounded,
    *,
    select_prim: str,
    window_dimensions: Shape,
    window_strides: Shape,
    padding: Sequence[tuple[int, int]],
    base_dilation: Shape,
    window_dilation: Shape,
) -> Bounded:
    """Return the entry of `tangents` where each window of x has its largest entry: forwards through pooling."""
    geometry = Geometry.of(x.ndim, window_strides, padding, base_dilation, window_dilation)
    return take(tangents, _selected(x, select_prim, window_dimensions, geometry))


def _over_axes(function: Callable[..., Bounded]) -> Rule:
    return lambda x, *, axes, **_: function(x, axes)


RULES: dict[str, Rule] = {
    "reduce_sum": _over_axes(total),
    "psum": psum,
    "reduce_max": _over_axes(b.largest),
    "reduce_min": reduce_min,
    "reduce_prod": _over_axes(b.product),
    "reduce_and": reduce_and,
    "reduce_or": reduce_or,
    "argmax": _arg(b.argmax),
    "argmin": _arg(b.argmin),
    "cumsum": cumsum,
    "cumprod": _running(lambda x, y: x * y),
    "cummax": _running(b.maximum),
    "cummin": _running(minimum),
    "cumlogsumexp": _running(log_add_exp),
    "dot_general": dot_general,
    "conv_general_dilated": conv_general_dilated,
    "reduce_window_sum": _window(total, 0.0),
    "reduce_window_max": _window(b.largest, -np.inf),
    "reduce_window_min": _window(b.smallest, np.inf),
    "select_and_scatter_add": select_and_scatter_add,
    "select_and_gather_add": select_and_gather_add,
}
