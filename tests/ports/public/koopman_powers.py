"""The linear recurrence of koopman 0.1.0: a torch.autograd.Function against a jax.custom_vjp, each with its own derivative."""

import jax.numpy as jnp
from koopman.jax.linear_powers import linear_powers_sequence
from koopman.torch.linear_powers import LinearPowersSequenceFn
from torch import nn


class Powers(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(3, 4)
        self.transition = nn.Linear(4, 4, bias=False)

    def forward(self, x):
        return LinearPowersSequenceFn.apply(self.transition.weight, self.first(x), 5)


def inputs(rng):
    return (rng.standard_normal(3),)


def original():
    return Powers()


def port(original):
    def apply(w, x):
        start = w["first.weight"] @ x + w["first.bias"]
        return linear_powers_sequence(w["transition.weight"], start, 5)

    return apply, {name: jnp.asarray(t.numpy()) for name, t in original.state_dict().items()}
