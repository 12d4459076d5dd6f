"""The bias of the key projection has no gradient: softmax does not see what is added to all keys."""

import torch
from torch import nn
import jax
import jax.numpy as jnp


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(6, 6) for _ in range(3))

    def forward(self, x):
        scores = self.query(x) @ self.key(x).transpose(-2, -1) / 6**0.5
        return scores.softmax(-1) @ self.value(x)


def inputs(rng):
    return {"x": rng.normal(size=(2, 5, 6))}


def original():
    torch.manual_seed(0)
    return Attention()


def apply(params, x):
    def dense(name):
        return x @ params[name]["w"] + params[name]["b"]

    scores = dense("query") @ dense("key").swapaxes(-1, -2) / jnp.sqrt(6)
    return jax.nn.softmax(scores, axis=-1) @ dense("value")


def port(original):
    return apply, {
        name: {
            "w": jnp.asarray(layer.weight.detach().numpy().T),
            "b": jnp.asarray(layer.bias.detach().numpy()),
        }
        for name, layer in original.named_children()
    }
