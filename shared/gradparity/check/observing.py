"""Observe a target in one dtype: on the vetted suite, in repeated calls, and over a training run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..contract import map_params, tensors
from ..diagnosis.mistakes import UNIT, Factor
from ..errors import ContractError
from ..problem import Problem
from ..suites.core import CORE_SUITE, Configuration, Kind
from ..suites.extended import extended_suite
from ..verdict.case import Case, oracle_dtype, steps_of
from ..verdict.free_run import envelope, judge_free_run
from ..verdict.judge import PHASES, Verdict, combine
from ..verdict.observation import Observation
from .answer import TargetRaisedError, answer
from .target import Limits, Target

FREE_RUN_EPOCHS = 30
_SAMPLES = (21, 13, 10, 17)
"""Numbers of samples for a network that the target prescribes: odd and even, one and several times its outputs."""


@dataclass(frozen=True)
class Observed:
    """All observations of a target in one dtype.

    Attributes:
        observations: each with its configuration and update, in words.
        not_judged: configurations that it could not run, each with the exception.
        broken: behaviour that is wrong whatever the numbers are.
        ran: configurations that it could run.
        narrow: it returned float32 or less for float64.
        mutations: functions that changed their argument arrays.
    """

    observations: tuple[tuple[str, Observation], ...] = ()
    not_judged: tuple[str, ...] = ()
    broken: tuple[str, ...] = ()
    ran: frozenset[str] = frozenset()
    narrow: bool = False
    mutations: tuple[str, ...] = ()

    def __add__(self, other: Observed) -> Observed:
        return Observed(
            self.observations + other.observations,
            self.not_judged + other.not_judged,
            self.broken + other.broken,
            self.ran | other.ran,
            self.narrow or other.narrow,
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

    @property
    def right_at_the_output(self) -> bool:
        """True if the output layer's gradients, or updates, are right."""
        return not any(
            f.verdict is Verdict.DISAGREE
            for o in self.all
            for f in o.findings
            if f.phase in ("gradient", "update") and f.layer == o.depth - 1
        )

    def in_convention(self, factor: Factor, loss_factor: Factor) -> Observed:
        """Return the same, judged as a gradient of another multiple of the MSE."""
        if factor is loss_factor is UNIT:
            return self
        return self._each(lambda o: _convert(o, factor, loss_factor))

    def with_absolute_sigmoid(self) -> Observed:
        """Return the same, with wrong steps judged by the bound for a sigmoid of only absolute accuracy."""
        return self._each(lambda o: replace(o, absolute_sigmoid=True) if o.wrong(*PHASES) else o)

    def _each(self, judged: Callable[[Observation], Observation]) -> Observed:
        return replace(self, observations=tuple((at, judged(o)) for at, o in self.observations))


def _convert(observation: Observation, factor: Factor, loss_factor: Factor) -> Observation:
    """Divide gradients and losses by their factors, and judge updates with the learning rate times the factor."""
    case, result = observation.case, observation.result
    wide = oracle_dtype()
    f, of_loss = (wide(one.value(*observation.elements)) for one in (factor, loss_factor))
    rate = float(case.schedule.learning_rate * f)
    return Observation(
        replace(case, schedule=replace(case.schedule, learning_rate=rate)),
        replace(
            result,
            grads=None if result.grads is None else map_params(lambda g: g / f, result.grads),
            loss=None if result.loss is None else result.loss / of_loss,
            recorded=None if result.recorded is None else result.recorded / of_loss,
        ),
        observation.absolute_sigmoid,
    )


def observe(target: Target, dtype: str, kind: Kind) -> Observed:
    """Run the target on every configuration; in float64 also repeat one call and follow a training run."""
    observed = Observed()
    for where, case in configurations(target.limits, dtype, kind):
        observed += _on_configuration(target, where, case)
    if dtype == "float64" and observed.observations and not observed.broken:
        observed += _asked_again(target, *observed.observations[0])
        if target.trains:
            observed += _over_a_training_run(target, observed.verdict)
    return observed


