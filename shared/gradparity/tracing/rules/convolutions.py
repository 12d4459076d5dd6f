"""Convolutions and pooling in any number of dimensions, as patches and sums of products.

Arrays are (samples, channels, *space), kernels (channels out, channels in of a group, *window). What a library does
with a Fourier transform or after Winograd has larger errors than these sums, and is not covered by their bounds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..bounded import Array, Bounded, Number, einsum, moved, take


@dataclass(frozen=True)
class Geometry:
    """Where the windows lie, axis by axis.

    Attributes:
        strides: steps from window to window.
        padding: (before, after) of the dilated space; negative numbers crop.
        lhs_dilation: steps between neighbours of the space; zeros lie between.
        rhs_dilation: steps between neighbours of the window.
    """

    strides: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]
    lhs_dilation: tuple[int, ...]
    rhs_dilation: tuple[int, ...]

    @classmethod
    def of(
        cls,
        axes: int,
        strides: Sequence[int] = (),
        padding: Sequence[int | tuple[int, int]] = (),
        lhs_dilation: Sequence[int] = (),
        rhs_dilation: Sequence[int] = (),
    ) -> Geometry:
        """Fill in what is not given: an empty sequence stands for none, one number for all axes."""

        def each(given: Sequence[int], default: int) -> tuple[int, ...]:
            found = tuple(int(n) for n in given) or (default,)
            return found * axes if len(found) == 1 else found

        pairs = tuple(
            (int(p), int(p)) if isinstance(p, int) else (int(p[0]), int(p[1])) for p in padding
        )
        pairs = pairs or ((0, 0),)
        return cls(
            each(strides, 1),
            pairs * axes if len(pairs) == 1 else pairs,
            each(lhs_dilation, 1),
            each(rhs_dilation, 1),
        )

    def steps(self, axis: int, size: int, window: int) -> Array:
        """Return the position of each entry of each window on one axis, (windows, window); -1 where there is none."""
        (low, high), stride = self.padding[axis], self.strides[axis]
        left, right = self.lhs_dilation[axis], self.rhs_dilation[axis]
        width = max((size - 1) * left + 1, 0) + low + high
        count = max((width - (window - 1) * right - 1) // stride + 1, 0)
        at = np.arange(count)[:, None] * stride + np.arange(window) * right - low
        there = (at >= 0) & (at <= (size - 1) * left) & (at % left == 0)
        return np.where(there, at // left, -1)

    def positions(self, space: Sequence[int], window: Sequence[int]) -> Array:
        """Return the position in the flat space of each entry of each window, (*windows, *window); -1 for none."""
        axes = len(space)
        found, there = np.zeros((1,) * 2 * axes, int), np.ones((1,) * 2 * axes, bool)
        for axis, (size, length) in enumerate(zip(space, window, strict=True)):
            at = self.steps(axis, size, length)
            shape = [1] * 2 * axes
            shape[axis], shape[axes + axis] = at.shape
            found = found * size + at.reshape(shape)
            there = there & (at.reshape(shape) >= 0)
        return np.where(there, found, -1)

    def back(self, space: Sequence[int], out: Sequence[int], window: Sequence[int]) -> Geometry:
        """Return the windows over the results with which each entry of the space is reached, in reversed order."""
        padding = []
        for axis, (size, count, length) in enumerate(zip(space, out, window, strict=True)):
            reach = (length - 1) * self.rhs_dilation[axis]
            low = reach - self.padding[axis][0]
            width = max((count - 1) * self.strides[axis] + 1, 0)
            padding.append((low, (size - 1) * self.lhs_dilation[axis] + reach + 1 - width - low))
        return replace(
            self, strides=self.lhs_dilation, lhs_dilation=self.strides, padding=tuple(padding)
        )


def windows(x: Bounded, window: Sequence[int], geometry: Geometry, fill: Number = 0.0) -> Bounded:
    """Return the windows over the last axes, (*other axes, *windows, *window); `fill` where one leaves the space."""
    axes = len(window)
    kept, space = x.shape[: x.ndim - axes], x.shape[x.ndim - axes :]
    flat = geometry.positions(space, window)
    first = np.arange(math.prod(kept)).reshape(*kept, *(1,) * 2 * axes) * math.prod(space)
    return take(x, np.where(flat >= 0, first + flat, -1), fill)


def convolve(
    x: Bounded, kernel: Bounded, geometry: Geometry, groups: int = 1, batch_groups: int = 1
) -> Bounded:
    """Compute a convolution, (samples, channels out, *windows), as networks do: the kernel is not reversed.

    `batch_groups` splits the samples, not the channels: each group of channels out sees one group of samples.
    """
    if batch_groups > 1:
        samples, channels, *space = x.shape
        apart = (batch_groups, samples // batch_groups, channels, *space)
        together = (samples // batch_groups, batch_groups * channels, *space)
        x = moved(lambda at: at.reshape(apart).swapaxes(0, 1).reshape(together), x)
        groups = batch_groups
    window = kernel.shape[2:]
    found = einsum(
        "ngcpk,gock->ngop", _patches(x, window, geometry, groups), _grouped(kernel, groups)
    )
    out = _out(x, window, geometry)
    found = found.reshape(len(x), len(kernel), *out)

    def of_x(g: Bounded) -> Bounded:
        return cotangent_of_inputs(g, kernel, x.shape, geometry, groups)

    def of_kernel(g: Bounded) -> Bounded:
        return cotangent_of_kernel(g, x, kernel.shape, geometry, groups)

    return replace(found, parents=((x, of_x), (kernel, of_kernel)))


def cotangent_of_inputs(
    g: Bounded, kernel: Bounded, shape: Sequence[int], geometry: Geometry, groups: int = 1
) -> Bounded:
    """Compute the cotangent of inputs of this shape: a convolution of `g` with the reversed kernel.

    That is what is called a transposed convolution, too.
    """
    samples, channels, *space = shape
    window = kernel.shape[2:]
    back = geometry.back(space, g.shape[2:], window)
    reversed_ = moved(
        lambda at: np.flip(
            at.reshape(groups, -1, channels // groups, *window).swapaxes(1, 2),
            tuple(range(3, 3 + len(window))),
        ).reshape(channels, -1, *window),
        kernel,
    )
    return convolve(g, reversed_, back, groups).reshape(samples, channels, *space)


def cotangent_of_kernel(
    g: Bounded, x: Bounded, shape: Sequence[int], geometry: Geometry, groups: int = 1
) -> Bounded:
    """Compute the cotangent of a kernel of this shape."""
    rows = g.reshape(len(g), groups, shape[0] // groups, -1)
    found = einsum("ngcpk,ngop->gock", _patches(x, shape[2:], geometry, groups), rows)
    return found.reshape(*shape)


def _out(x: Bounded, window: Sequence[int], geometry: Geometry) -> tuple[int, ...]:
    sizes = zip(x.shape[2:], window, strict=True)
    return tuple(len(geometry.steps(axis, *size)) for axis, size in enumerate(sizes))


def _patches(x: Bounded, window: Sequence[int], geometry: Geometry, groups: int) -> Bounded:
    """Return the windows, (samples, groups, channels of a group, windows, entries of a window)."""
    samples, channels = x.shape[:2]
    shape = (samples, groups, channels // groups, -1, math.prod(window))
    if 0 in x.shape or 0 in _out(x, window, geometry):
        shape = (*shape[:3], math.prod(_out(x, window, geometry)), shape[4])
    return windows(x, window, geometry).reshape(shape)


def _grouped(kernel: Bounded, groups: int) -> Bounded:
    """Return the kernel, (groups, channels out of a group, channels in of a group, entries of a window)."""
    out, channels, *window = kernel.shape
    return kernel.reshape(groups, out // groups, channels, math.prod(window))
