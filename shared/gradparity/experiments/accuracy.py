"""What a network's outputs say of the samples' classes, and whether that is right."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..contract import Batch, Loss, Network
from ..reference.activations import sigmoid
from ..reference.losses import softmax

_CLOSE = 0.1
_LINKS: dict[Loss, Callable[[Batch], Batch]] = {
    "mse": lambda outputs: outputs,
    "binary_cross_entropy": sigmoid,
    "softmax_cross_entropy": softmax,
}


def predictions(network: Network, outputs: Batch) -> Batch:
    """What is held against the targets: σ or softmax of the outputs under a cross-entropy, which takes logits."""
    return _LINKS[network.loss](outputs)


def accuracy(predictions: Batch, targets: Batch) -> dict[str, float]:
    """The share of samples classified rightly.

    `within_0.1`: by the homework's |ŷ - y| < 0.1, in every output. `threshold_0.5`: on the right side of 0.5; of
    several outputs, the largest is the right one.
    """
    if targets.shape[-1] == 1:
        right = (predictions > 0.5)[..., 0] == (targets > 0.5)[..., 0]
    else:
        right = predictions.argmax(-1) == targets.argmax(-1)
    return {
        "within_0.1": float(np.mean(_close(predictions, targets))),
        "threshold_0.5": float(np.mean(right)),
    }


def succeeded(predictions: Batch, targets: Batch) -> np.ndarray:
    """Whether every sample is within 0.1 of its label; with a member axis in front, for each member."""
    return np.all(_close(predictions, targets), axis=-1)


def _close(predictions: Batch, targets: Batch) -> np.ndarray:
    return np.all(np.abs(predictions - targets) < _CLOSE, axis=-1)
