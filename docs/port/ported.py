"""The port: the same transformer in JAX, with four mistakes."""

import jax
import jax.numpy as jnp

HEADS = 4


def norm(params, x):
    mean = x.mean(-1, keepdims=True)
    variance = ((x - mean) ** 2).mean(-1, keepdims=True)
    x = (x - mean) / jnp.sqrt(variance + 1e-6)
    return x * params["weight"] + params["bias"]


def linear(params, x):
    return x @ params["weight"] + params["bias"]


def attend(q, k, v):
    q, k, v = (t.reshape(*t.shape[:2], HEADS, -1).swapaxes(1, 2) for t in (q, k, v))
    scores = q @ k.mT / (q.shape[-1] * HEADS) ** 0.5
    later = jnp.triu(jnp.ones(scores.shape[-2:], bool), 1)
    weights = jax.nn.softmax(jnp.where(later, -jnp.inf, scores))
    y = (weights @ v).swapaxes(1, 2)
    return y.reshape(*y.shape[:2], -1)


def block(params, x):
    q, k, v = jnp.split(linear(params["qkv"], norm(params["norm1"], x)), 3, axis=-1)
    x = x + linear(params["out"], attend(q, k, v))
    hidden = jax.nn.gelu(linear(params["up"], norm(params["norm2"], x)))
    return x + linear(params["down"], hidden)


def transformer(params, ids):
    x = params["words"][ids] + params["positions"][: ids.shape[1]]
    for one in params["blocks"]:
        x = block(one, x)
    return norm(params["norm"], x) @ params["words"].T


def convert(state):
    """Return the parameters of a torch state_dict."""

    def of(name):
        return {"weight": array(f"{name}.weight"), "bias": array(f"{name}.bias")}

    def array(name):
        value = jnp.asarray(state[name].numpy())
        square = value.ndim == 2 and value.shape[0] == value.shape[1]
        is_linear = value.ndim == 2 and not square and name.startswith("blocks")
        return value.T if is_linear else value  # torch has (out, in)

    layers = ("norm1", "qkv", "out", "norm2", "up", "down")
    count = sum(name.endswith("qkv.bias") for name in state)
    return {
        "words": array("words.weight"),
        "positions": array("positions"),
        "blocks": [{layer: of(f"blocks.{n}.{layer}") for layer in layers} for n in range(count)],
        "norm": of("norm"),
    }
