"""How the numbers of one array lie in another: axes permuted, reshaped, reversed, reordered, a part of it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise, permutations
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Shape = tuple[int, ...]
Index = range | tuple[int, ...]

_MOST_AXES = 6
"""Permutations of more axes than this are not tried; 6 have 720."""

_PROBES = 64
"""Entries by which a layout is refused before all are compared."""


@dataclass(frozen=True)
class Layout:
    """Makes one array of another by moving its numbers: reshape, take along each axis, permute the axes, reshape.

    Attributes:
        source: the shape of the array that it is applied to.
        shape: what that is reshaped to first.
        index: what is taken along each axis of `shape`, in this order.
        axes: the permutation of the axes after that.
        target: the shape of the result.
        explained: False if the numbers are the same, but their order is only written down in `index`.
    """

    source: Shape
    shape: Shape
    index: tuple[Index, ...]
    axes: tuple[int, ...]
    target: Shape
    explained: bool = True

    @property
    def whole(self) -> bool:
        """Whether every number is taken; otherwise the result is a part of the array."""
        return math.prod(self.source) == math.prod(self.target)

    @property
    def identity(self) -> bool:
        """Whether the result is the array as it is."""
        return self.explained and self.source == self.target and not self._moves()

    def apply(self, array: Array) -> Array:
        """Return the numbers of an array of shape `source`, laid out as `target`."""
        taken = array.reshape(self.shape)
        for axis, (index, size) in enumerate(zip(self.index, self.shape, strict=True)):
            if index != range(size):
                taken = taken.take(np.asarray(index, dtype=np.intp), axis)
        return taken.transpose(self.axes).reshape(self.target)

    def positions(self) -> NDArray[np.intp]:
        """Return, in the shape `target`, the flat position in the array of each number."""
        return self.apply(np.arange(math.prod(self.source), dtype=np.intp).reshape(self.source))

    def __str__(self) -> str:
        if not self.explained:
            return "the same numbers in another order"
        words = [*self._taken(), *self._reshaped_and_permuted()]
        return ", ".join(words) if words else "identity"

    def _moves(self) -> bool:
        """Whether more than a reshape happens."""
        whole = all(i == range(n) for i, n in zip(self.index, self.shape, strict=True))
        moved = [axis for axis in self.axes if self.shape[axis] != 1]
        return not whole or moved != sorted(moved)

    def _taken(self) -> Iterator[str]:
        of = "" if self.shape == self.source else f" of {self.shape}"
        for axis, (index, size) in enumerate(zip(self.index, self.shape, strict=True)):
            if index == range(size):
                continue
            if index == range(size - 1, -1, -1):
                yield f"axis {axis}{of} reversed"
            elif len(index) == size:
                order = ", ".join(map(str, index[:8])) + (", …" if size > 8 else "")
                yield f"axis {axis}{of} in the order {order}"
            else:
                yield f"{self._which(axis, index)} of {self.shape}"

    def _which(self, axis: int, index: Index) -> str:
        names = (
            ("row", "column")
            if len(self.shape) == 2
            else (f"axis {axis}, entry",) * len(self.shape)
        )
        name = names[axis]
        if len(index) == 1:
            return f"{name} {index[0]}"
        many = name[:-1] + "ies" if name.endswith("y") else name + "s"
        if isinstance(index, range) and index.step == 1:
            return f"{many} {index[0]}..{index[-1]}"
        return f"{many} {', '.join(map(str, index[:8]))}{', …' if len(index) > 8 else ''}"

    def _reshaped_and_permuted(self) -> Iterator[str]:
        taken = tuple(len(index) for index in self.index)
        permuted = tuple(taken[axis] for axis in self.axes)
        moved = [axis for axis in self.axes if taken[axis] != 1]
        if moved == sorted(moved):  # axes of size 1 move nothing
            part = taken != self.shape
            if self.target != (taken if part else self.source):
                yield f"reshaped to {self.target}" if part else f"reshaped from {self.source}"
            return
        if self.shape != self.source:
            yield f"reshaped from {self.source} to {self.shape}"
        yield "transposed" if self.axes == (1, 0) else f"axes {self.axes}"
        if self.target != permuted:
            yield f"reshaped to {self.target}"


def find(x: Array, y: Array, tolerance: float = 0.0) -> Layout | None:
    """Return the layout that makes y of x; None if their numbers differ.

    If y has fewer numbers, it is sought as a part of x. Same numbers in an order that no layout explains give a
    layout with `explained` False.

    Args:
        x: an array.
        y: an array of at most as many numbers.
        tolerance: two numbers that are no further apart count as the same one.
    """
    if y.size > x.size or not y.size:
        return None
    if x.size == y.size:
        for layout in _plain(x.shape, y.shape):
            if _makes(layout, x, y, tolerance):
                return layout
        if not _same_numbers(x, y, tolerance):
            return None
    found = _separable(x, y, tolerance)
    if found is not None and _makes(found, x, y, tolerance):
        return found
    return _in_another_order(x, y) if x.size == y.size else None


def nearest(x: Array, y: Array) -> tuple[Layout, float] | None:
    """Return the permutation of axes, or else the reshape, that brings x nearest to y, and how near.

    None if they have not as many numbers. The distance is ‖x - y‖ / (‖x‖ + ‖y‖): 0 if equal, at most 1.
    """
    if x.size != y.size:
        return None
    norm = float(np.linalg.norm(x) + np.linalg.norm(y))
    found = [
        (layout, float(np.linalg.norm(layout.apply(x) - y)) / norm if norm else 0.0)
        for layout in _near(x.shape, y.shape)
    ]
    return min(found, key=lambda one: one[1])


@lru_cache(maxsize=4096)
def _near(source: Shape, target: Shape) -> tuple[Layout, ...]:
    """Return the permutations of axes that make a shape of another, or else the reshape."""
    first, *others = _plain(source, target)
    fitting = [one for one in others if tuple(one.shape[axis] for axis in one.axes) == target]
    return tuple(fitting) if fitting and source != target else (first, *fitting)


def reshaped(source: Shape, target: Shape) -> Layout:
    """Return the layout that only reshapes."""
    whole = tuple(range(size) for size in source)
    return Layout(source, source, whole, tuple(range(len(source))), target)


def _plain(source: Shape, target: Shape) -> Iterator[Layout]:
    """Yield a permutation of axes with a reshape behind it, the likely ones first."""
    whole = tuple(range(size) for size in source)
    order = tuple(range(len(source)))
    yield reshaped(source, target)
    if sum(size > 1 for size in source) > _MOST_AXES:
        return
    ones = [axis for axis in order if source[axis] == 1]
    others = [axis for axis in order if source[axis] != 1]
    fitting: list[Layout] = []
    behind: list[Layout] = []
    for axes in permutations(others):
        if axes == tuple(others):
            continue
        layout = Layout(source, source, whole, _with_ones(axes, ones, source, target), target)
        permuted = tuple(source[axis] for axis in layout.axes)
        (fitting if permuted == target else behind).append(layout)
    yield from fitting
    yield from behind


def _with_ones(
    axes: tuple[int, ...], ones: Sequence[int], source: Shape, target: Shape
) -> tuple[int, ...]:
    """Put the axes of size 1 where the target has its own, so that the permutation alone explains it if it can."""
    sizes = tuple(source[axis] for axis in axes)
    if len(source) == len(target) and sizes == tuple(size for size in target if size != 1):
        left, free = iter(axes), iter(ones)
        return tuple(next(free) if size == 1 else next(left) for size in target)
    return (*ones, *axes)


def _makes(layout: Layout, x: Array, y: Array, tolerance: float) -> bool:
    """Whether a layout makes y of x: a few numbers first, then all."""
    made = layout.apply(x)
    if y.size > 4 * _PROBES:
        at = np.linspace(0, y.size - 1, _PROBES).astype(np.intp)
        if not _close(made.flat[at], y.flat[at], tolerance):
            return False
    return _close(made, y, tolerance)


def _close(x: Array, y: Array, tolerance: float) -> bool:
    if not tolerance:
        return bool(np.array_equal(x, y))
    return bool((np.abs(x - y) <= tolerance).all())


def _same_numbers(x: Array, y: Array, tolerance: float) -> bool:
    return _close(np.sort(x, axis=None), np.sort(y, axis=None), tolerance)


def _in_another_order(x: Array, y: Array) -> Layout:
    order = np.empty(x.size, np.intp)
    order[np.argsort(y, axis=None, kind="stable")] = np.argsort(x, axis=None, kind="stable")
    return Layout(x.shape, (x.size,), (tuple(order.tolist()),), (0,), y.shape, explained=False)


def _separable(x: Array, y: Array, tolerance: float) -> Layout | None:
    """Return a layout in which each axis of y moves along x by steps of its own, whatever the other axes' indices are.

    Reshapes, permutations, reversals, slices, and parts of an axis in any order are of this kind. The steps are read
    off numbers that stand once in x. The result is not verified.
    """
    at = _positions(x, y, tolerance)
    known = at >= 0
    if not known.any():
        return None
    steps = []
    for axis in range(y.ndim):
        moved = _steps(np.moveaxis(at, axis, 0).reshape(y.shape[axis], -1))
        if moved is None:
            return None
        steps.append(moved)
    first = np.unravel_index(int(known.argmax()), y.shape)
    base = int(at[first]) - sum(int(s[i]) for s, i in zip(steps, first, strict=True))
    return _decoded(x.shape, y.shape, base, steps)


def _positions(x: Array, y: Array, tolerance: float) -> NDArray[np.intp]:
    """Return the flat position in x of each number of y, -1 if it does not stand there once."""
    order = np.argsort(x, axis=None)
    ranks = np.argsort(y, axis=None)  # sorted questions are answered faster
    numbers, sought = x.ravel()[order], y.ravel()[ranks]
    low = np.searchsorted(numbers, sought - tolerance, "left")
    high = np.searchsorted(numbers, sought + tolerance, "right")
    found = np.full(y.size, -1, np.intp)
    once = high - low == 1
    found[ranks[once]] = order[low[once]]
    return found.reshape(y.shape)


def _steps(at: NDArray[np.intp]) -> NDArray[np.intp] | None:
    """Return how far along x each index of an axis lies from the axis's first, from positions (index, all else)."""
    both = (at[1:] >= 0) & (at[:-1] >= 0)
    if not both.any(axis=1).all():
        return None
    column = both.argmax(axis=1)
    row = np.arange(len(column))
    return np.concatenate([[0], np.cumsum(at[row + 1, column] - at[row, column])])


