"""The losses, from optax where it has them; `grad` knows their derivatives."""

from __future__ import annotations

import jax.numpy as jnp
import optax
from jax import Array


def mse(predictions: Array, targets: Array) -> Array:
    """Compute the mean of the squared differences over all elements, samples and outputs alike."""
    return jnp.mean((predictions - targets) ** 2)  # L


def binary_cross_entropy(logits: Array, targets: Array) -> Array:
    """Compute -(y log σ(z) + (1 - y) log σ(-z)), the mean over all elements."""
    return jnp.mean(optax.sigmoid_binary_cross_entropy(logits, targets))  # L


def softmax_cross_entropy(logits: Array, targets: Array) -> Array:
    """Compute -Σ y log softmax(z) over the classes, the mean over the samples."""
    return jnp.mean(optax.softmax_cross_entropy(logits, targets))  # L


LOSSES = {
    "mse": mse,
    "binary_cross_entropy": binary_cross_entropy,
    "softmax_cross_entropy": softmax_cross_entropy,
}
