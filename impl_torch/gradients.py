"""The forward pass, the loss and its gradient: an `nn.Module` and autograd."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from gradparity.contract import Batch, Layer, Network, Params

from .activations import ACTIVATIONS
from .layers import LAYERS, to_contract
from .losses import LOSSES


class Model(nn.Module):
    """Dense and convolutional layers, each followed by its activation.

    `params` are the initial weights. They are drawn elsewhere, so that every framework starts from the same ones.

    Most PyTorch models return their outputs alone. This one returns the activations of every layer, outputs last,
    because the contract's `forward` asks for them.
    """

    def __init__(self, network: Network, params: Params) -> None:
        super().__init__()
        self.activations = [ACTIVATIONS[layer.activation] for layer in network.layers]
        self.layers = nn.ModuleList(
            LAYERS[type(layer)](layer, weight_and_bias)
            for layer, weight_and_bias in zip(network.layers, params, strict=True)
        )

    def forward(self, inputs: Tensor) -> list[Tensor]:
        """Compute the activations of every layer; images are (samples, height, width, channels)."""
        activations, a = [], inputs
        for layer, activation in zip(self.layers, self.activations, strict=True):
            z = layer(a)  # z
            a = activation(z)  # a
            activations.append(a)
        return activations

    def to_params(self, read: Callable[[Any], Any] = Tensor.detach) -> Params:
        """Copy all weights and biases to NumPy, or the tensor that `read` returns for each of them."""

        def array(parameter: Any) -> Any:
            return to_contract(read(parameter)).numpy(force=True).copy(order="C")

        return tuple(
            Layer(array(layer.weight), None if layer.bias is None else array(layer.bias))
            for layer in self.layers
        )

    def to_grads(self) -> Params:
        """Copy to NumPy the gradients that `backward` left on the weights."""
        return self.to_params(lambda parameter: parameter.grad)


def forward(network: Network, params: Params, inputs: Batch) -> list[Batch]:
    """Compute the activations of every layer, first hidden layer first, outputs last: `(samples, units)` each.

    Those of a convolution are `(samples, height, width, channels)`.
    """
    model = Model(network, params)
    with torch.no_grad():
        return [a.numpy(force=True) for a in model(torch.tensor(inputs))]


def loss_and_grads(
    network: Network, params: Params, inputs: Batch, targets: Batch
) -> tuple[float, Params]:
    """Compute the loss on these samples, and its gradient with respect to every parameter.

    `inputs` are `(samples, fan_in)`, `targets` `(samples, outputs)`; each gradient has its parameter's shape.
    """
    model = Model(network, params)
    predictions = model(torch.tensor(inputs))[-1]
    loss = LOSSES[network.loss](predictions, torch.tensor(targets))  # L

    loss.backward()  # dL/dW, dL/db
    return loss.item(), model.to_grads()
