"""Rounding to float32 in float64 arithmetic: the exact variant does it after each operation."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from gradparity.contract import Params, map_params


def rounded(a: Tensor) -> Tensor:
    """Round to the nearest float32 number, and return it in float64. The derivative is rounded in the backward pass."""
    return a.float().double()


def to_float64(params: Params) -> Params:
    """Convert to float64, which changes no number."""
    return map_params(lambda tensor: tensor.astype(np.float64), params)


def to_float32(params: Params) -> Params:
    """Convert to float32, which changes no number that was rounded before."""
    return map_params(lambda tensor: tensor.astype(np.float32), params)
