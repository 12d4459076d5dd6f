"""Rounding to float32 in float64 arithmetic: what the exact variant is made of."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from gradparity.contract import SGD, Batch, Dense, Network, Schedule


def require(network: Network, inputs: Batch, schedule: Schedule | None = None) -> None:
    """Refuse what would not come out the same."""
    if inputs.dtype != np.float32:
        raise ValueError(
            f'exact variants train in float32, found {inputs.dtype}: set dtype = "float32"'
        )
    if network.loss != "mse" or not all(isinstance(layer, Dense) for layer in network.layers):
        raise ValueError("exact variants know dense layers and the MSE, not convolutions or logits")
    if schedule and (not isinstance(schedule.optimizer, SGD) or schedule.decoupled):
        raise ValueError("exact variants know SGD, with momentum and coupled weight decay at most")


def in_float32(schedule: Schedule) -> Schedule:
    """The same plan with constants that float32 has."""
    # In float64, 1.05 g is all but a short number wherever g is a multiple of 5 units, and w - 1.05 g often all but
    # midway between two numbers of float32. A product of two such numbers is exact, with and without a fused add.
    assert isinstance(schedule.optimizer, SGD)
    rate, momentum, decay = (
        float(np.float32(constant))
        for constant in (schedule.learning_rate, schedule.optimizer.momentum, schedule.weight_decay)
    )
    optimizer = replace(schedule.optimizer, momentum=momentum)
    return replace(schedule, learning_rate=rate, optimizer=optimizer, weight_decay=decay)


def rounded(a: Array) -> Array:
    """To the nearest number that float32 has, in float64; its derivative is rounded on its way back."""
    return a.astype(jnp.float32).astype(jnp.float64)


def to_float64(tree: Any) -> Any:
    """The same numbers in float64."""
    return jax.tree.map(lambda a: jnp.asarray(a, jnp.float64), tree)


def to_float32(tree: Any) -> Any:
    """The same numbers in float32, for NumPy: none is rounded that was rounded before."""
    return jax.tree.map(lambda a: np.asarray(a, np.float32), tree)
