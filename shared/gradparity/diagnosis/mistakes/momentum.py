"""Mistakes in SGD with momentum, plain and Nesterov's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from ...contract import SGD, Schedule
from ...reference.layers import Array
from .base import OptimizerMistake
from .rules import Arrays, Formula, other_formula, other_optimizer


def _momentum(schedule: Schedule) -> bool:
    return isinstance(schedule.optimizer, SGD) and schedule.optimizer.momentum > 0


def _nesterov(schedule: Schedule) -> bool:
    match schedule.optimizer:
        case SGD(nesterov=True):
            return _momentum(schedule)
        case _:
            return False


def _plain(schedule: Schedule) -> bool:
    return _momentum(schedule) and not _nesterov(schedule)


def _one(name: str, wrong: str, formula: Formula) -> OptimizerMistake:
    return other_formula(_momentum, f"momentum: {name}", wrong, "v ← momentum v + g", formula)


def _velocity(velocity: Callable[[Any, Array, Array, int], Array], *, kept: bool = True) -> Formula:
    """Make a formula from (momentum, v, g, t) → the new v. Nesterov's step is computed from it in the right way."""

    def formula(o: SGD, g: Array, arrays: Arrays, t: int, _: Any) -> tuple[Array, Arrays]:
        mu = g.dtype.type(o.momentum)
        new = velocity(mu, arrays[0], g, t)
        return (g + mu * new if o.nesterov else new), ((new,) if kept else arrays)

    return formula


def _rate_inside(o: SGD, g: Array, arrays: Arrays, _: int, rate: Any) -> tuple[Array, Arrays]:
    mu = g.dtype.type(o.momentum)
    new = mu * arrays[0] + rate * g
    return (rate * g + mu * new if o.nesterov else new) / rate, (new,)


def _before(o: SGD, g: Array, arrays: Arrays, _t: int, _rate: Any) -> tuple[Array, Arrays]:
    mu = g.dtype.type(o.momentum)
    return (g + mu * arrays[0] if o.nesterov else arrays[0]), (mu * arrays[0] + g,)


MOMENTUM: tuple[OptimizerMistake, ...] = (
    _one(
        "the velocity takes (1 - momentum) g",
        "v ← momentum v + (1 - momentum) g",
        _velocity(lambda mu, v, g, _: mu * v + (1 - mu) * g),
    ),
    _one(
        "the first velocity is (1 - momentum) g",
        "v ← momentum v + (1 - momentum) g where t = 1",
        _velocity(lambda mu, v, g, t: mu * v + (g if t > 1 else (1 - mu) * g)),
    ),
    _one("the learning rate is in the velocity", "v ← momentum v + lr g, w ← w - v", _rate_inside),
    _one("the velocity is a plain sum", "v ← v + g", _velocity(lambda _mu, v, g, _: v + g)),
    _one("the velocity takes -g", "v ← momentum v - g", _velocity(lambda mu, v, g, _: mu * v - g)),
    _one(
        "the velocity is not kept",
        "v ← v",
        _velocity(lambda mu, v, g, _: mu * v + g, kept=False),
    ),
    _one(
        "the step is taken with the velocity before",
        "w ← w - lr v, then v ← momentum v + g",
        _before,
    ),
    other_optimizer(
        _nesterov,
        "Nesterov's step is that of plain momentum",
        "w ← w - lr v",
        "w ← w - lr (g + momentum v)",
        partial(replace, nesterov=False),
    ),
    other_optimizer(
        _plain,
        "plain momentum's step is Nesterov's",
        "w ← w - lr (g + momentum v)",
        "w ← w - lr v",
        partial(replace, nesterov=True),
    ),
)
