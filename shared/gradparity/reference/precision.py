"""Floating-point formats, and the rounding error of one operation in them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from .layers import Array


@dataclass(frozen=True)
class Precision:
    """A floating-point format: its machine epsilon, its smallest normal number η and its largest number."""

    name: str
    eps: float
    eta: float
    largest: float

    @classmethod
    @cache
    def of(cls, dtype: Any) -> Precision:
        """Return the format of a NumPy dtype."""
        info = np.finfo(dtype)
        return cls(info.dtype.name, float(info.eps), float(info.smallest_normal), float(info.max))

    @property
    def u(self) -> float:
        """Unit roundoff."""
        return self.eps / 2

    def unless_overflow(self, size: Array, e: Array) -> Array:
        """Return E, but infinity where `size`, the sum of the terms' absolute values, is beyond the format's range."""
        return np.where(size <= self.largest, e, np.inf)

    def gamma(self, n: int) -> float:
        """Compute γ_n = nu / (1 - nu): the relative error of n roundings, and of a sum of n products in any order."""
        return n * self.u / (1 - n * self.u)

    def product(self, a: Array, e_a: Array, b: Array, e_b: Array, roundings: int) -> Array:
        """Compute E of a·b, from E of a and of b and the number of roundings that the product itself takes."""
        ku = roundings * self.u
        return (a * e_b + b * e_a + e_a * e_b) * (1 + ku) + ku * a * b + roundings * self.eta
