"""Many units are exactly 0 before ReLU: rows of the input are 0, and there is no bias."""

import torch
from torch import nn
import jax
import jax.numpy as jnp


def inputs(rng):
    x = rng.normal(size=(6, 5))
    x[1::3] = 0
    return {"x": x}


def original():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 7, bias=False), nn.ReLU(), nn.Linear(7, 3))


def apply(params, x):
    return jax.nn.relu(x @ params["w1"]) @ params["w2"] + params["b2"]


def port(original):
    w1, w2, b2 = (jnp.asarray(p.detach().numpy()) for p in original.parameters())
    return apply, {"w1": w1.T, "w2": w2.T, "b2": b2}
