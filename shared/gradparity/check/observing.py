"""What a target does on the vetted suite, asked the same again, and over a training run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..contract import Schedule, map_params, tensors
from ..diagnosis.mistakes import UNIT, Factor
from ..errors import ContractError
from ..guarded import Guarded
from ..problem import Problem
from ..suites.core import CORE_SUITE, Configuration, Kind
from ..suites.extended import extended_suite
from ..verdict.case import Case, oracle_dtype, steps_of
from ..verdict.free_run import envelope, judge_free_run
from ..verdict.judge import Verdict, combine
from ..verdict.observation import Observation
from .target import Limits, Target, TargetRaisedError

FREE_RUN_EPOCHS = 30
_SAMPLES = (21, 13, 10, 17)
"""Samples for a network that a target prescribes: odd and even, one and several times its outputs."""


@dataclass
class Seen:
    """What a target did in one dtype.

    Attributes:
        observations: with the configuration and update, in words.
        not_judged: configurations that it could not run, with its exception.
        broken: what it did that no correct program does, whatever its numbers.
        ran: configurations that it could run.
    """

    observations: list[tuple[str, Observation]] = field(default_factory=list)
    not_judged: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    ran: set[str] = field(default_factory=set)

    @property
    def verdict(self) -> Verdict:
        """Of all together."""
        findings = [f.verdict for _, o in self.observations for f in o.findings]
        return Verdict.DISAGREE if self.broken else combine(findings)

    @property
    def all(self) -> list[Observation]:
        """The observations alone."""
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

    def in_convention(self, factor: Factor, loss_factor: Factor) -> Seen:
        """The same, judged as a gradient of another multiple of the MSE."""
        if factor is loss_factor is UNIT:
            return self
        converted = [(where, _convert(o, factor, loss_factor)) for where, o in self.observations]
        return Seen(converted, self.not_judged, self.broken, self.ran)


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


def look(target: Target, dtype: str, kind: Kind) -> Seen:
    """Have a target do all that it can; in float64 also the same again, and a training run if it trains."""
    seen = Seen()
    for where, case in configurations(target.limits, dtype, kind):
        try:
            seen.observations += [
                (f"{where}, update {one.case.update}", one) for one in observations(target, case)
            ]
            seen.ran.add(f"{dtype}: {where}")
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


def configurations(
    limits: Limits, dtype: str, kind: Kind = "homework"
) -> Iterator[tuple[str, Case]]:
    """The vetted suites, or what the target can run in their place."""
    chosen: Sequence[Configuration] = CORE_SUITE
    if limits.widths is not None:
        biases = (True,) if limits.biases is None else limits.biases
        counts = _SAMPLES if limits.samples is None else (limits.samples,) * 2
        chosen = [
            Configuration(limits.widths, biases, samples, None if at % 2 else batch)
            for at, samples in enumerate(counts)
            for batch in [None if limits.samples else samples - 4]
        ]
    elif limits.biases is not None:
        chosen = [replace(c, biases=limits.biases) for c in CORE_SUITE]
    for seed, configuration in enumerate(chosen):
        case = configuration.case(dtype, seed, limits.learning_rate)
        yield str(configuration), case
    if kind == "any":
        yield from extended_suite(dtype)


def _look_again(target: Target, seen: Seen) -> None:
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
            if not _same(first, getattr(before, name), getattr(again, name), name):
                seen.broken.append(
                    f"{where}: asked the same again, its {_IN_WORDS[name]} differ: something is kept from call to "
                    "call (gradients that are not set to zero?), or drawn at random"
                )
                return
        before = again


_IN_WORDS = {"loss": "losses", "grads": "gradients", "updated": "updated weights"}


def _same(observation: Observation, before: Any, after: Any, name: str) -> bool:
    """Whether two answers are the same but for rounding: samples may be shuffled in a full batch."""
    if before is None or after is None:
        return before is after
    columns = (after, before, *(getattr(step, name) for step in observation.answer))
    arrays = [tensors(c) if isinstance(c, tuple) else [np.asarray(c)] for c in columns]
    seen, predicted, exact, bound = arrays
    return observation.left_over(seen, predicted, exact, bound) <= 1


def _follow(target: Target, seen: Seen) -> None:
    """A whole training run: every step from the run's own weights, and the run itself inside the envelope."""
    configuration = next((c for c in CORE_SUITE if c.batch_size), CORE_SUITE[0])
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
        for c, step in steps_of(problem, run.kept, run.losses)
    ]
    free = judge_free_run(kept, envelope(problem, schedule.keep))
    if free.verdict is Verdict.DISAGREE and seen.verdict is Verdict.AGREE:
        seen.broken.append(
            f"{where}: the run is outside the envelope of rounding from update {free.outside_at} on"
        )
