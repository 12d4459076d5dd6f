"""Functions of one array, entry by entry."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ...reference import activations, losses
from ...reference.bound_functions import FUNCTION_ULP, SIGMOID_ULP
from .number import (
    Array,
    Bounded,
    cast,
    irrational,
    is_infinite,
    is_zero,
    known,
    quiet,
    rounded,
)


def _function(
    x: Bounded,
    value: Array,
    carried: Array,
    derivative: Callable[[Bounded], Bounded],
    ulp: float = FUNCTION_ULP,
    live: Any = True,
    size: Any = None,
) -> Bounded:
    """Return a function's value.

    Args:
        x: the argument.
        value: the function's value.
        carried: by how much it moves at most if the argument moves by its error.
        derivative: computes its derivative from the value.
        ulp: the error of the function in a library, relative to `size`.
        live: False where every library is exact.
        size: see `ulp`; |value| by default.
    """
    r = x.precision
    carried = np.where(x.error == 0, 0.0, carried)
    error = rounded(r, value, carried, ulp * r.eps, live, size)
    error = np.where(is_infinite(x), 0.0, error)
    error = np.where(np.isnan(value), np.inf, error)
    y = Bounded(value, error, r)
    return Bounded(value, error, r, ((x, lambda g: g * derivative(y)),))


def _floating(x: Bounded) -> Bounded:
    return x if x.floating else cast(x, x.precision)


@quiet
def exp(x: Bounded) -> Bounded:
    """Compute e^x."""
    x = _floating(x)
    return _function(x, np.exp(x.value), _rise_of_exp(x), lambda y: y, live=~is_zero(x))


@quiet
def expm1(x: Bounded) -> Bounded:
    """Compute e^x - 1, accurately."""
    x = _floating(x)
    return _function(x, np.expm1(x.value), _rise_of_exp(x), lambda _: exp(x), live=~is_zero(x))


def _rise_of_exp(x: Bounded) -> Array:
    value, above = np.exp(x.value), np.exp(x.value + x.error)
    return np.where(x.error < 1, value * np.expm1(x.error), above)


@quiet
def log(x: Bounded) -> Bounded:
    """Compute the natural logarithm. There is no bound where rounding may make x negative or 0."""
    x = _floating(x)
    low = x.value - x.error
    carried = np.where(low > 0, np.log1p(x.error / low), np.inf)
    simple = (x.error == 0) & ((x.value == 1) | (x.value == 0))
    return _function(x, np.log(x.value), carried, lambda _: 1 / x, live=~simple)


@quiet
def log1p(x: Bounded) -> Bounded:
    """Compute log(1 + x), accurately. There is no bound where rounding may bring x to -1."""
    x = _floating(x)
    low = 1 + x.value - x.error
    carried = np.where(low > 0, np.log1p(x.error / low), np.inf)
    return _function(x, np.log1p(x.value), carried, lambda _: 1 / (x + 1), live=~is_zero(x))


@quiet
def sqrt(x: Bounded) -> Bounded:
    """Compute the square root. There is no bound where rounding may make x negative."""
    x = _floating(x)
    value, low = np.sqrt(x.value), x.value - x.error
    carried = np.where(low >= 0, x.error / (value + np.sqrt(low)), np.inf)
    return _function(x, value, carried, lambda y: 1 / (2 * y), ulp=1, live=~is_zero(x))


@quiet
def rsqrt(x: Bounded) -> Bounded:
    """Compute 1/√x. There is no bound where rounding may make x negative or 0."""
    x = _floating(x)
    value, share = 1 / np.sqrt(x.value), x.error / x.value
    carried = np.where(share < 1, value * np.expm1(-0.5 * np.log1p(-share)), np.inf)
    return _function(x, value, carried, lambda y: -0.5 * (y * y * y))


@quiet
def tanh(x: Bounded) -> Bounded:
    """Compute the hyperbolic tangent."""
    x = _floating(x)
    q = np.exp(-2 * np.maximum(0, np.abs(x.value) - x.error))
    carried = np.minimum(4 * q / (1 + q) ** 2 * x.error, 2)
    return _function(x, np.tanh(x.value), carried, lambda y: 1 - y * y, live=~is_zero(x))


@quiet
def sigmoid(x: Bounded) -> Bounded:
    """Compute 1 / (1 + e^-x)."""
    x = _floating(x)
    q = np.exp(-np.maximum(0, np.abs(x.value) - x.error))
    carried = np.minimum(q / (1 + q) ** 2 * x.error, 1)
    return _function(
        x, activations.sigmoid(x.value), carried, lambda y: y * (1 - y), ulp=SIGMOID_ULP
    )


_erf = np.vectorize(math.erf, otypes=[np.float64])


@quiet
def erf(x: Bounded) -> Bounded:
    """Compute the error function."""
    x = _floating(x)
    steepest = 2 / math.sqrt(math.pi)
    nearest = np.maximum(0, np.abs(x.value) - x.error)
    carried = np.minimum(steepest * np.exp(-(nearest**2)) * x.error, 2)
    slope = irrational(steepest, x.precision)
    value = np.asarray(_erf(x.value)) if x.size else x.value
    return _function(x, value, carried, lambda _: slope * exp(-(x * x)), live=~is_zero(x))


@quiet
def arctan(x: Bounded) -> Bounded:
    """Compute the inverse of the tangent."""
    x = _floating(x)
    nearest = np.maximum(0, np.abs(x.value) - x.error)
    carried = np.minimum(x.error / (1 + nearest**2), math.pi)
    found = _function(x, np.arctan(x.value), carried, lambda _: 1 / (1 + x * x), live=~is_zero(x))
    at_infinity = np.where(is_infinite(x), irrational(math.pi / 2, x.precision).error, found.error)
    return Bounded(found.value, at_infinity, x.precision, found.parents)


@quiet
def sin(x: Bounded) -> Bounded:
    """Compute the sine. Its own error is relative to a number of the argument's size, at most 1."""
    x = _floating(x)
    size, carried = np.minimum(1, np.abs(x.value)), np.minimum(x.error, 2)
    return _function(x, np.sin(x.value), carried, lambda _: cos(x), live=~is_zero(x), size=size)


