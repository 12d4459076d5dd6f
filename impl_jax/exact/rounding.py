"""Rounding to float32 in float64 arithmetic: the exact variant does it after each operation."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array


def rounded(a: Array) -> Array:
    """The nearest number that float32 has, in float64; its derivative is rounded on its way back."""
    return a.astype(jnp.float32).astype(jnp.float64)


def to_float64(tree: Any) -> Any:
    """The same numbers in float64."""
    return jax.tree.map(lambda a: jnp.asarray(a, jnp.float64), tree)


def to_float32(tree: Any) -> Any:
    """The same numbers in float32, for NumPy: none is rounded that was rounded before."""
    return jax.tree.map(lambda a: np.asarray(a, np.float32), tree)
