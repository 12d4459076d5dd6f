"""The original makes its rotary table in float32, when it is built; the port in the format of its inputs."""

import jax.numpy as jnp
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, size=8):
        super().__init__()
        self.proj = nn.Linear(size, size)
        frequencies = 10000.0 ** (-torch.arange(0, size, 2).float() / size)
        angles = torch.outer(torch.arange(12).float(), frequencies)
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)

    def forward(self, x):
        a, b = self.proj(x).chunk(2, dim=-1)
        cos, sin = self.cos[: x.shape[1]], self.sin[: x.shape[1]]
        return torch.cat((a * cos - b * sin, b * cos + a * sin), dim=-1)


def inputs(rng):
    return {"x": rng.normal(size=(2, 7, 8))}


def original():
    torch.manual_seed(0)
    return Net()


def apply(params, x):
    steps, size = x.shape[1:]
    frequencies = 10000.0 ** (-jnp.arange(0, size, 2, dtype=x.dtype) / size)
    angles = jnp.arange(steps, dtype=x.dtype)[:, None] * frequencies
    cos, sin = jnp.cos(angles), jnp.sin(angles)
    a, b = jnp.split(x @ params["w"] + params["b"], 2, axis=-1)
    return jnp.concatenate([a * cos - b * sin, b * cos + a * sin], axis=-1)


def port(original):
    w = {name: jnp.asarray(value.numpy()) for name, value in original.state_dict().items()}
    return apply, {"w": w["proj.weight"].T, "b": w["proj.bias"]}
