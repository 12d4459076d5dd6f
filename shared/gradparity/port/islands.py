"""Find where a program computes in a shorter format than its inputs have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from ..reference.precision import Precision
from ..tracing.alignment import Side as Letter
from ..tracing.bounded import exact
from ..tracing.recording import CONSTANT, Event, Recording
from ..tracing.regions import Comparison, Region
from ..tracing.rules import NoRuleError, evaluated
from .places import places
from .recorded import Array, Run
from .result import Island, Side

_FLOAT32 = Precision.of(np.float32)


def narrowed(side: Side, run: Run) -> Iterator[Island]:
    """Yield the casts to shorter formats that change what a side returns, one island for each format."""
    recording = run.recording
    needed = recording.needed_for(list(recording.outputs.values()))
    by_format: dict[str, list[int]] = {}
    for index in sorted(needed):
        event = recording.events[index]
        if event.narrowed and not _holds(event, event.narrowed):
            by_format.setdefault(event.narrowed, []).append(index)
    moved = _moved(run)
    for name, events in by_format.items():
        where = places(side, recording, events)
        what = "casts to" if len(where) == 1 else "cast to"
        lines = "this line" if len(where) == 1 else "these lines"
        text = f"{lines} of the {side} {what} {name}; here it was computed in float64 instead"
        yield Island(side, where, name, moved, text)


def table(comparison: Comparison, region: Region) -> Island | None:
    """Return the island of a divergence which is that a table was computed in float32 outside of the recording.

    A table is an array that the program did not compute where it was recorded: a buffer, made when the model was. It is
    one of float32 if float32 holds its numbers, and if they are the other side's as that would have them in float32.
    """
    sides: tuple[tuple[Letter, Side], ...] = (("a", "original"), ("b", "port"))
    recordings = {"a": comparison.alignment.a, "b": comparison.alignment.b}
    events = {"a": region.pair.a, "b": region.pair.b}
    for letter, side in sides:
        other: Letter = "b" if letter == "a" else "a"
        leaf = recordings[letter].events[events[letter]]
        if leaf.operation != CONSTANT or not _holds(leaf, "float32"):
            continue
        value = leaf.value
        there = recordings[other].events[events[other]].value
        error = _error_in_float32(recordings[other], events[other])
        layout = region.pair.layout
        if error is None or not layout.whole:
            continue
        x, y = (value, there) if letter == "a" else (there, value)
        bound = error if letter == "a" else layout.apply(error)
        if bool((np.abs(layout.apply(x) - y) <= bound).all()):
            difference = float(np.abs(layout.apply(x) - y).max() / max(np.abs(y).max(), 1e-300))
            where = places(side, recordings[letter], region_users(recordings[letter], leaf.index))
            text = (
                f"the {side} uses a table here that was made in float32 when the model was; the other side computes it "
                "in float64"
            )
            return Island(side, where, "float32", difference, text)
    return None


def region_users(recording: Recording, event: int) -> Sequence[int]:
    """Return the events into which an array goes."""
    return recording.users[event]


def _holds(event: Event, name: str) -> bool:
    """Whether a format holds an array's numbers as they are."""
    if name == "bfloat16":
        bits = np.asarray(event.value, np.float32).view(np.uint32)
        short = (bits & np.uint32(0xFFFF0000)).view(np.float32).astype(np.float64)
    else:
        with np.errstate(all="ignore"):
            short = event.value.astype(name).astype(np.float64)
    return np.array_equal(short, event.value, equal_nan=True)


def _moved(run: Run) -> float | None:
    """Return how far the casts move the outputs, relative to their largest entry."""
    differences = [
        distance(value, run.double[name])
        for name, event in run.recording.outputs.items()
        if name in run.double and (value := run.recording.events[event].value).size
    ]
    return max(differences, default=None)


def distance(x: Array, y: Array) -> float:
    """Return the largest difference of two arrays of one shape, relative to the largest entry."""
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    with np.errstate(all="ignore"):
        same = (x == y) | (np.isnan(x) & np.isnan(y))
        largest = np.abs(np.where(np.isfinite(x), x, 0)).max(initial=0.0)
        apart = np.where(same, 0.0, np.abs(x - y)).max(initial=0.0)
    return float(apart / largest) if largest else float(apart)


def _error_in_float32(recording: Recording, event: int) -> Array | None:
    """Return the rounding bound of an array that is made of constants, if it is computed in float32."""
    above = sorted(recording.needed_for([event]))
    if event in recording.from_inputs:
        return None
    given: Mapping[int, Event] = {i: recording.events[i] for i in above}
    short = list(recording.events)
    for i, one in given.items():
        if one.value.dtype.kind == "f":
            short[i] = replace(one, value=one.value.astype(np.float32))
    values = {
        i: exact(one.value, _FLOAT32)
        for i, one in given.items()
        if one.operation == CONSTANT and one.value.dtype.kind == "f"
    }
    made = [i for i in above if given[i].operation != CONSTANT]
    try:
        found = evaluated(replace(recording, events=tuple(short)), made, values)
    except NoRuleError:
        return None
    error = np.asarray(found[event].error) if event in found else np.zeros(given[event].value.shape)
    half = _FLOAT32.eps / 2 * np.abs(given[event].value)
    return np.broadcast_to(error + half, given[event].value.shape)
