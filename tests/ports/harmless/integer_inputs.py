"""All inputs are integers: tokens, and segments that are used as they are."""

import haiku as hk
import jax.numpy as jnp
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.words, self.segments = nn.Embedding(9, 4), nn.Embedding(2, 4)
        self.head = nn.Linear(4, 3)

    def forward(self, ids, segments):
        return self.head(self.words(ids) * (1 + segments[..., None]) + self.segments(segments))


def inputs(rng):
    return {"ids": rng.integers(0, 9, (3, 4)), "segments": rng.integers(0, 2, (3, 4))}


def original():
    torch.manual_seed(0)
    return Net()


def net(ids, segments):
    words = hk.Embed(9, 4, name="words")(ids)
    x = words * (1 + segments[..., None]) + hk.Embed(2, 4, name="segments")(segments)
    return hk.Linear(3, name="head")(x)


def port(original):
    w = {name: jnp.asarray(value.numpy()) for name, value in original.state_dict().items()}
    return hk.transform(net), {
        "words": {"embeddings": w["words.weight"]},
        "segments": {"embeddings": w["segments.weight"]},
        "head": {"w": w["head.weight"].T, "b": w["head.bias"]},
    }
