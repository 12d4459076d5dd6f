"""The same contract, rounded so that every framework gives the same bits: dense networks, MSE and SGD, in float32.

Each operation (a layer's product with its bias, an activation, a difference, a loss, a gradient, an update) is JAX's
own in float64, and its result is rounded to float32. In float64 the frameworks differ in the last digits, because of
another σ, another order of a sum or a fused multiply-add. Those digits lie 29 bits below the last digit of float32, and
rounding drops them. Only if the exact result is almost midway between two float32 numbers may one framework round up
and another down.

The arrays are float64, but hold only float32 numbers. `grad` rounds a derivative wherever the number itself was
rounded: the derivative of a cast is the cast back.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array

from gradparity.contract import Batch, Network, Params, Schedule, Snapshot, State, Trajectory
from gradparity.exactness import in_float32, require

from ..activations import ACTIVATIONS
from ..compile_clock import compile_clock
from ..optimizers import Rule, load_state, make_optimizer, read_state
from ..train import run
from .rounding import rounded, to_float32, to_float64

__all__ = ["forward", "loss_and_grads", "train"]


def apply(network: Network, params: Any, inputs: Array) -> list[Array]:
    """Compute the activations of every layer, rounded after each operation."""
    activations, a = [], inputs.reshape(len(inputs), -1)
    for layer, (weight, bias) in zip(network.layers, params, strict=True):
        # The weights are rounded already; `rounded` is here to round their gradients.
        z = a @ rounded(weight)
        z = rounded(z if bias is None else z + rounded(bias))  # z
        a = rounded(ACTIVATIONS[layer.activation](z))  # a
        activations.append(a)
    return activations


@jax.jit(static_argnums=0)
def loss(network: Network, params: Any, inputs: Array, targets: Array) -> Array:
    """Compute the loss as a function of the parameters: `grad` differentiates this function."""
    errors = rounded(apply(network, params, inputs)[-1] - targets)
    return rounded(jnp.mean(errors**2))


value_and_grad = jax.jit(jax.value_and_grad(loss, argnums=1), static_argnums=0)
_apply = jax.jit(apply, static_argnums=0)


def forward(network: Network, params: Params, inputs: Batch) -> list[Batch]:
    """Compute the activations of every layer, first hidden layer first, outputs last: `(samples, units)` each."""
    require(network, inputs)
    activations: list[Batch] = to_float32(_apply(network, *to_float64((params, inputs))))
    return activations


def loss_and_grads(
    network: Network, params: Params, inputs: Batch, targets: Batch
) -> tuple[float, Params]:
    """Compute the loss on these samples, and its gradient with respect to every parameter."""
    require(network, inputs)
    value, grads = value_and_grad(network, *to_float64((params, inputs, targets)))
    return float(value), to_float32(grads)


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
    """Update `carry`, the params and optax's state, both rounded. Return them, and the loss before the update."""
    params, state = carry
    if batch is not None:
        inputs, targets = inputs[batch], targets[batch]
    value, grads = value_and_grad(network, params, inputs, targets)
    updates, state = make_optimizer(rule, learning_rate).update(grads, state, params)
    return jax.tree.map(rounded, (optax.apply_updates(params, updates), state)), value


def train(
    network: Network,
    params: Params,
    inputs: Batch,
    targets: Batch,
    schedule: Schedule,
    state: State | None = None,
) -> Trajectory:
    """Carry out `schedule` from update count `state.updates` (0 without a state) to its end."""
    require(network, inputs, schedule)
    schedule = in_float32(schedule)
    x, y, wide = to_float64((inputs, targets, params))
    rate, batch_size = schedule.learning_rate, schedule.batch_size
    rule = Rule.of(schedule)
    start = 0 if state is None else state.updates
    losses: list[Array] = []
    kept: dict[int, Snapshot] = {}

    def snapshot(updates: int) -> Snapshot:
        params, state = carry
        arrays = to_float32(read_state(rule, state, updates).arrays)
        return Snapshot(to_float32(params), State(updates, arrays))

    with compile_clock() as compiling:
        given = None if state is None else State(state.updates, to_float64(state.arrays))
        carry = wide, load_state(rule, wide, given)
        for update, epochs, samples in schedule.pieces(start):
            if update in schedule.keep:
                kept[update] = snapshot(update)
            size: Any = {"epochs": epochs, "batch_size": batch_size}
            carry, new = run(network, rule, carry, x, y, rate, samples, **size, step=step)
            losses.append(new)
        final_loss = loss(network, carry[0], x, y)

    final = snapshot(schedule.updates)
    if schedule.updates in schedule.keep:
        kept[schedule.updates] = final
    recorded = np.concatenate([np.empty(0), *(np.ravel(new) for new in losses)])
    return Trajectory(recorded, float(final_loss), final, kept, compile_seconds=sum(compiling, 0.0))
