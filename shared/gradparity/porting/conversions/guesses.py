"""What a port's parameters should be, if a region disagrees because of them: the likely first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, islice, product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .moves import (
    TRANSFORMS,
    Order,
    filled,
    moves,
    orders,
    plain,
    slices,
    transformed,
    turns,
)
from .numbers import Numbers

Array = NDArray[Any]

_TOGETHER = 4
"""Parameters that are guessed together: two weights and two biases of a recurrent cell."""

_EACH = 6
"""Values of each, then."""


@dataclass(frozen=True, eq=False)
class Guess:
    """Other values of parameters of the port.

    Attributes:
        values: by the port's leaf.
        sources: the original's leaf that each is made of, where it is one.
        order: in which the entries of an axis of each are put, if it is the same.
    """

    values: Mapping[int, Array]
    sources: Mapping[int, int] = field(default_factory=dict)
    order: Order | None = None


class Guesses:
    """Guesses for one region.

    Args:
        numbers: all parameters.
        near: the original's and the port's parameters above the region, the nearest first.
        current: the port's parameters as they are, or as they were corrected before.
        gates: whether a recurrent cell may be near: only this has four blocks.
    """

    def __init__(
        self,
        numbers: Numbers,
        original: Sequence[int],
        port: Sequence[int],
        current: Mapping[int, Array],
        gates: bool,
    ) -> None:
        self._numbers = numbers
        self._original, self._port, self._current = original, port, current
        self._gates = gates
        self._lost = [leaf for leaf in original if numbers.lost(leaf)]
        self._foreign = [leaf for leaf in port if numbers.foreign(leaf)]
        self._kept = [leaf for leaf in original if leaf not in self._lost]

    def first(self) -> Iterator[Guess]:
        """Yield those of the original's parameters as they are, for one or several of the port's."""
        for leaf in self._foreign:
            yield from self._as_original(leaf, self._lost)
        if len(self._foreign) > 1:
            yield from self._together(self._foreign)
        yield from self._swapped(1)
        yield from self._modules_swapped()
        for leaf in self._port[:_TOGETHER]:
            if self._numbers.says("b", leaf):
                for move in turns(self._current[leaf].shape):
                    yield Guess({leaf: move.apply(self._current[leaf])})
        yield from self._swapped(2)
        for leaf in self._port:
            yield from self._as_original(leaf, self._original)
        for leaf in self._port:
            yield from self._in_parts(leaf)

    def then(self) -> Iterator[Guess]:
        """Yield the port's own numbers in another order, and what is further."""
        for rank in range(3):
            yield from self._moved_together(rank)
            for leaf in self._port:
                if self._numbers.says("b", leaf):
                    for move in moves(self._current[leaf].shape):
                        if move.order and move.rank == rank and self._likely(move.order):
                            yield Guess({leaf: move.apply(self._current[leaf])}, order=move.order)
            if rank == 0:
                for leaf in self._port:
                    yield from self._transformed(leaf)
                yield from self._moved_original()
        yield from self._two_at_a_time()

    def _moved_original(self) -> Iterator[Guess]:
        for leaf in self._foreign:
            for guess in self._as_original(leaf, self._lost):
                for move in moves(guess.values[leaf].shape):
                    if move.rank == 0 and self._likely(move.order):
                        yield Guess({leaf: move.apply(guess.values[leaf])}, guess.sources)

    def _as_original(self, leaf: int, among: Sequence[int]) -> Iterator[Guess]:
        current = self._current[leaf]
        for source in among:
            value = self._numbers.value("a", source)
            if value.size == current.size:
                for one in plain(value, current.shape):
                    if not np.array_equal(one, current):
                        yield Guess({leaf: one}, {leaf: source})

    def _together(self, leaves: Sequence[int]) -> Iterator[Guess]:
        """Yield guesses for several leaves, each of another of the original's."""
        for n in range(2, _TOGETHER + 1):
            for some in combinations(leaves[:_TOGETHER], n):
                each = [list(islice(self._as_original(leaf, self._lost), _EACH)) for leaf in some]
                for guesses in product(*each):
                    sources = {k: v for guess in guesses for k, v in guess.sources.items()}
                    if len(set(sources.values())) == n:
                        values = {k: v for guess in guesses for k, v in guess.values.items()}
                        yield Guess(values, sources)

    def _swapped(self, n: int) -> Iterator[Guess]:
        """Yield two parameters, or two pairs of such, in each other's place."""
        current = self._current
        pairs = [
            (one, other)
            for one, other in combinations(self._port, 2)
            if current[one].shape == current[other].shape
            and not np.array_equal(current[one], current[other])
        ]
        for some in combinations(pairs, n):
            leaves = [leaf for pair in some for leaf in pair]
            if len(set(leaves)) == len(leaves):
                values: dict[int, Array] = {}
                for one, other in some:
                    values |= {one: current[other], other: current[one]}
                yield Guess(values, self._held(values))

    def _modules_swapped(self) -> Iterator[Guess]:
        """Yield all parameters of two modules in each other's place: weights and biases of q and k."""
        modules: dict[str, dict[str, int]] = {}
        for leaf in self._port:
            module = self._numbers.module("b", leaf)
            own = self._numbers.name("b", leaf).removeprefix(module)
            modules.setdefault(module, {})[own] = leaf
        for one, other in combinations(modules.values(), 2):
            same = one.keys() == other.keys() and len(one) > 1
            if same and all(self._alike(one[own], other[own]) for own in one):
                values: dict[int, Array] = {}
                for own, leaf in one.items():
                    values |= {leaf: self._current[other[own]], other[own]: self._current[leaf]}
                yield Guess(values, self._held(values))

    def _alike(self, one: int, other: int) -> bool:
        return self._current[one].shape == self._current[other].shape

    def _held(self, values: Mapping[int, Array]) -> Mapping[int, int]:
        found = {leaf: self._numbers.same(value, "a") for leaf, value in values.items()}
        return {leaf: sources[0] for leaf, sources in found.items() if sources}

    def _in_parts(self, leaf: int) -> Iterator[Guess]:
        current = self._current[leaf]
        for source in (*self._lost, *self._kept):
            value = self._numbers.value("a", source)
            if not self._numbers.says("a", source):
                continue
            if value.size < current.size:
                stacked = current.ndim > value.ndim
                if source in self._lost or stacked or current.size <= 4 * value.size:
                    for whole in filled(current, value):
                        yield Guess({leaf: whole})
            elif value.size <= 4 * current.size:
                for part in slices(value, current.shape):
                    if not np.array_equal(part, current):
                        yield Guess({leaf: part}, {leaf: source})

    def _moved_together(self, rank: int) -> Iterator[Guess]:
        """Yield the same move along the same axis of several parameters: a weight's and its bias's gates."""
        own = [leaf for leaf in self._port if self._numbers.says("b", leaf)]
        sizes = dict.fromkeys(n for leaf in own for n in reversed(self._current[leaf].shape))
        for size in sizes:
            having = [leaf for leaf in own if size in self._current[leaf].shape]
            modules: dict[str, list[int]] = {}
            for leaf in having:
                modules.setdefault(self._numbers.module("b", leaf), []).append(leaf)
            groups = dict.fromkeys(
                tuple(group[:n])
                for group in (*modules.values(), having)
                for n in range(min(len(group), _TOGETHER), 1, -1)
            )
            for order in orders(size):
                if order.rank == rank and self._likely(order):
                    for group in groups:
                        yield Guess(
                            {leaf: self._ordered(leaf, order) for leaf in group}, order=order
                        )

    def _likely(self, order: Order | None) -> bool:
        return order is None or len(order.blocks) < 4 or self._gates

    def _ordered(self, leaf: int, order: Order) -> Array:
        """Return a parameter with the entries of its last axis of that length in another order."""
        current = self._current[leaf]
        fitting = [axis for axis, size in enumerate(current.shape) if size == len(order.index)]
        return current.take(order.index, fitting[-1])

    def again(self, done: Sequence[Order]) -> Iterator[Guess]:
        """Yield what was done to other parameters before, for one more of them, or for several."""
        for order in done:
            fitting = [leaf for leaf in self._port if len(order.index) in self._current[leaf].shape]
            for n in range(1, _TOGETHER + 1):
                for some in combinations(fitting[:_TOGETHER], n):
                    yield Guess({leaf: self._ordered(leaf, order) for leaf in some}, order=order)

    def _transformed(self, leaf: int) -> Iterator[Guess]:
        current = self._current[leaf]
        for source in self._original:
            value = self._numbers.value("a", source)
            held = source in self._numbers.same(current, "a")
            if value.size == current.size and (held or source in self._lost):
                for one in islice(plain(value, current.shape), _EACH):
                    for transform in TRANSFORMS:
                        made = transformed(transform, one)
                        if made is not None:
                            yield Guess({leaf: made}, {leaf: source})

    def _two_at_a_time(self) -> Iterator[Guess]:
        for one, other in combinations(self._port[:_TOGETHER], 2):
            for x, y in ((one, other), (other, one)):
                for guess in self._as_original(x, self._original):
                    for second in self._as_original(y, self._original):
                        if x < y:
                            yield Guess(
                                {**guess.values, **second.values},
                                {**guess.sources, **second.sources},
                            )
                    if self._numbers.says("b", y):
                        for move in moves(self._current[y].shape):
                            if move.rank or not self._likely(move.order):
                                continue
                            yield Guess(
                                {**guess.values, y: move.apply(self._current[y])}, guess.sources
                            )
