"""The forecaster in plain JAX."""

import jax
import jax.numpy as jnp
from rnn import forecaster as original
from rnn import series as inputs


def lstm(p, x):
    """x: (batch, time, features); returns all hidden states."""
    hidden = p["w_hh"].shape[0]
    h = c = jnp.zeros((x.shape[0], hidden), x.dtype)
    states = []
    for t in range(x.shape[1]):
        gates = x[:, t] @ p["w_ih"] + h @ p["w_hh"] + p["b"]
        i, f, g, o = jnp.split(gates, 4, axis=-1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
        states.append(h)
    return jnp.stack(states, axis=1)


def layer_norm(p, x, eps=1e-5):
    mean = x.mean(-1, keepdims=True)
    var = x.var(-1, keepdims=True)
    return (x - mean) / jnp.sqrt(var + eps) * p["scale"] + p["bias"]


def forward(params, x):
    h = lstm(params["lower"], x)
    h = lstm(params["upper"], h)
    h = layer_norm(params["norm"], h[:, -1])
    return x[:, -1] + h @ params["head"]["w"] + params["head"]["b"]


def port(original):
    w = {name: jnp.asarray(value.numpy()) for name, value in original.state_dict().items()}
    params = {}
    for layer, name in enumerate(("lower", "upper")):
        params[name] = {
            "w_ih": w[f"lstm.weight_ih_l{layer}"].T,
            "w_hh": w[f"lstm.weight_hh_l{layer}"].T,
            "b": w[f"lstm.bias_ih_l{layer}"] + w[f"lstm.bias_hh_l{layer}"],
        }
    params["norm"] = {"scale": w["norm.weight"], "bias": w["norm.bias"]}
    params["head"] = {"w": w["head.weight"].T, "b": w["head.bias"]}
    return forward, params
