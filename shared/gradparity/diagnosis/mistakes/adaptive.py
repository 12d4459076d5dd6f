"""Mistakes in Adagrad, RMSProp and Adam."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...contract import Adagrad, Adam, RMSProp
from ...reference.layers import Array
from .base import OptimizerMistake
from .rules import Arrays, Formula, average, other_formula, other_optimizer, ratio, uses


def _adagrad(name: str, wrong: str, formula: Formula, initial: float = 0.0) -> OptimizerMistake:
    right = "s ← s + g², w ← w - lr g / (√s + ε)"
    return other_formula(uses(Adagrad), f"Adagrad: {name}", wrong, right, formula, initial)


def _rmsprop(name: str, wrong: str, formula: Formula) -> OptimizerMistake:
    right = "s ← decay s + (1 - decay) g², w ← w - lr g / (√s + ε)"
    return other_formula(uses(RMSProp), f"RMSProp: {name}", wrong, right, formula)


def _usual(o: Any, g: Array, s: Array) -> Array:
    return ratio(g, s, o.epsilon)


def _inside(o: Any, g: Array, s: Array) -> Array:
    return g / np.sqrt(s + s.dtype.type(o.epsilon))


def _rootless(o: Any, g: Array, s: Array) -> Array:
    return g / (s + s.dtype.type(o.epsilon))


def _no_epsilon(_: Any, g: Array, s: Array) -> Array:
    return g / np.sqrt(s)


def _sum(
    direction: Callable[[Any, Array, Array], Array],
    new: Callable[[Array, Array], Array] = lambda s, g: s + g * g,
) -> Formula:
    """Make a formula for Adagrad from (optimizer, g, the new sum) → the direction, and (sum, g) → the new sum."""

    def formula(o: Adagrad, g: Array, arrays: Arrays, _t: int, _rate: Any) -> tuple[Array, Arrays]:
        s = new(arrays[0], g)
        return direction(o, g, s), (s,)

    return formula


def _then(o: Adagrad, g: Array, arrays: Arrays, _t: int, _rate: Any) -> tuple[Array, Arrays]:
    return ratio(g, arrays[0], o.epsilon), (arrays[0] + g * g,)


def _mean(
    direction: Callable[[Any, Array, Array], Array],
    new: Callable[[Any, Array, Array], Array] = lambda o, s, g: average(o.decay, s, g * g),
) -> Formula:
    """Make a formula for RMSProp in the same way, from (optimizer, average, g) → the new average."""

    def formula(o: RMSProp, g: Array, arrays: Arrays, _t: int, _rate: Any) -> tuple[Array, Arrays]:
        s = new(o, arrays[0], g)
        return direction(o, g, s), (s,)

    return formula


@dataclass(frozen=True, eq=False)
class _Moments:
    """The terms of Adam's step.

    Attributes:
        g: the gradient.
        m: the new first moment.
        s: the new second moment.
        lost1: 1 - β1^t.
        lost2: 1 - β2^t.
        epsilon: the optimizer's epsilon, in the dtype of the arrays.
    """

    g: Array
    m: Array
    s: Array
    lost1: Any
    lost2: Any
    epsilon: Any

    @classmethod
    def of(cls, o: Adam, g: Array, arrays: Arrays, t: int) -> _Moments:
        real = g.dtype.type
        return cls(
            g,
            average(o.beta1, arrays[0], g),
            average(o.beta2, arrays[1], g * g),
            1 - real(o.beta1) ** t,
            1 - real(o.beta2) ** t,
            real(o.epsilon),
        )

    @property
    def mean(self) -> Array:
        """The first moment, corrected."""
        return self.m / self.lost1

    @property
    def square(self) -> Array:
        """The second moment, corrected."""
        return self.s / self.lost2


_ADAM = "w ← w - lr m / (1 - β1^t) / (√(s / (1 - β2^t)) + ε)"


def _adam(
    name: str, wrong: str, direction: Callable[[_Moments], Array], t: int | None = None
) -> OptimizerMistake:
    """Make a mistake in Adam's step: the moments are right, but the step is wrong, or uses another `t`."""

    def formula(o: Adam, g: Array, arrays: Arrays, now: int, _: Any) -> tuple[Array, Arrays]:
        moments = _Moments.of(o, g, arrays, now if t is None else t)
        return direction(moments), (moments.m, moments.s)

    return other_formula(uses(Adam), f"Adam: {name}", wrong, _ADAM, formula)


