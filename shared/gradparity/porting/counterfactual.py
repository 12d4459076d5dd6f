"""Change one thing in a program, compute again, and see whether the two programs then agree.

What is changed is a recording: an operation's arguments, or an array that goes in. Nothing of the user's program runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..tracing.alignment import CONDITION, Side
from ..tracing.bounded import Bounded, exact
from ..tracing.layouts import Layout, reshaped
from ..tracing.recording import Recording
from ..tracing.regions import Comparison, Distance, Region, judged
from ..tracing.regions.recorded import Replay, results_of
from ..tracing.rules import NoRuleError, as_recorded, evaluated

Array = NDArray[Any]


_MANY = 4096
"""Entries from which on an operation costs by their number."""


@dataclass(frozen=True)
class Call:
    """Other arguments of an operation, in the form in which an `Event` has them."""

    arguments: tuple[Any, ...]
    attributes: Mapping[str, Any]


@dataclass(frozen=True)
class Change:
    """What is changed in one of the two recordings.

    Attributes:
        side: `a` is the original, `b` the port.
        calls: other arguments, by the index of the first event that the call makes.
        values: other arrays, by the event that they replace.
    """

    side: Side
    calls: Mapping[int, Call] = field(default_factory=dict)
    values: Mapping[int, Array] = field(default_factory=dict)

    def applied(self, recording: Recording) -> Recording:
        """Return the recording with other arguments; its values are as they were."""
        events = list(recording.events)
        for index, call in self.calls.items():
            for event in results_of(index, recording):
                events[event] = replace(
                    events[event], arguments=call.arguments, attributes=call.attributes
                )
        return replace(recording, events=tuple(events))


class Trial:
    """Computes a region again with a change, both sides from the same inputs.

    Attributes:
        region: the region.
        a, b: the two recordings.
        runs: how many operations were evaluated again.
    """

    def __init__(self, comparison: Comparison, region: Region) -> None:
        self.region = region
        self.a, self.b = comparison.alignment.a, comparison.alignment.b
        self.runs = 0
        self._given = {
            one.b: exact(
                one.layout.apply(self.a.events[one.a].value),
                as_recorded(self.b.events[one.b].value).precision,
            )
            for one in region.inputs
        }
        self._plain: dict[Side, dict[int, Bounded]] = {}

    def recording(self, side: Side) -> Recording:
        """Return a side's recording."""
        return self.a if side == "a" else self.b

    def events(self, side: Side) -> tuple[int, ...]:
        """Return a side's events in the region, in order."""
        return self.region.events_a if side == "a" else self.region.events_b

    def result(self, side: Side) -> int:
        """Return the event of a side that the region makes."""
        return self.region.pair.a if side == "a" else self.region.pair.b

    def values(self, side: Side, change: Change | None = None) -> Mapping[int, Bounded]:
        """Return the arrays of a side's region, by event: those that go in as far as it is known, and those made.

        Raises:
            NoRuleError: what one of the operations computes is not known.
        """
        if side not in self._plain:
            given = self._given if side == "b" else {}
            self._plain[side] = evaluated(self.recording(side), self.events(side), given)
        if change is None or change.side != side:
            return self._plain[side]
        recording = change.applied(self.recording(side))
        put = {
            event: exact(value, as_recorded(recording.events[event].value).precision)
            for event, value in change.values.items()
        }
        touched = {one for call in change.calls for one in results_of(call, recording)}
        return self._again(side, recording, put, touched)

    def with_arrays(self, side: Side, put: Mapping[int, Bounded]) -> Mapping[int, Bounded]:
        """Return the arrays of a side's region with others in the place of some, as `values` does.

        Raises:
            NoRuleError: what one of the operations computes is not known.
        """
        return self._again(side, self.recording(side), put, set())

    def _again(
        self,
        side: Side,
        recording: Recording,
        put: Mapping[int, Bounded],
        touched: set[int],
    ) -> Mapping[int, Bounded]:
        """Compute again what depends on the arrays that are put in, and on the results of calls that are changed."""
        events, changed = self.events(side), touched | set(put)
        for event in events:
            if not changed.isdisjoint(recording.events[event].inputs):
                changed.add(event)
                self.runs += 1 + recording.events[event].value.size // _MANY
        plain = self.values(side)
        given = {event: value for event, value in plain.items() if event not in changed}
        return evaluated(recording, events, {**given, **put})

    def distance(self, change: Change | None = None) -> Distance:
        """Judge the region's two results; abstain if an operation has no rule."""
        try:
            x = self.values("a", change)[self.region.pair.a]
            y = self.values("b", change)[self.region.pair.b]
        except NoRuleError as error:
            return Distance("abstain", unknown=(error.operation,))
        return self.between(x, y)

    def distance_with(self, side: Side, put: Mapping[int, Bounded]) -> Distance:
        """Judge the region's two results with other arrays in the place of some of one side."""
        try:
            made = self.with_arrays(side, put)
            x, y = (made if one == side else self.values(one) for one in ("a", "b"))
            return self.between(x[self.region.pair.a], y[self.region.pair.b])
        except NoRuleError as error:
            return Distance("abstain", unknown=(error.operation,))

    def between(self, x: Bounded, y: Bounded) -> Distance:
        """Judge two arrays in the place of the region's results; the first has the original's layout.

        They do not agree for being less certain: where the bound grows by more than the digits that float64 is granted
        to spare, the change has spoilt the numbers (the root of a negative one, a division by 0).
        """
        if x.shape != self.a.events[self.region.pair.a].value.shape or y.shape != (
            self.b.events[self.region.pair.b].value.shape
        ):
            return Distance("disagree", np.inf)
        if self._spoilt(x, y):
            return Distance("abstain")
        found = [
            judged(layout.apply(x.value), y.value, layout.apply(x.error) + y.error)
            for layout in self.layouts
        ]
        return min(found, key=lambda one: (one.verdict != "agree", one.share))

    @cached_property
    def layouts(self) -> tuple[Layout, ...]:
        """The layouts that may make the second's result of the first's.

        Where the numbers differ, a layout is only the nearest one: of arrays of the same shape it may be none, too.
        """
        layout = self.region.pair.layout
        if self.region.by_place and layout.source == layout.target and not layout.identity:
            return layout, reshaped(layout.source, layout.target)
        return (layout,)

    def _spoilt(self, x: Bounded, y: Bounded) -> bool:
        plain_x, plain_y = (
            self.values("a")[self.region.pair.a],
            self.values("b")[self.region.pair.b],
        )
        before = np.isnan(plain_x.value).sum() + np.isnan(plain_y.value).sum()
        after = np.isnan(x.value).sum() + np.isnan(y.value).sum()
        return bool(after > before or _is_blurred(x, plain_x) or _is_blurred(y, plain_y))

    def agrees(self, change: Change | None = None) -> bool:
        """Whether both sides compute the same, with the change."""
        return self.distance(change).verdict == "agree"


def corrected(recording: Recording, changes: Iterable[Change], side: Side) -> Recording:
    """Return what a side's recording would be with all changes of this side; what needs an unknown rule becomes NaN."""
    values: dict[int, Array] = {}
    calls: dict[int, Call] = {}
    for change in changes:
        if change.side == side:
            values |= change.values
            calls |= change.calls
    called = Change(side, calls).applied(recording)
    return Replay(called, values, again=calls).finished()


def _is_blurred(x: Bounded, before: Bounded) -> bool:
    """Whether more entries than before have a bound that is far above the largest there was."""
    finite = np.isfinite(before.error)
    size = float(np.abs(before.value[np.isfinite(before.value)]).max(initial=0.0))
    most = CONDITION * max(
        float(before.error[finite].max(initial=0.0)), before.precision.eps * size
    )
    return bool((x.error > most).sum() > (~finite).sum())
