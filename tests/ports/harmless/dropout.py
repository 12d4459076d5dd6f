"""Dropout of every kind of rate, which is switched off in train mode too: no two frameworks draw alike."""

import flax.linen as nn
import jax.numpy as jnp
import torch


def inputs(rng):
    return {"x": rng.normal(size=(4, 5))}


def original():
    torch.manual_seed(0)
    layers = torch.nn.Linear(5, 8), torch.nn.ReLU(), torch.nn.Dropout(0.5), torch.nn.Linear(8, 3)
    return torch.nn.Sequential(torch.nn.Dropout(0.1), *layers)


class Port(nn.Module):
    @nn.compact
    def __call__(self, x, deterministic=True):
        x = nn.Dropout(0.1)(x, deterministic=deterministic)
        x = nn.relu(nn.Dense(8, name="one")(x))
        x = nn.Dropout(0.5)(x, deterministic=deterministic)
        return nn.Dense(3, name="two")(x)


def port(original):
    w1, b1, w2, b2 = (jnp.asarray(p.detach().numpy()) for p in original.parameters())
    return Port(), {
        "params": {"one": {"kernel": w1.T, "bias": b1}, "two": {"kernel": w2.T, "bias": b2}}
    }
