"""Each activation σ and, right below it, its derivative σ'(z), computed from a = σ(z) alone.

a > 0 where z > 0. At the kink, z = 0, the derivative is the left side's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from gradparity.contract import LEAK, Batch


class Activation(NamedTuple):
    """An elementwise activation: `function` maps z to a, and `derivative` maps a to σ'(z)."""

    function: Callable[[Batch], Batch]
    derivative: Callable[[Batch], Batch]


@np.errstate(over="ignore")  # where e^-z overflows, σ(z) is below the normal numbers: 0 is right
def sigmoid(z: Batch) -> Batch:
    """Compute 1 / (1 + e^-z), elementwise."""
    return 1.0 / (1.0 + np.exp(-z))  # σ


ACTIVATIONS = {
    "sigmoid": Activation(
        sigmoid,
        lambda a: a * (1.0 - a),  # σ'
    ),
    "identity": Activation(
        lambda z: z,  # identity
        np.ones_like,  # identity'
    ),
    "relu": Activation(
        lambda z: np.maximum(z, 0.0),  # ReLU
        lambda a: np.where(a > 0.0, a.dtype.type(1.0), a.dtype.type(0.0)),  # ReLU'
    ),
    "tanh": Activation(
        np.tanh,  # tanh
        lambda a: 1.0 - a**2,  # tanh'
    ),
    "leaky_relu": Activation(
        lambda z: np.where(z > 0.0, z, LEAK * z),  # leaky ReLU
        lambda a: np.where(a > 0.0, a.dtype.type(1.0), a.dtype.type(LEAK)),  # leaky ReLU'
    ),
}
