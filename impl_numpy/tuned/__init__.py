"""The same contract, as fast as NumPy can be: for dense networks of sigmoids with the MSE and plain SGD.

`step` explains how an update is made fast. The errors of many updates are kept, and their losses computed together.
In an ensemble, as many members are trained at once as fit into the processor's cache: each call then serves them all.

The plain implementation trains all other networks and schedules.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

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
    map_params,
)

from .. import gradients
from ..ensemble import train_ensemble as train_ensemble_plainly
from ..gradients import forward
from ..train import train as train_plainly
from . import step
from .step import Calls, Features, Weights, feature_major

__all__ = ["forward", "loss_and_grads", "train", "train_ensemble"]

_KEPT = 2**13
"""The largest number of errors that are kept before their losses are computed."""

_WRITTEN = 16
"""The largest number of updates that are planned. To plan one takes as long as to carry out a few."""


def speeds_up(network: Network, schedule: Schedule | None = None) -> bool:
    """Return True if this module can compute the network and, if a schedule is given, train with it."""
    layers = network.layers
    sigmoids = all(isinstance(one, Dense) and one.activation == "sigmoid" for one in layers)
    plain = schedule is None or (schedule.optimizer == SGD() and not schedule.weight_decay)
    return sigmoids and plain and network.loss == "mse" and len(network.input_shape) == 1


def loss_and_grads(
    network: Network, params: Params, inputs: Batch, targets: Batch
) -> tuple[float, Params]:
    """Compute the loss on these samples, and its gradient with respect to every parameter."""
    if not speeds_up(network):
        return gradients.loss_and_grads(network, params, inputs, targets)
    weights, errors = Weights(network, params), np.empty(targets.T.shape, targets.dtype)
    room, x = weights.room(len(inputs)), feature_major(params, inputs)
    with np.errstate(over="ignore"):  # where e^-z overflows, σ is 0
        for call in step.forward(weights, room, x):
            call()
    for call in step.backward(weights, room, x, targets.T, errors):
        call()
    grads = weights.params(weights.all_grads * weights.factors / len(inputs))
    return float(np.mean(errors**2)), grads


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
    weights = Weights(network, params)
    x, y = feature_major(params, inputs), np.ascontiguousarray(targets.T)
    start = 0 if state is None else state.updates
    with np.errstate(over="ignore"):
        losses, kept = _carry_out(weights, x, y, schedule, schedule.learning_rate, start)
        room = weights.room(len(inputs))
        for call in step.forward(weights, room, x):
            call()
    final_loss = np.mean((room.outputs[-1] - y) ** 2)
    return Trajectory(losses, float(final_loss), _snapshot(weights, schedule.updates), kept)


def train_ensemble(
    network: Network, params: Params, inputs: Batch, targets: Batch, schedule: Schedule
) -> Ensemble:
    """Train many networks at once, a few of them at a time."""
    if not speeds_up(network, schedule):
        return train_ensemble_plainly(network, params, inputs, targets, schedule)
    members, samples = len(params[0].weight), schedule.batch_size or inputs.shape[-2]
    units = sum(layer.weight.shape[-1] for layer in params)
    at_once = max(step.CACHE_BYTES // (3 * units * samples * inputs.itemsize), 1)
    rates = np.broadcast_to(schedule.learning_rate, members)
    own_data = inputs.ndim == 3
    runs = []
    for first in range(0, members, at_once):
        some = slice(first, first + at_once)
        chosen = map_params(lambda array, some=some: array[some], params)
        weights = Weights(network, chosen)
        data, labels = (array[some] if own_data else array for array in (inputs, targets))
        x, y = feature_major(chosen, data), np.ascontiguousarray(labels.mT)
        with np.errstate(over="ignore"):
            losses, kept = _carry_out(weights, x, y, schedule, rates[some, None], 0)
        runs.append((losses, _snapshot(weights, schedule.updates), kept))
    every_loss, finals, every_kept = zip(*runs, strict=True)
    joined = {count: _join([kept[count] for kept in every_kept]) for count in every_kept[0]}
    return Ensemble(np.concatenate(every_loss), _join(finals), joined)


def _carry_out(
    weights: Weights,
    x: Features,
    y: Features,
    schedule: Schedule,
    rate: np.ndarray | float,
    start: int,
) -> tuple[np.ndarray, dict[int, Snapshot]]:
    """Carry out `schedule` from update count `start`. Return the losses, `(…, updates)`, and the kept snapshots."""
    members = weights.all.shape[:-1]
    batches = _batches(schedule, y, prod(members))
    errors = [np.empty((*members, *y[..., rows].shape[-2:]), y.dtype) for rows in batches]
    shuffled, shuffled_y = (
        (x, y) if schedule.order is None else (np.empty_like(x), np.empty_like(y))
    )
    data = [(shuffled[..., rows], shuffled_y[..., rows]) for rows in batches]
    steps = _steps(weights, data, errors, rate)
    now, losses = start, np.empty((*members, max(schedule.updates - start, 0)))
    kept: dict[int, Snapshot] = {}
    while now < schedule.updates:
        if now in schedule.keep:
            kept[now] = _snapshot(weights, now)
        first = now % len(steps)
        if schedule.order is not None:
            epoch = schedule.order[now // len(steps)]
            np.take(x, epoch, axis=-1, out=shuffled, mode="clip")
            np.take(y, epoch, axis=-1, out=shuffled_y, mode="clip")
        count = min(len(steps) - first, schedule.next_stop(now) - now)
        for calls in steps[first : first + count]:
            for call in calls:
                call()
        new = [_loss(error) for error in errors[first : first + count]]
        losses[..., now - start : now - start + count] = np.transpose(new)
        now += count
    if now in schedule.keep:
        kept[now] = _snapshot(weights, now)
    return losses, kept


def _steps(
    weights: Weights,
    data: Sequence[tuple[Features, Features]],
    errors: Sequence[Features],
    rate: np.ndarray | float,
) -> list[Calls]:
    """Return the calls of an update, for each batch."""
    sizes = {error.shape[-1] for error in errors}
    updates = {samples: step.update(weights, rate, samples) for samples in sizes}
    steps = []
    for (x, y), error in zip(data, errors, strict=True):
        samples = error.shape[-1]
        room = weights.room(samples)
        forwards = step.forward(weights, room, x)
        backwards = step.backward(weights, room, x, y, error)
        steps.append([*forwards, *backwards, *updates[samples]])
    return steps


def _batches(schedule: Schedule, y: Features, members: int) -> list[slice]:
    """Return the columns of each batch of an epoch. A full batch is repeated as often as its errors can be kept."""
    outputs, samples = y.shape[-2:]
    if schedule.batch_size is None:
        times = min(_KEPT // (members * outputs * samples), _WRITTEN)
        return [slice(None)] * max(times, 1)
    return [
        slice(start, start + schedule.batch_size)
        for start in range(0, samples, schedule.batch_size)
    ]


def _loss(error: Features) -> np.ndarray | np.floating:
    """Compute the mean of the squares, for each member."""
    if error.ndim == 2:
        return np.vdot(error, error) / error.size
    return np.einsum("...on,...on->...", error, error) / error[0].size


def _snapshot(weights: Weights, updates: int) -> Snapshot:
    return Snapshot(weights.params(-weights.all), State(updates))


def _join(parts: Sequence[Snapshot]) -> Snapshot:
    """Join the members of all parts, one after the other."""
    params = map_params(lambda *arrays: np.concatenate(arrays), *(part.params for part in parts))
    return Snapshot(params, parts[0].state)
