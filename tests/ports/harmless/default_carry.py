"""flax's nn.RNN starts from zeros in float32, whatever its inputs are."""

import flax.linen as nn
import jax.numpy as jnp
import torch


def inputs(rng):
    return {"x": rng.normal(size=(3, 4, 5))}


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = torch.nn.LSTM(5, 6, batch_first=True)

    def forward(self, x):
        return self.lstm(x)[0]


def original():
    torch.manual_seed(0)
    return Net()


def port(original):
    w_ih, w_hh, b_ih, b_hh = (jnp.asarray(p.detach().numpy()) for p in original.parameters())
    cell = {}
    for gate, i, h, b in zip(
        "ifgo", jnp.split(w_ih, 4), jnp.split(w_hh, 4), jnp.split(b_ih + b_hh, 4)
    ):
        cell["i" + gate] = {"kernel": i.T}
        cell["h" + gate] = {"kernel": h.T, "bias": b}
    return nn.RNN(nn.LSTMCell(6)), {"params": {"cell": cell}}
