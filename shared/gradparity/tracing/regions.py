"""Judge what lies between the arrays that two recordings have in common.

A region is what lies between an array that both have and the nearest such arrays above it. Both sides' operations are
evaluated from the same inputs, the first recording's, with their rounding bounds: if both compute the same, the results
are no further apart than the sum of the two bounds. Regions are small, and errors do not go from one to the next.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..reference.precision import Precision
from . import layouts
from .alignment import Alignment, Grade, Pair, Quantity, Side, align, is_evidence, shared
from .bounded import Bounded, exact
from .layouts import Layout
from .recording import DERIVED, INPUT, LEAVES, PARAMETER, Event, Recording
from .rules import NoRuleError, as_recorded, evaluate, evaluated

Verdict = Literal["agree", "disagree", "abstain"]
Array = NDArray[Any]

_DOUBLE = Precision.of(np.float64)

SHAPE_ONLY = frozenset(
    {
        *("ones_like", "zeros_like", "empty_like"),
        *("aten.ones_like", "aten.zeros_like", "aten.empty_like", "aten.full_like"),
        *("aten.new_ones", "aten.new_zeros", "aten.new_empty", "aten.new_full"),
    }
)
"""Operations whose results depend on no operand's numbers."""

RANDOM = frozenset(
    {
        *("aten.rand", "aten.randn", "aten.randint", "aten.randperm", "aten.normal"),
        *("aten.rand_like", "aten.randn_like", "aten.randint_like", "aten.bernoulli"),
        *("aten.bernoulli_", "aten.uniform_", "aten.normal_", "aten.random_", "aten.exponential_"),
        *("random_bits", "threefry2x32", "rng_bit_generator", "rng_uniform"),
    }
)
"""Operations that draw numbers: these are taken as they were drawn, like those that a program is given."""

_TRIED = 3
"""How many arrays of the second recording are tried in the place of one of the first that it has not."""

_HORIZON = 64
"""How many events are computed again to see whether what follows is then the same: more than any region has."""

_FRONT = 12
"""How many arrays that only the first recording has are tried, from the earliest on."""


