"""What two programs return and are given: what belongs together, and what is reached by regions that agree."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from ..alignment import Alignment, Side
from ..recording import DERIVED, INPUT, LEAVES, PARAMETER, Recording
from .results import Output, Region, Verdict, worst


def ends(recording: Recording, forward: bool = False) -> list[int]:
    """Return the events of the results, all or those of the forward pass."""
    named = recording.outputs.items()
    return [event for name, event in named if not (forward and name.startswith(DERIVED))]


def unpaired(alignment: Alignment, side: Side) -> tuple[int, ...]:
    """Return a side's inputs and parameters without a partner, whole or in parts."""
    recording, known = (
        (alignment.a, alignment.of_a) if side == "a" else (alignment.b, alignment.of_b)
    )
    left = [
        event
        for event in recording.events
        if event.operation in {INPUT, PARAMETER} and event.index not in known
    ]
    in_parts = _in_parts(alignment, side) if left else {}
    return tuple(e.index for e in left if in_parts.get(e.index, 0) < e.value.size)


def _in_parts(alignment: Alignment, side: Side) -> Mapping[int, int]:
    """Return how many numbers of each leaf stand in leaves of the other side, exactly."""
    recordings = {"a": alignment.a, "b": alignment.b}
    found: dict[int, set[int]] = {}
    for one in alignment.parts:
        whole = recordings[one.side].events[one.whole]
        part = recordings["b" if one.side == "a" else "a"].events[one.part]
        same = np.array_equal(one.layout.apply(whole.value), part.value)
        if same and {whole.operation, part.operation} <= LEAVES:
            taken = one.layout.positions().ravel().tolist() if one.side == side else None
            event = whole if one.side == side else part
            found.setdefault(event.index, set()).update(taken or range(part.value.size))
    return {event: len(numbers) for event, numbers in found.items()}


def outputs(alignment: Alignment) -> dict[str, tuple[int, int]]:
    """Return the outputs of both, by the first's name: of one name, or derived from a pair of leaves."""
    a, b = alignment.a, alignment.b
    names = {
        a.events[q.a[0]].name: b.events[q.b[0]].name
        for q in alignment.quantities
        if a.events[q.a[0]].operation in LEAVES and b.events[q.b[0]].operation in LEAVES
    }
    found = {}
    for name, event in a.outputs.items():
        what, _, leaf = name.rpartition(" ")
        partner = f"{what} {names[leaf]}" if leaf in names else name
        if partner in b.outputs:
            found[name] = event, b.outputs[partner]
    return found


@dataclass(frozen=True)
class Way:
    """The way from the inputs to an array of the second recording.

    Attributes:
        region: its end, that makes the array.
        verdict: the worst on it.
        share: the largest on it.
    """

    region: Region
    verdict: Verdict
    share: float


def ways(alignment: Alignment, regions: Iterable[Region]) -> Mapping[int, Way]:
    """Return the way to each array of the second recording that is reached."""
    by_b: dict[int, Region] = {}
    for region in regions:
        for event in _alike(alignment, region):
            by_b.setdefault(event, region)
    found: dict[int, Way] = {}
    for region in sorted(by_b.values(), key=lambda one: one.pair.b):
        above = [found[one.b] for one in region.inputs if one.b in found]
        unreached: list[Verdict] = ["abstain"] * (len(region.inputs) - len(above))
        verdict = worst([region.verdict, *(one.verdict for one in above), *unreached])
        share = max([region.distance.share, *(one.share for one in above)])
        for event in _alike(alignment, region):
            found.setdefault(event, Way(region, verdict, share))
    return found


def _alike(alignment: Alignment, region: Region) -> tuple[int, ...]:
    """Return the arrays of the second that hold the numbers which a region makes."""
    quantity = alignment.of_b.get(region.pair.b)
    return quantity.b if quantity else (region.pair.b,)


def reached(
    alignment: Alignment, regions: Iterable[Region], pairs: Mapping[str, tuple[int, int]]
) -> Iterator[Output]:
    """Follow each output up to the inputs."""
    found = ways(alignment, regions)
    for name, (u, v) in pairs.items():
        region_of = found[v].region if v in found else None
        blind = region_of is None or region_of.distance.uninformative == (
            alignment.b.events[v].value.size
        )
        same = alignment.of_a.get(u) is alignment.of_b.get(v, ())
        with_each_other = same or (region_of is not None and region_of.pair.a == u)
        verdict = found[v].verdict if v in found and with_each_other else "abstain"
        yield Output(name, (u, v), verdict, not blind)
