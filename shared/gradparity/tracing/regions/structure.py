"""Which events of a recording depend on which: the same whatever their values are."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Set
from functools import cached_property

from ..alignment import is_evidence
from ..moves import computes
from ..recording import LEAVES, Recording


class Structure:
    """The events of a recording as a graph; sets of events are bits of an integer."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording

    @cached_property
    def _above(self) -> list[int]:
        above: list[int] = []
        for event in self.recording.events:
            mask = 1 << event.index
            for i in event.inputs:
                mask |= above[i]
            above.append(mask)
        return above

    def depends(self, event: int, on: int) -> bool:
        """Whether an event depends on another one, or is that one."""
        return bool(self._above[event] >> on & 1)

    def above(self, event: int) -> frozenset[int]:
        """Return the events on which an event depends, itself included."""
        return frozenset(bits(self._above[event]))


def bits(mask: int) -> Iterator[int]:
    """Yield the numbers of the bits that are set."""
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


def dead(recording: Recording, known: Collection[int], part: Set[int]) -> frozenset[int]:
    """Return the events of a part that have no partner, and nothing with one behind them in the part."""
    alive: set[int] = set()
    for i in sorted(part, reverse=True):
        if i in known or not alive.isdisjoint(recording.users[i]):
            alive.add(i)
    return frozenset(part - alive)


def evidence(recording: Recording, events: Iterable[int]) -> list[int]:
    """Return those of some events that depend on an input and whose numbers do not coincide by chance, in order."""
    return [
        i for i in sorted(events) if i in recording.from_inputs and is_evidence(recording.events[i])
    ]


def computed(recording: Recording, unknown: frozenset[int]) -> list[int]:
    """Return the evidence among some unknown events that is more than known arrays, moved, in order."""
    made: set[int] = set()
    for i in sorted(unknown):
        event = recording.events[i]
        if (
            event.operation in LEAVES
            or computes(event, recording.framework)
            or not made.isdisjoint(event.inputs)
        ):
            made.add(i)
    return evidence(recording, made)
