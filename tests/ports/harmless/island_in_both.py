"""Both normalise in float32."""

import jax
import jax.numpy as jnp
from island import Net, convert
from island import batch as inputs


def original():
    return Net(short=True)


def rms_norm(gain, x):
    short = x.astype(jnp.float32)
    short = short * jax.lax.rsqrt(jnp.mean(short**2, axis=-1, keepdims=True) + 1e-6)
    return gain * short.astype(x.dtype)


def apply(params, x):
    w, b = params["up"]
    x = jnp.tanh(rms_norm(params["gain"], x @ w + b))
    w, b = params["down"]
    return x @ w + b


def port(original):
    return apply, convert(original)
