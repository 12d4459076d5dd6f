"""The forward pass."""

from __future__ import annotations

import jax
import numpy as np
from jax import Array

from gradparity.contract import Batch, Network, Params

# JAX turns float64 into float32 unless told otherwise; here each experiment states its dtype.
jax.config.update("jax_enable_x64", True)


def mlp(params: Params, inputs: Array) -> list[Array]:
    """The activations of every layer, as a pure function that `jit` and `grad` can transform."""
    activations = []
    a = inputs
    for weight, bias in params:
        z = a @ weight if bias is None else a @ weight + bias
        a = jax.nn.sigmoid(z)
        activations.append(a)
    return activations


_mlp = jax.jit(mlp)


def forward(network: Network, params: Params, inputs: Batch) -> list[Batch]:
    """The activations of every layer, first hidden layer first, predictions last: `(samples, units)` each."""
    return [np.asarray(a) for a in _mlp(params, inputs)]
