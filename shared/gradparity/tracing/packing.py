"""A recording as text and arrays, so that one made in another process can be read: nothing is pickled."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal

import numpy as np
from annotated_types import Len
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from ..blame import printable
from ..errors import InputError
from .recording import End, Event, Phase, Recording, Ref, Source

FORMAT = 1

_KINDS = "biufc"
"""The kinds of dtypes that arrays and numbers in a recording have."""

_REGISTERED = 2
"""What NumPy says of a dtype that another package has registered: of bfloat16, and of formats still shorter."""

_LONGEST = 200
"""Characters of the name of an opaque argument."""

_TYPES: dict[str, type] = {
    **{kind.__name__: kind for kind in (bool, int, float, complex, str)},
    **{f"numpy.{kind.__name__}": kind for kind in (np.dtype(c).type for c in "?bBhHiIlLqQefdgFDG")},
}
"""The types that are arguments as such: `dtype=float`."""

_NAMES = {kind: name for name, kind in _TYPES.items()}


@dataclass(frozen=True)
class Opaque:
    """An argument of which only the name crosses: a function, an object of a framework."""

    name: str


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")


class _Source(_Strict):
    file: str
    line: int
    function: str
    text: str
    span: Annotated[list[int], Len(3, 3)] | None


class _Event(_Strict):
    operation: str
    arguments: list[Any]
    attributes: dict[str, Any]
    source: int | None
    phase: Phase
    call: int
    name: str
    format: str
    narrowed: str


class _End(_Strict):
    source: int | None
    event: int | None
    why: str


class _Packed(_Strict):
    """What the text says; sources and events are told by their place in the lists."""

    format: Literal[1]
    framework: str
    sources: list[_Source]
    events: list[_Event]
    outputs: dict[str, int]
    ends: list[_End]


def pack(recording: Recording) -> tuple[str, dict[str, NDArray[Any]]]:
    """Return a recording as JSON, and the arrays to which it refers by name.

    Values in a format that NumPy does not have, such as bfloat16, become float32, which holds them.
    Arguments that are no numbers, texts, types, arrays, nor containers of these, become `Opaque`; named tuples tuples.

    Raises:
        InputError: an event's value is no array of numbers.
    """
    arrays: dict[str, NDArray[Any]] = {}
    sources: dict[Source, int] = {}

    def place(source: Source | None) -> int | None:
        return None if source is None else sources.setdefault(source, len(sources))

    events = []
    for event in recording.events:
        value, foreign = event.value, ""
        if value.dtype.isbuiltin == _REGISTERED:
            value, foreign = value.astype(np.float32), value.dtype.name
        if value.dtype.kind not in _KINDS:
            raise InputError(
                f"the result of `{event.operation}` cannot be stored: its dtype is {value.dtype}"
            )
        arrays[_value(event.index)] = value
        events.append(
            {
                "operation": event.operation,
                "arguments": [_written(one, arrays) for one in event.arguments],
                "attributes": {k: _written(one, arrays) for k, one in event.attributes.items()},
                "source": place(event.source),
                "phase": event.phase,
                "call": event.call,
                "name": event.name,
                "format": event.format or foreign,
                "narrowed": event.narrowed,
            }
        )
    ends = [{"source": place(e.source), "event": e.event, "why": e.why} for e in recording.ends]
    packed = {
        "format": FORMAT,
        "framework": recording.framework,
        "sources": [asdict(source) for source in sources],
        "events": events,
        "outputs": dict(recording.outputs),
        "ends": ends,
    }
    return json.dumps(packed, allow_nan=False), arrays


def unpack(text: str, arrays: Mapping[str, Any]) -> Recording:
    """Return the recording of which these are the JSON and the arrays; whatever they hold, none of it is executed.

    Raises:
        InputError: they are damaged, or of another format.
    """
    try:
        return _recording(_Packed.model_validate(json.loads(text)), arrays)
    except ValidationError as error:
        first = error.errors()[0]
        what = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    except RecursionError:
        what = "it is nested too deep"
    except _DamagedError as error:
        what = str(error)
    except ValueError as error:
        what = f"it is not JSON ({error})"
    raise InputError(f"the recording is damaged: {what}")


class _DamagedError(Exception):
    """Says what is wrong with a packed recording."""


def _value(event: int) -> str:
    """Return the name of an event's value among the arrays."""
    return f"event {event}"


# An argument: what JSON does not have is an object of one key, which says what it is.


def _written(value: Any, arrays: dict[str, NDArray[Any]]) -> Any:
    """Return an argument as JSON; an array in it is added to `arrays`."""

    def several(values: Any) -> list[Any]:
        return [_written(one, arrays) for one in values]

    kind = type(value)
    if value is None or kind in {bool, int, str} or (kind is float and math.isfinite(value)):
        return value
    match value:
        case list():
            found: Any = several(value)
        case tuple():
            found = {"tuple": several(value)}
        case dict():
            found = {"dict": [several(item) for item in value.items()]}
        case slice():
            found = {"slice": several((value.start, value.stop, value.step))}
        case complex() if kind is complex:
            found = {"complex": several((value.real, value.imag))}
        case np.ndarray() if value.dtype.kind in _KINDS:
            name = f"argument {len(arrays)}"
            arrays[name] = np.array(value)
            found = {"array": name}
        case _:
            found = _single(value)
    return found


