"""Find where a program computes in a shorter format than its inputs have."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..reference.precision import Precision
from ..tracing import layouts
from ..tracing.alignment import CONDITION, is_evidence
from ..tracing.alignment import Side as Letter
from ..tracing.bounded import Bounded, exact
from ..tracing.moves import computes
from ..tracing.recording import CONSTANT, PARAMETER, Event, Recording
from ..tracing.rules import NoRuleError, evaluated
from .counterfactual import Change
from .places import places
from .recorded import Array, Run
from .result import Island, Side

SHORTER = ("float32", "float16", "bfloat16")
"""The formats that are shorter than float64."""

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
    if moved is not None and moved <= CONDITION * float(np.finfo(np.float64).eps):
        return  # what the casts take away is not in the outputs
    for name, events in by_format.items():
        where = places(side, recording, events)
        what = "casts to" if len(where) == 1 else "cast to"
        lines = "this line" if len(where) == 1 else "these lines"
        text = f"{lines} of the {side} {what} {name}; here it was computed in float64 instead"
        yield Island(side, where, name, moved, text)


@dataclass(frozen=True)
class Table:
    """A table that one side made in float32, before it was recorded.

    Attributes:
        island: it, in words.
        change: puts the other side's numbers in its place.
    """

    island: Island
    change: Change


def tables(a: Recording, b: Recording) -> Iterator[Table]:
    """Yield the tables of both sides that are those of the other side, made in float32.

    A table depends on no input, and was there before the recording began: a buffer, made when the model was. It is one
    of float32 if float32 holds its numbers and the other side's numbers, computed in float32, could be these: within
    the rounding bound where the other side computes them; where it has a table, too, and nobody saw how either was
    made, up to float32's rounding of an argument as large as the longest axis, as angles of positions are.
    """
    sides: tuple[tuple[Letter, Side, Recording, Recording], ...] = (
        ("a", "original", a, b),
        ("b", "port", b, a),
    )
    for letter, side, own, other in sides:
        needed = own.needed_for(list(own.outputs.values()))
        for event in own.events:
            is_leaf = event.operation == CONSTANT or _is_frozen(event, own)
            if (
                is_leaf
                and event.index in needed
                and is_evidence(event)
                and _holds(event, "float32")
            ):
                value = _in_double(event.value, other, both=letter == "b")
                if value is None:
                    value = _in_parts(event, own, other, both=letter == "b")
                if value is not None:
                    yield _table(letter, side, own, event, value)


def _is_frozen(event: Event, recording: Recording) -> bool:
    """Whether it is a parameter that is not trained, as PyTorch's embeddings keep a table of sines."""
    return event.operation == PARAMETER and f"gradient {event.name}" not in recording.outputs


def _table(letter: Letter, side: Side, own: Recording, event: Event, value: Array) -> Table:
    where = places(side, own, own.users[event.index])
    name = f"`{event.name}`, " if event.name else ""
    text = (
        f"{name}a table of the {side} that was made in float32, before the model was called; here it had the numbers "
        "that the other side has in float64"
    )
    island = Island(side, where, "float32", distance(value, event.value), text)
    return Table(island, Change(letter, values={event.index: value}))


def _in_double(table: Array, other: Recording, both: bool) -> Array | None:
    """Return the other side's numbers of which a table may be those in float32; None if there are none.

    None, too, if the other side has the very same table: then nothing is to be replaced. A table of the other side's
    that is in float32 as well is taken only if `both`: one of the two is replaced. Axes along which nothing changes do
    not count.
    """
    found: Array | None = None
    own = table[_once(table)]
    for event in other.events:
        if event.index in other.from_inputs or not is_evidence(event):
            continue
        once = _once(event.value)
        near = layouts.nearest(event.value[once], own)
        if near is None or not (
            both or event.operation != CONSTANT or not _holds(event, "float32")
        ):
            continue
        value = near[0].apply(event.value[once])
        apart = np.abs(value - own)
        if not apart.any():
            return None
        bound = near[0].apply(_error_in_float32(other, event.index)[once])
        if found is None and bool((apart <= bound).all()):
            found = np.broadcast_to(value, table.shape)
    return found


