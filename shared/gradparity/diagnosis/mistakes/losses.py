"""The losses that a program may report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...reference.layers import Array
from ...reference.losses import LOSSES, times_log
from ...reference.vocabulary import (
    BINARY_CROSS_ENTROPY_OF_PROBABILITIES,
    CROSS_ENTROPY_OF_PROBABILITIES,
)

cross_entropy = LOSSES[BINARY_CROSS_ENTROPY_OF_PROBABILITIES].function
"""Compute the binary cross-entropy, the mean over all elements."""


def squared_error(predictions: Array, targets: Array) -> Any:
    """Compute the MSE."""
    return np.mean((predictions - targets) ** 2)


def sign_slip(predictions: Array, targets: Array) -> Any:
    """Compute the binary cross-entropy with the wrong sign in front of its second term."""
    first = times_log(targets, np.log, predictions)
    return -np.mean(first - times_log(1 - targets, np.log1p, -predictions))


def of_the_complement(predictions: Array, targets: Array) -> Any:
    """Compute the binary cross-entropy of 1 - p in place of p."""
    return cross_entropy(predictions, 1 - targets)


def swapped(predictions: Array, targets: Array) -> Any:
    """Compute the binary cross-entropy with y and p swapped: -(p log y + (1 - p) log(1 - y))."""
    return cross_entropy(targets, predictions)


def _in_base(base: int) -> ReportedLoss:
    return ReportedLoss(
        f"the binary cross-entropy with logarithms of base {base}",
        lambda p, y: cross_entropy(p, y) / np.log(p.dtype.type(base)),
    )


@dataclass(frozen=True)
class ReportedLoss:
    """A loss as a function of (predictions, targets); `mistaken` if nobody means it, even with its own gradient."""

    name: str
    value: Callable[[Array, Array], Any]
    mistaken: bool = False


REPORTED_LOSSES: tuple[ReportedLoss, ...] = (
    ReportedLoss("the MSE", squared_error),
    ReportedLoss("the binary cross-entropy", cross_entropy),
    ReportedLoss("the mean absolute error", lambda a, y: np.mean(np.abs(a - y))),
    ReportedLoss("the root of the MSE", lambda a, y: np.sqrt(np.mean((a - y) ** 2))),
    ReportedLoss(
        "the MSE of predictions (N, 1) and targets (N,) broadcast to (N, N)",
        lambda a, y: np.mean((a - (y.T if y.shape[1] == 1 else y)) ** 2),
        mistaken=True,
    ),
    ReportedLoss("the mean residual, not squared", lambda a, y: np.mean(a - y), mistaken=True),
    ReportedLoss(
        "the MSE without the last sample",
        lambda a, y: np.mean((a - y)[:-1] ** 2) if len(y) > 1 else np.nan,
        mistaken=True,
    ),
    ReportedLoss(
        "the binary cross-entropy with the wrong sign in its second term: the mean of -y log p + (1 - y) log(1 - p)",
        sign_slip,
        mistaken=True,
    ),
    ReportedLoss(
        "the first term of the binary cross-entropy alone: the mean of -y log p",
        lambda p, y: -np.mean(times_log(y, np.log, p)),
        mistaken=True,
    ),
    ReportedLoss("the cross-entropy, -Σ y log p", LOSSES[CROSS_ENTROPY_OF_PROBABILITIES].function),
    ReportedLoss("the binary cross-entropy of 1 - p in place of p", of_the_complement),
    ReportedLoss("the binary cross-entropy with y and p swapped", swapped),
    _in_base(2),
    _in_base(10),
)
