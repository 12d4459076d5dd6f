"""Functions that programs have in several variants, so that an array can be told by the one that made it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from ...tracing import bounded as b
from ...tracing.bounded import Array, Bounded, exact, total


@dataclass(frozen=True)
class Formula:
    """A function of one array.

    Attributes:
        family: what its variants have in common: `GELU`; formulas of different families may also be confused.
        name: the variant: `by erf`.
        apply: computes it, with its bound.
        number: computes it of a plain array, nearly.
    """

    family: str
    name: str
    apply: Callable[[Bounded], Bounded]
    number: Callable[[Array], Array] | None = None

    def __str__(self) -> str:
        return f"{self.family} {self.name}".strip()


def _gelu(x: Bounded) -> Bounded:
    return 0.5 * x * (1 + b.erf(x / b.irrational(math.sqrt(2), x.precision)))


def _gelu_by_tanh(x: Bounded) -> Bounded:
    scale = b.irrational(math.sqrt(2 / math.pi), x.precision)
    return 0.5 * x * (1 + b.tanh(scale * (x + 0.044715 * (x * x * x))))


def _elu(alpha: float) -> Callable[[Bounded], Bounded]:
    return lambda x: b.where(x.value > 0, x, alpha * b.expm1(b.minimum(x, 0.0)))


def _selu(x: Bounded) -> Bounded:
    scale, alpha = 1.0507009873554805, 1.6732632423543772
    return scale * _elu(alpha)(x)


def _zero(x: Bounded) -> Bounded:
    return b.where(x.value > 0, x, 0.0)


def _leaky(slope: float) -> Callable[[Bounded], Bounded]:
    return lambda x: b.where(x.value > 0, x, slope * x)


def _limited(x: Bounded, low: float, high: float) -> Bounded:
    return b.clip(x, low, high)


POINTWISE = (
    Formula("", "no function", lambda x: x),
    Formula("ReLU", "", _zero),
    Formula("GELU", "by erf", _gelu),
    Formula("GELU", "by tanh", _gelu_by_tanh),
    Formula("GELU", "by x·σ(1.702x)", lambda x: x * b.sigmoid(1.702 * x)),
    Formula("SiLU", "", lambda x: x * b.sigmoid(x)),
    Formula("leaky ReLU", "of slope 0.01", _leaky(0.01)),
    Formula("leaky ReLU", "of slope 0.1", _leaky(0.1)),
    Formula("leaky ReLU", "of slope 0.2", _leaky(0.2)),
    Formula("ELU", "", _elu(1.0)),
    Formula("SELU", "", _selu),
    Formula(
        "CELU", "of α = 2", lambda x: b.where(x.value > 0, x, 2 * b.expm1(b.minimum(x, 0.0) / 2))
    ),
    Formula("softplus", "", b.softplus),
    Formula("mish", "", lambda x: x * b.tanh(b.softplus(x))),
    Formula("tanh", "", b.tanh),
    Formula("sigmoid", "", b.sigmoid),
    Formula("hard sigmoid", "", lambda x: _limited(x + 3, 0.0, 6.0) / 6),
    Formula("hard swish", "", lambda x: x * (_limited(x + 3, 0.0, 6.0) / 6)),
    Formula("hard tanh", "", lambda x: _limited(x, -1.0, 1.0)),
    Formula("ReLU6", "", lambda x: _limited(x, 0.0, 6.0)),
    Formula("softsign", "", lambda x: x / (1 + abs(x))),
    Formula("log-sigmoid", "", lambda x: -b.softplus(-x)),
    Formula("squared ReLU", "", lambda x: _zero(x) * _zero(x)),
    Formula("exp", "", b.exp),
    Formula("sin", "", b.sin),
    Formula("cos", "", b.cos),
    Formula("absolute value", "", abs),
    Formula("square", "", lambda x: x * x),
)
"""Functions of each entry alone, the first being none."""

ACTIVATIONS = frozenset(one.family for one in POINTWISE) - {
    *("", "exp", "sin", "cos", "absolute value", "square"),
}
"""The families of functions that are activations."""


def _softmax(x: Bounded, axis: int) -> Bounded:
    largest = np.max(x.value, axis, keepdims=True, initial=-np.inf)
    e = b.exp(x - exact(np.where(np.isfinite(largest), largest, 0.0), x.precision))
    return e / total(e, [axis], True)


def _log_softmax(x: Bounded, axis: int) -> Bounded:
    largest = exact(np.max(x.value, axis, keepdims=True), x.precision)
    moved = x - largest
    return moved - b.log(total(b.exp(moved), [axis], True))


def along(ndim: int) -> Iterator[Formula]:
    """Yield the functions that keep the shape of an array of so many axes."""
    for axis in range(ndim):
        yield from _along(axis)


def _along(axis: int) -> Iterator[Formula]:
    words = f"along axis {axis}"
    yield Formula(
        "the softmax", f"over axis {axis}", lambda x: _softmax(x, axis), lambda x: _shares(x, axis)
    )
    yield Formula(
        "the log-softmax",
        f"over axis {axis}",
        lambda x: _log_softmax(x, axis),
        lambda x: np.log(_shares(x, axis)),
    )
    yield Formula(
        "the cumulative sum",
        words,
        lambda x: b.cumulative(x, axis),
        lambda x: np.cumsum(x, axis),
    )
    yield Formula(
        "the cumulative sum",
        f"{words}, from the end",
        lambda x: _from_end(x, axis),
        lambda x: np.flip(np.cumsum(np.flip(x, axis), axis), axis),
    )


def _shares(x: Array, axis: int) -> Array:
    e: Array = np.exp(x - np.max(x, axis, keepdims=True))
    return e / np.sum(e, axis, keepdims=True)


def _from_end(x: Bounded, axis: int) -> Bounded:
    flipped = b.moved(lambda at: np.flip(at, axis), x)
    return b.moved(lambda at: np.flip(at, axis), b.cumulative(flipped, axis))


def moments(ndim: int) -> Iterator[Formula]:
    """Yield the reductions of an array of so many axes; all keep their axes."""
    for number in range(1, ndim + 1):
        for axes in combinations(range(ndim), number):
            yield from _over(axes)


def _over(axes: tuple[int, ...]) -> Iterator[Formula]:
    words = f"over axis {axes[0]}" if len(axes) == 1 else f"over axes {', '.join(map(str, axes))}"
    over = list(axes)

    def count(x: Bounded) -> int:
        return math.prod(x.shape[axis] for axis in axes)

    def summed(x: Bounded) -> Bounded:
        return total(x, over, True)

    yield Formula("the mean", words, lambda x: summed(x) / count(x), lambda x: _mean(x, axes))
    yield Formula("the sum", words, summed, lambda x: _sum(x, axes))
    yield Formula(
        "the largest entry",
        words,
        lambda x: b.largest(x, over, True),
        lambda x: np.max(x, axis=axes, keepdims=True),
    )
    for less in (0, 1):
        yield from _spread(axes, words, less)
    yield Formula(
        "the mean square", words, lambda x: summed(x * x) / count(x), lambda x: _mean(x * x, axes)
    )
    yield Formula("the sum of squares", words, lambda x: summed(x * x), lambda x: _sum(x * x, axes))
    yield Formula(
        "the norm", words, lambda x: b.sqrt(summed(x * x)), lambda x: np.sqrt(_sum(x * x, axes))
    )


def _spread(axes: tuple[int, ...], over: str, less: int) -> Iterator[Formula]:
    words = f"{'unbiased' if less else 'biased'}, {over}"

    def variance(x: Bounded) -> Bounded:
        n = math.prod(x.shape[axis] for axis in axes)
        d = x - total(x, list(axes), True) / n
        return total(d * d, list(axes), True) / max(n - less, 1)

    def number(x: Array) -> Array:
        d = x - _mean(x, axes)
        n = math.prod(x.shape[axis] for axis in axes)
        return _sum(d * d, axes) / max(n - less, 1)

    yield Formula("the variance", words, variance, number)
    yield Formula(
        "the standard deviation",
        words,
        lambda x: b.sqrt(variance(x)),
        lambda x: np.sqrt(number(x)),
    )


def _mean(x: Array, axes: tuple[int, ...]) -> Array:
    return _sum(x, axes) / math.prod(x.shape[axis] for axis in axes)


def _sum(x: Array, axes: tuple[int, ...]) -> Array:
    found: Array = np.sum(x, axis=axes, keepdims=True)
    return found
