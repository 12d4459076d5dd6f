"""Two kept runs of one experiment, perhaps from two machines: is each right, and how far are they apart?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..contract import tensors
from ..errors import InputError
from ..experiments.runner import Run
from .judge import Verdict, combine
from .kept_run import RunVerdict, judge_run, surroundings

PARTED = 1e-3
"""Losses that differ by more than this, relatively, are said to have diverged."""


@dataclass(frozen=True)
class Comparison:
    """What is known of two runs.

    Attributes:
        run_verdicts: of the two runs, each against the oracle.
        first_difference: the first update whose recorded losses differ in any bit; None if none does.
        distances: by kept update count, ‖w_a - w_b‖ / ‖w_b‖ over all weights together.
        loss_differences: |a - b| / |b| of every recorded loss.
    """

    run_verdicts: tuple[RunVerdict, RunVerdict]
    first_difference: int | None
    distances: dict[int, float]
    loss_differences: np.ndarray

    @property
    def verdict(self) -> Verdict:
        """Agree if each run is right on its own: two right runs may diverge for good where training is chaotic."""
        return combine(one.verdict for one in self.run_verdicts)


def compare(a: Run, b: Run) -> Comparison:
    """Compare two runs.

    Raises:
        InputError: they are not runs of one experiment.
    """
    ours, theirs = (run.experiment.fingerprint_of(run.problem) for run in (a, b))
    if ours != theirs:
        raise InputError(
            f"the runs are of different experiments, '{a.experiment.name}' ({ours[:12]}) and "
            f"'{b.experiment.name}' ({theirs[:12]}): nothing to compare"
        )
    around = surroundings(a.problem)
    differing = np.flatnonzero(a.trajectory.losses != b.trajectory.losses)
    return Comparison(
        run_verdicts=(judge_run(a, around), judge_run(b, around)),
        first_difference=int(differing[0]) if len(differing) else None,
        distances=weight_distances(a, b),
        loss_differences=loss_differences(a, b),
    )


def loss_differences(a: Run, b: Run) -> np.ndarray:
    """|a - b| / |b| of every recorded loss."""
    ours, theirs = a.trajectory.losses, b.trajectory.losses
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.abs(ours - theirs) / np.abs(theirs)


def weight_distances(a: Run, b: Run) -> dict[int, float]:
    """‖w_a - w_b‖ / ‖w_b‖ at every update count that both kept."""
    distances = {}
    for update in a.trajectory.kept.keys() & b.trajectory.kept.keys():
        ours, theirs = (
            np.concatenate([t.ravel() for t in tensors(run.trajectory.kept[update].params)])
            for run in (a, b)
        )
        with np.errstate(invalid="ignore", over="ignore"):
            distances[update] = float(np.linalg.norm(ours - theirs) / np.linalg.norm(theirs))
    return dict(sorted(distances.items()))
