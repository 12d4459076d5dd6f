"""Train one experiment with one implementation."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from ..contract import Batch, Trajectory
from ..guarded import Guarded
from ..machine import machine, versions
from ..problem import Problem
from ..processes import one_quiet_thread
from .experiment import Experiment

_KEPT_PAIRS = 10


@dataclass(frozen=True, eq=False)
class Run:
    """One training run: its experiment, its result, and the machine it ran on.

    Attributes:
        problem: the data, initial weights and batches that `experiment` draws.
        trajectory: losses, kept and final weights and state.
        predictions: the implementation's outputs on all data with the final weights.
        seconds: wall time, `compile` and `train` separately.
        started: date and time in UTC, ISO 8601.
    """

    experiment: Experiment
    problem: Problem
    implementation: str
    trajectory: Trajectory
    predictions: Batch
    seconds: Mapping[str, float]
    versions: Mapping[str, str]
    machine: Mapping[str, str]
    started: str


def kept_updates(updates: int) -> tuple[int, ...]:
    """Return ten evenly spaced update counts, each followed by the next one, and the last.

    The weights at k and at k + 1 suffice to judge step k, however far the run has moved from other runs.
    """
    stride = max(updates // _KEPT_PAIRS, 1)
    starts = range(0, updates, stride)
    return tuple(sorted({*starts, *(k + 1 for k in starts), updates}))


def run(implementation: Guarded, experiment: Experiment, problem: Problem | None = None) -> Run:
    """Train `experiment` from its initial weights, on one thread; pass its `problem` if it is already drawn."""
    problem = problem or experiment.problem()
    schedule = replace(problem.schedule, keep=kept_updates(problem.schedule.updates))
    started = datetime.now(UTC).isoformat(timespec="seconds")
    with one_quiet_thread():
        begin = time.perf_counter()
        trajectory = implementation.train(
            problem.network, problem.params, problem.inputs, problem.targets, schedule
        )
        elapsed = time.perf_counter() - begin
        predictions = implementation.forward(
            problem.network, trajectory.final.params, problem.inputs
        )[-1]
    compiling = trajectory.compile_seconds
    return Run(
        experiment=experiment,
        problem=problem,
        implementation=implementation.name,
        trajectory=trajectory,
        predictions=predictions,
        seconds={"compile": compiling, "train": elapsed - compiling},
        versions=versions(),
        machine=machine(),
        started=started,
    )