def _once(value: Array) -> tuple[slice, ...]:
    """Return the part of an array that is repeated along its other axes."""
    axes = (
        bool((value == value.take([0], axis)).all()) if value.size else False
        for axis in range(value.ndim)
    )
    return tuple(slice(0, 1) if repeated else slice(None) for repeated in axes)


def _in_parts(leaf: Event, own: Recording, other: Recording, both: bool) -> Array | None:
    """Return a table with the other side's numbers where the program takes parts of it; None if it has none of them.

    A table of angles has rows for more positions than there are, and often sines beside cosines.
    """
    numbered = list(own.events)
    places = np.arange(leaf.value.size, dtype=np.float64).reshape(leaf.value.shape)
    numbered[leaf.index] = replace(leaf, value=places)
    parts = _parts(leaf, own)
    try:
        taken = evaluated(replace(own, events=tuple(numbered)), parts, {})
    except NoRuleError:
        return None
    new = leaf.value.copy()
    for part in parts:
        value = own.events[part].value
        found = _in_double(value, other, both) if is_evidence(own.events[part]) else None
        if found is not None:
            new.reshape(-1)[taken[part].value.astype(int)] = found
    return None if np.array_equal(new, leaf.value) else new


def _parts(leaf: Event, own: Recording) -> list[int]:
    """Return the arrays whose numbers are all taken from one leaf, by integers that depend on no input."""
    found: list[int] = []
    for event in own.events[leaf.index + 1 :]:
        floats = [i for i in event.inputs if own.events[i].value.dtype.kind == "f"]
        of_leaf = bool(floats) and all(i == leaf.index or i in found for i in floats)
        if of_leaf and event.index not in own.from_inputs and not computes(event, own.framework):
            found.append(event.index)
    return found


def _holds(event: Event, name: str) -> bool:
    """Whether a format holds an array's numbers as they are."""
    return np.array_equal(rounded(event.value, name), event.value, equal_nan=True)


def rounded(value: Any, name: str) -> Any:
    """Return numbers in float64 that are rounded to a shorter format."""
    with np.errstate(all="ignore"):
        if name != "bfloat16":
            return np.asarray(value).astype(name).astype(np.float64)
        # NumPy has no bfloat16: it is the upper half of float32, to the nearest, ties to even.
        bits = np.asarray(value, np.float32).view(np.uint32)
        even = (bits >> np.uint32(16)) & np.uint32(1)
        short = (bits + np.uint32(0x7FFF) + even) & np.uint32(0xFFFF0000)
    return short.view(np.float32).astype(np.float64)


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


def _error_in_float32(recording: Recording, event: int) -> Array:
    """Return how far an array that is made of constants may be off if it is computed in float32."""
    value = recording.events[event].value
    half = _FLOAT32.eps / 2 * np.abs(value)
    if recording.events[event].operation == CONSTANT:
        return half + _FLOAT32.eps * max(value.shape, default=1)
    above = sorted(recording.needed_for([event]))
    short = list(recording.events)
    for i in above:
        if short[i].value.dtype.kind == "f":
            short[i] = replace(short[i], value=short[i].value.astype(np.float32))
    made = [i for i in above if short[i].operation != CONSTANT]
    given = {i: _rounded_once(short[i].value) for i in above if i not in made}
    try:
        found = evaluated(replace(recording, events=tuple(short)), made, given)
    except NoRuleError:
        return half
    return np.broadcast_to(found[event].error + half, value.shape)


def _rounded_once(value: Array) -> Bounded:
    """Return a constant of a program in float32: its fractions were rounded, whatever they were made of."""
    if value.dtype.kind != "f":
        return exact(value, _FLOAT32)
    error = np.where(value == np.rint(value), 0.0, _FLOAT32.eps / 2 * np.abs(value))
    return Bounded(value.astype(np.float64), error, _FLOAT32)
