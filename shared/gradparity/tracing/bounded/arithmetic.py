"""What the operators compute: arithmetic, comparisons, bits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ...reference.bound_functions import FUNCTION_ULP
from . import choices, functions, sums
from .number import Array, Bounded, are_whole, exact, finer, is_infinite, is_zero, quiet, rounded


def like(g: Bounded, x: Bounded) -> Bounded:
    """Sum a cotangent over the axes along which x was broadcast."""
    extra = g.ndim - x.ndim
    axes = [*range(extra)]
    axes += [extra + i for i, n in enumerate(x.shape) if n == 1 and g.shape[extra + i] != 1]
    g = sums.total(g, axes) if axes else g
    return g if g.shape == x.shape else g.reshape(x.shape)


@quiet
def add(x: Bounded, y: Bounded) -> Bounded:
    """Compute x + y."""
    r, value = finer(x, y), x.value + y.value
    carried = x.error + y.error
    if value.dtype.kind != "f":
        return Bounded(value, carried, r)
    live = ~(is_zero(x) | is_zero(y) | ((value == 0) & (carried == 0)))
    if are_whole(x, y):
        live &= ~(np.abs(value) < 1 / r.u)
    # Computed operands lie within the format's range: masks are often made by adding its lowest number.
    top, low = r.largest, -r.largest
    high = np.minimum(x.value + x.error, top) + np.minimum(y.value + y.error, top)
    deep = np.maximum(x.value - x.error, low) + np.maximum(y.value - y.error, low)
    error = rounded(r, value, carried, r.u, live, reach=np.maximum(np.abs(high), np.abs(deep)))
    certain = (is_infinite(x) | is_infinite(y)) & np.isinf(value)
    error = np.where(certain, 0.0, error)
    return Bounded(value, error, r, ((x, lambda g: like(g, x)), (y, lambda g: like(g, y))))


def subtract(x: Bounded, y: Bounded) -> Bounded:
    """Compute x - y."""
    return add(x, negative(y))


def negative(x: Bounded) -> Bounded:
    """Compute -x."""
    return Bounded(-x.value, x.error, x.precision, ((x, lambda g: -g),))


def absolute(x: Bounded) -> Bounded:
    """Compute |x|. Its derivative at 0 is 0, as in all three frameworks."""
    return Bounded(np.abs(x.value), x.error, x.precision, ((x, lambda g: g * functions.sign(x)),))


@quiet
def multiply(x: Bounded, y: Bounded) -> Bounded:
    """Compute x y."""
    r, value = finer(x, y), x.value * y.value
    a, b, e_a, e_b = np.abs(x.value), np.abs(y.value), x.error, y.error
    # 0 · ∞ does not occur: an infinite operand is without error.
    carried = np.where(e_b == 0, 0.0, a * e_b) + np.where(e_a == 0, 0.0, b * e_a) + e_a * e_b
    if value.dtype.kind != "f":
        return Bounded(value, carried, r)
    live = ~(is_zero(x) | is_zero(y) | ((a == 1) & (e_a == 0)) | ((b == 1) & (e_b == 0)))
    if are_whole(x, y):
        live &= ~(np.abs(value) < 1 / r.u)
    error = rounded(r, value, carried, r.u, live)
    certain = (is_infinite(x) & (b > e_b)) | (is_infinite(y) & (a > e_a))
    error = np.where(np.isnan(value), np.inf, np.where(certain, 0.0, error))
    return Bounded(value, error, r, ((x, lambda g: like(g * y, x)), (y, lambda g: like(g * x, y))))


@quiet
def divide(x: Bounded, y: Bounded) -> Bounded:
    """Compute x / y, or x times the inverse of y."""
    x = x if x.floating else exact(1.0 * x.value, x.precision)
    r, value = finer(x, y), x.value / y.value
    a, b = np.abs(x.value), np.abs(y.value)
    low = b - y.error
    carried = np.where(low > 0, (x.error + np.abs(value) * y.error) / low, np.inf)
    exactly = (b == 1) & (y.error == 0)
    # The inverse may be flushed to zero.
    error = rounded(r, value, carried + np.where(exactly, 0.0, a * r.eta), 2 * r.u, ~exactly)
    certain = (is_zero(x) & (low > 0)) | (is_infinite(y) & np.isfinite(x.value))
    certain |= is_infinite(x) & np.isfinite(y.value) & (low > 0)
    error = np.where(certain, 0.0, error)

    def of_y(g: Bounded) -> Bounded:
        return like(-(g * (x / y) / y), y)

    return Bounded(value, error, r, ((x, lambda g: like(g / y, x)), (y, of_y)))


def floor_divide(x: Bounded, y: Bounded) -> Bounded:
    """Compute x / y, rounded down."""
    return functions.floor(x / y) if x.floating else of_integers(np.floor_divide, x, y)


def remainder(x: Bounded, y: Bounded) -> Bounded:
    """Compute the remainder with the divisor's sign, as Python does."""
    return x - functions.floor(x / y) * y if x.floating else of_integers(np.mod, x, y)


