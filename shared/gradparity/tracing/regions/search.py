"""Where two recordings part: which array of the second stands in the place of one of the first, with other numbers.

That two arrays are in each other's place is never read off names or lines: the first's numbers are put in the second's
place, and the second is computed again from there. If what it then makes is what the first makes, this is the place.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from weakref import WeakKeyDictionary

from .. import layouts
from ..alignment import Alignment, Index, Pair, Side
from ..layouts import Layout
from ..recording import LEAVES, Event
from .judge import Judge
from .recorded import Replay, is_given
from .results import Array
from .structure import Structure, computed, dead

Events = tuple[frozenset[int], frozenset[int]]
"""Events of both sides."""

_START = 4
"""How many arrays, places and events the first round of a search covers; each round covers twice as many."""

_FURTHER = 4
"""Where one place meets, all are tried so much further, and the one that meets most is it: sums of cotangents, which
are gradients of biases, come out in wrong places, too."""


@dataclass(frozen=True)
class Place:
    """An array of the second recording in whose place one of the first may be.

    Attributes:
        b: its event.
        layout: makes its numbers of the first's.
        alike: whether both are made of the same known arrays.
    """

    b: int
    layout: Layout
    alike: bool = False


class _Probe:
    """Arrays of the first in places of the second: computed on, event by event.

    Attributes:
        steps: how many events have been computed.
        ended: whether there are no more.
        met: those events of the first, of the ones that are sought, whose numbers have come out.
    """

    def __init__(self, replay: Replay, index: Index, sought: frozenset[int]) -> None:
        self._left, self._index, self._sought = iter(replay), index, sought
        self.steps, self.ended = 0, False
        self.met: set[int] = set()

    def run(self, most: int) -> None:
        """Compute on, up to this many events in all."""
        while not self.ended and self.steps < most:
            event = next(self._left, None)
            self.ended = event is None
            if event is not None:
                self.steps += 1
                self.met |= self._sought.intersection(self._index.holding(event))

    def meets(self) -> bool:
        """Compute on until one comes out; whether one does."""
        while not self.met and not self.ended:
            self.run(self.steps + 1)
        return bool(self.met)


_NEAREST: WeakKeyDictionary[Event, WeakKeyDictionary[Event, tuple[Layout, float] | None]] = (
    WeakKeyDictionary()
)


def _nearest(one: Event, other: Event) -> tuple[Layout, float] | None:
    """Return the layout that brings an array nearest to another one, and how near; each pair is looked at once."""
    if one.value.size != other.value.size:
        return None
    known = _NEAREST.setdefault(one, WeakKeyDictionary())
    if other not in known:
        known[other] = layouts.nearest(one.value, other.value)
    return known[other]


class Search:
    """Looks for the places where the two recordings part, as far as they are known to agree.

    Args:
        alignment: what they have in common, as far as it is trusted.
        structures: of both recordings.
        part: the events among which it looks.
        kept: events of the second that have been given the first's numbers already.
        ends: pairs of results of the two programs: these are in each other's place.
    """

    def __init__(
        self,
        alignment: Alignment,
        structures: tuple[Structure, Structure],
        part: Events,
        kept: Collection[int],
        ends: Collection[tuple[int, int]],
    ) -> None:
        self._alignment, self._part, self._kept, self._ends = alignment, part, kept, ends
        self._a, self._b = structures
        self._judge = Judge(alignment)
        self._dead = (
            dead(alignment.a, alignment.of_a.keys(), part[0]),
            dead(alignment.b, alignment.of_b.keys(), part[1]),
        )
        self._left_a = computed(alignment.a, self._dead[0])
        self._left_b = computed(alignment.b, self._dead[1])
        self._index = Index(alignment.a, self._left_a, alignment.tolerances["float64"])
        self._index_b = Index(alignment.b, self._left_b, alignment.tolerances["float64"])
        self._open_a, self._open_b = self._open(0), self._open(1)
        self._known: dict[int, list[Place]] = {}
        self._behind: dict[int, frozenset[int]] = {}
        self._work = 0

    def earliest(self) -> list[Pair]:
        """Return the earliest arrays that take each other's place, in order; several if only together they do."""
        met = (self._met(candidates) for candidates in self._candidates())
        found = next((one for one in met if one is not None), None) or self._end()
        return [] if found is None else self._earlier(*found)

    # --- The first two that meet ---

    def _met(self, candidates: Mapping[int, Sequence[Place]]) -> tuple[int, Place] | None:
        """Try arrays of the first in places of the second, the earliest and likeliest first, each a little further.

        The search ends with as many events computed as the second recording has.
        """
        probes: dict[tuple[int, int], _Probe] = {}
        self._work = len(self._alignment.b.events)
        for size in (_START << n for n in count()):
            unended = len(candidates) > size
            for u in list(candidates)[:size]:
                places = candidates[u][:size]
                unended |= len(candidates[u]) > size
                for place in places:
                    if (u, place.b) not in probes:
                        value = {place.b: self._value(u, place)}
                        probes[u, place.b] = self._probe(value, self._behind_of(u))
                here = [probes[u, place.b] for place in places]
                self._run(here, size)
                if any(probe.met for probe in here):
                    self._run(here, _FURTHER * size)
                    return u, max(places, key=lambda place: len(probes[u, place.b].met))
                unended |= any(not probe.ended for probe in here)
                if self._work < 0:
                    return None
            if not unended:
                break
        return None

    def _candidates(self) -> Iterator[Mapping[int, Sequence[Place]]]:
        """Yield what may be in whose place: of what is made of the same known arrays the last, then all, then any."""
        last_a, last_b = self._last("a", self._left_a), self._last("b", self._left_b)
        last = {
            last_a[above]: [place for place in self._places(last_a[above]) if place.b == v]
            for above, v in last_b.items()
            if above in last_a
        }
        yield dict(sorted(last.items()))
        yield {u: [place for place in self._places(u) if place.alike] for u in self._left_a}
        yield {u: self._places(u) for u in self._left_a}

    def _run(self, probes: Iterable[_Probe], most: int) -> None:
        for probe in probes:
            before = probe.steps
            probe.run(most)
            self._work -= probe.steps - before

    def _end(self) -> tuple[int, Place] | None:
        """Return the first two results of the programs that have no partner."""
        for u, v in sorted(self._ends):
            if u in self._dead[0] and v not in self._kept:
                near = layouts.nearest(
                    self._alignment.a.events[u].value, self._alignment.b.events[v].value
                )
                if near is not None:
                    return u, Place(v, near[0])
        return None

    def _places(self, u: int) -> list[Place]:
        """Return the places in the second that one of the first may take, the likeliest first.

        They have the same size. The more of the nearest known arrays above they have in common, and the nearer their
        numbers are, the likelier.
        """
        if u not in self._known:
            above = self._above_a(u)
            likely = []
            for v, layout, distance in self._of_size(u, self._left_b):
                theirs = self._above_b(v)
                common = len(above & theirs) / max(len(above | theirs), 1)
                place = Place(v, layout, common == 1)
                likely.append(((1 - common) * distance, distance, v, place))
            likely.sort(key=lambda one: one[:3])
            self._known[u] = [place for *_, place in likely]
        return self._known[u]

    def _of_size(self, u: int, places: Iterable[int]) -> Iterator[tuple[int, Layout, float]]:
        one = self._alignment.a.events[u]
        for v in places:
            other = self._alignment.b.events[v]
            leaf = one.operation in LEAVES or other.operation in LEAVES
            named = (one.operation, one.name) == (other.operation, other.name)
            near = None
            if v not in self._kept and (named or not leaf):
                near = _nearest(one, other)
            if near is not None:
                yield v, *near

    def _instead(self, u: int, within: frozenset[int]) -> list[Place]:
        """Return the places where one side may use an array that both have, and the other what it makes of it.

        Nothing that both have is made of that array, if the two part here: a term that is left out, or one too many.
        """
        if u in self._alignment.of_a:
            known = id(self._alignment.of_a[u])
            places = [v for v in self._left_b if v in within and known in self._above_b(v)]
        else:
            known_above = self._above_a(u)
            places = [v for v in self._open_b if v in within and known_above & self._above_b(v)]
        return [Place(v, layout) for v, layout, _ in self._of_size(u, places)]

    def _above_a(self, u: int) -> frozenset[int]:
        quantity = self._alignment.of_a.get(u)
        return frozenset([id(quantity)]) if quantity else self._judge.above("a", u)

    def _above_b(self, v: int) -> frozenset[int]:
        quantity = self._alignment.of_b.get(v)
        return frozenset([id(quantity)]) if quantity else self._judge.above("b", v)

    def _open(self, side: int) -> list[int]:
        """Return the arrays that have a partner, and of which nothing is made that has one."""
        recording = (self._alignment.a, self._alignment.b)[side]
        gone, part = self._dead[side], self._part[side]
        found = []
        for quantity in self._alignment.quantities:
            mates = set((quantity.a, quantity.b)[side])
            made = min(mates)
            behind = {i for mate in mates for i in recording.users[mate]} & part - mates
            if behind and behind <= gone and made in part and not is_given(recording.events[made]):
                found.append(made)
        return found

    # --- The earliest ---

    def _earlier(self, u: int, place: Place) -> list[Pair]:
        """Return the earliest arrays between the known ones and these that take each other's place."""
        above, within = self._a.above(u), self._b.above(place.b)
        self._work = len(self._alignment.b.events)
        goal = frozenset(self._index.holding(self._alignment.a.events[u]))
        events = self._alignment.a.events
        for one in sorted({*self._left_a, *self._open_a}.intersection(above) - {u}):
            if events[one].phase != events[u].phase:
                continue
            tries = [(other, goal) for other in self._instead(one, within)]
            if one not in self._alignment.of_a:
                behind = self._behind_of(one)
                places = [other for other in self._places(one) if other.b in within][:_START]
                tries = [*((other, behind) for other in places if other.b != place.b), *tries]
            for other, sought in tries:
                probe = self._probe({other.b: self._value(one, other)}, sought, within)
                if self._work > 0 and probe.meets():
                    return self._earlier(one, other)
                self._work -= probe.steps
        together = self._together(u, place, within)
        return together or [Pair(u, place.b, "float64", place.layout)]

    def _together(self, u: int, place: Place, within: frozenset[int]) -> list[Pair]:
        """Return arrays that have to be put in their places at once: queries and keys, both turned wrongly.

        For each choice of known arrays above, the last that is made of these alone.
        """
        if u in self._alignment.of_a:
            return []
        whole = self._above_a(u)
        last_a = self._last("a", [i for i in self._left_a if self._a.depends(u, i) and i != u])
        last_b = self._last("b", [v for v in self._left_b if v in within and v != place.b])
        pairs = []
        for above in last_a.keys() & last_b.keys():
            one = last_a[above]
            found = next((p for p in self._places(one) if p.b == last_b[above]), None)
            if above < whole and found is not None:
                pairs.append((one, found))
        values = {other.b: self._value(one, other) for one, other in pairs}
        if len(values) < 2:
            return []
        behind = frozenset.intersection(*(self._behind_of(one) for one, _ in pairs))
        if not self._probe(values, behind, within).meets():
            return []
        return sorted(
            (Pair(one, other.b, "float64", other.layout) for one, other in pairs),
            key=lambda pair: pair.b,
        )

    def _last(self, side: Side, events: Iterable[int]) -> Mapping[frozenset[int], int]:
        """Return, for each choice of nearest known arrays above, the last that has these: where it is made."""
        above, index = self._judge.above, self._index if side == "a" else self._index_b
        recording = self._alignment.a if side == "a" else self._alignment.b
        last = {above(side, i): i for i in events}
        return {a: min(index.holding(recording.events[i]), default=i) for a, i in last.items()}

    # --- Both ---

    def _value(self, u: int, place: Place) -> Array:
        return place.layout.apply(self._alignment.a.events[u].value)

    def _probe(
        self,
        values: Mapping[int, Array],
        sought: frozenset[int],
        within: frozenset[int] | None = None,
    ) -> _Probe:
        part = self._part[1] if within is None else within
        return _Probe(Replay(self._alignment.b, values, part, self._kept), self._index, sought)

    def _behind_of(self, u: int) -> frozenset[int]:
        """Return the arrays without a partner that are made of one, but for copies of it."""
        if u not in self._behind:
            same = set(self._index.holding(self._alignment.a.events[u]))
            self._behind[u] = frozenset(
                i for i in self._left_a if i not in same and self._a.depends(i, u)
            )
        return self._behind[u]
