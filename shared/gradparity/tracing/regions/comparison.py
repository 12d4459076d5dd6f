"""Compare two recordings: pair by pair, and on behind every difference."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from .. import layouts
from ..alignment import Alignment, Pair, Side, align
from ..recording import Recording
from .derivative import Derivative
from .judge import Judge
from .outputs import ends, outputs, reached, unpaired
from .recorded import Replay, own
from .results import Comparison, Own, Region
from .search import Events, Search
from .structure import Structure, dead, evidence


def compare(a: Recording, b: Recording) -> Comparison:
    """Align two recordings and judge every region, in the order of the first.

    Where the second goes another way, the first's array is put in the place of the second's, and the rest of the second
    is computed again from there: so the next, independent divergence is found, too.
    """
    wrong = [*_not_made(a, "a"), *_not_made(b, "b")]
    running = _Running(a, b)
    forward = a.needed_for(ends(a, forward=True)), b.needed_for(ends(b, forward=True))
    whole = a.needed_for(ends(a)), b.needed_for(ends(b))
    running.follow(forward)
    running.follow(whole)
    running.judge_new()
    running.judge_results(whole)
    alignment, regions = running.alignment, running.consequences()
    pairs = outputs(alignment)
    returned = {v for _, v in pairs.values()}
    return Comparison(
        alignment,
        regions,
        wrong,
        list(reached(alignment, regions, pairs)),
        {"a": unpaired(alignment, "a"), "b": unpaired(alignment, "b")},
        {
            "a": tuple(name for name in a.outputs if name not in pairs),
            "b": tuple(name for name, event in b.outputs.items() if event not in returned),
        },
        forward[0],
    )


def _not_made(recording: Recording, side: Side) -> list[Own]:
    return [one for one in own(side, recording) if one.distance.verdict == "disagree"]


class _Running:
    """A comparison under way.

    Attributes:
        alignment: with the first's arrays in the place of the second's where they differ, as far as it is known.
        regions: those judged, by the event of the second.
    """

    def __init__(self, a: Recording, b: Recording) -> None:
        self.alignment = align(a, b)
        self.regions: dict[int, Region] = {}
        self._structures = Structure(a), Structure(b)
        self._kept: frozenset[int] = frozenset()

    def follow(self, part: Events) -> None:
        """Judge all pairs, and put the first's arrays in the place of the second's where the two part."""
        while True:
            self.judge_new(doubting=True)
            trusted = self._trusted()
            results = frozenset(outputs(trusted).values())
            found = Search(trusted, self._structures, part, self._kept, results).earliest()
            if not found:
                return
            self.regions = {
                v: r for v, r in self.regions.items() if r.by_place or r.pair.a in trusted.of_a
            }
            for pair in found:
                self.put(pair, part)

    def _trusted(self) -> Alignment:
        """Return the alignment without the pairs that are in doubt."""
        doubtful = _doubtful(self.alignment, self.regions.values())[0]
        quantities = [q for q in self.alignment.quantities if doubtful.isdisjoint(q.a)]
        return replace(self.alignment, quantities=quantities)

    def put(self, pair: Pair, part: Events) -> None:
        """Judge a pair whose numbers differ, and put the first's array in the place of the second's."""
        self.regions[pair.b] = self._placed(self._trusted(), pair, part)
        value = pair.layout.apply(self.alignment.a.events[pair.a].value)
        self._kept |= {pair.b}
        replay = Replay(self.alignment.b, {pair.b: value}, kept=self._kept)
        self.alignment = align(self.alignment.a, replay.finished(), self._kept)

    def judge_new(self, doubting: bool = False) -> None:
        """Judge the pairs that are not judged yet; if `doubting`, not those that are in doubt already."""
        alignment, regions = self.alignment, self.regions
        judge = Judge(alignment)
        seen = {region.pair.a for region in regions.values()}
        doubtful = _doubtful(alignment, regions.values()) if doubting else _NONE
        for quantity in alignment.quantities:
            origins = alignment.origins("a", quantity), alignment.origins("b", quantity)
            for a, b in zip(*origins, strict=False):
                if a in seen or b in regions or a in doubtful[0]:
                    continue
                regions[b] = judge.region(alignment.pair(a, b))
                if doubting and _is_doubted(regions[b]):
                    doubtful = _doubtful(alignment, regions.values())

    def judge_results(self, part: Events) -> None:
        """Judge the results of the two programs that are no pair by their numbers."""
        alignment, regions = self.alignment, self.regions
        for u, v in outputs(alignment).values():
            # The second's may well have a partner: another array than the one that the first returns.
            judged_already = v in regions and regions[v].pair.a == u
            if not judged_already and alignment.of_a.get(u) is not alignment.of_b.get(v, ()):
                near = layouts.nearest(alignment.a.events[u].value, alignment.b.events[v].value)
                if near is not None:
                    regions[v] = self._placed(alignment, Pair(u, v, "float64", near[0]), part)

    def consequences(self) -> list[Region]:
        """Return the regions in order, each with that from which it follows."""
        a = self.alignment.a
        regions = sorted(self.regions.values(), key=lambda region: region.pair.a)
        wrong = [r for r in regions if r.verdict == "disagree"]
        forward = [r for r in wrong if a.events[r.pair.a].phase == "forward"]
        backward = [r for r in wrong if a.events[r.pair.a].phase == "backward"]
        follows: dict[int, Region] = {}
        if forward and backward:
            derivative = Derivative(self.alignment, self._structures[1], forward)
            follows = derivative.followed(backward, self._kept)
        for phase in (forward, backward):
            independent = [r for r in phase if r.pair.b not in follows]
            for region in sorted(independent, key=_begin):
                earlier = sorted(independent, key=_begin)
                first = next(r for r in earlier if r is region or _shares(region, r))
                if first is not region:
                    follows[region.pair.b] = follows.get(first.pair.b, first)
        return [replace(r, follows=follows.get(r.pair.b)) for r in regions]

    def _placed(self, alignment: Alignment, pair: Pair, part: Events) -> Region:
        region = Judge(alignment).region(pair, by_place=True)
        return replace(
            region,
            only_a=_only(alignment.a, alignment.of_a.keys(), region.events_a, pair.a, part[0]),
            only_b=_only(alignment.b, alignment.of_b.keys(), region.events_b, pair.b, part[1]),
        )


def _only(
    recording: Recording,
    known: Iterable[int],
    inner: Sequence[int],
    target: int,
    part: frozenset[int],
) -> tuple[int, ...]:
    """Return the arrays in a region, of its own's phase, that have no partner and nothing with one behind them."""
    phase = recording.events[target].phase
    gone = dead(recording, frozenset(known), part)
    return tuple(
        i
        for i in evidence(recording, gone.intersection(inner) - {target})
        if recording.events[i].phase == phase
    )


