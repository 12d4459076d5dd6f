"""Each layer's forward pass and, right below it, its backward pass.

Shapes are given for one network. In an ensemble every array has a member axis in front, and a bias is one row for each
member, `(members, 1, units)`. Then `@`, `.mT` and the samples' axis, -2, still mean the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from gradparity.contract import Batch, Conv, Dense, Layer

Matrix = Float[np.ndarray, "... fan_in units"]
Kernel = Float[np.ndarray, "... kernel_height kernel_width channels_in channels"]
Bias = Float[np.ndarray, "... units"] | None
Patches = Float[np.ndarray, "... height width kernel_height kernel_width channels_in"]


def dense(layer: Dense | Conv, weight: Matrix, bias: Bias, a: Batch) -> Batch:
    """Compute z = a W + b of a fully connected layer, `(samples, units)`. Images are flattened first."""
    z = flat(a, weight) @ weight  # a W
    return z if bias is None else z + bias  # a W + b


def dense_gradient(layer: Dense | Conv, weight: Matrix, bias: Bias, a: Batch, d_z: Batch) -> Layer:
    """Compute the gradient of the parameters from dL/dz."""
    d_weight = flat(a, weight).mT @ d_z  # dL/dW
    d_bias = None if bias is None else d_z.sum(-2)  # dL/db
    return Layer(d_weight, d_bias)


def dense_backward(layer: Dense | Conv, weight: Matrix, a: Batch, d_z: Batch) -> Batch:
    """Compute dL/da from dL/dz: it is passed back to the layer below."""
    d_a = d_z @ weight.mT  # dL/da
    return d_a.reshape(a.shape)  # as a


def flat(a: Batch, weight: Matrix) -> Batch:
    """Flatten images to rows, `(samples, fan_in)`. Rows stay unchanged."""
    if a.ndim == weight.ndim:
        return a
    return a.reshape(*a.shape[: weight.ndim - 1], -1)  # rows


def convolution(layer: Conv, weight: Kernel, bias: Bias, a: Batch) -> Batch:
    """Compute a dense layer over patches, with a row for each sample and position of the kernel.

    z is `(samples, height, width, channels)`.
    """
    patches = unfold(layer, a)
    z = dense(layer, matrix(weight), bias, rows(patches, weight))  # z
    return z.reshape(*patches.shape[:-3], -1)


def convolution_gradient(layer: Conv, weight: Kernel, bias: Bias, a: Batch, d_z: Batch) -> Layer:
    """Compute the gradient of the dense layer over patches, in the kernel's shape."""
    a_rows = rows(unfold(layer, a), weight)
    d_rows = d_z.reshape(*a_rows.shape[:-1], -1)
    d_matrix, d_bias = dense_gradient(layer, matrix(weight), bias, a_rows, d_rows)  # dL/db
    d_weight = d_matrix.reshape(weight.shape)  # dL/dW
    return Layer(d_weight, d_bias)


def convolution_backward(layer: Conv, weight: Kernel, a: Batch, d_z: Batch) -> Batch:
    """Compute dL/da: add the gradient of each number in a patch at the position from which the number was taken."""
    kernel = matrix(weight)
    d_rows = d_z.reshape(*kernel.shape[:-2], -1, kernel.shape[-1])
    d_patches = d_rows @ kernel.mT  # dL/dpatches
    return fold(layer, d_patches.reshape(*d_z.shape[:-1], *weight.shape[-4:-1]), a)


def matrix(weight: Kernel) -> Matrix:
    """Reshape the kernel to a dense layer's weight, `(fan_in, channels)`."""
    return weight.reshape(*weight.shape[:-4], -1, weight.shape[-1])  # W


def rows(patches: Patches, weight: Kernel) -> Batch:
    """Reshape the patches to rows, `(samples · height · width, fan_in)`."""
    return patches.reshape(*weight.shape[:-4], -1, math.prod(weight.shape[-4:-1]))


def unfold(layer: Conv, a: Batch) -> Patches:
    """Return the patch of the padded image under each position of the kernel."""
    pad = (layer.padding, layer.padding)
    padded = np.pad(a, [*[(0, 0)] * (a.ndim - 3), pad, pad, (0, 0)])  # padded
    patches = np.lib.stride_tricks.sliding_window_view(padded, layer.kernel, axis=(-3, -2))
    patches = patches[..., :: layer.stride, :: layer.stride, :, :, :]  # strides
    return np.moveaxis(patches, -3, -1)  # channels last, as in the kernel


def fold(layer: Conv, d_patches: Patches, a: Batch) -> Batch:
    """Compute the adjoint of `unfold`: add each number in a patch at the position from which `unfold` takes it."""
    p, s = layer.padding, layer.stride
    height, width = a.shape[-3:-1]
    down, right = s * d_patches.shape[-5], s * d_patches.shape[-4]
    d_a = np.zeros((*a.shape[:-3], height + 2 * p, width + 2 * p, a.shape[-1]), a.dtype)
    for i, j in np.ndindex(layer.kernel):
        d_a[..., i : i + down : s, j : j + right : s, :] += d_patches[..., i, j, :]  # dL/da
    return d_a[..., p : p + height, p : p + width, :]  # without the padding


class Functions(NamedTuple):
    """A layer's z, its parameters' gradient from dL/dz, and dL/da of the layer below from dL/dz."""

    forward: Callable[..., Batch]
    gradient: Callable[..., Layer]
    backward: Callable[..., Batch]


LAYERS = {
    Dense: Functions(dense, dense_gradient, dense_backward),
    Conv: Functions(convolution, convolution_gradient, convolution_backward),
}
