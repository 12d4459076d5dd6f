"""Pair the arrays of two recordings that hold the same numbers, whatever their layout.

An alignment only finds: what is equal is decided by a bound, in `regions`. So its tolerances may be generous.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from . import layouts
from .layouts import Layout
from .recording import INPUT, LEAVES, PARAMETER, Event, Recording

Grade = Literal["float64", "float32"]
Side = Literal["a", "b"]

CONDITION = 2.0**10
"""The condition number that float64 is granted: three of its sixteen digits. Numbers that have nothing to do with each
other agree in twelve digits once in 10¹². Float32 has no digits to spare, and is granted none."""

ENOUGH = 8
"""An array with this many distinct absolute values is evidence by itself; with fewer, weak evidence."""

_SIMPLE_BITS = 12
"""Numbers whose significand needs no more bits (0, 1, 0.5, 3, 0.375) coincide by chance."""

_SAMPLE = 4096
"""Entries in which distinct values are counted first."""


@dataclass(frozen=True)
class Pair:
    """The same array in two recordings.

    Attributes:
        a: the event in the first.
        b: the event in the second.
        grade: whether the numbers are equal up to float64's rounding or only up to float32's.
        layout: makes b's array of a's.
    """

    a: int
    b: int
    grade: Grade
    layout: Layout


@dataclass(frozen=True)
class Part:
    """An array of one recording that is a part of an array of the other: q in a fused qkv.

    Attributes:
        side: the recording that has the whole.
        whole: its event.
        part: the event of the other recording.
        layout: makes the part of the whole.
    """

    side: Side
    whole: int
    part: int
    layout: Layout


@dataclass(frozen=True)
class Quantity:
    """All arrays of both recordings that hold the same numbers: views, copies, transposes, computed again.

    Attributes:
        a: the events of the first recording, in order.
        b: those of the second.
        grade: how well the two sides agree.
    """

    a: tuple[int, ...]
    b: tuple[int, ...]
    grade: Grade


@dataclass(frozen=True)
class Alignment:
    """What two recordings have in common.

    Attributes:
        quantities: with arrays in both recordings; those of leaves come by value, or else by name.
        placed: the events of b whose numbers are not its own, but those of a.
    """

    a: Recording
    b: Recording
    quantities: Sequence[Quantity]
    placed: frozenset[int] = frozenset()

    @cached_property
    def parts(self) -> Sequence[Part]:
        """Splits and concatenations."""
        return _parts(self, self.tolerances["float64"])

    @cached_property
    def of_a(self) -> Mapping[int, Quantity]:
        """The quantity of each event of the first recording that has one."""
        return {event: quantity for quantity in self.quantities for event in quantity.a}

    @cached_property
    def of_b(self) -> Mapping[int, Quantity]:
        """The quantity of each event of the second recording that has one."""
        return {event: quantity for quantity in self.quantities for event in quantity.b}

    def origins(self, side: Side, quantity: Quantity) -> tuple[int, ...]:
        """Return a quantity's events that are no copy, view or transpose of another one of them."""
        recording, events = (self.a, quantity.a) if side == "a" else (self.b, quantity.b)
        own, placed = set(events), self.placed if side == "b" else ()
        return tuple(e for e in events if e in placed or own.isdisjoint(recording.events[e].inputs))

    @cached_property
    def pairs(self) -> Sequence[Pair]:
        """The events of each quantity in pairs, in the order of the first recording.

        What computes the numbers is paired first, in order, and then what only moves them.
        """
        found = []
        for quantity in self.quantities:
            made = self.origins("a", quantity), self.origins("b", quantity)
            moved = set(quantity.a) - set(made[0]), set(quantity.b) - set(made[1])
            for events in (made, tuple(map(sorted, moved))):
                found += [self.pair(a, b) for a, b in zip(*events, strict=False)]
        return sorted(found, key=lambda pair: pair.a)

    def pair(self, a: int, b: int) -> Pair:
        """Return two events of a quantity as a pair."""
        x, y = self.a.events[a].value, self.b.events[b].value
        grade = self.of_a[a].grade
        layout = _layout(x, y, self.tolerances[grade])
        if layout is None:  # leaves of one name
            near = layouts.nearest(x, y)
            layout = near[0] if near else layouts.reshaped(x.shape, y.shape)
        return Pair(a, b, grade, layout)

    @cached_property
    def tolerances(self) -> Mapping[Grade, float]:
        """How far apart the same numbers may be, relative to the largest of an array."""
        return tolerances(self.a, self.b)


