"""One update of several implementations, recorded as they are written, and laid beside each other line by line."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Literal

import numpy as np

from ..errors import InputError
from ..experiments.experiment import Experiment
from ..guarded import Guarded
from ..processes import one_quiet_thread
from . import layouts
from .alignment import Alignment, Side, align
from .bounded import Bounded
from .moves import computes
from .recording import INPUT, LEAVES, Event, Recording, Source
from .regions import judged
from .rules import NoRuleError, as_recorded, evaluate
from .update import first_update, in_general_position, record, record_like

FORWARD, GRADIENT, UPDATE = "forward", "gradient", "update"
"""The parts of a step: up to the loss, up to the gradient of the parameters, and the rest."""


@dataclass(frozen=True)
class Maker:
    """What makes an array: an operation, on a line.

    Attributes:
        operation: as the framework names it: `multiply`, `aten.mm`, `dot_general`.
        source: the line; None if none of the program's is known.
        backward: True if the framework differentiates here: the line is the one whose backward pass this is.
    """

    operation: str
    source: Source | None
    backward: bool = False


@dataclass(frozen=True)
class Distance:
    """How far two arrays are apart.

    Attributes:
        share: the largest |difference|, in units of what rounding can do to both from the data on: 1 is the most. None
            if that is not known.
        same_bits: True if no bit differs.
    """

    share: float | None
    same_bits: bool

    def __or__(self, other: Distance) -> Distance:
        """Return the larger one."""
        known = [one for one in (self.share, other.share) if one is not None]
        share = max(known) if len(known) == 2 else None
        return Distance(share, same_bits=self.same_bits and other.same_bits)

    def __str__(self) -> str:
        if self.same_bits:
            return "same bits"
        return "unknown" if self.share is None else f"{self.share:.2g}"


@dataclass(frozen=True)
class Partner:
    """What another implementation has in place of a row's arrays.

    Attributes:
        kind: `aligned` if it makes the same arrays, `negated` if with the other sign. `inside` if it makes no such
            arrays: then the makers are the operations inside of which they would be inner results, since what follows
            from them is made there; none if nothing there corresponds to them.
        makers: what makes them there.
        distance: of aligned arrays, the largest.
    """

    kind: Literal["aligned", "negated", "inside"]
    makers: tuple[Maker, ...]
    distance: Distance | None = None


@dataclass(frozen=True)
class Row:
    """Arrays that one operation on one line makes, as far as the others make them in the same way.

    A line that is run for each layer gives one row, unless the layers differ.

    Attributes:
        part: forward, gradient or update.
        arrays: how many.
        shapes: each once, in order.
        needed: False if neither the loss nor the new weights depend on them.
        partners: by implementation.
    """

    maker: Maker
    part: str
    arrays: int
    shapes: tuple[tuple[int, ...], ...]
    needed: bool
    partners: Mapping[str, Partner]


@dataclass(frozen=True)
class Step:
    """One update, by several implementations.

    Attributes:
        experiment: its name.
        implementations: the first one's arrays make the rows.
        rows: what the first makes, in order.
        alone: what only the others make, by implementation.
        left_out: why an implementation is left out, by its name.
    """

    experiment: str
    implementations: tuple[str, ...]
    rows: Sequence[Row]
    alone: Mapping[str, Sequence[Row]]
    left_out: Mapping[str, str]


def trace(experiment: Experiment, implementations: Sequence[Guarded]) -> Step:
    """Record the first update of an experiment in each implementation, and align each with the first.

    At the first update much coincides that means different things: where moments are zero, Adam's mean of the gradients
    is the gradient. So which array is which is found where nothing coincides, with random data, weights and moments;
    all numbers are the experiment's own.

    Raises:
        InputError: fewer than two can be recorded.
    """
    start = first_update(experiment.problem())
    random = in_general_position(start)
    found: dict[str, Recording] = {}
    own: dict[str, Recording] = {}
    left_out: dict[str, str] = {}
    for one in implementations:
        try:
            recording = record(one, random)
            own[one.name] = record_like(recording, one, start)
            found[one.name] = recording
        except InputError as error:
            left_out[one.name] = str(error)
    if len(own) < 2:
        raise InputError("; ".join(left_out.values()) or "two implementations are needed")
    first, *others = own
    with one_quiet_thread():
        sides = {
            name: _sides(align(found[first], found[name]), own[first], own[name]) for name in others
        }
    rows = _rows(own[first], {name: side for name, (side, _) in sides.items()})
    alone = {}
    for name, (_, side) in sides.items():
        alone[name] = [
            row for row in _rows(own[name], {first: side}) if row.partners[first].kind == "inside"
        ]
    return Step(experiment.name, tuple(own), rows, alone, left_out)


@dataclass(frozen=True, eq=False)
class _Side:
    """One of two aligned recordings, as seen from it.

    Attributes:
        own: the recording.
        other: the recording that it is aligned with.
        partners: of each of its aligned events, the event there that makes the same numbers.
        aligned: the aligned events of the other recording.
        distance: returns the distance of an event from its partner.
        negated: returns True if an event and one of the other recording differ only in sign.
    """

    own: Recording
    other: Recording
    partners: Mapping[int, int]
    aligned: Collection[int]
    distance: Callable[[int, int], Distance]
    negated: Callable[[int, int], bool]

    def partner(self, index: int) -> Partner:
        """Return what the other recording has in place of an event."""
        if index in self.partners:
            there = self.partners[index]
            maker = _maker(self.other.events[there])
            return Partner("aligned", (maker,), self.distance(index, there))
        inside = self._inside(index)
        negated = [one for one in inside if self.negated(index, one)]
        makers = dict.fromkeys(_maker(self.other.events[one]) for one in negated[:1] or inside)
        return Partner("negated" if negated else "inside", tuple(makers))

    def _inside(self, index: int) -> list[int]:
        """Return what the other recording computes in place of an event that is not aligned.

        From the event on, the first aligned arrays are sought; there, all that leads to them from aligned arrays.
        """
        ends, left, seen = [], [index], {index}
        while left:
            for user in self.own.users[left.pop()]:
                if user in self.partners:
                    ends.append(self.partners[user])
                elif user not in seen:
                    seen.add(user)
                    left.append(user)
        region, left = set(ends), ends
        while left:
            for used in self.other.events[left.pop()].inputs:
                if used not in region and used not in self.aligned:
                    region.add(used)
                    left.append(used)
        events = self.other.events
        return [one for one in sorted(region) if computes(events[one], self.other.framework)]


def _sides(alignment: Alignment, a: Recording, b: Recording) -> tuple[_Side, _Side]:
    """Return both sides of an alignment, with other recordings of the same programs in place of the aligned ones."""
    bounds_a, bounds_b = bounds(a), bounds(b)

    @cache
    def distance(one: int, other: int) -> Distance:
        layout = alignment.pair(one, other).layout
        x, y = layout.apply(a.events[one].value), b.events[other].value
        if not layout.explained or one not in bounds_a or other not in bounds_b:
            return Distance(None, same_bits=False)
        share = judged(x, y, layout.apply(bounds_a[one].error) + bounds_b[other].error).share
        return Distance(share, same_bits=x.dtype == y.dtype and x.tobytes() == y.tobytes())

    def negated(one: int, other: int) -> bool:
        x, y = alignment.a.events[one].value, alignment.b.events[other].value
        if x.dtype.kind != "f" or y.dtype.kind != "f":
            return False
        within = alignment.tolerances["float64"] * float(np.abs(x).max(initial=0.0))
        return x.size == y.size > 1 and layouts.find(-x, y, within) is not None

    to_b = _partners("a", "b", alignment, {pair.a: pair.b for pair in alignment.pairs})
    to_a = _partners("b", "a", alignment, {pair.b: pair.a for pair in alignment.pairs})
    # What is a pair by chance in one, such as z and max(z, 0) where no z is negative, is none in the other.
    to_b = {one: other for one, other in to_b.items() if _possible(distance(one, other))}
    to_a = {other: one for other, one in to_a.items() if _possible(distance(one, other))}
    return (
        _Side(a, b, to_b, to_a.keys(), distance, negated),
        _Side(b, a, to_a, to_b.keys(), *(_turned(one) for one in (distance, negated))),
    )


def _possible(distance: Distance) -> bool:
    return distance.share is None or distance.share <= 1


def _turned(function: Callable[[int, int], Any]) -> Callable[[int, int], Any]:
    return lambda b, a: function(a, b)


def _partners(
    own: Side, other: Side, alignment: Alignment, pairs: Mapping[int, int]
) -> dict[int, int]:
    """Return the partner of each aligned event.

    A copy's is a copy, if both compute it, as max(z, 0) where no z is negative; else what it is a copy of.
    """
    recordings = {"a": alignment.a, "b": alignment.b}
    found = {}
    for quantity in alignment.quantities:
        events = {"a": quantity.a, "b": quantity.b}
        origins = {side: alignment.origins(side, quantity) for side in (own, other)}
        copies = {side: [e for e in events[side] if e not in origins[side]] for side in origins}
        made = {
            side: [
                e for e in some if computes(recordings[side].events[e], recordings[side].framework)
            ]
            for side, some in copies.items()
        }
        found.update({one: pairs[one] for one in origins[own] if one in pairs})
        found.update(dict.fromkeys(copies[own], origins[other][0]))
        found.update(zip(made[own], made[other], strict=False))
    return found


def bounds(recording: Recording) -> dict[int, Bounded]:
    """Evaluate a recording from what it was given, each array with its bound on all rounding errors up to it.

    What follows from an operation without a rule is left out.
    """
    found: dict[int, Bounded] = {}
    for event in recording.events:
        if event.operation in LEAVES:
            found[event.index] = as_recorded(event.value)
        elif event.index == event.call and found.keys() >= set(event.inputs):
            with contextlib.suppress(NoRuleError):
                results = evaluate(recording, event.call, found.__getitem__)
                found.update(enumerate(results, start=event.call))
    return found


def _rows(own: Recording, sides: Mapping[str, _Side]) -> list[Row]:
    """Return the rows of one implementation; what is made in the same way on the same line is one row."""
    parts, needed = _parts(own), own.needed_for(list(own.outputs.values()))
    rows: dict[Any, Row] = {}
    for event in own.events:
        if event.index not in parts or not computes(event, own.framework):
            continue
        partners = {name: side.partner(event.index) for name, side in sides.items()}
        shapes = (event.value.shape,)
        needed_here = event.index in needed
        row = Row(_maker(event), parts[event.index], 1, shapes, needed_here, partners)
        key = _key(row)
        rows[key] = _joined(rows[key], row) if key in rows else row
    return list(rows.values())


def _maker(event: Event) -> Maker:
    # Where a gradient is written by hand, a recorder sees no phases.
    line = replace(event.source, span=None) if event.source else None
    return Maker(event.operation, line, event.phase == "backward")


def _parts(recording: Recording) -> dict[int, str]:
    """Return the part of the step in which each event is, from the first that depends on the data."""
    outputs = recording.outputs
    gradient = {one for name, one in outputs.items() if name.startswith("gradient ")}
    to_loss = recording.needed_for([outputs["loss"]])
    to_gradient = recording.needed_for(list(gradient))
    found: dict[int, str] = {}
    from_data: set[int] = set()
    from_gradient = set(gradient)
    for event in recording.events:
        if event.operation == INPUT or not from_data.isdisjoint(event.inputs):
            from_data.add(event.index)
        if not from_gradient.isdisjoint(event.inputs):
            from_gradient.add(event.index)
        if event.operation in LEAVES or not from_data:
            continue
        if event.index in to_loss:
            found[event.index] = FORWARD
        elif event.index in to_gradient or (
            event.index not in from_gradient and event.index in from_data
        ):
            found[event.index] = GRADIENT
        else:
            found[event.index] = UPDATE
    return found


def _key(row: Row) -> Any:
    """Return what two rows must have in common to be shown as one."""
    partners = tuple((one.kind, one.makers) for one in row.partners.values())
    return row.maker, row.part, row.needed, partners


def _joined(row: Row, other: Row) -> Row:
    partners = {}
    for name, one in row.partners.items():
        more = other.partners[name].distance
        both = one.distance | more if one.distance and more else None
        partners[name] = replace(one, distance=both)
    shapes = tuple(dict.fromkeys((*row.shapes, *other.shapes)))
    return replace(row, arrays=row.arrays + other.arrays, shapes=shapes, partners=partners)
