"""The contract's equations for one update of each optimizer, in any dtype."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..contract import SGD, Adagrad, Adam, Layer, Optimizer, Params, RMSProp, Schedule, map_params
from .layers import Array


@dataclass(frozen=True, eq=False)
class Update:
    """One update of one tensor.

    Attributes:
        gradient: the gradient, including the coupled weight decay.
        direction: the step before the learning rate multiplies it, without the decoupled weight decay.
        weight: the new weight.
        arrays: the new state, in the order of the optimizer's `arrays`.
    """

    gradient: Array
    direction: Array
    weight: Array
    arrays: tuple[Array, ...]


UpdateRule = Callable[[Schedule, Array, Array, tuple[Array, ...], int], Update]


def update_tensor(
    schedule: Schedule, w: Array, g: Array, arrays: tuple[Array, ...], t: int
) -> Update:
    """Carry out update number `t` (from 1) of the weights `w`, with the gradient `g` and the optimizer's `arrays`."""
    real = w.dtype.type
    rate, decay = real(schedule.learning_rate), real(schedule.weight_decay)
    if not schedule.decoupled:
        g = g + decay * w
    direction, arrays = _direction(schedule.optimizer, g, arrays, t, real)
    shrink = decay * w if schedule.decoupled else real(0)
    return Update(g, direction, w - rate * (direction + shrink), arrays)


def _direction(
    optimizer: Optimizer, g: Array, arrays: tuple[Array, ...], t: int, real: Any
) -> tuple[Array, tuple[Array, ...]]:
    # 1 - beta2 in float32 would be wrong by 3e-5: constants are computed in the widest type, then rounded.
    one, wide = np.longdouble(1), np.longdouble
    match optimizer:
        case SGD(momentum=0.0):
            return g, ()
        case SGD(momentum, nesterov):
            velocity = real(momentum) * arrays[0] + g
            return (g + real(momentum) * velocity if nesterov else velocity), (velocity,)
        case Adagrad(epsilon):
            squares = arrays[0] + g * g
            return g / (np.sqrt(squares) + real(epsilon)), (squares,)
        case RMSProp(decay, epsilon):
            squares = real(decay) * arrays[0] + real(one - wide(decay)) * g * g
            return g / (np.sqrt(squares) + real(epsilon)), (squares,)
        case Adam(beta1, beta2, epsilon):
            first = real(beta1) * arrays[0] + real(one - wide(beta1)) * g
            second = real(beta2) * arrays[1] + real(one - wide(beta2)) * g * g
            mean = first / real(one - wide(beta1) ** t)
            square = second / real(one - wide(beta2) ** t)
            return mean / (np.sqrt(square) + real(epsilon)), (first, second)


def zero_state(schedule: Schedule, params: Params) -> dict[str, Params]:
    """Return the optimizer's arrays before the first update."""
    return {name: map_params(np.zeros_like, params) for name in schedule.optimizer.arrays}


def by_tensor(
    function: Callable[..., Any], *params: Params | Mapping[str, Params] | None
) -> list[list[Any]]:
    """Apply `function` to every tensor. Each layer gives a list: the result for its weight, then for its bias if any.

    For an argument that is a mapping instead of params, the function gets the tuple of the tensors of its values.
    """
    depth = len(next(p for p in params if isinstance(p, tuple)))
    found = []
    for index in range(depth):
        fields = ["weight"]
        if next(p for p in params if isinstance(p, tuple))[index].bias is not None:
            fields.append("bias")
        found.append([function(*(_pick(p, index, field) for p in params)) for field in fields])
    return found


def _pick(params: Any, index: int, field: str) -> Any:
    if isinstance(params, Mapping):
        return tuple(getattr(p[index], field) for p in params.values())
    return getattr(params[index], field)


def as_params(rows: list[list[Any]], of: Callable[[Any], Array]) -> Params:
    """Build params by applying `of` to each result of `by_tensor`."""
    return tuple(Layer(of(row[0]), of(row[1]) if len(row) > 1 else None) for row in rows)


def arrays_of(rows: list[list[Any]], names: Iterable[str]) -> dict[str, Params]:
    """Return the optimizer's arrays in the results of `by_tensor`, by name."""

    def array(at: int) -> Params:
        return as_params(rows, lambda result: result.arrays[at])

    return {name: array(at) for at, name in enumerate(names)}


def apply_update(
    schedule: Schedule,
    params: Params,
    grads: Params,
    state: Mapping[str, Params],
    t: int,
    rule: UpdateRule = update_tensor,
) -> tuple[Params, dict[str, Params]]:
    """Return the weights and the optimizer's arrays after update number `t` (from 1)."""
    ordered = {name: state[name] for name in schedule.optimizer.arrays}
    rows = by_tensor(lambda w, g, arrays: rule(schedule, w, g, arrays, t), params, grads, ordered)
    return as_params(rows, lambda u: u.weight), arrays_of(rows, ordered)
