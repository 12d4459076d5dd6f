"""The training loop: `lax.scan` over epochs, inside `jit`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array, lax, monitoring

from gradparity.contract import Batch, Network, Params, Schedule, Snapshot, State, Trajectory

from .gradients import loss, value_and_grad
from .optimizers import Rule, load_state, make_optimizer, read_state


@partial(jax.jit, static_argnums=(0, 1))
def step(
    network: Network,
    rule: Rule,
    carry: Any,
    inputs: Array,
    targets: Array,
    learning_rate: Array | float,
    batch: Array | None,
) -> Any:
    """One update of `carry`, the params and optax's state; beside them, the loss before it."""
    params, state = carry
    if batch is not None:
        inputs, targets = inputs[batch], targets[batch]
    value, grads = value_and_grad(network, params, inputs, targets)
    updates, state = make_optimizer(rule, learning_rate).update(grads, state, params)
    return (optax.apply_updates(params, updates), state), value


@partial(jax.jit, static_argnums=(0, 1), static_argnames=("epochs", "batch_size", "step"))
def run_epochs(
    network: Network,
    rule: Rule,
    carry: Any,
    inputs: Array,
    targets: Array,
    learning_rate: Array | float,
    order: Array | None,
    *,
    epochs: int,
    batch_size: int | None,
    step: Callable[..., Any] = step,
) -> Any:
    """Whole epochs of `step` in one scan; beside params and state, the losses before each update."""

    def one(carry: Any, batch: Array | None) -> Any:
        return step(network, rule, carry, inputs, targets, learning_rate, batch)

    def epoch(carry: Any, order: Array | None) -> Any:
        if order is None or batch_size is None:
            return one(carry, None)
        # A scan needs batches of one shape: the ragged last one is a step of its own.
        whole = len(order) // batch_size * batch_size
        carry, losses = lax.scan(one, carry, order[:whole].reshape(-1, batch_size))
        if whole < len(order):
            carry, last = one(carry, order[whole:])
            losses = jnp.append(losses, last)
        return carry, losses

    return lax.scan(epoch, carry, order, length=epochs)


def pieces(schedule: Schedule, start: int) -> Iterator[tuple[int, int]]:
    """Update counts to go on from, each with the whole epochs that one scan can run from there; 0: a single step."""
    update, per_epoch = start, schedule.updates_per_epoch
    while update < schedule.updates:
        stop = min(count for count in (*schedule.keep, schedule.updates) if count > update)
        epochs = (stop - update) // per_epoch if update % per_epoch == 0 else 0
        yield update, epochs
        update += epochs * per_epoch or 1


@contextmanager
def _compile_clock() -> Iterator[list[float]]:
    """Collect the seconds that JAX reports for tracing, lowering and compiling."""
    seconds: list[float] = []

    def listen(event: str, duration_secs: float, **_: str | int) -> None:
        if event.startswith("/jax/core/compile/"):
            seconds.append(duration_secs)

    monitoring.register_event_duration_secs_listener(listen)
    try:
        yield seconds
    finally:
        monitoring.unregister_event_duration_listener(listen)


def train(
    network: Network,
    params: Params,
    inputs: Batch,
    targets: Batch,
    schedule: Schedule,
    state: State | None = None,
) -> Trajectory:
    """Carry out `schedule` from update count `state.updates` (0 without a state) to its end."""
    x, y, rate = jnp.asarray(inputs), jnp.asarray(targets), schedule.learning_rate
    rule = Rule.of(schedule)
    losses: list[Array] = []
    kept: dict[int, Snapshot] = {}

    def snapshot(updates: int) -> Snapshot:
        params, state = carry
        return Snapshot(jax.tree.map(np.asarray, params), read_state(rule, state, updates))

    with _compile_clock() as compiling:
        carry = params, load_state(rule, params, state)
        for update, epochs in pieces(schedule, 0 if state is None else state.updates):
            if update in schedule.keep:
                kept[update] = snapshot(update)
            if epochs:
                first = update // schedule.updates_per_epoch
                order = None if schedule.order is None else schedule.order[first:][:epochs]
                size = schedule.batch_size
                carry, new = run_epochs(
                    network, rule, carry, x, y, rate, order, epochs=epochs, batch_size=size
                )
            else:
                carry, new = step(network, rule, carry, x, y, rate, schedule.batch(update))
            losses.append(new)
        final_loss = loss(network, carry[0], x, y)

    final = snapshot(schedule.updates)
    if schedule.updates in schedule.keep:
        kept[schedule.updates] = final
    recorded = np.concatenate([np.empty(0), *(np.ravel(new) for new in losses)])
    return Trajectory(recorded, float(final_loss), final, kept, compile_seconds=sum(compiling, 0.0))
