"""A black box's derivative from differences of its own values, and the rounding error of its gradient.

Where nothing is known of a program's equations, its gradient can still be judged against differences of its own loss.
Both errors are measured on the program itself: no tolerance is picked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from ..contract import Params, map_params, tensors
from ..reference.layers import Array
from .judge import RESOLUTION

Function = Callable[[Array], Array]
"""A function of all parameters in one vector. It returns a vector, of NaN where there is no value."""

STEPS = range(5, 15)
"""The numbers of steps, each twice the one before, from the first attempt to the last."""

WINDOW = range(3, 9)
"""The numbers of neighbouring steps that one extrapolation combines."""

ENOUGH = 2.0**-44
"""The relative error at which no further step is tried: a float64 gradient's own rounding error is of this size."""

POINTS, ORDERS = 8, range(3, 6)
"""The points on a line, and the orders of the differences on it, from which noise is estimated."""

COARSEST, FINER = 2.0**-12, 2.0**-10
"""The largest spacing of the points relative to the parameters, and the ratio of one spacing to the next."""

DEVIATIONS = 8.0
"""The allowed rounding error of one value, in standard deviations of the noise."""

MARGIN = 4.0
"""The factor on a gradient's noise: rounding can be the same at all points, in a saturated unit, and so hide."""


def gradient_by_differences(
    loss: Callable[[Params], Any], params: Params, dtypes: Sequence[Any] = (np.float64,)
) -> tuple[Params, Params]:
    """Estimate the derivative of a loss of unknown equations by extrapolated central differences.

    For each parameter x there are steps h, 2h, 4h, …. The mean slope (f(x+h) - f(x-h)) / 2h is a series in h²,
    extrapolated to h = 0 (Richardson 1911; the choice among the extrapolations is that of Ridders 1982). The largest
    step is about the parameter's size, but at most 2; smaller ones are added until rounding outweighs truncation. The
    error is the sum of

    - the change when the largest or the smallest step is left out, or smaller ones are taken, for truncation;
    - the jump of the slope at x, extrapolated from (f(x+h) - 2f(x) + f(x-h)) / h: it is 0 unless there is a kink;
    - the noise of the loss (see `_Noise`), weighted as the values are.

    It is an estimate, not a proof: rounding inside the program that is the same over all steps (a float32 sigmoid that
    is 1, under a logarithm) moves the program's own derivative unseen. It takes about 15 calls for each parameter.

    Args:
        loss: the loss as a function of the parameters alone. It is called with new arrays each time.
        params: where the derivative is wanted.
        dtypes: in which the loss may be called. The one in which it has the least noise is used; one in which it
            fails is not. A loss that computes in `np.longdouble` throughout is 2000 times sharper in it.

    Returns:
        The derivative and its estimated error, in the dtype of the computation. The error is infinite where there
        is no telling: the loss is not finite, does not repeat itself, never changes, or raises.
    """
    with np.errstate(all="ignore"):
        attempts = [_Loss.of(loss, params, dtype) for dtype in dtypes]
        best = min(attempts, key=lambda attempt: attempt.rank)
        derivative, error = best.differentiate()
    return _params(derivative, params), _params(error, params)


def scatter(gradient: Callable[[Params], Params], params: Params) -> Params:
    """Estimate how far a right gradient may be off by rounding alone, by the noise of its own values.

    The noise of each entry is measured as that of a loss is. Chance, saturation or cancelling terms can leave an entry
    without any. So the typical relative noise, the median over all entries, is added to it: that part of the tensor's
    largest entry. Rounding that is the same at all points near cannot be seen: 1 - a² of a saturated unit may be that.

    Args:
        gradient: as a function of the parameters alone. It is called with new float64 arrays each time.
        params: where its error is wanted.

    Returns:
        The error of each entry. It is infinite where there is no telling: the gradient is not finite, does not
        repeat itself, does not have the shapes of the parameters, or the program raises.
    """
    x, sizes = _flat(params, np.float64), _sizes(params)
    lengths = [tensor.size for tensor in tensors(params)]
    none = np.full(x.size, np.nan)

    def function(vector: Array) -> Array:
        try:
            grads = [np.asarray(tensor) for tensor in tensors(gradient(_params(vector, params)))]
        except Exception:  # whatever the program raises, there is no value
            return none
        if [tensor.size for tensor in grads] != lengths:
            return none
        return np.concatenate([tensor.ravel() for tensor in grads])

    with np.errstate(all="ignore"):
        first = function(x)
        value = first.astype(np.float64)
        noise = _Noise.of(function, x, sizes, value, np.finfo(first.dtype).eps).at_start
        relative = np.nanmedian(np.append(noise / np.abs(value), np.finfo(first.dtype).eps))
        largest = np.maximum.reduceat(np.abs(value), np.cumsum([0, *lengths[:-1]]))
        error = MARGIN * (noise + relative * np.repeat(largest, lengths))
        repeats = np.array_equal(function(x), first)
    return _params(np.where(np.isfinite(error) & repeats, error, np.inf), params)


