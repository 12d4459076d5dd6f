"""The same numbers, taken in another order on the way: heads split otherwise, axes exchanged, gates permuted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice, permutations, product

import numpy as np

from ...tracing import layouts
from ...tracing.alignment import Side
from ...tracing.bounded import Bounded
from ...tracing.layouts import Layout
from ...tracing.rules import NoRuleError
from ..counterfactual import Change
from ..result import Cause
from . import relations, signatures
from .bench import ENOUGH, MOVES_ONLY, SIDES, Bench, Found, Spot

_MOST_CHOICES = 24


def find(bench: Bench) -> Found | None:
    """Return which arrays of the second have the numbers of the first's in another order."""
    choices = _choices(bench)
    if not choices:
        return None
    for chosen in islice(_sets(choices), _MOST_CHOICES):
        if bench.agrees_with("b", {spot.b: spot.x for spot in chosen}):
            return _told(bench, chosen)
    return None


def _told(bench: Bench, chosen: Sequence[Spot]) -> Found | None:
    told = list(dict.fromkeys(_words(bench, spot) for spot in chosen))
    name, original, port = told[0]
    if len({one[0] for one in told}) > 1:
        name = "the same numbers in another order"
    cause = Cause(
        name,
        original,
        port,
        "in the original's order the two agree",
        bench.places([spot.a for spot in chosen], [spot.b for spot in chosen]),
    )
    return Found(cause, (Change("b", values={spot.b: spot.x.value for spot in chosen}),))


def _words(bench: Bench, spot: Spot) -> tuple[str, str, str]:
    """Return what is in another order, and how each side lays out the array from which both come."""
    events, values = bench.recording("b").events, bench.values("b")
    root = spot.b
    while events[root].operation in MOVES_ONLY and events[root].inputs[0] in values:
        root = events[root].inputs[0]
    x, y, of = spot.x, spot.y, values[root].value
    error = float((x.error + y.error).max())
    if of.size == y.size:
        layout_x, layout_y = (layouts.find(of, one.value, error) for one in (x, y))
        if layout_x and layout_y and layout_x.explained and layout_y.explained:
            split = layout_x.shape != layout_y.shape
            name = "an axis is split in another order" if split else "axes are exchanged"
            if layout_x.index == layout_y.index:
                return name, str(layout_x), str(layout_y)
    layout = layouts.find(y.value, x.value, error)
    if layout is None:
        return "the same numbers in another order", "", ""
    name, port = relations.named(layout, spot)
    return name, "", port


def _choices(bench: Bench) -> list[list[Spot]]:
    """Return the first arrays of the second's region that have another order, and what may stand in their place."""
    of_a, of_b = bench.values("a"), bench.values("b")
    events = bench.recording("b").events
    found: dict[int, list[Spot]] = {}
    behind: set[int] = set()
    for j in bench.trial.events("b"):
        if not behind.isdisjoint(events[j].inputs):
            behind.add(j)
            continue
        y = of_b.get(j)
        if y is None or j == bench.region.pair.b or relations.distinct(y) < ENOUGH:
            continue
        fitting: list[Spot] = []
        for i, x in sorted(of_a.items()):
            if i == bench.region.pair.a or x.shape != y.shape or not _reordered(x, y):
                continue
            if not any(np.array_equal(x.value, one.x.value) for one in fitting):
                fitting.append(Spot(i, j, x, y))
        if fitting:
            found[j] = fitting
            behind.add(j)
    return list(found.values())


def _reordered(x: Bounded, y: Bounded) -> bool:
    if not (x.floating and y.floating):
        return False
    error = float((x.error + y.error).max(initial=0.0))
    if not (np.abs(np.sort(x.value, axis=None) - np.sort(y.value, axis=None)) <= error).all():
        return False
    return bool((np.abs(x.value - y.value) > error).any())


def _sets(choices: Sequence[Sequence[Spot]]) -> Iterator[tuple[Spot, ...]]:
    """Yield what is changed at once: one array, or one of each."""
    for fitting in choices:
        for spot in fitting:
            yield (spot,)
    if len(choices) > 1:
        yield from product(*choices)


# --- Parts of one array ---------------------------------------------------------------------------


def parts(bench: Bench) -> Found | None:
    """Return which parts of an array are taken for one another: the gates of an LSTM."""
    for side in SIDES:
        for group in _groups(bench, side):
            values = bench.values(side)
            for order in islice(permutations(group), 1, _MOST_CHOICES):
                put = {
                    event: values[taken]
                    for event, taken in zip(group, order, strict=True)
                    if event != taken
                }
                if bench.agrees_with(side, put):
                    return _told_parts(bench, side, group, order)
    return None


def _groups(bench: Bench, side: Side) -> Iterator[list[int]]:
    """Yield the arrays in a region that are parts of the same one: results of a split, slices, what is made of each."""
    events, values = bench.recording(side).events, bench.values(side)
    roots: dict[tuple[int, tuple[int, ...]], list[int]] = {}
    for event in sorted(values):
        one = events[event]
        if signatures.short(one) in _SPLITS and one.inputs and values[event].floating:
            roots.setdefault((one.inputs[0], values[event].shape), []).append(event)
    for group in roots.values():
        if 2 <= len(group) <= 4:
            yield group
    given = [one.b if side == "b" else one.a for one in bench.region.inputs]
    by_shape: dict[tuple[int, ...], list[int]] = {}
    for event in given:
        if event in values and values[event].floating and values[event].size > 1:
            by_shape.setdefault(values[event].shape, []).append(event)
    for group in by_shape.values():
        if 2 <= len(group) <= 4:
            yield sorted(group)


