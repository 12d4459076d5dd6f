"""Judge a finished run from what it kept: weights at k and at k + 1 show whether step k was right."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from ..contract import Schedule, tensors
from ..experiments.runner import Run, kept_updates
from ..problem import Problem
from ..reference.step import StepValues
from .case import Case, sampled_updates, steps_of
from .free_run import Envelope, FreeRun, envelope, judge_free_run
from .judge import Finding, Verdict, combine, judge


@dataclass(frozen=True)
class RunVerdict:
    """The verdict on a run, step by step and as a whole.

    Attributes:
        same_start: its weights before the first update are the experiment's, bit for bit.
        findings: with the update count they belong to.
        free_run: the run as a whole, which shows what happens between the steps that were kept.
    """

    same_start: bool
    findings: tuple[tuple[int, Finding], ...]
    free_run: FreeRun

    @property
    def verdict(self) -> Verdict:
        """Of the start, all findings and the free run together."""
        start = Verdict.AGREE if self.same_start else Verdict.DISAGREE
        findings = (finding.verdict for _, finding in self.findings)
        return combine([start, *findings, self.free_run.verdict])


def judge_run(run: Run, around: Envelope) -> RunVerdict:
    """Check a run against the oracle wherever it kept weights, and against the envelope of its experiment.

    For each kept pair of update counts k, k + 1: the loss it recorded and the update it made; at the end, its
    predictions and its final loss. Each is judged from the run's own weights, so it does not matter how
    far the run has moved from another one.
    """
    with np.errstate(over="ignore", invalid="ignore"):  # as for `judge_all`
        kept = {update: snapshot.params for update, snapshot in run.trajectory.kept.items()}
        free_run = judge_free_run(kept, around)
        return RunVerdict(_same_start(run), (*_steps(run), *_end(run)), free_run)


def surroundings(problem: Problem) -> Envelope:
    """The envelope of a problem's runs at the update counts that they keep, and at those whose steps are judged."""
    updates = problem.schedule.updates
    return envelope(problem, (*kept_updates(updates), *sampled_updates(updates)))


def _same_start(run: Run) -> bool:
    start = run.trajectory.kept.get(0)
    return start is not None and all(
        np.array_equal(ours, theirs)
        for ours, theirs in zip(tensors(run.problem.params), tensors(start.params), strict=True)
    )


def _steps(run: Run) -> Iterator[tuple[int, Finding]]:
    kept = run.trajectory.kept
    for case, seen in steps_of(run.problem, kept, run.trajectory.losses):
        expected, bound = case.expect()
        for finding in judge(case.params, seen, expected, bound, slack=case.oracle_slack):
            yield case.update, finding


def _end(run: Run) -> Iterator[tuple[int, Finding]]:
    problem, trajectory = run.problem, run.trajectory
    everything = replace(problem, schedule=Schedule(problem.schedule.learning_rate, epochs=1))
    params, state = trajectory.final
    case = Case.of(everything, params, 0, {})
    expected, bound = case.expect()
    hidden = [None] * (len(problem.network.layers) - 1)
    seen = StepValues(activations=[*hidden, run.predictions], loss=trajectory.final_loss)
    for finding in judge(params, seen, expected, bound, slack=case.oracle_slack):
        yield state.updates, finding
