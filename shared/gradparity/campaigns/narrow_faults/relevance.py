"""Does a narrow fault matter to the assignment? Train the program with and without it on the two experiments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from ...check.answer import answer
from ...check.loading import load
from ...check.target import Target
from ...contract import Params, map_params, tensors
from ...errors import ContractError
from ...experiments import experiment
from ...experiments.runner import kept_updates
from ...problem import Problem
from ...processes import one_quiet_thread
from ...verdict.case import Case
from ...verdict.free_run import Envelope, envelope
from .program import Program, imported

EXPERIMENTS = ("xor", "linear")

Weights = Mapping[int | str, Params]
"""The weights that a run tells, by update count, and under "final" those after it."""


def relevance(programs: Sequence[Program]) -> list[dict[str, float | bool | None]]:
    """Return for each wrong program the largest change of a weight in each experiment, and whether one is relevant.

    A change is relevant if the distance of the two runs is more than the envelope of rounding allows.
    """
    bases: dict[str, dict[str, Weights | None]] = {}
    found = []
    with one_quiet_thread():
        for program in programs:
            key = repr((sorted((program.base or {}).items()), program.target, program.adapter))
            if key not in bases or program.adapter:
                bases[key] = _runs(program, base=True)
            found.append(_compared(_runs(program, base=False), bases[key]))
    return found


def _compared(
    runs: Mapping[str, Weights | None], bases: Mapping[str, Weights | None]
) -> dict[str, float | bool | None]:
    found: dict[str, float | bool | None] = {"relevant": False}
    for name in EXPERIMENTS:
        run, base = runs[name], bases[name]
        if run is None or base is None:
            found[name] = None
            continue
        around, last = _around(name), _problem(name).schedule.updates
        changes = []
        for count, params in run.items():
            at = last if count == "final" else count
            pairs = list(zip(tensors(params), tensors(base[count]), strict=True))
            changes += [float(np.max(np.abs(a - b))) for a, b in pairs]
            distance = np.sqrt(sum(np.sum((a - b) ** 2) for a, b in pairs))
            if not distance <= around.allowed.get(int(at), np.inf):
                found["relevant"] = True
        largest = float(np.max(changes))
        found[name] = largest if np.isfinite(largest) else None
    return found


@cache
def _problem(name: str) -> Problem:
    problem = experiment.load(name).problem()
    updates = problem.schedule.updates
    return replace(problem, schedule=replace(problem.schedule, keep=kept_updates(updates)))


@cache
def _around(name: str) -> Envelope:
    problem = _problem(name)
    return envelope(problem, problem.schedule.keep)


def _runs(program: Program, *, base: bool) -> dict[str, Weights | None]:
    """Train the program on both experiments; None for one that it cannot run."""
    with TemporaryDirectory(prefix="gradparity-narrow-") as folder, imported(Path(folder)):
        target = load(*program.write(Path(folder), base=base))
        return {name: _run(target, _problem(name)) for name in EXPERIMENTS}


def _run(target: Target, problem: Problem) -> Weights | None:
    schedule, limits = problem.schedule, target.limits
    widths = (problem.network.input_shape[0], *(len(layer.weight[0]) for layer in problem.params))
    if limits.widths not in (None, widths) or (limits.biases and any(limits.biases)):
        return None
    if target.contract is False and limits.widths is not None and limits.biases is None:
        return None  # an adapter that says nothing of biases has them
    try:
        if target.trains:
            run = target.trainer.train(
                problem.network, problem.params, problem.inputs, problem.targets, schedule
            )
            kept: dict[int | str, Params] = {n: one.params for n, one in run.kept.items()}
            return {**kept, "final": run.final.params}
        return _step_by_step(target, problem)
    except ContractError:
        return None


def _step_by_step(target: Target, problem: Problem) -> Weights | None:
    """Train by the target's `step`, or by its gradient."""
    found: dict[int | str, Params] = {}
    params, schedule = problem.params, problem.schedule
    for update in range(schedule.updates):
        if update in schedule.keep:
            found[update] = params
        case = Case(problem.network, params, problem.inputs, problem.targets, schedule)
        step = answer(target, case).first
        if step.updated is not None:
            params = step.updated
        elif step.grads is not None:
            params = map_params(lambda w, g: w - schedule.learning_rate * g, params, step.grads)
        else:
            return None
    found[schedule.updates] = params
    return found
