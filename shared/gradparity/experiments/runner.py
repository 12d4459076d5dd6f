"""Train one experiment with one implementation."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
from threadpoolctl import threadpool_limits

from ..contract import Batch, Trajectory
from ..guarded import Guarded
from ..machine import machine, versions
from .experiment import Experiment

_KEPT_PAIRS = 10


@dataclass(frozen=True, eq=False)
class Run:
    """One training run: what was trained, what came of it, and where.

    Attributes:
        trajectory: losses, kept and final weights and state.
        predictions: the implementation's own, on all data, with the final weights.
        seconds: of wall time, `compile` and `train` apart.
        started: date and time in UTC, ISO 8601.
    """

    experiment: Experiment
    implementation: str
    trajectory: Trajectory
    predictions: Batch
    seconds: Mapping[str, float]
    versions: Mapping[str, str]
    machine: Mapping[str, str]
    started: str


def kept_updates(updates: int) -> tuple[int, ...]:
    """Ten evenly spaced update counts, each with the next one, and the end.

    From the weights at k and at k + 1 alone it can be judged whether step k was right, however far
    the run has moved from another one.
    """
    stride = max(updates // _KEPT_PAIRS, 1)
    starts = range(0, updates, stride)
    return tuple(sorted({*starts, *(k + 1 for k in starts), updates}))


def run(implementation: Guarded, experiment: Experiment) -> Run:
    """Train `experiment` from its initial weights, on one thread."""
    problem = experiment.problem()
    schedule = replace(problem.schedule, keep=kept_updates(problem.schedule.updates))
    started = datetime.now(UTC).isoformat(timespec="seconds")
    # Sharing out the arithmetic of a tiny network costs more than doing it: torch can be 60 times slower.
    # Training that overflows needs no warning: its losses tell.
    with threadpool_limits(limits=1), np.errstate(over="ignore", invalid="ignore"):
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
        implementation=implementation.name,
        trajectory=trajectory,
        predictions=predictions,
        seconds={"compile": compiling, "train": elapsed - compiling},
        versions=versions(),
        machine=machine(),
        started=started,
    )
