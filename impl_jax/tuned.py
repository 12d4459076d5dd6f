"""The same contract, as fast as JAX goes on a CPU: for dense networks with the MSE, any activation and optimizer.

- The whole run between two kept updates is one `lax.scan`, as in `train`; four updates are written out in each turn
  (`unroll`), and the weights are given away to be overwritten (`donate_argnums`). Not so for large layers: a call costs
  nothing beside them, and in a loop XLA does their products by slower code (in float64 it took 2.7 times as long).
- Activations are feature-major, `(units, samples)`: XLA then vectorises along the samples.
- A tiny layer multiplies and sums: XLA fuses that with what comes before and after, where a matrix product is a call.
- A large layer multiplies matrices that lie as the CPU's product wants them, which `dense` says of each.
- Every batch, the ragged last one too, is padded to one size, a multiple of 16, and masked: one scan serves them all.
- The widest vectors of the CPU are asked for; XLA prefers 256 bits.

Whatever else a network asks for is done by the plain implementation.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array, lax

from gradparity.contract import (
    Batch,
    Dense,
    Network,
    Params,
    Schedule,
    Snapshot,
    State,
    Trajectory,
)

from . import gradients
from .ensemble import train_ensemble
from .model import ACTIVATIONS, forward
from .optimizers import Rule, load_state, make_optimizer, read_state
from .train import _compile_clock
from .train import train as train_plainly

__all__ = ["forward", "loss_and_grads", "train", "train_ensemble"]

_TINY = 256
"""Entries of a weight up to which its layer multiplies and sums."""

_LARGE = 2**17
"""Entries of a weight above which each update is a call of its own."""

_ALIGNED = 16
"""Samples that fill a vector of 512 bits in float32, and two in float64."""

_jit = partial(jax.jit, compiler_options={"xla_cpu_prefer_vector_width": 512})


def speeds_up(network: Network) -> bool:
    """Whether the network is one of those that are computed here."""
    dense = all(isinstance(layer, Dense) for layer in network.layers)
    return dense and network.loss == "mse" and len(network.input_shape) == 1


@jax.custom_vjp
def dense(weight: Array, a: Array) -> Array:
    """Wᵀ a, of a weight `(fan_in, units)` and activations `(fan_in, samples)`."""
    # XLA's product of a transposed matrix takes twice as long in float64; the barrier keeps it from undoing the copy.
    return lax.optimization_barrier(weight.T) @ a


def _dense_forward(weight: Array, a: Array) -> Any:
    return dense(weight, a), (weight, a)


def _dense_backward(kept: Any, d_z: Array) -> tuple[Array, Array]:
    weight, a = kept
    return a @ d_z.T, weight @ d_z


dense.defvjp(_dense_forward, _dense_backward)


def loss(network: Network, params: Any, x: Array, y: Array, mask: Array) -> Array:
    """Σ mask (a - y)² of feature-major samples: with 1 / elements for a sample and 0 for padding, the MSE."""
    a = x
    for layer, (weight, bias) in zip(network.layers, params, strict=True):
        tiny = weight.size <= _TINY
        z = (weight[:, :, None] * a[:, None, :]).sum(0) if tiny else dense(weight, a)
        a = ACTIVATIONS[layer.activation](z if bias is None else z + bias[:, None])
    return jnp.sum(mask * (a - y) ** 2)


value_and_grad = jax.value_and_grad(loss, argnums=1)


@partial(_jit, static_argnums=(0, 1), static_argnames="updates", donate_argnums=2)
def run(
    network: Network,
    rule: Rule,
    carry: Any,
    x: Array,
    y: Array,
    rate: Array | float,
    batches: Any,
    *,
    updates: int,
) -> Any:
    """So many updates in one scan. `batches` are samples and mask of each, or the one mask of the full batch."""

    def step(carry: Any, batch: Any) -> Any:
        params, state = carry
        if batch is None:
            data = x, y, batches
        else:
            samples, mask = batch
            data = x[:, samples], y[:, samples], mask
        value, grads = value_and_grad(network, params, *data)
        moves, state = make_optimizer(rule, rate).update(grads, state, params)
        return (optax.apply_updates(params, moves), state), value

    each = batches if isinstance(batches, tuple) else None
    return lax.scan(step, carry, each, length=updates, unroll=4)


def padded(array: Batch, size: int) -> Any:
    """Samples `(samples, …)` as columns, and columns of zeros up to `size` of them."""
    return np.pad(array.T, ((0, 0), (0, size - len(array))))


def aligned(samples: int) -> int:
    """The size to pad a batch of so many samples to."""
    return -(-samples // _ALIGNED) * _ALIGNED


def mask_of(samples: int, size: int, targets: Batch) -> np.ndarray:
    """1 / elements for each of the samples, and 0 for what is behind them, `(size,)`."""
    mask = np.zeros(size, targets.dtype)
    mask[:samples] = 1.0 / (samples * targets.shape[1])
    return mask


def batches_of(schedule: Schedule, size: int, targets: Batch) -> tuple[np.ndarray, np.ndarray]:
    """The samples of every batch, and its mask, `(updates, size)` both."""
    assert schedule.order is not None
    assert schedule.batch_size is not None
    count, batch = schedule.updates_per_epoch, schedule.batch_size
    missing = count * batch - len(targets)
    samples = np.pad(schedule.order, ((0, 0), (0, missing))).reshape(-1, batch)
    sizes = [batch] * (count - 1) + [batch - missing]
    masks = np.stack([mask_of(n, size, targets) for n in sizes])
    return np.pad(samples, ((0, 0), (0, size - batch))), np.tile(masks, (schedule.epochs, 1))


_value_and_grad = _jit(value_and_grad, static_argnums=0)


def loss_and_grads(
    network: Network, params: Params, inputs: Batch, targets: Batch
) -> tuple[float, Params]:
    """The loss on these samples, and its gradient with respect to every parameter."""
    if not speeds_up(network):
        return gradients.loss_and_grads(network, params, inputs, targets)
    size = aligned(len(inputs))
    mask = mask_of(len(inputs), size, targets)
    data = padded(inputs, size), padded(targets, size), mask
    value, grads = _value_and_grad(network, params, *data)
    return float(value), jax.tree.map(np.asarray, grads)


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
    full = schedule.order is None
    size = aligned(schedule.batch_size or len(inputs))
    x, y = (jnp.asarray(padded(array, size if full else len(array))) for array in (inputs, targets))
    mask = mask_of(len(inputs), size, targets)
    large = max(layer.weight.size for layer in params) > _LARGE
    batches = None if full else batches_of(schedule, size, targets)
    rule, now = Rule.of(schedule), 0 if state is None else state.updates
    losses: list[Array] = []
    kept: dict[int, Snapshot] = {}

    def snapshot() -> Snapshot:
        params, state = carry
        return Snapshot(jax.tree.map(np.array, params), read_state(rule, state, now))

    with _compile_clock() as compiling:
        carry = jax.tree.map(jnp.array, params), load_state(rule, params, state)
        while now < schedule.updates:
            if now in schedule.keep:
                kept[now] = snapshot()
            stop = min(count for count in (*schedule.keep, schedule.updates) if count > now)
            stop = now + 1 if large else stop
            some = mask if batches is None else tuple(array[now:stop] for array in batches)
            carry, new = run(
                network, rule, carry, x, y, schedule.learning_rate, some, updates=stop - now
            )
            losses.append(new)
            now = stop
        final = snapshot()
        final_loss = gradients.loss(network, final.params, inputs, targets)

    if now in schedule.keep:
        kept[now] = final
    recorded = np.concatenate([np.empty(0), *(np.asarray(new, np.float64) for new in losses)])
    return Trajectory(recorded, float(final_loss), final, kept, compile_seconds=sum(compiling, 0.0))
