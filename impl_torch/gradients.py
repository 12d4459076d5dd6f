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


def loss_and_grads(
    network: Network, params: Params, inputs: Batch, targets: Batch
) -> tuple[float, Params]:
    """The loss on these samples, and its gradient with respect to every parameter.

    `inputs` are `(samples, fan_in)`, `targets` `(samples, outputs)`; each gradient has its parameter's shape.
    """
    model = MLP(network, params)
    predictions = model(torch.from_numpy(inputs))[-1]
    loss = mse(predictions, torch.from_numpy(targets))

    loss.backward()
    return loss.item(), model.to_grads()
