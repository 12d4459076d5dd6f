"""Differences between the libraries' defaults: each row is the contract's convention and another one that is in use.

Sources: the documentation of torch.optim 2.13 and of optax 0.2.8.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ...contract import Adam, RMSProp, Schedule
from ...reference.layers import Array
from ...reference.updates import Update, update_tensor
from .measurements import Convention

_HALF = 500
"""The learning rate falls to a tenth after this update, for the convention that shows only then."""


def _dampened(s: Schedule, w: Array, g: Array, arrays: tuple[Array, ...], t: int) -> Update:
    velocity = 0.9 * arrays[0] + (g if t == 1 else 0.1 * g)
    return Update(g, velocity, w - s.learning_rate * velocity, (velocity,))


def _decayed(s: Schedule, t: int) -> float:
    return float(s.learning_rate) * (0.1 if t > _HALF else 1.0)


def _rate_inside(s: Schedule, w: Array, g: Array, arrays: tuple[Array, ...], t: int) -> Update:
    velocity = 0.9 * arrays[0] + _decayed(s, t) * g
    return Update(g, velocity, w - velocity, (velocity,))


def _rate_outside(s: Schedule, w: Array, g: Array, arrays: tuple[Array, ...], t: int) -> Update:
    return update_tensor(replace(s, learning_rate=_decayed(s, t)), w, g, arrays, t)


def _inside_the_root(s: Schedule, w: Array, g: Array, arrays: tuple[Array, ...], _: int) -> Update:
    assert isinstance(s.optimizer, RMSProp)
    square = s.optimizer.decay * arrays[0] + (1 - s.optimizer.decay) * g * g
    direction = g / np.sqrt(square + s.optimizer.epsilon)
    return Update(g, direction, w - s.learning_rate * direction, (square,))


def _optax_adagrad(s: Schedule, w: Array, g: Array, arrays: tuple[Array, ...], t: int) -> Update:
    square = (arrays[0] + 0.1 if t == 1 else arrays[0]) + g * g
    direction = g / np.sqrt(square + 1e-7)
    return Update(g, direction, w - s.learning_rate * direction, (square,))


def _shorter_memory(s: Schedule, w: Array, g: Array, arrays: tuple[Array, ...], t: int) -> Update:
    return update_tensor(replace(s, optimizer=RMSProp(decay=0.9)), w, g, arrays, t)


def _uncorrected(s: Schedule, w: Array, g: Array, arrays: tuple[Array, ...], _: int) -> Update:
    assert isinstance(s.optimizer, Adam)
    first = s.optimizer.beta1 * arrays[0] + (1 - s.optimizer.beta1) * g
    second = s.optimizer.beta2 * arrays[1] + (1 - s.optimizer.beta2) * g * g
    direction = first / (np.sqrt(second) + s.optimizer.epsilon)
    return Update(g, direction, w - s.learning_rate * direction, (first, second))


def _coupled(s: Schedule, w: Array, g: Array, arrays: tuple[Array, ...], t: int) -> Update:
    return update_tensor(replace(s, decoupled=False), w, g, arrays, t)


def _rule(rate: float, **optimizer: Any) -> dict[str, Any]:
    return {"training.optimizer": optimizer, "training.learning_rate": rate}


CONVENTIONS = (
    Convention(
        "momentum: dampening",
        "v ← 0.9 v + g (torch's default, optax)",
        "v ← 0.9 v + 0.1 g, the first time v ← g (torch with dampening = 0.9)",
        _rule(1.0, name="sgd", momentum=0.9),
        _dampened,
    ),
    Convention(
        "momentum: where the learning rate stands, when it falls to a tenth after 500 epochs",
        "w ← w - lr v, v ← 0.9 v + g (torch, optax)",
        "w ← w - v, v ← 0.9 v + lr g (Keras, Sutskever et al. 2013)",
        _rule(1.0, name="sgd", momentum=0.9),
        _rate_inside,
        _rate_outside,
    ),
    Convention(
        "RMSProp: ε and the root, ε = 0.001",
        "g / (√s + ε) (torch; optax with eps_in_sqrt=False)",
        "g / √(s + ε) (optax's default)",
        _rule(0.01, name="rmsprop", epsilon=1e-3),
        _inside_the_root,
    ),
    Convention(
        "RMSProp: how long it remembers",
        "decay = 0.99 (torch's default)",
        "decay = 0.9 (optax's default)",
        _rule(0.01, name="rmsprop"),
        _shorter_memory,
    ),
    Convention(
        "Adagrad: the start of the sum, and ε",
        "s starts at 0, g / (√s + 1e-10) (torch)",
        "s starts at 0.1, g / √(s + 1e-7) (optax)",
        _rule(1.0, name="adagrad"),
        _optax_adagrad,
    ),
    Convention(
        "Adam: bias correction",
        "moments are divided by 1 - βᵗ (torch, optax)",
        "they are not",
        _rule(0.01, name="adam"),
        _uncorrected,
    ),
    Convention(
        "Adam: weight decay 0.01",
        "decoupled: separate from the step (AdamW in torch and optax)",
        "coupled: added to the gradient (torch's Adam with weight_decay)",
        _rule(0.01, name="adam") | {"training.weight_decay": 0.01, "training.decoupled": True},
        _coupled,
    ),
)
"""All three implementations follow the first convention of each row."""
