"""Many updates, as fast as JAX can be on a CPU: for dense networks with the MSE, any activation and optimizer.

- Samples are the last axes of every array, in rows as long as a vector of the processor: `(units, rows, lanes)`. XLA
  vectorises along the lanes, and a sum over samples adds the rows first; along one axis it would add one by one.
- A tiny layer with few samples multiplies and sums: XLA fuses this with the operations before and after, whereas a
  matrix product is a call.
- Any other layer multiplies matrices, in the layouts that the CPU's product needs: see `dense`.
- Every batch, including the ragged last one, is padded to one size and masked: one `lax.scan` serves them all. Each
  iteration of it has four updates (`unroll`).
- XLA is set to use the CPU's widest vectors; by default it prefers 256 bits.
"""

from __future__ import annotations

from functools import partial
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array, lax

from gradparity.contract import Batch, Network, Params, Schedule

from ..activations import ACTIVATIONS
from ..optimizers import Rule, make_optimizer

_TINY = 48
"""The largest number of entries of a weight whose layer multiplies and sums."""

_VECTOR = 64
"""Bytes of the widest vector of a CPU."""

_ROWS = 14
"""The largest number of rows of samples for which XLA's code to multiply and sum is faster than a product."""

jit = partial(jax.jit, compiler_options={"xla_cpu_prefer_vector_width": 512})


@jax.custom_vjp
def dense(weight: Array, a: Array) -> Array:
    """Compute Wᵀ a from a weight `(fan_in, units)` and activations `(fan_in, samples)`."""
    # XLA's product of a transposed matrix takes twice as long in float64; the barrier stops XLA from undoing the copy.
    return lax.optimization_barrier(weight.T) @ a


def _dense_forward(weight: Array, a: Array) -> Any:
    return dense(weight, a), (weight, a)


def _dense_backward(kept: Any, d_z: Array) -> tuple[Array, Array]:
    weight, a = kept
    return a @ d_z.T, weight @ d_z


dense.defvjp(_dense_forward, _dense_backward)


def across(array: Array, lanes: int) -> Array:
    """Repeat the array for each lane, `(…, 1, lanes)`. Its gradient is the sum of the gradients of the lanes."""
    # Without the barrier, XLA merges this sum with that over the rows into one.
    spread = jnp.broadcast_to(array[..., None, None], (*array.shape, 1, lanes))
    return lax.optimization_barrier(spread)


def loss(network: Network, params: Any, x: Array, y: Array, mask: Array) -> Array:
    """Compute Σ mask (a - y)²: the MSE, as the mask is 1 / elements for a sample and 0 for padding."""
    a = x
    *rows, lanes = mask.shape
    for layer, (weight, bias) in zip(network.layers, params, strict=True):
        if weight.size <= _TINY and lanes * a.itemsize <= _VECTOR:
            z = (across(weight, lanes) * a[:, None]).sum(0)
            z = z if bias is None else z + across(bias, lanes)
        else:
            z = dense(weight, a.reshape(len(a), -1))
            z = (z if bias is None else z + bias[:, None]).reshape(-1, *rows, lanes)
        a = ACTIVATIONS[layer.activation](z)
    return lax.optimization_barrier(jnp.sum(mask * (a - y) ** 2, axis=(0, 1))).sum()


value_and_grad = jax.value_and_grad(loss, argnums=1)


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
    """Carry out many updates in one scan. `batches` are the samples and mask of each, or the full batch's one mask."""

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


def lanes_of(params: Params, samples: int) -> int:
    """Return the lanes of a row: those of a vector, or all samples of a batch if the layers multiply matrices."""
    tiny = all(prod(layer.weight.shape[-2:]) <= _TINY for layer in params)
    lanes = _VECTOR // params[0].weight.itemsize
    return lanes if tiny and samples <= _ROWS * lanes else samples


def in_lanes(array: np.ndarray, lanes: int) -> np.ndarray:
    """Split the last axis, that of the samples, into rows, `(…, rows, lanes)`, padded with zeros."""
    padding = [(0, 0)] * (array.ndim - 1) + [(0, -array.shape[-1] % lanes)]
    return np.pad(array, padding).reshape(*array.shape[:-1], -1, lanes)


def mask_of(samples: int, size: int, targets: Batch) -> np.ndarray:
    """Return the mask of a batch of this size, `(size,)`: 1 / elements for each sample, and 0 for the padding."""
    mask = np.zeros(size, targets.dtype)
    mask[:samples] = 1.0 / (samples * targets.shape[-1])
    return mask


def batches_of(schedule: Schedule, targets: Batch, lanes: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the samples of every batch, and its mask, both `(updates, rows, lanes)`."""
    assert schedule.order is not None
    assert schedule.batch_size is not None
    count, size = schedule.updates_per_epoch, schedule.batch_size
    missing = count * size - targets.shape[-2]
    samples = np.pad(schedule.order, ((0, 0), (0, missing))).reshape(-1, size)
    sizes = [size] * (count - 1) + [size - missing]
    masks = np.stack([mask_of(n, size, targets) for n in sizes])
    return in_lanes(samples, lanes), in_lanes(np.tile(masks, (schedule.epochs, 1)), lanes)
