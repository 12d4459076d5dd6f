"""Find out whether a target updates its weights after every sample, from its own updates alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..contract import Params, Schedule, tensors
from ..errors import ContractError
from ..verdict.case import Case
from ..verdict.observation import Observation
from .answer import answer
from .target import Target

_ROWS = 3
_CASES = 6


def updates_by_sample(target: Target, observations: Sequence[Observation]) -> bool:
    """Return True if an update is the same as the target's own updates after each sample, one after the other.

    This holds whatever the target's gradient is, right or wrong.
    """
    for o in observations:
        if o.result.updated is None or o.elements[0] < 2:
            continue
        params = sample_by_sample(target, o.case)
        if params is None:
            return False
        return all(map(_same, tensors(params), tensors(o.result.updated), tensors(o.case.params)))
    return False


def sample_by_sample(target: Target, case: Case) -> Params | None:
    """Return the weights after the target's own update after each sample of the batch; None if it cannot."""
    params = case.params
    for row in _rows(case):
        after = _updated(target, _alone(case, row, params))
        if after is None:
            return None
        params = after
    return params


def _same(one: np.ndarray, other: np.ndarray, start: np.ndarray) -> bool:
    """Return True if two updates differ by rounding alone: a square root of it is far less than any other update."""
    moved = float(np.max(np.abs(one - start)))
    return float(np.max(np.abs(one - other))) <= np.sqrt(np.finfo(one.dtype).eps) * moved


def one_at_a_time(target: Target, observations: Sequence[Observation]) -> list[Observation]:
    """Return observations of single samples: those that are there, and some more."""
    found = [o for o in observations if o.elements[0] == 1]
    for o in [o for o in observations if o.elements[0] > 1][:_CASES]:
        for row in _rows(o.case)[:_ROWS]:
            answered = answer(target, _alone(o.case, row, o.case.params))
            found += [Observation(case, step) for case, step in answered.steps[:1]]
    return found or list(observations)


def _rows(case: Case) -> np.ndarray:
    return np.arange(len(case.inputs))[case.schedule.batch(case.update)]


def _alone(case: Case, row: int, params: Params) -> Case:
    schedule = Schedule(case.schedule.learning_rate, epochs=1)
    inputs, targets = case.inputs[[row]], case.targets[[row]]
    return replace(
        case,
        params=params,
        inputs=inputs,
        targets=targets,
        schedule=schedule,
        update=0,
        history=(),
    )


def _updated(target: Target, case: Case) -> Params | None:
    try:
        return answer(target, case).first.updated
    except ContractError:
        return None
