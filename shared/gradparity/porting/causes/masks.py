"""A mask that differs: shifted by one, inverted, missing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ...tracing.alignment import Side
from ...tracing.bounded import Array, Bounded
from ...tracing.recording import INPUT, PARAMETER, Recording
from ..counterfactual import Change
from ..result import Cause
from .bench import MOVES_ONLY, SIDES, Bench, Found


@dataclass(frozen=True)
class _Try:
    """Another mask in the place of one.

    Attributes:
        words: what the new one is.
        source: the other side's event that is so; None if none is.
    """

    side: Side
    event: int
    value: Array
    words: str
    source: int | None


def find(bench: Bench) -> Found | None:
    """Return the mask that differs."""
    for side in SIDES:
        other: Side = "a" if side == "b" else "b"
        found = []
        for event, mask in _masks(bench, side):
            for one in _others(bench, side, event, mask, other):
                put = Bounded(one.value, np.zeros(one.value.shape), mask.precision)
                if bench.agrees_with(side, {event: put}):
                    found.append(one)
                    break
        if found:
            return _told(bench, found[-1], other)
    return None


def _told(bench: Bench, one: _Try, other: Side) -> Found:
    old = describe(bench.values(one.side)[one.event].value)
    right = describe(one.value)
    original, port = (right, old) if one.side == "b" else (old, right)
    name = "a mask"
    if "causal" in right or "causal" in old:
        name = "the causal mask"
    events: dict[Side, list[int]] = {"a": [], "b": []}
    events[one.side].append(one.event)
    events[other].append(bench.trial.result(other) if one.source is None else one.source)
    remedy = {
        "inverted": "inverted, the two agree",
        "nothing masked": "without it the two agree",
    }.get(one.words, f"with the {'original' if one.side == 'b' else 'port'}'s the two agree")
    cause = Cause(name, original, port, remedy, bench.places(events["a"], events["b"]))
    return Found(cause, (Change(one.side, values={one.event: one.value}),))


def _masks(bench: Bench, side: Side) -> list[tuple[int, Bounded]]:
    """Return the arrays of truth values in a region, and those that are added in their place."""
    recording = bench.recording(side)
    events, of_data = recording.events, _of_data(recording)
    return [
        (event, value)
        for event, value in sorted(bench.values(side).items())
        if value.size > 1
        and event not in of_data
        and events[event].operation not in MOVES_ONLY
        and (value.value.dtype == bool or _is_added(value.value))
    ]


def _of_data(recording: Recording) -> set[int]:
    """Return the arrays that depend on numbers: where these are positive is no mask, but a function of them."""
    found: set[int] = set()
    for event in recording.events:
        given = event.operation in {INPUT, PARAMETER} and event.value.dtype.kind == "f"
        if given or not found.isdisjoint(event.inputs):
            found.add(event.index)
    return found


def _is_added(value: Array) -> bool:
    """Whether an array is 0 where something counts, and far below where it does not."""
    if value.dtype.kind != "f":
        return False
    numbers = np.unique(value)
    return len(numbers) == 2 and numbers[1] == 0 and numbers[0] < -1


def _others(bench: Bench, side: Side, event: int, mask: Bounded, other: Side) -> Iterator[_Try]:
    value = mask.value
    low = value.min() if value.dtype != bool else None

    def as_own(masked: Array) -> Array:
        return masked if low is None else np.where(masked, low, 0.0)

    own = value if low is None else value < 0
    for source, theirs in _masks(bench, other):
        new = theirs.value if theirs.value.dtype == bool else theirs.value < 0
        for kept, words in ((new, "the other side's"), (~new, "the other side's")):
            try:
                shaped = np.broadcast_to(kept, value.shape)
            except ValueError:
                continue
            if not np.array_equal(shaped, own):
                yield _Try(side, event, as_own(shaped), words, source)
    yield _Try(side, event, as_own(~own), "inverted", None)
    if own.ndim >= 2:
        for step in (-1, 0, 1):
            for kept in (_tril(own.shape, step), ~_tril(own.shape, step)):
                if not np.array_equal(kept, own):
                    yield _Try(side, event, as_own(kept), "causal", None)
    for all_ in (False, True):
        if low is None or not all_:
            yield _Try(side, event, as_own(np.full(value.shape, all_)), "nothing masked", None)


def _tril(shape: tuple[int, ...], step: int) -> Array:
    return np.broadcast_to(np.tri(shape[-2], shape[-1], step, dtype=bool), shape)


def describe(mask: Array) -> str:
    """Return what a mask is, if it is one that is known."""
    kept = mask if mask.dtype == bool else mask == 0
    if kept.all() or not kept.any():
        return "none"
    if kept.ndim >= 2:
        for step in range(-2, 3):
            lower = _tril(kept.shape, step)
            if np.array_equal(kept, lower) or np.array_equal(kept, ~lower):
                return f"causal, up to the entry itself{f' {step:+d}' if step else ''}"
    return f"{int(kept.sum())} of {kept.size} entries true"
