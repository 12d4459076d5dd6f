"""How a conversion may lay out the numbers of a parameter: the original's layouts, and what goes wrong with them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations, permutations, product
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Shape = tuple[int, ...]

_MOST_AXES = 5
"""Axes that are permuted: a kernel in three dimensions has five."""

_MOST_BLOCKS = 4
"""Blocks that are put in another order: an LSTM has four gates."""

_LONGEST = 1 << 14
"""The longest axis whose entries are interleaved otherwise."""


@dataclass(frozen=True, eq=False)
class Order:
    """The entries of an axis in another order.

    Attributes:
        kind: `blocks` or `interleaved`.
        index: which entry stands at each place.
        words: what it does.
        blocks: which block stands at each place; empty if it is interleaved.
        rank: 0 for the common ones, 1 and 2 for those of which there are many.
    """

    kind: str
    index: NDArray[np.intp]
    words: str
    blocks: tuple[int, ...] = ()
    rank: int = 0

    def on(self, axis: int) -> Move:
        """Return it as a move along an axis of this length."""
        return Move(
            self.kind,
            lambda value: value.take(self.index, axis),
            self.words.format(axis=axis),
            self.rank,
            axis,
            self,
        )


@dataclass(frozen=True, eq=False)
class Move:
    """Numbers of an array in other places, the shape as it was.

    Attributes:
        kind: `transposed`, `axes swapped`, `flipped`, `blocks` or `interleaved`.
        apply: does it.
        words: what it does: `axes 0 and 1 swapped`.
        rank: as in `Order`.
        axis: along which, if it is one.
        order: of its entries.
    """

    kind: str
    apply: Callable[[Array], Array]
    words: str
    rank: int = 0
    axis: int = -1
    order: Order | None = None


def plain(value: Array, shape: Shape) -> Iterator[Array]:
    """Yield an array's layouts in a shape of as many numbers: reshaped, or the axes permuted, or both."""
    long = [axis for axis in range(value.ndim) if value.shape[axis] > 1]
    if value.shape == shape:
        yield value
    sizes = tuple(size for size in shape if size > 1)
    squeezed = value.reshape([value.shape[axis] for axis in long])
    fits = False
    if len(long) <= _MOST_AXES:
        for axes in permutations(range(len(long))):
            permuted = squeezed.transpose(axes)
            if permuted.shape == sizes and (value.shape != shape or axes != tuple(sorted(axes))):
                fits = True
                yield permuted.reshape(shape)
    if not fits and value.shape != shape:
        yield value.reshape(shape)
        if len(long) <= _MOST_AXES:
            for axes in permutations(range(len(long))):
                if axes != tuple(sorted(axes)):
                    yield squeezed.transpose(axes).reshape(shape)


def slices(value: Array, shape: Shape) -> Iterator[Array]:
    """Yield the blocks of an array along an axis that have this shape, as they are or with the axes permuted."""
    size = math.prod(shape)
    if not size or value.size % size or value.size == size:
        return
    parts = value.size // size
    for axis in range(value.ndim):
        if value.shape[axis] % parts == 0:
            for part in np.split(value, parts, axis):
                yield from plain(part, shape)


def filled(value: Array, part: Array) -> Iterator[Array]:
    """Yield an array with one of its blocks along an axis replaced by a smaller array: a layer of a stack, q of qkv."""
    if not part.size or value.size % part.size or value.size == part.size:
        return
    parts = value.size // part.size
    for axis in range(value.ndim):
        if value.shape[axis] % parts:
            continue
        width = value.shape[axis] // parts
        shape = (*value.shape[:axis], width, *value.shape[axis + 1 :])
        for one in plain(part, shape):
            for n in range(parts):
                whole = value.copy()
                at = (slice(None),) * axis + (slice(n * width, (n + 1) * width),)
                if not np.array_equal(whole[at], one):
                    whole[at] = one
                    yield whole


def moves(shape: Shape) -> Iterator[Move]:
    """Yield the moves that keep a shape, the commonest first."""
    yield from turns(shape)
    for axis in reversed(range(len(shape))):
        for order in orders(shape[axis]):
            yield order.on(axis)


@lru_cache(maxsize=64)
def orders(size: int) -> tuple[Order, ...]:
    """Return the orders of an axis of this length that occur."""
    return (*_blocks(size), *_interleaved(size))


