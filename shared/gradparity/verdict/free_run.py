"""How far a free run of a correct program may move from the reference's: far, where training is chaotic.

The reference is trained along with members that get noise of one ulp on each weight at each update, with probability
one half. What they reach is what rounding can do; four times that is allowed. Where it grows beyond a thousandth of
the weights the run is chaotic, and no free run can be judged from there on.
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
"""Samples to either side whose largest distance counts: members do not all part at the same update."""

MARGIN = 4.0
"""The largest ratio of a correct run's distance to the members' was 2.6 in 144 runs."""

CHAOTIC = 1e-3


@dataclass(frozen=True, eq=False)
class Envelope:
    """The reference's free run and what is allowed around it.

    Attributes:
        reference: weights and the optimizer's state by update count.
        allowed: ‖w - w_reference‖, by update count, up to the first one that is chaotic.
        chaotic_from: update count from which on nothing can be judged; None if that never comes.
    """

    reference: dict[int, Snapshot]
    allowed: dict[int, float]
    chaotic_from: int | None


@dataclass(frozen=True)
class FreeRun:
    """The verdict on a free run.

    Attributes:
        verdict: abstain where it is chaotic before anything could be judged.
        share: the largest distance as a share of the envelope, while that tells.
        outside_at: the first update count at which it is outside; None if it never is.
        chaotic_from: see `Envelope`.
    """

    verdict: Verdict
    share: float
    outside_at: int | None
    chaotic_from: int | None

    @property
    def in_words(self) -> str:
        """Such as "inside, chaotic from update 520 on"."""
        chaos = "" if self.chaotic_from is None else f"chaotic from update {self.chaotic_from} on"
        if self.verdict is Verdict.ABSTAIN:
            return chaos or "not judged"
        found = "inside" if self.outside_at is None else f"outside from update {self.outside_at} on"
        return f"{found}, {chaos}" if chaos else found


def envelope(problem: Problem, keep: tuple[int, ...], seed: int = 0) -> Envelope:
    """Train the reference and its noisy members, in the problem's dtype.

    Args:
        problem: what is trained.
        keep: the update counts at which free runs are going to be judged.
        seed: of the noise.
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
    """Hold a run's kept weights against the envelope. The initial weights are no evidence."""
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
    """Exact steps of one ulp up or down on half of the members' weights; the reference, first, is left alone."""
    draw = rng.integers(0, 4, stacked.shape)
    draw[0] = 0
    up, down = np.nextafter(stacked, np.inf), np.nextafter(stacked, -np.inf)
    return np.where(draw == 2, up, np.where(draw == 3, down, stacked))


def _distance(params: Params) -> float:
    """The largest distance of a member from the reference."""
    squares = sum(
        np.sum((t[1:] - t[:1]).astype(np.float64) ** 2, axis=tuple(range(1, t.ndim)))
        for t in tensors(params)
    )
    return float(np.sqrt(np.max(squares)))


def _norm(params: Params) -> float:
    return float(np.sqrt(sum(float(np.sum(t.astype(np.float64) ** 2)) for t in tensors(params))))
