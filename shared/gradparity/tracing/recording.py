"""A recording: every array that a program made, in order, with the operation, the line, and the arrays that went in."""

from __future__ import annotations

import linecache
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import zip_longest
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Phase = Literal["forward", "backward", "update"]

INPUT, PARAMETER, CONSTANT = "input", "parameter", "constant"
"""The operations of events that nothing recorded made: what the program was given, and arrays from outside."""

LEAVES = frozenset({INPUT, PARAMETER, CONSTANT})

DERIVED = ("gradient ", "updated ")
"""Outputs with such names come after the forward pass: `gradient 0.weight`."""

OURS = tuple(str(Path(__file__).parents[1] / room) for room in ("tracing", "porting"))
"""The folders of this package that run programs: their lines are never the program's."""

CALLER = str(Path(__file__).parents[1] / "porting" / "recorded.py")
"""The file that has a model run: what called it is not the program, either."""


@dataclass(frozen=True)
class Source:
    """The expression that made an array.

    Attributes:
        file: the file's absolute path, or another name under which `linecache` has its text.
        line: its first line, counted from 1.
        function: the name of the function around it.
        text: the line as written, without its indent; empty where there is no text.
        span: (end line, first column, end column) of the expression, columns in bytes of UTF-8 from 0; None where the
            compiler did not keep them.
    """

    file: str
    line: int
    function: str
    text: str
    span: tuple[int, int, int] | None = None

    @classmethod
    def of(cls, frame: FrameType) -> Source:
        """Return the expression that a frame is evaluating."""
        return cls.at(frame.f_code, frame.f_lasti, frame.f_globals)

    @classmethod
    def at(cls, code: CodeType, instruction: int, module: dict[str, Any] | None = None) -> Source:
        """Return the expression of an instruction, given as its offset; `module` helps to find the text."""
        positions = list(code.co_positions())
        at = instruction // 2
        line, end, first, last = positions[at] if at < len(positions) else (None,) * 4
        line = line or code.co_firstlineno
        text = linecache.getline(code.co_filename, line, module).strip()
        span = None if end is None or first is None or last is None else (end, first, last)
        return cls(code.co_filename, line, code.co_name, text, span)

    def __str__(self) -> str:
        return f"{Path(self.file).name}:{self.line}"


def calling_source(own: Callable[[str], bool]) -> Source | None:
    """Return the innermost expression on the stack that is the program's; None if none is.

    `own` is True for a file of the framework. Files of this package are never the program's.
    """
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        file = frame.f_code.co_filename
        if file == CALLER:
            return None
        if not file.startswith((*OURS, "<frozen")) and not own(file):
            at = (id(frame.f_code), frame.f_lasti)
            if at not in _SOURCES:
                _SOURCES[at] = (frame.f_code, Source.of(frame))
            return _SOURCES[at][1]
        frame = frame.f_back
    return None


_SOURCES: dict[tuple[int, int], tuple[CodeType, Source]] = {}
"""The expressions that were asked for, by code and instruction; the code is kept, so that no other gets its number."""


@dataclass(frozen=True)
class Ref:
    """An argument that is the value of an earlier event."""

    event: int


@dataclass(frozen=True, eq=False)
class Event:
    """An array that the program made.

    Attributes:
        index: its place in the recording.
        operation: what made it, as the framework names it (`multiply`, `aten.mm`, `dot_general`), or one of `LEAVES`.
        value: a copy, as it was when it was made.
        arguments: those of the operation, in the framework's own order: every array is a `Ref`, also within lists and
            tuples; all else is as it was.
        attributes: the keyword arguments, likewise.
        source: the program's line; None for leaves and where no line is known.
        phase: forward, backward, or update.
        call: the index of the first array that the same call of the operation made.
        name: a leaf's name: `0.weight`, `inputs`.
        format: the floating-point format in which the program has it, if NumPy has no such: `bfloat16`; else empty.
        narrowed: the shorter format that the program asks for here, if the recording is widened; else empty.
    """

    index: int
    operation: str
    value: NDArray[Any]
    arguments: tuple[Any, ...]
    attributes: Mapping[str, Any]
    source: Source | None
    phase: Phase
    call: int
    name: str = ""
    format: str = ""
    narrowed: str = ""

    @property
    def result(self) -> int:
        """Which of the call's results it is, from 0."""
        return self.index - self.call

    @cached_property
    def inputs(self) -> tuple[int, ...]:
        """The events whose values went in, in order, each once."""
        found = refs((self.arguments, dict(self.attributes)))
        return tuple(dict.fromkeys(ref.event for ref in found))


