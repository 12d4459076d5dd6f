"""The transformer in flax.nnx."""

import jax
import jax.numpy as jnp
from flax import nnx
from transformer import batch as inputs
from transformer import transformer as original


def rope(x, theta=10000.0):
    """x: (batch, heads, steps, size)"""
    half = x.shape[-1] // 2
    freqs = 1.0 / theta ** (jnp.arange(half, dtype=x.dtype) / half)
    position = jnp.arange(x.shape[-2], dtype=x.dtype)
    angle = position[:, None] * freqs[None, :]
    cos, sin = jnp.cos(angle), jnp.sin(angle)
    a, b = x[..., :half], x[..., half:]
    return jnp.concatenate([a * cos - b * sin, b * cos + a * sin], axis=-1)


class Attention(nnx.Module):
    def __init__(self, width, heads, rngs):
        self.heads = heads
        self.qkv = nnx.Linear(width, 3 * width, rngs=rngs)
        self.out = nnx.Linear(width, width, rngs=rngs)

    def split_heads(self, x):
        x = x.reshape(*x.shape[:2], self.heads, -1)
        return x.transpose(0, 2, 1, 3)

    def __call__(self, x):
        q, k, v = jnp.split(self.qkv(x), 3, axis=-1)
        q = rope(self.split_heads(q))
        k = rope(self.split_heads(k))
        v = self.split_heads(v)
        scores = q @ k.swapaxes(-1, -2) * q.shape[-1] ** -0.5
        steps = x.shape[1]
        visible = jnp.tril(jnp.ones((steps, steps), bool))
        weights = jax.nn.softmax(scores, axis=-1, where=visible)
        y = (weights @ v).transpose(0, 2, 1, 3)
        return self.out(y.reshape(x.shape))


class Block(nnx.Module):
    def __init__(self, width, heads, rngs):
        self.norm1 = nnx.LayerNorm(width, epsilon=1e-5, rngs=rngs)
        self.attention = Attention(width, heads, rngs)
        self.norm2 = nnx.LayerNorm(width, epsilon=1e-5, rngs=rngs)
        self.up = nnx.Linear(width, 3 * width, rngs=rngs)
        self.down = nnx.Linear(3 * width, width, rngs=rngs)
        self.drop = nnx.Dropout(0.1, rngs=rngs)

    def __call__(self, x):
        x = x + self.drop(self.attention(self.norm1(x)))
        y = nnx.gelu(self.up(self.norm2(x)), approximate=False)
        return x + self.drop(self.down(y))


class Transformer(nnx.Module):
    def __init__(self, vocabulary, width, heads, layers, rngs):
        self.embed = nnx.Embed(vocabulary, width, rngs=rngs)
        self.blocks = nnx.List([Block(width, heads, rngs) for _ in range(layers)])
        self.norm = nnx.LayerNorm(width, epsilon=1e-5, rngs=rngs)
        self.head = nnx.Linear(width, vocabulary, use_bias=False, rngs=rngs)

    def __call__(self, ids):
        x = self.embed(ids)
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))


def port(original):
    weights = {name: jnp.asarray(value.numpy()) for name, value in original.state_dict().items()}
    model = Transformer(17, 12, 3, 2, nnx.Rngs(0))

    def linear(layer, name):
        layer.kernel.value = weights[name + ".weight"].T
        if name + ".bias" in weights:
            layer.bias.value = weights[name + ".bias"]

    def norm(layer, name):
        layer.scale.value = weights[name + ".weight"]
        layer.bias.value = weights[name + ".bias"]

    model.embed.embedding.value = weights["embed.weight"]
    for at, block in enumerate(model.blocks):
        norm(block.norm1, f"blocks.{at}.norm1")
        norm(block.norm2, f"blocks.{at}.norm2")
        linear(block.attention.qkv, f"blocks.{at}.attention.qkv")
        linear(block.attention.out, f"blocks.{at}.attention.out")
        linear(block.up, f"blocks.{at}.up")
        linear(block.down, f"blocks.{at}.down")
    norm(model.norm, "norm")
    linear(model.head, "head")
    return model
