"""The transformer in Equinox, which writes models for one sample."""

import equinox as eqx
import jax
import jax.numpy as jnp
from transformer import batch as inputs
from transformer import transformer as original


def rotary(x):
    """x: (steps, size), of one head."""
    steps, size = x.shape
    frequencies = 10000.0 ** (-jnp.arange(0, size, 2, dtype=x.dtype) / size)
    angles = jnp.outer(jnp.arange(steps, dtype=x.dtype), frequencies)
    angles = jnp.tile(angles, (1, 2))
    first, second = x[:, : size // 2], x[:, size // 2 :]
    rotated = jnp.concatenate([-second, first], axis=1)
    return x * jnp.cos(angles) + rotated * jnp.sin(angles)


class Attention(eqx.Module):
    query: eqx.nn.Linear
    key: eqx.nn.Linear
    value: eqx.nn.Linear
    out: eqx.nn.Linear
    heads: int = eqx.field(static=True)

    def __init__(self, width, heads, key):
        keys = jax.random.split(key, 4)
        self.query = eqx.nn.Linear(width, width, key=keys[0])
        self.key = eqx.nn.Linear(width, width, key=keys[1])
        self.value = eqx.nn.Linear(width, width, key=keys[2])
        self.out = eqx.nn.Linear(width, width, key=keys[3])
        self.heads = heads

    def head(self, q, k, v):
        q, k = rotary(q), rotary(k)
        scores = q @ k.T / jnp.sqrt(q.shape[-1])
        mask = jnp.tril(jnp.ones(scores.shape, dtype=bool))
        scores = jnp.where(mask, scores, jnp.finfo(scores.dtype).min)
        return jax.nn.softmax(scores, axis=-1) @ v

    def __call__(self, x):
        def project(layer):
            return jax.vmap(layer)(x).reshape(x.shape[0], self.heads, -1)

        q, k, v = project(self.query), project(self.key), project(self.value)
        y = jax.vmap(self.head, in_axes=1, out_axes=1)(q, k, v)
        return jax.vmap(self.out)(y.reshape(x.shape))


class Block(eqx.Module):
    norm1: eqx.nn.LayerNorm
    attention: Attention
    norm2: eqx.nn.LayerNorm
    up: eqx.nn.Linear
    down: eqx.nn.Linear

    def __init__(self, width, heads, key):
        k1, k2, k3 = jax.random.split(key, 3)
        self.norm1 = eqx.nn.LayerNorm(width, eps=1e-5)
        self.attention = Attention(width, heads, k1)
        self.norm2 = eqx.nn.LayerNorm(width, eps=1e-5)
        self.up = eqx.nn.Linear(width, 3 * width, key=k2)
        self.down = eqx.nn.Linear(3 * width, width, key=k3)

    def mlp(self, x):
        return self.down(jax.nn.gelu(self.up(x), approximate=False))

    def __call__(self, x):
        x = x + self.attention(jax.vmap(self.norm1)(x))
        return x + jax.vmap(self.mlp)(jax.vmap(self.norm2)(x))


class Transformer(eqx.Module):
    embed: eqx.nn.Embedding
    blocks: list[Block]
    norm: eqx.nn.LayerNorm
    head: eqx.nn.Linear

    def __init__(self, vocabulary, width, heads, layers, key):
        k1, k2, *keys = jax.random.split(key, 2 + layers)
        self.embed = eqx.nn.Embedding(vocabulary, width, key=k1)
        self.blocks = [Block(width, heads, k) for k in keys]
        self.norm = eqx.nn.LayerNorm(width, eps=1e-5)
        self.head = eqx.nn.Linear(width, vocabulary, use_bias=False, key=k2)

    def single(self, ids):
        x = jax.vmap(self.embed)(ids)
        for block in self.blocks:
            x = block(x)
        x = jax.vmap(self.norm)(x)
        return jax.vmap(self.head)(x)

    def __call__(self, ids):
        return jax.vmap(self.single)(ids)


def port(original):
    state = {name: jnp.asarray(value.numpy()) for name, value in original.state_dict().items()}
    model = Transformer(17, 12, 3, 2, jax.random.key(0))
    places, values = [], []

    def put(where, name, bias=True):
        places.append(lambda m: where(m).weight)
        values.append(state[name + ".weight"])
        if bias:
            places.append(lambda m: where(m).bias)
            values.append(state[name + ".bias"])

    put(lambda m: m.embed, "embed", bias=False)
    put(lambda m: m.norm, "norm")
    put(lambda m: m.head, "head", bias=False)
    for at in range(2):
        put(lambda m, at=at: m.blocks[at].norm1, f"blocks.{at}.norm1")
        put(lambda m, at=at: m.blocks[at].norm2, f"blocks.{at}.norm2")
        put(lambda m, at=at: m.blocks[at].up, f"blocks.{at}.up")
        put(lambda m, at=at: m.blocks[at].down, f"blocks.{at}.down")
        put(lambda m, at=at: m.blocks[at].attention.out, f"blocks.{at}.attention.out")
        weights = jnp.split(state[f"blocks.{at}.attention.qkv.weight"], 3)
        biases = jnp.split(state[f"blocks.{at}.attention.qkv.bias"], 3)
        for part, weight, bias in zip(("query", "key", "value"), weights, biases):
            places.append(lambda m, at=at, part=part: getattr(m.blocks[at].attention, part).weight)
            places.append(lambda m, at=at, part=part: getattr(m.blocks[at].attention, part).bias)
            values += [weight, bias]
    return eqx.tree_at(lambda m: [place(m) for place in places], model, values)
