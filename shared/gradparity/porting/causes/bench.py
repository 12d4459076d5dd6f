"""What every search for a cause works with: the two regions, their arrays, and a bounded number of trials."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np

from ...tracing.alignment import Side
from ...tracing.bounded import Bounded
from ...tracing.recording import Event, Recording
from ...tracing.regions import Comparison, Region
from ...tracing.rules import NoRuleError
from ..counterfactual import Change, Trial
from ..places import places
from ..result import Cause, Place

SIDES: tuple[Side, Side] = ("b", "a")
"""The port is corrected rather than the original."""

ENOUGH = 8
"""A fitted number, or a formula by which an array is known, needs as many entries that say something."""

_MOST_RUNS = 1200
"""How many operations are evaluated in each search: with all of them about two seconds' worth, of small arrays."""

MOVES_ONLY = frozenset(
    {
        *(
            "aten.view",
            "aten._unsafe_view",
            "aten.reshape",
            "aten.clone",
            "aten.transpose",
            "aten.t",
        ),
        *(
            "aten.permute",
            "aten.expand",
            "aten.unsqueeze",
            "aten.squeeze",
            "aten.detach",
            "aten.alias",
        ),
        *("aten.contiguous", "aten._to_copy", "aten.slice", "aten.select", "aten.split", "overlay"),
        *("reshape", "transpose", "squeeze", "broadcast_in_dim", "copy", "convert_element_type"),
        *("slice", "split", "stop_gradient", "device_put", "name", "expand_dims", "broadcast_to"),
    }
)
"""Operations that compute no new number."""


class ExhaustedError(Exception):
    """There were more candidates than are tried."""


@dataclass(frozen=True)
class Found:
    """A cause, and how to correct the program.

    Attributes:
        cause: in words.
        changes: what to change in one of the two recordings, so that the whole program is corrected; empty if it cannot
            be said so.
    """

    cause: Cause
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True)
class Spot:
    """Two arrays, one of each region: with the first in the place of the second, the regions agree.

    Attributes:
        a, b: their events; b may be one that goes in.
        x, y: the arrays, both in the second's layout.
    """

    a: int
    b: int
    x: Bounded
    y: Bounded


class Bench:
    """A region that disagrees, and the trials of what could make it agree."""

    def __init__(self, comparison: Comparison, region: Region) -> None:
        self.comparison, self.region = comparison, region
        self.trial = Trial(comparison, region)
        self.allow()

    def recording(self, side: Side) -> Recording:
        """Return a side's recording."""
        return self.trial.recording(side)

    def inner(self, side: Side) -> list[Event]:
        """Return the events of a side's region, in order."""
        return [self.recording(side).events[i] for i in self.trial.events(side)]

    def values(self, side: Side) -> Mapping[int, Bounded]:
        """Return a side's arrays, those that go in included."""
        return self.trial.values(side)

    @cached_property
    def phase(self) -> str:
        """The pass in which the region's results are."""
        return self.trial.a.events[self.region.pair.a].phase

    def agrees(self, change: Change) -> bool:
        """Whether the two regions agree with a change."""
        self._spend()
        return self.trial.agrees(change)

    def agrees_with(self, side: Side, put: Mapping[int, Bounded]) -> bool:
        """Whether the two regions agree with other arrays in the place of some of one side."""
        self._spend()
        return self.trial.distance_with(side, put).verdict == "agree"

    def allow(self) -> None:
        """Allow the trials of one more search."""
        self._end = self.trial.runs + _MOST_RUNS

    def _spend(self) -> None:
        if self.trial.runs > self._end:
            raise ExhaustedError

    def places(self, a: Iterable[int], b: Iterable[int]) -> tuple[Place, ...]:
        """Return the lines of events of both sides."""
        return (
            *places("original", self.trial.a, a),
            *places("port", self.trial.b, b),
        )

    def at(self, side: Side, events: Iterable[int], other: Iterable[int] = ()) -> tuple[Place, ...]:
        """Return the lines of events of a side, and of some of the other."""
        return self.places(events, other) if side == "a" else self.places(other, events)

    def has_rules(self) -> bool:
        """Whether all operations of both regions are known."""
        try:
            self.values("a"), self.values("b")
        except NoRuleError:
            return False
        return True

    @cached_property
    def spots(self) -> list[Spot]:
        """The places of the second's region in which an array of the first's makes the two agree, the earliest first.

        The region's results are the last.
        """
        pair = self.region.pair
        x, y = self.values("a")[pair.a], self.values("b")[pair.b]
        results = [
            Spot(
                pair.a,
                pair.b,
                Bounded(layout.apply(x.value), layout.apply(x.error), x.precision),
                y,
            )
            for layout in self.trial.layouts
        ]
        found = []
        with contextlib.suppress(ExhaustedError):
            for spot in self._inner_spots():
                if self.agrees_with("b", {spot.b: spot.x}):
                    found.append(spot)
        return [*found, *results]

    def _inner_spots(self) -> Iterator[Spot]:
        """Yield pairs of inner arrays of the same shape whose numbers differ."""
        of_a, of_b = self.values("a"), self.values("b")
        ones = [
            (i, of_a[i])
            for i in self.trial.events("a")
            if i in of_a and i != self.region.pair.a and self._computes("a", i)
        ]
        given = {one.b for one in self.region.inputs}
        for j in sorted({*given, *self.trial.events("b")} - {self.region.pair.b}):
            y = of_b.get(j)
            if y is None or y.size < 2 or not (j in given or self._computes("b", j)):
                continue
            tried = 0
            for i, x in ones:
                if x.shape != y.shape or x.value.dtype.kind != y.value.dtype.kind:
                    continue
                if tried < _FITTING and not _same(x, y):
                    tried += 1
                    yield Spot(i, j, x, y)

    def _computes(self, side: Side, event: int) -> bool:
        one = self.recording(side).events[event]
        return one.operation not in MOVES_ONLY or one.index != one.call

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """The sizes of axes in both regions, the largest last."""
        return tuple(sorted({n for shape in self._shapes for n in shape} - {0, 1}))

    @cached_property
    def counts(self) -> tuple[int, ...]:
        """The sizes of axes, and of several axes of an array together, the largest last."""
        found = {
            math.prod(axes)
            for shape in self._shapes
            for number in range(1, len(shape) + 1)
            for axes in combinations(shape, number)
        }
        return tuple(sorted(found - {0, 1}))

    @cached_property
    def _shapes(self) -> set[tuple[int, ...]]:
        return {value.shape for side in SIDES for value in self.values(side).values()}


_FITTING = 6
"""How many arrays of the first region are tried in the place of one of the second's."""


def _same(x: Bounded, y: Bounded) -> bool:
    if x.value.dtype.kind != "f":
        return bool(np.array_equal(x.value, y.value))
    with np.errstate(invalid="ignore"):
        return bool((np.abs(x.value - y.value) <= x.error + y.error).all())