@dataclass(frozen=True)
class _Digit:
    """A factor of an axis of y: a stretch of x, `unit` apart, in the order `index`, which begins at 0."""

    unit: int
    index: tuple[int, ...]


def _digits(steps: NDArray[np.intp]) -> list[_Digit] | None:
    """Return the factors of an axis, the outermost first: one for each stretch of x along which it moves."""
    if len(steps) == 1:
        return []
    inner = _inner(steps)
    digit = _digit(steps[:inner])
    outer = _digits(steps[::inner]) if inner < len(steps) else []
    return None if digit is None or outer is None else [*outer, digit]


def _inner(steps: NDArray[np.intp]) -> int:
    """Return the length of the longest even stretch that is repeated throughout; all, if none is."""
    uneven = np.flatnonzero(np.diff(steps) != steps[1])
    longest = int(uneven[0]) + 1 if len(uneven) else len(steps)
    for length in range(longest, 1, -1):
        if len(steps) % length == 0:
            blocks = steps.reshape(-1, length)
            if (blocks - blocks[:, :1] == steps[:length]).all():
                return length
    return len(steps)


def _digit(steps: NDArray[np.intp]) -> _Digit | None:
    unit = int(np.gcd.reduce(steps))
    if unit == 0:  # the same numbers again: they do not stand once
        return None
    index = (steps - steps.min()) // unit
    return _Digit(unit, tuple(index.tolist()))


