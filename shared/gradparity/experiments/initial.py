"""Initial weights and batch order, drawn from explicit seeds, the same for every framework."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Literal

import numpy as np
from jaxtyping import Float64, Int

from ..contract import Layer, Network, Params

Scheme = Literal["standard_normal", "uniform", "xavier", "he", "torch_default"]
Draw = Callable[[tuple[int, ...]], Float64[np.ndarray, "..."]]


def initial_params(
    network: Network, scheme: Scheme, seed: int, dtype: str, scale: float = 1.0
) -> Params:
    """Draw the initial weights, layer by layer, each weight before its bias, in float64; then round to `dtype`.

    `standard_normal`: N(0, 1); `uniform`: U(-1, 1); `torch_default`: U(-1/√fan_in, 1/√fan_in), as `nn.Linear`
    does. In these three, biases are drawn like the weights. `xavier`: U(±√(6/(fan_in + fan_out))), biases 0
    (Glorot and Bengio 2010). `he`: N(0, 2 / fan_in), biases 0 (He et al. 2015). All are multiplied by `scale`.
    A convolution's fans are its channels times the size of its kernel.
    """
    rng = np.random.default_rng(seed)

    def uniform(limit: float) -> Draw:
        return lambda shape: rng.uniform(-limit, limit, shape)

    def normal(deviation: float) -> Draw:
        return lambda shape: rng.normal(0.0, deviation, shape)

    params = []
    for layer, shape in zip(network.layers, network.weight_shapes, strict=True):
        *kernel, channels_in, channels_out = shape
        fan_in, fan_out = prod(kernel) * channels_in, prod(kernel) * channels_out
        schemes: dict[Scheme, tuple[Draw, Draw]] = {
            "standard_normal": (rng.standard_normal, rng.standard_normal),
            "uniform": (uniform(1.0), uniform(1.0)),
            "xavier": (uniform(np.sqrt(6.0 / (fan_in + fan_out))), np.zeros),
            "he": (normal(np.sqrt(2.0 / fan_in)), np.zeros),
            "torch_default": (uniform(fan_in**-0.5), uniform(fan_in**-0.5)),
        }
        draw, draw_bias = schemes[scheme]
        weight = (scale * draw(shape)).astype(dtype)
        bias = (scale * draw_bias(shape[-1:])).astype(dtype) if layer.bias else None
        params.append(Layer(weight, bias))
    return tuple(params)


def batch_order(samples: int, epochs: int, seed: int) -> Int[np.ndarray, "epochs samples"]:
    """Draw a new permutation of the samples for every epoch."""
    rows = np.tile(np.arange(samples, dtype=np.int32), (epochs, 1))
    return np.random.default_rng(seed).permuted(rows, axis=1)
