"""The loss and its gradient: `jax.value_and_grad`."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array

from gradparity.contract import Batch, Network, Params

from .model import mlp


def mse(predictions: Array, targets: Array) -> Array:
    """The mean of the squared differences over all elements, samples and outputs alike."""
    return jnp.mean((predictions - targets) ** 2)


def binary_cross_entropy(logits: Array, targets: Array) -> Array:
    """-(y log σ(z) + (1 - y) log σ(-z)), the mean over all elements."""
    return jnp.mean(optax.sigmoid_binary_cross_entropy(logits, targets))


def softmax_cross_entropy(logits: Array, targets: Array) -> Array:
    """-Σ y log softmax(z) over the classes, the mean over the samples."""
    return jnp.mean(optax.softmax_cross_entropy(logits, targets))


LOSSES = {
    "mse": mse,
    "binary_cross_entropy": binary_cross_entropy,
    "softmax_cross_entropy": softmax_cross_entropy,
}


@partial(jax.jit, static_argnames="network")
def loss(network: Network, params: Params, inputs: Array, targets: Array) -> Array:
    """The loss as a function of the parameters: what `grad` differentiates."""
    predictions = mlp(network, params, inputs)[-1]
    return LOSSES[network.loss](predictions, targets)


value_and_grad = partial(jax.jit, static_argnums=0)(jax.value_and_grad(loss, argnums=1))


def loss_and_grads(
    network: Network, params: Params, inputs: Batch, targets: Batch
) -> tuple[float, Params]:
    """The loss on these samples, and its gradient with respect to every parameter.

    `inputs` are `(samples, fan_in)`, `targets` `(samples, outputs)`; each gradient has its parameter's shape.
    """
    value, grads = value_and_grad(network, params, inputs, targets)
    return float(value), jax.tree.map(np.asarray, grads)
