"""The reference's activations and their derivatives, in any dtype."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..contract import LEAK, Activation
from .vocabulary import SOFTMAX

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


def softmax(z: Array) -> Array:
    """Compute e^z / Σ e^z over the last axis."""
    exp = np.exp(z - np.max(np.real(z), axis=-1, keepdims=True))
    return exp / np.sum(exp, axis=-1, keepdims=True)


def of_the_others(array: Array) -> Array:
    """Sum the other entries of the last axis, for each entry. Nothing is subtracted, so nothing cancels."""
    units = array.shape[-1]
    return array @ (1 - np.eye(units)).astype(array.dtype)


def _softmax_across(d_a: Array, z: Array) -> Array:
    a = softmax(z)
    return -a * of_the_others(d_a * a)


@dataclass(frozen=True)
class ActivationFunction:
    """An activation and its derivative, both functions of z.

    Attributes:
        function: a of z.
        derivative: ∂a/∂z of each unit; at a kink the left side's derivative.
        across: (∂loss/∂a, z) → the part of ∂loss/∂z that comes from the layer's other units; 0 if no other unit counts.
        kinked: True if it has a kink, at z = 0.
    """

    function: Callable[[Array], Array]
    derivative: Callable[[Array], Array]
    across: Callable[[Array, Array], Any] = lambda _d_a, _z: 0
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
    SOFTMAX: ActivationFunction(
        softmax, lambda z: softmax(z) * of_the_others(softmax(z)), _softmax_across
    ),
}
