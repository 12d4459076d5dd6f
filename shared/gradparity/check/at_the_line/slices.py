"""Which statements can be the wrong one: in the recording of a run, every wrong result depends on it, no right one."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ...tracing.recording import Event, Recording
from ...verdict.judge import Verdict
from .examples import Example
from .program import Function
from .recorded import LOSS, TARGETS, names, record


@dataclass(frozen=True, eq=False)
class Slices:
    """A recording of a run, and which of its results are right.

    Attributes:
        recording: the run.
        wrong: the events of the results that are wrong.
        right: the events of the gradients that are right, or of the weights after the update.
        told: the events of what else it returned, which is right: the loss.
    """

    recording: Recording
    wrong: Sequence[int]
    right: Sequence[int]
    told: Sequence[int]

    @cached_property
    def forward(self) -> frozenset[int]:
        """The events of the forward pass: what the loss, and the first array of the targets, are made of."""
        events = self.recording.events
        of_targets: set[int] = set()
        met: list[int] = []
        for event in events:
            if event.name == TARGETS or not of_targets.isdisjoint(event.inputs):
                of_targets.add(event.index)
                if not met:
                    met = [i for i in event.inputs if i not in of_targets]
        found = self.recording.needed_for([*met, *self.told])
        alike = {_numbers(events[index]) for index in found}  # the same may be computed again
        return frozenset(event.index for event in events if _numbers(event) in alike)

    @cached_property
    def _by_line(self) -> Mapping[tuple[str, int], Sequence[int]]:
        found: dict[tuple[str, int], list[int]] = {}
        for event in self.recording.events:
            if event.source is not None:
                found.setdefault((event.source.file, event.source.line), []).append(event.index)
        return found

    @cached_property
    def _needed(self) -> list[frozenset[int]]:
        return [self.recording.needed_for([index]) for index in self.wrong]

    @cached_property
    def _innocent(self) -> frozenset[int]:
        return self.recording.needed_for(list(self.right))

    def made_by(self, function: Function, statement: ast.stmt | ast.expr) -> set[int]:
        """Return the events that a statement's own operations made, not those of functions that it calls."""
        last = statement.end_lineno or statement.lineno
        if isinstance(statement, ast.For | ast.If):
            last = statement.lineno
        lines = range(statement.lineno, last + 1)
        return {i for n in lines for i in self._by_line.get((function.file, n), ())}

    def is_forward(self, function: Function, statement: ast.stmt | ast.expr) -> bool:
        """Return True if a statement makes nothing but arrays of the forward pass."""
        made = self.made_by(function, statement)
        return bool(made) and made <= self.forward

    def possible(self, function: Function, statement: ast.stmt | ast.expr) -> bool:
        """Return False if a change of the statement cannot make the wrong results right and leave the right ones."""
        made = self.made_by(function, statement)
        if not made or calls_its_own(statement):
            return True
        if any(made.isdisjoint(needed) for needed in self._needed):
            return False
        return not made <= self._innocent | self.forward or self.is_forward(function, statement)


def _numbers(event: Event) -> tuple[str, Any, bytes]:
    return event.operation, event.value.shape, event.value.tobytes()


def calls_its_own(statement: ast.AST) -> bool:
    """Return True if a statement calls functions of the program."""
    for node in ast.walk(statement):
        if isinstance(node, ast.Call):
            text = ast.unparse(node.func)
            if text.startswith(("np.", "numpy.")) or hasattr(builtins, text):
                continue
            if isinstance(node.func, ast.Attribute) and hasattr(np.ndarray, node.func.attr):
                continue
            return True
    return False


def slices(example: Example, without: Iterable[str]) -> Slices | None:
    """Record a run of the program on an example; None if its results are not recorded."""
    recording = record(example.alone, example.observation.case, without)
    if recording is None:
        return None
    named = names(example.observation.case.params)
    outputs, from_inputs = recording.outputs, recording.from_inputs
    if not all(outputs[name] in from_inputs for name in named):
        return None
    told = [LOSS] if outputs.get(LOSS) in from_inputs else []
    wrong = {
        f"{f.layer} {f.tensor}"
        for f in example.observation.findings
        if f.verdict is Verdict.DISAGREE and f.phase in example.phases[:1]
    }
    return Slices(
        recording,
        [outputs[name] for name in (*named, *told) if name in wrong],
        [outputs[name] for name in named if name not in wrong],
        [outputs[name] for name in told if name not in wrong],
    )
