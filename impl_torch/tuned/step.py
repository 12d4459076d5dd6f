"""A few updates in one call, as fast as torch goes on a CPU: for dense networks with the MSE and plain SGD.

What a step costs in eager mode is not arithmetic but dispatch: some forty operators, their autograd nodes, and the
optimizer's, at a few µs each. So:

- A whole step, gradient and update, is one function (`torch.func.grad_and_value`), compiled to C++ (`torch.compile`),
  and called through a C++ wrapper.
- For tiny networks one call does several updates: the call itself is then most of what is left.
- Activations are feature-major, `(units, samples)`, and a tiny layer multiplies and sums: the compiler fuses that with
  what comes before and after, where a matrix product is a call.
- Every batch, the ragged last one too, is padded to one size, and masked: one compiled function serves them all.

Of an ensemble, every tensor has a member axis in front: the compiled loops go over the members, too.
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
"""Entries of a weight up to which its layer multiplies and sums."""

LAYERS_PER_CALL = 24
"""Tiny layers in one compiled call, over all its updates. Twice as many compile twice as long, and gain little."""

_MANY = 64
"""With this many members, one update is enough work for a call, and compiles faster than several."""

_COMPILED = 4
"""Compiled functions that are kept: torch recompiles one function only so many times."""

Weights = list[Tensor]
"""Each layer's weight, `(fan_in, units)`, followed by its bias, if it has one, `(units, 1)`."""

Data = tuple[Tensor, Tensor, Tensor]
"""Samples in columns, their targets, and the mask."""


def is_tiny(weight: Tensor) -> bool:
    """Ask whether this weight or bias belongs to a layer that multiplies and sums."""
    return weight.shape[-2] * weight.shape[-1] <= _TINY


def loss(network: Network, weights: Weights, x: Tensor, y: Tensor, mask: Tensor) -> Tensor:
    """Σ mask (a - y)² of each member: with 1 / elements for a sample and 0 for padding, the MSE."""
    a, rest = x, iter(weights)
    for layer in network.layers:
        weight = next(rest)
        tiny = is_tiny(weight)
        z = (weight[..., None] * a[..., :, None, :]).sum(-3) if tiny else weight.mT @ a
        a = ACTIVATIONS[layer.activation](z + next(rest) if layer.bias else z)
    return (mask * (a - y) ** 2).sum((-2, -1))


def value_and_grads(network: Network, weights: Weights, *data: Tensor) -> tuple[Tensor, Weights]:
    """The loss of each member, and the gradients of the sum: each member's loss depends on its own weights alone."""

    def total(weights: Weights) -> tuple[Tensor, Tensor]:
        value = loss(network, weights, *data)
        return value.sum(), value

    grads, (_, value) = grad_and_value(total, has_aux=True)(weights)
    return value, grads


def steps(
    network: Network, weights: Weights, batches: Sequence[Data], rate: Tensor | float
) -> tuple[Weights, Tensor]:
    """An update on each batch in turn: the weights after the last, and the losses before each, `(batches, …)`."""
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
    """`steps`, compiled for `count` batches of the size of `like`; and True if its first call is still to compile."""
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
    """The number of updates in one call."""
    few = weights[0][..., 0, 0].numel() < _MANY
    layers = len(network.layers)
    return max(LAYERS_PER_CALL // layers, 1) if few and all(map(is_tiny, weights)) else 1


def batch_of(x: Tensor, y: Tensor, schedule: Schedule, update: int) -> Data:
    """A batch, padded to the size of all, with 1 / elements for each of its samples."""
    rows = schedule.batch(update)
    batch, labels = x[..., rows, :], y[..., rows, :]
    samples, size = batch.shape[-2], schedule.batch_size or batch.shape[-2]
    mask = torch.full((samples,), 1.0 / (samples * labels.shape[-1]), dtype=y.dtype)
    padding = 0, size - samples
    a, b = (functional.pad(part.mT, padding).contiguous() for part in (batch, labels))
    return a, b, functional.pad(mask, padding)


def to_weights(params: Params) -> Weights:
    """Private copies."""
    # Not `bias[..., None]`: torch compiles anew for an axis of another stride, which that has before the first step.
    columns = [None if bias is None else bias.reshape(*bias.shape, 1) for _, bias in params]
    flat = [t for (weight, _), bias in zip(params, columns, strict=True) for t in (weight, bias)]
    return [torch.tensor(array) for array in flat if array is not None]


def to_params(network: Network, weights: Weights) -> Params:
    """The way back."""
    rest = (weight.numpy(force=True) for weight in weights)
    return tuple(
        Layer(next(rest).copy(), next(rest)[..., 0].copy() if layer.bias else None)
        for layer in network.layers
    )