@quiet
def cos(x: Bounded) -> Bounded:
    """Compute the cosine. Its own error is relative to 1."""
    x = _floating(x)
    size, carried = np.ones(x.shape), np.minimum(x.error, 2)
    return _function(x, np.cos(x.value), carried, lambda _: -sin(x), live=~is_zero(x), size=size)


@quiet
def softplus(x: Bounded) -> Bounded:
    """Compute log(1 + e^x) so that e^x does not overflow."""
    x = _floating(x)
    carried = activations.sigmoid(x.value + x.error) * x.error
    return _function(x, losses.softplus(x.value), carried, lambda _: sigmoid(x))


# Steps. Their derivative is 0.


@quiet
def _step(function: Callable[[Any], Array], x: Bounded) -> Bounded:
    """Compute a function that is constant between jumps, and rises."""
    value = function(x.value)
    jump = function(x.value + x.error) - value, value - function(x.value - x.error)
    error = np.where(x.error == 0, 0.0, known(np.maximum(*jump) * 1.0))
    return Bounded(value, error, x.precision)


def sign(x: Bounded) -> Bounded:
    """Compute -1, 0 or 1."""
    return _step(np.sign, x)


def floor(x: Bounded) -> Bounded:
    """Round down."""
    return _step(np.floor, x) if x.floating else x


def ceil(x: Bounded) -> Bounded:
    """Round up."""
    return _step(np.ceil, x) if x.floating else x


def round(x: Bounded) -> Bounded:
    """Round to the nearest integer, ties to even."""
    return _step(np.rint, x) if x.floating else x


def truncate(x: Bounded) -> Bounded:
    """Round towards zero."""
    return _step(np.trunc, x) if x.floating else x


def to_integers(x: Bounded) -> Bounded:
    """Convert to integers, rounding towards zero."""
    found = truncate(x)
    return Bounded(found.value.astype(np.int64), found.error, x.precision)
