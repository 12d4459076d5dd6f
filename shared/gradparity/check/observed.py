"""What was observed of a target in one dtype."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from ..reference.step import StepValues
from ..verdict.case import Case
from ..verdict.judge import Verdict, combine
from ..verdict.observation import Observation

Named = tuple[tuple[str, Observation], ...]
"""Observations, each with its place in words."""


@dataclass(frozen=True)
class Observed:
    """All observations of a target in one dtype.

    Attributes:
        observations: each with its configuration and update, in words.
        not_judged: configurations that it could not run, each with the exception.
        broken: behaviour that is wrong whatever the numbers are.
        ran: configurations that it could run.
        narrow: what it returned in float32 or less for float64, which is not judged there.
        mutations: functions that changed their argument arrays.
    """

    observations: tuple[tuple[str, Observation], ...] = ()
    not_judged: tuple[str, ...] = ()
    broken: tuple[str, ...] = ()
    ran: frozenset[str] = frozenset()
    narrow: frozenset[str] = frozenset()
    mutations: tuple[str, ...] = ()

    def __add__(self, other: Observed) -> Observed:
        return Observed(
            self.observations + other.observations,
            self.not_judged + other.not_judged,
            self.broken + other.broken,
            self.ran | other.ran,
            self.narrow | other.narrow,
            tuple(dict.fromkeys(self.mutations + other.mutations)),
        )

    @property
    def verdict(self) -> Verdict:
        """The verdict on all observations together."""
        findings = [f.verdict for o in self.all for f in o.findings]
        return Verdict.DISAGREE if self.broken else combine(findings)

    @property
    def all(self) -> list[Observation]:
        """The observations without their configurations."""
        return [observation for _, observation in self.observations]

    def each(self, change: Callable[[Observation], Observation]) -> Observed:
        """Return the same with every observation changed."""
        return replace(self, observations=tuple((at, change(o)) for at, o in self.observations))


def named(where: str, steps: Iterable[tuple[Case, StepValues]]) -> Named:
    """Name the steps of a run by their updates; the step up to `final` and the final loss come last."""
    found: list[tuple[str, Observation]] = []
    before = -1
    for case, step in steps:
        at = f"update {case.update}"
        if step.final_loss is not None:
            at = "after the last update"
        elif case.update == before:
            at += ", final weights"
        found.append((f"{where}, {at}", Observation(case, step)))
        before = case.update
    return tuple(found)
