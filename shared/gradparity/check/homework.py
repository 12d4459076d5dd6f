"""Observe a target on the original assignment itself: XOR and the two half-planes, with their own data and weights.

All of it is in float64, as the assignment is.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np

from .. import registry
from ..contract import Dense, Network, Snapshot, State
from ..errors import ContractError, TargetRaisedError
from ..experiments.experiment import load
from ..experiments.initial import initial_params
from ..problem import Problem
from ..reference.step import StepValues
from ..suites.core import Level
from ..verdict.case import Case, end_of, sampled_updates, steps_of
from ..verdict.judge import Verdict
from ..verdict.observation import Observation
from ..verdict.screen import suspects
from ..verdict.stretches import outside
from .answer import answer
from .observed import Observed, named
from .target import CROSS_ENTROPIES, Limits, Target
from .training import stepped

EPOCHS: dict[Level, dict[str, int]] = {
    "quick": {},
    "default": {"xor": 12_000, "linear": 1_000},
    "thorough": {"xor": 12_000, "linear": 10_000},
}
"""The experiments, each with its number of epochs."""

_STEPS, _STEPS_COMPILED = 1_000, 200
"""Steps in a row of a target without `train`; fewer where every call goes through a compiler's front end."""

_BLOCK, _PERIOD = 20, 500
"""A program that compiles pays for every update that it keeps: it keeps so many updates in each period."""


def homework(target: Target, level: Level) -> Observed:
    """Observe the target on every experiment of the assignment that it can run."""
    runs = Observed()
    if target.limits.loss in CROSS_ENTROPIES:
        return runs  # the assignment has one output, and so a single class
    for name, epochs in EPOCHS[level].items():
        problem = _problem(name, epochs, target.limits)
        if problem is not None and not runs.broken:
            where = f"{name}, {problem.network}, {problem.schedule.epochs:,} epochs"
            runs += (_trained if target.trains else _in_steps)(target, problem, where)
    return runs


def _problem(name: str, epochs: int, limits: Limits) -> Problem | None:
    """Return an experiment's problem within the limits, drawn as the experiment does; None if its data do not fit."""
    experiment = load(name)
    problem = experiment.problem()
    samples, inputs = problem.inputs.shape
    outputs = problem.targets.shape[1]
    widths = limits.widths or (inputs, *(shape[0] for shape in problem.network.shapes[1:]))
    if (widths[0], widths[-1]) != (inputs, outputs) or limits.samples not in (None, samples):
        return None
    biases = limits.biases or (limits.widths is not None,)  # as for the vetted networks
    biases = biases * (len(widths) - 1) if len(biases) == 1 else biases
    layers = (Dense(n, bias=bias) for n, bias in zip(widths[1:], biases, strict=True))
    network = Network((inputs,), tuple(layers))
    initial = experiment.initial
    rate = limits.learning_rate or problem.schedule.learning_rate
    return replace(
        problem,
        network=network,
        params=initial_params(network, initial.scheme, initial.seed, "float64", initial.scale),
        schedule=replace(problem.schedule, epochs=epochs, learning_rate=rate),
    )


class _Counts(tuple[int, ...]):
    """A tuple of update counts in which a lookup takes no time: a training loop asks once in every update."""

    def __contains__(self, count: object) -> bool:
        return count in self._set

    @cached_property
    def _set(self) -> frozenset[int]:
        return frozenset(self)


def _trained(target: Target, problem: Problem, where: str) -> Observed:
    """Train by the whole schedule with all weights kept, screen every update, and observe those that stand out."""
    updates = problem.schedule.updates
    keep = _Counts(_kept(updates) if _compiles() else range(updates + 1))
    problem = replace(problem, schedule=replace(problem.schedule, keep=keep))
    try:
        run = target.trainer.train(
            problem.network, problem.params, problem.inputs, problem.targets, problem.schedule
        )
    except TargetRaisedError as error:
        return Observed(not_judged=(f"{where}: {error}",))
    except ContractError as error:
        return Observed(broken=(f"{where}: {error}",))
    steps = _chosen(problem, run.kept, run.losses)
    runs = Observed(named(where, [*steps, *end_of(problem, run)]))
    if runs.verdict is Verdict.AGREE:  # the envelope is one of right programs
        for first, last in outside(problem, run.kept)[:1]:
            runs += _within(target, problem, run.kept[first], last, where)
    return runs


