"""Mistakes in the optimizer's update, each as another update of a tensor: its weights and its state must both fit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import ceil
from typing import Any

import numpy as np

from ...contract import SGD, Adagrad, Adam, Optimizer, RMSProp, Schedule
from ...reference.layers import Array
from ...reference.passes import Equations, Pass
from ...reference.updates import Update, update_tensor
from ...verdict.case import Case
from .base import Layers, Mistake, WrongStep, run

_STEEPER = 16

Arrays = tuple[Array, ...]
Formula = Callable[[Any, Array, Arrays, int, Any], tuple[Array, Arrays]]
"""(optimizer, g, its arrays, t, learning rate) → (what the learning rate multiplies, the new arrays)."""


def _is(optimizer: Optimizer, kind: str) -> bool:
    match optimizer:
        case SGD(momentum, nesterov):
            return bool(momentum) and kind in (
                "momentum",
                "Nesterov" if nesterov else "plain momentum",
            )
        case _:
            return type(optimizer).__name__ == kind


def _mistake(name: str, wrong: str, right: str, step: WrongStep, initial: float = 0.0) -> Mistake:
    def predict(case: Case, equations: Equations, _: Layers, __: float) -> Pass | None:
        w = np.ones(1, case.dtype)
        arrays = tuple(w for _ in case.schedule.optimizer.arrays)
        made = step(case.schedule, w, w, arrays, case.update + 1) is not None
        return run(case, equations) if made else None

    return Mistake(
        name,
        wrong,
        right,
        predict,
        by_layer=False,
        roundings=_roundings,
        step=step,
        initial=initial,
    )


def _roundings(case: Case) -> int:
    """A wrong formula may multiply rounding errors by more than the right one does."""
    optimizer, t = case.schedule.optimizer, max(case.update, 1)
    if not isinstance(optimizer, Adam):
        return _STEEPER
    # 1 - β^t is off by the rounding of β^t, and what is divided by it may be kept, or the β another.
    lost = min(1 - beta**t for beta in (optimizer.beta1, optimizer.beta2))
    return _STEEPER + ceil(_STEEPER / lost)


def _formula(kind: str, name: str, wrong: str, formula: Formula, initial: float = 0.0) -> Mistake:
    def step(schedule: Schedule, w: Array, g: Array, arrays: Arrays, t: int) -> Update | None:
        if not _is(schedule.optimizer, kind):
            return None
        real = w.dtype.type
        rate, decay = real(schedule.learning_rate), real(schedule.weight_decay)
        shrink = decay * w if schedule.decoupled else real(0)
        g = g if schedule.decoupled else g + decay * w
        direction, arrays = formula(schedule.optimizer, g, arrays, t, rate)
        return Update(g, direction, w - rate * (direction + shrink), arrays)

    return _mistake(f"{kind.removeprefix('plain ')}: {name}", wrong, _RIGHT[kind], step, initial)


def _other(
    kind: str, name: str, wrong: str, other: Callable[[Any], Optimizer], later: int = 0
) -> Mistake:
    """The right update, but of another optimizer, or of another t."""

    def step(schedule: Schedule, w: Array, g: Array, arrays: Arrays, t: int) -> Update | None:
        if not _is(schedule.optimizer, kind):
            return None
        changed = replace(schedule, optimizer=other(schedule.optimizer))
        return update_tensor(changed, w, g, arrays, t + later)

    return _mistake(name, wrong, _RIGHT[kind], step)


def _decayed(
    name: str, wrong: str, change: Callable[[Schedule, Array], Schedule | None]
) -> Mistake:
    """The right update, of another schedule."""

    def step(schedule: Schedule, w: Array, g: Array, arrays: Arrays, t: int) -> Update | None:
        changed = change(schedule, w) if schedule.weight_decay else None
        return None if changed is None else update_tensor(changed, w, g, arrays, t)

    return _mistake(name, wrong, "coupled: g ← g + λ w; decoupled: w ← w - lr λ w", step)


def _shrunk_alone(schedule: Schedule, w: Array, g: Array, arrays: Arrays, t: int) -> Update | None:
    if not (schedule.decoupled and schedule.weight_decay):
        return None
    found = update_tensor(replace(schedule, weight_decay=0.0), w, g, arrays, t)
    return replace(found, weight=found.weight - w.dtype.type(schedule.weight_decay) * w)


def _twice(schedule: Schedule, w: Array, g: Array, arrays: Arrays, t: int) -> Update | None:
    if not schedule.weight_decay:
        return None
    found = update_tensor(
        replace(schedule, weight_decay=2 * schedule.weight_decay), w, g, arrays, t
    )
    if not schedule.decoupled:
        return found
    shrink = w.dtype.type(schedule.learning_rate) * w.dtype.type(schedule.weight_decay)
    return replace(found, weight=found.weight + shrink * shrink * w)


def _average(beta: float, old: Array, new: Array) -> Array:
    real = new.dtype.type
    return real(beta) * old + (1 - real(beta)) * new


def _moments(o: Adam, g: Array, arrays: Arrays) -> Arrays:
    return _average(o.beta1, arrays[0], g), _average(o.beta2, arrays[1], g * g)


def _step(mean: Array, square: Array, epsilon: float) -> Array:
    return mean / (np.sqrt(square) + square.dtype.type(epsilon))


def _lost(beta: float, t: int, like: Array) -> Any:
    return 1 - like.dtype.type(beta) ** t


def _adam(direction: Callable[[Adam, Array, Array, Array, int], Array]) -> Formula:
    """The moments are right: (optimizer, g, m, s, t) → what is made of them."""

    def formula(o: Adam, g: Array, arrays: Arrays, t: int, _: Any) -> tuple[Array, Arrays]:
        m, s = _moments(o, g, arrays)
        return direction(o, g, m, s, t), (m, s)

    return formula


def _kept_corrected(o: Adam, g: Array, arrays: Arrays, t: int, _: Any) -> tuple[Array, Arrays]:
    m, s = _moments(o, g, arrays)
    m, s = m / _lost(o.beta1, t, m), s / _lost(o.beta2, t, s)
    return _step(m, s, o.epsilon), (m, s)


def _velocity(velocity: Callable[[Any, Array, Array, int], Array], *, kept: bool = True) -> Formula:
    """(momentum, v, g, t) → the new v; Nesterov's step follows from it as it should."""

    def formula(o: SGD, g: Array, arrays: Arrays, t: int, _: Any) -> tuple[Array, Arrays]:
        mu = g.dtype.type(o.momentum)
        new = velocity(mu, arrays[0], g, t)
        return (g + mu * new if o.nesterov else new), ((new,) if kept else arrays)

    return formula


