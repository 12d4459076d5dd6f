"""The tagger in flax.linen."""

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from rnn import tagger as original
from rnn import tokens as inputs


class Tagger(nn.Module):
    vocabulary: int = 11
    width: int = 6
    hidden: int = 7
    tags: int = 4

    @nn.compact
    def __call__(self, ids):
        x = nn.Embed(self.vocabulary, self.width, name="embed")(ids)
        cell = nn.GRUCell(self.hidden, name="cell")
        start = jnp.zeros((x.shape[0], self.hidden), x.dtype)
        h = nn.RNN(cell, name="gru")(x, initial_carry=start)
        return nn.log_softmax(nn.Dense(self.tags, name="head")(h), axis=-1)


def convert_gru(w_ih, w_hh, b_ih, b_hh):
    """flax's cell has no recurrent bias in its gates r and z: one bias is the sum of the two."""
    w_ir, w_iz, w_in = np.split(w_ih, 3)
    w_hr, w_hz, w_hn = np.split(w_hh, 3)
    b_ir, b_iz, b_in = np.split(b_ih, 3)
    b_hr, b_hz, b_hn = np.split(b_hh, 3)
    return {
        "ir": {"kernel": w_ir.T, "bias": b_ir + b_hr},
        "iz": {"kernel": w_iz.T, "bias": b_iz + b_hz},
        "in": {"kernel": w_in.T, "bias": b_in},
        "hr": {"kernel": w_hr.T},
        "hz": {"kernel": w_hz.T},
        "hn": {"kernel": w_hn.T, "bias": b_hn},
    }


def port(original):
    state = {name: value.numpy() for name, value in original.state_dict().items()}
    params = {
        "embed": {"embedding": state["embed.weight"]},
        "cell": convert_gru(
            state["gru.weight_ih_l0"],
            state["gru.weight_hh_l0"],
            state["gru.bias_ih_l0"],
            state["gru.bias_hh_l0"],
        ),
        "head": {"kernel": state["head.weight"].T, "bias": state["head.bias"]},
    }
    return Tagger(), {"params": _as_jax(params)}


def _as_jax(tree):
    return {k: _as_jax(v) if isinstance(v, dict) else jnp.asarray(v) for k, v in tree.items()}
