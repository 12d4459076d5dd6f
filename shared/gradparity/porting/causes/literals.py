"""What stands literally in the calls of a region: numbers, switches, axes, shapes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...tracing.alignment import Side
from ...tracing.recording import CONSTANT, Event, Recording, Ref
from ..counterfactual import Call, Change
from . import signatures
from .signatures import Path

DEFAULT = "default"
"""In front of the name of an argument that a call is not given."""


@dataclass(frozen=True)
class Slot:
    """A literal.

    Attributes:
        event: the first event that the call makes, or the leaf.
        path: where in the call.
        value: what stands there.
    """

    side: Side
    event: int
    path: Path
    value: Any


def slots(side: Side, recording: Recording, events: Iterator[int] | list[int]) -> Iterator[Slot]:
    """Yield the literals of calls, each call once, and the leaves that are one number and go into them."""
    seen: set[int] = set()
    for index in events:
        call = recording.events[index].call
        if call in seen:
            continue
        seen.add(call)
        event = recording.events[call]
        for path, value in of(event):
            yield Slot(side, call, path, value)
        for i in event.inputs:
            leaf = recording.events[i]
            if leaf.operation == CONSTANT and leaf.value.size == 1 and i not in seen:
                seen.add(i)
                yield Slot(side, i, (), leaf.value.reshape(()).item())


def of(event: Event) -> Iterator[tuple[Path, Any]]:
    """Yield where the literals of a call stand, and what they are."""
    yield from _within(("arguments",), event.arguments)
    yield from _within(("attributes",), dict(event.attributes))
    names = signatures.names(event)
    for name, value in signatures.defaults(event).items():
        given = name in event.attributes or name in names[: len(event.arguments)]
        if not given and isinstance(value, bool | int | float | str):
            yield (DEFAULT, name), value


def _within(path: Path, argument: Any) -> Iterator[tuple[Path, Any]]:
    if isinstance(argument, Ref) or argument is None:
        return
    if isinstance(argument, dict):
        for key, one in argument.items():
            yield from _within((*path, key), one)
    elif isinstance(argument, list | tuple):
        for i, one in enumerate(argument):
            yield from _within((*path, i), one)
    elif isinstance(argument, np.ndarray | np.generic):
        if argument.size == 1:
            yield path, argument.reshape(()).item()
    elif isinstance(argument, bool | int | float | str):
        yield path, argument


def changed(recording: Recording, new: Mapping[Slot, Any]) -> Change:
    """Return the change that puts other literals in the place of some, all of one side."""
    calls: dict[int, Call] = {}
    values: dict[int, np.ndarray[Any, Any]] = {}
    side: Side = "b"
    for slot, value in new.items():
        side, event = slot.side, recording.events[slot.event]
        if not slot.path:
            values[slot.event] = np.full(event.value.shape, value, event.value.dtype)
            continue
        call = calls.get(slot.event, Call(event.arguments, event.attributes))
        if slot.path[0] == DEFAULT:
            calls[slot.event] = signatures.called(event, slot.path[1], value)
            continue
        both = {"arguments": call.arguments, "attributes": dict(call.attributes)}
        both = _put(both, slot.path, value)
        calls[slot.event] = Call(both["arguments"], both["attributes"])
    return Change(side, calls, values)


def _put(argument: Any, path: Path, value: Any) -> Any:
    if not path:
        if isinstance(argument, np.ndarray | np.generic):
            return np.full(argument.shape, value, np.result_type(argument.dtype, _as_kept(value)))[
                ()
            ]
        return value
    first, rest = path[0], path[1:]
    if isinstance(argument, dict):
        return {**argument, first: _put(argument[first], rest, value)}
    parts = list(argument)
    parts[first] = _put(parts[first], rest, value)
    return parts if isinstance(argument, list) else tuple(parts)


def _as_kept(value: Any) -> Any:
    """Return the dtype that a number needs: an integer fits wherever one stands."""
    return np.float64 if isinstance(value, float) and not value.is_integer() else np.int8