@dataclass(frozen=True)
class _Noise:
    """The rounding error of a function's values (after Moré and Wild 2011).

    On a line with equal spacings a smooth function's k-th differences vanish with the k-th power of the spacing. What
    is left is noise; its differences have the variance σ² (2k)! / (k!)². The spacings run from the coarsest down to
    the dtype's epsilon: rounding in a lower precision inside the program, or of a number near 1 whose distance
    from 1 matters, is constant on too fine a line.

    Attributes:
        at_start: the bound on the error of the values where the derivative is wanted: DEVIATIONS σ, or one unit in
            the last place, or the smallest step between any two values on the lines.
        relative: the same in relative terms, at a point some way off.
        values: all values on the lines.
    """

    at_start: Array
    relative: Array
    values: Array

    @classmethod
    def of(cls, function: Function, x: Array, sizes: Array, value: Array, eps: Any) -> _Noise:
        """Measure the noise at x and about half the parameters' size away from it."""
        rng = np.random.default_rng(0)
        floor = np.abs(value) * eps
        start, values = cls._around(function, x, sizes, eps, rng)
        off, others = cls._around(
            function, x + sizes * rng.uniform(-0.5, 0.5, x.size), sizes, eps, rng
        )
        relative = off / np.abs(others[0])
        relative = np.where(np.isfinite(relative), relative, start / np.abs(value))
        return cls(
            np.maximum(start, floor), np.maximum(relative, eps), np.concatenate([values, others])
        )

    @staticmethod
    def _around(
        function: Function, x: Array, sizes: Array, eps: Any, rng: np.random.Generator
    ) -> tuple[Array, Array]:
        kept, found, spacing = [], [], COARSEST
        while spacing >= eps:
            direction = (sizes * rng.uniform(-1, 1, x.size) * spacing).astype(x.dtype)
            line = np.stack([function(x + k * direction) for k in range(POINTS)])
            # In float32 the squares of a small gradient's differences would underflow.
            differences = line = line.astype(np.result_type(line, np.float64))
            sigmas, factor = [], 1.0
            for k in range(1, ORDERS.stop):
                differences = np.diff(differences, axis=0)
                factor *= k / (2 * (2 * k - 1))  # (k!)² / (2k)!
                if k in ORDERS:
                    sigmas.append(np.sqrt(factor * np.mean(differences**2, axis=0)))
            found.append(np.min(sigmas, axis=0))
            kept.append(line)
            spacing *= FINER
        values = np.concatenate(kept)
        return DEVIATIONS * np.max(found, axis=0), values


