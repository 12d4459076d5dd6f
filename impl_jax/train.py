"""The training loop: `lax.scan` over updates and epochs, inside `jit`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array, lax

from gradparity.contract import Batch, Network, Params, Schedule, Snapshot, State, Trajectory

from .compile_clock import compile_clock
from .gradients import loss, value_and_grad
from .optimizers import Rule, load_state, make_optimizer, read_state


@jax.jit(static_argnums=(0, 1))
def step(
    network: Network,
    rule: Rule,
    carry: Any,
    inputs: Array,
    targets: Array,
    learning_rate: Array | float,
    batch: Array | None,
) -> Any:
    """Carry out one update. Return the new `carry`, the params and optax's state, and the loss before the update.

    Nothing is changed in place: JAX calls the values that one step of a loop passes to the next its `carry`.
    """
    params, state = carry
    if batch is not None:
        inputs, targets = inputs[batch], targets[batch]
    value, grads = value_and_grad(network, params, inputs, targets)  # L, dL/dw
    # In optax an optimizer is a pair of pure functions: it holds no state, and can be made where it is used.
    updates, state = make_optimizer(rule, learning_rate).update(grads, state, params)
    return (optax.apply_updates(params, updates), state), value  # w


@jax.jit(static_argnums=(0, 1), static_argnames=("epochs", "batch_size", "step"))
def run(
    network: Network,
    rule: Rule,
    carry: Any,
    inputs: Array,
    targets: Array,
    learning_rate: Array | float,
    samples: Array | None,
    *,
    epochs: int,
    batch_size: int | None,
    step: Callable[..., Any] = step,
) -> Any:
    """Carry out one of `Schedule.pieces`: one `step`, or whole epochs of it in a scan.

    Return the `carry` at its end, and the losses before each update.
    """

    def one(carry: Any, batch: Array | None) -> Any:
        return step(network, rule, carry, inputs, targets, learning_rate, batch)

    def epoch(carry: Any, order: Array | None) -> Any:
        if order is None or batch_size is None:
            return one(carry, None)
        # A scan needs batches of one shape: the ragged last one is a separate step.
        whole = len(order) // batch_size * batch_size
        carry, losses = lax.scan(one, carry, order[:whole].reshape(-1, batch_size))
        if whole < len(order):
            carry, last = one(carry, order[whole:])
            losses = jnp.append(losses, last)
        return carry, losses

    return lax.scan(epoch, carry, samples, length=epochs) if epochs else one(carry, samples)


def train(
    network: Network,
    params: Params,
    inputs: Batch,
    targets: Batch,
    schedule: Schedule,
    state: State | None = None,
) -> Trajectory:
    """Carry out `schedule` from update count `state.updates` (0 without a state) to its end."""
    x, y = jnp.asarray(inputs), jnp.asarray(targets)
    rate, batch_size = schedule.learning_rate, schedule.batch_size
    rule = Rule.of(schedule)
    start = 0 if state is None else state.updates
    losses: list[Array] = []
    kept: dict[int, Snapshot] = {}

    def snapshot(updates: int) -> Snapshot:
        params, state = carry
        return Snapshot(jax.tree.map(np.asarray, params), read_state(rule, state, updates))

    with compile_clock() as compiling:
        carry = params, load_state(rule, params, state)
        for update, epochs, samples in schedule.pieces(start):
            if update in schedule.keep:
                kept[update] = snapshot(update)
            size = {"epochs": epochs, "batch_size": batch_size}
            carry, new = run(network, rule, carry, x, y, rate, samples, **size)
            losses.append(new)
        final_loss = loss(network, carry[0], x, y)

    final = snapshot(schedule.updates)
    if schedule.updates in schedule.keep:
        kept[schedule.updates] = final
    recorded = np.concatenate([np.empty(0), *(np.ravel(new) for new in losses)])
    return Trajectory(recorded, float(final_loss), final, kept, compile_seconds=sum(compiling, 0.0))
