"""Movement of entries: all of it is one gather, `take`; and its adjoint, which adds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from . import arithmetic
from .number import (
    Array,
    Bounded,
    Number,
    exact,
    finer,
    gamma,
    may_count,
    pair,
    quiet,
    rounded,
)


def take(x: Bounded, index: Array | Bounded, fill: Number = 0.0) -> Bounded:
    """Return the entries of x, flat, at `index`, an array of integers; `fill` where it is -1.

    Where the index is uncertain, nothing is known.
    """
    at = _positions(index)
    there = at >= 0
    dtype = x.value.dtype
    if there.all():
        value = x.value.reshape(-1).take(at) if at.size else np.zeros(at.shape, dtype)
        error = _taken_error(x, at)
    else:
        value = np.full(at.shape, fill, dtype)
        value[there] = x.value.reshape(-1)[at[there]]
        error = np.zeros(at.shape)
        error[there] = x.error.reshape(-1)[at[there]]
    if isinstance(index, Bounded) and index.error.any():
        error = np.where(index.error > 0, np.inf, error)

    def of_x(g: Bounded) -> Bounded:
        return put_add(exact(np.zeros(x.shape), g.precision), index, g)

    return Bounded(np.asarray(value), np.asarray(error), x.precision, ((x, of_x),))


def _taken_error(x: Bounded, at: Array) -> Array:
    if not at.size or not x.error.any():
        return np.broadcast_to(0.0, at.shape)
    return x.error.reshape(-1).take(at)


def _positions(index: Array | Bounded) -> Array:
    return np.asarray(index.value if isinstance(index, Bounded) else index)


def join(*xs: Bounded) -> Bounded:
    """Return all entries of the arrays, flat, one array after the other."""
    if any(x.floating for x in xs):
        one = next(x for x in xs if x.floating)
        xs = tuple(pair(x, one)[0] for x in xs)
    value = np.concatenate([x.value.reshape(-1) for x in xs])
    error = np.concatenate([x.error.reshape(-1) for x in xs])
    ends = np.cumsum([0, *(x.size for x in xs)])

    def part(i: int) -> Callable[[Bounded], Bounded]:
        return lambda g: g[ends[i] : ends[i + 1]].reshape(xs[i].shape)

    return Bounded(value, error, finer(*xs), tuple((x, part(i)) for i, x in enumerate(xs)))


def moved(operation: Callable[..., Any], *xs: Bounded, fill: Number = 0.0) -> Bounded:
    """Apply an operation that only moves entries, by moving their positions: -1 in its result stands for `fill`.

    `operation` takes an array of integers for each of `xs`, and returns one: `moved(lambda at: at[1:], x)`.
    """
    ends = np.cumsum([0, *(x.size for x in xs)])
    positions = [
        np.arange(start, start + x.size).reshape(x.shape)
        for x, start in zip(xs, ends[:-1], strict=True)
    ]
    return take(xs[0] if len(xs) == 1 else join(*xs), np.asarray(operation(*positions)), fill)


@quiet
def put_add(x: Bounded, index: Array | Bounded, updates: Bounded) -> Bounded:
    """Add each update to x, flat, at its index; one whose index is -1 is dropped.

    `updates` is broadcast to the index. Where an index is uncertain, nothing is known of the result.
    """
    x, updates = pair(x, updates)
    at = _positions(index)
    there = at.reshape(-1) >= 0
    places, r = at.reshape(-1)[there], finer(x, updates)

    def added(start: Array, terms: Array) -> Array:
        weights = np.broadcast_to(terms, at.shape).reshape(-1)[there]
        return start + np.bincount(places, weights, minlength=x.size).reshape(x.shape)

    value, carried = added(x.value, updates.value), added(x.error, updates.error)
    if not x.floating:
        value, error = value.astype(x.value.dtype), carried
    else:
        size = added(np.abs(x.value), np.abs(updates.value))
        count = added(1.0 * may_count(x), may_count(updates))
        several, g = count > 1, gamma(r, np.maximum(count - 1, 0))
        error = rounded(r, value, carried + np.where(several, count * r.eta, 0.0), g, several, size)
    if isinstance(index, Bounded) and index.error.any():
        error = np.full(x.shape, np.inf)

    def of_updates(g: Bounded) -> Bounded:
        return arithmetic.like(take(g, index), updates)

    return Bounded(value, error, r, ((x, lambda g: g), (updates, of_updates)))
