"""The forecaster in Equinox."""

import equinox as eqx
import jax
import jax.numpy as jnp
from rnn import forecaster as original
from rnn import series as inputs


class Forecaster(eqx.Module):
    cells: list[eqx.nn.LSTMCell]
    norm: eqx.nn.LayerNorm
    head: eqx.nn.Linear

    def __init__(self, features, hidden, key):
        k1, k2, k3 = jax.random.split(key, 3)
        self.cells = [
            eqx.nn.LSTMCell(features, hidden, key=k1),
            eqx.nn.LSTMCell(hidden, hidden, key=k2),
        ]
        self.norm = eqx.nn.LayerNorm(hidden, eps=1e-5)
        self.head = eqx.nn.Linear(hidden, features, key=k3)

    def single(self, x):
        h = x
        for cell in self.cells:
            zero = jnp.zeros(cell.hidden_size, x.dtype)

            def step(carry, x_t, cell=cell):
                carry = cell(x_t, carry)
                return carry, carry[0]

            _, h = jax.lax.scan(step, (zero, zero), h)
        return x[-1] + self.head(self.norm(h[-1]))

    def __call__(self, x):
        return jax.vmap(self.single)(x)


def load(where, model, *values):
    return eqx.tree_at(where, model, values)


def port(original):
    w = {name: jnp.asarray(value.numpy()) for name, value in original.state_dict().items()}
    model = Forecaster(5, 5, jax.random.key(0))
    for layer in (0, 1):
        model = load(
            lambda m: (m.cells[layer].weight_ih, m.cells[layer].weight_hh, m.cells[layer].bias),
            model,
            w[f"lstm.weight_ih_l{layer}"],
            w[f"lstm.weight_hh_l{layer}"],
            w[f"lstm.bias_ih_l{layer}"] + w[f"lstm.bias_hh_l{layer}"],
        )
    model = load(lambda m: (m.norm.weight, m.norm.bias), model, w["norm.weight"], w["norm.bias"])
    return load(lambda m: (m.head.weight, m.head.bias), model, w["head.weight"], w["head.bias"])