def tolerances(a: Recording, b: Recording) -> Mapping[Grade, float]:
    """Return how far apart the same numbers may be in each grade, relative to the largest of an array.

    An operation's rounding error is eps times the numbers it adds, at worst; errors of many independent operations on
    the way to an array, and of many terms in each, grow with the square root of their number.
    """
    both = [_growth(a), _growth(b)]
    return {
        "float64": CONDITION * float(np.finfo(np.float64).eps) * max(both),
        "float32": float(np.finfo(np.float32).eps) * max(both),
    }


def _growth(recording: Recording) -> float:
    """The square root of the longest way through a recording times its longest axis."""
    depth = np.zeros(len(recording.events), np.intp)
    for event in recording.events:
        depth[event.index] = 1 + max((depth[i] for i in event.inputs), default=0)
    longest = max((max(event.value.shape, default=1) for event in recording.events), default=1)
    return float(np.sqrt(max(int(depth.max(initial=1)) * longest, 1)))


def align(a: Recording, b: Recording, placed: frozenset[int] = frozenset()) -> Alignment:
    """Pair the arrays of two recordings by their numbers.

    An array on which no output depends has no partner: what a program computes and does not use explains nothing.

    Args:
        a: a recording.
        b: another.
        placed: the events of b to which numbers of a were given.
    """
    allowed = tolerances(a, b)
    prints = [*_fingerprints("a", a, _used(a)), *_fingerprints("b", b, _used(b))]
    groups = _grouped(prints, allowed["float64"])
    both = [group for group in groups if group.events("a") and group.events("b")]
    single = [group for group in groups if not (group.events("a") and group.events("b"))]
    quantities = [_quantity(group.prints, "float64") for group in both]
    quantities += _across(a, b, single, quantities, allowed["float32"])
    quantities += _leaves(a, b, quantities)
    quantities.sort(key=lambda quantity: quantity.a[0])
    return Alignment(a, b, quantities, placed)


def _used(recording: Recording) -> list[int]:
    """Return the events on which an output depends, or else all, and the leaves."""
    needed = recording.needed_for(list(recording.outputs.values()))
    return [
        event.index
        for event in recording.events
        if not needed or event.index in needed or event.operation in LEAVES
    ]


class Index:
    """Finds those of some events of a recording that hold the numbers of an array."""

    def __init__(self, recording: Recording, events: Iterable[int], tolerance: float) -> None:
        self._tolerance = tolerance
        self._by_size: dict[int, list[tuple[float, int, _Numbers]]] = {}
        for index in events:
            event = recording.events[index]
            if is_evidence(event):
                numbers = _numbers(event)
                one = numbers.sums[0], index, numbers
                self._by_size.setdefault(event.value.size, []).append(one)
        for same_size in self._by_size.values():
            same_size.sort(key=lambda one: one[:2])

    def holding(self, event: Event) -> Iterator[int]:
        """Yield the events that hold its numbers."""
        same_size = self._by_size.get(event.value.size)
        if not same_size or not is_evidence(event):
            return
        numbers = _numbers(event)
        total, apart = numbers.sums[0], 4 * self._tolerance * numbers.sums[0]
        for found, index, theirs in same_size[bisect_left(same_size, (total - apart,)) :]:
            if found > total + apart:
                return
            if theirs.apart(numbers, self._tolerance) is not None:
                yield index