def _kept_corrected(o: Adam, g: Array, arrays: Arrays, t: int, _: Any) -> tuple[Array, Arrays]:
    moments = _Moments.of(o, g, arrays, t)
    return ratio(moments.mean, moments.square, o.epsilon), (moments.mean, moments.square)


ADAPTIVE: tuple[OptimizerMistake, ...] = (
    _adagrad("ε is inside the root", "w ← w - lr g / √(s + ε)", _sum(_inside)),
    _adagrad("ε is missing", "w ← w - lr g / √s", _sum(_no_epsilon)),
    _adagrad("the root is missing", "w ← w - lr g / (s + ε)", _sum(_rootless)),
    _adagrad("the sum of squares starts at 0.1", "s = 0.1 at the start", _sum(_usual), initial=0.1),
    _adagrad(
        "the sum is of |g|, not of g²", "s ← s + |g|", _sum(_usual, lambda s, g: s + np.abs(g))
    ),
    _adagrad(
        "the step is taken with the sum before",
        "w ← w - lr g / (√s + ε), then s ← s + g²",
        _then,
    ),
    _rmsprop("ε is inside the root", "w ← w - lr g / √(s + ε)", _mean(_inside)),
    _rmsprop("ε is missing", "w ← w - lr g / √s", _mean(_no_epsilon)),
    _rmsprop("the root is missing", "w ← w - lr g / (s + ε)", _mean(_rootless)),
    _rmsprop(
        "decay and 1 - decay are swapped",
        "s ← (1 - decay) s + decay g²",
        _mean(_usual, lambda o, s, g: average(o.decay, g * g, s)),
    ),
    _rmsprop(
        "g² is added undiminished",
        "s ← decay s + g²",
        _mean(_usual, lambda o, s, g: s.dtype.type(o.decay) * s + g * g),
    ),
    _adam(
        "ε is inside the root",
        "… / √(s / (1 - β2^t) + ε)",
        lambda a: a.mean / np.sqrt(a.square + a.epsilon),
    ),
    _adam("ε is missing", "… / √(s / (1 - β2^t))", lambda a: a.mean / np.sqrt(a.square)),
    _adam(
        "ε is added before the correction",
        "… √(1 - β2^t) / (√s + ε)",
        lambda a: a.mean * np.sqrt(a.lost2) / (np.sqrt(a.s) + a.epsilon),
    ),
    _adam(
        "no moment is corrected", "w ← w - lr m / (√s + ε)", lambda a: ratio(a.m, a.s, a.epsilon)
    ),
    _adam(
        "the second moment is not corrected",
        "… / (√s + ε)",
        lambda a: ratio(a.mean, a.s, a.epsilon),
    ),
    _adam(
        "the first moment is not corrected",
        "w ← w - lr m / (√(s / (1 - β2^t)) + ε)",
        lambda a: ratio(a.m, a.square, a.epsilon),
    ),
    _adam(
        "the step takes g for the first moment",
        "w ← w - lr g / …",
        lambda a: ratio(a.g, a.square, a.epsilon),
    ),
    other_formula(
        uses(Adam),
        "Adam: the corrected moments are kept",
        "m ← m / (1 - β1^t), s ← s / (1 - β2^t)",
        _ADAM,
        _kept_corrected,
    ),
    _adam(
        "the root is missing",
        "… / (s / (1 - β2^t) + ε)",
        lambda a: a.mean / (a.square + a.epsilon),
    ),
    _adam("t is always 1", "t = 1", lambda a: ratio(a.mean, a.square, a.epsilon), t=1),
    other_optimizer(
        uses(Adam),
        "Adam: t is too small by one",
        "t counted from 0",
        _ADAM,
        lambda o: o,
        later=-1,
    ),
    other_optimizer(
        uses(Adam), "Adam: t is too large by one", "t counted from 2", _ADAM, lambda o: o, later=1
    ),
    other_optimizer(
        uses(Adam),
        "Adam: β1 and β2 are swapped",
        "m by β2, s by β1",
        _ADAM,
        lambda o: replace(o, beta1=o.beta2, beta2=o.beta1),
    ),
)
