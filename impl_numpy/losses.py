"""Each loss, and its derivative with respect to the outputs: dL/da of the last layer.

Predictions and targets are `(samples, outputs)`. In an ensemble the member axis is in front, and each has its own loss.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from gradparity.contract import Batch

from .activations import sigmoid

Scalar = np.floating | Float[np.ndarray, " members"]


def mse(predictions: Batch, targets: Batch) -> tuple[Scalar, Batch]:
    """Compute the mean of the squared differences over all elements, samples and outputs alike."""
    elements = predictions.shape[-2] * predictions.shape[-1]
    errors = predictions - targets
    loss = (errors**2).sum((-2, -1)) / elements  # L
    d_a = 2.0 * errors / elements  # dL/da
    return loss, d_a


def binary_cross_entropy(logits: Batch, targets: Batch) -> tuple[Scalar, Batch]:
    """Compute -(y log σ(z) + (1 - y) log σ(-z)), the mean over all elements."""
    elements = logits.shape[-2] * logits.shape[-1]
    # log(1 + e^z) = max(z, 0) + log(1 + e^-|z|), where e^z would overflow.
    softplus = np.maximum(logits, 0.0) + np.log1p(np.exp(-np.abs(logits)))  # log(1 + e^z)
    loss = (softplus - targets * logits).sum((-2, -1)) / elements  # L
    d_z = (sigmoid(logits) - targets) / elements  # dL/dz
    return loss, d_z


def softmax_cross_entropy(logits: Batch, targets: Batch) -> tuple[Scalar, Batch]:
    """Compute -Σ y log softmax(z) over the classes, the mean over the samples."""
    samples = logits.shape[-2]
    # The largest logit is subtracted, so that e^z cannot overflow.
    shifted = logits - logits.max(-1, keepdims=True)  # z - max z
    exp = np.exp(shifted)
    total = exp.sum(-1, keepdims=True)
    p = exp / total  # p
    log_p = shifted - np.log(total)  # log p
    loss = (-(targets * log_p).sum(-1)).sum(-1) / samples  # L
    d_z = (p * targets.sum(-1, keepdims=True) - targets) / samples  # dL/dz
    return loss, d_z


LOSSES: dict[str, Callable[[Batch, Batch], tuple[Scalar, Batch]]] = {
    "mse": mse,
    "binary_cross_entropy": binary_cross_entropy,
    "softmax_cross_entropy": softmax_cross_entropy,
}
