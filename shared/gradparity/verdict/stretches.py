"""Judge the stretches of a training run whose weights were not kept, from their first weights to their last.

As in `free_run`, noisy members of the reference show how far rounding alone can move a run. Here every stretch starts
from the run's own weights, and all stretches are trained at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import numpy as np

from ..contract import Params, Snapshot, map_params, tensors
from ..problem import Problem
from ..reference.layers import Array
from ..reference.passes import evaluate
from .free_run import CHAOTIC, MARGIN, MEMBERS


def outside(problem: Problem, kept: Mapping[int, Snapshot], seed: int = 0) -> list[tuple[int, int]]:
    """Return the stretches, as first and last update count, in which the run leaves the envelope of rounding.

    The run is one of plain SGD on the full batch. Stretches in which training is chaotic are left out.
    """
    counts = sorted(kept)
    stretches = [(a, b) for a, b in pairwise(counts) if b > a + 1]
    found = []
    for length in sorted({b - a for a, b in stretches}):
        some = [(a, b) for a, b in stretches if b - a == length]
        starts, ends = ([kept[k].params for k in column] for column in zip(*some, strict=True))
        shares = _shares(problem, starts, ends, length, np.random.default_rng(seed))
        found += [one for one, share in zip(some, shares, strict=True) if share > 1]
    return sorted(found)


def _shares(
    problem: Problem,
    starts: list[Params],
    ends: list[Params],
    length: int,
    rng: np.random.Generator,
) -> Array:
    """Compute each end's distance from the reference's end, as a share of what is allowed; 0 where it is chaotic."""
    rate, together = problem.schedule.learning_rate, MEMBERS + 1
    params = map_params(lambda *ts: np.repeat(np.stack(ts), together, axis=0), *starts)
    spread = np.zeros(len(starts))
    with np.errstate(over="ignore", invalid="ignore"):
        for _ in range(length):
            grads = evaluate(problem.network, params, problem.inputs, problem.targets).grads
            params = map_params(lambda w, g: _jitter(w - rate * g, together, rng), params, grads)
            spread = np.maximum(spread, np.max(_distances(params, together), axis=1))
        reference = map_params(lambda t: t[::together], params)
        norm = _norm(reference)
        unit = float(np.finfo(problem.inputs.dtype).eps) / 2
        allowed = MARGIN * np.maximum(spread, unit * norm)
        last = map_params(lambda *ts: np.stack(ts), *ends)
        shares = _norm(map_params(np.subtract, last, reference)) / allowed
    chaotic = ~(allowed < CHAOTIC * norm)
    return np.where(chaotic, 0.0, np.where(np.isnan(shares), np.inf, shares))


def _jitter(stacked: Array, together: int, rng: np.random.Generator) -> Array:
    """Move half of the members' weights by one ulp, up or down; the first of every group is the reference."""
    draw = rng.integers(0, 4, stacked.shape)
    draw[::together] = 0
    up, down = np.nextafter(stacked, np.inf), np.nextafter(stacked, -np.inf)
    return np.where(draw == 2, up, np.where(draw == 3, down, stacked))


def _distances(params: Params, together: int) -> Array:
    """Compute every member's distance from its reference, `(stretches, members)`."""
    groups = map_params(lambda t: t.reshape(-1, together, *t.shape[1:]), params)
    squares = [np.sum((t - t[:, :1]) ** 2, axis=tuple(range(2, t.ndim))) for t in tensors(groups)]
    return np.sqrt(sum(squares))


def _norm(params: Params) -> Array:
    squares = [np.sum(t**2, axis=tuple(range(1, t.ndim))) for t in tensors(params)]
    return np.sqrt(sum(squares))
