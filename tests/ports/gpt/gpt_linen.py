"""The GPT in flax.linen, with nn.MultiHeadDotProductAttention."""

import flax.linen as nn
import jax.numpy as jnp
import optax
import torch
from gpt import batch as inputs
from gpt import gpt as original
from gpt import next_token_loss as original_loss


class Block(nn.Module):
    width: int
    heads: int

    def setup(self):
        self.ln_1 = nn.LayerNorm(epsilon=1e-5)
        self.attn = nn.MultiHeadDotProductAttention(self.heads)
        self.ln_2 = nn.LayerNorm(epsilon=1e-5)
        self.c_fc = nn.Dense(4 * self.width)
        self.c_proj = nn.Dense(self.width)

    def __call__(self, x, mask):
        x = x + self.attn(self.ln_1(x), mask=mask)
        h = nn.gelu(self.c_fc(self.ln_2(x)))
        return x + self.c_proj(h)


class GPT(nn.Module):
    vocabulary: int = 19
    context: int = 8
    width: int = 10
    heads: int = 2
    layers: int = 2

    def setup(self):
        self.wte = nn.Embed(self.vocabulary, self.width)
        self.wpe = nn.Embed(self.context, self.width)
        self.h = [Block(self.width, self.heads) for _ in range(self.layers)]
        self.ln_f = nn.LayerNorm(epsilon=1e-5)

    def __call__(self, ids):
        positions = jnp.arange(ids.shape[1])
        x = self.wte(ids) + self.wpe(positions)
        mask = nn.make_causal_mask(ids)
        for block in self.h:
            x = block(x, mask)
        return self.wte.attend(self.ln_f(x))


def convert(state, heads=2, layers=2):
    width = state["wte.weight"].shape[1]

    def norm(name):
        return {"scale": state[f"{name}.weight"], "bias": state[f"{name}.bias"]}

    def dense(name):
        return {"kernel": state[f"{name}.weight"].T, "bias": state[f"{name}.bias"]}

    params = {
        "wte": {"embedding": state["wte.weight"]},
        "wpe": {"embedding": state["wpe.weight"]},
        "ln_f": norm("ln_f"),
    }
    for layer in range(layers):
        kernel = state[f"h.{layer}.attn.c_attn.weight"].T
        bias = state[f"h.{layer}.attn.c_attn.bias"]
        attn = {}
        for at, part in enumerate(("query", "key", "value")):
            columns = slice(at * width, (at + 1) * width)
            attn[part] = {
                "kernel": kernel[:, columns].reshape(width, heads, width // heads),
                "bias": bias[columns].reshape(heads, width // heads),
            }
        out = dense(f"h.{layer}.attn.c_proj")
        out["kernel"] = out["kernel"].reshape(heads, width // heads, width)
        attn["out"] = out
        params[f"h_{layer}"] = {
            "ln_1": norm(f"h.{layer}.ln_1"),
            "attn": attn,
            "ln_2": norm(f"h.{layer}.ln_2"),
            "c_fc": dense(f"h.{layer}.c_fc"),
            "c_proj": dense(f"h.{layer}.c_proj"),
        }
    return {"params": params}


def port(original):
    state = {name: jnp.asarray(value.numpy()) for name, value in original.state_dict().items()}
    return GPT(), convert(state)


def port_loss(logits, batch):
    ids = batch["ids"]
    losses = optax.softmax_cross_entropy_with_integer_labels(logits[:, :-1], ids[:, 1:])
    return losses.mean()


def optimizers():
    def original(parameters):
        return torch.optim.AdamW(parameters, lr=3e-4, betas=(0.9, 0.95), weight_decay=0.1)

    return original, optax.adamw(3e-4, b1=0.9, b2=0.95, eps=1e-8, weight_decay=0.1)