def _rate_inside(o: SGD, g: Array, arrays: Arrays, _: int, rate: Any) -> tuple[Array, Arrays]:
    mu = g.dtype.type(o.momentum)
    new = mu * arrays[0] + rate * g
    return (rate * g + mu * new if o.nesterov else new) / rate, (new,)


def _before(o: SGD, g: Array, arrays: Arrays, _: int, __: Any) -> tuple[Array, Arrays]:
    mu = g.dtype.type(o.momentum)
    return (g + mu * arrays[0] if o.nesterov else arrays[0]), (mu * arrays[0] + g,)


def _sum(
    direction: Callable[[Any, Array, Array], Array],
    new: Callable[[Array, Array], Array] = lambda s, g: s + g * g,
) -> Formula:
    """Adagrad's: (optimizer, g, the new sum) → what the learning rate multiplies; (sum, g) → the new sum."""

    def formula(o: Adagrad, g: Array, arrays: Arrays, _: int, __: Any) -> tuple[Array, Arrays]:
        s = new(arrays[0], g)
        return direction(o, g, s), (s,)

    return formula


def _mean(
    direction: Callable[[Any, Array, Array], Array],
    new: Callable[[Any, Array, Array], Array] = lambda o, s, g: _average(o.decay, s, g * g),
) -> Formula:
    """RMSProp's: the same, with (optimizer, average, g) → the new average."""

    def formula(o: RMSProp, g: Array, arrays: Arrays, _: int, __: Any) -> tuple[Array, Arrays]:
        s = new(o, arrays[0], g)
        return direction(o, g, s), (s,)

    return formula


def _usual(o: Any, g: Array, s: Array) -> Array:
    return _step(g, s, o.epsilon)


def _inside(o: Any, g: Array, s: Array) -> Array:
    return g / np.sqrt(s + s.dtype.type(o.epsilon))


def _rootless(o: Any, g: Array, s: Array) -> Array:
    return g / (s + s.dtype.type(o.epsilon))


def _no_epsilon(_: Any, g: Array, s: Array) -> Array:
    return g / np.sqrt(s)


