"""Rounding to float32 in float64 arithmetic: the exact variant does it after each operation."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array


def rounded(a: Array) -> Array:
    """Round to the nearest float32 number, and return it in float64. The derivative is rounded in the backward pass."""
    return a.astype(jnp.float32).astype(jnp.float64)


def to_float64(tree: Any) -> Any:
    """Convert to float64, which changes no number."""
    return jax.tree.map(lambda a: jnp.asarray(a, jnp.float64), tree)


def to_float32(tree: Any) -> Any:
    """Convert to float32, for NumPy, which changes no number that was rounded before."""
    return jax.tree.map(lambda a: np.asarray(a, np.float32), tree)
