"""The optimizers: from a gradient to the next weights, the formulas by hand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gradparity.contract import (
    SGD,
    Adagrad,
    Adam,
    Params,
    RMSProp,
    Schedule,
    State,
    map_params,
    tensors,
)


def initial_state(schedule: Schedule, params: Params, state: State | None) -> State:
    """Return a private copy of `state`. Arrays that it lacks are zero, shaped as `params`."""
    updates, given = State(0) if state is None else state
    zeros = map_params(np.zeros_like, params)  # zeros
    arrays = {
        name: map_params(np.copy, given.get(name, zeros)) for name in schedule.optimizer.arrays
    }
    return State(updates, arrays)


def update(schedule: Schedule, params: Params, grads: Params, state: State) -> State:
    """Carry out one update; `params` and the state's arrays change in place."""
    arrays = [tensors(state.arrays[name]) for name in schedule.optimizer.arrays]
    for w, g, *a in zip(tensors(params), tensors(grads), *arrays, strict=True):
        _update(schedule, w, g, a, state.updates + 1)
    return State(state.updates + 1, state.arrays)


def _update(
    schedule: Schedule, w: np.ndarray, g: np.ndarray, arrays: Sequence[np.ndarray], t: int
) -> None:
    """Carry out update number `t` (from 1) of one weight or bias."""
    rate = schedule.learning_rate
    if isinstance(rate, np.ndarray):  # an ensemble's, one for each member
        rate = rate.astype(w.dtype).reshape(-1, *[1] * (w.ndim - 1))
    if schedule.decoupled:
        w -= rate * schedule.weight_decay * w  # decoupled decay
    elif schedule.weight_decay:
        g = g + schedule.weight_decay * w  # coupled decay

    match schedule.optimizer:
        case SGD(momentum=0.0):
            w -= rate * g  # SGD
        case SGD(momentum, nesterov):
            (velocity,) = arrays
            velocity[:] = momentum * velocity + g  # velocity
            w -= rate * (g + momentum * velocity if nesterov else velocity)  # momentum
        case Adagrad(epsilon):
            (square_sum,) = arrays
            square_sum += g**2  # square sum
            w -= rate * g / (np.sqrt(square_sum) + epsilon)  # Adagrad
        case RMSProp(decay, epsilon):
            (square_average,) = arrays
            square_average[:] = decay * square_average + (1 - decay) * g**2  # square average
            w -= rate * g / (np.sqrt(square_average) + epsilon)  # RMSProp
        case Adam(beta1, beta2, epsilon):
            first, second = arrays
            first[:] = beta1 * first + (1 - beta1) * g  # first moment
            second[:] = beta2 * second + (1 - beta2) * g**2  # second moment
            mean, square = first / (1 - beta1**t), second / (1 - beta2**t)  # corrected moments
            w -= rate * mean / (np.sqrt(square) + epsilon)  # Adam
