"""The transformer in flax.linen."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from transformer import batch as inputs
from transformer import transformer as original


def rotate_half(x):
    x1, x2 = jnp.split(x, 2, axis=-1)
    return jnp.concatenate([-x2, x1], axis=-1)


def rotary(x, base=10000.0):
    """x: (batch, steps, heads, size)."""
    steps, size = x.shape[1], x.shape[-1]
    frequencies = base ** (-jnp.arange(0, size, 2, dtype=x.dtype) / size)
    angles = jnp.arange(steps, dtype=x.dtype)[:, None] * frequencies
    angles = jnp.concatenate([angles, angles], axis=-1)[:, None, :]
    return x * jnp.cos(angles) + rotate_half(x) * jnp.sin(angles)


class Attention(nn.Module):
    heads: int

    @nn.compact
    def __call__(self, x):
        width = x.shape[-1]
        shape = (self.heads, width // self.heads)
        q = nn.DenseGeneral(shape, name="query")(x)
        k = nn.DenseGeneral(shape, name="key")(x)
        v = nn.DenseGeneral(shape, name="value")(x)
        q, k = rotary(q), rotary(k)
        scores = jnp.einsum("bqhd,bkhd->bhqk", q, k) / jnp.sqrt(shape[1])
        mask = nn.make_causal_mask(jnp.ones(x.shape[:2]))
        scores = jnp.where(mask, scores, -jnp.inf)
        weights = nn.softmax(scores, axis=-1)
        y = jnp.einsum("bhqk,bkhd->bqhd", weights, v)
        return nn.DenseGeneral(width, axis=(-2, -1), name="out")(y)


class Block(nn.Module):
    heads: int

    @nn.compact
    def __call__(self, x, deterministic):
        drop = nn.Dropout(0.1, deterministic=deterministic)
        y = nn.LayerNorm(epsilon=1e-5, name="norm1")(x)
        x = x + drop(Attention(self.heads, name="attention")(y))
        y = nn.LayerNorm(epsilon=1e-5, name="norm2")(x)
        y = nn.Dense(3 * x.shape[-1], name="up")(y)
        y = nn.gelu(y, approximate=False)
        y = nn.Dense(x.shape[-1], name="down")(y)
        return x + drop(y)


class Transformer(nn.Module):
    vocabulary: int = 17
    width: int = 12
    heads: int = 3
    layers: int = 2

    @nn.compact
    def __call__(self, ids, deterministic: bool = True):
        x = nn.Embed(self.vocabulary, self.width, name="embed")(ids)
        for layer in range(self.layers):
            x = Block(self.heads, name=f"block{layer}")(x, deterministic)
        x = nn.LayerNorm(epsilon=1e-5, name="norm")(x)
        return nn.Dense(self.vocabulary, use_bias=False, name="head")(x)


def dense(state, name):
    return {"kernel": state[name + ".weight"].T, "bias": state[name + ".bias"]}


def norm(state, name):
    return {"scale": state[name + ".weight"], "bias": state[name + ".bias"]}


def convert_attention(state, name, heads):
    weights = jnp.split(state[name + ".qkv.weight"], 3)
    biases = jnp.split(state[name + ".qkv.bias"], 3)
    width = weights[0].shape[1]
    params = {}
    for part, weight, bias in zip(("query", "key", "value"), weights, biases):
        kernel = weight.T.reshape(width, heads, -1)
        params[part] = {"kernel": kernel, "bias": bias.reshape(heads, -1)}
    out = state[name + ".out.weight"].T.reshape(heads, -1, width)
    params["out"] = {"kernel": out, "bias": state[name + ".out.bias"]}
    return params


def port(original):
    state = {name: jnp.asarray(value.numpy()) for name, value in original.state_dict().items()}
    model = Transformer()
    params = {
        "embed": {"embedding": state["embed.weight"]},
        "norm": norm(state, "norm"),
        "head": {"kernel": state["head.weight"].T},
    }
    for layer in range(model.layers):
        name = f"blocks.{layer}"
        params[f"block{layer}"] = {
            "norm1": norm(state, name + ".norm1"),
            "attention": convert_attention(state, name + ".attention", model.heads),
            "norm2": norm(state, name + ".norm2"),
            "up": dense(state, name + ".up"),
            "down": dense(state, name + ".down"),
        }
    return model, {"params": params}
