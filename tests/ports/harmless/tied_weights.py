"""One matrix encodes and, transposed, decodes."""

import equinox as eqx
import jax
import jax.numpy as jnp
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.encode = nn.Linear(6, 4)
        self.bias = nn.Parameter(torch.zeros(6))

    def forward(self, x):
        return torch.tanh(self.encode(x)) @ self.encode.weight + self.bias


def inputs(rng):
    return {"x": rng.normal(size=(5, 6))}


def original():
    torch.manual_seed(0)
    return Net()


class Port(eqx.Module):
    shared: eqx.nn.Shared

    def __call__(self, x):
        encode, decode = self.shared()
        hidden = jnp.tanh(jax.vmap(encode)(x))
        return jax.vmap(decode)(hidden)


def port(original):
    w = {name: jnp.asarray(value.numpy()) for name, value in original.state_dict().items()}
    key = jax.random.key(0)
    encode, decode = eqx.nn.Linear(6, 4, key=key), eqx.nn.Linear(4, 6, key=key)
    encode = eqx.tree_at(
        lambda m: (m.weight, m.bias), encode, (w["encode.weight"], w["encode.bias"])
    )
    decode = eqx.tree_at(lambda m: m.bias, decode, w["bias"])
    shared = eqx.nn.Shared(
        (encode, decode), where=lambda pair: pair[1].weight, get=lambda pair: pair[0].weight.T
    )
    return Port(shared)
