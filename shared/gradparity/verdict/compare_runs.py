"""Compare two kept runs of one experiment, perhaps from two machines: is each right, and how far apart are they?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..contract import tensors
from ..errors import InputError
from ..experiments.runner import Run
from .judge import Verdict, combine
from .kept_run import RunVerdict, judge_run, surroundings

PARTED = 1e-3
"""The relative difference of losses above which they have diverged."""


@dataclass(frozen=True)
class Comparison:
    """The comparison of two runs.

    Attributes:
        run_verdicts: the verdicts on the two runs, each against the oracle.
        first_difference: the first update whose recorded losses differ in any bit; None if none differ.
        distances: ‖w_a - w_b‖ / ‖w_b‖ over all weights together, by kept update count.
        loss_differences: |a - b| / |b| for every recorded loss.
    """

    run_verdicts: tuple[RunVerdict, RunVerdict]
    first_difference: int | None
    distances: dict[int, float]
    loss_differences: np.ndarray

    @property
    def verdict(self) -> Verdict:
        """Agree if each run is right by itself: where training is chaotic, two right runs may well diverge."""
        return combine(one.verdict for one in self.run_verdicts)


def compare(a: Run, b: Run) -> Comparison:
    """Compare two runs.

    Raises:
        InputError: the runs are not of the same experiment.
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
    """Compute |a - b| / |b| for every recorded loss."""
    ours, theirs = a.trajectory.losses, b.trajectory.losses
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.abs(ours - theirs) / np.abs(theirs)


def weight_distances(a: Run, b: Run) -> dict[int, float]:
    """Compute ‖w_a - w_b‖ / ‖w_b‖ at every update count that both runs kept."""
    distances = {}
    for update in a.trajectory.kept.keys() & b.trajectory.kept.keys():
        ours, theirs = (
            np.concatenate([t.ravel() for t in tensors(run.trajectory.kept[update].params)])
            for run in (a, b)
        )
        with np.errstate(invalid="ignore", over="ignore"):
            distances[update] = float(np.linalg.norm(ours - theirs) / np.linalg.norm(theirs))
    return dict(sorted(distances.items()))
