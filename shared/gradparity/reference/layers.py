"""The linear part of each layer, and its adjoints, written as sums over the kernel's places."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from ..contract import Conv, Dense, Network

Array = np.ndarray


@dataclass(frozen=True)
class Place:
    """A layer in its network: which it is, and the shapes of a sample before and after it.

    All arrays may have leading axes, for several networks at once: weights `(…, *weight)`, activations
    `(…, samples, *shape)`.
    """

    index: int
    layer: Dense | Conv
    shape_in: tuple[int, ...]
    shape_out: tuple[int, ...]

    @property
    def fan_in(self) -> int:
        """Products in the sum of one pre-activation."""
        if isinstance(self.layer, Conv):
            return prod(self.layer.kernel) * self.shape_in[-1]
        return prod(self.shape_in)

    @property
    def fan_out(self) -> int:
        """The most products in the sum of what is passed down to one activation below."""
        if isinstance(self.layer, Conv):
            return prod(self.layer.kernel) * self.layer.channels
        return self.layer.units

    @property
    def positions(self) -> int:
        """How often a sample uses each weight."""
        return prod(self.shape_out[:-1])

    def affine(self, below: Array, weight: Array) -> Array:
        """The sum of weighted inputs: z without its bias."""
        if isinstance(self.layer, Dense):
            return self._flat(below) @ weight
        return sum(
            window @ weight[..., i, j, :, :][..., None, None, :, :]
            for i, j, window in self._windows(below)
        )

    def spread(self, bias: Array) -> Array:
        """The bias, with an axis for the samples and for each place."""
        return bias.reshape(*bias.shape[:-1], *[1] * len(self.shape_out), -1)

    def weight_grad(self, below: Array, delta: Array) -> Array:
        """∂loss/∂W, given ∂loss/∂z."""
        if isinstance(self.layer, Dense):
            return np.swapaxes(self._flat(below), -2, -1) @ delta
        sums = [
            np.swapaxes(_rows(window), -2, -1) @ _rows(delta)
            for _, _, window in self._windows(below)
        ]
        stacked = np.stack(sums, axis=-3)
        return stacked.reshape(*stacked.shape[:-3], *self.layer.kernel, *stacked.shape[-2:])

    def bias_grad(self, delta: Array) -> Array:
        """∂loss/∂b, given ∂loss/∂z."""
        return np.sum(delta, axis=tuple(range(-1 - len(self.shape_out), -1)))

    def passed_down(self, delta: Array, weight: Array) -> Array:
        """∂loss/∂a of the layer below, given ∂loss/∂z."""
        if isinstance(self.layer, Dense):
            flat = delta @ np.swapaxes(weight, -2, -1)
            return flat.reshape(*flat.shape[:-1], *self.shape_in)
        (height, width, channels), p = self.shape_in, self.layer.padding
        products = {
            (i, j): delta @ np.swapaxes(weight[..., i, j, :, :][..., None, None, :, :], -2, -1)
            for i, j in np.ndindex(self.layer.kernel)
        }
        lead = products[0, 0].shape[:-3]
        padded = np.zeros((*lead, height + 2 * p, width + 2 * p, channels), delta.dtype)
        for (i, j), product in products.items():
            padded[self._place(i, j)] += product
        return padded[..., p : p + height, p : p + width, :]

    def _flat(self, below: Array) -> Array:
        return below.reshape(*below.shape[: below.ndim - len(self.shape_in)], -1)

    def _windows(self, below: Array) -> Iterator[tuple[int, int, Array]]:
        """For each place of the kernel, what it lies on."""
        assert isinstance(self.layer, Conv)
        pad = (self.layer.padding, self.layer.padding)
        padded = np.pad(below, [*[(0, 0)] * (below.ndim - 3), pad, pad, (0, 0)])
        for i, j in np.ndindex(self.layer.kernel):
            yield i, j, padded[self._place(i, j)]

    def _place(self, i: int, j: int) -> tuple[Any, ...]:
        assert isinstance(self.layer, Conv)
        s, (height, width, _) = self.layer.stride, self.shape_out
        return ..., slice(i, i + s * height, s), slice(j, j + s * width, s), slice(None)


def places(network: Network) -> list[Place]:
    """Every layer in its place."""
    shapes = network.shapes
    return [
        Place(index, layer, shapes[index], shapes[index + 1])
        for index, layer in enumerate(network.layers)
    ]


def _rows(array: Array) -> Array:
    """Samples and places in one axis."""
    return array.reshape(*array.shape[:-4], -1, array.shape[-1])
