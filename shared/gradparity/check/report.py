"""The report on one target: plain data, and its text for a terminal."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..blame import printable
from ..tables import Table
from ..verdict.judge import Verdict


@dataclass(frozen=True)
class Report:
    """The result of checking a target; plain data, for JSON.

    Attributes:
        target: the target's name as given.
        kind: the kind of target, in words.
        verdict: agree, disagree or abstain.
        headline: the verdict in one line.
        offered: the functions that the target offers.
        phases: for each dtype and phase: verdict, tensors, abstained, largest share of the bound; in the
            target's own convention if it has one.
        first: the first error: dtype, step, phase, layer, tensor, index, difference, allowed difference, and text.
        diagnosis: the reasons in plain words, a line each.
        lines: the lines of the program that are wrong, each with what is wrong in it, and as it is right: see `Line`
            of `at_the_line`.
        notes: what else a reader must know.
        advice: why a program that agrees may not learn, as its own weights, rate and data show.
        not_judged: configurations that it could not run, with the reason.
        traceback: of the first exception that it raised: the frames in its own files.
        output: the end of the target's output.
        seconds: wall time without imports.
    """

    target: str
    kind: str = ""
    verdict: Verdict = Verdict.ABSTAIN
    headline: str = ""
    offered: Sequence[str] = ()
    phases: Mapping[str, Mapping[str, Mapping[str, Any]]] = field(default_factory=dict)
    first: Mapping[str, Any] | None = None
    diagnosis: Sequence[str] = ()
    lines: Sequence[Mapping[str, Any]] = ()
    notes: Sequence[str] = ()
    advice: Sequence[str] = ()
    not_judged: Sequence[str] = ()
    traceback: str = ""
    output: str = ""
    seconds: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """Return plain data; a number that is not finite, which JSON does not know, is None."""
        found: dict[str, Any] = _finite(asdict(self))
        return found

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Report:
        """Return the report that `as_json` turned into `data`."""
        fields: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in data.items()
        }
        return cls(**fields | {"verdict": Verdict(data["verdict"])})

    @property
    def title(self) -> str:
        """The target, the verdict and the headline, in one line."""
        return f"{self.target}: {self.verdict}: {self.headline}"

    @property
    def first_wrong(self) -> Sequence[str]:
        """The first error in a line; empty if there is none."""
        if self.first is None:
            return ()
        return (f"first wrong: {self.first['dtype']}, {self.first['step']}: {self.first['text']}",)

    def table(self) -> Table:
        """Return a table with a row for each dtype and phase."""
        rows = [
            (
                dtype,
                phase,
                str(found["tensors"]),
                str(found["abstained"]),
                "beyond" if found["largest_share"] is None else f"{found['largest_share']:.2g}",
                found["verdict"],
            )
            for dtype, phases in self.phases.items()
            for phase, found in phases.items()
        ]
        return Table(("dtype", "phase", "tensors", "abstained", "of the bound", "verdict"), rows)

    @property
    def at_the_line(self) -> Iterator[str]:
        """Yield what is wrong in which line, and the line as it is right."""
        for line in self.lines:
            yield f"{Path(line['file']).name}:{line['line']}: {line['source']}"
            right = f"{', '.join(line['operands'])} right; " if line["operands"] else ""
            yield f"  {right}{line['why']}"
            yield f"  change: {line['change']}"

    @property
    def _title_of_lines(self) -> str:
        if len({line["choice"] for line in self.lines}) > 1:
            return (
                "one of these lines (each change was tried: with it alone, all results are right)"
            )
        which = "these lines" if len(self.lines) > 1 else "the line"
        return f"{which} (the change was tried: with it, all results are right)"

    def details(self) -> Iterator[str]:
        """Yield the lines that follow the table."""
        yield from self.first_wrong
        for title, lines in (
            ("diagnosis", self.diagnosis),
            (self._title_of_lines, tuple(self.at_the_line)),
            ("notes", self.notes),
            ("if it does not learn", self.advice),
            ("not judged", self.not_judged),
        ):
            if lines:
                yield f"{title}:"
                yield from (f"  {line}" for line in lines)
        if self.traceback:
            yield "the first error that it raised:"
            yield from (f"  {line}" for line in self.traceback.splitlines())
        if self.verdict is Verdict.ABSTAIN and self.output.strip():
            yield "the end of its output:"
            yield from (printable(line) for line in self.output.splitlines())


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value