@dataclass(frozen=True)
class _Loss:
    """A loss called in one dtype: its value where the derivative is wanted, and its noise."""

    function: Function
    x: Array
    sizes: Array
    value: Any
    eps: Any
    noise: _Noise | None

    @classmethod
    def of(cls, loss: Callable[[Params], Any], params: Params, dtype: Any) -> _Loss:
        """Evaluate the loss where the derivative is wanted, and measure its noise there."""
        x, sizes = _flat(params, dtype), _sizes(params)

        def function(vector: Array) -> Array:
            try:
                return _number(loss(_params(vector, params)))
            except Exception:  # whatever the program raises, there is no value
                return np.array([np.nan])

        first = function(x)
        eps = max(np.finfo(first.dtype).eps, np.finfo(dtype).eps)
        value = first.astype(np.result_type(first, np.float64))
        noise = _Noise.of(function, x, sizes, value, eps) if np.isfinite(value[0]) else None
        return cls(function, x, sizes, value[0], eps, noise)

    @property
    def rank(self) -> float:
        """The noise; infinite if there is no value."""
        level = np.inf if self.noise is None else float(self.noise.at_start[0])
        return level if np.isfinite(level) else np.inf

    def differentiate(self) -> tuple[Array, Array]:
        """Return the derivative and its error, for all parameters in one vector."""
        size = self.x.size
        unknown = np.zeros_like(self.x), np.full_like(self.x, np.inf)
        if self.noise is None or not size:
            return unknown
        level = self._level()
        largest = np.frexp(np.minimum(self.sizes, 1))[1]
        derivative, error = self._descend(np.arange(size), largest, level)
        # Wide steps may all miss a feature, or fall in with its period; a small one does not.
        smallest = largest - (STEPS.stop - STEPS.start)
        step = np.ldexp(self.x.dtype.type(1), smallest)
        pairs = self._pairs(np.arange(size), smallest)
        slope = pairs @ np.array([1, -1]) / (2 * step)
        coarse = RESOLUTION * np.abs(derivative)
        seen = (error <= coarse) & (np.abs(slope - derivative) <= coarse + level / step)
        # What hides in the noise at these steps may show at the smallest: at wide steps a saturated loss is flat.
        hidden = np.flatnonzero(~seen)
        if hidden.size:
            derivative[hidden], error[hidden] = self._descend(hidden, smallest[hidden], level)
        # Where small steps change no bit but wider ones do, values may lie on a stair: of that height is their noise.
        flat = hidden[np.all(pairs[hidden] == self.value, axis=1)]
        wider = [
            self._pairs(flat, smallest[flat] + k) for k in range(2, STEPS.stop - STEPS.start + 1, 2)
        ]
        heights = np.abs(np.concatenate(wider, axis=1) - self.value)
        height = np.min(np.where(heights > 0, heights, np.inf), axis=1)
        error[flat] += np.where(np.isfinite(height), height, 0) / step[flat]
        repeats = self.function(self.x)[0] == self.value
        visible = np.any(error <= RESOLUTION * np.abs(derivative))
        return (derivative, error) if repeats and visible and np.isfinite(level) else unknown

    def _descend(self, entries: Array, largest: Array, level: Any) -> tuple[Array, Array]:
        """Return the derivative of these entries and its error, by steps from 2 to the power of `largest` downward."""
        size = len(entries)
        derivative, error = (
            np.zeros(size, self.value.dtype),
            np.full(size, np.inf, self.value.dtype),
        )
        active, smallest = np.arange(size), largest - STEPS.start + 1
        # The values of each entry still active, from the smallest step up: (entries, steps, 2).
        pairs = np.stack([self._pairs(entries, smallest + k) for k in range(STEPS.start)], axis=1)
        for count in STEPS:
            best, found, rounding = self._extrapolate(
                entries[active], smallest[active], pairs, level
            )
            sharper = found < error[active]
            derivative[active[sharper]], error[active[sharper]] = best[sharper], found[sharper]
            go_on = ~(found <= np.maximum(2 * rounding, ENOUGH * np.abs(best)))
            active, pairs = active[go_on], pairs[go_on]
            if not active.size or count == STEPS.stop - 1:
                break
            smallest[active] -= 1
            added = self._pairs(entries[active], smallest[active])
            pairs = np.concatenate([added[:, None], pairs], axis=1)
        return derivative, error

    def _pairs(self, entries: Array, exponents: Array) -> Array:
        """Return f(x+h) and f(x-h) of these entries, (entries, 2); h is a power of 2."""
        values = np.empty((len(entries), 2), self.value.dtype)
        for row, entry, step in zip(
            values, entries, np.ldexp(self.x.dtype.type(1), exponents), strict=True
        ):
            for side, moved in enumerate((self.x[entry] + step, self.x[entry] - step)):
                x = self.x.copy()
                x[entry] = moved
                row[side] = self.function(x)[0]
        return values

    def _level(self) -> Any:
        """The noise at the start, but no less than the smallest step between values; infinite for a constant loss."""
        assert self.noise is not None
        gaps = np.diff(np.unique(self.noise.values[np.isfinite(self.noise.values)]))
        return max(self.noise.at_start[0], np.min(gaps, initial=np.inf))

    def _extrapolate(
        self, entries: Array, smallest: Array, pairs: Array, level: Any
    ) -> tuple[Array, Array, Array]:
        """Return each entry's best extrapolation, its error, and the share of rounding in the error."""
        assert self.noise is not None
        w = _weights(pairs.shape[1])
        x = np.abs(self.x[entries])[:, None]
        h = np.ldexp(self.x.dtype.type(1), smallest[:, None] + np.arange(pairs.shape[1]))
        ahead, behind = pairs[..., 0] - self.value, pairs[..., 1] - self.value
        slopes, bends = (ahead - behind) / (2 * h), (ahead + behind) / h
        away = np.maximum(np.abs(ahead), np.abs(behind))
        noise = level + self.noise.relative[0] * away + self.eps * np.maximum(x, h) * np.abs(slopes)
        values = slopes @ w.whole.T
        truncation = np.maximum(
            np.abs(slopes @ w.without_largest.T - values),
            np.abs(slopes @ w.without_smallest.T - values),
        )
        rounding = (noise / h) @ np.abs(w.whole).T
        # Steps wider than the function's features have no limit to be extrapolated to, though they may seem to agree.
        apart = np.abs(values[:, :, None] - values[:, None, :]) - rounding[:, None, :]
        truncation = np.maximum(
            truncation, np.max(np.where(w.start[:, None] > w.start, apart, 0), axis=2)
        )
        converges = truncation <= np.maximum(rounding, RESOLUTION * np.abs(values))
        errors = truncation + rounding + np.abs(bends @ w.jump.T)
        errors = np.where(converges & np.isfinite(errors), errors, np.inf)
        best = np.argmin(errors, axis=1)
        rows = np.arange(len(entries))
        return values[rows, best], errors[rows, best], rounding[rows, best]


