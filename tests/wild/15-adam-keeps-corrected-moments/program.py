"""Adam by hand around a right network; what it keeps of its moments are the corrected ones.

Other optimizers are left to the right network's own `train`; with RAISE=1 in the environment they are refused.
"""

import os

import numpy as np
from gradparity.contract import Adam, Snapshot, State, Trajectory, map_params
from gradparity.implementations import impl_numpy
from gradparity.implementations.impl_numpy import forward, loss_and_grads

NAMES = ("first_moment", "second_moment")


def adam(schedule, weight, slope, mean, square, count):
    own = schedule.optimizer
    mean = (own.beta1 * mean + (1 - own.beta1) * slope) / (1 - own.beta1**count)
    square = (own.beta2 * square + (1 - own.beta2) * slope * slope) / (1 - own.beta2**count)
    step = schedule.learning_rate * mean / (np.sqrt(square) + own.epsilon)
    return weight - step, mean, square


def train(network, params, inputs, targets, schedule, state=None):
    if not isinstance(schedule.optimizer, Adam) or schedule.weight_decay:
        if os.environ.get("RAISE"):
            # This refusal is half of the case: Adam's mistake must be named beside it.
            raise NotImplementedError("there is Adam only, without decay")
        return impl_numpy.train(network, params, inputs, targets, schedule, state)
    begin, given = (0, {}) if state is None else state
    zero = map_params(np.zeros_like, params)
    mean, square = (given.get(name, zero) for name in NAMES)
    losses, kept = [], {}

    def picture(count):
        return Snapshot(params, State(count, dict(zip(NAMES, (mean, square)))))

    for count in range(begin, schedule.updates):
        if count in schedule.keep:
            kept[count] = picture(count)
        rows = schedule.batch(count)
        loss, slopes = loss_and_grads(network, params, inputs[rows], targets[rows])
        losses.append(loss)

        def moved(part, count=count, slopes=slopes, old=(params, mean, square)):
            return map_params(
                lambda w, g, m, s: adam(schedule, w, g, m, s, count + 1)[part],
                old[0],
                slopes,
                *old[1:],
            )

        params, mean, square = (moved(part) for part in range(3))
    final = picture(schedule.updates)
    if schedule.updates in schedule.keep:
        kept[schedule.updates] = final
    last, _ = loss_and_grads(network, params, inputs, targets)
    return Trajectory(np.array(losses), last, final, kept)
