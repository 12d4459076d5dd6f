"""The same contract, rounded so that every framework gives the same bits: dense networks, MSE and SGD, in float32.

Each operation (a layer's product with its bias, an activation, a difference, a loss, a gradient, an update) is NumPy's
own in float64, and its result is rounded to float32. In float64 frameworks differ in the last digits: by another σ,
another order of a sum, a fused multiply-add. Those digits lie 29 bits below the last one of float32, and rounding drops
them; only where the exact result is all but midway between two float32 numbers may one framework round up and another
down.

Numbers stay in float64 arrays, each of them one that float32 has. Autograd rounds a derivative wherever the number
itself was rounded; by hand, that is each `rounded` in `value_and_grad`.
"""

from __future__ import annotations

import numpy as np

from gradparity.contract import (
    Batch,
    Layer,
    Network,
    Params,
    Schedule,
    Snapshot,
    State,
    Trajectory,
    tensors,
)
from gradparity.exactness import in_float32, require

from ..gradients import DERIVATIVES, Scalar
from ..model import ACTIVATIONS
from ..optimizers import initial_state, update
from .rounding import rounded, to_float32, to_float64

__all__ = ["forward", "loss_and_grads", "train"]


def mlp(network: Network, params: Params, inputs: Batch) -> tuple[list[Batch], list[Batch]]:
    """The activations of every layer; beside them, the same before they were rounded, which σ' is made of."""
    activations, unrounded = [], []
    a = inputs.reshape(len(inputs), -1)
    for layer, (weight, bias) in zip(network.layers, params, strict=True):
        z = rounded(a @ weight if bias is None else a @ weight + bias)
        unrounded.append(ACTIVATIONS[layer.activation](z))
        a = rounded(unrounded[-1])
        activations.append(a)
    return activations, unrounded


def value_and_grad(
    network: Network, params: Params, inputs: Batch, targets: Batch
) -> tuple[Scalar, Params]:
    """Back-propagation, rounded after each operation."""
    activations, unrounded = mlp(network, params, inputs)
    errors = rounded(activations[-1] - targets)
    loss = rounded(np.mean(errors**2))

    # fmt: off
    grads: list[Layer] = []
    d_a = rounded(2.0 * errors / errors.size)                               # dL/da of the last layer
    for layer, (weight, bias), a_in, a_out in zip(
        reversed(network.layers), reversed(params),
        reversed([inputs, *activations[:-1]]), reversed(unrounded), strict=True,
    ):
        d_z = rounded(d_a * DERIVATIVES[layer.activation](a_out))           # dL/dz
        weight_grad = rounded(a_in.reshape(len(a_in), -1).T @ d_z)          # dL/dW
        bias_grad = None if bias is None else rounded(d_z.sum(0))           # dL/db
        d_a = rounded(d_z @ weight.T)                                       # dL/da of the layer below
        grads.append(Layer(weight_grad, bias_grad))
    # fmt: on
    return loss, tuple(reversed(grads))


def forward(network: Network, params: Params, inputs: Batch) -> list[Batch]:
    """The activations of every layer, first hidden layer first, outputs last: `(samples, units)` each."""
    require(network, inputs)
    activations, _ = mlp(network, to_float64(params), inputs.astype(np.float64))
    return [a.astype(np.float32) for a in activations]


def loss_and_grads(
    network: Network, params: Params, inputs: Batch, targets: Batch
) -> tuple[float, Params]:
    """The loss on these samples, and its gradient with respect to every parameter."""
    require(network, inputs)
    x, y = inputs.astype(np.float64), targets.astype(np.float64)
    loss, grads = value_and_grad(network, to_float64(params), x, y)
    return float(loss), to_float32(grads)


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
    x, y = inputs.astype(np.float64), targets.astype(np.float64)
    params = to_float64(params)
    updates, given = State(0) if state is None else state
    arrays = {name: to_float64(array) for name, array in given.items()}
    now = initial_state(schedule, params, State(updates, arrays))
    losses: list[float] = []
    kept: dict[int, Snapshot] = {}

    def snapshot() -> Snapshot:
        arrays = {name: to_float32(array) for name, array in now.arrays.items()}
        return Snapshot(to_float32(params), State(now.updates, arrays))

    while now.updates < schedule.updates:
        if now.updates in schedule.keep:
            kept[now.updates] = snapshot()
        batch = schedule.batch(now.updates)
        loss, grads = value_and_grad(network, params, x[batch], y[batch])
        losses.append(float(loss))
        now = update(schedule, params, grads, now)
        for array in (params, *now.arrays.values()):
            for tensor in tensors(array):
                tensor[:] = rounded(tensor)

    final = snapshot()
    if now.updates in schedule.keep:
        kept[now.updates] = final
    final_loss, _ = value_and_grad(network, params, x, y)
    return Trajectory(np.array(losses), float(final_loss), final, kept)
