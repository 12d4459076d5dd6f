"""The same contract, rounded so that every framework gives the same bits: dense networks, MSE and SGD, in float32.

Each operation (a layer's product with its bias, an activation, a difference, a loss, a gradient, an update) is torch's
own in float64, and its result is rounded to float32. In float64 the frameworks differ in the last digits, because of
another σ, another order of a sum or a fused multiply-add. Those digits lie 29 bits below the last digit of float32, and
rounding drops them. Only if the exact result is almost midway between two float32 numbers may one framework round up
and another down.

The tensors are float64, but hold only float32 numbers. Autograd rounds a derivative wherever the number itself was
rounded: the derivative of `.float()` is `.double()`, and vice versa.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from gradparity.contract import Batch, Network, Params, Schedule, Snapshot, State, Trajectory
from gradparity.exactness import in_float32, require

from .. import gradients
from ..optimizers import load_state, make_optimizer, read_state
from .rounding import rounded, to_float32, to_float64

__all__ = ["forward", "loss_and_grads", "train"]


class Model(gradients.Model):
    """The model, rounded after each operation, including those of back-propagation."""

    def __init__(self, network: Network, params: Params) -> None:
        super().__init__(network, to_float64(params))

    def forward(self, inputs: Tensor) -> list[Tensor]:
        """Compute the activations of every layer."""
        activations, a = [], inputs.flatten(1)
        for layer, activation in zip(self.layers, self.activations, strict=True):
            # Weights and biases are rounded already; `rounded` is here to round their gradients.
            weight_and_bias = (rounded(parameter) for parameter in layer.parameters())
            z = rounded(functional.linear(a, *weight_and_bias))  # z
            a = rounded(activation(z))  # a
            activations.append(a)
        return activations


def _mse(predictions: Tensor, targets: Tensor) -> Tensor:
    """Compute the mean of the squared differences, rounded after each operation."""
    errors = rounded(predictions - targets)
    return rounded(torch.mean(errors**2))


def forward(network: Network, params: Params, inputs: Batch) -> list[Batch]:
    """Compute the activations of every layer, first hidden layer first, outputs last: `(samples, units)` each."""
    require(network, inputs)
    model = Model(network, params)
    with torch.no_grad():
        return [a.float().numpy(force=True) for a in model(torch.tensor(inputs).double())]


def loss_and_grads(
    network: Network, params: Params, inputs: Batch, targets: Batch
) -> tuple[float, Params]:
    """Compute the loss on these samples, and its gradient with respect to every parameter."""
    require(network, inputs)
    model = Model(network, params)
    x, y = torch.tensor(inputs).double(), torch.tensor(targets).double()
    loss = _mse(model(x)[-1], y)

    loss.backward()
    return loss.item(), to_float32(model.to_grads())


def _round_in_place(optimizer: Any, *_: object) -> None:
    """Round the weights and the optimizer's state: the update was computed in float64."""
    with torch.no_grad():
        for parameter in optimizer.param_groups[0]["params"]:
            for tensor in (parameter, *optimizer.state[parameter].values()):
                if tensor is not None:  # plain SGD has no momentum buffer
                    tensor.copy_(rounded(tensor))


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
    model = Model(network, params)
    optimizer = make_optimizer(schedule, schedule.learning_rate, list(model.parameters()))
    optimizer.register_step_post_hook(_round_in_place)
    if state is not None:
        arrays = {name: to_float64(array) for name, array in state.arrays.items()}
        load_state(optimizer, schedule, State(state.updates, arrays))
    x, y = torch.tensor(inputs).double(), torch.tensor(targets).double()
    start = 0 if state is None else state.updates
    losses: list[Tensor] = []
    kept: dict[int, Snapshot] = {}

    def snapshot(updates: int) -> Snapshot:
        _, arrays = read_state(optimizer, schedule, model.to_params, updates)
        narrow = {name: to_float32(array) for name, array in arrays.items()}
        return Snapshot(to_float32(model.to_params()), State(updates, narrow))

    for update in range(start, schedule.updates):
        if update in schedule.keep:
            kept[update] = snapshot(update)
        batch = schedule.batch(update)
        optimizer.zero_grad()
        loss = _mse(model(x[batch])[-1], y[batch])
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())

    final = snapshot(schedule.updates)
    if schedule.updates in schedule.keep:
        kept[schedule.updates] = final
    with torch.no_grad():
        final_loss = _mse(model(x)[-1], y)
    recorded = torch.stack(losses) if losses else torch.empty(0)
    return Trajectory(recorded.double().numpy(force=True), final_loss.item(), final, kept)
