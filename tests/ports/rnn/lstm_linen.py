"""The forecaster in flax.linen."""

import flax.linen as nn
import jax.numpy as jnp
from rnn import forecaster as original
from rnn import series as inputs


class Forecaster(nn.Module):
    hidden: int = 5

    @nn.compact
    def __call__(self, x):
        h = x
        for layer in range(2):
            cell = nn.OptimizedLSTMCell(self.hidden, name=f"lstm{layer}")
            zero = jnp.zeros((x.shape[0], self.hidden), x.dtype)
            h = nn.RNN(cell)(h, initial_carry=(zero, zero))
        h = nn.LayerNorm(epsilon=1e-5, name="norm")(h[:, -1])
        return x[:, -1] + nn.Dense(x.shape[-1], name="head")(h)


def convert_lstm(state, layer):
    kernels_i = jnp.split(state[f"lstm.weight_ih_l{layer}"], 4)
    kernels_h = jnp.split(state[f"lstm.weight_hh_l{layer}"], 4)
    bias = state[f"lstm.bias_ih_l{layer}"] + state[f"lstm.bias_hh_l{layer}"]
    gates = "ifgo"
    params = {f"i{gate}": {"kernel": w.T} for gate, w in zip(gates, kernels_i)}
    for gate, w, b in zip(gates, kernels_h, jnp.split(bias, 4)):
        params[f"h{gate}"] = {"kernel": w.T, "bias": b}
    return params


def port(original):
    state = {name: jnp.asarray(value.numpy()) for name, value in original.state_dict().items()}
    params = {
        "lstm0": convert_lstm(state, 0),
        "lstm1": convert_lstm(state, 1),
        "norm": {"scale": state["norm.weight"], "bias": state["norm.bias"]},
        "head": {"kernel": state["head.weight"].T, "bias": state["head.bias"]},
    }
    return Forecaster(), {"params": params}
