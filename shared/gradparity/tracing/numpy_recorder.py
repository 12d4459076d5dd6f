"""Record every array that a NumPy program makes: its arrays are of a subclass that tells what is done with them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import numpy_arrays
from .numpy_arrays import Listener, Number, Recorded, Tracked, numeric, plain
from .numpy_creation import CREATORS, installed, replaced, standard, tracked
from .numpy_memory import Block, Blocks, Place, same
from .recording import (
    CONSTANT,
    DERIVED,
    INPUT,
    OURS,
    PARAMETER,
    Event,
    Phase,
    Recorder,
    Recording,
    Ref,
    Source,
    calling_source,
)

_OWN = (str(Path(np.__file__).parent), *OURS)

_INFORMATIVE = 3
"""Distinct numbers that an array must have to be known by its numbers alone."""

_MOST_ROWS = 2**10
"""Rows of an array that are looked for one by one."""

_MOST_BYTES = 2**32
"""Bytes of all values in a recording."""


class _Call(NamedTuple):
    """A call of an operation, as it is recorded."""

    operation: str
    arguments: tuple[Any, ...]
    attributes: dict[str, Any]
    narrowed: str = ""

    @property
    def first(self) -> int | None:
        """The event of the first argument that is one."""
        return next((one.event for one in self.arguments if isinstance(one, Ref)), None)


class NumpyRecorder(Listener):
    """Records the arrays and numbers that a program derives from those that it is given, until `finished`.

    Within `with recorder:`, arrays that the program itself creates are recorded, too: those of `np.zeros`, which it
    fills element by element, and those that `np.array` makes of a list.

    What a program takes out is noted as an end: `float(x[0])`, a condition, a matrix, an array of objects. Not seen is
    what compiled code takes: `np.float32(x[0])`, `np.nditer`, a function of SciPy's that is no universal function. Nor
    is what is written into an array that was there before (`buffer[0] = x`). An array that comes out of such places is
    found again by its numbers, or by its rows' numbers, if they are those of an event; else it is a constant.

    Attributes:
        recorder: the events.
        widened: casts to float32 and float16 inside the program are taken in float64, those to complex64 in complex128.
    """

    def __init__(self, widened: bool = False, own: Sequence[str] = ()) -> None:
        """Start to record; a line in a file whose path begins with one of `own` is never the program's."""
        self.recorder = Recorder("numpy")
        self.widened = widened
        self._own = (*_OWN, *own)
        self._blocks = Blocks()
        self._shaped: dict[tuple[Any, ...], list[int]] = {}
        self._bytes = 0
        self._open = True
        self._replaced = contextlib.ExitStack()

    @property
    def phase(self) -> Phase:
        """The phase of the events that come."""
        return self.recorder.phase

    @phase.setter
    def phase(self, phase: Phase) -> None:
        self.recorder.phase = phase

    def __enter__(self) -> NumpyRecorder:
        self._replaced.enter_context(replaced(self))
        return self

    def __exit__(self, *_: object) -> None:
        self._replaced.close()

    def given(self, kind: str, name: str, value: Any) -> Any:
        """Return an array or number that the program is given, as a recorded copy; `kind` is INPUT or PARAMETER."""
        copy = np.array(value) if isinstance(value, np.ndarray) else value
        return self._tracked(copy, self._add(kind, (), {}, [copy], None, name)[0])

    def finished(self, outputs: Mapping[str, Any]) -> Recording:
        """End, and return the recording; the outputs are arrays or numbers that the program computed, by name."""
        found = {name: self._output(name, value) for name, value in outputs.items()}
        for name, event in found.items():
            if self.recorder.events[event].operation == CONSTANT:
                self.recorder.end(None, event, f"`{name}` is made of nothing that was recorded")
        self._open = False
        recording = self.recorder.finished(found)
        return replace(recording, events=tuple(_in_phases(recording)))

    def _output(self, name: str, value: Any) -> int:
        if isinstance(value, list | tuple):
            value = self.run("array", np.array, (value,)) if tracked(value) else np.array(value)
        if isinstance(value, np.ndarray | Number):
            return self.event_of(value)
        if isinstance(value, float | np.floating) and not value.is_integer():
            for event in reversed(self._shaped.get(((), None), [])):
                found = self.recorder.events[event].value
                if found.dtype.kind == "f" and float(found) == value:
                    return event
        return self._add(CONSTANT, (), {}, [value], None, name)[0]

    # Which array is which event.

    def event_of(self, value: Any) -> int:
        """Return the event whose value an array or number has now; what is not known is a constant."""
        if isinstance(value, Number):
            if value.listener is self:
                return value.event
            return self._add(CONSTANT, (), {}, [value.plain], None)[0]
        array = plain(value)
        own = value.event if isinstance(value, Recorded) and value.listener is self else None
        block = self._blocks.get(array)
        found = None if block is None else self._at_its_place(array, own, block)
        if found is None:
            found = self._of_the_founds(array)
        if found is None:
            (found,) = self._add(CONSTANT, (), {}, [array], None)
            if own is not None:
                self._end(own, "the array was changed where it cannot be seen")
        self._blocks.remember(array, found)
        if isinstance(value, Recorded):
            value.event, value.listener = found, self
        return found

    def _at_its_place(self, array: NDArray[Any], event: int | None, block: Block) -> int | None:
        """Return the event of an array by where it lies, after all that was written there."""
        events, place = self.recorder.events, Place.of(array)
        event = block.events.get(place) if event is None else event
        if event is None or events[event].value.shape != array.shape:
            event = self._view(place, block)
        if event is None:
            return None
        for written, where in block.writes_after(event):
            if where == place:
                event = written
            elif (positions := place.positions_in(where)) is not None:
                new = events[written].value.reshape(-1).take(np.maximum(positions, 0))
                value = np.where(positions < 0, events[event].value, new).astype(array.dtype)
                arguments = (Ref(event), Ref(written), positions)
                (event,) = self._add("overlay", arguments, {}, [value], events[written].source)
        return event if same(events[event].value, array) else None

    def _view(self, place: Place, block: Block) -> int | None:
        """Add an event for a view that no recorded operation made, of a recorded array that holds all of it."""
        for other, event in block.events.items():
            positions = place.positions_in(other)
            if positions is not None and (positions >= 0).all():
                value = self.recorder.events[event].value.take(positions)
                index = self._add(CONSTANT, (), {}, [positions], None)[0]
                arguments = (Ref(event), Ref(index))
                return self._add("take", arguments, {}, [value], self._source())[0]
        return None

    def _of_the_founds(self, array: NDArray[Any]) -> int | None:
        """Return an event with exactly these numbers, or rows: they lost their type on the way, in a list perhaps."""
        event = self._alike(array)
        if event is not None:
            return self._add("asarray", (Ref(event),), {}, [array], self._source())[0]
        if array.ndim < 2 or not 0 < len(array) <= _MOST_ROWS:
            return None
        rows = []
        for row in array:
            if (event := self._alike(row)) is None:
                return None
            rows.append(Ref(event))
        return self._add("array", (rows,), {}, [array], self._source())[0]

    def _alike(self, array: NDArray[Any]) -> int | None:
        few = array.reshape(-1)[:_MOST_ROWS]
        if array.dtype.kind in "fc" and np.unique(few).size >= _INFORMATIVE:
            for event in reversed(self._shaped.get((array.shape, array.dtype.str), [])):
                if same(self.recorder.events[event].value, array):
                    return event
        return None

    def _tracked(self, value: Any, event: int) -> Any:
        """Return an event's value as a recorded array or number."""
        if not isinstance(value, np.ndarray):
            return numpy_arrays.number(value, self, event)
        self._blocks.remember(value, event)
        return numpy_arrays.array(value, self, event)

    # What is done with arrays.

    def run(
        self,
        operation: str,
        function: Callable[..., Any],
        arguments: tuple[Any, ...],
        attributes: Mapping[str, Any] | None = None,
        *,
        changes: Any = None,
        noted: tuple[Any, ...] | None = None,
    ) -> Any:
        """Call a function with plain arguments, and return its results, recorded: see `Listener`."""
        noted = arguments if noted is None else noted
        noted, _ = self.wide(operation, noted, {})
        given = arguments, attributes or {}
        arguments, keywords = self.wide(operation, *given)
        call, call_keywords = plain(arguments), plain(keywords)
        made: _Call | None = None
        if self._open:
            with self._guarded():
                # What an array held that is written to matters only where not all of it is written.
                matters = keywords.get("where", True) is not True
                kept = {k: v for k, v in keywords.items() if k != "out" or matters}
                made = _Call(
                    operation,
                    self._referenced(noted),
                    self._referenced(kept),
                    _narrowed(given, (arguments, keywords)),
                )
        result = function(*call, **call_keywords)
        if made is None:
            return result
        with self._guarded():
            if changes is not None:
                self._changed(made, changes)
                return result
            out, plain_out = keywords.get("out"), call_keywords.get("out")
            if not isinstance(out, tuple):
                out, plain_out = (out,), (plain_out,)
            written = {id(p): o for p, o in zip(plain_out, out, strict=True) if o is not None}
            passed = {id(p): one for p, one in zip(call, arguments, strict=True)}
            return self._results(made, result, passed, written)
        return result

    def _results(
        self, call: _Call, result: Any, passed: Mapping[int, Any], written: Mapping[int, Any]
    ) -> Any:
        """Add the results of a call, and return them recorded.

        Args:
            call: the call.
            result: what it returned.
            passed: its arguments, by the identity of what they were in the call.
            written: those to be written into, likewise.
        """
        several = isinstance(result, tuple | list)
        found = list(result) if several else [result]
        if any(isinstance(v, np.ndarray | np.generic) and not numeric(v) for v in found):
            self._end(call.first, f"`{call.operation}` makes what is not an array of numbers")
        if any(isinstance(v, bool | np.bool) for v in found):
            self._end(call.first, "the program's course depends on it")
        # An argument that comes back as it was is no result.
        found = [self._handed_back(passed.get(id(v)), v) for v in found]
        made = [at for at, v in enumerate(found) if numeric(v) and not isinstance(v, Tracked)]
        events = self._made(call, [found[at] for at in made])
        for at, event in zip(made, events, strict=True):
            target = written.get(id(found[at]), passed.get(id(found[at])))
            found[at] = (
                self._into(target, found[at], event)
                if isinstance(target, np.ndarray)
                else self._tracked(found[at], event)
            )
        if not several:
            return found[0]
        return type(result)(*found) if hasattr(result, "_fields") else type(result)(found)

    def _handed_back(self, argument: Any, value: Any) -> Any:
        """Return the argument for what it was in a call, if that has not changed it; else what it was in the call."""
        if isinstance(argument, Recorded) and argument.event is not None:
            return argument if same(self.recorder.events[argument.event].value, value) else value
        return value

    def _into(self, target: Any, value: NDArray[Any], event: int) -> Any:
        """Note that a result was written into an array that was passed; return that array, recorded."""
        self._blocks.remember(value, event, written=True)
        if not isinstance(target, Recorded):
            return numpy_arrays.array(target, self, event)
        target.event = event
        return target

    def _changed(self, call: _Call, target: Any) -> None:
        array = plain(target)
        if numeric(array):
            (event,) = self._made(call, [array])
            self._into(target, array, event)

    def _made(self, call: _Call, values: Sequence[Any]) -> list[int]:
        return self._add(
            call.operation,
            call.arguments,
            call.attributes,
            values,
            self._source(),
            narrowed=call.narrowed,
        )

    def _referenced(self, argument: Any) -> Any:
        """Return an argument with every array in it as a reference."""
        if isinstance(argument, Number):
            return Ref(self.event_of(argument))
        if isinstance(argument, np.ndarray):
            if numeric(argument):
                return Ref(self.event_of(argument))
            self._end(None, f"an array of type {type(argument).__name__} is used")
        elif isinstance(argument, list | tuple):
            parts = [self._referenced(one) for one in argument]
            return parts if isinstance(argument, list) else tuple(parts)
        elif isinstance(argument, dict):
            return {key: self._referenced(one) for key, one in argument.items()}
        elif isinstance(argument, slice):
            parts = [self._referenced(p) for p in (argument.start, argument.stop, argument.step)]
            return slice(*parts)
        return argument

    def wide(
        self, operation: str, arguments: tuple[Any, ...], keywords: Mapping[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return an operation's arguments with the dtypes in which the program is to compute."""
        if not self.widened:
            return arguments, dict(keywords)
        named = operation in {"astype", *CREATORS}  # their second argument may be a name
        wide = tuple(
            _wide(one) if isinstance(one, type | np.dtype) or (named and at == 1) else one
            for at, one in enumerate(arguments)
        )
        return wide, {k: _wide(v) if k == "dtype" else v for k, v in keywords.items()}

    def listens_to(self, file: str) -> bool:
        """Return True if arrays that this file creates are recorded now: it is the program's, and of no library."""
        return self._open and not self._is_own(file) and not installed(file)

    def new(self, value: NDArray[Any]) -> Any:
        """Return an array that nothing recorded made, as a recorded one."""
        return numpy_arrays.array(value, self, None) if self._open else value

    def taken_out(self, value: Any, why: str = "a number is taken out") -> None:
        """Note that a value leaves the recording."""
        if self._open:
            with self._guarded():
                self._end(self.event_of(value), why)

    def _end(self, event: int | None, why: str) -> None:
        self.recorder.end(self._source(), event, why)

    def _add(
        self,
        operation: str,
        arguments: tuple[Any, ...],
        attributes: Mapping[str, Any],
        values: Sequence[Any],
        source: Source | None,
        name: str = "",
        narrowed: str = "",
    ) -> list[int]:
        added = self.recorder.call(
            operation, arguments, attributes, values, source, name, narrowed=narrowed
        )
        for index in added:
            value = self.recorder.events[index].value
            key = (value.shape, value.dtype.str if value.ndim else None)
            self._shaped.setdefault(key, []).append(index)
            self._bytes += value.nbytes
        if self._bytes > _MOST_BYTES and self._open:
            self._open = False
            self._end(None, "the recording is too long, and is not continued")
        return added

    def _source(self) -> Source | None:
        return calling_source(self._is_own)

    def _is_own(self, file: str) -> bool:
        return file.startswith(self._own) or standard(file)

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[None]:
        """Within, no mistake of the recorder's own reaches the program: the recording ends there."""
        try:
            with np.errstate(all="ignore"):
                yield
        except Exception as error:
            self._end(None, f"it cannot be recorded ({error!r})")


def _in_phases(recording: Recording) -> Iterator[Event]:
    """Yield the events with their phases.

    Forward is what a result of the forward pass depends on, and what was made on the way and no gradient depends on.
    """
    outputs = recording.outputs.items()
    results = [event for name, event in outputs if not name.startswith(DERIVED)]
    forward = recording.needed_for(results)
    later = recording.needed_for([event for name, event in outputs if name.startswith(DERIVED)])
    last = max(results, default=0)
    for event in recording.events:
        needed = event.operation in {INPUT, PARAMETER} or event.index in forward or not results
        aside = event.index < last and event.index not in later
        backward = event.phase == "forward" and not (needed or aside)
        yield replace(event, phase="backward") if backward else event


def _narrowed(asked: tuple[Any, Any], given: tuple[Any, Any]) -> str:
    """Return the format that a call asks for, if it is given a wider one."""
    before, after = ([*arguments, *keywords.values()] for arguments, keywords in (asked, given))
    pairs = zip(before, after, strict=True)
    return next((np.dtype(old).name for old, new in pairs if old is not new and _is_dtype(old)), "")


def _is_dtype(value: Any) -> bool:
    return isinstance(value, str | type | np.dtype) and _wide(value) is not value


def _wide(dtype: Any) -> Any:
    """Return the dtype that stands for another one when a program is widened."""
    with contextlib.suppress(TypeError):
        found = None if dtype is None else np.dtype(dtype)
        if found in {np.dtype(np.float16), np.dtype(np.float32)}:
            return np.dtype(np.float64)
        if found == np.dtype(np.complex64):
            return np.dtype(np.complex128)
    return dtype
