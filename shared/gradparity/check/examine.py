"""The verdict on a target: on the vetted suite, in float64 and in float32, and over a training run."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from ..boundary import Guarded
from ..contract import Schedule, map_params
from ..errors import ContractError
from ..experiment import Problem
from ..parity.agreement import Tally
from ..parity.case import Case, oracle_dtype, steps_of
from ..parity.diagnosis import diagnose
from ..parity.envelope import envelope, judge_free_run
from ..parity.judge import PHASES, Verdict, combine
from ..parity.mistakes import FACTORS, UNIT, Factor
from ..parity.observation import Observation
from ..parity.suite import SUITE, Configuration
from .explain import Explanation, explain
from .target import Limits, Target, TargetRaisedError

FREE_RUN_EPOCHS = 30
_SAMPLES = (21, 13, 10, 17)
"""Samples for a network that a target prescribes: odd and even, one and several times its outputs."""


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


@dataclass
class _Seen:
    """All observations in one dtype."""

    observations: list[tuple[str, Observation]] = field(default_factory=list)
    not_judged: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    @property
    def verdict(self) -> Verdict:
        findings = [f.verdict for _, o in self.observations for f in o.findings]
        return Verdict.DISAGREE if self.broken else combine(findings)

    @property
    def all(self) -> list[Observation]:
        return [observation for _, observation in self.observations]

    @property
    def right_at_the_output(self) -> bool:
        """Whether the output layer's gradients, or updates, are right."""
        return not any(
            f.verdict is Verdict.DISAGREE
            for o in self.all
            for f in o.findings
            if f.phase in ("gradient", "update") and f.layer == o.depth - 1
        )

    def in_convention(self, factor: Factor, loss_factor: Factor) -> _Seen:
        """The same, judged as a gradient of another multiple of the MSE."""
        if factor is loss_factor is UNIT:
            return self
        converted = [(where, _convert(o, factor, loss_factor)) for where, o in self.observations]
        return _Seen(converted, self.not_judged, self.broken)


def _convert(observation: Observation, factor: Factor, loss_factor: Factor) -> Observation:
    """Gradients and losses divided by their factors, and updates taken as those of another learning rate."""
    case, seen = observation.case, observation.seen
    wide = oracle_dtype()
    f, of_loss = (wide(one.value(*observation.elements)) for one in (factor, loss_factor))
    rate = float(case.schedule.learning_rate * f)
    return Observation(
        replace(case, schedule=replace(case.schedule, learning_rate=rate)),
        replace(
            seen,
            grads=None if seen.grads is None else map_params(lambda g: g / f, seen.grads),
            loss=None if seen.loss is None else seen.loss / of_loss,
            recorded=None if seen.recorded is None else seen.recorded / of_loss,
        ),
        observation.absolute_sigmoid,
    )


def examine(target: Target) -> Report:
    """Judge a target on everything it offers."""
    begin = time.perf_counter()
    report = Report(target.name, target.kind, offered=sorted(target.functions))
    # As in the runner: the networks are tiny, and what overflows is judged, not warned of.
    with threadpool_limits(limits=1), np.errstate(all="ignore"):
        wide = _look(target, "float64")
        narrow = _look(target, "float32")
        if target.narrow and not target.contract:
            report.notes.append("it returns float32 for float64, so it is judged in float32 only")
            wide = _Seen()
        elif target.narrow:
            wide.broken.append("it returns float32 where float64 went in")
        _judge(report, target, {"float64": wide, "float32": narrow})
    report.notes += target.notes
    report.seconds = round(time.perf_counter() - begin, 2)
    return report


def _look(target: Target, dtype: str) -> _Seen:
    seen = _Seen()
    for where, case in configurations(target.limits, dtype):
        try:
            seen.observations += [
                (f"{where}, update {one.case.update}", one) for one in observations(target, case)
            ]
        except TargetRaisedError as error:
            seen.not_judged.append(f"{where}: {error}")
        except ContractError as error:
            seen.broken.append(f"{where}: {error}")
    if dtype == "float64" and seen.observations and not seen.broken:
        _look_again(target, seen)
        if target.trains:
            _follow(target, seen)
    return seen