def _single(value: Any) -> dict[str, Any]:
    """Return, as JSON, an argument that holds no others."""
    match value:
        case Ref():
            found: dict[str, Any] = {"ref": value.event}
        case float() if type(value) is float:
            found = {"float": repr(value)}
        case np.generic() if value.dtype.kind in _KINDS:
            found = {"number": [value.dtype.str, value.tobytes().hex()]}
        case np.dtype() if value.kind in _KINDS:
            found = {"dtype": value.str}
        case type() if value in _NAMES:
            found = {"type": _NAMES[value]}
        case _ if value is Ellipsis:
            found = {"ellipsis": None}
        case _:
            found = {"opaque": _name(value)}
    return found


def _name(value: Any) -> str:
    """Return the name of a function, or what another object looks like, if that is short and always the same."""
    kind = type(value)
    try:
        if isinstance(value, Opaque):
            return value.name
        name = f"{value.__module__}.{value.__qualname__}" if callable(value) else str(value)
    except Exception:  # it is the program's own code, or has no name
        name = ""
    if not name or len(name) > _LONGEST or " at 0x" in name:
        name = f"{kind.__module__}.{kind.__qualname__}"
    return printable(name)[:_LONGEST]


def _read(value: Any, arrays: Mapping[str, Any], events: int) -> Any:
    """Return the argument that is written so, of event number `events`."""

    def several(values: list[Any]) -> list[Any]:
        return [_read(one, arrays, events) for one in values]

    if not isinstance(value, list | dict):
        return value
    try:
        match value if isinstance(value, list) else tuple(value.items()):
            case list(parts):
                found: Any = several(parts)
            case (("tuple", list(parts)),):
                found = tuple(several(parts))
            case (("dict", list(items)),):
                found = dict(several(item) for item in items)
            case (("slice", [start, stop, step]),):
                found = slice(*several([start, stop, step]))
            case (("complex", [real, imaginary]),):
                found = complex(*several([real, imaginary]))
            case (("array", str(name)),):
                found = _array(arrays, name)
            case (("ref", int(index)),) if type(index) is int and index in range(events):
                found = Ref(index)
            case ((str(tag), content),):
                found = _read_single(tag, content)
            case _:
                raise ValueError(value)
    except (TypeError, ValueError, LookupError):
        shown = printable(repr(value))
        raise _DamagedError(f"event {events} has an argument that is none: {shown:.60}") from None
    return found


def _read_single(tag: str, content: Any) -> Any:
    """Return an argument that holds no others."""
    match tag, content:
        case "float", ("inf" | "-inf" | "nan"):
            found: Any = float(content)
        case "number", [str(dtype), str(digits)]:
            (found,) = np.frombuffer(bytes.fromhex(digits), _dtype(dtype))
        case "dtype", str():
            found = _dtype(content)
        case "type", str():
            found = _TYPES[content]
        case "ellipsis", None:
            found = Ellipsis
        case "opaque", str():
            found = Opaque(content)
        case _:
            raise ValueError(content)
    return found


def _dtype(text: str) -> np.dtype[Any]:
    found = np.dtype(text)
    if found.kind not in _KINDS:
        raise ValueError(text)
    return found


def _array(arrays: Mapping[str, Any], name: str) -> NDArray[Any]:
    array = arrays.get(name)
    if not isinstance(array, np.ndarray) or array.dtype.kind not in _KINDS:
        raise _DamagedError(f"there is no array of numbers '{name}'")
    found = array.view(np.ndarray)
    found.flags.writeable = False
    return found


def _recording(packed: _Packed, arrays: Mapping[str, Any]) -> Recording:
    sources = [
        Source(s.file, s.line, s.function, s.text, None if s.span is None else _span(*s.span))
        for s in packed.sources
    ]

    def source(index: int | None) -> Source | None:
        _require(index is None or index in range(len(sources)), f"there is no source {index}")
        return None if index is None else sources[index]

    def event(index: int) -> int:
        _require(index in range(len(packed.events)), f"there is no event {index}")
        return index

    events: list[Event] = []
    for at, one in enumerate(packed.events):
        before = events[-1].call if events else None
        _require(one.call in {at, before}, f"event {at} is no result of a call at {one.call}")
        events.append(
            Event(
                at,
                one.operation,
                _array(arrays, _value(at)),
                tuple(_read(argument, arrays, at) for argument in one.arguments),
                {name: _read(argument, arrays, at) for name, argument in one.attributes.items()},
                source(one.source),
                one.phase,
                one.call,
                one.name,
                one.format,
                one.narrowed,
            )
        )
    outputs = {name: event(index) for name, index in packed.outputs.items()}
    ends = [
        End(source(end.source), None if end.event is None else event(end.event), end.why)
        for end in packed.ends
    ]
    return Recording(packed.framework, tuple(events), outputs, tuple(ends))


def _span(end: int, first: int, last: int) -> tuple[int, int, int]:
    return end, first, last


def _require(ok: bool, otherwise: str) -> None:
    if not ok:
        raise _DamagedError(otherwise)
