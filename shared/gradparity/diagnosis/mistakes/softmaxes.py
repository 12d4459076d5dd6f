"""Mistakes in softmax, in its forward pass and in its derivative ∂s_i/∂z_j = s_i ([i = j] - s_j)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from ...reference.layers import Array
from ...reference.passes import Pass
from ...reference.vocabulary import SOFTMAX
from .base import Program, StepMistake, layers_where, mistake, of
from .forward import RIGHTS, ForwardMistake

_RIGHT = "δ = s ⊙ (∂L/∂a - Σ s ∂L/∂a)"
_FORWARD = "s = e^z / Σ e^z over the layer's units"


def _prime(s: Array, d_a: Array, axis: int | None = -1) -> Array:
    """Compute s ⊙ (∂L/∂a - Σ s ∂L/∂a), the sum over an axis."""
    return s * (d_a - np.sum(s * d_a, axis=axis, keepdims=True))


def _whole(name: str, wrong: str, delta: Callable[[Array, Array, Array], Array]) -> StepMistake:
    """Make a mistake that computes δ of every softmax, as a function of (∂L/∂a, z, s), by another formula."""
    made = mistake(
        name,
        f"δ = {wrong}",
        _RIGHT,
        of(SOFTMAX),
        slope=lambda z, _a, _layer: 0 * z,
        across=lambda d_a, z, a, _: delta(d_a, z, a),
    )

    def everywhere(program: Program) -> Pass | None:
        layers = layers_where(program.case.network, of(SOFTMAX))
        return made.predict(replace(program, layers=layers))

    return StepMistake(made.name, made.wrong, made.right, everywhere)


SOFTMAXES: tuple[StepMistake, ...] = (
    _whole(
        "only the diagonal of softmax's derivative",
        "∂L/∂a ⊙ s (1 - s)",
        lambda d_a, _, s: d_a * s * (1 - s),
    ),
    _whole("softmax' is missing", "∂L/∂a", lambda d_a, _z, _s: d_a),
    _whole(
        "softmax' is applied twice",
        "softmax' of softmax' of ∂L/∂a",
        lambda d_a, _, s: _prime(s, _prime(s, d_a)),
    ),
    _whole("softmax' has the wrong sign", "s ⊙ (Σ s ∂L/∂a - ∂L/∂a)", lambda d_a, _, s: -_prime(s, d_a)),
    _whole("softmax' without its sum", "∂L/∂a ⊙ s", lambda d_a, _, s: d_a * s),
    _whole("softmax' is its sum alone", "-s ⊙ Σ s ∂L/∂a", lambda d_a, _, s: _prime(s, d_a) - s * d_a),
    _whole(
        "softmax' sums over the samples",
        "s ⊙ (∂L/∂a - Σ over the samples of s ∂L/∂a)",
        lambda d_a, _, s: _prime(s, d_a, axis=0),
    ),
    _whole(
        "softmax' sums over all elements",
        "s ⊙ (∂L/∂a - Σ over all elements of s ∂L/∂a)",
        lambda d_a, _, s: _prime(s, d_a, axis=None),
    ),
    _whole("tanh' in place of softmax'", "∂L/∂a ⊙ (1 - s²)", lambda d_a, _, s: d_a * (1 - s * s)),
    _whole("ReLU' in place of softmax'", "∂L/∂a ⊙ [z > 0]", lambda d_a, z, _: d_a * (z > 0)),
)  # fmt: skip


def _over(axis: int | None, what: str) -> ForwardMistake:
    """Make a softmax over another axis, with the derivative that belongs to it."""

    def activate(z: Array, _: Any) -> Array:
        exp = np.exp(z - np.max(z, axis=axis, keepdims=True))
        return exp / np.sum(exp, axis=axis, keepdims=True)

    return ForwardMistake(
        f"softmax over {what}",
        f"s = e^z / Σ e^z over {what}",
        _FORWARD,
        {
            "activate": activate,
            "slope": lambda z, _a, _layer: 0 * z,
            "across": lambda d_a, _z, s, _layer: _prime(s, d_a, axis),
        },
        of(SOFTMAX),
    )


SOFTMAXES_FORWARD: tuple[ForwardMistake, ...] = (
    _over(0, "the samples"),
    _over(None, "all elements"),
    ForwardMistake(
        "e^z without its sum in place of softmax",
        "a = e^z",
        _FORWARD,
        {
            "activate": lambda z, _: np.exp(z),
            "slope": lambda _z, a, _: a,
            "across": lambda _d_a, _z, _a, _layer: 0,
        },
        of(SOFTMAX),
    ),
    ForwardMistake(
        "softmax applied twice",
        "a = softmax(softmax(z))",
        _FORWARD,
        {
            "activate": lambda z, _: RIGHTS[SOFTMAX].function(RIGHTS[SOFTMAX].function(z)),
            "slope": lambda z, _a, _layer: 0 * z,
            "across": lambda d_a, z, s, _: _prime(RIGHTS[SOFTMAX].function(z), _prime(s, d_a)),
        },
        of(SOFTMAX),
    ),
)
