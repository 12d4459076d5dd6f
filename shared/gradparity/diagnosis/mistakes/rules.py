"""Wrong updates of a tensor: by another formula, or by the right formula of another optimizer.

Each update predicts the weights and the optimizer's arrays, and both must fit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import ceil
from typing import Any

import numpy as np

from ...contract import Adam, Optimizer, Schedule
from ...reference.layers import Array
from ...reference.updates import Update, update_tensor
from ...verdict.case import Case
from .base import OptimizerMistake

Arrays = tuple[Array, ...]
Formula = Callable[[Any, Array, Arrays, int, Any], tuple[Array, Arrays]]
"""(optimizer, g, its arrays, t, learning rate) → (the direction that the learning rate multiplies, the new arrays)."""

Uses = Callable[[Schedule], bool]
"""A condition on a schedule: True if a mistake can be made with it."""

_STEEPER = 16


def amplified(case: Case) -> int:
    """Allow more rounding, because a wrong formula may amplify rounding errors more than the right one does."""
    optimizer, t = case.schedule.optimizer, max(case.update, 1)
    if not isinstance(optimizer, Adam):
        return _STEEPER
    # 1 - β^t is off by the rounding of β^t; its quotients may be kept as state, and β may be another one.
    lost = min(1 - beta**t for beta in (optimizer.beta1, optimizer.beta2))
    return _STEEPER + ceil(_STEEPER / lost)


def uses(kind: type[Optimizer]) -> Uses:
    """Select schedules with this kind of optimizer."""
    return lambda schedule: isinstance(schedule.optimizer, kind)


def other_formula(
    applies: Uses, name: str, wrong: str, right: str, formula: Formula, initial: float = 0.0
) -> OptimizerMistake:
    """Make a mistake that uses another formula for the optimizer's step. The weight decay is right."""

    def rule(schedule: Schedule, w: Array, g: Array, arrays: Arrays, t: int) -> Update:
        real = w.dtype.type
        rate, decay = real(schedule.learning_rate), real(schedule.weight_decay)
        shrink = decay * w if schedule.decoupled else real(0)
        g = g if schedule.decoupled else g + decay * w
        direction, arrays = formula(schedule.optimizer, g, arrays, t, rate)
        return Update(g, direction, w - rate * (direction + shrink), arrays)

    return OptimizerMistake(name, wrong, right, rule, applies, amplified, initial)


def other_optimizer(
    applies: Uses,
    name: str,
    wrong: str,
    right: str,
    other: Callable[[Any], Optimizer],
    later: int = 0,
) -> OptimizerMistake:
    """Make a mistake that uses the right update, but of another optimizer or of another t."""

    def rule(schedule: Schedule, w: Array, g: Array, arrays: Arrays, t: int) -> Update:
        changed = replace(schedule, optimizer=other(schedule.optimizer))
        return update_tensor(changed, w, g, arrays, t + later)

    return OptimizerMistake(name, wrong, right, rule, applies, amplified)


def average(beta: float, old: Array, new: Array) -> Array:
    """Compute the moving average: beta · old + (1 - beta) · new."""
    real = new.dtype.type
    return real(beta) * old + (1 - real(beta)) * new


def ratio(mean: Array, square: Array, epsilon: float) -> Array:
    """Compute the step of an adaptive optimizer: mean / (√square + epsilon)."""
    return mean / (np.sqrt(square) + square.dtype.type(epsilon))
