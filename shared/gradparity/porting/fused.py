"""Results that one side has in one array and the other in several, or under names that do not tell: fused gates, q/k/v.

They are found by their numbers, and judged as everything else: each part from the same inputs, by its bound.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from ..tracing import layouts
from ..tracing.alignment import Alignment, Pair, Quantity
from ..tracing.alignment import Side as Letter
from ..tracing.recording import Recording
from ..tracing.regions import Comparison, Region, Verdict
from ..tracing.regions.judge import Judge
from ..tracing.regions.outputs import Way
from ..tracing.regions.results import worst


@dataclass(frozen=True)
class Fused:
    """A result of one side that is a part of results of the other, or is made of them.

    Attributes:
        side: whose result it is.
        name: its name.
        others: the names of the other side's results that have its numbers.
        verdict: the worst of its parts and of what they are made of.
        share: the largest of its parts.
    """

    side: Letter
    name: str
    others: tuple[str, ...]
    verdict: Verdict
    share: float


def fused(comparison: Comparison, reached: Mapping[int, Way]) -> Iterator[Fused]:
    """Yield the results without a partner whose numbers stand in results of the other side, every one of them.

    Args:
        comparison: of the original and the port.
        reached: the ways to the port's arrays.
    """
    judges = _Judges(comparison.alignment, reached)
    sides: tuple[Letter, Letter] = ("a", "b")
    for side in sides:
        for name in comparison.missing[side]:
            found = judges.judged(side, name)
            if found is not None:
                yield found


class _Judges:
    """Judges parts, whichever side has the whole."""

    def __init__(self, alignment: Alignment, reached: Mapping[int, Way]) -> None:
        turned = [Quantity(q.b, q.a, q.grade) for q in alignment.quantities]
        self._alignments: Mapping[Letter, Alignment] = {
            "a": alignment,
            "b": Alignment(alignment.b, alignment.a, turned),
        }
        self._judges = {side: Judge(one) for side, one in self._alignments.items()}
        self._reached = reached
        self._near = alignment.tolerances["float64"]

    def judged(self, side: Letter, name: str) -> Fused | None:
        """Judge a side's result by those of the other that have its numbers."""
        alignment = self._alignments[side]
        own, other = alignment.a, alignment.b
        event = own.outputs[name]
        covered = np.zeros(own.events[event].value.size, bool)
        regions: list[tuple[str, Letter, Region]] = []
        turned: Letter = "b" if side == "a" else "a"
        for theirs, at in other.outputs.items():
            if other.events[at].value.size > covered.size:
                pair = self._pair(other, at, own, event)
                if pair is not None:
                    region = self._judges[turned].region(pair)
                    return self._found(side, name, [(theirs, turned, region)])
                continue
            pair = self._pair(own, event, other, at)
            if pair is None:
                continue
            taken = pair.layout.positions().ravel()
            if not covered[taken].all():
                covered[taken] = True
                regions.append((theirs, side, self._judges[side].region(pair)))
        return self._found(side, name, regions) if covered.all() and regions else None

    def _pair(self, one: Recording, whole: int, other: Recording, part: int) -> Pair | None:
        """Return a whole and a part of it as a pair, if it is one."""
        x, y = (
            recording.events[event].value.astype(np.float64)
            for recording, event in ((one, whole), (other, part))
        )
        largest = float(np.abs(y).max(initial=0.0))
        layout = layouts.find(x, y, self._near * largest) if largest else None
        return None if layout is None else Pair(whole, part, "float64", layout)

    def _found(self, side: Letter, name: str, parts: list[tuple[str, Letter, Region]]) -> Fused:
        above: list[Verdict] = [
            self._reached[event].verdict if event in self._reached else "abstain"
            for _, first, region in parts
            for pair in region.inputs
            for event in (pair.b if first == "a" else pair.a,)
        ]
        verdict = worst([*(region.verdict for _, _, region in parts), *above])
        share = max(region.distance.share for _, _, region in parts)
        return Fused(side, name, tuple(theirs for theirs, _, _ in parts), verdict, share)
