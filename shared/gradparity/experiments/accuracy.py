"""Turn a network's outputs into predictions, and measure how many are right."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from ..contract import LOSS_KINDS, Batch, Network
from ..reference.activations import sigmoid, softmax

CLOSE = 0.1
"""A prediction nearer than this to its label is right, by the original assignment's rule."""
THRESHOLD = 0.5
"""The value that separates the two classes of a single output."""

_LINKS: Mapping[str, Callable[[Batch], Batch]] = {
    "identity": lambda outputs: outputs,
    "sigmoid": sigmoid,
    "softmax": softmax,
}


def predictions(network: Network, outputs: Batch) -> Batch:
    """Return the outputs, or under a cross-entropy, which takes logits, their σ or softmax."""
    return _LINKS[LOSS_KINDS[network.loss].link](outputs)


def accuracy(predictions: Batch, targets: Batch) -> dict[str, float]:
    """Return the share of samples that are classified correctly, by two rules.

    `within_0.1`: |ŷ - y| < 0.1 in every output, the original assignment's rule. `threshold_0.5`: the right side of
    0.5; with several outputs, the largest output is the right one.
    """
    if targets.shape[-1] == 1:
        right = (predictions > THRESHOLD)[..., 0] == (targets > THRESHOLD)[..., 0]
    else:
        right = predictions.argmax(-1) == targets.argmax(-1)
    return {
        "within_0.1": float(np.mean(_close(predictions, targets))),
        "threshold_0.5": float(np.mean(right)),
    }


def succeeded(predictions: Batch, targets: Batch) -> np.ndarray:
    """Return True if every sample is within 0.1 of its label; with a leading member axis, one value for each member."""
    return np.all(_close(predictions, targets), axis=-1)


def _close(predictions: Batch, targets: Batch) -> np.ndarray:
    return np.all(np.abs(predictions - targets) < CLOSE, axis=-1)
