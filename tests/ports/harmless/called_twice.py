"""One layer is called twice, on its own output."""

import jax.numpy as jnp
import torch
from flax import nnx
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(5, 5)
        self.norm = nn.LayerNorm(5)

    def forward(self, x):
        for _ in range(2):
            x = x + torch.tanh(self.layer(self.norm(x)))
        return x


def inputs(rng):
    return {"x": rng.normal(size=(4, 5))}


def original():
    torch.manual_seed(0)
    return Net()


class Port(nnx.Module):
    def __init__(self, rngs):
        self.layer = nnx.Linear(5, 5, rngs=rngs)
        self.norm = nnx.LayerNorm(5, epsilon=1e-5, rngs=rngs)

    def __call__(self, x):
        x = x + jnp.tanh(self.layer(self.norm(x)))
        return x + jnp.tanh(self.layer(self.norm(x)))


def port(original):
    w = {name: jnp.asarray(value.numpy()) for name, value in original.state_dict().items()}
    net = Port(nnx.Rngs(0))
    net.layer.kernel.value, net.layer.bias.value = w["layer.weight"].T, w["layer.bias"]
    net.norm.scale.value, net.norm.bias.value = w["norm.weight"], w["norm.bias"]
    return net
