"""The tagger in plain JAX."""

import jax
import jax.numpy as jnp
from rnn import tagger as original
from rnn import tokens as inputs


def gru_cell(p, h, x):
    x_r, x_z, x_n = jnp.split(p["w_ih"] @ x + p["b_ih"], 3)
    h_r, h_z, h_n = jnp.split(p["w_hh"] @ h + p["b_hh"], 3)
    r = jax.nn.sigmoid(x_r + h_r)
    z = jax.nn.sigmoid(x_z + h_z)
    n = jnp.tanh(x_n + r * h_n)
    return (1 - z) * n + z * h


def tag(params, ids):
    def step(h, x):
        h = gru_cell(params["gru"], h, x)
        return h, h

    x = params["embed"][ids]
    start = jnp.zeros(params["gru"]["w_hh"].shape[1], x.dtype)
    _, states = jax.lax.scan(step, start, x)
    logits = states @ params["head"]["w"].T + params["head"]["b"]
    return logits - jax.nn.logsumexp(logits, axis=-1, keepdims=True)


def forward(params, ids):
    return jax.vmap(tag, in_axes=(None, 0))(params, ids)


def port(original):
    w = {name: jnp.asarray(value.numpy()) for name, value in original.state_dict().items()}
    params = {
        "embed": w["embed.weight"],
        "gru": {
            "w_ih": w["gru.weight_ih_l0"],
            "w_hh": w["gru.weight_hh_l0"],
            "b_ih": w["gru.bias_ih_l0"],
            "b_hh": w["gru.bias_hh_l0"],
        },
        "head": {"w": w["head.weight"], "b": w["head.bias"]},
    }
    return forward, params
