"""Mistakes in the derivative of an activation that is not the sigmoid."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ...contract import Activation
from ...reference.activations import ACTIVATIONS as REFERENCE
from ...reference.layers import Array
from .base import LayerMistake, mistake, of
from .forward import RIGHTS, STEEPER

Slope = Callable[[Array, Array], Array]

OF_NONE = "the derivative of no activation"
"""What belongs in the place of the derivative of an activation that is not there."""


def _one(z: Array, _: Array) -> Array:
    return np.ones_like(z)


def _tanh_prime(z: Array) -> Array:
    return 1 - np.tanh(z) ** 2


def _kink(kind: Activation, value: float) -> Slope:
    right = RIGHTS[kind].derivative
    return lambda z, a: np.where(z == 0, z.dtype.type(value), right(z, a))


def _negative(kind: Activation) -> Slope:
    right = RIGHTS[kind].derivative
    return lambda z, a: -right(z, a)


def _slope(kind: Activation, name: str, formula: str, slope: Slope) -> LayerMistake:
    right = f"δ = ∂L/∂a ⊙ {_bracketed(RIGHTS[kind].slope)}"
    wrong = f"δ = ∂L/∂a ⊙ {_bracketed(formula)}"
    return mistake(name, wrong, right, of(kind), slope=lambda z, a, _: slope(z, a))


def _bracketed(formula: str) -> str:
    """Put brackets around a sum."""
    is_sum = any(sign in formula for sign in (" - ", " + ")) and not formula.endswith(")")
    return f"({formula})" if is_sum else formula


def _other(kind: Activation, other: Activation, name: str) -> LayerMistake:
    """Make a mistake that uses the derivative of another activation."""
    wrong = RIGHTS[other]
    return _slope(
        kind,
        name,
        wrong.slope,
        lambda z, a: wrong.derivative(a if REFERENCE[kind].kinked else z, a),
    )


SLOPES: tuple[LayerMistake, ...] = (
    _slope("relu", "ReLU' is missing", "1", _one),
    _slope("relu", "ReLU' is 1 at the kink", "[z ≥ 0]", _kink("relu", 1.0)),
    _slope("relu", "ReLU' is ½ at the kink", "½ where z = 0", _kink("relu", 0.5)),
    _slope("relu", "ReLU' of the wrong side of the kink", "[z ≤ 0]", lambda z, _: (z <= 0) + z * 0),
    _slope("relu", "ReLU' has the wrong sign", "-[z > 0]", _negative("relu")),
    _slope("relu", "a in place of ReLU'", "a", lambda _, a: a),
    _other("relu", "leaky_relu", "leaky ReLU' in place of ReLU'"),
    _other("relu", "sigmoid", "σ' in place of ReLU'"),
    _slope("leaky_relu", "leaky ReLU' is missing", "1", _one),
    _slope("leaky_relu", "leaky ReLU' is 1 at the kink", "1 where z = 0", _kink("leaky_relu", 1.0)),
    _slope("leaky_relu", "leaky ReLU' is ½ at the kink", "½ where z = 0", _kink("leaky_relu", 0.5)),
    _slope("leaky_relu", "leaky ReLU' is 0 at the kink", "0 where z = 0", _kink("leaky_relu", 0.0)),
    _slope("leaky_relu", "leaky ReLU' of slope 0.1", STEEPER.slope, STEEPER.derivative),
    _slope("leaky_relu", "leaky ReLU' has the wrong sign", "-1", _negative("leaky_relu")),
    _other("leaky_relu", "relu", "ReLU' in place of leaky ReLU'"),
    _slope("tanh", "tanh' is missing", "1", _one),
    _slope("tanh", "tanh' is applied twice", "(1 - a²)²", lambda z, _: _tanh_prime(z) ** 2),
    _slope("tanh", "tanh' is 1 - a, without the square", "(1 - a)", lambda _, a: 1 - a),
    _slope("tanh", "tanh' = 1 - a² is given z for a", "(1 - z²)", lambda z, _: 1 - z * z),
    _slope("tanh", "tanh'(z) is given a for z", "tanh'(a)", lambda _, a: _tanh_prime(a)),
    _slope("tanh", "tanh' has the wrong sign", "(a² - 1)", _negative("tanh")),
    _other("tanh", "sigmoid", "σ' in place of tanh'"),
    _other("tanh", "relu", "ReLU' in place of tanh'"),
    _other("identity", "sigmoid", f"σ' in place of 1, {OF_NONE}"),
    _other("identity", "tanh", f"tanh' in place of 1, {OF_NONE}"),
    _other("identity", "relu", f"ReLU' in place of 1, {OF_NONE}"),
)
