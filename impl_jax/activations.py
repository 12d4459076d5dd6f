"""The activations: JAX's own, whose derivatives `grad` knows."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array

from gradparity.contract import LEAK

ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "sigmoid": jax.nn.sigmoid,
    "identity": lambda z: z,
    "relu": jax.nn.relu,
    "tanh": jnp.tanh,
    # At the kink, jax.nn.leaky_relu has the right side's derivative, 1; the contract, like torch, has the left side's.
    "leaky_relu": lambda z: jnp.where(z > 0, z, LEAK * z),
}
