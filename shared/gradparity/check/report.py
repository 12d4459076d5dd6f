"""The report on one target: plain data, and how it reads on a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from ..tables import Table
from ..verdict.judge import Verdict


@dataclass(frozen=True)
class Report:
    """The findings about a target; plain data, for JSON.

    Attributes:
        target: its name, as it was given.
        kind: what it was taken for.
        verdict: agree, disagree or abstain.
        headline: the verdict in one line.
        offered: the functions that were judged.
        phases: for each dtype and phase: verdict, tensors, abstained, largest share of the bound; in the target's own
            convention, where it has one.
        first: where it first goes wrong: step, phase, layer, tensor, index, difference and what is allowed.
        diagnosis: why, in plain words, a line each.
        notes: what else a reader must know.
        not_judged: what it could not run, with the reason.
        output: the end of what it printed.
        seconds: of wall time, imports apart.
    """

    target: str
    kind: str = ""
    verdict: Verdict = Verdict.ABSTAIN
    headline: str = ""
    offered: Sequence[str] = ()
    phases: Mapping[str, Mapping[str, Mapping[str, Any]]] = field(default_factory=dict)
    first: Mapping[str, Any] | None = None
    diagnosis: Sequence[str] = ()
    notes: Sequence[str] = ()
    not_judged: Sequence[str] = ()
    output: str = ""
    seconds: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Report:
        """The report that `as_json` gave, read back from a file."""
        fields: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in data.items()
        }
        return cls(**fields | {"verdict": Verdict(data["verdict"])})

    @property
    def title(self) -> str:
        """Target and verdict, in one line."""
        return f"{self.target}: {self.verdict}: {self.headline}"

    @property
    def first_wrong(self) -> Sequence[str]:
        """Where it first goes wrong, in a line; none if it does not."""
        if self.first is None:
            return ()
        return (f"first wrong: {self.first['dtype']}, {self.first['step']}: {self.first['text']}",)

    def table(self) -> Table:
        """A row for each dtype and phase."""
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

    def details(self) -> Iterator[str]:
        """The lines that follow the table."""
        yield from self.first_wrong
        for title, lines in (
            ("diagnosis", self.diagnosis),
            ("notes", self.notes),
            ("not judged", self.not_judged),
        ):
            if lines:
                yield f"{title}:"
                yield from (f"  {line}" for line in lines)
        if self.verdict is Verdict.ABSTAIN and self.output.strip():
            yield "the end of what it printed:"
            yield self.output.rstrip()
