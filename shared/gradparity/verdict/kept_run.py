"""Judge a finished run by its kept weights: those after k and k + 1 updates show whether update k was right."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from ..contract import tensors
from ..experiments.runner import Run, kept_updates
from ..problem import Problem
from .case import end_of, sampled_updates, steps_of
from .free_run import Envelope, FreeRun, envelope, judge_free_run
from .judge import Finding, Verdict, combine, judge


@dataclass(frozen=True)
class RunVerdict:
    """The verdict on a run, step by step and as a whole.

    Attributes:
        same_start: True if the weights before the first update are the experiment's, bit for bit.
        findings: the findings, each with its update count.
        free_run: the verdict on the whole run, which covers the updates between the kept ones, too.
    """

    same_start: bool
    findings: tuple[tuple[int, Finding], ...]
    free_run: FreeRun

    @property
    def verdict(self) -> Verdict:
        """The verdict on the start, all findings and the free run together."""
        start = Verdict.AGREE if self.same_start else Verdict.DISAGREE
        findings = (finding.verdict for _, finding in self.findings)
        return combine([start, *findings, self.free_run.verdict])


def judge_run(run: Run, around: Envelope) -> RunVerdict:
    """Check a run against the oracle at each kept step, and against the envelope of its experiment.

    Each kept pair of update counts k, k + 1 gives the recorded loss and the update; the end gives the predictions and
    the final loss. Each is judged from the run's own weights, so its distance from other runs does not matter.
    """
    with np.errstate(over="ignore", invalid="ignore"):  # as for `judge_all`
        kept = {update: snapshot.params for update, snapshot in run.trajectory.kept.items()}
        free_run = judge_free_run(kept, around)
        return RunVerdict(_same_start(run), (*_steps(run), *_end(run)), free_run)


def surroundings(problem: Problem) -> Envelope:
    """Compute the envelope of a problem's runs, at the kept update counts and at those whose steps are judged."""
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
    for case, result in steps_of(run.problem, kept, run.trajectory.losses):
        expected, bound = case.expect()
        for finding in judge(case.params, result, expected, bound, slack=case.oracle_slack):
            yield case.update, finding


def _end(run: Run) -> Iterator[tuple[int, Finding]]:
    """Judge the last update up to `final`, the final loss, and the predictions that belong to it."""
    problem, trajectory = run.problem, run.trajectory
    hidden = [None] * (len(problem.network.layers) - 1)
    for case, end in end_of(problem, trajectory):
        shown = None if end.final_loss is None else [*hidden, run.predictions]
        step = replace(end, activations=shown)
        expected, bound = case.expect()
        for finding in judge(case.params, step, expected, bound, slack=case.oracle_slack):
            yield trajectory.final.state.updates, finding
