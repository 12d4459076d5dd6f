"""Judge the observations of a target; if they are wrong, explain why, and accept conventions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..diagnosis.diagnose import diagnose
from ..diagnosis.mistakes import FACTORS, UNIT
from ..suites.core import Kind
from ..verdict.agreement import Tally
from ..verdict.judge import PHASES, Finding, Verdict, combine
from .answer import answer
from .explain import Explanation, explain
from .observing import Observed
from .target import Target


@dataclass(frozen=True)
class Judged:
    """The observations in one dtype, judged in the target's own convention.

    Attributes:
        dtype: the dtype of data and weights.
        observed: the observations; converted if the target has its own convention.
        explanation: why something disagrees; None if nothing does, or if another dtype settles the verdict.
    """

    dtype: str
    observed: Observed
    explanation: Explanation | None = None

    @property
    def accepted(self) -> bool:
        """True if everything that disagreed is a convention."""
        return self.explanation is not None and self.explanation.accepted

    @property
    def rejected(self) -> bool:
        """True if something that disagreed is wrong."""
        return self.explanation is not None and not self.explanation.accepted

    @property
    def phases(self) -> dict[str, dict[str, Any]]:
        """The verdict and the figures of each phase that was judged."""
        tallies = {phase: Tally() for phase in PHASES}
        for observation in self.observed.all:
            for finding in observation.findings:
                tallies[finding.phase].add("", finding)
        return {phase: self._figures(tally) for phase, tally in tallies.items() if tally.shares}

    def _figures(self, tally: Tally) -> dict[str, Any]:
        """Sum up one phase. In a convention that is not a factor, the error is the explanation's share."""
        found = {key: value for key, value in tally.summary().items() if key != "largest_at"}
        if self.explanation is None or not self.accepted or Verdict.DISAGREE not in tally.verdicts:
            return found
        return {**found, "verdict": Verdict.AGREE.value, "largest_share": self.explanation.share}

    @property
    def first_wrong(self) -> dict[str, Any] | None:
        """The first tensor that disagrees, in the order of computation."""
        for where, observation in self.observed.observations:
            for finding in observation.findings:
                if finding.verdict is Verdict.DISAGREE:
                    return {"dtype": self.dtype, "step": where, **_in_json(finding)}
        return None


def _in_json(finding: Finding) -> dict[str, Any]:
    finite = np.isfinite(finding.difference)
    return {
        "phase": finding.phase,
        "layer": finding.layer,
        "tensor": finding.tensor,
        "index": list(finding.index),
        "difference": finding.difference if finite else None,
        "allowed": finding.allowed,
        "text": str(finding),
    }


def judge(target: Target, observed: Mapping[str, Observed]) -> list[Judged]:
    """Judge each dtype; explain disagreements, up to the first dtype that is wrong."""
    judged: list[Judged] = []
    for dtype, one in observed.items():
        settled = any(before.rejected for before in judged)
        right = settled or one.verdict is not Verdict.DISAGREE
        judged.append(Judged(dtype, one) if right else _explained(target, dtype, one))
    return judged


def _explained(target: Target, dtype: str, observed: Observed) -> Judged:
    if observed.broken:
        return Judged(dtype, observed, Explanation(observed.broken[0]))
    tolerant = observed.with_absolute_sigmoid()
    if tolerant.verdict is not Verdict.DISAGREE:
        return Judged(dtype, tolerant, _INACCURATE_SIGMOID)
    found = diagnose(observed.all, lambda case: answer(target, case).first)
    explanation = explain(found, free=not target.contract)
    if not (target.contract or explanation.accepted) and explanation.factor is UNIT:
        explanation = _with_the_outputs_factor(explanation, observed)
    own = observed.in_convention(explanation.factor, explanation.loss_factor)
    return Judged(dtype, own, explanation)


_INACCURATE_SIGMOID = Explanation(
    "right, but its sigmoid is inaccurate for z far below zero",
    notes=[
        "σ is accurate to a few eps in absolute terms only, like ½ (1 + tanh(z/2)) or 1 - 1/(1 + e^z): "
        "for z far below zero its relative error is large"
    ],
    accepted=True,
)


def _with_the_outputs_factor(explanation: Explanation, observed: Observed) -> Explanation:
    """Find the multiple of the MSE by the output layer, which may be right although the mistake has no name."""
    for factor in FACTORS[1:]:
        if observed.in_convention(factor, UNIT).right_at_the_output:
            note = f"its convention is {factor.name} times the MSE: that is not a mistake"
            return replace(explanation, factor=factor, notes=[note])
    return explanation


@dataclass(frozen=True)
class Conclusion:
    """The verdict in one word and in one line; for a wrong target, also the first error and the reasons."""

    verdict: Verdict
    headline: str
    first: Mapping[str, Any] | None = None
    diagnosis: Sequence[str] = ()


def conclude(target: Target, kind: Kind, judged: Sequence[Judged]) -> Conclusion:
    """Combine the verdicts on every dtype to one on the target."""
    for one in judged:
        if one.explanation and one.rejected:
            reasons = [*one.observed.broken, *one.explanation.lines]
            return Conclusion(Verdict.DISAGREE, one.explanation.headline, one.first_wrong, reasons)
    for one in judged:
        if one.explanation and one.accepted:
            return Conclusion(Verdict.AGREE, one.explanation.headline)
    raised = not_judged(judged)
    if combine(one.observed.verdict for one in judged) is Verdict.ABSTAIN:
        why = raised[0].partition(": ")[2] if raised else _UNINFORMATIVE
        return Conclusion(Verdict.ABSTAIN, f"not judged: {why}")
    reservation = next(_reservations(target, kind, judged, raised), None)
    if reservation is not None:
        return Conclusion(Verdict.ABSTAIN, reservation)
    largest = max(found["largest_share"] or 0.0 for one in judged for found in one.phases.values())
    headline = f"right: the largest error is {largest:.2g} of the rounding bound"
    return Conclusion(Verdict.AGREE, headline)


_UNINFORMATIVE = "its results are not enough to distinguish right from wrong"


def not_judged(judged: Sequence[Judged]) -> list[str]:
    """Return the configurations that the target could not run, in every dtype."""
    return [f"{one.dtype}: {why}" for one in judged for why in one.observed.not_judged]


def _reservations(
    target: Target, kind: Kind, judged: Sequence[Judged], raised: Sequence[str]
) -> Iterator[str]:
    """Yield reasons not to call a target right although nothing that was judged is wrong."""
    ran = sum(len(one.observed.ran) for one in judged)
    lacking = [] if target.trains else ["it has no train, so no optimizer was judged"]
    if kind == "full" and (lacking := [*lacking, *raised]):
        yield f"right on {ran} configurations, but this is not the whole contract: {lacking[0]}"
    if len(raised) > ran:
        yield f"right on {ran} configurations, but it raised on {len(raised)}: {raised[0]}"
    if not target.shows_gradients:
        yield (
            f"what it offers ({', '.join(sorted(target.functions))}) is right, but back-propagation could not be "
            "judged: it offers no gradient and no step"
        )
