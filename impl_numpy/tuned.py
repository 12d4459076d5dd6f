"""The same contract, as fast as NumPy goes: for dense networks of sigmoids with the MSE and plain SGD.

A step of the homework's network costs not arithmetic but calls, some 0.3 µs each whatever they compute, and memory
that is asked for. So:

- Nothing is allocated while training: every call writes into an array that is there (`out=`).
- A step is written down once, as a list of calls with their arguments, and from then on only carried out.
- Activations are feature-major, `(units, samples)`, and those of all layers lie in one array: σ' takes two calls for
  all layers together. So do the weights, and an update takes two calls as well.
- Weights are kept transposed and negated: what a layer computes is then -z, as e^-z wants it.
- A bias is one more column of its weight, and what is below it ends with a row of ones: it costs no call of its own.
- The errors of many steps are kept, and their losses taken together.

Whatever else a network or a schedule asks for is done by the plain implementation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
from jaxtyping import Float

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
from .model import forward
from .train import train as train_plainly

__all__ = ["forward", "loss_and_grads", "train", "train_ensemble"]

Features = Float[np.ndarray, "_ _"]
Calls = list[Callable[[], Any]]

_KEPT = 2**13
"""Errors that are kept before their losses are taken."""


def speeds_up(network: Network) -> bool:
    """Whether the network is one of those that are computed here."""
    layers = network.layers
    sigmoids = all(isinstance(one, Dense) and one.activation == "sigmoid" for one in layers)
    return sigmoids and network.loss == "mse" and len(network.input_shape) == 1


class Weights:
    """The weights of a network in one array, and their gradient in another.

    Attributes:
        matrices: -Wᵀ of each layer, `(units, fan_in)`, with the bias, negated too, as one more column.
        grads: of each layer, as back-propagation from the errors a - y leaves it.
        factors: what makes of `all_grads` the gradient of the MSE by the weights, but for the number of samples.
    """

    def __init__(self, network: Network, params: Params) -> None:
        self.shapes = [(weight.shape, bias is not None) for weight, bias in params]
        sizes = [units * (fan_in + bias) for (fan_in, units), bias in self.shapes]
        dtype = params[0].weight.dtype
        self.all, self.all_grads, self.factors = (np.empty(sum(sizes), dtype) for _ in range(3))
        self.matrices, self.grads = self.split(self.all), self.split(self.all_grads)
        for matrix, (weight, bias) in zip(self.matrices, params, strict=True):
            matrix[:, : len(weight)] = -weight.T
            if bias is not None:
                matrix[:, -1] = -bias
        # What is passed down by negated weights has the other sign.
        for depth, view in enumerate(reversed(self.split(self.factors))):
            view[:] = (-1) ** depth * 2.0 / network.shapes[-1][0]

    def split(self, array: np.ndarray) -> list[np.ndarray]:
        """Views of an array, a matrix for each layer."""
        widths = [fan_in + bias for (fan_in, _), bias in self.shapes]
        sizes = [units * width for ((_, units), _), width in zip(self.shapes, widths, strict=True)]
        parts = np.split(array, np.cumsum(sizes)[:-1])
        return [part.reshape(-1, width) for part, width in zip(parts, widths, strict=True)]

    def params(self, array: np.ndarray) -> Params:
        """What stands where the weights do, as the contract has it: a copy."""
        return tuple(
            Layer(matrix[:, :fan_in].T.copy(order="C"), matrix[:, fan_in].copy() if bias else None)
            for matrix, ((fan_in, _), bias) in zip(self.split(array), self.shapes, strict=True)
        )


class Buffers:
    """Room for a batch of so many samples.

    Attributes:
        a: the activations of all layers, below each other; a row of ones where a bias is above.
        slopes: σ' of each of them, and then ∂/∂z.
        d_a: ∂/∂a of one layer.
    """

    def __init__(self, weights: Weights, samples: int) -> None:
        units = [len(matrix) for matrix in weights.matrices]
        widths = [*(matrix.shape[1] for matrix in weights.matrices[1:]), units[-1]]
        dtype = weights.all.dtype
        self.a = np.ones((sum(widths), samples), dtype)
        self.slopes = np.empty_like(self.a)
        self.d_a = [np.empty((n, samples), dtype) for n in units]
        ends = [0, *np.cumsum(widths)]
        self.with_ones = [self.a[start:end] for start, end in pairwise(ends)]
        self.outputs = [self.a[start : start + n] for start, n in zip(ends, units, strict=False)]
        self.deltas = [
            self.slopes[start : start + n] for start, n in zip(ends, units, strict=False)
        ]


def backpropagation(
    weights: Weights, room: Buffers, x: Features, y: Features, errors: Features
) -> Calls:
    """The calls that leave a - y in `errors` and the gradient in `weights.all_grads`."""
    one = np.ones((), x.dtype)
    below, calls = [x, *room.with_ones], Calls()
    for matrix, a_in, a in zip(weights.matrices, below, room.outputs, strict=False):
        calls += [
            partial(matrix.dot, a_in, a),  # -z
            partial(np.exp, a, a),
            partial(np.add, a, one, a),
            partial(np.reciprocal, a, a),  # a = 1 / (1 + e^-z)
        ]
    calls += [
        partial(np.subtract, room.outputs[-1], y, errors),
        partial(np.subtract, one, room.a, room.slopes),
        partial(np.multiply, room.slopes, room.a, room.slopes),  # σ' = (1 - a) a, of a one 0
        partial(np.multiply, errors, room.deltas[-1], room.deltas[-1]),
    ]
    for at in reversed(range(len(weights.matrices))):
        calls.append(partial(room.deltas[at].dot, below[at].T, weights.grads[at]))
        if at:
            d_a, delta = room.d_a[at - 1], room.deltas[at - 1]
            down = weights.matrices[at][:, : len(d_a)].T
            calls += [
                partial(down.dot, room.deltas[at], d_a),
                partial(np.multiply, d_a, delta, delta),
            ]
    return calls


def update(weights: Weights, learning_rate: float, samples: int) -> Calls:
    """The calls that move the weights along their gradient; as they are negated, against it is +."""
    grads, step = weights.all_grads, weights.factors * (learning_rate / samples)
    return [
        partial(np.multiply, grads, step, grads),
        partial(np.add, weights.all, grads, weights.all),
    ]


def feature_major(params: Params, inputs: Batch) -> Features:
    """The inputs as `(fan_in, samples)`, and a row of ones if there is a bias above them."""
    ones = np.ones((int(params[0].bias is not None), len(inputs)), inputs.dtype)
    return np.concatenate([inputs.T, ones])


def loss_and_grads(
    network: Network, params: Params, inputs: Batch, targets: Batch
) -> tuple[float, Params]:
    """The loss on these samples, and its gradient with respect to every parameter."""
    if not speeds_up(network):
        return gradients.loss_and_grads(network, params, inputs, targets)
    weights, errors = Weights(network, params), np.empty(targets.T.shape, targets.dtype)
    room, x = Buffers(weights, len(inputs)), feature_major(params, inputs)
    with np.errstate(over="ignore"):  # where e^-z does, σ is 0
        for call in backpropagation(weights, room, x, targets.T, errors):
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
    if not speeds_up(network) or schedule.optimizer != SGD() or schedule.weight_decay:
        return train_plainly(network, params, inputs, targets, schedule, state)
    weights = Weights(network, params)
    x, y = feature_major(params, inputs), np.ascontiguousarray(targets.T)
    batches, errors = _batches(schedule, y)
    shuffled = x if schedule.order is None else np.empty_like(x)
    shuffled_y = y if schedule.order is None else np.empty_like(y)
    room = {size: Buffers(weights, size) for size in {e.shape[1] for e in errors}}
    steps = [
        [
            *backpropagation(weights, room[e.shape[1]], shuffled[:, rows], shuffled_y[:, rows], e),
            *update(weights, schedule.learning_rate, e.shape[1]),
        ]
        for rows, e in zip(batches, errors, strict=True)
    ]
    start = now = 0 if state is None else state.updates
    losses = np.empty(max(schedule.updates - start, 0))
    kept: dict[int, Snapshot] = {}

    def snapshot() -> Snapshot:
        return Snapshot(weights.params(-weights.all), State(now))

    stops = sorted({*schedule.keep, schedule.updates})
    with np.errstate(over="ignore"):
        while now < schedule.updates:
            if now in schedule.keep:
                kept[now] = snapshot()
            first = now % len(steps)
            if schedule.order is not None:
                epoch = schedule.order[now // len(steps)]
                np.take(x, epoch, axis=1, out=shuffled, mode="clip")
                np.take(y, epoch, axis=1, out=shuffled_y, mode="clip")
            count = min(len(steps) - first, next(stop for stop in stops if stop > now) - now)
            for step in steps[first : first + count]:
                for call in step:
                    call()
            losses[now - start : now - start + count] = _losses(errors[first : first + count])
            now += count
        final = snapshot()
    if now in schedule.keep:
        kept[now] = final
    outputs = forward(network, final.params, inputs)[-1]
    return Trajectory(losses, float(gradients.mse(outputs, targets)), final, kept)


def _batches(schedule: Schedule, y: Features) -> tuple[list[slice], list[Features]]:
    """The columns of each batch of an epoch, and room for its errors; of the full batch many times."""
    outputs, samples = y.shape
    if schedule.batch_size is None:
        times = max(_KEPT // y.size, 1)
        return [slice(None)] * times, list(np.empty((times, outputs, samples), y.dtype))
    starts = range(0, samples, schedule.batch_size)
    batches = [slice(start, start + schedule.batch_size) for start in starts]
    return batches, [np.empty((outputs, len(y[0, rows])), y.dtype) for rows in batches]


def _losses(errors: Sequence[Features]) -> list[np.floating]:
    return [np.vdot(one, one) / one.size for one in errors]