def turns(shape: Shape) -> Iterator[Move]:
    """Yield the moves that swap axes, or reverse them."""
    order = tuple(range(len(shape)))
    if len(shape) < 2 or len(shape) > _MOST_AXES:
        return
    swaps = []
    for axes in permutations(order):
        moved = [axis for axis in order if axes[axis] != axis]
        if moved and tuple(shape[axis] for axis in axes) == shape:
            swaps.append((len(moved), axes))
    flips = [
        flipped
        for n in (1, 2, 3)
        for flipped in combinations(order, n)
        if len(shape) > 2 and all(shape[axis] > 1 for axis in flipped)
    ]
    for _, axes in sorted(swaps):
        yield _swap(axes, ())
    for flipped in sorted(flips, key=lambda one: (-_is_run(one), -len(one))):
        yield _swap(order, flipped)
    for (_, axes), flipped in product(sorted(swaps), flips):
        if _is_run(flipped):
            yield _swap(axes, flipped)


def _is_run(axes: Sequence[int]) -> bool:
    return len(axes) > 1 and axes[-1] - axes[0] == len(axes) - 1


def _swap(axes: tuple[int, ...], flipped: tuple[int, ...]) -> Move:
    moved = [axis for axis, other in enumerate(axes) if axis != other]
    words = []
    if moved:
        words.append(
            "transposed"
            if len(axes) == 2
            else f"axes {moved[0]} and {moved[1]} swapped"
            if len(moved) == 2
            else f"the axes in the order {', '.join(map(str, axes))}"
        )
    if flipped:
        which = " and ".join(map(str, flipped))
        words.append(f"{'axis' if len(flipped) == 1 else 'axes'} {which} reversed")
    kind = "flipped" if not moved else "transposed" if len(axes) == 2 else "axes swapped"
    return Move(
        kind,
        lambda value: np.flip(value.transpose(axes), flipped) if flipped else value.transpose(axes),
        " and ".join(words),
    )


def _blocks(size: int) -> Iterator[Order]:
    for blocks in range(2, _MOST_BLOCKS + 1):
        if size % blocks == 0 and size > blocks:
            each = np.arange(size).reshape(blocks, -1)
            for order in permutations(range(blocks)):
                if order != tuple(range(blocks)):
                    yield Order("blocks", each[list(order)].ravel(), "", order)


def _interleaved(size: int) -> Iterator[Order]:
    if size > _LONGEST:
        return
    divisors = [n for n in range(2, size) if size % n == 0]
    for n in divisors:
        yield _regrouped((n, size // n), (1, 0))
    for n, m in product(divisors, divisors):
        if size % (n * m) == 0 and n * m < size:
            for axes in ((1, 0, 2), (0, 2, 1), (2, 1, 0)):
                yield _regrouped((n, m, size // (n * m)), axes)


def _regrouped(groups: Shape, axes: tuple[int, ...]) -> Order:
    index = np.arange(math.prod(groups)).reshape(groups).transpose(axes).ravel()
    words = f"axis {{axis}}, as {groups}, has its axes in the order {', '.join(map(str, axes))}"
    return Order("interleaved", index, words, rank=len(groups) - 1)


@dataclass(frozen=True)
class Transform:
    """Another parameterization.

    Attributes:
        words: of what: `the square root of {}`.
        apply: makes it.
    """

    words: str
    apply: Callable[[Array], Array]


TRANSFORMS = (
    Transform("the square root of {}", np.sqrt),
    Transform("the square of {}", np.square),
    Transform("the logarithm of {}", np.log),
    Transform("the exponential of {}", np.exp),
    Transform("1 / {}", np.reciprocal),
    Transform("1 / √{}", lambda x: 1 / np.sqrt(x)),
    Transform("1 / {}²", lambda x: 1 / np.square(x)),
    Transform("{} - 1", lambda x: x - 1),
    Transform("1 + {}", lambda x: x + 1),
    Transform("-{}", np.negative),
)


def transformed(transform: Transform, value: Array) -> Array | None:
    """Return an array in another parameterization; None where that is no number."""
    with np.errstate(all="ignore"):
        found = transform.apply(value)
    return found if np.isfinite(found).all() else None
