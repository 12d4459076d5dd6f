"""The loss and its gradient: `jax.value_and_grad`."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from gradparity.contract import Batch, Network, Params

from .model import mlp


def mse(predictions: Array, targets: Array) -> Array:
    """The mean of the squared differences over all elements, samples and outputs alike."""
    return jnp.mean((predictions - targets) ** 2)


@jax.jit
def loss(params: Params, inputs: Array, targets: Array) -> Array:
    """The loss as a function of the parameters: what `grad` differentiates."""
    predictions = mlp(params, inputs)[-1]
    return mse(predictions, targets)


value_and_grad = jax.jit(jax.value_and_grad(loss))


def loss_and_grads(
    network: Network, params: Params, inputs: Batch, targets: Batch
) -> tuple[float, Params]:
    """The loss on these samples, and its gradient with respect to every parameter.

    `inputs` are `(samples, fan_in)`, `targets` `(samples, outputs)`; each gradient has its parameter's shape.
    """
    value, grads = value_and_grad(params, inputs, targets)
    return float(value), jax.tree.map(np.asarray, grads)
