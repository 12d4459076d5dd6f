"""The reference's activations and their derivatives, in any dtype."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..contract import LEAK, Activation

Array = np.ndarray


def sigmoid(z: Array) -> Array:
    """Compute 1 / (1 + e^-z). The exponential is taken of non-positive numbers only, so it cannot overflow."""
    right = np.real(z) >= 0
    exp = np.exp(np.where(right, -z, z))
    return np.where(right, 1, exp) / (1 + exp)


def sigmoid_prime(z: Array) -> Array:
    """Compute σ'(z) = e^-|z| / (1 + e^-|z|)². Unlike a (1 - a), it does not cancel where a is close to 1."""
    exp = np.exp(np.where(np.real(z) >= 0, -z, z))
    return exp / (1 + exp) ** 2


def _tanh_prime(z: Array) -> Array:
    return 4 * sigmoid_prime(2 * z)


def _positive(z: Array, right: Any, left: Any) -> Array:
    return np.where(np.real(z) > 0, right, left).astype(z.dtype)


@dataclass(frozen=True)
class ActivationFunction:
    """An activation and its derivative, both functions of z.

    Attributes:
        function: a of z.
        derivative: σ'(z); at a kink the left side's derivative.
        kinked: True if it has a kink, at z = 0.
    """

    function: Callable[[Array], Array]
    derivative: Callable[[Array], Array]
    kinked: bool = False


ACTIVATIONS: dict[Activation, ActivationFunction] = {
    "sigmoid": ActivationFunction(sigmoid, sigmoid_prime),
    "identity": ActivationFunction(lambda z: z, np.ones_like),
    "relu": ActivationFunction(
        lambda z: _positive(z, z, 0), lambda z: _positive(z, 1, 0), kinked=True
    ),
    "tanh": ActivationFunction(np.tanh, _tanh_prime),
    "leaky_relu": ActivationFunction(
        lambda z: _positive(z, z, z.dtype.type(LEAK) * z),
        lambda z: _positive(z, 1, LEAK),
        kinked=True,
    ),
}