_SPLITS = frozenset(
    [
        "split",
        "unsafe_split",
        "split_with_sizes",
        "slice",
        "select",
        "chunk",
        "unsafe_chunk",
        "index_in_dim",
        "unbind",
    ]
)


def _told_parts(bench: Bench, side: Side, group: Sequence[int], order: Sequence[int]) -> Found:
    number = {event: n for n, event in enumerate(group)}
    right = ", ".join(str(number[event]) for event in order)
    own = ", ".join(str(n) for n in range(len(group)))
    are_parts = len({part_of(bench, side, event) for event in group} | {None}) == 2
    name = "parts of an array in another order" if are_parts else "arrays are exchanged"
    original, port = (right, own) if side == "b" else (own, right)
    values = bench.values(side)
    put: Mapping[int, np.ndarray] = {
        event: values[taken].value
        for event, taken in zip(group, order, strict=True)
        if event != taken
    }
    other: Side = "a" if side == "b" else "b"
    cause = Cause(
        name,
        original,
        port,
        f"taken in the order {right} the two agree",
        bench.at(side, list(put), [bench.trial.result(other)]),
    )
    inner = set(bench.trial.events(side))
    return Found(cause, (Change(side, values=put),) if inner.issuperset(put) else ())


def part_of(bench: Bench, side: Side, event: int) -> int | None:
    """Return the array of which one is a part, or a function of a part; None if it is of none."""
    events = bench.recording(side).events
    for _ in range(_FAR):
        one = events[event]
        if signatures.short(one) in _SPLITS and one.inputs:
            return one.inputs[0]
        if len(one.inputs) != 1:
            return None
        event = one.inputs[0]
    return None


_FAR = 8
"""Through how many operations a part of an array is followed."""


# --- Pairs, as in a rotary embedding --------------------------------------------------------------


def pairs(bench: Bench) -> Found | None:
    """Return whether halves of an array are taken together on one side, neighbours on the other."""
    return _other_part(bench) or _pairs_of_all(bench)


def _other_part(bench: Bench) -> Found | None:
    """Tell two results that are different parts of an array that goes in on both sides."""
    spot = bench.spots[-1]
    values = bench.values("b")
    for one in bench.region.inputs:
        whole = values.get(one.b)
        if whole is None or whole.size <= spot.y.size or not whole.floating:
            continue
        found = [layouts.find(whole.value, part.value) for part in (spot.x, spot.y)]
        if None in found or not all(layout and layout.explained for layout in found):
            continue
        kinds = [_kind_of(layout) for layout in found if layout]
        name = "another part of an array goes in"
        told = [str(layout) for layout in found]
        if None not in kinds and kinds[0] != kinds[1]:
            name, told = "how an axis is taken in pairs", [str(kind) for kind in kinds]
        remedy = f"with {told[0]} the two agree"
        cause = Cause(name, told[0], told[1], remedy, bench.places([spot.a], [spot.b]))
        return Found(cause, (Change("b", values={spot.b: spot.x.value}),))
    return None


def _pairs_of_all(bench: Bench) -> Found | None:
    for of_a in _twos(bench, "a"):
        for of_b in _twos(bench, "b"):
            x, y = bench.values("a"), bench.values("b")
            kinds = _kind(bench, "a", of_a), _kind(bench, "b", of_b)
            if None in kinds or kinds[0] == kinds[1] or x[of_a[0]].shape != y[of_b[0]].shape:
                continue
            try:
                put = {j: x[i] for i, j in zip(of_a, of_b, strict=True)}
                made = bench.trial.with_arrays("b", put)[bench.region.pair.b]
            except NoRuleError:
                continue
            target = x[bench.region.pair.a]
            if _has_numbers_of(made, target):
                cause = Cause(
                    "how an axis is taken in pairs",
                    str(kinds[0]),
                    str(kinds[1]),
                    f"with {kinds[0]} the two agree",
                    bench.places(of_a, of_b),
                )
                return Found(cause)
    return None


def _twos(bench: Bench, side: Side) -> list[list[int]]:
    values, events = bench.values(side), bench.recording(side).events
    parts: dict[tuple[int, tuple[int, ...]], list[int]] = {}
    for event in sorted(values):
        whole = part_of(bench, side, event)
        if whole is not None and signatures.short(events[event]) in _SPLITS:
            parts.setdefault((whole, values[event].shape), []).append(event)
    return [group for group in parts.values() if len(group) == 2]


def _kind(bench: Bench, side: Side, group: Sequence[int]) -> str | None:
    events = bench.recording(side).events
    whole = part_of(bench, side, group[0])
    if whole is None:
        return None
    layout = layouts.find(events[whole].value, events[group[0]].value)
    return None if layout is None or not layout.explained else _kind_of(layout)


def _kind_of(layout: Layout) -> str | None:
    """Return which part of an axis is taken, if it is half of it."""
    taken = [
        index for index, size in zip(layout.index, layout.shape, strict=True) if len(index) < size
    ]
    if len(taken) != 1:
        return None
    (index,) = taken
    if isinstance(index, range) and (index.step == 2 or len(index) == 1):
        return "neighbours"
    return "halves" if isinstance(index, range) and index.step == 1 else None


def _has_numbers_of(x: Bounded, y: Bounded) -> bool:
    if x.size != y.size or relations.distinct(y) < ENOUGH:
        return False
    error = float((x.error.reshape(-1) + y.error.reshape(-1)).max())
    apart = np.abs(np.sort(x.value, axis=None) - np.sort(y.value, axis=None))
    return bool((apart <= error).all())
