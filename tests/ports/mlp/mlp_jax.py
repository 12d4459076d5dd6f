"""The MLP in plain JAX: function, parameters, and the state of its batch normalisation."""

import jax
import jax.numpy as jnp
from mlp import batch as inputs
from mlp import original_net as original


def linear(p, x):
    return x @ p["w"] + p["b"]


def batch_norm(p, stats, x, train):
    if train:
        mean = jnp.mean(x, axis=0)
        var = jnp.mean((x - mean) ** 2, axis=0)
        n = x.shape[0]
        stats = {
            "mean": 0.9 * stats["mean"] + 0.1 * mean,
            "var": 0.9 * stats["var"] + 0.1 * var * n / (n - 1),
        }
    else:
        mean, var = stats["mean"], stats["var"]
    return p["gamma"] * (x - mean) / jnp.sqrt(var + 1e-5) + p["beta"], stats


def forward(params, state, x, train=False):
    new = {}
    x = linear(params["fc1"], x)
    x, new["bn1"] = batch_norm(params["bn1"], state["bn1"], x, train)
    x = 0.5 * x * (1 + jax.lax.erf(x / jnp.sqrt(2.0)))
    y = linear(params["fc2"], x)
    y, new["bn2"] = batch_norm(params["bn2"], state["bn2"], y, train)
    x = x + jnp.where(y > 0, y, 0.1 * y)
    logits = linear(params["head"], x)
    logits = logits - jax.scipy.special.logsumexp(logits, axis=1, keepdims=True)
    return logits, new


def port(original):
    weights = {name: value.numpy() for name, value in original.state_dict().items()}
    params, stats = {}, {}
    for name in ("fc1", "fc2", "head"):
        params[name] = {"w": weights[name + ".weight"].T, "b": weights[name + ".bias"]}
    for name in ("bn1", "bn2"):
        params[name] = {"gamma": weights[name + ".weight"], "beta": weights[name + ".bias"]}
        stats[name] = {
            "mean": weights[name + ".running_mean"],
            "var": weights[name + ".running_var"],
        }
    params, stats = jax.tree.map(jnp.asarray, (params, stats))
    return forward, params, stats
