"""Another array in the place of one: the wrong variable goes into an operation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ...tracing.alignment import Side
from ...tracing.recording import Event, Ref, with_values
from ..counterfactual import Call, Change
from ..result import Cause
from . import orders, signatures
from .bench import MOVES_ONLY, SIDES, Bench, Found

_MOST = 60


@dataclass(frozen=True)
class _Try:
    """Another array that goes into a call.

    Attributes:
        event: the call.
        wrong, right: what goes in, and what is tried in its place.
    """

    side: Side
    event: int
    wrong: int
    right: int
    change: Change


def find(bench: Bench) -> Found | None:
    """Return the operation into which another array goes than on the other side."""
    for side in SIDES:
        found = []
        for one in _tries(bench, side):
            if bench.agrees(one.change):
                found.append(one)
        if found:
            return _told(bench, found)
    return None


def _told(bench: Bench, found: list[_Try]) -> Found | None:
    one = found[0]
    recording = bench.recording(one.side)

    def root(event: int) -> int:
        while recording.events[event].operation in MOVES_ONLY and recording.events[event].inputs:
            event = recording.events[event].inputs[0]
        return event

    if len({(root(other.wrong), root(other.right)) for other in found}) > 1:
        return None
    whole = {orders.part_of(bench, one.side, event) for event in (one.wrong, one.right)}
    between = _between(bench, one)
    right = _said(recording.events[root(one.right)])
    if between:
        name, own, other_has = "an operation of one side alone", ", ".join(between), ""
        remedy = "without it the two agree"
    else:
        part = len(whole) == 1 and None not in whole
        name = "another part of an array goes in" if part else "another array goes in"
        own, other_has = _said(recording.events[root(one.wrong)]), right
        remedy = f"with {right} the two agree"
    original, port = (other_has, own) if one.side == "b" else (own, other_has)
    other: Side = "a" if one.side == "b" else "b"
    line = one.wrong if between else one.event
    places = bench.at(one.side, [line, one.right], [bench.trial.result(other)])
    return Found(Cause(name, original, port, remedy, places), (one.change,))


def _between(bench: Bench, one: _Try) -> list[str]:
    """Return the operations that make the wrong array of the right one; none if it is not made of it."""
    events = bench.recording(one.side).events
    found: list[str] = []
    event = one.wrong
    for _ in range(_FAR):
        if event == one.right:
            return found[::-1]
        found.append(signatures.short(events[event]))
        above = [i for i in events[event].inputs if events[i].value.dtype.kind == "f"]
        if one.right in above:
            return found[::-1]
        if not above:
            return []
        event = above[0]
    return []


_FAR = 4
"""Through how many operations one array is followed to another."""


def _said(event: Event) -> str:
    if event.name:
        return event.name
    return f"the array of {event.source}" if event.source else f"the result of {event.operation}"


def _tries(bench: Bench, side: Side) -> Iterator[_Try]:
    recording, values = bench.recording(side), bench.values(side)
    known = _within_reach(bench, side)
    number = 0
    for event in reversed(bench.inner(side)):
        if event.index != event.call or event.operation in MOVES_ONLY:
            continue
        for wrong in event.inputs:
            shape = recording.events[wrong].value.shape
            for right in known:
                new = recording.events[right]
                fits = (
                    new.value.shape == shape
                    and new.value.dtype == recording.events[wrong].value.dtype
                )
                if right == wrong or right >= event.index or not fits or new.value.size < 2:
                    continue
                if wrong not in values or number >= _MOST:
                    continue
                number += 1
                yield _Try(side, event.index, wrong, right, _with(event, side, wrong, right))


def _with(event: Event, side: Side, wrong: int, right: int) -> Change:
    def taken(index: int) -> Ref:
        return Ref(right if index == wrong else index)

    call = Call(with_values(event.arguments, taken), with_values(dict(event.attributes), taken))
    return Change(side, {event.index: call})


def _within_reach(bench: Bench, side: Side) -> list[int]:
    """Return what could go in: the region's arrays, and those that go into the other side's."""
    found = set(bench.values(side))
    alignment = bench.comparison.alignment
    other: Side = "a" if side == "b" else "b"
    of = alignment.of_a if other == "a" else alignment.of_b
    for event in bench.values(other):
        quantity = of.get(event)
        if quantity is not None:
            found.update(quantity.b[:1] if side == "b" else quantity.a[:1])
    return sorted(found, reverse=True)
