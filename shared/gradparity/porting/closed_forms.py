"""Numbers that a program had in float64 before they were rounded to a shorter format: `0.70710677` was √½."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from math import pi, sqrt

_DIGITS = 6
"""Decimal digits of a number that somebody wrote; float32 has seven."""

_DENOMINATORS = (1 << 4, 1 << 8, 1 << 12)
"""The simplest fraction is taken; one of 2¹² would be found for many numbers by chance, and is tried last."""


def forms(x: float) -> Iterator[float]:
    """Yield numbers of which x may be the rounded one, the simplest first: decimals, fractions, roots, with π."""
    yield float(f"{x:.{_DIGITS}g}")
    for largest in _DENOMINATORS:
        for unit in (1.0, pi):
            yield _fraction(x / unit, largest) * unit
            yield sqrt(_fraction(x * x / unit, largest) * unit)
            yield sqrt(_fraction(x * x * unit, largest) / unit)


def _fraction(x: float, largest: int) -> float:
    """Return the nearest fraction; above 1 its numerator is the limited one."""
    if x > 1:
        return 1 / float(Fraction(1 / x).limit_denominator(largest) or 1)
    return float(Fraction(x).limit_denominator(largest))
