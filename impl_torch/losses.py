"""The losses: torch's own, whose derivatives autograd knows."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def mse(predictions: Tensor, targets: Tensor) -> Tensor:
    """Compute the mean of the squared differences over all elements, samples and outputs alike."""
    return functional.mse_loss(predictions, targets)  # L


def binary_cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Compute -(y log σ(z) + (1 - y) log σ(-z)), the mean over all elements."""
    return functional.binary_cross_entropy_with_logits(logits, targets)  # L


def softmax_cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Compute -Σ y log softmax(z) over the classes, the mean over the samples."""
    return functional.cross_entropy(logits, targets)  # L


LOSSES = {
    "mse": mse,
    "binary_cross_entropy": binary_cross_entropy,
    "softmax_cross_entropy": softmax_cross_entropy,
}
