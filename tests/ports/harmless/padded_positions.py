"""At padded positions the two differ; the loss does not see them."""

import jax
import jax.numpy as jnp
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(9, 6)
        self.query, self.key, self.value = (nn.Linear(6, 6) for _ in range(3))
        self.head = nn.Linear(6, 9)

    def forward(self, ids, lengths):
        x = self.embed(ids)
        padded = torch.arange(ids.shape[1]) >= lengths[:, None]
        scores = self.query(x) @ self.key(x).transpose(1, 2) / 6**0.5
        scores = scores.masked_fill(padded[:, None, :], float("-inf"))
        x = scores.softmax(-1) @ self.value(x)
        x = x.masked_fill(padded[:, :, None], 0.0)
        return self.head(x)


def inputs(rng):
    return {"ids": rng.integers(0, 9, (3, 5)), "lengths": rng.permutation([3, 5, 2])}


def original():
    torch.manual_seed(0)
    return Net()


def apply(params, ids, lengths):
    x = params["embed"][ids]
    seen = jnp.arange(ids.shape[1]) < lengths[:, None]
    q, k, v = (x @ params[name]["w"] + params[name]["b"] for name in ("query", "key", "value"))
    scores = jnp.einsum("bqd,bkd->bqk", q, k) / jnp.sqrt(6)
    scores = jnp.where(seen[:, None, :], scores, -jnp.inf)
    x = jax.nn.softmax(scores, axis=-1) @ v
    return x @ params["head"]["w"] + params["head"]["b"]


def port(original):
    params = {"embed": jnp.asarray(original.embed.weight.detach().numpy())}
    for name in ("query", "key", "value", "head"):
        layer = getattr(original, name)
        params[name] = {
            "w": jnp.asarray(layer.weight.detach().numpy().T),
            "b": jnp.asarray(layer.bias.detach().numpy()),
        }
    return apply, params


def original_loss(logits, batch):
    seen = torch.arange(logits.shape[1]) < batch["lengths"][:, None]
    losses = nn.functional.cross_entropy(logits.transpose(1, 2), batch["ids"], reduction="none")
    return (losses * seen).sum() / seen.sum()


def port_loss(logits, batch):
    seen = jnp.arange(logits.shape[1]) < batch["lengths"][:, None]
    log_p = jax.nn.log_softmax(logits, axis=-1)
    losses = -jnp.take_along_axis(log_p, batch["ids"][:, :, None], axis=-1)[..., 0]
    return (losses * seen).sum() / seen.sum()
