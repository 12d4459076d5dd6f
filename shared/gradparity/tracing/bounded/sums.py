"""Sums and products over axes, and sums of products."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np

from . import movement
from .number import (
    Array,
    Axes,
    Bounded,
    are_whole,
    exact,
    finer,
    gamma,
    is_infinite,
    may_count,
    pair,
    quiet,
    rounded,
)


def all_axes(x: Bounded, axes: Axes) -> tuple[int, ...]:
    """Return the axes, counted from the first; all of them for None."""
    if axes is None:
        return tuple(range(x.ndim))
    found = (axes,) if isinstance(axes, int | np.integer) else axes
    return tuple(sorted(int(axis) % x.ndim for axis in found))


def spread(g: Bounded, x: Bounded, axes: tuple[int, ...], keepdims: bool) -> Bounded:
    """Broadcast the cotangent of a reduction over the axes that were reduced."""

    def broadcast(at: Array) -> Array:
        return np.broadcast_to(at if keepdims else np.expand_dims(at, axes), x.shape)

    return movement.moved(broadcast, g)


@quiet
def total(x: Bounded, axes: Axes = None, keepdims: bool = False) -> Bounded:
    """Sum over the axes; over all by default."""
    over, r = all_axes(x, axes), x.precision

    def summed(entries: Array) -> Array:
        return np.asarray(entries.sum(over, keepdims=keepdims))

    value, carried = summed(x.value), summed(x.error)
    if not x.floating:
        return Bounded(value, carried, r)
    error = _sum_error(x, value, carried, summed)
    return Bounded(value, error, r, ((x, lambda g: spread(g, x, over, keepdims)),))


def _sum_error(x: Bounded, value: Array, carried: Array, summed: Any) -> Array:
    """Compute E of a sum in any order. One of less than two terms other than zero is exact."""
    r, count = x.precision, summed(may_count(x))
    if are_whole(x):
        count = np.where(summed(np.abs(x.value)) < 1 / r.u, np.minimum(count, 1), count)
    several, g = count > 1, gamma(x.precision, np.maximum(count - 1, 0))
    carried = carried + np.where(several, count * r.eta, 0.0)
    error = rounded(r, value, carried, g, several, summed(np.abs(x.value)))
    if np.isinf(value).any():
        certain = np.isinf(value) & (summed(is_infinite(x)) > 0) & np.isfinite(carried)
        error = np.where(certain, 0.0, error)
    return error


@quiet
def cumulative(x: Bounded, axis: int) -> Bounded:
    """Sum along an axis, up to each entry."""

    def summed(entries: Array) -> Array:
        return np.cumsum(entries, axis)

    value, carried = summed(x.value), summed(x.error)
    if not x.floating:
        return Bounded(value, carried, x.precision)
    error = _sum_error(x, value, carried, summed)

    def of_x(g: Bounded) -> Bounded:
        return _flip(cumulative(_flip(g, axis), axis), axis)

    return Bounded(value, error, x.precision, ((x, of_x),))


def _flip(x: Bounded, axis: int) -> Bounded:
    return movement.moved(lambda at: np.flip(at, axis), x)


def product(x: Bounded, axes: Axes = None, keepdims: bool = False) -> Bounded:
    """Multiply over the axes; over all by default."""
    over = all_axes(x, axes)
    kept = [axis for axis in range(x.ndim) if axis not in over]
    shape = [1 if axis in over else n for axis, n in enumerate(x.shape)]

    def rows_first(at: Array) -> Array:
        return at.transpose(*over, *kept).reshape(-1, *(x.shape[axis] for axis in kept))

    rows = movement.moved(rows_first, x)
    found = exact(np.ones(rows.shape[1:], x.value.dtype), x.precision)
    for i in range(len(rows)):
        found = found * rows[i]
    return found.reshape(shape) if keepdims else found


def matmul(x: Bounded, y: Bounded) -> Bounded:
    """Compute the product of matrices, or of stacks of them, as `@` does."""
    stacks = "..." if max(x.ndim, y.ndim) > 2 else ""
    left = "k" if x.ndim == 1 else stacks + "ik"
    right = "k" if y.ndim == 1 else stacks + "kj"
    return einsum(f"{left},{right}->{stacks}{'i' * (x.ndim > 1)}{'j' * (y.ndim > 1)}", x, y)


def einsum(spec: str, x: Bounded, y: Bounded) -> Bounded:
    """Compute a sum of products, as `np.einsum` does for two arrays. The spec has an arrow, and may have `...`."""
    inputs, out = spec.replace(" ", "").split("->")
    a, b = inputs.split(",")
    x, y = pair(x, y)
    if "..." in inputs:
        a, b, out, x, y = _named(a, b, out, x, y)
    a, x = _reduced(a, x, b + out)
    b, y = _reduced(b, y, a + out)
    return _contracted(a, b, out, x, y)


def _named(
    a: str, b: str, out: str, x: Bounded, y: Bounded
) -> tuple[str, str, str, Bounded, Bounded]:
    """Name the axes that `...` stands for. One of length 1 is broadcast by leaving it out."""
    counts = [
        array.ndim - len(labels.replace("...", "")) if "..." in labels else 0
        for labels, array in ((a, x), (b, y))
    ]
    names = "".join(c for c in "ZYXWVUTSRQPONMLKJIHGFEDCBA" if c not in a + b)[: max(counts)]
    a = a.replace("...", names[len(names) - counts[0] :])
    b = b.replace("...", names[len(names) - counts[1] :])
    for name in names:
        if name in a and name in b:
            if x.shape[a.index(name)] == 1:
                a, x = a.replace(name, ""), _without(x, a.index(name))
            elif y.shape[b.index(name)] == 1:
                b, y = b.replace(name, ""), _without(y, b.index(name))
    return a, b, out.replace("...", names), x, y


def _without(x: Bounded, axis: int) -> Bounded:
    return movement.moved(lambda at: at.squeeze(axis), x)


def _reduced(labels: str, x: Bounded, wanted: str) -> tuple[str, Bounded]:
    """Take the diagonal of axes with one label, and sum over those whose label stands nowhere else."""
    for label in labels:
        if labels.count(label) > 1:
            first, second = labels.index(label), labels.rindex(label)
            rest = "".join(c for i, c in enumerate(labels) if i not in {first, second})
            diagonal = partial(np.diagonal, axis1=first, axis2=second)
            return _reduced(rest + label, movement.moved(diagonal, x), wanted)
    alone = [i for i, label in enumerate(labels) if label not in wanted]
    if not alone:
        return labels, x
    return "".join(label for label in labels if label in wanted), total(x, alone)


@quiet
def _contracted(a: str, b: str, out: str, x: Bounded, y: Bounded) -> Bounded:
    """Compute a sum of products in which each label stands twice or more, and once in an array."""
    r, size_x, size_y = finer(x, y), np.abs(x.value), np.abs(y.value)

    def summed(one: Array, other: Array) -> Array:
        return _multiplied(a, b, out, one, other)

    value = summed(x.value, y.value)
    carried: Any = np.broadcast_to(0.0, value.shape)
    if y.error.any():
        carried = summed(size_x, y.error)
    if x.error.any():
        carried = carried + summed(x.error, size_y + y.error)
    if not x.floating:
        return Bounded(value, carried, r)
    counts = may_count(x), may_count(y)
    terms = math.prod(n for c, n in zip(a, x.shape, strict=True) if c not in out)
    dense = counts[0].all() and counts[1].all()
    count: Any = terms if dense else summed(*(1.0 * one for one in counts))
    carried = carried + 2 * count * r.eta
    error = rounded(r, value, carried, gamma(r, count), dense or count > 0, summed(size_x, size_y))
    return Bounded(
        value,
        error,
        r,
        (
            (x, lambda g: einsum(f"{out},{b}->{a}", g, y)),
            (y, lambda g: einsum(f"{out},{a}->{b}", g, x)),
        ),
    )


def _multiplied(a: str, b: str, out: str, x: Array, y: Array) -> Array:
    """Compute the sum of products as one product of stacks of matrices, which is fast."""
    sizes = dict(zip(a + b, x.shape + y.shape, strict=True))
    stack = [c for c in out if c in a and c in b]
    summed = [c for c in a if c in b and c not in out]
    left, right = [c for c in a if c not in b], [c for c in b if c not in a]

    def arranged(labels: str, array: Array, *groups: list[str]) -> Array:
        order = [labels.index(c) for group in groups for c in group]
        return array.transpose(order).reshape([math.prod(sizes[c] for c in g) for g in groups])

    found = arranged(a, x, stack, left, summed) @ arranged(b, y, stack, summed, right)
    labels = stack + left + right
    return found.reshape([sizes[c] for c in labels]).transpose([labels.index(c) for c in out])
