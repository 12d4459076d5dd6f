"""One update, as fast as NumPy can be: for dense networks of sigmoids with the MSE and plain SGD.

In a step of a tiny network the arithmetic costs little. The time goes into calls, about 0.3 µs each whatever they
compute, and into allocating memory. So:

- Nothing is allocated while training: every call writes into an existing array (`out=`).
- A step is planned once, as a list of calls with their arguments. After that the list is only carried out.
- Activations are feature-major, `(units, samples)`, and those of all layers lie in one array: σ' takes two calls for
  all layers together. The weights lie in one array, too, and an update also takes two calls.
- Weights are kept transposed and negated: a layer then computes -z, which e^-z needs.
- A bias is one more column of its weight, and the layer's input ends with a row of ones: it costs no extra call.

In an ensemble, every array has a member axis in front.
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
"""Bytes for the members of an ensemble that are trained at once: they should fit into the processor's cache."""


class Weights:
    """The weights of a network in one array, and their gradient in another.

    Attributes:
        matrices: -Wᵀ of each layer, `(units, fan_in)`, with the bias, also negated, as one more column.
        grads: each layer's gradient, as back-propagation from the errors a - y gives it.
        factors: the factors that turn `all_grads` into the gradient of the MSE, except for the number of samples.
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
        # Negated weights pass down the gradient with the other sign.
        for depth, view in enumerate(reversed(self.split(self.factors))):
            view[:] = (-1) ** depth * 2.0 / network.shapes[-1][0]
        self._room: dict[int, Buffers] = {}

    def split(self, array: np.ndarray) -> list[np.ndarray]:
        """Split an array into views, a matrix for each layer."""
        widths = [fan_in + bias for (fan_in, _), bias in self.shapes]
        sizes = [units * width for ((_, units), _), width in zip(self.shapes, widths, strict=True)]
        parts = np.split(array, np.cumsum(sizes)[:-1], axis=-1)
        return [
            part.reshape(*array.shape[:-1], -1, width)
            for part, width in zip(parts, widths, strict=True)
        ]

    def params(self, array: np.ndarray) -> Params:
        """Copy an array that is laid out like the weights into the contract's layout."""
        return tuple(
            Layer(
                matrix[..., :fan_in].mT.copy(order="C"),
                matrix[..., fan_in].copy() if bias else None,
            )
            for matrix, ((fan_in, _), bias) in zip(self.split(array), self.shapes, strict=True)
        )

    def room(self, samples: int) -> Buffers:
        """Return the buffers for a batch of this many samples. They are made once for each size."""
        if samples not in self._room:
            self._room[samples] = Buffers(self, samples)
        return self._room[samples]


class Buffers:
    """Buffers for a batch of this many samples.

    Attributes:
        a: the activations of all layers, one after the other, with a row of ones below each layer that has a bias.
        slopes: σ' of each activation, which ∂/∂z then replaces.
        with_ones: views of each layer's activations with the row of ones.
        outputs: views of each layer's activations alone, `(units, samples)`.
        deltas: views of each layer's ∂/∂z.
        d_a: each layer's ∂/∂a.
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
    """Return the call of the matrix product, for each member, that is fastest."""
    if a.ndim == 2:
        return partial(a.dot, b, out)
    return partial(np.multiply if a.shape[-1] == 1 else np.matmul, a, b, out)


def forward(weights: Weights, room: Buffers, x: Features) -> Calls:
    """Return the calls that leave the activations of all layers in `room`."""
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
    """Return the calls that, after `forward`, leave a - y in `errors` and the gradient in `weights.all_grads`."""
    one = np.ones((), x.dtype)
    calls: Calls = [
        partial(np.subtract, room.outputs[-1], y, errors),
        partial(np.subtract, one, room.a, room.slopes),
        partial(np.multiply, room.slopes, room.a, room.slopes),  # σ' = (1 - a) a; ones give 0
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
    """Return the calls that update the weights. The weights are negated, so the step is added, not subtracted.

    `rate` is a number, or `(members, 1)`.
    """
    grads = weights.all_grads
    step = (weights.factors * (rate / samples)).astype(grads.dtype)
    return [
        partial(np.multiply, grads, step, grads),
        partial(np.add, weights.all, grads, weights.all),
    ]


def feature_major(params: Params, inputs: Batch) -> Features:
    """Transpose the inputs to `(fan_in, samples)`, and add a row of ones if the first layer has a bias."""
    features = inputs.mT
    ones = np.ones_like(features[..., : int(params[0].bias is not None), :])
    return np.concatenate([features, ones], axis=-2)
