"""Evaluate a region again from the parameters on: what lies between may be equal by value, and not in place."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...tracing.alignment import Pair, Side
from ...tracing.bounded import Bounded
from ...tracing.recording import LEAVES, PARAMETER, Recording
from ...tracing.regions import Comparison, Region
from ...tracing.rules import NoRuleError, as_recorded
from ..counterfactual import Change, Trial

Array = NDArray[Any]

_AROUND = 400
"""How many events above a region are looked at for parameters: those of an attention layer, or of a few time steps."""


_CALL = 2000
"""What an operation of few numbers takes, in the time of one number of an operation of many."""


@dataclass(frozen=True)
class Around:
    """What lies above a region on one side.

    Attributes:
        leaves: parameters, the nearest first.
        events: the region's, and those above that were looked at.
    """

    leaves: tuple[int, ...]
    events: frozenset[int]


class Reach:
    """The parameters above a comparison's regions."""

    def __init__(self, comparison: Comparison) -> None:
        self.comparison = comparison
        self._recordings: Mapping[Side, Recording] = {
            "a": comparison.alignment.a,
            "b": comparison.alignment.b,
        }
        placed = [r.pair for r in comparison.regions if r.by_place]
        self._placed: Mapping[Side, Collection[int]] = {
            "a": {pair.a for pair in placed},
            "b": {pair.b for pair in placed},
        }
        self._around: dict[tuple[Side, int, int], Around] = {}

    @cached_property
    def pairs(self) -> Mapping[int, Pair]:
        """The pair of each event of the port's that a region makes."""
        return {region.pair.b: region.pair for region in self.comparison.regions}

    def around(self, side: Side, region: Region) -> Around:
        """Return what lies above a region, up to arrays that were put in place."""
        events, target = (
            (region.events_a, region.pair.a) if side == "a" else (region.events_b, region.pair.b)
        )
        key = (side, target, len(events))
        if key not in self._around:
            self._around[key] = self._look(side, events, target)
        return self._around[key]

    def _look(self, side: Side, own: Iterable[int], target: int) -> Around:
        recording, placed = self._recordings[side], self._placed[side]
        inside = {target, *own}
        leaves: dict[int, None] = {}
        if recording.events[target].operation == PARAMETER:  # put in an array's place
            leaves[target] = None
        seen, left, looked = set(inside), deque(sorted(inside, reverse=True)), 0
        while left:
            for i in recording.events[left.popleft()].inputs:
                event = recording.events[i]
                if event.operation == PARAMETER:
                    leaves.setdefault(i)
                elif i not in seen and event.operation not in LEAVES and i not in placed:
                    looked += 1
                    if looked <= _AROUND:
                        seen.add(i)
                        left.append(i)
        return Around(tuple(leaves), frozenset(seen))

    def later(self, region: Region) -> Region:
        """Return the region up to the last array of the port's that holds the same numbers: beyond a bias of 0."""
        alignment = self.comparison.alignment
        quantity = alignment.of_a.get(region.pair.a)
        behind = [i for i in quantity.b if i > region.pair.b] if quantity else []
        phase = alignment.b.events[region.pair.b].phase
        behind = [i for i in behind if alignment.b.events[i].phase == phase]
        between = self._between(alignment.b, {region.pair.b}, behind[-1]) if behind else frozenset()
        if not between:
            return region
        pair = alignment.pair(region.pair.a, behind[-1])
        return replace(
            region, pair=pair, events_b=tuple(sorted({*region.events_b, *between, behind[-1]}))
        )

    def _between(self, recording: Recording, start: Collection[int], end: int) -> frozenset[int]:
        above = recording.needed_for([end])
        found = set(start)
        for i in sorted(above):
            if i > min(start) and not found.isdisjoint(recording.events[i].inputs):
                found.add(i)
        return frozenset(found) if end in found else frozenset()

    def stretched(self, region: Region, leaves: Mapping[Side, Collection[int]]) -> Region:
        """Return the region grown on both sides until it starts from these parameters."""
        a = self._grown("a", region, leaves["a"])
        b = self._grown("b", region, leaves["b"])
        if set(b) == set(region.events_b):
            return region
        own = set(b)
        given = dict.fromkeys(
            i for event in b for i in self._recordings["b"].events[event].inputs if i not in own
        )
        inputs = tuple(pair for i in sorted(given) if (pair := self._pair(region, i)))
        return replace(region, events_a=a, events_b=b, inputs=inputs)

    def _grown(self, side: Side, region: Region, leaves: Collection[int]) -> tuple[int, ...]:
        recording = self._recordings[side]
        own = region.events_a if side == "a" else region.events_b
        behind = set(leaves)
        for i in sorted(self.around(side, region).events):
            if not behind.isdisjoint(recording.events[i].inputs):
                behind.add(i)
        return tuple(sorted({*own, *(behind - set(leaves))}))

    def _pair(self, region: Region, event: int) -> Pair | None:
        for one in region.inputs:
            if one.b == event:
                return one
        if event in self.pairs:
            return self.pairs[event]
        quantity = self.comparison.alignment.of_b.get(event)
        return self.comparison.alignment.pair(quantity.a[0], event) if quantity else None

    def users(self, leaf: int) -> tuple[Region, ...]:
        """Return the regions that use a parameter of the port directly, the forward ones first."""
        found = [
            region
            for region in self.comparison.regions
            if any(leaf in self._recordings["b"].events[event].inputs for event in region.events_b)
        ]
        forward = self.comparison.forward
        return tuple(sorted(found, key=lambda r: (r.pair.a not in forward, r.pair.a)))


