"""The forward pass."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from gradparity.contract import LEAK, Batch, Conv, Network, Params

# JAX turns float64 into float32 unless told otherwise; here each experiment states its dtype.
jax.config.update("jax_enable_x64", True)


def leaky_relu(z: Array) -> Array:
    """z, or `LEAK` z where z ≤ 0."""
    # jax.nn.leaky_relu has the derivative 1 at the kink; torch, and so the convention, has that of the left side.
    return jnp.where(z > 0, z, LEAK * z)


ACTIVATIONS = {
    "sigmoid": jax.nn.sigmoid,
    "identity": lambda z: z,
    "relu": jax.nn.relu,
    "tanh": jnp.tanh,
    "leaky_relu": leaky_relu,
}


def mlp(network: Network, params: Any, inputs: Array) -> list[Array]:
    """The activations of every layer, as a pure function that `jit` and `grad` can transform."""
    activations = []
    a = inputs
    for layer, (weight, bias) in zip(network.layers, params, strict=True):
        if isinstance(layer, Conv):
            pad = (layer.padding, layer.padding)
            z = lax.conv_general_dilated(
                a,
                weight,
                window_strides=(layer.stride, layer.stride),
                padding=(pad, pad),
                dimension_numbers=("NHWC", "HWIO", "NHWC"),  # the layout of the contract
            )
        else:
            z = a.reshape(len(a), -1) @ weight
        a = ACTIVATIONS[layer.activation](z if bias is None else z + bias)
        activations.append(a)
    return activations


_mlp = partial(jax.jit, static_argnames="network")(mlp)


def forward(network: Network, params: Params, inputs: Batch) -> list[Batch]:
    """The activations of every layer, first hidden layer first, outputs last: `(samples, units)` each.

    Those of a convolution are `(samples, height, width, channels)`.
    """
    return [np.asarray(a) for a in _mlp(network, params, inputs)]
