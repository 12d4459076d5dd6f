"""Optimizers as ported models: torch.optim of 2.13 against optax 0.2.8, on a small net, two updates each."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import torch
from torch import nn, optim

RATE = 1e-2

# name, PyTorch's, optax's, what is true
CASES: list[tuple[str, Any, Any, str]] = [
    ("SGD", lambda p: optim.SGD(p, RATE), optax.sgd(RATE), "agree"),
    ("SGD momentum", lambda p: optim.SGD(p, RATE, 0.9), optax.sgd(RATE, 0.9), "agree"),
    (
        "SGD Nesterov",
        lambda p: optim.SGD(p, RATE, 0.9, nesterov=True),
        optax.sgd(RATE, 0.9, nesterov=True),
        "agree",
    ),
    (
        "SGD decay",
        lambda p: optim.SGD(p, RATE, weight_decay=0.1),
        optax.chain(optax.add_decayed_weights(0.1), optax.sgd(RATE)),
        "agree",
    ),
    ("Adam", lambda p: optim.Adam(p, RATE), optax.adam(RATE), "agree"),
    (
        "Adam, AMSGrad",
        lambda p: optim.Adam(p, RATE, amsgrad=True),
        optax.amsgrad(RATE),
        "torch keeps the largest of the raw means of squares, optax of the corrected",
    ),
    (
        "AdamW, defaults",
        lambda p: optim.AdamW(p, RATE),
        optax.adamw(RATE),
        "decay: 1e-2 and 1e-4",
    ),
    (
        "AdamW",
        lambda p: optim.AdamW(p, RATE, weight_decay=0.01),
        optax.adamw(RATE, weight_decay=0.01),
        "agree",
    ),
    (
        "NAdam",
        lambda p: optim.NAdam(p, RATE),
        optax.nadam(RATE),
        "torch's momentum has a schedule",
    ),
    ("Adamax", lambda p: optim.Adamax(p, RATE), optax.adamax(RATE), "agree"),
    ("RAdam", lambda p: optim.RAdam(p, RATE), optax.radam(RATE), "in the first steps alike"),
    (
        "RMSprop, defaults",
        lambda p: optim.RMSprop(p, RATE),
        optax.rmsprop(RATE),
        "decay: 0.99 and 0.9; ε outside and inside of the root",
    ),
    (
        "RMSprop",
        lambda p: optim.RMSprop(p, RATE),
        optax.rmsprop(RATE, 0.99, eps_in_sqrt=False),
        "agree",
    ),
    (
        "RMSprop, ε inside",
        lambda p: optim.RMSprop(p, RATE),
        optax.rmsprop(RATE, 0.99),
        "ε outside and inside of the root",
    ),
    (
        "Adagrad, defaults",
        lambda p: optim.Adagrad(p, RATE),
        optax.adagrad(RATE),
        "the accumulator begins with 0 and 0.1; ε outside and inside of the root",
    ),
    (
        "Adadelta",
        lambda p: optim.Adadelta(p, RATE),
        optax.adadelta(RATE, 0.9, 1e-6),
        "agree",
    ),
    (
        "Rprop",
        lambda p: optim.Rprop(p, RATE),
        optax.rprop(RATE),
        "optax makes no step from the first gradient",
    ),
]


class Net(nn.Module):
    """Two layers."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(3, 4), nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.second(torch.tanh(self.first(x)))


def inputs(rng: np.random.Generator) -> Any:
    """Return a batch."""
    return (rng.standard_normal((5, 3)),)


def port(original: Any) -> Any:
    """Return the net in JAX."""

    def apply(w: Any, x: Any) -> Any:
        x = jnp.tanh(x @ w["first.weight"].T + w["first.bias"])
        return x @ w["second.weight"].T + w["second.bias"]

    return apply, jax.tree.map(
        lambda t: jnp.asarray(t.detach().numpy()), dict(original.state_dict())
    )
