"""What a program may tell as its loss."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...reference.layers import Array


def cross_entropy(predictions: Array, targets: Array) -> Any:
    """Binary cross-entropy, the mean over all elements."""
    return -np.mean(targets * np.log(predictions) + (1 - targets) * np.log1p(-predictions))


@dataclass(frozen=True)
class WrongLoss:
    """Another loss than the mean of the squares, by (predictions, targets)."""

    name: str
    value: Callable[[Array, Array], Any]


LOSSES: tuple[WrongLoss, ...] = (
    WrongLoss("the MSE", lambda a, y: np.mean((a - y) ** 2)),
    WrongLoss("the binary cross-entropy", cross_entropy),
    WrongLoss("the mean absolute error", lambda a, y: np.mean(np.abs(a - y))),
    WrongLoss("the root of the MSE", lambda a, y: np.sqrt(np.mean((a - y) ** 2))),
    WrongLoss(
        "the MSE of predictions (N, 1) and targets (N,) broadcast to (N, N)",
        lambda a, y: np.mean((a - (y.T if y.shape[1] == 1 else y)) ** 2),
    ),
    WrongLoss("the mean residual, not squared", lambda a, y: np.mean(a - y)),
    WrongLoss(
        "the MSE without the last sample",
        lambda a, y: np.mean((a - y)[:-1] ** 2) if len(y) > 1 else np.nan,
    ),
)
