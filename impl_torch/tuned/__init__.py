"""The same contract, as fast as torch can be on a CPU: for dense networks with the MSE and plain SGD, any activation.

`step` explains how a few updates become one fast call. The members of an ensemble are trained in the same calls.
Compiling takes seconds, so the plain implementation finishes a single short run earlier. The plain implementation also
trains all other networks and schedules, and everything if there is no C++ compiler.
"""

from __future__ import annotations

import os
import shutil
import time

import numpy as np
import torch
from torch import Tensor

from gradparity.contract import (
    SGD,
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
from ..ensemble import train_ensemble as train_ensemble_plainly
from ..gradients import forward
from ..losses import mse
from ..train import train as train_plainly
from .step import (
    Weights,
    at_once,
    batch_of,
    compiled,
    to_params,
    to_weights,
    value_and_grads,
)

__all__ = ["forward", "loss_and_grads", "train", "train_ensemble"]


def speeds_up(network: Network, schedule: Schedule | None = None) -> bool:
    """Return True if this module can compute the network and, if a schedule is given, train with it."""
    dense = all(isinstance(layer, Dense) for layer in network.layers)
    here = dense and network.loss == "mse" and len(network.input_shape) == 1
    if schedule is None:
        return here
    plain = schedule.optimizer == SGD() and not schedule.weight_decay
    return here and plain and shutil.which(os.environ.get("CXX", "g++")) is not None


def loss_and_grads(
    network: Network, params: Params, inputs: Batch, targets: Batch
) -> tuple[float, Params]:
    """Compute the loss on these samples, and its gradient with respect to every parameter, as `train` does."""
    if not speeds_up(network):
        return gradients.loss_and_grads(network, params, inputs, targets)
    x, y = torch.tensor(inputs), torch.tensor(targets)
    data = batch_of(x, y, Schedule(learning_rate=0.0, epochs=1), 0)
    value, grads = value_and_grads(network, to_weights(params), *data)
    return value.item(), to_params(network, grads)


def train(
    network: Network,
    params: Params,
    inputs: Batch,
    targets: Batch,
    schedule: Schedule,
    state: State | None = None,
) -> Trajectory:
    """Carry out `schedule` from update count `state.updates` (0 without a state) to its end."""
    if not speeds_up(network, schedule):
        return train_plainly(network, params, inputs, targets, schedule, state)
    x, y = torch.tensor(inputs), torch.tensor(targets)
    start = 0 if state is None else state.updates
    losses, final, kept, seconds = _carry_out(
        network, to_weights(params), x, y, schedule, schedule.learning_rate, start
    )
    outputs = torch.tensor(forward(network, final.params, inputs)[-1])
    final_loss = mse(outputs, y).item()
    return Trajectory(losses, final_loss, final, kept, compile_seconds=seconds)


def train_ensemble(
    network: Network, params: Params, inputs: Batch, targets: Batch, schedule: Schedule
) -> Ensemble:
    """Train many networks at once. Each may have its own learning rate."""
    if not speeds_up(network, schedule):
        return train_ensemble_plainly(network, params, inputs, targets, schedule)
    x, y = torch.tensor(inputs), torch.tensor(targets)
    rates = np.broadcast_to(schedule.learning_rate, len(params[0].weight))
    rate = torch.tensor(rates.astype(inputs.dtype))[:, None, None]
    losses, final, kept, _ = _carry_out(network, to_weights(params), x, y, schedule, rate, 0)
    return Ensemble(np.ascontiguousarray(losses.T), final, kept)


def _carry_out(
    network: Network,
    weights: Weights,
    x: Tensor,
    y: Tensor,
    schedule: Schedule,
    rate: Tensor | float,
    now: int,
) -> tuple[np.ndarray, Snapshot, dict[int, Snapshot], float]:
    """Carry out `schedule` from update count `now`.

    Returns the losses, `(updates, …)`, the end, the kept snapshots, and the seconds of the calls that compiled.
    """
    losses: list[Tensor] = []
    kept: dict[int, Snapshot] = {}
    seconds = 0.0
    full = batch_of(x, y, schedule, 0) if schedule.order is None else None
    most = at_once(network, weights)
    while now < schedule.updates:
        if now in schedule.keep:
            kept[now] = Snapshot(to_params(network, weights), State(now))
        stop = schedule.next_stop(now)
        while now < stop:
            count = most if stop - now >= most else 1
            batches = [
                full or batch_of(x, y, schedule, update) for update in range(now, now + count)
            ]
            step, compiles = compiled(network, weights, batches[0], rate, count)
            begin = time.perf_counter()
            weights, before = step(weights, batches, rate)
            seconds += time.perf_counter() - begin if compiles else 0.0
            losses.append(before)
            now += count
    final = Snapshot(to_params(network, weights), State(now))
    if now in schedule.keep:
        kept[now] = final
    recorded = torch.cat(losses) if losses else torch.empty(0)
    return recorded.double().numpy(force=True), final, kept, seconds
