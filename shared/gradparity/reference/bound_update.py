"""Bound the rounding errors of one update of each optimizer. See `bound`.

The gradient is given with its E; the weights and the optimizer's arrays before the update are exact. We assume that a
constant such as 1 - beta2 is computed at least in float64, as Python does, and then rounded once to the format.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..contract import SGD, Adagrad, Adam, Optimizer, Params, RMSProp, Schedule
from .bound import SAFETY, double
from .layers import Array
from .precision import Precision
from .updates import Update, arrays_of, as_params, by_tensor, update_tensor

_DOUBLE = Precision.of(np.float64)


@dataclass(frozen=True, eq=False)
class _Bound:
    weight: Array
    arrays: tuple[Array, ...]


def bound_update(
    schedule: Schedule,
    params: Params,
    grads: Params,
    e_grads: Params,
    state: Mapping[str, Params],
    t: int,
    r: Precision,
) -> tuple[Params, dict[str, Params]]:
    """Compute E of the weights and of the optimizer's arrays after update number `t`, which counts from 1."""
    ordered = {name: state[name] for name in schedule.optimizer.arrays}

    def one(w: Array, g: Array, e_g: Array, arrays: tuple[Array, ...]) -> _Bound:
        doubles = tuple(double(array) for array in arrays)
        return _tensor(schedule, double(w), double(g), e_g, doubles, t, r)

    rows = by_tensor(one, params, grads, e_grads, ordered)
    return as_params(rows, lambda b: b.weight), arrays_of(rows, ordered)


def _tensor(
    schedule: Schedule,
    w: Array,
    g: Array,
    e_g: Array,
    arrays: tuple[Array, ...],
    t: int,
    r: Precision,
) -> _Bound:
    rate, decay, u = schedule.learning_rate, schedule.weight_decay, r.u
    after = update_tensor(schedule, w, g, arrays, t)
    shrink = rate * decay * np.abs(w) if schedule.decoupled else 0.0
    if not schedule.decoupled and decay:
        e_g = (1 + u) * e_g + 2 * u * decay * np.abs(w) + u * np.abs(after.gradient) + r.eta
    e_d, e_arrays = _direction(schedule.optimizer, after, e_g, arrays, t, r)
    change = rate * np.abs(after.direction)
    rounding = 3 * u * change + 2 * u * np.abs(after.weight) + u * np.abs(w)
    if schedule.decoupled:
        rounding = rounding + 5 * u * shrink + 2 * u * np.abs(w) + 2 * u * change
    size = np.maximum(change + shrink + np.abs(w), rate)
    e_w = r.unless_overflow(size, rate * e_d + rounding + r.eta)
    return _Bound(SAFETY * e_w, tuple(SAFETY * e for e in e_arrays))


def _direction(
    optimizer: Optimizer, after: Update, e_g: Array, arrays: tuple[Array, ...], t: int, r: Precision
) -> tuple[Array, tuple[Array, ...]]:
    """Compute E of the direction, which the learning rate multiplies, and of the optimizer's arrays."""
    g, u = np.abs(after.gradient), r.u
    match optimizer:
        case SGD(momentum=0.0):
            return e_g, ()
        case SGD(momentum, nesterov):
            velocity = momentum * np.abs(arrays[0])
            e_v = e_g + 3 * u * (velocity + g + e_g) + 2 * r.eta
            e_v = r.unless_overflow(velocity + g, e_v)
            if not nesterov:
                return e_v, (e_v,)
            ahead = momentum * (np.abs(after.arrays[0]) + e_v)
            return e_g + momentum * e_v + 3 * u * (g + e_g + ahead) + 2 * r.eta, (e_v,)
        case Adagrad(epsilon):
            e_s = _square(g, e_g) + 3 * u * (arrays[0] + (g + e_g) ** 2) + 3 * r.eta
            e_s = r.unless_overflow(arrays[0] + (g + e_g) ** 2, e_s)
            return _quotient(g, e_g, after.arrays[0], e_s, epsilon, r), (e_s,)
        case RMSProp(decay, epsilon):
            e_s = _average(decay, arrays[0], g, e_g, r)
            return _quotient(g, e_g, after.arrays[0], e_s, epsilon, r), (e_s,)
        case Adam(beta1, beta2, epsilon):
            # torch computes m + (1 - beta1) (g - m), which rounds m twice.
            e_m = (1 - beta1) * e_g + 4 * u * (np.abs(arrays[0]) + (1 - beta1) * (g + e_g))
            e_m = e_m + 3 * r.eta
            e_s = _average(beta2, arrays[1], g, e_g, r)
            mean, e_mean = _corrected(np.abs(after.arrays[0]), e_m, beta1, t, r)
            square, e_square = _corrected(after.arrays[1], e_s, beta2, t, r)
            return _quotient(mean, e_mean, square, e_square, epsilon, r), (e_m, e_s)


def _square(g: Array, e_g: Array) -> Array:
    return 2 * g * e_g + e_g**2


def _average(decay: float, old: Array, g: Array, e_g: Array, r: Precision) -> Array:
    """Compute E of decay · old + (1 - decay) g²."""
    square = (g + e_g) ** 2
    e = (1 - decay) * (_square(g, e_g) + 5 * r.u * square) + 5 * r.u * decay * old + 4 * r.eta
    return r.unless_overflow(old + square, e)


def _corrected(moment: Array, e: Array, beta: float, t: int, r: Precision) -> tuple[Array, Array]:
    """Divide a moment by 1 - beta^t, and return it with its E. The power is computed in float64."""
    lost = beta**t
    correction = 1 - lost
    own = 2 * _DOUBLE.eps * lost / correction + 3 * r.u
    corrected = moment / correction
    return corrected, e / correction * (1 + own) + own * corrected + r.eta


def _quotient(
    top: Array, e_top: Array, square: Array, e_square: Array, epsilon: float, r: Precision
) -> Array:
    """Compute E of top / (√square + epsilon)."""
    root = np.sqrt(square)
    low = np.sqrt(np.maximum(square - e_square, 0.0))
    e_root = np.maximum(np.sqrt(square + e_square) - root, root - low)
    bottom = root + epsilon
    e_bottom = e_root * (1 + 4 * r.u) + 4 * r.u * root + 2 * r.u * bottom
    least = np.maximum(low + epsilon - 4 * r.u * bottom, epsilon * (1 - 4 * r.u))
    quotient = top / bottom
    return (e_top + quotient * e_bottom) / least * (1 + 4 * r.u) + 4 * r.u * quotient + r.eta
