"""The activations: JAX's own, whose derivatives `grad` knows."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array

from gradparity.contract import LEAK


def leaky_relu(z: Array) -> Array:
    """z, or `LEAK` z where z ≤ 0."""
    # At the kink jax.nn.leaky_relu has the right side's derivative, 1; torch, and so the contract, has the left side's.
    return jnp.where(z > 0, z, LEAK * z)


ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "sigmoid": jax.nn.sigmoid,
    "identity": lambda z: z,
    "relu": jax.nn.relu,
    "tanh": jnp.tanh,
    "leaky_relu": leaky_relu,
}
