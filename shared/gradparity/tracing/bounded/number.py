"""The number itself, its operators, and how it enters a computation."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...reference.bound import SAFETY
from ...reference.precision import Precision

Array = NDArray[Any]
Number = bool | int | float
Axes = int | Sequence[int] | None

quiet = np.errstate(all="ignore")
"""Decorates what may compute ∞ - ∞ or 0/0: where there is no bound, and where `np.where` takes the other side."""

_DOUBLE = Precision.of(np.float64)
_ORDER = itertools.count()


@dataclass(frozen=True, eq=False)
class Bounded:
    """An array, and how far a program that computes it can be from the exact result.

    Attributes:
        value: float64, integers or bools.
        error: E ≥ |computed - exact|, entry by entry, of any evaluation in format `precision`; of a bool, 1 where it
            may be either; infinite where nothing is known.
        precision: the format in which the program computes. Integers and bools are exact in any.
        parents: the arrays it was computed from, each with the map of its cotangent to theirs.
        order: larger than that of its parents.
    """

    value: Array
    error: Array
    precision: Precision
    parents: tuple[tuple[Bounded, Callable[[Bounded], Bounded]], ...] = field(
        default=(), repr=False
    )
    order: int = field(default_factory=_ORDER.__next__, repr=False)

    __array_ufunc__ = None  # an ndarray on the left leaves the operation to us
    __hash__ = object.__hash__

    def __post_init__(self) -> None:
        # NumPy returns scalars where an array has no axes, and one error may stand for all entries.
        value, error = np.asarray(self.value), np.asarray(self.error)
        object.__setattr__(self, "value", value)
        if error.shape != value.shape:
            error = np.broadcast_to(error, value.shape)
        object.__setattr__(self, "error", error)

    @property
    def shape(self) -> tuple[int, ...]:
        """Its shape."""
        return self.value.shape

    @property
    def ndim(self) -> int:
        """The number of its axes."""
        return self.value.ndim

    @property
    def size(self) -> int:
        """The number of its entries."""
        return self.value.size

    @property
    def floating(self) -> bool:
        """Whether it is neither integers nor bools."""
        return self.value.dtype.kind == "f"

    @property
    def T(self) -> Bounded:
        """Itself with the axes in reverse order."""
        return movement.moved(np.transpose, self)

    def reshape(self, *shape: Any) -> Bounded:
        """Reshape as NumPy does."""
        return movement.moved(lambda at: at.reshape(*shape), self)

    def __getitem__(self, index: Any) -> Bounded:
        """Index as NumPy does."""
        return movement.moved(lambda at: at[index], self)

    def __len__(self) -> int:
        return len(self.value)

    def __add__(self, other: Operand) -> Bounded:
        return arithmetic.add(*pair(self, other))

    def __radd__(self, other: Operand) -> Bounded:
        return arithmetic.add(*pair(other, self))

    def __sub__(self, other: Operand) -> Bounded:
        return arithmetic.subtract(*pair(self, other))

    def __rsub__(self, other: Operand) -> Bounded:
        return arithmetic.subtract(*pair(other, self))

    def __mul__(self, other: Operand) -> Bounded:
        return arithmetic.multiply(*pair(self, other))

    def __rmul__(self, other: Operand) -> Bounded:
        return arithmetic.multiply(*pair(other, self))

    def __truediv__(self, other: Operand) -> Bounded:
        return arithmetic.divide(*pair(self, other))

    def __rtruediv__(self, other: Operand) -> Bounded:
        return arithmetic.divide(*pair(other, self))

    def __floordiv__(self, other: Operand) -> Bounded:
        return arithmetic.floor_divide(*pair(self, other))

    def __mod__(self, other: Operand) -> Bounded:
        return arithmetic.remainder(*pair(self, other))

    def __pow__(self, other: Operand) -> Bounded:
        return arithmetic.power(*pair(self, other))

    def __rpow__(self, other: Operand) -> Bounded:
        return arithmetic.power(*pair(other, self))

    def __matmul__(self, other: Operand) -> Bounded:
        return sums.matmul(*pair(self, other))

    def __rmatmul__(self, other: Operand) -> Bounded:
        return sums.matmul(*pair(other, self))

    def __neg__(self) -> Bounded:
        return arithmetic.negative(self)

    def __abs__(self) -> Bounded:
        return arithmetic.absolute(self)

    def __lt__(self, other: Any) -> Bounded:
        return arithmetic.compare(np.less, *pair(self, other))

    def __le__(self, other: Any) -> Bounded:
        return arithmetic.compare(np.less_equal, *pair(self, other))

    def __gt__(self, other: Any) -> Bounded:
        return arithmetic.compare(np.greater, *pair(self, other))

    def __ge__(self, other: Any) -> Bounded:
        return arithmetic.compare(np.greater_equal, *pair(self, other))

    def __eq__(self, other: object) -> Any:
        return arithmetic.compare(np.equal, *pair(self, other))

    def __ne__(self, other: object) -> Any:
        return arithmetic.compare(np.not_equal, *pair(self, other))

    def __and__(self, other: Operand) -> Bounded:
        return arithmetic.of_bits(np.bitwise_and, *pair(self, other))

    def __or__(self, other: Operand) -> Bounded:
        return arithmetic.of_bits(np.bitwise_or, *pair(self, other))

    def __xor__(self, other: Operand) -> Bounded:
        return arithmetic.of_bits(np.bitwise_xor, *pair(self, other))

    def __invert__(self) -> Bounded:
        return Bounded(~self.value, self.error, self.precision)


Operand = Bounded | Number | Array


def exact(value: Any, precision: Precision) -> Bounded:
    """Return an array without error, but for subnormal numbers: programs may flush them to zero."""
    array = np.asarray(value)
    if array.dtype.kind == "c":
        raise TypeError("complex numbers")
    if array.dtype.kind not in "biu":
        array = array.astype(np.float64)
    error = np.broadcast_to(0.0, array.shape)
    if array.dtype.kind == "f":
        tiny = (np.abs(array) < precision.eta) & (array != 0)
        if tiny.any():
            error = tiny * precision.eta
    return Bounded(array, error, precision)


def constant(value: Any, precision: Precision) -> Bounded:
    """Return a number or array that stands in the program's text: rounded to the format, unless it is in it."""
    found = exact(value, precision)
    return cast(replace(found, precision=_DOUBLE), precision) if found.floating else found


