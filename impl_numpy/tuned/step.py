"""One update, as fast as NumPy goes: for dense networks of sigmoids with the MSE and plain SGD.

A step of the homework's network costs not arithmetic but calls, some 0.3 µs each whatever they compute, and memory
that is asked for. So:

- Nothing is allocated while training: every call writes into an array that is there (`out=`).
- A step is written down once, as a list of calls with their arguments, and from then on only carried out.
- Activations are feature-major, `(units, samples)`, and those of all layers lie in one array: σ' takes two calls for
  all layers together. So do the weights, and an update takes two calls as well.
- Weights are kept transposed and negated: what a layer computes is then -z, as e^-z wants it.
- A bias is one more column of its weight, and what is below it ends with a row of ones: it costs no call of its own.

Of an ensemble, every array has a member axis in front.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import prod
from typing import Any

import numpy as np
from jaxtyping import Float

from gradparity.contract import Batch, Layer, Network, Params

Features = Float[np.ndarray, "... _ _"]
Calls = list[Callable[[], Any]]


CACHE_BYTES = 2**21
"""The memory of the members of an ensemble that are trained at once: it should fit into the processor's cache."""


class Weights:
    """The weights of a network in one array, and their gradient in another.

    Attributes:
        matrices: -Wᵀ of each layer, `(units, fan_in)`, with the bias, negated too, as one more column.
        grads: of each layer, as back-propagation from the errors a - y leaves it.
        factors: what makes of `all_grads` the gradient of the MSE by the weights, but for the number of samples.
    """

    def __init__(self, network: Network, params: Params) -> None:
        first = params[0].weight
        self.shapes = [(weight.shape[-2:], bias is not None) for weight, bias in params]
        size = sum(units * (fan_in + bias) for (fan_in, units), bias in self.shapes)
        self.all, self.all_grads = (
            np.empty((*first.shape[:-2], size), first.dtype) for _ in range(2)
        )
        self.matrices, self.grads = self.split(self.all), self.split(self.all_grads)
        for matrix, (weight, bias) in zip(self.matrices, params, strict=True):
            matrix[..., : weight.shape[-2]] = -weight.mT
            if bias is not None:
                matrix[..., -1] = -bias
        self.factors = np.empty(size, first.dtype)
        # What is passed down by negated weights has the other sign.
        for depth, view in enumerate(reversed(self.split(self.factors))):
            view[:] = (-1) ** depth * 2.0 / network.shapes[-1][0]
        self._room: dict[int, Buffers] = {}

    def split(self, array: np.ndarray) -> list[np.ndarray]:
        """Views of an array, a matrix for each layer."""
        widths = [fan_in + bias for (fan_in, _), bias in self.shapes]
        sizes = [units * width for ((_, units), _), width in zip(self.shapes, widths, strict=True)]
        parts = np.split(array, np.cumsum(sizes)[:-1], axis=-1)
        return [
            part.reshape(*array.shape[:-1], -1, width)
            for part, width in zip(parts, widths, strict=True)
        ]

    def params(self, array: np.ndarray) -> Params:
        """What stands where the weights do, as the contract has it: a copy."""
        return tuple(
            Layer(
                matrix[..., :fan_in].mT.copy(order="C"),
                matrix[..., fan_in].copy() if bias else None,
            )
            for matrix, ((fan_in, _), bias) in zip(self.split(array), self.shapes, strict=True)
        )

    def room(self, samples: int) -> Buffers:
        """Room for a batch of so many samples: the same whenever it is asked for."""
        if samples not in self._room:
            self._room[samples] = Buffers(self, samples)
        return self._room[samples]


class Buffers:
    """Room for a batch of so many samples.

    Attributes:
        a: the activations of all layers, behind each other; a row of ones where a bias is above.
        slopes: σ' of each of them, and then ∂/∂z.
        with_ones: the activations of each layer, and that row.
        outputs: those of each layer alone, `(units, samples)`.
        deltas: their ∂/∂z.
        d_a: their ∂/∂a.
    """

    def __init__(self, weights: Weights, samples: int) -> None:
        units = [matrix.shape[-2] for matrix in weights.matrices]
        widths = [*(matrix.shape[-1] for matrix in weights.matrices[1:]), units[-1]]
        members, dtype = weights.all.shape[:-1], weights.all.dtype
        ends = np.cumsum([prod(members) * width * samples for width in widths])

        def layers(array: np.ndarray) -> list[Features]:
            parts = np.split(array, ends[:-1])
            return [part.reshape(*members, -1, samples) for part in parts]

        self.a = np.ones(ends[-1], dtype)
        self.slopes = np.empty_like(self.a)
        self.with_ones = layers(self.a)
        self.outputs, self.deltas = (
            [layer[..., :n, :] for layer, n in zip(layers(array), units, strict=True)]
            for array in (self.a, self.slopes)
        )
        self.d_a = [np.empty_like(outputs) for outputs in self.outputs]


def product(a: np.ndarray, b: np.ndarray, out: np.ndarray) -> Callable[[], Any]:
    """The matrix product, of each member, by what is quickest."""
    if a.ndim == 2:
        return partial(a.dot, b, out)
    return partial(np.multiply if a.shape[-1] == 1 else np.matmul, a, b, out)


def forward(weights: Weights, room: Buffers, x: Features) -> Calls:
    """The calls that leave the activations of all layers in `room`."""
    one = np.ones((), x.dtype)
    calls = Calls()
    for matrix, a_in, a in zip(weights.matrices, [x, *room.with_ones], room.outputs, strict=False):
        calls += [
            product(matrix, a_in, a),  # -z
            partial(np.exp, a, a),
            partial(np.add, a, one, a),
            partial(np.reciprocal, a, a),  # a = 1 / (1 + e^-z)
        ]
    return calls


def backward(weights: Weights, room: Buffers, x: Features, y: Features, errors: Features) -> Calls:
    """The calls that leave a - y in `errors` and the gradient in `weights.all_grads`, after `forward`."""
    one = np.ones((), x.dtype)
    calls: Calls = [
        partial(np.subtract, room.outputs[-1], y, errors),
        partial(np.subtract, one, room.a, room.slopes),
        partial(np.multiply, room.slopes, room.a, room.slopes),  # σ' = (1 - a) a, of a one 0
        partial(np.multiply, errors, room.deltas[-1], room.deltas[-1]),
    ]
    below = [x, *room.with_ones]
    for at in reversed(range(len(weights.matrices))):
        calls.append(product(room.deltas[at], below[at].mT, weights.grads[at]))
        if at:
            d_a, delta = room.d_a[at - 1], room.deltas[at - 1]
            down = weights.matrices[at][..., : d_a.shape[-2]].mT
            calls += [product(down, room.deltas[at], d_a), partial(np.multiply, d_a, delta, delta)]
    return calls


def update(weights: Weights, rate: np.ndarray | float, samples: int) -> Calls:
    """The calls that move the weights along their gradient; as they are negated, against it is +.

    `rate` is a number, or `(members, 1)`.
    """
    grads = weights.all_grads
    step = (weights.factors * (rate / samples)).astype(grads.dtype)
    return [
        partial(np.multiply, grads, step, grads),
        partial(np.add, weights.all, grads, weights.all),
    ]


def feature_major(params: Params, inputs: Batch) -> Features:
    """The inputs as `(fan_in, samples)`, and a row of ones if there is a bias above them."""
    features = inputs.mT
    ones = np.ones_like(features[..., : int(params[0].bias is not None), :])
    return np.concatenate([features, ones], axis=-2)