# --- Fingerprints ---------------------------------------------------------------------------------


class _Numbers:
    """What of an array's numbers does not depend on their layout.

    Attributes:
        strong: whether they are evidence by themselves, or weak evidence; None if they are none.
        sums: Σ|x|, Σx², Σx³ and Σ|x|³.
    """

    def __init__(self, value: NDArray[Any]) -> None:
        self._flat = np.ravel(value).astype(np.float64, copy=False)
        size = np.abs(self._flat)
        total = float(size.sum())
        self.strong = _evidence(size) if 0 < total < np.inf else None
        self.largest = float(size.max(initial=0.0))
        square = size * size
        self.sums = total, float(square.sum()), float(square @ self._flat), float(square @ size)

    @cached_property
    def _sorted(self) -> NDArray[np.float64]:
        return np.sort(self._flat)

    def apart(self, other: _Numbers, tolerance: float) -> float | None:
        """Return how far these are from another's, relative to the largest; None if beyond the tolerance."""
        if abs(self.sums[2] - other.sums[2]) > 8 * tolerance * max(self.sums[3], other.sums[3]):
            return None
        for one, another in ((self._flat, other._flat), (self._sorted, other._sorted)):
            found = float(np.abs(one - another).max()) / self.largest
            if found <= tolerance:
                return found
        return None


_KNOWN: WeakKeyDictionary[Event, _Numbers] = WeakKeyDictionary()


def _numbers(event: Event) -> _Numbers:
    if event not in _KNOWN:
        _KNOWN[event] = _Numbers(event.value)
    return _KNOWN[event]


@dataclass(frozen=True, eq=False)
class _Print:
    """An event and its numbers."""

    side: Side
    event: Event
    numbers: _Numbers

    @property
    def sums(self) -> tuple[float, ...]:
        return self.numbers.sums

    @property
    def strong(self) -> bool:
        return bool(self.numbers.strong)

    @property
    def value(self) -> NDArray[Any]:
        return self.event.value


@dataclass(frozen=True, eq=False)
class _Group:
    """Events that hold the same numbers."""

    prints: list[_Print]

    def events(self, side: Side) -> tuple[int, ...]:
        return tuple(sorted(p.event.index for p in self.prints if p.side == side))

    @property
    def first(self) -> _Print:
        return self.prints[0]


def _fingerprints(
    side: Side, recording: Recording, events: Iterable[int] | None = None
) -> Iterator[_Print]:
    for index in range(len(recording.events)) if events is None else events:
        event = recording.events[index]
        if index in recording.from_inputs and is_evidence(event):
            yield _Print(side, event, _numbers(event))


def is_evidence(event: Event) -> bool:
    """Whether an array's numbers do not coincide by chance."""
    return event.value.dtype.kind == "f" and _numbers(event).strong is not None