def _decoded(
    source: Shape, target: Shape, base: int, steps: Sequence[NDArray[np.intp]]
) -> Layout | None:
    """Return the layout in which each axis of the target takes these steps from `base` in the flat source."""
    digits: list[_Digit] = []
    for axis_steps in steps:
        factors = _digits(axis_steps)
        if factors is None:
            return None
        digits += factors
    base += sum(int(axis_steps.min()) for axis_steps in steps)
    shape, place = _tiled(source, digits)
    if shape is None or not 0 <= base < math.prod(source):
        return None
    starts = np.unravel_index(base, shape)
    index: list[Index] = [range(int(start), int(start) + 1) for start in starts]
    for digit, axis in zip(digits, place, strict=True):
        taken = tuple(int(starts[axis]) + i for i in digit.index)
        if max(taken) >= shape[axis]:
            return None
        index[axis] = _as_range(taken)
    single = [axis for axis in range(len(shape)) if axis not in place]
    layout = Layout(source, shape, tuple(index), (*single, *place), target)
    return _merged(layout)


def _as_range(index: tuple[int, ...]) -> Index:
    if len(index) == 1:
        return range(index[0], index[0] + 1)
    step = index[1] - index[0]
    regular = range(index[0], index[0] + step * len(index), step) if step else range(0)
    return regular if tuple(regular) == index else index


