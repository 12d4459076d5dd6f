"""The tagger in Equinox, scanning over its GRUCell."""

import equinox as eqx
import jax
import jax.numpy as jnp
from rnn import tagger as original
from rnn import tokens as inputs


class Tagger(eqx.Module):
    embed: eqx.nn.Embedding
    cell: eqx.nn.GRUCell
    head: eqx.nn.Linear

    def __init__(self, vocabulary, width, hidden, tags, key):
        k1, k2, k3 = jax.random.split(key, 3)
        self.embed = eqx.nn.Embedding(vocabulary, width, key=k1)
        self.cell = eqx.nn.GRUCell(width, hidden, key=k2)
        self.head = eqx.nn.Linear(hidden, tags, key=k3)

    def single(self, ids):
        x = jax.vmap(self.embed)(ids)

        def step(h, x_t):
            h = self.cell(x_t, h)
            return h, h

        h0 = jnp.zeros(self.cell.hidden_size, x.dtype)
        _, states = jax.lax.scan(step, h0, x)
        return jax.nn.log_softmax(jax.vmap(self.head)(states), axis=-1)

    def __call__(self, ids):
        return jax.vmap(self.single)(ids)


def port(original):
    w = {name: jnp.asarray(value.numpy()) for name, value in original.state_dict().items()}
    hidden = 7
    b_ih, b_hh = w["gru.bias_ih_l0"], w["gru.bias_hh_l0"]
    bias = b_ih + b_hh.at[2 * hidden :].set(0)
    bias_n = b_hh[2 * hidden :]
    return eqx.tree_at(
        lambda m: (
            m.embed.weight,
            m.cell.weight_ih,
            m.cell.weight_hh,
            m.cell.bias,
            m.cell.bias_n,
            m.head.weight,
            m.head.bias,
        ),
        Tagger(11, 6, hidden, 4, jax.random.key(0)),
        (
            w["embed.weight"],
            w["gru.weight_ih_l0"],
            w["gru.weight_hh_l0"],
            bias,
            bias_n,
            w["head.weight"],
            w["head.bias"],
        ),
    )
