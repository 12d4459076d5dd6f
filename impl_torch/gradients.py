"""The loss and its gradient: autograd."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from gradparity.contract import Batch, Network, Params

from .model import MLP


def mse(predictions: Tensor, targets: Tensor) -> Tensor:
    """The mean of the squared differences over all elements, samples and outputs alike."""
    return functional.mse_loss(predictions, targets)


def binary_cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """-(y log σ(z) + (1 - y) log σ(-z)), the mean over all elements."""
    return functional.binary_cross_entropy_with_logits(logits, targets)


def softmax_cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """-Σ y log softmax(z) over the classes, the mean over the samples."""
    return functional.cross_entropy(logits, targets)


LOSSES = {
    "mse": mse,
    "binary_cross_entropy": binary_cross_entropy,
    "softmax_cross_entropy": softmax_cross_entropy,
}


def loss_and_grads(
    network: Network, params: Params, inputs: Batch, targets: Batch
) -> tuple[float, Params]:
    """The loss on these samples, and its gradient with respect to every parameter.

    `inputs` are `(samples, fan_in)`, `targets` `(samples, outputs)`; each gradient has its parameter's shape.
    """
    model = MLP(network, params)
    predictions = model(torch.tensor(inputs))[-1]
    loss = LOSSES[network.loss](predictions, torch.tensor(targets))

    loss.backward()
    return loss.item(), model.to_grads()
