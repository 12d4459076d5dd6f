"""The same contract, as fast as torch goes on a CPU: for dense networks with the MSE and plain SGD, any activation.

What a step costs in eager mode is not arithmetic but dispatch: some forty operators, their autograd nodes, and the
optimizer's, at a few µs each. So:

- A whole step, gradient and update, is one function (`torch.func.grad_and_value`), compiled to C++ (`torch.compile`),
  and called through a C++ wrapper.
- For tiny networks one call does eight updates: the call itself is then most of what is left.
- Activations are feature-major, `(units, samples)`, and a tiny layer multiplies and sums: the compiler fuses that with
  what comes before and after, where a matrix product is a call.
- Every batch, the ragged last one too, is padded to one size, and masked: one compiled function serves them all.

Compiling takes seconds, so that a single short run is sooner done by the plain implementation. That also does whatever
else a network or a schedule asks for, and everything where there is no C++ compiler.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.func import grad_and_value
from torch.nn import functional

from gradparity.contract import (
    SGD,
    Batch,
    Dense,
    Layer,
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
from .train import train as train_plainly

__all__ = ["forward", "loss_and_grads", "train", "train_ensemble"]

_TINY = 256
"""Entries of a weight up to which its layer multiplies and sums."""

_AT_ONCE = 8
"""Updates that one call does if all layers are tiny. Twice as many take twice as long to compile, and gain little."""

_COMPILED = 4
"""Networks whose compiled functions are kept: torch recompiles one function so many times and no more."""

Weights = list[Tensor]
"""Those of each layer, `(fan_in, units)`, and its bias behind it, if it has one, `(units, 1)`."""

Data = tuple[Tensor, Tensor, Tensor]
"""Samples in columns, their targets, and the mask."""


def speeds_up(network: Network) -> bool:
    """Whether the network is one of those that are computed here."""
    dense = all(isinstance(layer, Dense) for layer in network.layers)
    return dense and network.loss == "mse" and len(network.input_shape) == 1


def loss(network: Network, weights: Weights, x: Tensor, y: Tensor, mask: Tensor) -> Tensor:
    """Σ mask (a - y)² of feature-major samples: with 1 / elements for a sample and 0 for padding, the MSE."""
    a, rest = x, iter(weights)
    for layer in network.layers:
        weight = next(rest)
        tiny = weight.numel() <= _TINY
        z = (weight[:, :, None] * a[:, None, :]).sum(0) if tiny else weight.T @ a
        a = ACTIVATIONS[layer.activation](z + next(rest) if layer.bias else z)
    return (mask * (a - y) ** 2).sum()


def steps(
    network: Network, weights: Weights, batches: Sequence[Data], rate: float
) -> tuple[Weights, Tensor]:
    """An update on each batch in turn: the weights after the last, and the loss before each."""
    value_and_grads = grad_and_value(partial(loss, network))
    losses = []
    for x, y, mask in batches:
        grads, value = value_and_grads(weights, x, y, mask)
        weights = [weight - rate * grad for weight, grad in zip(weights, grads, strict=True)]
        losses.append(value)
    return weights, torch.stack(losses)


_kept: dict[Any, Callable[..., tuple[Weights, Tensor]]] = {}


def compiled(network: Network, rate: float, count: int, like: Data) -> tuple[Any, bool]:
    """`steps` for so many batches of this size, and whether it is still to be compiled, in its first call."""
    key = network, rate, count, like[0].shape, like[0].dtype
    new = key not in _kept
    if new:
        if len(_kept) == _COMPILED:
            torch.compiler.reset()
            _kept.clear()
        _kept[key] = torch.compile(
            partial(steps, network), fullgraph=True, dynamic=False, options={"cpp_wrapper": True}
        )
    return _kept[key], new


def to_weights(params: Params) -> Weights:
    """Private copies."""
    flat = [t for weight, bias in params for t in (weight, None if bias is None else bias[:, None])]
    return [torch.from_numpy(array.copy()) for array in flat if array is not None]


def to_params(network: Network, weights: Weights) -> Params:
    """The way back."""
    rest = (weight.numpy() for weight in weights)
    return tuple(
        Layer(next(rest).copy(), next(rest)[:, 0].copy() if layer.bias else None)
        for layer in network.layers
    )


def loss_and_grads(
    network: Network, params: Params, inputs: Batch, targets: Batch
) -> tuple[float, Params]:
    """The loss on these samples, and its gradient with respect to every parameter: what `train` compiles."""
    if not speeds_up(network):
        return gradients.loss_and_grads(network, params, inputs, targets)
    x, y = (torch.from_numpy(array.T) for array in (inputs, targets))
    mask = torch.full((len(inputs),), 1.0 / targets.size, dtype=y.dtype)
    grads, value = grad_and_value(partial(loss, network))(to_weights(params), x, y, mask)
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
    plain = schedule.optimizer == SGD() and not schedule.weight_decay
    if not (plain and speeds_up(network) and shutil.which(os.environ.get("CXX", "g++"))):
        return train_plainly(network, params, inputs, targets, schedule, state)
    weights, size = to_weights(params), schedule.batch_size or len(inputs)
    x, y = (torch.from_numpy(array) for array in (inputs, targets))
    tiny = all(weight.numel() <= _TINY for weight in weights)
    at_once = _AT_ONCE if tiny else 1
    now = 0 if state is None else state.updates
    losses: list[Tensor] = []
    kept: dict[int, Snapshot] = {}
    seconds = 0.0

    def data(update: int) -> Data:
        """A batch, padded to the size of all, with 1 / elements for each of its samples."""
        rows = schedule.batch(update)
        batch, labels = x[rows], y[rows]
        missing = size - len(batch)
        mask = torch.full((len(batch),), 1.0 / labels.numel(), dtype=y.dtype)
        a, b = (functional.pad(part.T, (0, missing)).contiguous() for part in (batch, labels))
        return a, b, functional.pad(mask, (0, missing))

    full = data(0) if schedule.order is None else None
    while now < schedule.updates:
        if now in schedule.keep:
            kept[now] = Snapshot(to_params(network, weights), State(now))
        stop = min(count for count in (*schedule.keep, schedule.updates) if count > now)
        while now < stop:
            count = at_once if stop - now >= at_once else 1
            batches = [full or data(update) for update in range(now, now + count)]
            step, compiles = compiled(network, schedule.learning_rate, count, batches[0])
            begin = time.perf_counter()
            weights, before = step(weights, batches, schedule.learning_rate)
            seconds += time.perf_counter() - begin if compiles else 0.0
            losses.append(before)
            now += count
    final = Snapshot(to_params(network, weights), State(now))
    if now in schedule.keep:
        kept[now] = final
    outputs = torch.from_numpy(forward(network, final.params, inputs)[-1])
    recorded = torch.cat(losses) if losses else torch.empty(0)
    final_loss = gradients.mse(outputs, y).item()
    return Trajectory(recorded.double().numpy(), final_loss, final, kept, compile_seconds=seconds)
