"""The MLP in Haiku; batch normalisation with an unbiased running variance."""

import haiku as hk
import jax
import jax.numpy as jnp
from mlp import batch as inputs
from mlp import original_net as original


class BatchNorm(hk.Module):
    def __call__(self, x, is_training):
        shape = x.shape[-1:]
        scale = hk.get_parameter("scale", shape, init=jnp.ones)
        offset = hk.get_parameter("offset", shape, init=jnp.zeros)
        moving_mean = hk.get_state("mean", shape, init=jnp.zeros)
        moving_var = hk.get_state("var", shape, init=jnp.ones)
        if is_training:
            mean, var = jnp.mean(x, axis=0), jnp.var(x, axis=0)
            hk.set_state("mean", 0.9 * moving_mean + 0.1 * mean)
            hk.set_state("var", 0.9 * moving_var + 0.1 * jnp.var(x, axis=0, ddof=1))
        else:
            mean, var = moving_mean, moving_var
        return (x - mean) * scale * jax.lax.rsqrt(var + 1e-5) + offset


def net(x, is_training=False):
    features = x.shape[-1]
    x = hk.Linear(10, name="fc1")(x)
    x = jax.nn.gelu(BatchNorm(name="bn1")(x, is_training), approximate=False)
    y = hk.Linear(10, name="fc2")(x)
    y = BatchNorm(name="bn2")(y, is_training)
    x = x + jax.nn.leaky_relu(y, 0.1)
    x = hk.Linear(features, name="head")(x)
    return jax.nn.log_softmax(x)


def port(original):
    weights = {name: jnp.asarray(value.numpy()) for name, value in original.state_dict().items()}
    params = {
        name: {"w": weights[f"{name}.weight"].T, "b": weights[f"{name}.bias"]}
        for name in ("fc1", "fc2", "head")
    }
    state = {}
    for name in ("bn1", "bn2"):
        params[name] = {"scale": weights[f"{name}.weight"], "offset": weights[f"{name}.bias"]}
        state[name] = {
            "mean": weights[f"{name}.running_mean"],
            "var": weights[f"{name}.running_var"],
        }
    return hk.transform_with_state(net), params, state