@dataclass(frozen=True)
class _Weights:
    """The weights of all windows of a ladder of steps 1, 2, 4, …: (windows, steps), in `np.longdouble`.

    Attributes:
        whole: of the mean slopes, extrapolated to the step 0.
        without_largest: the same without the window's largest step.
        without_smallest: the same without its smallest step.
        jump: of the second differences over h: the slope's jump. They vanish for odd powers of h.
        start: the index of the window's smallest step.
    """

    whole: Array
    without_largest: Array
    without_smallest: Array
    jump: Array
    start: Array


@cache
def _weights(count: int) -> _Weights:
    windows = [(k, m) for m in WINDOW for k in range(count - m + 1)]
    h = np.ldexp(np.longdouble(1), np.arange(count))

    def rows(first: int, last: int) -> Array:
        table = np.zeros((len(windows), count), np.longdouble)
        for row, (k, m) in zip(table, windows, strict=True):
            t = h[k + first : k + m - last] ** 2
            row[k + first : k + m - last] = [
                np.prod([s / (s - own) for s in t if s != own]) for own in t
            ]
        return table

    whole, low, high = rows(0, 0), rows(0, 1), rows(1, 0)
    # The second differences over h² are a series in h² as well. A jump of the slope adds 1/h to it.
    jump = (low - high) / h
    jump /= jump.sum(axis=1, keepdims=True)
    return _Weights(whole, low, high, jump, np.array([k for k, _ in windows]))


def _number(value: Any) -> Array:
    """Return a number of any library as a vector of one, in its own dtype if NumPy knows it."""
    array = np.asarray(value)
    if array.dtype.kind != "f" or array.size != 1:
        array = np.asarray(float(value))
    return array.reshape(1)


def _flat(params: Params, dtype: Any) -> Array:
    return np.concatenate([tensor.ravel() for tensor in tensors(params)]).astype(dtype)


def _sizes(params: Params) -> Array:
    """The size of each parameter: its own, but no less than its tensor's mean; in a tensor of zeros the mean of all."""
    mean = np.mean(np.abs(_flat(params, np.float64))) or 1.0

    def size(tensor: Array) -> Array:
        return np.maximum(np.abs(tensor), np.mean(np.abs(tensor)) or mean)

    return _flat(map_params(size, params), np.float64)


def _params(vector: Array, like: Params) -> Params:
    """Return the entries of a vector as new arrays in the shape of `like`."""
    own, start = vector.copy(), 0

    def part(tensor: Array) -> Array:
        nonlocal start
        start += tensor.size
        return own[start - tensor.size : start].reshape(tensor.shape)

    return map_params(part, like)
