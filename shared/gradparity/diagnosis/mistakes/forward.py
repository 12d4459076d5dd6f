"""Mistakes in the forward pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...contract import LEAK, Network
from ...contract import Activation as Right
from ...reference.activations import of_the_others, sigmoid, sigmoid_prime, softmax
from ...reference.layers import Array, DenseLayer, LinearLayer
from ...reference.passes import RIGHT, Equations
from ...reference.vocabulary import SOFTMAX as SOFTMAX_KIND
from .base import Applies, Layers, every, layers_where, of, patched


@dataclass(frozen=True)
class Activation:
    """An activation function, its derivative as a function of (z, a), and the other units' part, of (∂L/∂a, a)."""

    name: str
    formula: str
    function: Callable[[Array], Array]
    derivative: Callable[[Array, Array], Array]
    slope: str = ""
    across: Callable[[Array, Array], Any] = lambda _d_a, _a: 0


def _leaky(name: str, leak: Any) -> Activation:
    """Make a leaky ReLU with the slope `leak` where z ≤ 0."""

    def steep(z: Array) -> Array:
        return np.where(z > 0, z.dtype.type(1), z.dtype.type(leak))

    formula = f"z, or {leak} z where z ≤ 0"
    return Activation(name, formula, lambda z: steep(z) * z, lambda z, _: steep(z), f"1, or {leak}")


SIGMOID = Activation("the sigmoid", "σ(z)", sigmoid, lambda _, a: a * (1 - a), "a (1 - a)")
TANH = Activation("tanh", "tanh(z)", np.tanh, lambda _, a: 1 - a * a, "1 - a²")
RELU = Activation(
    "ReLU", "max(0, z)", lambda z: np.maximum(z, 0), lambda z, _: (z > 0) * (z * 0 + 1), "[z > 0]"
)
LEAKY = _leaky("leaky ReLU", LEAK)
NONE = Activation("no activation", "z", lambda z: z, lambda z, _: z * 0 + 1, "1")
SOFTMAX = Activation(
    "softmax",
    "e^z / Σ e^z",
    softmax,
    lambda _, a: a * (1 - a),
    "a (1 - a), and -a_i a_j across the units",
    lambda d_a, a: -a * of_the_others(d_a * a),
)
STEEPER = _leaky("leaky ReLU of slope 0.1", 0.1)

RIGHTS: dict[Right, Activation] = {
    "sigmoid": SIGMOID,
    "tanh": TANH,
    "relu": RELU,
    "leaky_relu": LEAKY,
    "identity": NONE,
    SOFTMAX_KIND: SOFTMAX,
}
"""The activations that a network can have, which are right there."""

ACTIVATIONS = (
    *RIGHTS.values(),
    STEEPER,
    Activation("the sigmoid twice", "σ(σ(z))", lambda z: sigmoid(sigmoid(z)),
               lambda z, _: sigmoid_prime(sigmoid(z)) * sigmoid_prime(z)),
    Activation("the sigmoid of -z", "σ(-z)", lambda z: sigmoid(-z), lambda z, _: -sigmoid_prime(z)),
    Activation("the sigmoid of 2z", "σ(2z) = (1 + tanh z)/2", lambda z: sigmoid(2 * z),
               lambda z, _: 2 * sigmoid_prime(2 * z)),
    Activation("softplus", "log(1 + e^z)", lambda z: np.logaddexp(0, z), lambda z, _: sigmoid(z)),
    Activation("a hard sigmoid", "clip(z/6 + ½, 0, 1)", lambda z: np.clip(z / 6 + z.dtype.type(0.5), 0, 1),
               lambda z, _: (np.abs(z) < 3) / (z * 0 + 6)),
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class ForwardMistake:
    """A mistake in the forward pass: other equations. There may be mistakes in the gradient as well."""

    name: str
    wrong: str
    right: str
    changes: Mapping[str, Callable[..., Any]]
    applies: Applies = every

    def equations(self, layers: Layers) -> Equations:
        """Return the equations with this mistake in these layers."""
        return patched(RIGHT, layers, self.applies, **self.changes)

    def possible(self, network: Network) -> Layers:
        """Select the layers in which it can be made."""
        return layers_where(network, self.applies)


def _symbol(right: Activation) -> str:
    return "σ'" if right is SIGMOID else "its derivative"


def _activated(activation: Activation, right: Activation, kind: Right) -> ForwardMistake:
    return ForwardMistake(
        f"{activation.name} in place of {right.name}",
        f"a = {activation.formula}",
        f"a = {right.formula}",
        {
            "activate": lambda z, _: activation.function(z),
            "slope": lambda z, a, _: activation.derivative(z, a),
            "across": lambda d_a, _z, a, _: activation.across(d_a, a),
        },
        of(kind),
    )


def _activated_only(activation: Activation, right: Activation, kind: Right) -> ForwardMistake:
    kept = "the sigmoid's" if right is SIGMOID else "its"
    return ForwardMistake(
        f"{activation.name} in place of {right.name}, {kept} derivative kept",
        f"a = {activation.formula}, while {_symbol(right)} = {right.slope}",
        f"a = {right.formula}, {_symbol(right)} = {right.slope}",
        {
            "activate": lambda z, _: activation.function(z),
            "slope": lambda _z, a, _: right.derivative(a, a),  # of a ReLU, a has the sign of z
            "across": lambda d_a, _z, a, _: right.across(d_a, a),
        },
        of(kind),
    )


def _in_place(
    make: Callable[[Activation, Activation, Right], ForwardMistake],
) -> Iterator[ForwardMistake]:
    for kind, right in RIGHTS.items():
        for activation in ACTIVATIONS:
            if activation is not right:
                yield make(activation, right, kind)


def spread(bias: Array | None, layer: LinearLayer) -> Any:
    """Shape the bias for adding to z; 0 without a bias."""
    return 0 if bias is None else layer.spread(bias)


def _square(layer: LinearLayer) -> bool:
    return isinstance(layer, DenseLayer) and layer.shape_in == layer.shape_out


FORWARD: tuple[ForwardMistake, ...] = (
    *_in_place(_activated),
    *_in_place(_activated_only),
    ForwardMistake(
        "the bias is left out",
        "z = a_below W",
        "z = a_below W + b",
        {"weigh": lambda below, weight, _b, layer: layer.affine(below, weight)},
    ),
    ForwardMistake(
        "the bias is subtracted",
        "z = a_below W - b",
        "z = a_below W + b",
        {"weigh": lambda below, w, b, layer: layer.affine(below, w) - spread(b, layer)},
    ),
    ForwardMistake(
        "the bias is added twice",
        "z = a_below W + 2 b",
        "z = a_below W + b",
        {"weigh": lambda below, w, b, layer: layer.affine(below, w) + 2 * spread(b, layer)},
    ),
    ForwardMistake(
        "the weight is transposed in the forward pass",
        "z = a_below Wᵀ + b",
        "z = a_below W + b",
        {"weigh": lambda below, w, b, layer: layer.affine(below, w.T) + spread(b, layer)},
        _square,
    ),
)
