"""The forward pass."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from gradparity.contract import Batch, Layer, Network, Params


class MLP(nn.Module):
    """Dense layers, each followed by its activation; `params` are its initial weights."""

    def __init__(self, network: Network, params: Params) -> None:
        super().__init__()
        layers = []
        for weight, bias in params:
            fan_in, fan_out = weight.shape
            tensor = torch.from_numpy(weight)
            # skip_init: nn.Linear would draw weights of its own from torch's global generator.
            layer = nn.utils.skip_init(
                nn.Linear, fan_in, fan_out, bias=bias is not None, dtype=tensor.dtype
            )
            with torch.no_grad():
                layer.weight.copy_(tensor.T)  # nn.Linear keeps (fan_out, fan_in)
                if bias is not None:
                    layer.bias.copy_(torch.from_numpy(bias))
            layers.append(layer)
        self.layers = nn.ModuleList(layers)

    def forward(self, inputs: Tensor) -> list[Tensor]:
        """The activations of every layer."""
        activations = []
        a = inputs
        for layer in self.layers:
            a = torch.sigmoid(layer(a))
            activations.append(a)
        return activations

    def to_params(self) -> Params:
        """The weights, as NumPy copies."""
        return self._to_numpy(lambda parameter: parameter.detach())

    def to_grads(self) -> Params:
        """The gradients that `backward` left on the weights, as NumPy copies."""
        return self._to_numpy(lambda parameter: parameter.grad)

    def _to_numpy(self, of: Callable[[Any], Any]) -> Params:
        return tuple(
            Layer(
                of(layer.weight).T.numpy().copy(),
                None if layer.bias is None else of(layer.bias).numpy().copy(),
            )
            for layer in self.layers
        )


def forward(network: Network, params: Params, inputs: Batch) -> list[Batch]:
    """The activations of every layer, first hidden layer first, predictions last: `(samples, units)` each."""
    model = MLP(network, params)
    with torch.no_grad():
        return [a.numpy() for a in model(torch.from_numpy(inputs))]
