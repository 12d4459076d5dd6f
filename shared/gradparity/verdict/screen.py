"""Screen every update of a long training run, to find the few that deserve the rigorous bound.

The oracle is too slow to judge each of some thousand updates. Here the reference evaluates all of them at once in
float64, from the run's own weights. A program may have a convention: its gradient is another multiple, or that of
another loss. So nothing is judged here. Updates are only ranked, by what stands out among the updates of this run:
what is left over beside the run's median multiple, and what differs from the updates before and after.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..contract import Layer, Params, Snapshot, map_params, tensors
from ..problem import Problem
from ..reference.layers import Array
from ..reference.passes import evaluate

SUSPECTS = 12
"""The number of updates taken from each of four rankings."""

_AT_ONCE = 2**18
"""About how many activations of a layer are computed at once: they should fit into the processor's cache."""


def suspects(
    problem: Problem, kept: Mapping[int, Snapshot], losses: Array, count: int = SUSPECTS
) -> list[int]:
    """Return the updates of a run by plain SGD on the full batch that stand out most, `count` from each ranking.

    Only updates whose weights before and after are kept can be screened. `losses` begin at update 0.
    """
    updates = np.array([update for update in kept if update + 1 in kept])
    before = _stacked([kept[k].params for k in updates])
    after = _stacked([kept[k + 1].params for k in updates])
    expected_losses, grads = _evaluate(problem, before)
    rate, eps = problem.schedule.learning_rate, float(np.finfo(np.float64).eps)
    with np.errstate(all="ignore"):
        recorded = losses[updates, np.newaxis]
        noise = eps * (np.abs(recorded) + np.abs(expected_losses))
        rankings = _scores(updates, recorded, expected_losses, noise)
        of_updates: tuple[list[Array], list[Array]] = [], []
        for old, new, grad in zip(*map(tensors, (before, after, grads)), strict=True):
            w, observed, expected = (t.reshape(len(t), -1) for t in (old, (old - new) / rate, grad))
            size = np.linalg.norm(expected, axis=1, keepdims=True)
            noise = eps * (np.abs(w) / rate + size)
            for scores, one in zip(
                of_updates, _scores(updates, observed, expected, noise), strict=True
            ):
                scores.append(one)
    rankings += tuple(np.max(scores, axis=0) for scores in of_updates)
    return sorted({int(k) for one in rankings for k in updates[np.argsort(one)[-count:]]})


def _scores(updates: Array, observed: Array, expected: Array, noise: Array) -> tuple[Array, ...]:
    """Score rows `(updates, entries)`: what a common multiple leaves over, and what their neighbours do not show."""
    multiple = np.sum(observed * expected, axis=1) / np.sum(expected * expected, axis=1)
    finite = multiple[np.isfinite(multiple)]
    left = observed - (np.median(finite) if len(finite) else 1.0) * expected
    # Relative to the gradient, what a convention leaves over changes slowly along a run.
    size = np.linalg.norm(expected, axis=1, keepdims=True)
    shape, bend = left / size, np.zeros_like(left)
    if len(updates) > 2:
        gaps = np.diff(updates)
        inner = (gaps[1:] == 1) & (gaps[:-1] == 1)
        middle = shape[1:-1] - (shape[:-2] + shape[2:]) / 2
        bend[1:-1] = np.where(inner[:, np.newaxis], middle * (size / noise)[1:-1], 0.0)
    return tuple(
        np.max(np.nan_to_num(np.abs(s), nan=np.inf, posinf=np.inf), axis=1)
        for s in (left / noise, bend)
    )


def _stacked(params: list[Params]) -> Params:
    """Stack the params of many updates along a leading axis."""
    return map_params(lambda *tensors: np.stack(tensors), *params)


def _evaluate(problem: Problem, params: Params) -> tuple[Array, Params]:
    """Compute the losses `(updates, 1)` and gradients at all weights, some updates at a time."""
    widest = max(shape[0] for shape in problem.network.shapes)
    size = max(_AT_ONCE // (len(problem.inputs) * widest), 1)
    found = [
        evaluate(
            problem.network,
            tuple(
                Layer(w[at : at + size], None if b is None else b[at : at + size])
                for w, b in params
            ),
            problem.inputs,
            problem.targets,
        )
        for at in range(0, len(params[0].weight), size)
    ]
    losses = np.concatenate([np.reshape(one.loss, (-1, 1)) for one in found])
    grads = map_params(lambda *tensors: np.concatenate(tensors), *(one.grads for one in found))
    return losses, grads