@dataclass(frozen=True)
class Distance:
    """Two arrays that should be equal, judged by the rounding bound.

    Attributes:
        verdict: abstain if no entry says anything, or if an operation has no rule.
        share: the largest |difference| / E; above 1 they differ.
        worst: the index of that entry, in the second array.
        uninformative: how many entries have E ≥ |value|: 0 as far as rounding goes, or no bound at all.
        unknown: operations without a rule.
    """

    verdict: Verdict
    share: float = 0.0
    worst: tuple[int, ...] = ()
    uninformative: int = 0
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True)
class Region:
    """What both sides compute between a pair of arrays and the nearest pairs above.

    Attributes:
        pair: the arrays that it makes.
        inputs: the pairs from which it starts.
        events_a: the first side's operations in it, in order, the last makes the pair's array.
        events_b: those of the second side.
        by_place: True if the numbers differ, and the two are a pair because with the first's numbers in the second's
            place what follows is the same, or because they are outputs of one name.
        only_a: if `by_place`, the first side's arrays in the region, its own apart, of which the second has neither the
            numbers nor those of anything that follows.
    """

    pair: Pair
    inputs: tuple[Pair, ...]
    events_a: tuple[int, ...]
    events_b: tuple[int, ...]
    distance: Distance
    by_place: bool = False
    only_a: tuple[int, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """Whether both sides compute the same."""
        return self.distance.verdict

    @property
    def at_a(self) -> int:
        """Where the first side's way begins that the second does not go."""
        return self.only_a[0] if self.only_a else self.pair.a


@dataclass(frozen=True)
class Own:
    """A recorded array against the operation that made it, evaluated from its recorded operands."""

    side: Side
    event: int
    distance: Distance


@dataclass(frozen=True)
class Output:
    """A result of both programs.

    Attributes:
        name: the first's name for it.
        pair: its events.
        verdict: agree if all the way from the inputs every region agrees; disagree if one does not; else abstain.
        informative: False if the numbers are 0 as far as rounding goes.
    """

    name: str
    pair: tuple[int, int]
    verdict: Verdict
    informative: bool


@dataclass(frozen=True)
class Comparison:
    """Everything that two recordings have in common, judged.

    Attributes:
        alignment: of the first and of the second, with the first's arrays in the place of those that differ.
        regions: in the order of the first.
        own: recorded arrays that are not what their operation makes of its operands.
        outputs: what both programs return.
        unpaired: inputs and parameters of each side that have no partner.
        missing: outputs of each side that the other has not.
    """

    alignment: Alignment
    regions: Sequence[Region]
    own: Sequence[Own]
    outputs: Sequence[Output]
    unpaired: Mapping[Side, tuple[int, ...]]
    missing: Mapping[Side, tuple[str, ...]]
    forward: frozenset[int] = field(repr=False, default=frozenset())

    @cached_property
    def divergences(self) -> Sequence[Region]:
        """The regions that disagree: those on the way to the forward outputs first, each part in order."""
        found = [region for region in self.regions if region.verdict == "disagree"]
        return sorted(found, key=lambda r: (r.pair.a not in self.forward, r.pair.a))

    @property
    def first(self) -> Region | None:
        """The first divergence: on the way to the outputs, or else among the gradients."""
        return self.divergences[0] if self.divergences else None

    @cached_property
    def unknown(self) -> tuple[str, ...]:
        """The operations without a rule that the verdict would need."""
        found = (name for region in self.regions for name in region.distance.unknown)
        return tuple(dict.fromkeys(found))

    @property
    def verdict(self) -> Verdict:
        """Agree only if every output of both is reached by regions that agree, and something in it is informative."""
        if self.divergences or self.own:
            return "disagree"
        whole = not any((*self.unpaired.values(), *self.missing.values()))
        reached = bool(self.outputs) and all(o.verdict == "agree" for o in self.outputs)
        informative = any(output.informative for output in self.outputs)
        return "agree" if whole and reached and informative else "abstain"


def judged(x: Array, y: Array, error: Array) -> Distance:
    """Judge two results by the sum of their bounds."""
    if not x.size:
        return Distance("agree")
    x, y = x.astype(np.float64), y.astype(np.float64)
    same = (x == y) | (np.isnan(x) & np.isnan(y))
    with np.errstate(all="ignore"):
        shares = np.where(same | np.isinf(error), 0.0, np.abs(x - y) / error)
    shares = np.where(np.isnan(shares), np.inf, shares)  # a number here, none there
    blind = (error > 0) & (error >= np.maximum(np.abs(x), np.abs(y)))
    worst = np.unravel_index(int(shares.argmax()), shares.shape)
    share = float(shares[worst])
    verdict: Verdict = "disagree" if share > 1 else "abstain" if blind.all() else "agree"
    return Distance(verdict, share, tuple(int(i) for i in worst), int(blind.sum()))


# --- A recording by itself ------------------------------------------------------------------------


def own(side: Side, recording: Recording) -> Iterator[Own]:
    """Judge every recorded array against its operation, evaluated from its recorded operands."""
    for event in recording.events:
        if _is_given(event) or event.index != event.call:
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


def _is_given(event: Event) -> bool:
    return event.operation in LEAVES or event.operation in RANDOM


def _against(event: Event, result: Bounded) -> Distance:
    # The value that stands for the exact one is itself computed in float64.
    ours = 1 + _DOUBLE.eps / result.precision.eps if result.floating else 1.0
    return judged(result.value, event.value, np.asarray(result.error * ours))


def replayed(
    recording: Recording,
    event: int,
    value: Array,
    part: frozenset[int] | None = None,
    most: int | None = None,
) -> Recording:
    """Return what a recording would be with this value in an event's place.

    Arrays that depend on it through an operation without a rule become NaN: unknown.

    Args:
        recording: as it was.
        event: the index of the event.
        value: the new one.
        part: the events to compute again, if they depend on it; all others stay as they were.
        most: how many events are computed again, the next ones; the others stay as they were.
    """
    events = list(recording.events)
    events[event] = replace(events[event], value=value.astype(events[event].value.dtype))
    changed = {event}
    for one in recording.events[event + 1 :]:
        if most is not None and len(changed) > most:
            break
        results = one.index == one.call and _results(one.call, recording)
        if not results or one.operation in RANDOM or changed.isdisjoint(one.inputs):
            continue
        if part is not None and part.isdisjoint(results):
            continue
        try:
            values = evaluate(recording, one.call, lambda i: as_recorded(events[i].value))
        except NoRuleError:
            values = ()
        for n, index in enumerate(results):
            kept = events[index].value
            new = values[n].value if n < len(values) else np.full(kept.shape, np.nan)
            events[index] = replace(events[index], value=np.asarray(new))
        changed.update(results)
    return replace(recording, events=tuple(events))


def _results(call: int, recording: Recording) -> range:
    """Return the events that a call made."""
    end = call + 1
    while end < len(recording.events) and recording.events[end].call == call:
        end += 1
    return range(call, end)


# --- Regions --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Cut:
    """A region on one side: the events that go in, by quantity, other leaves, and the operations, in order."""

    inputs: Mapping[int, Quantity]
    inner: tuple[int, ...]


class _Judge:
    """Judges the regions of an alignment."""

    def __init__(self, alignment: Alignment) -> None:
        self._alignment = alignment
        self._of = {"a": alignment.of_a, "b": alignment.of_b}
        self._recordings = {"a": alignment.a, "b": alignment.b}
        self._origins: dict[tuple[Side, int], bool] = {}
        self._ancestors: dict[tuple[Side, int], frozenset[int]] = {}

    def region(self, pair: Pair, by_place: bool = False) -> Region:
        """Judge what makes a pair."""
        a, b = self._alignment.a, self._alignment.b
        if _is_given(a.events[pair.a]) and _is_given(b.events[pair.b]):
            x, y = pair.layout.apply(a.events[pair.a].value), b.events[pair.b].value
            same = judged(x, y, np.zeros(y.shape))
            return Region(pair, (), (), (), same, by_place)
        cuts = self._cuts(pair)
        found = self._between(pair, *next(cuts), by_place)
        if found.verdict != "agree":
            larger = list(cuts)
            for cut_a, cut_b in larger[-1:] if by_place else _doubling(larger):
                found = self._between(pair, cut_a, cut_b, by_place)
                if found.verdict == "agree":
                    break
        return found

    def above(self, side: Side, event: int) -> frozenset[int]:
        """Return the nearest quantities above an event, by their identity."""
        return frozenset(id(quantity) for quantity in self._cut(side, event, set()).inputs.values())

    def _between(self, pair: Pair, cut_a: _Cut, cut_b: _Cut, by_place: bool) -> Region:
        inputs = tuple(self._inputs(cut_a, cut_b))
        given_a = {i: as_recorded(self._alignment.a.events[i].value) for i in cut_a.inputs}
        given_b = {one.b: self._laid_out(one) for one in inputs}
        results, sizes, unknown = [], [], []
        for recording, cut, given, target in (
            (self._alignment.a, cut_a, given_a, pair.a),
            (self._alignment.b, cut_b, given_b, pair.b),
        ):
            try:
                values = evaluated(recording, cut.inner, given)
                results.append(values[target])
                sizes.append(_size_of_terms(recording, target, values))
            except NoRuleError as error:
                unknown.append(error.operation)
        if unknown:
            distance = Distance("abstain", unknown=tuple(unknown))
        else:
            x, y = results
            moved = replace(x, value=pair.layout.apply(x.value), error=pair.layout.apply(x.error))
            distance = judged(moved.value, y.value, moved.error + y.error)
            if distance.verdict == "abstain" and self._is_zero(results, sizes):
                distance = replace(distance, verdict="agree")
        return Region(pair, inputs, cut_a.inner, cut_b.inner, distance, by_place)

    def _is_zero(self, results: Sequence[Bounded], sizes: Sequence[float]) -> bool:
        """Whether both are 0 as far as rounding goes: they and their bounds are far below the terms that cancel."""
        return all(
            np.abs(result.value).max() + result.error.max()
            <= size * self._alignment.tolerances[_grade(result.precision)]
            for result, size in zip(results, sizes, strict=True)
        )

    def _laid_out(self, one: Pair) -> Bounded:
        value = self._alignment.a.events[one.a].value
        return exact(
            one.layout.apply(value), as_recorded(self._alignment.b.events[one.b].value).precision
        )

    def _inputs(self, cut_a: _Cut, cut_b: _Cut) -> Iterator[Pair]:
        """Yield what goes in on the second side, each with the first's event of the same numbers."""
        of = {id(quantity): event for event, quantity in cut_a.inputs.items()}
        for event, quantity in cut_b.inputs.items():
            yield self._alignment.pair(of.get(id(quantity), quantity.a[0]), event)

    def _cuts(self, pair: Pair) -> Iterator[tuple[_Cut, _Cut]]:
        """Yield the region on both sides, growing.

        Where one side starts from an array, and the other from what that array is made of, the first has a rounding
        error more: that of the recorded array. Then the region grows there, from the latest array on, until both sides
        start from the same ones. What the other side does not use at all stays an input.
        """
        closed = {id(q) for q in (self._of["a"].get(pair.a), self._of["b"].get(pair.b)) if q}
        while True:
            cuts = self._cut("a", pair.a, closed), self._cut("b", pair.b, closed)
            yield cuts
            uneven = [*self._uneven("a", *cuts), *self._uneven("b", *reversed(cuts))]
            if not uneven:
                return
            closed.add(id(max(uneven, key=lambda quantity: quantity.a[0])))

    def _uneven(self, side: Side, own: _Cut, other: _Cut) -> Iterator[Quantity]:
        """Yield the inputs of one side that the other computes from its own."""
        recording = self._recordings[side]
        theirs = {id(quantity) for quantity in other.inputs.values()}
        given = {e for q in other.inputs.values() for e in (q.a if side == "a" else q.b)}
        for event, quantity in own.inputs.items():
            alone = id(quantity) not in theirs and not _is_given(recording.events[event])
            if alone and not given.isdisjoint(self._above(side, event)):
                yield quantity

    def _above(self, side: Side, event: int) -> frozenset[int]:
        if (side, event) not in self._ancestors:
            recording = self._recordings[side]
            self._ancestors[side, event] = recording.needed_for([event])
        return self._ancestors[side, event]

    def _cut(self, side: Side, target: int, closed: set[int]) -> _Cut:
        recording, of = self._recordings[side], self._of[side]
        inputs: dict[int, Quantity] = {}
        inner, left = {target}, [target]
        while left:
            event = recording.events[left.pop()]
            for i in () if event.operation in SHAPE_ONLY else event.inputs:
                quantity = of.get(i)
                leaf = _is_given(recording.events[i])
                if quantity is not None and (
                    leaf or (id(quantity) not in closed and self._is_origin(side, i, quantity))
                ):
                    inputs[i] = quantity
                elif i not in inner and not leaf:
                    inner.add(i)
                    left.append(i)
        return _Cut(dict(sorted(inputs.items())), tuple(sorted(inner)))

    def _is_origin(self, side: Side, event: int, quantity: Quantity) -> bool:
        if (side, event) not in self._origins:
            for one in self._alignment.origins(side, quantity):
                self._origins[side, one] = True
        return self._origins.setdefault((side, event), False)


def _grade(precision: Precision) -> Grade:
    return "float64" if precision.eps <= _DOUBLE.eps else "float32"


def _size_of_terms(recording: Recording, event: int, values: Mapping[int, Bounded]) -> float:
    """Return the largest number of which an array is made: of the nearest arrays above that are not 0 up to E."""
    largest, seen, left = 0.0, {event}, [event]
    while left:
        for i in recording.events[left.pop()].inputs:
            operand = values.get(i)
            if operand is None or not operand.floating or not operand.size or i in seen:
                continue
            seen.add(i)
            size = np.abs(operand.value)
            if (operand.error < size).any():
                largest = max(largest, float(size.max()))
            else:
                left.append(i)
    return largest


def _doubling(cuts: Sequence[tuple[_Cut, _Cut]]) -> Iterator[tuple[_Cut, _Cut]]:
    """Yield the first, second, fourth, eighth, ..., and the last."""
    size = 1
    while size < len(cuts):
        yield cuts[size - 1]
        size *= 2
    yield from cuts[-1:]


def compare(a: Recording, b: Recording) -> Comparison:
    """Align two recordings and judge every region, in the order of the first.

    Where the second goes another way, the first's array is put in the place of the second's, and the rest of the second
    is computed again from there: so the next, independent divergence is found, too.
    """
    wrong = [
        one
        for side, recording in (("a", a), ("b", b))
        for one in own("a" if side == "a" else "b", recording)
        if one.distance.verdict == "disagree"
    ]
    alignment = align(a, b)
    regions: dict[int, Region] = {}
    forward = a.needed_for(_ends(a, forward=True)), b.needed_for(_ends(b, forward=True))
    whole = a.needed_for(_ends(a)), b.needed_for(_ends(b))
    for part in (forward, whole):
        while True:
            _judge_new(alignment, regions, doubting=part is forward)
            # In the backward pass, where each array is the sum of several, the coarse pairs are better than none.
            doubtful = _doubtful(alignment, regions.values() if part is forward else ())
            found = _diverged(alignment, part, doubtful)
            if found is None or (found[0].b in regions and regions[found[0].b].by_place):
                break
            pair, following = found
            regions = {
                v: r for v, r in regions.items() if r.by_place or r.pair.a not in doubtful[0]
            }
            regions[pair.b] = _placed(alignment, pair, part[0])
            alignment = following
    _judge_new(alignment, regions)
    pairs = _outputs(alignment)
    for u, v in pairs.values():
        # The second's may well have a partner: another array than the one that the first returns.
        judged_already = v in regions and regions[v].pair.a == u
        if not judged_already and alignment.of_a.get(u) is not alignment.of_b.get(v, ()):
            near = layouts.nearest(a.events[u].value, b.events[v].value)
            if near is not None:
                regions[v] = _placed(alignment, Pair(u, v, "float64", near[0]), whole[0])
    ordered = sorted(regions.values(), key=lambda region: region.pair.a)
    return Comparison(
        alignment,
        ordered,
        wrong,
        list(_reached(alignment, ordered, pairs)),
        {"a": _unpaired(alignment, "a"), "b": _unpaired(alignment, "b")},
        {
            "a": tuple(name for name in a.outputs if name not in pairs),
            "b": tuple(n for n, e in b.outputs.items() if e not in {v for _, v in pairs.values()}),
        },
        forward[0],
    )


def _judge_new(alignment: Alignment, regions: dict[int, Region], doubting: bool = False) -> None:
    """Judge the pairs that are not judged yet; if `doubting`, not those that are in doubt already."""
    judge = _Judge(alignment)
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


def _placed(alignment: Alignment, pair: Pair, part: frozenset[int]) -> Region:
    """Judge a pair whose numbers differ."""
    region = _Judge(alignment).region(pair, by_place=True)
    events, phase = alignment.a.events, alignment.a.events[pair.a].phase
    only_a = tuple(
        i
        for i in _dead(alignment.a, alignment.of_a, part)
        if i in region.events_a and i != pair.a and events[i].phase == phase
    )
    return replace(region, only_a=only_a)


def _ends(recording: Recording, forward: bool = False) -> list[int]:
    named = recording.outputs.items()
    return [event for name, event in named if not (forward and name.startswith(DERIVED))]


def _unpaired(alignment: Alignment, side: Side) -> tuple[int, ...]:
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


def _outputs(alignment: Alignment) -> dict[str, tuple[int, int]]:
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


def _reached(
    alignment: Alignment, regions: Iterable[Region], pairs: Mapping[str, tuple[int, int]]
) -> Iterator[Output]:
    """Follow each output up to the inputs."""
    by_b: dict[int, Region] = {}
    for region in regions:
        quantity = alignment.of_b.get(region.pair.b)
        for event in quantity.b if quantity else (region.pair.b,):
            by_b.setdefault(event, region)
    verdicts: dict[int, Verdict] = {}
    for region in sorted(by_b.values(), key=lambda region: region.pair.b):
        above = [verdicts.get(one.b, "abstain") for one in region.inputs]
        verdicts_here: list[Verdict] = [region.verdict, *above]
        quantity = alignment.of_b.get(region.pair.b)
        for event in quantity.b if quantity else (region.pair.b,):
            verdicts.setdefault(event, _worst(verdicts_here))
    for name, (u, v) in pairs.items():
        region_of = by_b.get(v)
        blind = region_of is None or region_of.distance.uninformative == (
            alignment.b.events[v].value.size
        )
        same = alignment.of_a.get(u) is alignment.of_b.get(v, ())
        with_each_other = same or (region_of is not None and region_of.pair.a == u)
        verdict = verdicts.get(v, "abstain") if with_each_other else "abstain"
        yield Output(name, (u, v), verdict, not blind)


def _worst(verdicts: Sequence[Verdict]) -> Verdict:
    order: tuple[Verdict, ...] = ("disagree", "abstain", "agree")
    return next(verdict for verdict in order if verdict in verdicts)


# --- Where the two part ---------------------------------------------------------------------------


Events = tuple[frozenset[int], frozenset[int]]
"""Events of both sides."""

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


def _diverged(
    alignment: Alignment, part: Events, doubtful: Events
) -> tuple[Pair, Alignment] | None:
    """Return the earliest arrays that take each other's place, though their numbers differ; None if there are none.

    Of the arrays behind which there is nothing that both have, those of the same size are tried, the likeliest first:
    the first's numbers are put in the second's place. If more of the first's arrays then have partners, this is it.

    Returns:
        the pair, and the alignment from then on.
    """
    left_a = _dead(alignment.a, alignment.of_a.keys() - doubtful[0], part[0])
    left_b = _dead(alignment.b, alignment.of_b.keys() - doubtful[1], part[1])
    judge, tolerance = _Judge(alignment), alignment.tolerances["float64"]
    ends = set(_outputs(alignment).values())
    for u in left_a[:_FRONT]:
        x = alignment.a.events[u].value
        others = set(left_a) - shared(alignment.a, alignment.a, left_a, [u], tolerance)
        for v, layout in _places(alignment, judge, u, left_b)[:_TRIED]:
            value = layout.apply(x)
            state = replayed(alignment.b, v, value, part[1], _HORIZON)
            new = [i for i in left_b if i > v and state.events[i] is not alignment.b.events[i]]
            if shared(alignment.a, state, others, new, tolerance) or (u, v) in ends:
                following = align(alignment.a, replayed(alignment.b, v, value))
                return Pair(u, v, "float64", layout), following
    return None


def _places(
    alignment: Alignment, judge: _Judge, u: int, left: Sequence[int]
) -> list[tuple[int, Layout]]:
    """Return the arrays of the second whose place one of the first may take, the likeliest first.

    They have the same size. The more of the nearest known arrays above they have in common, the likelier; then, the
    nearer their numbers are.
    """
    x, above = alignment.a.events[u].value, judge.above("a", u)
    found = []
    for v in left:
        near = layouts.nearest(x, alignment.b.events[v].value)
        if near is not None:
            theirs = judge.above("b", v)
            common = len(above & theirs) / max(len(above | theirs), 1)
            found.append((-common, near[1], v, near[0]))
    found.sort(key=lambda one: one[:3])
    return [(v, layout) for _, _, v, layout in found]


def _dead(recording: Recording, known: Collection[int], part: frozenset[int]) -> list[int]:
    """Return the arrays on the way to the outputs that have no partner, and nothing with one behind them."""
    alive: set[int] = set()
    for i in sorted(part, reverse=True):
        if i in known or not alive.isdisjoint(recording.users[i]):
            alive.add(i)
    return [
        i
        for i in sorted(part - alive)
        if i in recording.from_inputs and is_evidence(recording.events[i])
    ]