def refs(argument: Any) -> Iterator[Ref]:
    """Yield the references in an argument, within lists, tuples, dictionaries and slices, too."""
    if isinstance(argument, Ref):
        yield argument
    elif isinstance(argument, list | tuple):
        for one in argument:
            yield from refs(one)
    elif isinstance(argument, dict):
        yield from refs(list(argument.values()))
    elif isinstance(argument, slice):
        yield from refs([argument.start, argument.stop, argument.step])


def with_values(argument: Any, value: Callable[[int], Any]) -> Any:
    """Return the argument with each reference replaced by `value` of its event."""
    if isinstance(argument, Ref):
        return value(argument.event)
    if isinstance(argument, list | tuple):
        found = [with_values(one, value) for one in argument]
        return type(argument)(found) if type(argument) in {list, tuple} else tuple(found)
    if isinstance(argument, dict):
        return {key: with_values(one, value) for key, one in argument.items()}
    if isinstance(argument, slice):
        parts = (argument.start, argument.stop, argument.step)
        return slice(*(with_values(part, value) for part in parts))
    return argument


@dataclass(frozen=True)
class End:
    """A place where values leave the recording: `float(a[0])`, an operation that cannot be seen into.

    Attributes:
        event: the event whose value is taken out; None if it is not known.
        why: what happens there, as a clause: `a number is taken out`.
    """

    source: Source | None
    event: int | None
    why: str


@dataclass(frozen=True, eq=False)
class Recording:
    """What one program computed.

    Attributes:
        framework: `numpy`, `torch` or `jax`.
        outputs: the events of what it returned, by name: `loss`, `gradient 0.weight`.
        ends: where values left the recording, each place once.
    """

    framework: str
    events: Sequence[Event]
    outputs: Mapping[str, int]
    ends: Sequence[End] = ()

    @cached_property
    def users(self) -> Sequence[Sequence[int]]:
        """For each event, the events into which its value went."""
        found: list[list[int]] = [[] for _ in self.events]
        for event in self.events:
            for index in event.inputs:
                found[index].append(event.index)
        return found

    @cached_property
    def from_inputs(self) -> frozenset[int]:
        """The events that depend on an input or a parameter, these included."""
        found: set[int] = set()
        for event in self.events:
            given = event.operation in {INPUT, PARAMETER}
            if given or not found.isdisjoint(event.inputs):
                found.add(event.index)
        return frozenset(found)

    def needed_for(self, wanted: Sequence[int]) -> frozenset[int]:
        """Return the events that these depend on, these included."""
        found, left = set(wanted), list(wanted)
        while left:
            new = [index for index in self.events[left.pop()].inputs if index not in found]
            found.update(new)
            left += new
        return frozenset(found)


@dataclass
class Recorder:
    """Builds a recording; the recorders of the frameworks say which array is which event."""

    framework: str
    phase: Phase = "forward"
    events: list[Event] = field(default_factory=list)
    ends: dict[End, None] = field(default_factory=dict)

    def leaf(self, operation: str, name: str, value: Any) -> int:
        """Add an array that nothing recorded made; return its index."""
        return self.call(operation, (), {}, [value], None, name)[0]

    def call(
        self,
        operation: str,
        arguments: tuple[Any, ...],
        attributes: Mapping[str, Any],
        values: Sequence[Any],
        source: Source | None,
        name: str = "",
        formats: Sequence[str] = (),
        narrowed: str = "",
    ) -> list[int]:
        """Add the results of one call of an operation, copied; return their indices."""
        first = len(self.events)
        for value, format_ in zip_longest(values, formats, fillvalue=""):
            copy = np.array(value)
            copy.flags.writeable = False
            index = len(self.events)
            self.events.append(
                Event(
                    index,
                    operation,
                    copy,
                    arguments,
                    attributes,
                    source,
                    self.phase,
                    first,
                    name,
                    format_,
                    narrowed,
                )
            )
        return list(range(first, len(self.events)))

    def end(self, source: Source | None, event: int | None, why: str) -> None:
        """Note that a value leaves the recording."""
        self.ends.setdefault(End(source, event, why))

    def finished(self, outputs: Mapping[str, int]) -> Recording:
        """Return the recording."""
        return Recording(self.framework, tuple(self.events), dict(outputs), tuple(self.ends))
