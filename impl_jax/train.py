"""The training loop: `lax.scan` over epochs, inside `jit`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax, monitoring

from gradparity.contract import Batch, Network, Params, Schedule, Snapshot, State, Trajectory

from .gradients import loss, value_and_grad


@jax.jit
def _sgd_step(
    params: Params, inputs: Array, targets: Array, learning_rate: Array | float, batch: Array | None
) -> Any:
    if batch is not None:
        inputs, targets = inputs[batch], targets[batch]
    value, grads = value_and_grad(params, inputs, targets)
    params = jax.tree.map(lambda p, grad: p - learning_rate * grad, params, grads)
    return params, value


@partial(jax.jit, static_argnames=("epochs", "batch_size"))
def _run_epochs(
    params: Params,
    inputs: Array,
    targets: Array,
    learning_rate: Array | float,
    order: Array | None,
    *,
    epochs: int,
    batch_size: int | None,
) -> Any:
    def step(params: Params, batch: Array | None) -> Any:
        return _sgd_step(params, inputs, targets, learning_rate, batch)

    def epoch(params: Params, order: Array | None) -> Any:
        if order is None or batch_size is None:
            return step(params, None)
        # A scan needs batches of one shape: the ragged last one is a step of its own.
        whole = len(order) // batch_size * batch_size
        params, losses = lax.scan(step, params, order[:whole].reshape(-1, batch_size))
        if whole < len(order):
            params, last = step(params, order[whole:])
            losses = jnp.append(losses, last)
        return params, losses

    return lax.scan(epoch, params, order, length=epochs)


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
    x, y = jnp.asarray(inputs), jnp.asarray(targets)
    per_epoch = schedule.updates_per_epoch
    update = start = 0 if state is None else state.updates
    losses: list[Array] = []
    kept: dict[int, Snapshot] = {}

    with _compile_clock() as compiling:
        # From one kept update count to the next: whole epochs in one scan, single steps around them.
        for stop in sorted({*schedule.keep, schedule.updates}):
            while update < stop:
                epoch, position = divmod(update, per_epoch)
                epochs = (stop - update) // per_epoch if position == 0 else 0
                if epochs:
                    order = None if schedule.order is None else schedule.order[epoch:][:epochs]
                    params, new = _run_epochs(
                        params, x, y, schedule.learning_rate, order,
                        epochs=epochs, batch_size=schedule.batch_size,
                    )  # fmt: skip
                    update += epochs * per_epoch
                else:
                    batch = schedule.batch(update)
                    params, new = _sgd_step(params, x, y, schedule.learning_rate, batch)
                    update += 1
                losses.append(new)
            if stop >= start and stop in schedule.keep:
                kept[stop] = Snapshot(jax.tree.map(np.asarray, params), State(stop))
        final_loss = loss(params, x, y)

    final = Snapshot(jax.tree.map(np.asarray, params), State(schedule.updates))
    recorded = np.concatenate([np.empty(0), *(np.ravel(new) for new in losses)])
    return Trajectory(recorded, float(final_loss), final, kept, compile_seconds=sum(compiling, 0.0))
