"""Floating-point formats, and the error of one operation in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .layers import Array


@dataclass(frozen=True)
class Precision:
    """A floating-point format: machine epsilon, smallest normal number η and largest number."""

    name: str
    eps: float
    eta: float
    largest: float

    @classmethod
    def of(cls, dtype: Any) -> Precision:
        """The format of a NumPy dtype."""
        info = np.finfo(dtype)
        return cls(info.dtype.name, float(info.eps), float(info.smallest_normal), float(info.max))

    @property
    def u(self) -> float:
        """Unit roundoff."""
        return self.eps / 2

    def unless_overflow(self, size: Array, e: Array) -> Array:
        """E, but infinite where the sum of the terms' absolute values, `size`, is beyond the dtype's range."""
        return np.where(size <= self.largest, e, np.inf)

    def gamma(self, n: int) -> float:
        """γ_n = nu / (1 - nu): relative error of n roundings, and of a sum of products of n terms in any order."""
        return n * self.u / (1 - n * self.u)

    def product(self, a: Array, e_a: Array, b: Array, e_b: Array, roundings: int) -> Array:
        """E of a·b, given E of a and of b, and how many roundings the product itself takes."""
        ku = roundings * self.u
        return (a * e_b + b * e_a + e_a * e_b) * (1 + ku) + ku * a * b + roundings * self.eta
