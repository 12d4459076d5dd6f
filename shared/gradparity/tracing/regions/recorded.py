"""A recording by itself: judged against its own operations, and computed again with other arrays in some places."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace

import numpy as np

from ...reference.precision import Precision
from ..alignment import Side
from ..bounded import Bounded
from ..recording import LEAVES, Event, Recording
from ..rules import NoRuleError, as_recorded, evaluate
from .results import Array, Distance, Own, judged

_DOUBLE = Precision.of(np.float64)

RANDOM = frozenset(
    {
        *("aten.rand", "aten.randn", "aten.randint", "aten.randperm", "aten.normal"),
        *("aten.rand_like", "aten.randn_like", "aten.randint_like", "aten.bernoulli"),
        *("aten.bernoulli_", "aten.uniform_", "aten.normal_", "aten.random_", "aten.exponential_"),
        *("random_bits", "threefry2x32", "rng_bit_generator", "rng_uniform"),
    }
)
"""Operations that draw numbers: these are taken as they were drawn, like those that a program is given."""


def is_given(event: Event) -> bool:
    """Whether an array is taken as it is: nothing recorded made it, or it was drawn."""
    return event.operation in LEAVES or event.operation in RANDOM


def own(side: Side, recording: Recording) -> Iterator[Own]:
    """Judge every recorded array against its operation, evaluated from its recorded operands."""
    for event in recording.events:
        if is_given(event) or event.index != event.call:
            continue
        try:
            results = evaluate(
                recording, event.call, lambda i: as_recorded(recording.events[i].value)
            )
        except NoRuleError as error:
            yield Own(side, event.index, Distance("abstain", unknown=(error.operation,)))
            continue
        for made, result in zip(recording.events[event.call :], results, strict=False):
            yield Own(side, made.index, _against(made, result))


def _against(event: Event, result: Bounded) -> Distance:
    # The value that stands for the exact one is itself computed in float64.
    ours = 1 + _DOUBLE.eps / result.precision.eps if result.floating else 1.0
    return judged(result.value, event.value, np.asarray(result.error * ours))


class Replay:
    """A recording with other arrays in some places, and what depends on them computed again, as far as it is asked.

    Arrays that depend on them through an operation without a rule become NaN: unknown.

    Attributes:
        events: those of the recording, as far as it has been computed.

    Args:
        recording: as it was.
        values: the new arrays, by event.
        part: the events to compute again; all others stay as they were.
        kept: events that stay as they were although they depend on the new arrays.
        again: events that are computed again, too.
    """

    def __init__(
        self,
        recording: Recording,
        values: Mapping[int, Array],
        part: Collection[int] | None = None,
        kept: Collection[int] = (),
        again: Iterable[int] = (),
    ) -> None:
        self.events = list(recording.events)
        self._recording, self._part, self._kept = recording, part, {*kept, *values}
        self._left = sorted(recording.events[index].call for index in again)
        for index, value in values.items():
            old = self.events[index]
            self.events[index] = replace(old, value=value.astype(old.value.dtype))
            self._follow(index)

    def __iter__(self) -> Iterator[Event]:
        """Yield each array that is computed again, in order; it can be left and taken up again."""
        done = -1
        while self._left:
            call = heapq.heappop(self._left)
            if call != done and self.events[call].operation not in RANDOM:
                done = call
                yield from self._again(call)

    def finished(self) -> Recording:
        """Compute the rest, and return the recording."""
        for _ in self:
            pass
        return replace(self._recording, events=tuple(self.events))

    def _follow(self, index: int) -> None:
        for user in self._recording.users[index]:
            if self._part is None or user in self._part:
                heapq.heappush(self._left, self._recording.events[user].call)

    def _again(self, call: int) -> Iterator[Event]:
        results = [i for i in results_of(call, self._recording) if i not in self._kept]
        if not results:
            return
        try:
            values = evaluate(self._recording, call, lambda i: as_recorded(self.events[i].value))
        except NoRuleError:
            values = ()
        for index in results:
            kept, n = self.events[index], index - call
            new = values[n].value if n < len(values) else np.full(kept.value.shape, np.nan)
            self.events[index] = replace(kept, value=np.asarray(new))
            self._follow(index)
        for index in results:
            yield self.events[index]


def replayed(recording: Recording, event: int, value: Array) -> Recording:
    """Return what a recording would be with this value in an event's place; what needs an unknown rule is NaN."""
    return Replay(recording, {event: value}).finished()


def results_of(call: int, recording: Recording) -> range:
    """Return the events that a call made."""
    end = call + 1
    while end < len(recording.events) and recording.events[end].call == call:
        end += 1
    return range(call, end)
