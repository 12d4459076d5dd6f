"""The forward pass."""

from __future__ import annotations

import numpy as np

from gradparity.contract import Batch, Network, Params


def sigmoid(z: Batch) -> Batch:
    """1 / (1 + e^-z), elementwise."""
    # exp(-z) overflows for z < -709 (-88 in float32): take exp of -|z|, which cannot.
    exp = np.exp(-np.abs(z))
    return np.where(z >= 0, 1.0, exp) / (1.0 + exp)


def forward(network: Network, params: Params, inputs: Batch) -> list[Batch]:
    """The activations of every layer, first hidden layer first, predictions last: `(samples, units)` each."""
    activations = []
    a = inputs
    for weight, bias in params:
        z = a @ weight if bias is None else a @ weight + bias
        a = sigmoid(z)
        activations.append(a)
    return activations