def _tiled(source: Shape, digits: Sequence[_Digit]) -> tuple[Shape | None, list[int]]:
    """Return a shape of the source with an axis for each factor, and which axis is whose; None if they do not fit."""
    size = math.prod(source)
    ends = {math.prod(source[axis:]) for axis in range(len(source) + 1)}
    order = sorted(range(len(digits)), key=lambda i: digits[i].unit)
    units = [digits[i].unit for i in order]
    cuts = [1]  # the products of the sizes from the last axis on
    place = {}
    for rank, i in enumerate(order):
        following = units[rank + 1] if rank + 1 < len(order) else size
        reach = units[rank] * (max(digits[i].index) + 1)
        # A slice lies within one axis of the source: the axis ends where the source's does, if that is in reach.
        own_end = min((end for end in ends if reach <= end <= following), default=following)
        if units[rank] != cuts[-1]:
            cuts.append(units[rank])
        place[i] = len(cuts) - 1
        cuts.append(own_end)
    if cuts[-1] != size:
        cuts.append(size)
    if any(high % low or high == low for low, high in pairwise(cuts)):
        return None, []
    sizes = [high // low for low, high in pairwise(cuts)]
    return tuple(reversed(sizes)), [len(sizes) - 1 - place[i] for i in range(len(digits))]


def _merged(layout: Layout) -> Layout:
    """Join neighbouring axes that are taken whole, in order, and stay neighbours: fewer words, the same numbers."""
    shape, index, axes = list(layout.shape), list(layout.index), list(layout.axes)
    ends = {math.prod(layout.source[axis:]) for axis in range(len(layout.source) + 1)}
    axis = len(shape) - 2
    while axis >= 0:
        together = axes.index(axis) + 1 < len(axes) and axes[axes.index(axis) + 1] == axis + 1
        whole = index[axis + 1] == range(shape[axis + 1])
        own = math.prod(shape[axis + 1 :]) in ends
        taken = index[axis]
        if together and whole and not own and isinstance(taken, range) and taken.step == 1:
            inner = shape.pop(axis + 1)
            index.pop(axis + 1)
            shape[axis] *= inner
            index[axis] = range(taken[0] * inner, (taken[-1] + 1) * inner)
            axes.remove(axis + 1)
            axes = [a - (a > axis) for a in axes]
        axis -= 1
    return Layout(layout.source, tuple(shape), tuple(index), tuple(axes), layout.target)
