"""Train many networks at once, with `vmap` over the scan."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from gradparity.contract import Batch, Ensemble, Network, Params, Schedule, Snapshot

from .optimizers import Rule, load_state, read_state
from .train import run


@jax.jit(static_argnums=(0, 1), static_argnames=("axes", "epochs", "batch_size"))
def _run_members(
    network: Network,
    rule: Rule,
    carry: Any,
    inputs: Array,
    targets: Array,
    rate: Array,
    samples: Array | None,
    *,
    axes: Any,
    epochs: int,
    batch_size: int | None,
) -> Any:
    """Carry out `run` for all members. `axes` are the member axes of inputs, targets and rate; None if shared."""
    one = partial(run, network, rule, epochs=epochs, batch_size=batch_size)
    return jax.vmap(one, in_axes=(0, *axes, None))(carry, inputs, targets, rate, samples)


def train_ensemble(
    network: Network, params: Params, inputs: Batch, targets: Batch, schedule: Schedule
) -> Ensemble:
    """Train many networks at once: the training of one network, mapped over the member axis in front of `params`."""
    members = len(params[0].weight)
    x, y = jnp.asarray(inputs), jnp.asarray(targets)
    rate = jnp.asarray(schedule.learning_rate, x.dtype)
    data_axis = 0 if x.ndim > len(network.input_shape) + 1 else None
    axes = data_axis, data_axis, 0 if rate.ndim else None
    rule = Rule.of(schedule)
    losses: list[np.ndarray] = []
    kept: dict[int, Snapshot] = {}

    def snapshot(updates: int) -> Snapshot:
        params, state = carry
        return Snapshot(jax.tree.map(np.asarray, params), read_state(rule, state, updates))

    carry = params, jax.vmap(lambda params: load_state(rule, params, None))(params)
    for update, epochs, samples in schedule.pieces(0):
        if update in schedule.keep:
            kept[update] = snapshot(update)
        size = {"axes": axes, "epochs": epochs, "batch_size": schedule.batch_size}
        carry, new = _run_members(network, rule, carry, x, y, rate, samples, **size)
        losses.append(np.asarray(new, np.float64).reshape(members, -1))

    final = snapshot(schedule.updates)
    if schedule.updates in schedule.keep:
        kept[schedule.updates] = final
    return Ensemble(np.concatenate(losses, axis=1), final, kept)
