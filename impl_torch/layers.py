"""Each layer's forward pass: torch's own modules, changed to take and return arrays in the contract's layout.

Their weights stay in torch's layout, `(fan_out, fan_in)` and `(channels_out, channels_in, height, width)`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gradparity import contract


class Dense(nn.Linear):
    """A fully connected layer: z = a Wᵀ + b, `(samples, units)`.

    Images are flattened first, in the order (height, width, channel).
    """

    def __init__(self, layer: contract.Dense, params: contract.Layer) -> None:
        fan_in, units = params.weight.shape
        super().__init__(fan_in, units, layer.bias, device="meta")
        _load(self, params)

    def forward(self, a: Tensor) -> Tensor:
        """Compute z."""
        return super().forward(a.flatten(1))  # a W + b


class Convolution(nn.Conv2d):
    """A convolution over images: z = a ∗ W + b, `(samples, height, width, channels)`."""

    def __init__(self, layer: contract.Conv, params: contract.Layer) -> None:
        *kernel, channels_in, channels_out = params.weight.shape
        super().__init__(
            channels_in,
            channels_out,
            tuple(kernel),
            layer.stride,
            layer.padding,
            bias=layer.bias,
            device="meta",
        )
        _load(self, params)

    def forward(self, a: Tensor) -> Tensor:
        """Compute z; in torch's layout the channels come second."""
        return super().forward(a.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)  # z


LAYERS = {contract.Dense: Dense, contract.Conv: Convolution}


def to_torch(tensor: Tensor) -> Tensor:
    """Convert a weight or bias from the contract's layout to torch's."""
    return tensor.permute(_TO_TORCH[tensor.ndim])


def to_contract(tensor: Tensor) -> Tensor:
    """Convert a weight or bias from torch's layout to the contract's."""
    return tensor.permute(_TO_CONTRACT[tensor.ndim])


# The order of the axes of a bias, of a dense layer's weight, and of a convolution's weight, by number of axes.
_TO_TORCH = {1: (0,), 2: (1, 0), 4: (3, 2, 0, 1)}
_TO_CONTRACT = {1: (0,), 2: (1, 0), 4: (2, 3, 1, 0)}


def _load(module: nn.Module, params: contract.Layer) -> None:
    """Give the module copies of these weights.

    It was made on the meta device, without numbers: elsewhere it would draw weights from torch's global generator.
    """
    for name, array in zip(("weight", "bias"), params, strict=True):
        if array is not None:
            copy = to_torch(torch.tensor(array)).clone(memory_format=torch.contiguous_format)
            setattr(module, name, nn.Parameter(copy))