@quiet
def power(x: Bounded, y: Bounded) -> Bounded:
    """Compute x to the power of y."""
    if y.size == 1 and is_zero(y - 2).all() and x.ndim >= y.ndim:
        return x * x
    if not x.floating:
        return of_integers(np.power, x, y)
    r, value = finer(x, y), np.power(x.value, y.value)
    a, e_a, p, e_p = np.abs(x.value), x.error, y.value, y.error
    low, high = a - e_a, a + e_a
    # The steepest slope within E of x, times E; and of the logarithm, if the exponent moves, too.
    end = np.where(p >= 1, high, np.where(low > 0, low, 0.0))
    of_x_alone = np.where((e_a > 0) & (p != 0), np.abs(p) * (e_a / end) * end**p, 0.0)
    log = np.log(a)
    of_log = (np.abs(p) + e_p) * np.log1p(e_a / low) + e_p * np.abs(log)
    wide = np.where(of_log < 1, np.abs(value) * np.expm1(of_log), np.exp(p * log + of_log))
    of_both = np.where(low > 0, wide, np.inf)
    carried = np.where(e_p > 0, of_both, of_x_alone)
    # A negative number to a broken power is no number; and so is what may be negative.
    carried = np.where((p != np.rint(p)) & (x.value < e_a), np.inf, carried)
    simple = ((p == 0) | (p == 1)) & (e_p == 0)
    live = ~(simple | (is_zero(x) & (p > e_p)) | ((x.value == 1) & (e_a == 0)))
    # In a library, or by repeated multiplication.
    error = rounded(r, value, carried, np.maximum(FUNCTION_ULP * r.eps, np.abs(p) * r.u), live)

    def of_x(g: Bounded) -> Bounded:
        lower = replace(exact(p - 1, r), error=e_p)
        return like(g * (y * x**lower), x)

    def of_y(g: Bounded) -> Bounded:
        # 0 to a power above 0 stays 0.
        one, zero = exact(1.0, r), exact(0.0, r)
        base = choices.where(x == 0, one, x)
        slope = choices.where(x == 0, zero, functions.log(base) * (x**y))
        return like(g * slope, y)

    return Bounded(value, error, r, ((x, of_x), (y, of_y)))


@quiet
def compare(comparison: Callable[[Array, Array], Array], x: Bounded, y: Bounded) -> Bounded:
    """Compare, entry by entry. Uncertain where the two are within their errors."""
    e = x.error + y.error
    close = np.zeros(e.shape, bool)
    if e.any():
        close = (e > 0) & ~(np.abs(x.value - 1.0 * y.value) > e)
    return Bounded(comparison(x.value, y.value), close * 1.0, finer(x, y))


def of_integers(operation: Callable[[Array, Array], Array], x: Bounded, y: Bounded) -> Bounded:
    """Compute with integers: exactly, unless an operand is uncertain."""
    return Bounded(
        operation(x.value, y.value),
        np.where(x.error + y.error > 0, np.inf, 0.0),
        x.precision,
    )


def of_bits(operation: Callable[[Array, Array], Array], x: Bounded, y: Bounded) -> Bounded:
    """Compute with bools, or with the bits of integers. What the certain operand decides is certain."""
    found = of_integers(operation, x, y)
    if found.value.dtype != bool or not found.error.any():
        return found
    uncertain_x, uncertain_y = x.error > 0, y.error > 0
    may_change = uncertain_y & (operation(x.value, ~y.value) != found.value)
    may_change |= uncertain_x & (operation(~x.value, y.value) != found.value)
    may_change |= uncertain_x & uncertain_y & (operation(~x.value, ~y.value) != found.value)
    return replace(found, error=may_change * 1.0)
