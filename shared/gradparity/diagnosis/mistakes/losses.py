"""The losses that a program may report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...reference.layers import Array


def cross_entropy(predictions: Array, targets: Array) -> Any:
    """Compute the binary cross-entropy, the mean over all elements."""
    return -np.mean(targets * np.log(predictions) + (1 - targets) * np.log1p(-predictions))


@dataclass(frozen=True)
class ReportedLoss:
    """A loss as a function of (predictions, targets)."""

    name: str
    value: Callable[[Array, Array], Any]


REPORTED_LOSSES: tuple[ReportedLoss, ...] = (
    ReportedLoss("the MSE", lambda a, y: np.mean((a - y) ** 2)),
    ReportedLoss("the binary cross-entropy", cross_entropy),
    ReportedLoss("the mean absolute error", lambda a, y: np.mean(np.abs(a - y))),
    ReportedLoss("the root of the MSE", lambda a, y: np.sqrt(np.mean((a - y) ** 2))),
    ReportedLoss(
        "the MSE of predictions (N, 1) and targets (N,) broadcast to (N, N)",
        lambda a, y: np.mean((a - (y.T if y.shape[1] == 1 else y)) ** 2),
    ),
    ReportedLoss("the mean residual, not squared", lambda a, y: np.mean(a - y)),
    ReportedLoss(
        "the MSE without the last sample",
        lambda a, y: np.mean((a - y)[:-1] ** 2) if len(y) > 1 else np.nan,
    ),
)
