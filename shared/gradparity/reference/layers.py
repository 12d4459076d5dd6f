"""The linear part of each kind of layer, and its adjoints. A convolution's sum over the entries of its kernel."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from ..contract import Activation, Conv, Dense, Network

Array = np.ndarray


@dataclass(frozen=True)
class LinearLayer(ABC):
    """A layer of a network. Each kind of layer is a subclass.

    All arrays may have leading axes, for several networks at once: weights `(…, *weight)`, activations
    `(…, samples, *shape)`.

    Attributes:
        index: the layer's number, from 0.
        activation: the activation that follows the linear part.
        shape_in: the shape of one sample of the inputs.
        shape_out: the shape of one sample of the outputs.
    """

    index: int
    activation: Activation
    shape_in: tuple[int, ...]
    shape_out: tuple[int, ...]

    @property
    @abstractmethod
    def fan_in(self) -> int:
        """The number of products in the sum of one pre-activation."""

    @property
    @abstractmethod
    def fan_out(self) -> int:
        """The largest number of products in the sum that is passed down to one activation below."""

    @property
    def positions(self) -> int:
        """The number of times that a sample uses each weight."""
        return prod(self.shape_out[:-1])

    @abstractmethod
    def affine(self, below: Array, weight: Array) -> Array:
        """Sum the weighted inputs: z without its bias."""

    def spread(self, bias: Array) -> Array:
        """Reshape the bias: add an axis for the samples, and one for each axis of positions."""
        return bias.reshape(*bias.shape[:-1], *[1] * len(self.shape_out), -1)

    @abstractmethod
    def weight_grad(self, below: Array, delta: Array) -> Array:
        """Compute ∂loss/∂W from ∂loss/∂z."""

    def bias_grad(self, delta: Array) -> Array:
        """Compute ∂loss/∂b from ∂loss/∂z."""
        return np.sum(delta, axis=tuple(range(-1 - len(self.shape_out), -1)))

    @abstractmethod
    def passed_down(self, delta: Array, weight: Array) -> Array:
        """Compute ∂loss/∂a of the layer below from ∂loss/∂z."""


@dataclass(frozen=True)
class DenseLayer(LinearLayer):
    """A fully connected layer: a matrix product. An image is flattened first."""

    @property
    def fan_in(self) -> int:
        """The number of inputs of the layer."""
        return prod(self.shape_in)

    @property
    def fan_out(self) -> int:
        """The number of units."""
        return self.shape_out[-1]

    def affine(self, below: Array, weight: Array) -> Array:
        """Multiply the inputs by the weight: a W."""
        return self._flat(below) @ weight

    def weight_grad(self, below: Array, delta: Array) -> Array:
        """Multiply the transposed inputs by δ: aᵀ δ."""
        return np.swapaxes(self._flat(below), -2, -1) @ delta

    def passed_down(self, delta: Array, weight: Array) -> Array:
        """Multiply δ by the transposed weight: δ Wᵀ."""
        flat = delta @ np.swapaxes(weight, -2, -1)
        return flat.reshape(*flat.shape[:-1], *self.shape_in)

    def _flat(self, below: Array) -> Array:
        return below.reshape(*below.shape[: below.ndim - len(self.shape_in)], -1)


@dataclass(frozen=True)
class ConvLayer(LinearLayer):
    """A convolution over images: for each entry of the kernel, a matrix product with the pixels under that entry.

    Attributes:
        kernel: the kernel's height and width.
        stride: the step between positions of the kernel, the same in both directions.
        padding: the number of rows or columns of zeros on each of the four sides.
    """

    kernel: tuple[int, int]
    stride: int
    padding: int

    @property
    def fan_in(self) -> int:
        """The number of inputs under the kernel: all entries, all channels."""
        return prod(self.kernel) * self.shape_in[-1]

    @property
    def fan_out(self) -> int:
        """The number of output channels times the number of kernel entries that may lie on one input."""
        return prod(self.kernel) * self.shape_out[-1]

    def affine(self, below: Array, weight: Array) -> Array:
        """Sum a_ij W_ij over the entries ij of the kernel."""
        return sum(window @ _entry(weight, i, j) for i, j, window in self._windows(below))

    def weight_grad(self, below: Array, delta: Array) -> Array:
        """Compute a_ijᵀ δ for each entry ij of the kernel, summed over samples and positions."""
        sums = [
            np.swapaxes(_rows(window), -2, -1) @ _rows(delta)
            for _, _, window in self._windows(below)
        ]
        stacked = np.stack(sums, axis=-3)
        return stacked.reshape(*stacked.shape[:-3], *self.kernel, *stacked.shape[-2:])

    def passed_down(self, delta: Array, weight: Array) -> Array:
        """Sum δ W_ijᵀ over the entries ij of the kernel. Each term is added to the pixels that lay under its entry."""
        (height, width, channels), p = self.shape_in, self.padding
        products = {
            (i, j): delta @ np.swapaxes(_entry(weight, i, j), -2, -1)
            for i, j in np.ndindex(self.kernel)
        }
        lead = products[0, 0].shape[:-3]
        padded = np.zeros((*lead, height + 2 * p, width + 2 * p, channels), delta.dtype)
        for (i, j), product in products.items():
            padded[self._under(i, j)] += product
        return padded[..., p : p + height, p : p + width, :]

    def _windows(self, below: Array) -> Iterator[tuple[int, int, Array]]:
        """Yield each entry of the kernel, with the pixels under it in all its positions."""
        pad = (self.padding, self.padding)
        padded = np.pad(below, [*[(0, 0)] * (below.ndim - 3), pad, pad, (0, 0)])
        for i, j in np.ndindex(self.kernel):
            yield i, j, padded[self._under(i, j)]

    def _under(self, i: int, j: int) -> tuple[Any, ...]:
        """Return the index of the pixels of the padded image that lie under the kernel's entry."""
        s, (height, width, _) = self.stride, self.shape_out
        return ..., slice(i, i + s * height, s), slice(j, j + s * width, s), slice(None)


def layers_of(network: Network) -> list[LinearLayer]:
    """Return the layers of the network, from the first hidden layer to the output layer."""
    shapes = network.shapes
    return [
        _layer(index, layer, shapes[index], shapes[index + 1])
        for index, layer in enumerate(network.layers)
    ]


def _layer(
    index: int, layer: Dense | Conv, shape_in: tuple[int, ...], shape_out: tuple[int, ...]
) -> LinearLayer:
    match layer:
        case Dense(activation=activation):
            return DenseLayer(index, activation, shape_in, shape_out)
        case Conv(_, kernel, stride, padding, activation):
            return ConvLayer(index, activation, shape_in, shape_out, kernel, stride, padding)


def _entry(weight: Array, i: int, j: int) -> Array:
    """Return the matrix at one entry of the kernel, with two more axes for the positions in an image."""
    return weight[..., i, j, :, :][..., None, None, :, :]


def _rows(array: Array) -> Array:
    """Merge samples and positions into one axis."""
    return array.reshape(*array.shape[:-4], -1, array.shape[-1])