def configurations(limits: Limits, dtype: str, kind: Kind = "core") -> Iterator[tuple[str, Case]]:
    """Yield the configurations of the vetted suites, or those that the target can run instead."""
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
    if kind == "full":
        yield from extended_suite(dtype)


def _on_configuration(target: Target, where: str, case: Case) -> Observed:
    answered = answer(target, case)
    noticed = Observed(narrow=answered.narrow, mutations=answered.mutations)
    if isinstance(answered.error, TargetRaisedError):
        return replace(noticed, not_judged=(f"{where}: {answered.error}",))
    if answered.error is not None:
        return replace(noticed, broken=(f"{where}: {answered.error}",))
    observations = tuple(
        (f"{where}, update {one.update}", Observation(one, step)) for one, step in answered.steps
    )
    return replace(noticed, observations=observations, ran=frozenset([where]))


def _asked_again(target: Target, where: str, first: Observation) -> Observed:
    """Repeat a call: other results mean that the target keeps something between calls, or draws random numbers."""
    noticed, before = Observed(), first.result
    for _ in range(2):
        again = answer(target, first.case)
        noticed += Observed(narrow=again.narrow, mutations=again.mutations)
        if again.error is not None:
            return replace(noticed, broken=(f"{where}, called again: {again.error}",))
        for name, in_words in _REPEATABLE.items():
            if not _same(first, getattr(before, name), getattr(again.first, name), name):
                broken = (
                    f"{where}: called again in the same way, it returns other {in_words}: it keeps something between "
                    "calls (gradients that are not reset to zero?) or draws random numbers"
                )
                return replace(noticed, broken=(broken,))
        before = again.first
    return noticed


_REPEATABLE = {"loss": "losses", "grads": "gradients", "updated": "updated weights"}


def _same(observation: Observation, before: Any, after: Any, name: str) -> bool:
    """Return True if two answers differ only by rounding: samples may be shuffled in a full batch."""
    if before is None or after is None:
        return before is after
    columns = (after, before, *(getattr(step, name) for step in observation.answer))
    arrays = [tensors(c) if isinstance(c, tuple) else [np.asarray(c)] for c in columns]
    again, first, exact, bound = arrays
    return observation.left_over(again, first, exact, bound) <= 1


def _over_a_training_run(target: Target, so_far: Verdict) -> Observed:
    """Observe a whole training run: every step from the run's own weights, and the run against the envelope.

    The envelope holds for correct programs, so a target is checked against it only if it is right `so_far` and in
    these steps.
    """
    if target.limits.widths is not None:
        return Observed()
    configuration = next((c for c in CORE_SUITE if c.batch_size), CORE_SUITE[0])
    case = configuration.case("float64", seed=1, epochs=FREE_RUN_EPOCHS)
    schedule = replace(case.schedule, keep=tuple(range(case.schedule.updates + 1)))
    problem = Problem(case.network, case.params, case.inputs, case.targets, schedule)
    where = f"training for {FREE_RUN_EPOCHS} epochs, {configuration}"
    try:
        run = target.trainer.train(
            problem.network, problem.params, problem.inputs, problem.targets, schedule
        )
    except ContractError as error:
        return Observed(broken=(f"{where}: {error}",))
    steps = Observed(
        tuple(
            (f"{where}, update {c.update}", Observation(c, step))
            for c, step in steps_of(problem, run.kept, run.losses)
        )
    )
    kept = {count: snapshot.params for count, snapshot in run.kept.items()}
    free = judge_free_run(kept, envelope(problem, schedule.keep))
    right = combine([so_far, steps.verdict]) is Verdict.AGREE
    if free.verdict is Verdict.DISAGREE and right:
        outside = (
            f"{where}: the run is outside the envelope of rounding from update {free.outside_at} on"
        )
        return replace(steps, broken=(outside,))
    return steps
