"""The transformer in plain JAX."""

import jax
import jax.numpy as jnp
from transformer import batch as inputs
from transformer import transformer as original

HEADS = 3


def layer_norm(p, x):
    mean = jnp.mean(x, axis=-1, keepdims=True)
    var = jnp.mean(jnp.square(x - mean), axis=-1, keepdims=True)
    return (x - mean) * jax.lax.rsqrt(var + 1e-5) * p["scale"] + p["bias"]


def linear(p, x):
    return jnp.einsum("bti,oi->bto", x, p["w"]) + p["b"]


def rope_tables(steps, size, dtype):
    frequencies = jnp.exp(-jnp.log(10000.0) * jnp.arange(0, size, 2, dtype=dtype) / size)
    angles = jnp.arange(steps, dtype=dtype)[:, None] * frequencies
    return jnp.cos(angles), jnp.sin(angles)


def rotate(x, cos, sin):
    a, b = jnp.split(x, 2, axis=-1)
    return jnp.concatenate([a * cos - b * sin, b * cos + a * sin], axis=-1)


def attention(p, x):
    batch, steps, width = x.shape
    size = width // HEADS
    qkv = linear(p["qkv"], x).reshape(batch, steps, 3, HEADS, size)
    q, k, v = jnp.moveaxis(qkv, (2, 3), (0, 2))
    cos, sin = rope_tables(steps, size, x.dtype)
    q, k = rotate(q, cos, sin), rotate(k, cos, sin)
    scores = jnp.einsum("bhqd,bhkd->bhqk", q, k) / size**0.5
    future = jnp.triu(jnp.ones((steps, steps), bool), k=1)
    scores = jnp.where(future, -jnp.inf, scores)
    weights = jax.nn.softmax(scores, axis=-1)
    y = jnp.einsum("bhqk,bhkd->bqhd", weights, v)
    return linear(p["out"], y.reshape(batch, steps, width))


def mlp(p, x):
    return linear(p["down"], jax.nn.gelu(linear(p["up"], x), approximate=False))


def block(p, x):
    x = x + attention(p["attention"], layer_norm(p["norm1"], x))
    x = x + mlp(p["mlp"], layer_norm(p["norm2"], x))
    return x


def forward(params, ids):
    x = params["embed"][ids]
    for p in params["blocks"]:
        x = block(p, x)
    x = layer_norm(params["norm"], x)
    return x @ params["head"].T


def port(original):
    state = {name: jnp.asarray(value.numpy()) for name, value in original.state_dict().items()}

    def take(name, weight="w", bias="b"):
        return {weight: state[name + ".weight"], bias: state[name + ".bias"]}

    def take_block(name):
        return {
            "norm1": take(name + ".norm1", "scale", "bias"),
            "attention": {
                "qkv": take(name + ".attention.qkv"),
                "out": take(name + ".attention.out"),
            },
            "norm2": take(name + ".norm2", "scale", "bias"),
            "mlp": {"up": take(name + ".up"), "down": take(name + ".down")},
        }

    return forward, {
        "embed": state["embed.weight"],
        "blocks": [take_block("blocks.0"), take_block("blocks.1")],
        "norm": take("norm", "scale", "bias"),
        "head": state["head.weight"],
    }
