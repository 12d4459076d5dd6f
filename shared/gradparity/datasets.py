"""The homework's two toy datasets, in float64: inputs `(samples, 2)`, targets `(samples, 1)` of zeros and ones."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64

Inputs = Float64[np.ndarray, "samples features"]
Targets = Float64[np.ndarray, "samples outputs"]


def linear(samples: int, seed: int) -> tuple[Inputs, Targets]:
    """Points uniform in the unit square; 0 where x1 > x2, else 1."""
    inputs = np.random.default_rng(seed).uniform(size=(samples, 2))
    targets = np.where(inputs[:, :1] > inputs[:, 1:], 0.0, 1.0)
    return inputs, targets


def xor() -> tuple[Inputs, Targets]:
    """21 points on the unit square's diagonals: 0 on the rising one, 1 on the falling one, whose middle is left out."""
    steps = np.arange(11) * 0.1
    rising = np.column_stack([steps, steps])
    falling = np.delete(np.column_stack([steps, 1.0 - steps]), 5, axis=0)
    targets = np.repeat([[0.0], [1.0]], [len(rising), len(falling)], axis=0)
    return np.concatenate([rising, falling]), targets
