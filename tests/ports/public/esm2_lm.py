"""ESM-2 of fair-esm 2.0.0 against esm2quinox 0.2.0 (equinox), with the weights that it converts."""

import equinox as eqx
import esm
import esm2quinox
import jax
from torch import nn


class Batch(nn.Module):
    """The model's hidden state and its logits; the port returns the same two."""

    def __init__(self):
        super().__init__()
        self.esm = esm.ESM2(num_layers=2, embed_dim=16, attention_heads=2)

    def forward(self, tokens):
        found = self.esm(tokens, repr_layers=[2])
        return {"hidden": found["representations"][2], "logits": found["logits"]}


class Rows(eqx.Module):
    esm: esm2quinox.ESM2

    def __call__(self, tokens):
        found = jax.vmap(self.esm)(tokens)
        return {"hidden": found.hidden, "logits": found.logits}


def inputs(rng):
    tokens = rng.integers(4, 24, (2, 7))
    tokens[:, 0], tokens[0, -1], tokens[1, 3] = 0, 2, 32  # begin, end, a mask
    return (tokens,)


def original():
    return Batch()


def port(original):
    return Rows(esm2quinox.from_torch(original.esm))