def _begin(region: Region) -> tuple[int, int]:
    return region.at_a, region.pair.a


def _shares(one: Region, other: Region) -> bool:
    """Whether two regions go through an array that only one side has: one difference, seen at two places."""
    return any(
        not set(events).isdisjoint(only)
        for events, only in (
            (one.events_a, other.only_a),
            (other.events_a, one.only_a),
            (one.events_b, other.only_b),
            (other.events_b, one.only_b),
        )
    )


# --- Pairs that are equal to six digits only ------------------------------------------------------

_NONE: Events = (frozenset(), frozenset())


def _doubtful(alignment: Alignment, regions: Iterable[Region]) -> Events:
    """Return the pairs that are equal to six digits only, and come behind one that does not agree.

    A small divergence may leave so many digits; a region from before it to far behind it may have no bound.
    """
    wrong = [region.pair for region in regions if _is_doubted(region)]
    coarse = [quantity for quantity in alignment.quantities if quantity.grade == "float32"]
    return (
        _behind(alignment.a, [pair.a for pair in wrong]) & {e for q in coarse for e in q.a},
        _behind(alignment.b, [pair.b for pair in wrong]) & {e for q in coarse for e in q.b},
    )


def _is_doubted(region: Region) -> bool:
    wrong = region.verdict != "agree" and not region.distance.unknown
    return wrong and not region.by_place and region.pair.grade == "float32"


def _behind(recording: Recording, events: Iterable[int]) -> frozenset[int]:
    """Return the events that depend on these, these included."""
    found = set(events)
    for event in recording.events:
        if not found.isdisjoint(event.inputs):
            found.add(event.index)
    return frozenset(found)
