"""The forward pass."""

from __future__ import annotations

import jax
import numpy as np
from jax import Array

from gradparity.contract import Batch, Network, Params


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