def _evidence(size: NDArray[Any]) -> bool | None:
    """Whether absolute values are strong evidence; None if they are none: few, and simple."""
    distinct = np.unique(size[:: max(1, len(size) // _SAMPLE)])
    if len(distinct) < ENOUGH:
        distinct = np.unique(size)
    if len(distinct) >= ENOUGH:
        return True
    significand = np.frexp(distinct)[0] * 2**_SIMPLE_BITS
    return None if (significand == np.rint(significand)).all() else False


def _grouped(prints: Sequence[_Print], tolerance: float) -> list[_Group]:
    """Group the events that hold the same numbers."""
    return [group for run in _runs(prints, tolerance) for group in _same(run, tolerance)]


def _runs(prints: Sequence[_Print], tolerance: float) -> Iterator[list[_Print]]:
    """Yield the events that may hold the same numbers: neighbours in the order of Σ|x|, and in that of Σx²."""
    by_size: dict[int, list[_Print]] = {}
    for one in prints:
        by_size.setdefault(one.value.size, []).append(one)
    for same_size in by_size.values():
        for near in _near(same_size, 0, tolerance):
            yield from _near(near, 1, tolerance)


def _near(prints: Sequence[_Print], which: int, tolerance: float) -> Iterator[list[_Print]]:
    """Yield runs of neighbours: in each, a sum is at most a relative `tolerance` above the one before."""
    run: list[_Print] = []
    for one in sorted(prints, key=lambda p: p.sums[which]):
        if run and one.sums[which] > run[-1].sums[which] * (1 + 4 * tolerance):
            yield run
            run = []
        run.append(one)
    yield run


def _same(prints: Sequence[_Print], tolerance: float) -> list[_Group]:
    groups: list[_Group] = []
    for one in sorted(prints, key=lambda p: (p.side, p.event.index)):
        for group in groups:
            if group.first.numbers.apart(one.numbers, tolerance) is not None:
                group.prints.append(one)
                break
        else:
            groups.append(_Group([one]))
    return groups


def _layout(x: NDArray[Any], y: NDArray[Any], tolerance: float) -> Layout | None:
    x, y = x.astype(np.float64, copy=False), y.astype(np.float64, copy=False)
    return layouts.find(x, y, tolerance * float(np.abs(x).max(initial=0.0)))


def _quantity(prints: Iterable[_Print], grade: Grade) -> Quantity:
    group = _Group(list(prints))
    return Quantity(group.events("a"), group.events("b"), grade)


# --- Across float32 islands -----------------------------------------------------------------------


def _across(
    a: Recording,
    b: Recording,
    single: Sequence[_Group],
    known: Sequence[Quantity],
    tolerance: float,
) -> list[Quantity]:
    """Pair what only one recording has, up to float32's rounding.

    Of several candidates the nearest two are a pair. Few numbers coincide in six digits now and then: weak evidence
    counts where both sides' nearest known arrays above or below have one in common.
    """
    of = {id(group.first): group for group in single}
    found = [
        (distance, of[id(one)], of[id(other)])
        for near in _runs([group.first for group in single], tolerance)
        for one in near
        for other in near
        if (one.side, other.side) == ("a", "b")
        and (distance := one.numbers.apart(other.numbers, tolerance)) is not None
    ]
    found.sort(key=lambda item: item[0])
    quantities: list[Quantity] = []
    taken: set[int] = set()
    for weak in (False, True):
        support = _Support(a, b, [*known, *quantities])
        for _, one, other in found:
            free = taken.isdisjoint({id(one), id(other)})
            quantity = _quantity([*one.prints, *other.prints], "float32")
            if free and (support.has(quantity) if weak else one.first.strong):
                quantities.append(quantity)
                taken |= {id(one), id(other)}
    return quantities


class _Support:
    """Whether what lies around a pair's two arrays is the same on both sides."""

    def __init__(self, a: Recording, b: Recording, known: Sequence[Quantity]) -> None:
        self._recordings = a, b
        self._of = (
            {event: n for n, quantity in enumerate(known) for event in quantity.a},
            {event: n for n, quantity in enumerate(known) for event in quantity.b},
        )

    def has(self, quantity: Quantity) -> bool:
        return any(
            self._nearest(0, quantity.a, up) & self._nearest(1, quantity.b, up)
            for up in (True, False)
        )

    def _nearest(self, side: int, events: Sequence[int], up: bool) -> set[int]:
        """The known quantities that are nearest, above or below."""
        recording, known = self._recordings[side], self._of[side]
        found, seen, left = set(), set(events), list(events)
        while left:
            at = left.pop()
            for i in recording.events[at].inputs if up else recording.users[at]:
                if i in known:
                    found.add(known[i])
                elif i not in seen:
                    seen.add(i)
                    left.append(i)
        return found


# --- Leaves ---------------------------------------------------------------------------------------


def _leaves(a: Recording, b: Recording, known: Sequence[Quantity]) -> Iterator[Quantity]:
    """Yield inputs and parameters without a partner that have the same name, or else the very same numbers."""
    left_a = _left(a, {event for quantity in known for event in quantity.a})
    left_b = _left(b, {event for quantity in known for event in quantity.b})
    by_name = {(event.operation, event.name): event for event in left_b if event.name}
    for event in list(left_a):
        partner = by_name.get((event.operation, event.name))
        if partner is not None and partner.value.size == event.value.size:
            left_a.remove(event)
            left_b.remove(partner)
            yield Quantity((event.index,), (partner.index,), "float64")
    by_value: dict[tuple[str, tuple[int, ...], bytes], list[Event]] = {}
    for event in left_b:
        by_value.setdefault(_as_it_is(event), []).append(event)
    for event in left_a:
        if by_value.get(_as_it_is(event)):
            partner = by_value[_as_it_is(event)].pop(0)
            yield Quantity((event.index,), (partner.index,), "float64")


def _left(recording: Recording, known: set[int]) -> list[Event]:
    return [
        event
        for event in recording.events
        if event.operation in {INPUT, PARAMETER} and event.index not in known
    ]


def _as_it_is(event: Event) -> tuple[str, tuple[int, ...], bytes]:
    value = event.value
    plain = value.astype(np.float64) if value.dtype.kind == "f" else value.astype(np.int64)
    return event.operation, value.shape, plain.tobytes()


# --- Parts ----------------------------------------------------------------------------------------


def _parts(alignment: Alignment, tolerance: float) -> list[Part]:
    """Return the arrays that are a part of one on the other side that has no partner as a whole.

    A leaf or a result of the program may have a partner and be a part nevertheless.
    """
    a, b = (alignment.a, alignment.of_a), (alignment.b, alignment.of_b)
    sides: tuple[tuple[Side, Any, Any], ...] = (("a", a, b), ("b", b, a))
    found = []
    for side, (one, in_one), (other, in_other) in sides:
        ends = set(other.outputs.values())
        wholes = [event for event in _sought(one) if event.index not in in_one]
        parts = [
            event
            for event in _sought(other)
            if event.index not in in_other or event.operation in LEAVES or event.index in ends
        ]
        found += [
            Part(side, whole.index, part.index, layout)
            for whole, part, layout in _contained(wholes, parts, tolerance)
        ]
    return found


def _sought(recording: Recording) -> Iterator[Event]:
    for event in recording.events:
        large = event.value.size >= ENOUGH
        if large and event.index in recording.from_inputs and is_evidence(event):
            yield event


def _contained(
    wholes: Sequence[Event], parts: Sequence[Event], tolerance: float
) -> Iterator[tuple[Event, Event, Layout]]:
    """Yield the first whole that a part lies in. All numbers of all wholes are sorted once."""
    if not wholes or not parts:
        return
    numbers = np.concatenate([np.ravel(event.value).astype(np.float64) for event in wholes])
    owner = np.repeat(np.arange(len(wholes)), [event.value.size for event in wholes])
    order = np.argsort(numbers)
    numbers, owner = numbers[order], owner[order]
    for part in parts:
        x = np.ravel(part.value)
        scale = tolerance * float(np.abs(x).max())
        candidates: set[int] | None = None
        for probe in np.sort(np.abs(x))[[-1, len(x) // 2]]:
            near = [
                owner[
                    slice(*np.searchsorted(numbers, [sign * probe - scale, sign * probe + scale]))
                ]
                for sign in (-1, 1)
            ]
            here = set(np.concatenate(near).tolist())
            candidates = here if candidates is None else candidates & here
        for one in sorted(candidates or ()):
            whole = wholes[one]
            if whole.value.size > part.value.size:
                layout = layouts.find(
                    whole.value.astype(np.float64), part.value.astype(np.float64), scale
                )
                if layout is not None:
                    yield whole, part, layout
                    break
