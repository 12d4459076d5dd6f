"""The forward pass."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from gradparity.contract import LEAK, Batch, Conv, Dense, Network, Params

Rows = Float[np.ndarray, "... rows fan_in"]


def sigmoid(z: Batch) -> Batch:
    """1 / (1 + e^-z), elementwise."""
    with np.errstate(
        over="ignore"
    ):  # where e^-z overflows, σ is below the normal numbers: 0 will do
        return 1.0 / (1.0 + np.exp(-z))


ACTIVATIONS: dict[str, Callable[[Batch], Batch]] = {
    "sigmoid": sigmoid,
    "identity": lambda z: z,
    "relu": lambda z: np.maximum(z, 0.0),
    "tanh": np.tanh,
    "leaky_relu": lambda z: np.where(z > 0.0, z, LEAK * z),
}


def unfold(layer: Dense | Conv, shape: tuple[int, ...], a: Batch) -> Rows:
    """The rows that a layer multiplies by its weight matrix; a sample has the shape `shape`.

    A convolution is a dense layer over patches: one row for each sample and place of the kernel.
    """
    lead = a.shape[: a.ndim - len(shape)]  # samples; in an ensemble, members and samples
    if isinstance(layer, Dense):
        return a.reshape(*lead, -1)
    pad = (layer.padding, layer.padding)
    padded = np.pad(a, [*[(0, 0)] * len(lead), pad, pad, (0, 0)])
    patches = np.lib.stride_tricks.sliding_window_view(padded, layer.kernel, axis=(-3, -2))
    patches = patches[..., :: layer.stride, :: layer.stride, :, :, :]
    patches = np.moveaxis(patches, -3, -1)  # the channels last, as the weight has them
    return patches.reshape(*lead[:-1], -1, np.prod(patches.shape[-3:]))


def matrix(
    layer: Dense | Conv, weight: Float[np.ndarray, "... fan_out"]
) -> Float[np.ndarray, "... fan_in fan_out"]:
    """The weight as a matrix, `(fan_in, fan_out)`."""
    if isinstance(layer, Dense):
        return weight
    return weight.reshape(*weight.shape[:-4], -1, layer.channels)


def forward(network: Network, params: Params, inputs: Batch) -> list[Batch]:
    """The activations of every layer, first hidden layer first, outputs last: `(samples, units)` each.

    Those of a convolution are `(samples, height, width, channels)`.
    """
    activations = []
    a = inputs
    shapes = network.shapes
    for layer, (weight, bias), shape_in, shape_out in zip(
        network.layers, params, shapes[:-1], shapes[1:], strict=True
    ):
        z = unfold(layer, shape_in, a) @ matrix(layer, weight)
        if bias is not None:
            z = z + bias[..., None, :]
        a = ACTIVATIONS[layer.activation](z).reshape(*z.shape[:-2], -1, *shape_out)
        activations.append(a)
    return activations