class Retrial:
    """A region, from some parameters on, evaluated with one value for them after the other."""

    def __init__(
        self, reach: Reach, region: Region, leaves: Mapping[Side, Collection[int]]
    ) -> None:
        self.region = reach.stretched(region, leaves)
        self._trial = Trial(reach.comparison, self.region)
        self._leaf = self._trial.a.events[region.pair.a]

    @cached_property
    def _original(self) -> Bounded | None:
        if self._leaf.operation in LEAVES:
            return as_recorded(self._leaf.value)
        try:
            return self._trial.values("a")[self.region.pair.a]
        except NoRuleError:
            return None

    @cached_property
    def effort(self) -> int:
        """How many numbers the port's side computes each time, and `_CALL` for each operation."""
        events = self._trial.b.events
        total = 0
        for i in self.region.events_b:
            one = events[i]
            terms = min((events[k].value.size for k in one.inputs), default=1)
            total += _CALL + one.value.size * (terms if "conv" in one.operation else 1)
        return total

    def verdict(self, values: Mapping[int, Array]) -> str:
        """Judge the region with other values of the port's parameters."""
        return self._judged(self._original, Change("b", values=values))

    def verdict_without(self, values: Mapping[int, Array], port: Mapping[int, Array]) -> str:
        """Judge the region with other values of the original's parameters, and of the port's."""
        try:
            x = self._trial.values("a", Change("a", values=values))[self.region.pair.a]
        except NoRuleError:
            return "abstain"
        return self._judged(x, Change("b", values=port))

    def alike(self, values: Mapping[int, Array]) -> bool | None:
        """Whether both make the same numbers in whatever order, with other values of the port's parameters.

        None if an operation has no rule.
        """
        x = self._original
        try:
            y = self._trial.values("b", Change("b", values=values))[self.region.pair.b]
        except NoRuleError:
            return None
        if x is None or x.value.size != y.value.size:
            return None
        apart = np.abs(np.sort(x.value, axis=None) - np.sort(y.value, axis=None))
        return bool((apart <= x.error.max() + y.error.max()).all())

    def _judged(self, x: Bounded | None, change: Change) -> str:
        if x is None:
            return "abstain"
        try:
            y = self._trial.values("b", change)[self.region.pair.b]
        except NoRuleError:
            return "abstain"
        if np.isfinite(x.value).all():
            if not np.isfinite(y.value).all():
                return "disagree"
            if not (np.isfinite(y.error).all() and np.isfinite(x.error).all()):
                return "abstain"
        found = self._trial.between(x, y)
        # Numbers about which the bounds say nothing are no evidence for a value.
        return "abstain" if 2 * found.uninformative > y.value.size else found.verdict
