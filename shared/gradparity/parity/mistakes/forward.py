"""Mistakes in the forward pass."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..functions import sigmoid, sigmoid_prime
from ..places import Array
from ..reference import RIGHT, Equations
from .base import Layers, patched


@dataclass(frozen=True)
class Activation:
    """An activation function that is not the sigmoid, with its derivative by (z, a)."""

    name: str
    formula: str
    function: Callable[[Array], Array]
    derivative: Callable[[Array, Array], Array]


def _softmax(z: Array) -> Array:
    exp = np.exp(z - np.max(z, axis=1, keepdims=True))
    return exp / np.sum(exp, axis=1, keepdims=True)


ACTIVATIONS = (
    Activation("tanh", "tanh(z)", np.tanh, lambda _, a: 1 - a * a),
    Activation("ReLU", "max(0, z)", lambda z: np.maximum(z, 0), lambda z, _: (z > 0) * (z * 0 + 1)),
    Activation("no activation", "z", lambda z: z, lambda z, _: z * 0 + 1),
    Activation("the sigmoid twice", "σ(σ(z))", lambda z: sigmoid(sigmoid(z)),
               lambda z, _: sigmoid_prime(sigmoid(z)) * sigmoid_prime(z)),
    Activation("the sigmoid of -z", "σ(-z)", lambda z: sigmoid(-z), lambda z, _: -sigmoid_prime(z)),
    Activation("the sigmoid of 2z", "σ(2z) = (1 + tanh z)/2", lambda z: sigmoid(2 * z),
               lambda z, _: 2 * sigmoid_prime(2 * z)),
    Activation("softplus", "log(1 + e^z)", lambda z: np.logaddexp(0, z), lambda z, _: sigmoid(z)),
    Activation("a hard sigmoid", "clip(z/6 + ½, 0, 1)", lambda z: np.clip(z / 6 + z.dtype.type(0.5), 0, 1),
               lambda z, _: (np.abs(z) < 3) / (z * 0 + 6)),
    Activation("softmax", "e^z / Σ e^z", _softmax, lambda _, a: a * (1 - a)),
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class ForwardMistake:
    """A mistake in the forward pass: other equations, on which mistakes in the gradient may come on top."""

    name: str
    wrong: str
    right: str
    changes: Mapping[str, Callable[..., Any]]

    def equations(self, layers: Layers) -> Equations:
        """The equations with this mistake in these layers."""
        return patched(RIGHT, layers, **self.changes)


def _activated(activation: Activation) -> ForwardMistake:
    return ForwardMistake(
        f"{activation.name} in place of the sigmoid",
        f"a = {activation.formula}",
        "a = σ(z)",
        {
            "activate": lambda z, _: activation.function(z),
            "slope": lambda z, a, _: activation.derivative(z, a),
        },
    )


def _activated_only(activation: Activation) -> ForwardMistake:
    return ForwardMistake(
        f"{activation.name} in place of the sigmoid, the sigmoid's derivative kept",
        f"a = {activation.formula}, while σ' = a (1 - a)",
        "a = σ(z), σ' = a (1 - a)",
        {
            "activate": lambda z, _: activation.function(z),
            "slope": lambda _z, a, _: a * (1 - a),
        },
    )


FORWARD: tuple[ForwardMistake, ...] = (
    *map(_activated, ACTIVATIONS),
    *map(_activated_only, ACTIVATIONS),
    ForwardMistake(
        "the bias is left out",
        "z = a_below W",
        "z = a_below W + b",
        {"weigh": lambda below, weight, _b, _: below @ weight},
    ),
    ForwardMistake(
        "the bias is subtracted",
        "z = a_below W - b",
        "z = a_below W + b",
        {"weigh": lambda below, w, b, _: below @ w if b is None else below @ w - b},
    ),
    ForwardMistake(
        "the bias is added twice",
        "z = a_below W + 2 b",
        "z = a_below W + b",
        {"weigh": lambda below, w, b, _: below @ w if b is None else below @ w + 2 * b},
    ),
    ForwardMistake(
        "the weight is transposed in the forward pass",
        "z = a_below Wᵀ + b",
        "z = a_below W + b",
        {"weigh": lambda below, w, b, _: below @ w.T if b is None else below @ w.T + b},
    ),
)
