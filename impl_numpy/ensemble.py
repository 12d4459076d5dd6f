"""Train many networks at once, by broadcasting."""

from __future__ import annotations

import numpy as np

from gradparity.contract import (
    Batch,
    Ensemble,
    Layer,
    Network,
    Params,
    Schedule,
    Snapshot,
    map_params,
)

from . import optimizers
from .gradients import value_and_grad
from .train import snapshot


def train_ensemble(
    network: Network, params: Params, inputs: Batch, targets: Batch, schedule: Schedule
) -> Ensemble:
    """Train many networks at once: `value_and_grad` broadcasts over the member axis in front of `params`."""
    params = map_params(np.copy, params)
    state = optimizers.initial_state(schedule, params, None)
    members = len(params[0].weight)
    if inputs.ndim == len(network.input_shape) + 1:  # the same data for all members
        inputs = np.broadcast_to(inputs, (members, *inputs.shape))
        targets = np.broadcast_to(targets, (members, *targets.shape))
    # A bias as one row for each member, which all samples add: views, so that they follow every update.
    rows = tuple(Layer(w, None if b is None else b[:, np.newaxis]) for w, b in params)
    losses = np.empty((members, schedule.updates))
    kept: dict[int, Snapshot] = {}

    for update in range(schedule.updates):
        if update in schedule.keep:
            kept[update] = snapshot(params, state)
        batch = schedule.batch(update)
        loss, grads = value_and_grad(network, rows, inputs[:, batch], targets[:, batch])
        losses[:, update] = loss
        state = optimizers.update(schedule, params, grads, state)

    final = snapshot(params, state)
    if schedule.updates in schedule.keep:
        kept[schedule.updates] = final
    return Ensemble(losses, final, kept)
