"""Each layer's forward pass, as a pure function of its parameters and of the layer below."""

from __future__ import annotations

from collections.abc import Callable

from jax import Array, lax

from gradparity.contract import Conv, Dense


def dense(layer: Dense, weight: Array, bias: Array | None, a: Array) -> Array:
    """Compute z = a W + b of a fully connected layer, `(samples, units)`.

    Images are flattened first, in the order (height, width, channel).
    """
    z = a.reshape(len(a), -1) @ weight  # a W
    return z if bias is None else z + bias  # a W + b


def convolution(layer: Conv, weight: Array, bias: Array | None, a: Array) -> Array:
    """Compute z = a ∗ W + b of a convolution over images, `(samples, height, width, channels)`."""
    pad = (layer.padding, layer.padding)
    z = lax.conv_general_dilated(
        a,
        weight,
        window_strides=(layer.stride, layer.stride),
        padding=(pad, pad),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),  # the layout of the contract
    )
    return z if bias is None else z + bias  # z


LAYERS: dict[type, Callable[..., Array]] = {Dense: dense, Conv: convolution}