def irrational(value: float, precision: Precision) -> Bounded:
    """Return a number such as π, of which a program has the nearest, or one near to it."""
    error = SAFETY * precision.eps * abs(value)
    return Bounded(np.asarray(value), np.asarray(error), precision)


@quiet
def cast(x: Bounded, precision: Precision) -> Bounded:
    """Convert to a floating-point format."""
    value, error, before = x.value.astype(np.float64), x.error, x.precision
    if not x.floating or precision.eps > before.eps:
        # What is known exactly, and stands in the format, stays exact: a number with few digits, which neither
        # overflows nor is flushed to zero.
        scaled, size = np.frexp(value)[0] / precision.u, np.abs(value)
        within = (size <= precision.largest) & ((size >= precision.eta) | (size == 0))
        there = (error == 0) & (((scaled == np.rint(scaled)) & within) | ~np.isfinite(value))
        error = rounded(precision, value, error, precision.u, ~there)
    parents = ((x, lambda g: cast(g, before)),) if x.floating else ()
    return Bounded(value, error, precision, parents)


@quiet
def rounded(
    r: Precision,
    value: Array,
    carried: Any,
    relative: Any,
    live: Any = True,
    size: Any = None,
    reach: Any = None,
) -> Array:
    """Compute E of a result: what it carries from its operands, and its own roundings.

    Args:
        r: the format.
        value: the result.
        carried: E of the result if it were computed without rounding.
        relative: the relative error of its own computation, with respect to `size`.
        live: False where the computation is exact.
        size: the sum of its terms' absolute values; |value| if there is one.
        reach: the largest absolute value to which the program may come before it rounds.
    """
    size = np.abs(value) if size is None else size
    own = SAFETY * relative * size + r.eta
    own = own if live is True else np.where(live, own, 0.0)
    e = carried + relative * carried + own
    # What lies within half a unit of the largest number is rounded to it.
    within = (size + carried if reach is None else reach) <= r.largest * (1 + r.u / 2)
    if within.all() and not np.isnan(e).any():
        return e
    # An infinite operand is exact.
    return np.where((within | ~np.asarray(live)) & ~np.isnan(value), known(e), np.inf)


def are_whole(*xs: Bounded) -> bool:
    """Whether all are integers without error: sums and products are, too, as long as the format holds them."""
    return not any(x.error.any() for x in xs) and all(
        (x.value == np.rint(x.value)).all() for x in xs
    )


def known(e: Any) -> Array:
    """Return E, infinite where it is no number."""
    return np.where(np.isnan(e), np.inf, e)


def gamma(r: Precision, n: Any) -> Array:
    """Compute γ_n for an array of n; infinite where n u ≥ 1."""
    nu = np.asarray(n) * r.u
    return np.where(nu < 1, nu / np.maximum(1 - nu, r.u), np.inf)


def pair(x: Any, y: Any) -> tuple[Bounded, Bounded]:
    """Return both as `Bounded`. A number takes the other's format, integers and bools that of floating numbers."""
    if not isinstance(x, Bounded):
        x = constant(x, y.precision)
    elif not isinstance(y, Bounded):
        y = constant(y, x.precision)
    if x.floating != y.floating:
        x, y = (x, cast(y, x.precision)) if x.floating else (cast(x, y.precision), y)
    return x, y


def finer(*xs: Bounded) -> Precision:
    """Return the finest of the formats, in which arithmetic is done."""
    floating = [x.precision for x in xs if x.floating]
    return min(floating, key=lambda r: r.eps, default=xs[0].precision)


def is_zero(x: Bounded) -> Array:
    """Return where x is certain to be 0."""
    return (x.value == 0) & (x.error == 0)


def is_infinite(x: Bounded) -> Array:
    """Return where x is certain to be ∞ or -∞."""
    return np.isinf(x.value) & (x.error == 0)


def may_count(x: Bounded) -> Array:
    """Return where x may be something else than 0."""
    return (x.value != 0) | (x.error > 0)


# Not at the top, where imports belong: these modules import the class above, whose operators call their functions.
from . import arithmetic, movement, sums  # noqa: E402
