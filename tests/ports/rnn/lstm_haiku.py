"""The forecaster in Haiku, whose LSTM orders its gates i, g, f, o and adds 1 to the forget gate."""

import haiku as hk
import jax.numpy as jnp
import numpy as np
from rnn import forecaster as original
from rnn import series as inputs


def net(x):
    h = jnp.swapaxes(x, 0, 1)
    for layer in range(2):
        core = hk.LSTM(5, name=f"lstm{layer}")
        h, _ = hk.dynamic_unroll(core, h, core.initial_state(x.shape[0]))
    h = hk.LayerNorm(axis=-1, create_scale=True, create_offset=True, name="norm")(h[-1])
    return x[:, -1] + hk.Linear(x.shape[-1], name="head")(h)


def reorder(rows):
    i, f, g, o = np.split(rows, 4)
    return np.concatenate([i, g, f, o])


def convert_lstm(w, layer):
    kernel = np.concatenate([w[f"lstm.weight_ih_l{layer}"], w[f"lstm.weight_hh_l{layer}"]], axis=1)
    i, f, g, o = np.split(w[f"lstm.bias_ih_l{layer}"] + w[f"lstm.bias_hh_l{layer}"], 4)
    bias = np.concatenate([i, g, f - 1, o])
    return {"w": jnp.asarray(reorder(kernel).T), "b": jnp.asarray(bias)}


def port(original):
    w = {name: value.numpy() for name, value in original.state_dict().items()}
    params = {
        "lstm0/linear": convert_lstm(w, 0),
        "lstm1/linear": convert_lstm(w, 1),
        "norm": {"scale": jnp.asarray(w["norm.weight"]), "offset": jnp.asarray(w["norm.bias"])},
        "head": {"w": jnp.asarray(w["head.weight"].T), "b": jnp.asarray(w["head.bias"])},
    }
    return hk.transform(net), params
