"""Judge what lies between a pair of arrays and the nearest pairs above it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...reference.precision import Precision
from ..alignment import Alignment, Grade, Pair, Quantity, Side
from ..bounded import Bounded, exact
from ..recording import Recording
from ..rules import NoRuleError, as_recorded, evaluated
from .recorded import is_given
from .results import Distance, Region, judged

_DOUBLE = Precision.of(np.float64)

SHAPE_ONLY = frozenset(
    {
        *("ones_like", "zeros_like", "empty_like"),
        *("aten.ones_like", "aten.zeros_like", "aten.empty_like", "aten.full_like"),
        *("aten.new_ones", "aten.new_zeros", "aten.new_empty", "aten.new_full"),
    }
)
"""Operations whose results depend on no operand's numbers."""


@dataclass(frozen=True)
class _Cut:
    """A region on one side: the events that go in, by quantity, other leaves, and the operations, in order."""

    inputs: Mapping[int, Quantity]
    inner: tuple[int, ...]


class Judge:
    """Judges the regions of an alignment."""

    def __init__(self, alignment: Alignment) -> None:
        self._alignment = alignment
        self._of = {"a": alignment.of_a, "b": alignment.of_b}
        self._recordings = {"a": alignment.a, "b": alignment.b}
        self._origins: dict[tuple[Side, int], bool] = {}
        self._ancestors: dict[tuple[Side, int], frozenset[int]] = {}
        self._nearest: dict[Side, list[frozenset[int]]] = {}

    def region(self, pair: Pair, by_place: bool = False) -> Region:
        """Judge what makes a pair."""
        a, b = self._alignment.a, self._alignment.b
        if is_given(a.events[pair.a]) and is_given(b.events[pair.b]):
            x, y = pair.layout.apply(a.events[pair.a].value), b.events[pair.b].value
            same = judged(x, y, np.zeros(y.shape))
            return Region(pair, (), (), (), same, by_place)
        cuts = self._cuts(pair)
        found = self._between(pair, *next(cuts), by_place)
        if found.verdict != "agree":
            larger = list(cuts)
            for cut_a, cut_b in larger[-1:] if by_place else _doubling(larger):
                found = self._between(pair, cut_a, cut_b, by_place)
                if found.verdict == "agree":
                    break
        return found

    def above(self, side: Side, event: int) -> frozenset[int]:
        """Return the nearest quantities above an event, by their identity."""
        if side not in self._nearest:
            self._nearest[side] = self._all_nearest(side)
        return self._nearest[side][event]

    def _all_nearest(self, side: Side) -> list[frozenset[int]]:
        """Return the nearest quantities above every event: what is above its operands, or these themselves."""
        recording, of = self._recordings[side], self._of[side]
        found: list[frozenset[int]] = []
        for event in recording.events:
            above: set[int] = set()
            for i in () if event.operation in SHAPE_ONLY else event.inputs:
                quantity, leaf = of.get(i), is_given(recording.events[i])
                if quantity is not None and (leaf or self._is_origin(side, i, quantity)):
                    above.add(id(quantity))
                elif not leaf:
                    above |= found[i]
            found.append(frozenset(above))
        return found

    def _between(self, pair: Pair, cut_a: _Cut, cut_b: _Cut, by_place: bool) -> Region:
        inputs = tuple(self._inputs(cut_a, cut_b))
        given_a = {i: as_recorded(self._alignment.a.events[i].value) for i in cut_a.inputs}
        given_b = {one.b: self._laid_out(one) for one in inputs}
        results, sizes, unknown = [], [], []
        for recording, cut, given, target in (
            (self._alignment.a, cut_a, given_a, pair.a),
            (self._alignment.b, cut_b, given_b, pair.b),
        ):
            try:
                values = evaluated(recording, cut.inner, given)
                results.append(values[target])
                sizes.append(_size_of_terms(recording, target, values))
            except NoRuleError as error:
                unknown.append(error.operation)
        if unknown:
            distance = Distance("abstain", unknown=tuple(unknown))
        else:
            x, y = results
            moved = replace(x, value=pair.layout.apply(x.value), error=pair.layout.apply(x.error))
            distance = judged(moved.value, y.value, moved.error + y.error)
            if distance.verdict == "abstain" and self._is_zero(results, sizes):
                distance = replace(distance, verdict="agree")
        return Region(pair, inputs, cut_a.inner, cut_b.inner, distance, by_place)

    def _is_zero(self, results: Sequence[Bounded], sizes: Sequence[float]) -> bool:
        """Whether both are 0 as far as rounding goes: they and their bounds are far below the terms that cancel."""
        return all(
            np.abs(result.value).max() + result.error.max()
            <= size * self._alignment.tolerances[_grade(result.precision)]
            for result, size in zip(results, sizes, strict=True)
        )

    def _laid_out(self, one: Pair) -> Bounded:
        value = self._alignment.a.events[one.a].value
        return exact(
            one.layout.apply(value), as_recorded(self._alignment.b.events[one.b].value).precision
        )

    def _inputs(self, cut_a: _Cut, cut_b: _Cut) -> Iterator[Pair]:
        """Yield what goes in on the second side, each with the first's event of the same numbers."""
        of = {id(quantity): event for event, quantity in cut_a.inputs.items()}
        for event, quantity in cut_b.inputs.items():
            yield self._alignment.pair(of.get(id(quantity), quantity.a[0]), event)

    def _cuts(self, pair: Pair) -> Iterator[tuple[_Cut, _Cut]]:
        """Yield the region on both sides, growing.

        Where one side starts from an array, and the other from what that array is made of, the first has a rounding
        error more: that of the recorded array. Then the region grows there, from the latest array on, until both sides
        start from the same ones. What the other side does not use at all stays an input.
        """
        closed = {id(q) for q in (self._of["a"].get(pair.a), self._of["b"].get(pair.b)) if q}
        while True:
            cuts = self._cut("a", pair.a, closed), self._cut("b", pair.b, closed)
            yield cuts
            uneven = [*self._uneven("a", *cuts), *self._uneven("b", *reversed(cuts))]
            if not uneven:
                return
            closed.add(id(max(uneven, key=lambda quantity: quantity.a[0])))

    def _uneven(self, side: Side, own: _Cut, other: _Cut) -> Iterator[Quantity]:
        """Yield the inputs of one side that the other computes from its own."""
        recording = self._recordings[side]
        theirs = {id(quantity) for quantity in other.inputs.values()}
        given = {e for q in other.inputs.values() for e in (q.a if side == "a" else q.b)}
        for event, quantity in own.inputs.items():
            alone = id(quantity) not in theirs and not is_given(recording.events[event])
            if alone and not given.isdisjoint(self._above(side, event)):
                yield quantity

    def _above(self, side: Side, event: int) -> frozenset[int]:
        if (side, event) not in self._ancestors:
            recording = self._recordings[side]
            self._ancestors[side, event] = recording.needed_for([event])
        return self._ancestors[side, event]

    def _cut(self, side: Side, target: int, closed: set[int]) -> _Cut:
        recording, of = self._recordings[side], self._of[side]
        inputs: dict[int, Quantity] = {}
        inner, left = {target}, [target]
        while left:
            event = recording.events[left.pop()]
            for i in () if event.operation in SHAPE_ONLY else event.inputs:
                quantity = of.get(i)
                leaf = is_given(recording.events[i])
                if quantity is not None and (
                    leaf or (id(quantity) not in closed and self._is_origin(side, i, quantity))
                ):
                    inputs[i] = quantity
                elif i not in inner and not leaf:
                    inner.add(i)
                    left.append(i)
        return _Cut(dict(sorted(inputs.items())), tuple(sorted(inner)))

    def _is_origin(self, side: Side, event: int, quantity: Quantity) -> bool:
        if (side, event) not in self._origins:
            for one in self._alignment.origins(side, quantity):
                self._origins[side, one] = True
        return self._origins.setdefault((side, event), False)


def _grade(precision: Precision) -> Grade:
    return "float64" if precision.eps <= _DOUBLE.eps else "float32"


def _size_of_terms(recording: Recording, event: int, values: Mapping[int, Bounded]) -> float:
    """Return the largest number of which an array is made: of the nearest arrays above that are not 0 up to E."""
    largest, seen, left = 0.0, {event}, [event]
    while left:
        for i in recording.events[left.pop()].inputs:
            operand = values.get(i)
            if operand is None or not operand.floating or not operand.size or i in seen:
                continue
            seen.add(i)
            size = np.abs(operand.value)
            if (operand.error < size).any():
                largest = max(largest, float(size.max()))
            else:
                left.append(i)
    return largest


def _doubling(cuts: Sequence[tuple[_Cut, _Cut]]) -> Iterator[tuple[_Cut, _Cut]]:
    """Yield the first, second, fourth, eighth, ..., and the last."""
    size = 1
    while size < len(cuts):
        yield cuts[size - 1]
        size *= 2
    yield from cuts[-1:]
