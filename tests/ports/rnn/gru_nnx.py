"""The tagger in flax.nnx: its GRUCell, with the recurrent bias that it lacks."""

import jax
import jax.numpy as jnp
from flax import nnx
from rnn import tagger as original
from rnn import tokens as inputs


class Tagger(nnx.Module):
    def __init__(self, vocabulary, width, hidden, tags, rngs):
        self.embed = nnx.Embed(vocabulary, width, rngs=rngs)
        self.cell = nnx.GRUCell(width, hidden, rngs=rngs)
        self.cell.dense_h = nnx.Linear(hidden, 3 * hidden, use_bias=True, rngs=rngs)
        self.head = nnx.Linear(hidden, tags, rngs=rngs)

    def __call__(self, ids):
        x = self.embed(ids)
        h = jnp.zeros((x.shape[0], self.cell.hidden_features), x.dtype)
        states = []
        for t in range(x.shape[1]):
            h, _ = self.cell(h, x[:, t])
            states.append(h)
        logits = self.head(jnp.stack(states, axis=1))
        return jax.nn.log_softmax(logits, axis=-1)


def port(original):
    tagger = Tagger(11, 6, 7, 4, nnx.Rngs(0))
    weights = {name: jnp.asarray(value.numpy()) for name, value in original.state_dict().items()}
    tagger.embed.embedding.value = weights["embed.weight"]
    tagger.cell.dense_i.kernel.value = weights["gru.weight_ih_l0"].T
    tagger.cell.dense_i.bias.value = weights["gru.bias_ih_l0"]
    tagger.cell.dense_h.kernel.value = weights["gru.weight_hh_l0"].T
    tagger.cell.dense_h.bias.value = weights["gru.bias_hh_l0"]
    tagger.head.kernel.value = weights["head.weight"].T
    tagger.head.bias.value = weights["head.bias"]
    return tagger
