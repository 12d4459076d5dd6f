"""Each layer's forward pass: torch's own modules, which take and return arrays in the contract's layout.

Their parameters stay in torch's layout, `(fan_out, fan_in)` and `(channels_out, channels_in, height, width)`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gradparity import contract


class Dense(nn.Linear):
    """A fully connected layer. Images are flattened first, in the order (height, width, channel)."""

    def __init__(
        self,
        layer: contract.Dense,
        fan_in: int,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(fan_in, layer.units, layer.bias, device, dtype)

    def forward(self, a: Tensor) -> Tensor:
        """Compute z = a Wᵀ + b, W in torch's layout: `(samples, units)`."""
        return super().forward(a.flatten(1))


class Convolution(nn.Conv2d):
    """A convolution over images `(samples, height, width, channels)`; torch wants the channels second."""

    def __init__(
        self,
        layer: contract.Conv,
        channels: int,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(
            channels,
            layer.channels,
            layer.kernel,
            layer.stride,
            layer.padding,
            bias=layer.bias,
            device=device,
            dtype=dtype,
        )

    def forward(self, a: Tensor) -> Tensor:
        """Compute z = a ∗ W + b, `(samples, height, width, channels)`."""
        return super().forward(a.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


LAYERS: dict[type, type[Dense | Convolution]] = {
    contract.Dense: Dense,
    contract.Conv: Convolution,
}


def make_layer(layer: contract.Dense | contract.Conv, params: contract.Layer) -> nn.Module:
    """The module of one layer, with copies of these weights."""
    arrays = [torch.tensor(array) for array in params if array is not None]
    # skip_init: the module would draw weights of its own from torch's global generator.
    module: nn.Module = nn.utils.skip_init(
        LAYERS[type(layer)],
        layer,
        params.weight.shape[-2],
        device=arrays[0].device,
        dtype=arrays[0].dtype,
    )
    with torch.no_grad():
        for parameter, array in zip(module.parameters(), arrays, strict=True):
            parameter.copy_(to_torch(array))
    return module


def to_torch(tensor: Tensor) -> Tensor:
    """A weight or bias in torch's layout, from the contract's."""
    return tensor.permute(_TO_TORCH[tensor.ndim])


def to_contract(tensor: Tensor) -> Tensor:
    """A weight or bias in the contract's layout, from torch's."""
    return tensor.permute(_TO_CONTRACT[tensor.ndim])


# Which axis goes where: of a bias, of a dense layer's weight, of a convolution's.
_TO_TORCH = {1: (0,), 2: (1, 0), 4: (3, 2, 0, 1)}
_TO_CONTRACT = {1: (0,), 2: (1, 0), 4: (2, 3, 1, 0)}
