"""The verdict on a target: on the vetted suite, in float64 and in float32, and over a training run."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from ..diagnosis.diagnose import diagnose
from ..diagnosis.mistakes import FACTORS, UNIT
from ..errors import InputError
from ..suites.core import Kind
from ..verdict.agreement import Tally
from ..verdict.judge import PHASES, Verdict, combine
from ..verdict.observation import Observation
from .explain import Explanation, explain
from .observing import Seen, look
from .target import Target


@dataclass
class Report:
    """What was found about a target; plain data, for JSON.

    Attributes:
        target: its name, as it was given.
        kind: what it was taken for.
        verdict: agree, disagree or abstain.
        headline: the verdict in one line.
        offered: the functions that were judged.
        phases: for each dtype and phase: verdict, tensors, abstained, largest share of the bound.
        first: where it first goes wrong: step, phase, layer, tensor, index, difference and what is allowed.
        diagnosis: why, in plain words, a line each.
        notes: what else a reader must know.
        not_judged: what it could not run, with the reason.
        output: the end of what it printed.
        seconds: of wall time, imports apart.
    """

    target: str
    kind: str = ""
    verdict: str = Verdict.ABSTAIN.value
    headline: str = ""
    offered: list[str] = field(default_factory=list)
    phases: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    first: dict[str, Any] | None = None
    diagnosis: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    not_judged: list[str] = field(default_factory=list)
    output: str = ""
    seconds: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


def examine(target: Target, kind: Kind = "homework") -> Report:
    """Judge a target on everything it offers, on networks of this kind.

    Raises:
        InputError: "any" is asked of a target that is no implementation of the contract.
    """
    if kind == "any" and not target.contract:
        raise InputError(
            f"'{target.name}' is {target.kind}: only an implementation of the contract is told which activations, loss "
            "and optimizer to use; leave --kind any out"
        )
    begin = time.perf_counter()
    report = Report(target.name, target.kind, offered=sorted(target.functions))
    # As in the runner: the networks are tiny, and what overflows is judged, not warned of.
    with threadpool_limits(limits=1), np.errstate(all="ignore"):
        wide = look(target, "float64", kind)
        narrow = look(target, "float32", kind)
        if target.narrow and not target.contract:
            report.notes.append("it returns float32 for float64, so it is judged in float32 only")
            wide = Seen()
        elif target.narrow:
            wide.broken.append("it returns float32 where float64 went in")
        _judge(report, target, {"float64": wide, "float32": narrow}, kind)
    report.notes += target.notes
    report.seconds = round(time.perf_counter() - begin, 2)
    return report


def _judge(report: Report, target: Target, seen: dict[str, Seen], kind: Kind) -> None:
    report.phases = {dtype: _phases(one.all) for dtype, one in seen.items() if one.observations}
    report.not_judged = [f"{dtype}: {why}" for dtype, one in seen.items() for why in one.not_judged]
    accepted = ""
    for dtype, one in seen.items():
        if one.verdict is not Verdict.DISAGREE:
            continue
        explanation = _explain(target, one)
        own = one.in_convention(explanation.factor, explanation.loss_factor)
        report.phases[dtype] = _phases(own.all)
        report.notes += [note for note in explanation.notes if note not in report.notes]
        if one.broken or not explanation.accepted:
            report.first = _first(dtype, own)
            report.diagnosis = [*one.broken, *explanation.lines]
            report.verdict = Verdict.DISAGREE.value
            report.headline = one.broken[0] if one.broken else explanation.headline
            return
        accepted = accepted or explanation.headline
        for phase in report.phases[dtype].values():
            if phase["verdict"] == Verdict.DISAGREE.value:  # a convention that is no factor
                phase |= {"verdict": Verdict.AGREE.value, "largest_share": explanation.share}
    if accepted:
        report.verdict, report.headline = Verdict.AGREE.value, accepted
        return
    verdict = combine(one.verdict for one in seen.values())
    report.verdict, report.headline = verdict.value, _headline(verdict, report)
    raised, ran = len(report.not_judged), len({at for one in seen.values() for at in one.ran})
    lacking = [] if target.trains else ["it has no train, so that no optimizer was judged"]
    if verdict is Verdict.AGREE and kind == "any" and (lacking := [*lacking, *report.not_judged]):
        report.verdict = Verdict.ABSTAIN.value
        report.headline = (
            f"right on {ran} configurations, but this is not the whole contract: {lacking[0]}"
        )
        return
    if verdict is Verdict.AGREE and raised > ran:
        report.verdict = Verdict.ABSTAIN.value
        report.headline = (
            f"right on {ran} configurations, but it raised on {raised}: {report.not_judged[0]}"
        )
        return
    if verdict is Verdict.AGREE and not target.tells_gradients:
        report.verdict = Verdict.ABSTAIN.value
        report.headline = (
            f"what it offers ({', '.join(report.offered)}) is right, but back-propagation could not be judged: "
            "it offers no gradient and no step"
        )


def _headline(verdict: Verdict, report: Report) -> str:
    if verdict is Verdict.AGREE:
        largest = max(
            phase["largest_share"] or 0.0
            for phases in report.phases.values()
            for phase in phases.values()
        )
        return f"right: nothing is further from exact than {largest:.2g} of what rounding can do"
    if report.not_judged:
        return f"not judged: {report.not_judged[0].partition(': ')[2]}"
    return "not judged: nothing that it shows could tell right from wrong"


def _explain(target: Target, seen: Seen) -> Explanation:
    if seen.broken or not seen.observations:
        return Explanation("")
    wider = [replace(o, absolute_sigmoid=True) for o in seen.all if o.wrong(*PHASES)]
    if not any(o.wrong(*PHASES) for o in wider):
        note = (
            "σ is right to a few eps in absolute terms only, as ½ (1 + tanh(z/2)) or 1 - 1/(1 + e^z) are: "
            "for z far below zero its relative error is large"
        )
        headline = "right, but its sigmoid is inaccurate far left of zero"
        return Explanation(headline, (), [note], accepted=True)
    explanation = explain(
        diagnose(seen.all, lambda case: target.observe(case)[0][1]), free=not target.contract
    )
    if target.contract or explanation.accepted or explanation.factor is not UNIT:
        return explanation
    # Without a name for the mistake, the output layer may still show which multiple of the MSE is meant.
    own = next((f for f in FACTORS[1:] if seen.in_convention(f, UNIT).right_at_the_output), UNIT)
    note = f"its convention is {own.name} times the MSE: that is no mistake"
    return replace(explanation, factor=own, notes=[note]) if own is not UNIT else explanation


def _phases(observations: Sequence[Observation]) -> dict[str, dict[str, Any]]:
    tallies = {phase: Tally() for phase in PHASES}
    for observation in observations:
        for finding in observation.findings:
            tallies[finding.phase].add("", finding)
    return {
        phase: {k: v for k, v in tally.summary().items() if k != "largest_at"}
        for phase, tally in tallies.items()
        if tally.shares
    }


def _first(dtype: str, seen: Seen) -> dict[str, Any] | None:
    for where, observation in seen.observations:
        for finding in observation.findings:
            if finding.verdict is Verdict.DISAGREE:
                return {
                    "dtype": dtype,
                    "step": where,
                    "phase": finding.phase,
                    "layer": finding.layer,
                    "tensor": finding.tensor,
                    "index": list(finding.index),
                    "difference": finding.difference if np.isfinite(finding.difference) else None,
                    "allowed": finding.allowed,
                    "text": str(finding),
                }
    return None
