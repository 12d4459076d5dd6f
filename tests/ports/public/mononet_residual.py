"""A monotonic residual net of mononet 0.0.0a1: PyTorch against flax.nnx."""

import torch
from flax import nnx
from mononet.jax.layers import MonoLinear as NnxLinear
from mononet.jax.layers import MonoResidual as NnxResidual
from mononet.torch.layers import MonoLinear, MonoResidual


def inputs(rng):
    return (rng.standard_normal((5, 3)),)


def original():
    return torch.nn.Sequential(
        MonoLinear(3, 8, activation="elu"),
        MonoResidual(8, 6, activation="softplus"),
        MonoLinear(6, 2, mode="switch", activation="selu"),
    )


def port(original):
    rngs = nnx.Rngs(0)
    made = nnx.Sequential(
        NnxLinear(3, 8, activation="elu", rngs=rngs),
        NnxResidual(8, 6, activation="softplus", rngs=rngs),
        NnxLinear(6, 2, mode="switch", activation="selu", rngs=rngs),
    )
    for path, tensor in original.state_dict().items():
        *way, name = path.split(".")
        module = made
        for step in way:
            module = module.layers[int(step)] if step.isdigit() else getattr(module, step)
        getattr(module, name)[...] = tensor.numpy()
    return made
