"""The forward pass, the loss and its gradient: pure functions and `jax.value_and_grad`."""

from __future__ import annotations

import jax
import numpy as np
from jax import Array

from gradparity.contract import Batch, Network, Params

from .activations import ACTIVATIONS
from .layers import LAYERS
from .losses import LOSSES


def apply(network: Network, params: Params, inputs: Array) -> list[Array]:
    """Compute the activations of every layer, as a pure function that `jit` and `grad` can transform."""
    activations, a = [], inputs
    for layer, (weight, bias) in zip(network.layers, params, strict=True):
        z = LAYERS[type(layer)](layer, weight, bias, a)  # z
        a = ACTIVATIONS[layer.activation](z)  # a
        activations.append(a)
    return activations


# Compiled once for each network: a network is not an array but part of the program, `static`.
_apply = jax.jit(apply, static_argnums=0)


def forward(network: Network, params: Params, inputs: Batch) -> list[Batch]:
    """Compute the activations of every layer, first hidden layer first, outputs last: `(samples, units)` each.

    Those of a convolution are `(samples, height, width, channels)`.
    """
    return [np.asarray(a) for a in _apply(network, params, inputs)]


@jax.jit(static_argnums=0)
def loss(network: Network, params: Params, inputs: Array, targets: Array) -> Array:
    """Compute the loss as a function of the parameters: `grad` differentiates this function."""
    predictions = apply(network, params, inputs)[-1]
    return LOSSES[network.loss](predictions, targets)  # L


value_and_grad = jax.jit(jax.value_and_grad(loss, argnums=1), static_argnums=0)


def loss_and_grads(
    network: Network, params: Params, inputs: Batch, targets: Batch
) -> tuple[float, Params]:
    """Compute the loss on these samples, and its gradient with respect to every parameter.

    `inputs` are `(samples, fan_in)`, `targets` `(samples, outputs)`; each gradient has its parameter's shape.
    """
    value, grads = value_and_grad(network, params, inputs, targets)  # L, dL/dW, dL/db
    return float(value), jax.tree.map(np.asarray, grads)