def observations(target: Target, case: Case) -> list[Observation]:
    """What a target makes of one configuration.

    Raises:
        TargetRaisedError: it raised.
        ContractError: it returned something of another shape or type.
    """
    if not target.trains:
        # It sees a batch and nothing of data and schedule around it.
        inputs, targets = case.batch
        schedule = Schedule(case.schedule.learning_rate, epochs=1)
        case = replace(case, inputs=inputs, targets=targets, schedule=schedule, update=0)
    return [Observation(*pair) for pair in target.observe(case)]


def configurations(limits: Limits, dtype: str) -> Iterator[tuple[str, Case]]:
    """The vetted suite, or what the target can run in its place."""
    chosen: Sequence[Configuration] = SUITE
    if limits.widths is not None:
        biases = (True,) if limits.biases is None else limits.biases
        counts = _SAMPLES if limits.samples is None else (limits.samples,) * 2
        chosen = [
            Configuration(limits.widths, biases, samples, None if at % 2 else batch)
            for at, samples in enumerate(counts)
            for batch in [None if limits.samples else samples - 4]
        ]
    elif limits.biases is not None:
        chosen = [replace(c, biases=limits.biases) for c in SUITE]
    for seed, configuration in enumerate(chosen):
        case = configuration.case(dtype, seed, limits.learning_rate)
        yield str(configuration), case


def _look_again(target: Target, seen: _Seen) -> None:
    """The same question must get the same answer: otherwise something is kept between calls, or drawn at random."""
    where, first = seen.observations[0]
    before = first.seen
    for _ in range(2):
        try:
            (_, again), *_ = target.observe(first.case)
        except ContractError as error:
            seen.broken.append(f"{where}, asked again: {error}")
            return
        for name in ("loss", "grads", "updated"):
            if not _same(getattr(before, name), getattr(again, name)):
                seen.broken.append(
                    f"{where}: asked the same again, its {_IN_WORDS[name]} differ: something is kept from call to "
                    "call (gradients that are not set to zero?), or drawn at random"
                )
                return
        before = again


_IN_WORDS = {"loss": "losses", "grads": "gradients", "updated": "updated weights"}


def _same(before: Any, after: Any) -> bool:
    if before is None:
        return after is None
    if isinstance(before, tuple):
        return all(
            np.array_equal(a, b, equal_nan=True)
            for one, other in zip(before, after, strict=True)
            for a, b in zip(one, other, strict=True)
            if a is not None
        )
    return bool(np.array_equal(before, after, equal_nan=True))


def _follow(target: Target, seen: _Seen) -> None:
    """A whole training run: every step from the run's own weights, and the run itself inside the envelope."""
    configuration = next((c for c in SUITE if c.batch_size), SUITE[0])
    if target.limits.widths is not None:
        return
    case = configuration.case("float64", seed=1, epochs=FREE_RUN_EPOCHS)
    schedule = replace(case.schedule, keep=tuple(range(case.schedule.updates + 1)))
    problem = Problem(case.network, case.params, case.inputs, case.targets, schedule)
    where = f"training for {FREE_RUN_EPOCHS} epochs, {configuration}"
    try:
        run = Guarded(target.name, target.trainer()).train(
            problem.network, problem.params, problem.inputs, problem.targets, schedule
        )
    except ContractError as error:
        seen.broken.append(f"{where}: {error}")
        return
    kept = {count: snapshot.params for count, snapshot in run.kept.items()}
    seen.observations += [
        (f"{where}, update {c.update}", Observation(c, step))
        for c, step in steps_of(problem, kept, run.losses)
    ]
    free = judge_free_run(kept, envelope(problem, schedule.keep))
    if free.verdict is Verdict.DISAGREE and seen.verdict is Verdict.AGREE:
        seen.broken.append(
            f"{where}: the run is outside the envelope of rounding from update {free.outside_at} on"
        )


def _judge(report: Report, target: Target, seen: dict[str, _Seen]) -> None:
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


def _explain(target: Target, seen: _Seen) -> Explanation:
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


def _first(dtype: str, seen: _Seen) -> dict[str, Any] | None:
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
