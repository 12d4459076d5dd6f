"""A few updates in one call, as fast as torch can be on a CPU: for dense networks with the MSE and plain SGD.

In eager mode the arithmetic of a step costs little. The time goes into dispatch: about forty operators, their autograd
nodes and the optimizer's operators, at a few µs each. So:

- A whole step, gradient and update, is one function (`torch.func.grad_and_value`), compiled to C++ (`torch.compile`),
  and called through a C++ wrapper.
- For tiny networks one call does several updates, because the call itself then takes most of the remaining time.
- Activations are feature-major, `(units, samples)`, and a tiny layer multiplies and sums: the compiler fuses this with
  the operations before and after, whereas a matrix product is a call.
- Every batch, including the ragged last one, is padded to one size and masked: one compiled function serves them all.

In an ensemble, every tensor has a member axis in front: the compiled loops go over the members, too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.func import grad_and_value
from torch.nn import functional

from gradparity.contract import Layer, Network, Params, Schedule

from ..activations import ACTIVATIONS

_TINY = 256
"""The largest number of entries of a weight whose layer multiplies and sums."""

LAYERS_PER_CALL = 24
"""Tiny layers in one compiled call, over all its updates. Twice as many double the compile time, and gain little."""

_MANY = 64
"""With this many members, one update is enough work for a call, and it compiles faster than several updates."""

_COMPILED = 4
"""The number of compiled functions that are kept: torch limits how often it recompiles one function."""

Weights = list[Tensor]
"""Each layer's weight, `(fan_in, units)`, followed by its bias, `(units, 1)`, if it has one."""

Data = tuple[Tensor, Tensor, Tensor]
"""The samples in columns, their targets, and the mask."""


def is_tiny(weight: Tensor) -> bool:
    """Return True if this weight or bias belongs to a layer that multiplies and sums."""
    return weight.shape[-2] * weight.shape[-1] <= _TINY


def loss(network: Network, weights: Weights, x: Tensor, y: Tensor, mask: Tensor) -> Tensor:
    """Compute Σ mask (a - y)² for each member: the MSE, as the mask is 1 / elements for a sample and 0 for padding."""
    a, rest = x, iter(weights)
    for layer in network.layers:
        weight = next(rest)
        tiny = is_tiny(weight)
        z = (weight[..., None] * a[..., :, None, :]).sum(-3) if tiny else weight.mT @ a
        a = ACTIVATIONS[layer.activation](z + next(rest) if layer.bias else z)
    return (mask * (a - y) ** 2).sum((-2, -1))


def value_and_grads(network: Network, weights: Weights, *data: Tensor) -> tuple[Tensor, Weights]:
    """Compute each member's loss, and the gradients of their sum: a member's loss depends only on its own weights."""

    def total(weights: Weights) -> tuple[Tensor, Tensor]:
        value = loss(network, weights, *data)
        return value.sum(), value

    grads, (_, value) = grad_and_value(total, has_aux=True)(weights)
    return value, grads


def steps(
    network: Network, weights: Weights, batches: Sequence[Data], rate: Tensor | float
) -> tuple[Weights, Tensor]:
    """Update on each batch in turn. Return the weights after the last, and the losses before each, `(batches, …)`."""
    losses = []
    for batch in batches:
        value, grads = value_and_grads(network, weights, *batch)
        weights = [weight - rate * grad for weight, grad in zip(weights, grads, strict=True)]
        losses.append(value)
    return weights, torch.stack(losses)


_kept: dict[Any, Callable[..., tuple[Weights, Tensor]]] = {}


def compiled(
    network: Network, weights: Weights, like: Data, rate: Tensor | float, count: int
) -> tuple[Any, bool]:
    """Return `steps`, compiled for `count` batches of the size of `like`, and True if its first call will compile."""
    given = rate if isinstance(rate, float) else rate.shape
    key = network, weights[0].shape, like[0].shape, like[0].dtype, given, count
    new = key not in _kept
    if new:
        if len(_kept) == _COMPILED:
            torch.compiler.reset()
            _kept.clear()
        _kept[key] = torch.compile(
            partial(steps, network), fullgraph=True, dynamic=False, options={"cpp_wrapper": True}
        )
    return _kept[key], new


def at_once(network: Network, weights: Weights) -> int:
    """Return the number of updates in one call."""
    few = weights[0][..., 0, 0].numel() < _MANY
    layers = len(network.layers)
    return max(LAYERS_PER_CALL // layers, 1) if few and all(map(is_tiny, weights)) else 1


def batch_of(x: Tensor, y: Tensor, schedule: Schedule, update: int) -> Data:
    """Return a batch, padded to the common size, with 1 / elements for each of its samples."""
    rows = schedule.batch(update)
    batch, labels = x[..., rows, :], y[..., rows, :]
    samples, size = batch.shape[-2], schedule.batch_size or batch.shape[-2]
    mask = torch.full((samples,), 1.0 / (samples * labels.shape[-1]), dtype=y.dtype)
    padding = 0, size - samples
    a, b = (functional.pad(part.mT, padding).contiguous() for part in (batch, labels))
    return a, b, functional.pad(mask, padding)


def to_weights(params: Params) -> Weights:
    """Copy the params to torch's tensors."""
    # Not `bias[..., None]`: torch compiles anew for an axis of another stride, which that has before the first step.
    columns = [None if bias is None else bias.reshape(*bias.shape, 1) for _, bias in params]
    flat = [t for (weight, _), bias in zip(params, columns, strict=True) for t in (weight, bias)]
    return [torch.tensor(array) for array in flat if array is not None]


def to_params(network: Network, weights: Weights) -> Params:
    """Copy the weights back to the contract's params."""
    rest = (weight.numpy(force=True) for weight in weights)
    return tuple(
        Layer(next(rest).copy(), next(rest)[..., 0].copy() if layer.bias else None)
        for layer in network.layers
    )
