"""The same contract, as fast as JAX can be on a CPU: for dense networks with the MSE, any activation and optimizer.

`step` explains how updates are made fast. The whole run between two kept updates is one call, and the weights are
donated, so that they can be overwritten (`donate_argnums`). For large layers each update is a separate call: the calls
cost little in comparison, and in a loop XLA computes their products with slower code (2.7 times as slow in float64).
The members of an ensemble are trained one after the other in one call (`lax.map`): a tiny network alone fills the
vectors, and it stays in the cache.

The plain implementation trains all other networks.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from gradparity.contract import (
    Batch,
    Dense,
    Ensemble,
    Network,
    Params,
    Schedule,
    Snapshot,
    State,
    Trajectory,
)

from .. import gradients
from ..compile_clock import compile_clock
from ..ensemble import train_ensemble as train_ensemble_plainly
from ..gradients import forward
from ..optimizers import Rule, load_state, read_state
from ..train import train as train_plainly
from . import step
from .step import batches_of, in_lanes, jit, lanes_of, mask_of, run

__all__ = ["forward", "loss_and_grads", "train", "train_ensemble"]

_LARGE = 2**17
"""The number of entries of a weight above which each update is a separate call."""


def speeds_up(network: Network) -> bool:
    """Return True if this module can compute the network."""
    dense = all(isinstance(layer, Dense) for layer in network.layers)
    return dense and network.loss == "mse" and len(network.input_shape) == 1


_value_and_grad = jit(step.value_and_grad, static_argnums=0)
_run = jit(run, static_argnums=(0, 1), static_argnames="updates", donate_argnums=2)


@partial(jit, static_argnums=(0, 1), static_argnames=("own_data", "updates"), donate_argnums=2)
def _run_all(
    network: Network,
    rule: Rule,
    carry: Any,
    x: Array,
    y: Array,
    rates: Array,
    batches: Any,
    *,
    own_data: bool,
    updates: int,
) -> Any:
    """Carry out `run` for each member; `x` and `y` have a member axis in front if each member has its own data."""

    def of_one(member: Any) -> Any:
        carry, rate, own = member
        inputs, targets = own or (x, y)
        return run(network, rule, carry, inputs, targets, rate, batches, updates=updates)

    return lax.map(of_one, (carry, rates, (x, y) if own_data else ()))


def loss_and_grads(
    network: Network, params: Params, inputs: Batch, targets: Batch
) -> tuple[float, Params]:
    """Compute the loss on these samples, and its gradient with respect to every parameter."""
    if not speeds_up(network):
        return gradients.loss_and_grads(network, params, inputs, targets)
    samples = len(inputs)
    lanes = lanes_of(params, samples)
    data = (
        in_lanes(array, lanes)
        for array in (inputs.T, targets.T, mask_of(samples, samples, targets))
    )
    value, grads = _value_and_grad(network, params, *data)
    return float(value), jax.tree.map(np.asarray, grads)


def _data(
    params: Params, inputs: Batch, targets: Batch, schedule: Schedule
) -> tuple[Array, Array, Any]:
    """Return feature-major inputs and targets, in lanes if all are one batch, and the `batches` of `run`."""
    samples = inputs.shape[-2]
    lanes = lanes_of(params, schedule.batch_size or samples)
    if schedule.order is not None:
        return jnp.asarray(inputs.mT), jnp.asarray(targets.mT), batches_of(schedule, targets, lanes)
    x, y = (jnp.asarray(in_lanes(array.mT, lanes)) for array in (inputs, targets))
    return x, y, in_lanes(mask_of(samples, samples, targets), lanes)


def train(
    network: Network,
    params: Params,
    inputs: Batch,
    targets: Batch,
    schedule: Schedule,
    state: State | None = None,
) -> Trajectory:
    """Carry out `schedule` from update count `state.updates` (0 without a state) to its end."""
    if not speeds_up(network):
        return train_plainly(network, params, inputs, targets, schedule, state)
    x, y, batches = _data(params, inputs, targets, schedule)
    large = max(layer.weight.size for layer in params) > _LARGE
    rule, now = Rule.of(schedule), 0 if state is None else state.updates
    losses: list[Array] = []
    kept: dict[int, Snapshot] = {}

    def snapshot() -> Snapshot:
        params, state = carry
        return Snapshot(jax.tree.map(np.array, params), read_state(rule, state, now))

    with compile_clock() as compiling:
        carry = jax.tree.map(jnp.array, params), load_state(rule, params, state)
        while now < schedule.updates:
            if now in schedule.keep:
                kept[now] = snapshot()
            stop = now + 1 if large else schedule.next_stop(now)
            carry, new = _run(
                network,
                rule,
                carry,
                x,
                y,
                schedule.learning_rate,
                _between(batches, now, stop),
                updates=stop - now,
            )
            losses.append(new)
            now = stop
        final = snapshot()
        # No compiled loss here: XLA fuses all products and the mean into one kernel, 30 times as slow in float64.
        outputs = forward(network, final.params, inputs)[-1]

    if now in schedule.keep:
        kept[now] = final
    recorded = np.concatenate([np.empty(0), *(np.asarray(new, np.float64) for new in losses)])
    final_loss = float(np.mean((outputs - targets) ** 2))
    return Trajectory(recorded, final_loss, final, kept, compile_seconds=sum(compiling, 0.0))


def train_ensemble(
    network: Network, params: Params, inputs: Batch, targets: Batch, schedule: Schedule
) -> Ensemble:
    """Train many networks, one after the other in one call."""
    if not speeds_up(network) or max(layer.weight[0].size for layer in params) > _LARGE:
        return train_ensemble_plainly(network, params, inputs, targets, schedule)
    x, y, batches = _data(params, inputs, targets, schedule)
    members = len(params[0].weight)
    rates = jnp.broadcast_to(jnp.asarray(schedule.learning_rate, x.dtype), members)
    rule, now = Rule.of(schedule), 0
    losses = [np.empty((members, 0))]
    kept: dict[int, Snapshot] = {}

    def snapshot() -> Snapshot:
        params, state = carry
        return Snapshot(jax.tree.map(np.array, params), read_state(rule, state, now))

    start = jax.tree.map(jnp.array, params)
    carry = start, jax.vmap(lambda one: load_state(rule, one, None))(start)
    while now < schedule.updates:
        if now in schedule.keep:
            kept[now] = snapshot()
        stop = schedule.next_stop(now)
        carry, new = _run_all(
            network,
            rule,
            carry,
            x,
            y,
            rates,
            _between(batches, now, stop),
            own_data=inputs.ndim == 3,
            updates=stop - now,
        )
        losses.append(np.asarray(new, np.float64))
        now = stop
    final = snapshot()
    if now in schedule.keep:
        kept[now] = final
    return Ensemble(np.concatenate(losses, axis=1), final, kept)


def _between(batches: Any, now: int, stop: int) -> Any:
    """Select the batches of these updates; the full batch has only one mask."""
    return tuple(array[now:stop] for array in batches) if isinstance(batches, tuple) else batches
