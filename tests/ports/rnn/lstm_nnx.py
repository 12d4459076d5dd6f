"""The forecaster in flax.nnx, with nnx.RNN over its LSTMCell."""

import jax.numpy as jnp
from flax import nnx
from rnn import forecaster as original
from rnn import series as inputs


class Forecaster(nnx.Module):
    def __init__(self, features, hidden, rngs):
        self.lower = nnx.LSTMCell(features, hidden, rngs=rngs)
        self.upper = nnx.LSTMCell(hidden, hidden, rngs=rngs)
        self.norm = nnx.LayerNorm(hidden, epsilon=1e-5, rngs=rngs)
        self.head = nnx.Linear(hidden, features, rngs=rngs)

    def run(self, cell, x):
        h = c = jnp.zeros((x.shape[0], cell.hidden_features), x.dtype)
        outputs = []
        for t in range(x.shape[1]):
            (c, h), _ = cell((c, h), x[:, t])
            outputs.append(h)
        return jnp.stack(outputs, axis=1)

    def __call__(self, x):
        h = self.run(self.lower, x)
        h = self.run(self.upper, h)
        h = self.norm(h[:, -1])
        return x[:, -1] + self.head(h)


def load_cell(cell, weights, layer):
    w_ih = weights[f"lstm.weight_ih_l{layer}"]
    w_hh = weights[f"lstm.weight_hh_l{layer}"]
    bias = weights[f"lstm.bias_ih_l{layer}"] + weights[f"lstm.bias_hh_l{layer}"]
    from_input = (cell.ii, cell.if_, cell.ig, cell.io)
    from_hidden = (cell.hi, cell.hf, cell.hg, cell.ho)
    for at in range(4):
        rows = slice(at * cell.hidden_features, (at + 1) * cell.hidden_features)
        from_input[at].kernel.value = w_ih[rows].T
        from_hidden[at].kernel.value = w_hh[rows].T
        from_hidden[at].bias.value = bias[rows]


def port(original):
    weights = {name: jnp.asarray(value.numpy()) for name, value in original.state_dict().items()}
    model = Forecaster(5, 5, nnx.Rngs(0))
    load_cell(model.lower, weights, 0)
    load_cell(model.upper, weights, 1)
    model.norm.scale.value = weights["norm.weight"]
    model.norm.bias.value = weights["norm.bias"]
    model.head.kernel.value = weights["head.weight"].T
    model.head.bias.value = weights["head.bias"]
    return model
