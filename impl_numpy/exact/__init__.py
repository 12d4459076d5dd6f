"""The same contract, rounded so that every framework gives the same bits: dense networks, MSE and SGD, in float32.

Each operation (a layer's product with its bias, an activation, a difference, a loss, a gradient, an update) is NumPy's
own in float64, and its result is rounded to float32. In float64 the frameworks differ in the last digits, because of
another σ, another order of a sum or a fused multiply-add. Those digits lie 29 bits below the last digit of float32, and
rounding drops them. Only if the exact result is almost midway between two float32 numbers may one framework round up
and another down.

The arrays are float64, but hold only float32 numbers. Autograd rounds a derivative wherever the number itself was
rounded; by hand, that is each `rounded` in `value_and_grad`.
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
    map_params,
    tensors,
)
from gradparity.exactness import in_float32, require

from .. import optimizers
from ..activations import ACTIVATIONS
from ..layers import LAYERS
from ..losses import Scalar
from .rounding import rounded, to_float32, to_float64

__all__ = ["forward", "loss_and_grads", "train"]


def _activations(
    network: Network, params: Params, inputs: Batch
) -> tuple[list[Batch], list[Batch]]:
    """Compute the activations of every layer, rounded and unrounded: σ' is computed from the unrounded ones."""
    activations, unrounded, a = [], [], inputs
    for layer, (weight, bias) in zip(network.layers, params, strict=True):
        z = rounded(LAYERS[type(layer)].forward(layer, weight, bias, a))  # z
        unrounded.append(ACTIVATIONS[layer.activation].function(z))
        a = rounded(unrounded[-1])  # a
        activations.append(a)
    return activations, unrounded


def value_and_grad(
    network: Network, params: Params, inputs: Batch, targets: Batch
) -> tuple[Scalar, Params]:
    """Compute the loss and its gradient by the chain rule, rounded after each operation."""
    outputs, unrounded = _activations(network, params, inputs)
    activations = [inputs, *outputs]
    errors = rounded(activations[-1] - targets)
    loss = rounded(np.mean(errors**2))  # L
    d_a = rounded(2.0 * errors / errors.size)  # dL/da

    grads: list[Layer] = []
    for k in reversed(range(len(network.layers))):
        layer, (weight, bias), a = network.layers[k], params[k], activations[k]
        _, gradient, backward = LAYERS[type(layer)]
        d_z = rounded(d_a * ACTIVATIONS[layer.activation].derivative(unrounded[k]))  # dL/dz
        grads.insert(0, gradient(layer, weight, bias, a, d_z))  # dL/dW, dL/db
        if k > 0:
            d_a = rounded(backward(layer, weight, a, d_z))  # dL/da of the layer below
    return loss, map_params(rounded, tuple(grads))


def forward(network: Network, params: Params, inputs: Batch) -> list[Batch]:
    """Compute the activations of every layer, first hidden layer first, outputs last: `(samples, units)` each."""
    require(network, inputs)
    activations, _ = _activations(network, to_float64(params), inputs.astype(np.float64))
    return [a.astype(np.float32) for a in activations]


def loss_and_grads(
    network: Network, params: Params, inputs: Batch, targets: Batch
) -> tuple[float, Params]:
    """Compute the loss on these samples, and its gradient with respect to every parameter."""
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
    now = optimizers.initial_state(schedule, params, State(updates, arrays))
    losses: list[float] = []
    kept: dict[int, Snapshot] = {}

    def snapshot() -> Snapshot:
        arrays = {name: to_float32(array) for name, array in now.arrays.items()}
        return Snapshot(to_float32(params), State(now.updates, arrays))

    for update in range(now.updates, schedule.updates):
        if update in schedule.keep:
            kept[update] = snapshot()
        batch = schedule.batch(update)
        loss, grads = value_and_grad(network, params, x[batch], y[batch])  # L, dL/dw
        losses.append(float(loss))
        now = optimizers.update(schedule, params, grads, now)  # w
        for array in (params, *now.arrays.values()):
            for tensor in tensors(array):
                tensor[:] = rounded(tensor)

    final = snapshot()
    if schedule.updates in schedule.keep:
        kept[schedule.updates] = final
    final_loss, _ = value_and_grad(network, params, x, y)
    return Trajectory(np.array(losses), float(final_loss), final, kept)
