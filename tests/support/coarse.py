"""Numbers that round coarsely, and as unluckily as a format allows, in every operation of an ordinary NumPy program."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gradparity.reference.precision import Precision

Draw = Callable[[Any], Any]
"""shape → the error of each operation, as a share of the largest that the format allows."""

FUNCTION_ULP = 2
"""The error of a library's exponential, logarithm or power; what programs make of them errs by more."""

_ARITHMETIC = {np.add, np.subtract, np.multiply, np.divide, np.square}
_EXACT = {np.negative, np.absolute, np.maximum, np.minimum}
_FUNCTIONS = {np.exp, np.log, np.log1p, np.power}


class Coarse(np.ndarray):
    """A float64 array whose operations err by `draw` · u, its functions by `draw` · `FUNCTION_ULP` · 2u."""

    precision: Precision
    draw: Draw

    @classmethod
    def of(cls, array: Any, precision: Precision, draw: Draw) -> Coarse:
        """View the array as one of this format."""
        found = np.array(array, np.float64).view(cls)
        found.precision, found.draw = precision, draw
        return found

    def __array_finalize__(self, other: Any) -> None:
        """Hand the format on to views and copies."""
        if isinstance(other, Coarse):
            self.precision, self.draw = other.precision, other.draw

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        """Carry the operation out in float64, and add its error; sums and products term after term."""
        source = next(x for x in inputs if isinstance(x, Coarse))
        plain = [np.asarray(x) for x in inputs]
        if ufunc is np.matmul:
            return source._product(*plain)
        if method == "reduce" and ufunc is np.add:
            return source._sum(plain[0], options.get("axis", 0), bool(options.get("keepdims")))
        options.pop("out", None)
        value = getattr(ufunc, method)(*plain, **options)
        if ufunc in _EXACT:
            return source._wrap(value)
        if ufunc in _FUNCTIONS:
            error = FUNCTION_ULP * source.precision.eps * source.draw(np.shape(value))
            return source._wrap(value * (1 + error))
        assert ufunc in _ARITHMETIC, ufunc
        return source._wrap(source._rounded(value))

    def _wrap(self, value: Any) -> Coarse:
        return Coarse.of(value, self.precision, self.draw)

    def _rounded(self, value: Any) -> Any:
        return value * (1 + self.precision.u * self.draw(np.shape(value)))

    def _sum(self, terms: Any, axis: Any, keepdims: bool) -> Coarse:
        axes = range(terms.ndim) if axis is None else np.atleast_1d(axis) % terms.ndim
        kept = [1 if k in axes else size for k, size in enumerate(terms.shape)]
        rest = [k for k in range(terms.ndim) if k not in axes]
        flat = np.transpose(terms, [*axes, *rest]).reshape(-1, *(terms.shape[k] for k in rest))
        total = flat[0]
        for term in flat[1:]:
            total = self._rounded(total + term)
        return self._wrap(np.reshape(total, kept) if keepdims else total)

    def _product(self, a: Any, b: Any) -> Coarse:
        columns = b[:, None] if b.ndim == 1 else b
        terms = self._rounded(a[..., :, None] * columns)
        total = np.asarray(self._sum(np.moveaxis(terms, -2, 0), 0, keepdims=False))
        return self._wrap(total[..., 0] if b.ndim == 1 else total)
