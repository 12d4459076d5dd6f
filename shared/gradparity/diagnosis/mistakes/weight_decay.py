"""Mistakes in the weight decay, coupled and decoupled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ...contract import Schedule
from ...reference.layers import Array
from ...reference.updates import Update, UpdateRule, update_tensor
from .base import OptimizerMistake
from .rules import Arrays, Uses, amplified


def _any(schedule: Schedule) -> bool:
    return bool(schedule.weight_decay)


def _decoupled(schedule: Schedule) -> bool:
    return _any(schedule) and schedule.decoupled


def _coupled(schedule: Schedule) -> bool:
    return _any(schedule) and not schedule.decoupled


def _other(change: Callable[[Schedule, Array], Schedule]) -> UpdateRule:
    """Use the right update of another schedule, which `change` returns for (schedule, w)."""
    return lambda schedule, w, g, arrays, t: update_tensor(change(schedule, w), w, g, arrays, t)


def _times(factor: float) -> UpdateRule:
    """Use the right update, but with λ multiplied by a factor."""
    return _other(lambda s, _: replace(s, weight_decay=factor * s.weight_decay))


def _shrunk_alone(schedule: Schedule, w: Array, g: Array, arrays: Arrays, t: int) -> Update:
    found = update_tensor(replace(schedule, weight_decay=0.0), w, g, arrays, t)
    return replace(found, weight=found.weight - w.dtype.type(schedule.weight_decay) * w)


def _twice(schedule: Schedule, w: Array, g: Array, arrays: Arrays, t: int) -> Update:
    doubled = replace(schedule, weight_decay=2 * schedule.weight_decay)
    found = update_tensor(doubled, w, g, arrays, t)
    if not schedule.decoupled:
        return found
    shrink = w.dtype.type(schedule.learning_rate) * w.dtype.type(schedule.weight_decay)
    return replace(found, weight=found.weight + shrink * shrink * w)


_RIGHT = "coupled: g ← g + λ w; decoupled: w ← w - lr λ w"


def _decay(name: str, wrong: str, rule: UpdateRule, applies: Uses = _any) -> OptimizerMistake:
    return OptimizerMistake(name, wrong, _RIGHT, rule, applies, amplified)


WEIGHT_DECAY: tuple[OptimizerMistake, ...] = (
    _decay(
        "the weight decay is coupled, not decoupled",
        "g ← g + λ w",
        _other(lambda s, _: replace(s, decoupled=False)),
        _decoupled,
    ),
    _decay(
        "the weight decay is decoupled, not coupled",
        "w ← w - lr λ w",
        _other(lambda s, _: replace(s, decoupled=True)),
        _coupled,
    ),
    OptimizerMistake(
        "the decoupled weight decay is not multiplied by the learning rate",
        "w ← w - λ w",
        "w ← w - lr λ w",
        _shrunk_alone,
        _decoupled,
        amplified,
    ),
    _decay(
        "the coupled weight decay is multiplied by the learning rate",
        "g ← g + lr λ w",
        _other(lambda s, _: replace(s, weight_decay=s.weight_decay * s.learning_rate)),
        _coupled,
    ),
    _decay(
        "the weight decay leaves out the biases",
        "weights only",
        _other(lambda s, w: replace(s, weight_decay=0.0) if w.ndim == 1 else s),
    ),
    OptimizerMistake("the weight decay is applied twice", "twice", "once", _twice, _any, amplified),
    _decay("the weight decay is 2 λ", "2 λ", _times(2)),
    _decay("the weight decay is ½ λ", "½ λ", _times(0.5)),
    _decay("the weight decay has the wrong sign", "-λ", _times(-1)),
    _decay("the weight decay is missing", "none", _times(0)),
)