def _then(o: Adagrad, g: Array, arrays: Arrays, _: int, __: Any) -> tuple[Array, Arrays]:
    return _step(g, arrays[0], o.epsilon), (arrays[0] + g * g,)


_RIGHT = {
    "momentum": "v ← momentum v + g",
    "plain momentum": "w ← w - lr v",
    "Nesterov": "w ← w - lr (g + momentum v)",
    "Adagrad": "s ← s + g², w ← w - lr g / (√s + ε)",
    "RMSProp": "s ← decay s + (1 - decay) g², w ← w - lr g / (√s + ε)",
    "Adam": "w ← w - lr m / (1 - β1^t) / (√(s / (1 - β2^t)) + ε)",
}

OPTIMIZERS: tuple[Mistake, ...] = (
    _formula(
        "momentum",
        "the velocity takes (1 - momentum) g",
        "v ← momentum v + (1 - momentum) g",
        _velocity(lambda mu, v, g, _: mu * v + (1 - mu) * g),
    ),
    _formula(
        "momentum",
        "the first velocity is (1 - momentum) g",
        "v ← momentum v + (1 - momentum) g where t = 1",
        _velocity(lambda mu, v, g, t: mu * v + (g if t > 1 else (1 - mu) * g)),
    ),
    _formula(
        "momentum",
        "the learning rate is in the velocity",
        "v ← momentum v + lr g, w ← w - v",
        _rate_inside,
    ),
    _formula(
        "momentum", "the velocity is a plain sum", "v ← v + g", _velocity(lambda _, v, g, __: v + g)
    ),
    _formula(
        "momentum",
        "the velocity takes -g",
        "v ← momentum v - g",
        _velocity(lambda mu, v, g, _: mu * v - g),
    ),
    _formula(
        "momentum",
        "the velocity is not kept",
        "v ← v",
        _velocity(lambda mu, v, g, _: mu * v + g, kept=False),
    ),
    _formula(
        "momentum",
        "the step is taken with the velocity before",
        "w ← w - lr v, then v ← momentum v + g",
        _before,
    ),
    _other(
        "Nesterov",
        "Nesterov's step is that of plain momentum",
        "w ← w - lr v",
        lambda o: replace(o, nesterov=False),
    ),
    _other(
        "plain momentum",
        "plain momentum's step is Nesterov's",
        "w ← w - lr (g + momentum v)",
        lambda o: replace(o, nesterov=True),
    ),
    _formula("Adagrad", "ε is inside the root", "w ← w - lr g / √(s + ε)", _sum(_inside)),
    _formula("Adagrad", "ε is missing", "w ← w - lr g / √s", _sum(_no_epsilon)),
    _formula("Adagrad", "the root is missing", "w ← w - lr g / (s + ε)", _sum(_rootless)),
    _formula(
        "Adagrad",
        "the sum of squares starts at 0.1",
        "s = 0.1 at the start",
        _sum(_usual),
        initial=0.1,
    ),
    _formula(
        "Adagrad",
        "the sum is of |g|, not of g²",
        "s ← s + |g|",
        _sum(_usual, lambda s, g: s + np.abs(g)),
    ),
    _formula(
        "Adagrad",
        "the step is taken with the sum before",
        "w ← w - lr g / (√s + ε), then s ← s + g²",
        _then,
    ),
    _formula("RMSProp", "ε is inside the root", "w ← w - lr g / √(s + ε)", _mean(_inside)),
    _formula("RMSProp", "ε is missing", "w ← w - lr g / √s", _mean(_no_epsilon)),
    _formula("RMSProp", "the root is missing", "w ← w - lr g / (s + ε)", _mean(_rootless)),
    _formula(
        "RMSProp",
        "decay and 1 - decay are swapped",
        "s ← (1 - decay) s + decay g²",
        _mean(_usual, lambda o, s, g: _average(o.decay, g * g, s)),
    ),
    _formula(
        "RMSProp",
        "g² is added undiminished",
        "s ← decay s + g²",
        _mean(_usual, lambda o, s, g: s.dtype.type(o.decay) * s + g * g),
    ),
    _formula(
        "Adam",
        "ε is inside the root",
        "… / √(s / (1 - β2^t) + ε)",
        _adam(
            lambda o, _, m, s, t: (
                m
                / _lost(o.beta1, t, m)
                / np.sqrt(s / _lost(o.beta2, t, s) + s.dtype.type(o.epsilon))
            )
        ),
    ),
    _formula(
        "Adam",
        "ε is missing",
        "… / √(s / (1 - β2^t))",
        _adam(lambda o, _, m, s, t: m / _lost(o.beta1, t, m) / np.sqrt(s / _lost(o.beta2, t, s))),
    ),
    _formula(
        "Adam",
        "ε is added before the correction",
        "… √(1 - β2^t) / (√s + ε)",
        _adam(
            lambda o, _, m, s, t: (
                m
                / _lost(o.beta1, t, m)
                * np.sqrt(_lost(o.beta2, t, s))
                / (np.sqrt(s) + s.dtype.type(o.epsilon))
            )
        ),
    ),
    _formula(
        "Adam",
        "no moment is corrected",
        "w ← w - lr m / (√s + ε)",
        _adam(lambda o, _, m, s, t: _step(m, s, o.epsilon)),
    ),
    _formula(
        "Adam",
        "the second moment is not corrected",
        "… / (√s + ε)",
        _adam(lambda o, _, m, s, t: _step(m / _lost(o.beta1, t, m), s, o.epsilon)),
    ),
    _formula(
        "Adam",
        "the first moment is not corrected",
        "w ← w - lr m / (√(s / (1 - β2^t)) + ε)",
        _adam(lambda o, _, m, s, t: _step(m, s / _lost(o.beta2, t, s), o.epsilon)),
    ),
    _formula(
        "Adam",
        "the step takes g for the first moment",
        "w ← w - lr g / …",
        _adam(lambda o, g, _, s, t: _step(g, s / _lost(o.beta2, t, s), o.epsilon)),
    ),
    _formula(
        "Adam",
        "the corrected moments are kept",
        "m ← m / (1 - β1^t), s ← s / (1 - β2^t)",
        _kept_corrected,
    ),
    _formula(
        "Adam",
        "the root is missing",
        "… / (s / (1 - β2^t) + ε)",
        _adam(
            lambda o, _, m, s, t: (
                m / _lost(o.beta1, t, m) / (s / _lost(o.beta2, t, s) + s.dtype.type(o.epsilon))
            )
        ),
    ),
    _formula(
        "Adam",
        "t is always 1",
        "t = 1",
        _adam(
            lambda o, _, m, s, __: _step(
                m / _lost(o.beta1, 1, m), s / _lost(o.beta2, 1, s), o.epsilon
            )
        ),
    ),
    _other("Adam", "Adam: t is too small by one", "t counted from 0", lambda o: o, later=-1),
    _other("Adam", "Adam: t is too large by one", "t counted from 2", lambda o: o, later=1),
    _other(
        "Adam",
        "Adam: β1 and β2 are swapped",
        "m by β2, s by β1",
        lambda o: replace(o, beta1=o.beta2, beta2=o.beta1),
    ),
    _decayed(
        "the weight decay is coupled, not decoupled",
        "g ← g + λ w",
        lambda s, _: replace(s, decoupled=False) if s.decoupled else None,
    ),
    _decayed(
        "the weight decay is decoupled, not coupled",
        "w ← w - lr λ w",
        lambda s, _: None if s.decoupled else replace(s, decoupled=True),
    ),
    _mistake(
        "the decoupled weight decay is not multiplied by the learning rate",
        "w ← w - λ w",
        "w ← w - lr λ w",
        _shrunk_alone,
    ),
    _decayed(
        "the coupled weight decay is multiplied by the learning rate",
        "g ← g + lr λ w",
        lambda s, _: (
            None if s.decoupled else replace(s, weight_decay=s.weight_decay * s.learning_rate)
        ),
    ),
    _decayed(
        "the weight decay leaves out the biases",
        "weights only",
        lambda s, w: replace(s, weight_decay=0.0) if w.ndim == 1 else s,
    ),
    _mistake("the weight decay is applied twice", "twice", "once", _twice),
    _decayed(
        "the weight decay is 2 λ", "2 λ", lambda s, _: replace(s, weight_decay=2 * s.weight_decay)
    ),
    _decayed(
        "the weight decay is ½ λ", "½ λ", lambda s, _: replace(s, weight_decay=0.5 * s.weight_decay)
    ),
    _decayed(
        "the weight decay has the wrong sign",
        "-λ",
        lambda s, _: replace(s, weight_decay=-s.weight_decay),
    ),
    _decayed("the weight decay is missing", "none", lambda s, _: replace(s, weight_decay=0.0)),
)
