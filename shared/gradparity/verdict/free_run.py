"""Judge a free run by its distance from the reference's free run.

The reference is trained together with noisy members: at each update each of their weights moves by one ulp with
probability one half. Their distance from the reference shows how far rounding alone can move a run; four times that
distance is allowed. Once it exceeds a thousandth of the weights the training is chaotic, and from that update on no
free run can be judged.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..contract import Params, Snapshot, State, map_params, tensors
from ..problem import Problem
from ..reference.passes import evaluate
from ..reference.updates import apply_update, zero_state
from .judge import Verdict

MEMBERS = 8
SAMPLES = 300
WINDOW = 5
"""Samples on each side over which the largest distance counts: members do not all diverge at the same update."""

MARGIN = 4.0
"""Factor on the members' distance. In 144 correct runs the largest ratio to the members' distance was 2.6."""

CHAOTIC = 1e-3


@dataclass(frozen=True, eq=False)
class Envelope:
    """The reference's free run, and the allowed distance from it.

    Attributes:
        reference: the weights and the optimizer's state, by update count.
        allowed: the largest allowed ‖w - w_reference‖, by update count, until training is chaotic.
        chaotic_from: the update count from which on nothing can be judged; None if training is never chaotic.
    """

    reference: dict[int, Snapshot]
    allowed: dict[int, float]
    chaotic_from: int | None


@dataclass(frozen=True)
class FreeRun:
    """The verdict on a free run.

    Attributes:
        verdict: the verdict; abstain if the training is chaotic before anything could be judged.
        share: the largest distance as a share of the allowed one, before the training is chaotic.
        outside_at: the first update count at which the run is outside the envelope; None if it never is.
        chaotic_from: the update count from which on nothing can be judged; None if training is never chaotic.
    """

    verdict: Verdict
    share: float
    outside_at: int | None
    chaotic_from: int | None

    @property
    def in_words(self) -> str:
        """The verdict in words, such as "inside, chaotic from update 520 on"."""
        chaos = "" if self.chaotic_from is None else f"chaotic from update {self.chaotic_from} on"
        if self.verdict is Verdict.ABSTAIN:
            return chaos or "not judged"
        found = "inside" if self.outside_at is None else f"outside from update {self.outside_at} on"
        return f"{found}, {chaos}" if chaos else found


def envelope(problem: Problem, keep: tuple[int, ...], seed: int = 0) -> Envelope:
    """Train the reference and its noisy members, in the problem's dtype.

    Args:
        problem: the problem to train on.
        keep: the update counts at which free runs will be judged.
        seed: the seed of the noise.
    """
    rng = np.random.default_rng(seed)
    schedule = problem.schedule
    samples = sorted({*_log_spaced(schedule.updates), *keep})
    wanted = set(samples)
    params = map_params(lambda tensor: np.stack([tensor] * (MEMBERS + 1)), problem.params)
    arrays = zero_state(schedule, params)
    reference: dict[int, Snapshot] = {}
    distances, norms = [], []
    with np.errstate(over="ignore", invalid="ignore"):
        for update in range(schedule.updates + 1):
            if update in wanted:
                state = State(update, {name: _first(array) for name, array in arrays.items()})
                reference[update] = Snapshot(_first(params), state)
                distances.append(_distance(params))
                norms.append(_norm(reference[update].params))
            if update < schedule.updates:
                rows = schedule.batch(update)
                inputs, targets = problem.inputs[rows], problem.targets[rows]
                grads = evaluate(problem.network, params, inputs, targets).grads
                params, arrays = apply_update(schedule, params, grads, arrays, update + 1)
                params = map_params(lambda tensor: _jitter(tensor, rng), params)
    unit = float(np.finfo(problem.inputs.dtype).eps) / 2
    allowed: dict[int, float] = {}
    for at, update in enumerate(samples):
        near = distances[max(at - WINDOW, 0) : at + WINDOW + 1]
        limit = MARGIN * max(*near, unit * norms[at])
        if not limit < CHAOTIC * norms[at]:
            return Envelope(reference, allowed, update)
        allowed[update] = limit
    return Envelope(reference, allowed, None)


def judge_free_run(kept: dict[int, Params], around: Envelope) -> FreeRun:
    """Check a run's kept weights against the envelope. The initial weights are not evidence."""
    worst, outside, judged = 0.0, None, False
    for update, params in sorted(kept.items()):
        if update == 0 or update not in around.allowed:
            continue
        judged = True
        pairs = zip(tensors(params), tensors(around.reference[update].params), strict=True)
        with np.errstate(over="ignore", invalid="ignore"):
            squares = sum(float(np.sum((a - b).astype(np.float64) ** 2)) for a, b in pairs)
        share = float(np.sqrt(squares)) / around.allowed[update]
        share = np.inf if np.isnan(share) else share
        worst = max(worst, share)
        if share > 1 and outside is None:
            outside = update
    verdict = (
        Verdict.ABSTAIN if not judged else Verdict.AGREE if outside is None else Verdict.DISAGREE
    )
    return FreeRun(verdict, worst, outside, around.chaotic_from)


def _log_spaced(updates: int) -> set[int]:
    return {0, *(int(n) for n in np.round(np.geomspace(1, max(updates, 1), SAMPLES)))}


def _first(params: Params) -> Params:
    return map_params(lambda tensor: tensor[0].copy(), params)


def _jitter(stacked: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Move half of the members' weights by exactly one ulp, up or down. The reference comes first and is unchanged."""
    draw = rng.integers(0, 4, stacked.shape)
    draw[0] = 0
    up, down = np.nextafter(stacked, np.inf), np.nextafter(stacked, -np.inf)
    return np.where(draw == 2, up, np.where(draw == 3, down, stacked))


def _distance(params: Params) -> float:
    """Compute the largest distance of a member from the reference."""
    squares = sum(
        np.sum((t[1:] - t[:1]).astype(np.float64) ** 2, axis=tuple(range(1, t.ndim)))
        for t in tensors(params)
    )
    return float(np.sqrt(np.max(squares)))


def _norm(params: Params) -> float:
    return float(np.sqrt(sum(float(np.sum(t.astype(np.float64) ** 2)) for t in tensors(params))))
