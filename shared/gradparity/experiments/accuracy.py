"""What a network's outputs say of the samples' classes, and whether that is right."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from ..contract import LOSS_KINDS, Batch, Network
from ..reference.activations import sigmoid
from ..reference.losses import softmax

CLOSE = 0.1
"""A prediction that is nearer than this to its label is right, by the homework's rule."""
THRESHOLD = 0.5
"""What separates the two classes of a single output."""

_LINKS: Mapping[str, Callable[[Batch], Batch]] = {
    "identity": lambda outputs: outputs,
    "sigmoid": sigmoid,
    "softmax": softmax,
}


def predictions(network: Network, outputs: Batch) -> Batch:
    """What is held against the targets: σ or softmax of the outputs under a cross-entropy, which takes logits."""
    return _LINKS[LOSS_KINDS[network.loss].link](outputs)


def accuracy(predictions: Batch, targets: Batch) -> dict[str, float]:
    """The share of samples classified rightly.

    `within_0.1`: by the homework's |ŷ - y| < 0.1, in every output. `threshold_0.5`: on the right side of 0.5; of
    several outputs, the largest is the right one.
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
    """Whether every sample is within 0.1 of its label; with a member axis in front, for each member."""
    return np.all(_close(predictions, targets), axis=-1)


def _close(predictions: Batch, targets: Batch) -> np.ndarray:
    return np.all(np.abs(predictions - targets) < CLOSE, axis=-1)
