"""What depends on comparisons: the larger of two, the largest of many, either of two, order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from . import arithmetic, movement, sums
from .number import (
    Array,
    Axes,
    Bounded,
    Operand,
    constant,
    exact,
    finer,
    known,
    pair,
    quiet,
)


def maximum(x: Operand, y: Operand) -> Bounded:
    """Return the larger of both, entry by entry."""
    return _larger(*pair(x, y))


def minimum(x: Operand, y: Operand) -> Bounded:
    """Return the smaller of both, entry by entry."""
    one, other = pair(x, y)
    return -_larger(-one, -other)


@quiet
def _larger(x: Bounded, y: Bounded) -> Bounded:
    r, value = finer(x, y), np.maximum(x.value, y.value)
    above = x.value - x.error > y.value + y.error
    below = y.value - y.error > x.value + x.error
    error = np.where(above, x.error, np.where(below, y.error, np.maximum(x.error, y.error)))

    def share(one: Bounded, other: Bounded) -> Bounded:
        # Where both are the same, programs give all of it to one of them, or half to each.
        higher, tied = one > other, one.value == other.value
        half = np.where(tied, 0.5, 1.0 * higher.value)
        doubt = np.where(np.isfinite(one.value), 0.5, 0.0)
        return Bounded(half, np.where(tied, doubt, higher.error), r)

    return Bounded(
        value,
        error,
        r,
        (
            (x, lambda g: arithmetic.like(g * share(x, y), x)),
            (y, lambda g: arithmetic.like(g * share(y, x), y)),
        ),
    )


def classified(question: Callable[[Array], Array], x: Bounded) -> Bounded:
    """Ask `np.isnan`, `np.isinf` or `np.isfinite` of each entry: uncertain only where nothing is known of it."""
    return Bounded(question(x.value), np.isinf(x.error) * 1.0, x.precision)


def clip(x: Bounded, low: Operand | None, high: Operand | None) -> Bounded:
    """Return min(max(x, low), high)."""
    x = x if low is None else maximum(x, low)
    return x if high is None else minimum(x, high)


@quiet
def where(condition: Bounded | Array, x: Operand, y: Operand) -> Bounded:
    """Return x where the condition is true, else y. Where that is uncertain, it may be either."""
    r = next(one.precision for one in (x, y, condition) if isinstance(one, Bounded))
    x, y = pair(x if isinstance(x, Bounded) else constant(x, r), y)
    if not isinstance(condition, Bounded):
        condition = exact(np.asarray(condition), r)
    chosen = condition.value.astype(bool)
    value, error = np.where(chosen, x.value, y.value), np.where(chosen, x.error, y.error)
    if condition.error.any():
        other = np.where(chosen, y.error, x.error)
        apart = np.where(x.value == y.value, 0.0, np.abs(x.value - 1.0 * y.value))
        error = np.where(condition.error > 0, known(np.maximum(error, apart + other)), error)
    zero = exact(0.0, r)
    return Bounded(
        value,
        error,
        finer(x, y),
        (
            (x, lambda g: arithmetic.like(where(condition, g, zero), x)),
            (y, lambda g: arithmetic.like(where(condition, zero, g), y)),
        ),
    )


@quiet
def largest(x: Bounded, axes: Axes = None, keepdims: bool = False) -> Bounded:
    """Return the largest entry over the axes. Where it is attained twice, its cotangent may go to either."""
    over = sums.all_axes(x, axes)
    top = x.value.max(over, keepdims=True)
    # It may rise by more than its own error, through another entry, but not fall by more.
    rise = (x.value + x.error).max(over, keepdims=True) - top
    error = np.where(np.isinf(top), 0.0, known(rise))

    def of_x(g: Bounded) -> Bounded:
        may_win = x.value + x.error >= (x.value - x.error).max(over, keepdims=True)
        several = may_win.sum(over, keepdims=True) > 1
        winners = x.value == top
        share = winners / winners.sum(over, keepdims=True)
        doubt = np.where(may_win & several, np.maximum(share, 1 - share), 0.0)
        return sums.spread(g, x, over, keepdims) * Bounded(share, doubt, x.precision)

    shape = top.shape if keepdims else top.squeeze(over).shape
    return Bounded(top.reshape(shape), error.reshape(shape), x.precision, ((x, of_x),))


def smallest(x: Bounded, axes: Axes = None, keepdims: bool = False) -> Bounded:
    """Return the smallest entry over the axes."""
    return -largest(-x, axes, keepdims)


@quiet
def argmax(x: Bounded, axis: int | None = None, keepdims: bool = False) -> Bounded:
    """Return the index of the largest entry, the first of them; of all entries, flat, without an axis.

    Where rounding decides, nothing is known of the index. Entries that are exactly equal stand in their order.
    """
    value = np.argmax(x.value, axis, keepdims=keepdims)
    may_win = x.value + x.error >= np.max(x.value - x.error, axis, keepdims=True)
    several = may_win.sum(axis, keepdims=True) > 1
    decided = several & (may_win & (x.error > 0)).any(axis, keepdims=True)
    unknown = np.where(decided, np.inf, 0.0).reshape(np.shape(value))
    return Bounded(np.asarray(value), unknown, x.precision)


def argmin(x: Bounded, axis: int | None = None, keepdims: bool = False) -> Bounded:
    """Return the index of the smallest entry, the first of them."""
    return argmax(-x, axis, keepdims)


@quiet
def argsort(x: Bounded, axis: int) -> Bounded:
    """Return the indices that sort along an axis. Nothing is known of those that rounding decides."""
    index = np.argsort(x.value, axis, kind="stable")
    ordered = np.take_along_axis(x.value, index, axis)
    e = np.take_along_axis(np.broadcast_to(x.error, x.shape), index, axis)
    # Neighbours may change places where an interval further left reaches over one further right.
    left = np.maximum.accumulate(known(ordered + e), axis)
    right = np.flip(np.minimum.accumulate(np.flip(ordered - e, axis), axis), axis)
    first, rest = _part(x, axis, slice(None, -1)), _part(x, axis, slice(1, None))
    meet = (left[first] >= right[rest]) & (np.maximum(e[first], e[rest]) > 0)
    doubt = np.zeros(x.shape, bool)
    doubt[first] |= meet
    doubt[rest] |= meet
    return Bounded(index, np.where(doubt, np.inf, 0.0), x.precision)


def _part(x: Bounded, axis: int, part: slice) -> tuple[slice, ...]:
    return tuple(part if i == axis % x.ndim else slice(None) for i in range(x.ndim))


@quiet
def sort(x: Bounded, axis: int) -> Bounded:
    """Sort along an axis."""
    order = argsort(x, axis)
    places = np.arange(x.size).reshape(x.shape)
    index = Bounded(np.take_along_axis(places, order.value, axis), order.error, x.precision)
    value = x.value.reshape(-1).take(index.value)
    up = np.sort(x.value + x.error, axis) - value
    down = value - np.sort(x.value - x.error, axis)
    error = np.where(np.isinf(value), 0.0, known(np.maximum(up, down)))

    def of_x(g: Bounded) -> Bounded:
        return movement.put_add(exact(np.zeros(x.shape), g.precision), index, g)

    return Bounded(value, error, x.precision, ((x, of_x),))


def any_true(x: Bounded, axes: Axes = None, keepdims: bool = False) -> Bounded:
    """Return whether any entry over the axes is true."""
    over, true, uncertain = sums.all_axes(x, axes), x.value.astype(bool), x.error > 0

    def anywhere(entries: Array) -> Any:
        return np.asarray(entries.any(over, keepdims=keepdims))

    error = ~anywhere(true & ~uncertain) & anywhere(uncertain)
    return Bounded(anywhere(true), 1.0 * error, x.precision)


def all_true(x: Bounded, axes: Axes = None, keepdims: bool = False) -> Bounded:
    """Return whether all entries over the axes are true."""
    return ~any_true(Bounded(~x.value.astype(bool), x.error, x.precision), axes, keepdims)
