"""Judge implementations against the oracle, and against each other, over many steps."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import combinations
from statistics import median
from typing import Any

from ..contract import Implementation
from ..processes import one_quiet_thread
from .case import Case
from .judge import PHASES, Finding, Phase, Verdict, combine, judge

ORACLE = "oracle"


@dataclass
class Tally:
    """A summary of all findings of one phase."""

    shares: list[float] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    worst: tuple[str, Finding] | None = None
    """The finding with the largest share, preceded by where it was made."""

    def add(self, where: str, finding: Finding) -> None:
        """Count one more finding."""
        self.shares.append(finding.share)
        self.verdicts.append(finding.verdict)
        if self.worst is None or finding.share > self.worst[1].share:
            self.worst = where, finding

    def merge(self, other: Tally) -> None:
        """Count all findings of another tally."""
        self.shares += other.shares
        self.verdicts += other.verdicts
        if self.worst is None or (other.worst and other.worst[1].share > self.worst[1].share):
            self.worst = other.worst

    def summary(self) -> dict[str, Any]:
        """Return plain numbers: judged and abstained tensors, largest and median share (None if infinite)."""
        return {
            "verdict": combine(self.verdicts).value,
            "tensors": len(self.verdicts),
            "abstained": self.verdicts.count(Verdict.ABSTAIN),
            "disagreeing": self.verdicts.count(Verdict.DISAGREE),
            "largest_share": _finite(max(self.shares)),
            "median_share": _finite(median(self.shares)),
            "largest_at": None if self.worst is None else f"{self.worst[0]}: {self.worst[1]}",
        }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


@dataclass
class Agreement:
    """The findings for every pair `(subject, other)`; the other is the oracle or an implementation.

    Attributes:
        tallies: the findings by pair and dtype, then by phase.
        first: for each pair that disagrees, where it first does, and the finding.
        steps: the number of steps that were judged.
    """

    tallies: dict[tuple[str, str, str], dict[Phase, Tally]] = field(default_factory=dict)
    first: dict[tuple[str, str], tuple[str, Finding]] = field(default_factory=dict)
    steps: int = 0

    def add(self, pair: tuple[str, str], case: Case, where: str, findings: list[Finding]) -> None:
        """Count the findings of one pair on one case."""
        phases = self.tallies.setdefault(
            (*pair, case.dtype.name), {phase: Tally() for phase in PHASES}
        )
        for finding in findings:
            phases[finding.phase].add(where, finding)
            if finding.verdict is Verdict.DISAGREE:
                self.first.setdefault(pair, (where, finding))

    def merge(self, other: Agreement) -> None:
        """Add the findings of another agreement, on other cases."""
        self.steps += other.steps
        for key, phases in other.tallies.items():
            mine = self.tallies.setdefault(key, {phase: Tally() for phase in PHASES})
            for phase, tally in phases.items():
                mine[phase].merge(tally)
        self.first = other.first | self.first

    @property
    def verdict(self) -> Verdict:
        """The verdict on all findings together."""
        return combine(
            verdict
            for phases in self.tallies.values()
            for tally in phases.values()
            for verdict in tally.verdicts
        )

    def summary(self) -> dict[str, Any]:
        """Return all of this in plain numbers, for JSON."""
        return {
            "verdict": self.verdict.value,
            "steps": self.steps,
            "pairs": [
                {
                    "subject": subject,
                    "other": other,
                    "dtype": dtype,
                    "verdict": combine(v for t in phases.values() for v in t.verdicts).value,
                    "phases": {phase: tally.summary() for phase, tally in phases.items()},
                }
                for (subject, other, dtype), phases in self.tallies.items()
            ],
            "first_divergence": [
                {"subject": subject, "other": other, "where": f"{where}: {finding}"}
                for (subject, other), (where, finding) in self.first.items()
            ],
        }


def judge_all(
    implementations: Mapping[str, Implementation], cases: Iterable[tuple[str, Case]]
) -> Agreement:
    """Judge each implementation against the oracle, and every two against each other, on the named cases."""
    agreement = Agreement()
    # As in the runner: the networks are tiny, and an overflow is judged, so it needs no warning.
    with one_quiet_thread():
        for where, case in cases:
            agreement.steps += 1
            expected, bound = case.expect()
            results = {name: case.observe(target) for name, target in implementations.items()}
            for name, result in results.items():
                findings = judge(case.params, result, expected, bound, slack=case.oracle_slack)
                agreement.add((name, ORACLE), case, where, findings)
            for one, other in combinations(results, 2):
                findings = judge(case.params, results[one], results[other], bound, slack=2.0)
                agreement.add((one, other), case, where, findings)
    return agreement
