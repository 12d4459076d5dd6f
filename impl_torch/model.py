"""The forward pass."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from gradparity.contract import LEAK, Batch, Conv, Layer, Network, Params

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "sigmoid": torch.sigmoid,
    "identity": nn.Identity(),
    "relu": functional.relu,
    "tanh": torch.tanh,
    "leaky_relu": partial(functional.leaky_relu, negative_slope=LEAK),
}


def to_torch(weight: Tensor) -> Tensor:
    """As torch keeps it: (fan_out, fan_in), and (channels_out, channels_in, height, width)."""
    return weight.T if weight.ndim == 2 else weight.permute(3, 2, 0, 1)


def to_numpy(weight: Tensor) -> Tensor:
    """The way back: (fan_in, fan_out), and (height, width, channels_in, channels_out)."""
    return weight.T if weight.ndim == 2 else weight.permute(2, 3, 1, 0)


class MLP(nn.Module):
    """Dense and convolutional layers, each followed by its activation; `params` are its initial weights."""

    def __init__(self, network: Network, params: Params) -> None:
        super().__init__()
        self.activations = [ACTIVATIONS[layer.activation] for layer in network.layers]
        layers: list[nn.Linear | nn.Conv2d] = []
        for description, (weight, bias) in zip(network.layers, params, strict=True):
            tensor = torch.tensor(weight)
            fan_in, fan_out = weight.shape[-2:]
            # skip_init: the layers would draw weights of their own from torch's global generator.
            options = {"bias": bias is not None, "dtype": tensor.dtype, "device": tensor.device}
            layer: Any
            if isinstance(description, Conv):
                options |= {"stride": description.stride, "padding": description.padding}
                layer = nn.utils.skip_init(
                    nn.Conv2d, fan_in, fan_out, description.kernel, **options
                )
            else:
                layer = nn.utils.skip_init(nn.Linear, fan_in, fan_out, **options)
            with torch.no_grad():
                layer.weight.copy_(to_torch(tensor))
                if bias is not None:
                    layer.bias.copy_(torch.tensor(bias))
            layers.append(layer)
        self.layers = nn.ModuleList(layers)

    def forward(self, inputs: Tensor) -> list[Tensor]:
        """The activations of every layer; images are (samples, height, width, channels)."""
        activations = []
        a = inputs
        for layer, activation in zip(self.layers, self.activations, strict=True):
            if isinstance(layer, nn.Conv2d):
                channels_second = a.permute(0, 3, 1, 2)  # as torch has them
                z = layer(channels_second).permute(0, 2, 3, 1)
            else:
                z = layer(a.flatten(1))
            a = activation(z)
            activations.append(a)
        return activations

    def to_params(self, of: Callable[[Any], Any] = Tensor.detach) -> Params:
        """What `of` makes of each weight and bias, the weights themselves by default, as NumPy copies."""
        return tuple(
            Layer(
                to_numpy(of(layer.weight)).numpy(force=True).copy(order="C"),
                None if layer.bias is None else of(layer.bias).numpy(force=True).copy(),
            )
            for layer in self.layers
        )

    def to_grads(self) -> Params:
        """The gradients that `backward` left on the weights, as NumPy copies."""
        return self.to_params(lambda parameter: parameter.grad)


def forward(network: Network, params: Params, inputs: Batch) -> list[Batch]:
    """The activations of every layer, first hidden layer first, outputs last: `(samples, units)` each.

    Those of a convolution are `(samples, height, width, channels)`.
    """
    model = MLP(network, params)
    with torch.no_grad():
        return [a.numpy(force=True) for a in model(torch.tensor(inputs))]
