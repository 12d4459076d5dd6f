"""Functions that programs have in several variants, so that an array can be told by the one that made it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from typing import Any

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
    Formula("", "no activation", lambda x: x),
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
    for i in range(ndim):
        yield Formula(
            "the softmax", f"over axis {i}", partial(_softmax, axis=i), partial(_shares, axis=i)
        )
        yield Formula(
            "the log-softmax",
            f"over axis {i}",
            partial(_log_softmax, axis=i),
            lambda x, i=i: np.log(_shares(x, i)),
        )
        yield Formula(
            "the cumulative sum",
            f"along axis {i}",
            partial(b.cumulative, axis=i),
            partial(np.cumsum, axis=i),
        )
        yield Formula(
            "the cumulative sum",
            f"along axis {i}, from the end",
            partial(_from_end, axis=i),
            lambda x, i=i: np.flip(np.cumsum(np.flip(x, i), i), i),
        )


def _shares(x: Array, axis: int) -> Array:
    e = np.exp(x - np.max(x, axis, keepdims=True))
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
    kept: dict[str, Any] = {"axis": axes, "keepdims": True}

    def count(x: Bounded) -> int:
        return math.prod(x.shape[axis] for axis in axes)

    def squares(x: Bounded) -> Bounded:
        d = x - total(x, over, True) / count(x)
        return total(d * d, over, True)

    def variance(x: Bounded, less: int) -> Bounded:
        return squares(x) / max(count(x) - less, 1)

    yield Formula(
        "the mean", words, lambda x: total(x, over, True) / count(x), partial(np.mean, **kept)
    )
    yield Formula("the sum", words, lambda x: total(x, over, True), partial(np.sum, **kept))
    yield Formula(
        "the largest entry", words, lambda x: b.largest(x, over, True), partial(np.max, **kept)
    )
    for less, kind in enumerate(("biased", "unbiased")):
        yield Formula(
            "the variance",
            f"{kind}, {words}",
            lambda x, n=less: variance(x, n),
            partial(np.var, ddof=less, **kept),
        )
        yield Formula(
            "the standard deviation",
            f"{kind}, {words}",
            lambda x, n=less: b.sqrt(variance(x, n)),
            partial(np.std, ddof=less, **kept),
        )
    yield Formula(
        "the mean square",
        words,
        lambda x: total(x * x, over, True) / count(x),
        lambda x: np.mean(x * x, **kept),
    )
    yield Formula(
        "the sum of squares",
        words,
        lambda x: total(x * x, over, True),
        lambda x: np.sum(x * x, **kept),
    )
    yield Formula(
        "the norm",
        words,
        lambda x: b.sqrt(total(x * x, over, True)),
        lambda x: np.sqrt(np.sum(x * x, **kept)),
    )
