"""What the pairs with a float32 island share: an RMS norm between two layers."""

import jax
import jax.numpy as jnp
import numpy as np
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, short):
        super().__init__()
        self.up, self.down = nn.Linear(6, 8), nn.Linear(8, 6)
        self.gain = nn.Parameter(torch.ones(8))
        self.short = short

    def norm(self, x):
        kind = x.dtype
        if self.short:
            x = x.to(torch.float32)
        x = x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6)
        return self.gain * x.to(kind)

    def forward(self, x):
        return self.down(torch.tanh(self.norm(self.up(x))))


def batch(rng):
    return {"x": rng.normal(size=(4, 6))}


def convert(original):
    w = {name: jnp.asarray(value.numpy()) for name, value in original.state_dict().items()}
    return {
        "up": (w["up.weight"].T, w["up.bias"]),
        "gain": w["gain"],
        "down": (w["down.weight"].T, w["down.bias"]),
    }