def _within(target: Target, problem: Problem, start: Snapshot, last: int, where: str) -> Observed:
    """Train once more over a stretch that went wrong, with all weights kept, to find the update."""
    first = start.state.updates
    schedule = problem.schedule.until(*range(first + 1, last + 1))
    try:
        run = target.trainer.train(
            problem.network, start.params, problem.inputs, problem.targets, schedule, start.state
        )
    except ContractError as error:
        return Observed(broken=(f"{where}, restarted at update {first}: {error}",))
    steps = steps_of(problem, {first: start, **run.kept}, run.losses)
    runs = Observed(named(where, steps))
    if runs.verdict is Verdict.DISAGREE:
        return runs
    left = f"between updates {first} and {last}, whose weights were not asked for, it leaves the envelope of rounding"
    return runs + Observed(broken=(f"{where}: {left}",))


def _compiles() -> bool:
    return "jax" in sys.modules


def _kept(updates: int) -> Iterator[int]:
    """Yield blocks of counts around the start, the end and every period: the stretches between are equally long."""
    for count in range(updates + 1):
        if min(count % _PERIOD, -count % _PERIOD) <= _BLOCK // 2:
            yield count


def _chosen(
    problem: Problem, kept: Mapping[int, Snapshot], losses: Sequence[float] | np.ndarray
) -> Iterator[tuple[Case, StepValues]]:
    """Yield the steps of a run that stand out, and some spread over it."""
    shown = [update for update in kept if update + 1 in kept]
    spread = {shown[at] for at in sampled_updates(len(shown))}
    chosen = spread.union(suspects(problem, kept, np.asarray(losses)))
    for case, step in steps_of(problem, kept, losses):
        if case.update in chosen:
            yield case, step


def _in_steps(target: Target, problem: Problem, where: str) -> Observed:
    """Let a target without `train` go many steps in a row, then judge it at weights along the reference's run."""
    return _own_steps(target, problem, where) + _forced(target, problem, where)


def _own_steps(target: Target, problem: Problem, where: str) -> Observed:
    """Go some steps from the target's own results; observe those that stand out."""
    function = "step" if "step" in target.functions else "loss_and_grads"
    if function not in target.functions:
        return Observed()
    alone = replace(target, functions={function: target.functions[function]})
    kept = {0: Snapshot(problem.params, State(0))}
    losses: list[float] = []
    steps = _STEPS_COMPILED if _compiles() else _STEPS
    for update in range(min(steps, problem.schedule.updates)):
        case = Case.of(problem, kept[update].params, update, {})
        answered = answer(alone, case)
        if answered.error is not None:
            words = (f"{where}, step {update + 1} in a row: {answered.error}",)
            raised = isinstance(answered.error, TargetRaisedError)
            return Observed(not_judged=words) if raised else Observed(broken=words)
        losses.append(np.nan if answered.first.loss is None else answered.first.loss)
        after = stepped(Observation(case, answered.first))
        if after is None:
            break
        kept[update + 1] = Snapshot(after, State(update + 1))
    if len(kept) == 1:
        return Observed()
    # Weights after a step that was made here from its gradients are judged as its own: they show the gradients.
    own = [(case, replace(step, recorded=None)) for case, step in _chosen(problem, kept, losses)]
    return Observed(named(f"{where}, in a row", own))


def _forced(target: Target, problem: Problem, where: str) -> Observed:
    """Ask the target for the step at some updates of a run of our own, the fastest; any near the right one would do."""
    keep = tuple(sampled_updates(problem.schedule.updates))
    own = replace(problem, schedule=replace(problem.schedule, keep=keep))
    kept = (
        registry.load("numpy-tuned")
        .train(own.network, own.params, own.inputs, own.targets, own.schedule)
        .kept
    )
    runs = Observed()
    for update, (params, _) in kept.items():
        answered = answer(target, Case.of(problem, params, update, {}))
        words = f"{where}, at update {update} of a right run"
        if isinstance(answered.error, TargetRaisedError):
            return runs + Observed(not_judged=(f"{words}: {answered.error}",))
        if answered.error is not None:
            return runs + Observed(broken=(f"{words}: {answered.error}",))
        found = (Observation(case, step) for case, step in answered.steps)
        runs += Observed(tuple((words, observation) for observation in found))
    return runs
