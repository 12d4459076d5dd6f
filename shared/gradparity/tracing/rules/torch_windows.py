"""ATen's convolutions, pooling and interpolation, and their derivatives."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import bounded
from ..bounded import Bounded, cotangents, einsum, exact, moved, total
from .convolutions import Geometry, convolve, cotangent_of_inputs, cotangent_of_kernel, windows
from .torch_norms import channels_of, wanted

Dims = int | Sequence[int] | None
Optional = Bounded | None


def _transposed_shape(
    x: Bounded, w: Bounded, g: Geometry, output_padding: Sequence[int], groups: int
) -> list[int]:
    sizes = zip(x.shape[2:], w.shape[2:], g.strides, g.padding, g.rhs_dilation, strict=True)
    space = [(n - 1) * s - 2 * p + d * (k - 1) + 1 for n, k, s, (p, _), d in sizes]
    extra = [*output_padding] * (len(space) if len(output_padding) == 1 else 1)
    return [len(x), w.shape[1] * groups, *(n + e for n, e in zip(space, extra, strict=True))]


def convolution(
    x: Bounded,
    weight: Bounded,
    bias: Optional,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
    output_padding: Sequence[int],
    groups: int,
) -> Bounded:
    """Compute a convolution, or a transposed one, in any number of dimensions."""
    geometry = Geometry.of(x.ndim - 2, stride, padding, (), dilation)
    if transposed:
        shape = _transposed_shape(x, weight, geometry, output_padding, groups)
        y = cotangent_of_inputs(x, weight, shape, geometry, groups)
    else:
        y = convolve(x, weight, geometry, groups)
    return y if bias is None else y + channels_of(bias, y.ndim)


def convolution_backward(
    g: Bounded,
    x: Bounded,
    weight: Bounded,
    bias_sizes: Sequence[int] | None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
    output_padding: Sequence[int],
    groups: int,
    mask: Sequence[bool],
) -> tuple[Optional, ...]:
    """Compute the cotangents of x, of the kernel and of the bias."""
    geometry = Geometry.of(x.ndim - 2, stride, padding, (), dilation)

    def of_x() -> Bounded:
        if transposed:
            return convolve(g, weight, geometry, groups)
        return cotangent_of_inputs(g, weight, x.shape, geometry, groups)

    def of_weight() -> Bounded:
        one, other = (x, g) if transposed else (g, x)
        return cotangent_of_kernel(one, other, weight.shape, geometry, groups)

    return wanted(mask, of_x, of_weight, lambda: total(g, [0, *range(2, g.ndim)]))


def im2col(
    x: Bounded,
    kernel_size: Sequence[int],
    dilation: Sequence[int],
    padding: Sequence[int],
    stride: Sequence[int],
) -> Bounded:
    """Return the windows over images as columns."""
    geometry = Geometry.of(2, stride, padding, (), dilation)
    seen = windows(x, kernel_size, geometry)
    n = x.ndim - 2
    order = (*range(n), n + 2, n + 3, n, n + 1)
    shape = (*x.shape[: n - 1], x.shape[n - 1] * math.prod(kernel_size), -1)
    return moved(lambda at: at.transpose(order).reshape(shape), seen)


def col2im(
    columns: Bounded, size: Sequence[int], kernel_size: Sequence[int], *rest: Any
) -> Bounded:
    """Add the columns up where they lie in the images."""
    channels = columns.shape[-2] // math.prod(kernel_size)
    shape = (*columns.shape[:-2], channels, *size)
    x = exact(np.zeros(shape), columns.precision)
    return cotangents(im2col(x, kernel_size, *rest), columns, [x])[0]


def _pooling(
    x: Bounded, window: Sequence[int], stride: Sequence[int], padding: Any, dilation: Any, up: bool
) -> Geometry:
    """Return where the windows of a pooling lie; `up`: the last one may stick out."""
    plain = Geometry.of(len(window), tuple(stride) or tuple(window), padding, (), dilation)
    if not up:
        return plain
    pairs = []
    space = x.shape[x.ndim - len(window) :]
    for n, k, s, (p, _), d in zip(
        space, window, plain.strides, plain.padding, plain.rhs_dilation, strict=True
    ):
        reach = d * (k - 1) + 1
        out = math.ceil((n + 2 * p - reach) / s) + 1
        out -= (out - 1) * s >= n + p  # a window starts inside, or in the padding before
        pairs.append((p, (out - 1) * s + reach - n - p))
    return Geometry.of(len(window), plain.strides, pairs, (), plain.rhs_dilation)


def _each(n: int | Sequence[int], axes: int) -> tuple[int, ...]:
    found = (n,) if isinstance(n, int) else tuple(n)
    return found * axes if len(found) == 1 else found


def _max_pool(axes: int) -> Callable[..., tuple[Bounded, Bounded]]:
    def rule(
        x: Bounded,
        kernel_size: Any,
        stride: Sequence[int] = (),
        padding: Any = 0,
        dilation: Any = 1,
        ceil_mode: bool = False,
    ) -> tuple[Bounded, Bounded]:
        window = _each(kernel_size, axes)
        geometry = _pooling(
            x, window, _each(stride, axes), _each(padding, axes), _each(dilation, axes), ceil_mode
        )
        seen = windows(x, window, geometry, -np.inf)
        seen = seen.reshape((*seen.shape[: seen.ndim - axes], -1))
        at = geometry.positions(x.shape[x.ndim - axes :], window)
        at = np.broadcast_to(at.reshape((*at.shape[:axes], -1)), seen.shape)
        first = bounded.argmax(seen, -1, True)
        index = np.take_along_axis(at, first.value, -1)[..., 0]
        return bounded.largest(seen, -1), Bounded(index, first.error[..., 0], x.precision)

    return rule


def _max_pool_backward(axes: int) -> Callable[..., Bounded]:
    def rule(g: Bounded, x: Bounded, *rest: Any) -> Bounded:
        indices = rest[-1]
        space = math.prod(x.shape[x.ndim - axes :])
        planes = np.arange(x.size // space).reshape(x.shape[: x.ndim - axes] + (1,) * axes)
        at = Bounded(planes * space + indices.value, indices.error, x.precision)
        return bounded.put_add(exact(np.zeros(x.shape), x.precision), at, g)

    return rule


def _avg_pool(axes: int) -> Callable[..., Bounded]:
    def rule(
        x: Bounded,
        kernel_size: Any,
        stride: Sequence[int] = (),
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> Bounded:
        window = _each(kernel_size, axes)
        geometry = _pooling(x, window, _each(stride, axes), _each(padding, axes), (1,), ceil_mode)
        seen = windows(x, window, geometry)
        over = list(range(seen.ndim - axes, seen.ndim))
        counts: Any = 1
        for axis, k in enumerate(window):
            n, pads = x.shape[x.ndim - axes + axis], _each(padding, axes)[axis]
            steps = geometry.steps(axis, n, k)
            starts = np.arange(len(steps)) * geometry.strides[axis] - pads
            inside = np.minimum(starts + k, n + pads) - starts
            along = inside if count_include_pad else (steps >= 0).sum(1)
            counts = np.multiply.outer(counts, along)
        divisor = counts * 1.0 if divisor_override is None else float(divisor_override)
        return total(seen, over) / divisor

    return rule


def _avg_pool_backward(axes: int) -> Callable[..., Bounded]:
    def rule(g: Bounded, x: Bounded, *rest: Any) -> Bounded:
        return cotangents(_avg_pool(axes)(x, *rest), g, [x])[0]

    return rule


def _adaptive(n: int, out: int) -> list[slice]:
    """Return the windows of an adaptive pooling on one axis."""
    return [slice(i * n // out, -(-(i + 1) * n // out)) for i in range(out)]


def adaptive_avg_pool(x: Bounded, size: Sequence[int]) -> Bounded:
    """Compute means over windows such that there are as many as asked for."""
    for axis, out in zip(range(x.ndim - len(size), x.ndim), size, strict=True):
        n = x.shape[axis]
        weights = np.zeros((out, n))
        for i, one in enumerate(_adaptive(n, out)):
            weights[i, one] = 1
        share = exact(weights, x.precision)
        last = moved(lambda at, axis=axis: np.moveaxis(at, axis, -1), x)
        summed = einsum("...i,oi->...o", last, share) / weights.sum(1)
        x = moved(lambda at, axis=axis: np.moveaxis(at, -1, axis), summed)
    return x


def adaptive_avg_pool_backward(g: Bounded, x: Bounded) -> Bounded:
    """Compute the cotangent through it."""
    axes = 3 if x.ndim == 5 else 2
    return cotangents(adaptive_avg_pool(x, g.shape[g.ndim - axes :]), g, [x])[0]


def adaptive_max_pool2d(x: Bounded, size: Sequence[int]) -> tuple[Bounded, Bounded]:
    """Compute the largest entries of windows such that there are as many as asked for."""
    height, width = x.shape[-2:]
    positions = np.arange(height * width).reshape(height, width)
    values, indices = [], []
    for rows in _adaptive(height, size[0]):
        for columns in _adaptive(width, size[1]):
            part = x[(..., rows, columns)]
            flat = part.reshape((*part.shape[:-2], -1))
            first = bounded.argmax(flat, -1)
            places = positions[rows, columns].reshape(-1)[first.value]
            values.append(bounded.largest(flat, -1))
            indices.append(Bounded(places, first.error, x.precision))
    shape = (*x.shape[:-2], *size)

    def together(parts: list[Bounded]) -> Bounded:
        return moved(lambda *at: np.stack(at, -1).reshape(shape), *parts)

    return together(values), together(indices)


# --- Interpolation --------------------------------------------------------------------------------


def _nearest(n: int, out: int, scale: float | None, centred: bool) -> Any:
    """Return the source of each entry on one axis, in float32, as ATen does."""
    step = np.float32(n / out if not scale else 1 / scale)
    at = np.arange(out, dtype=np.float32)
    return np.minimum(np.floor((at + np.float32(centred / 2)) * step), n - 1).astype(np.int64)


def _upsample_nearest(axes: int, centred: bool = False) -> Callable[..., Bounded]:
    def rule(x: Bounded, size: Sequence[int], *scales: float | None) -> Bounded:
        factors = scales or (None,) * axes
        places = [
            _nearest(n, out, scale, centred)
            for n, out, scale in zip(x.shape[-axes:], size, factors, strict=True)
        ]
        return x[(..., *np.ix_(*places))]

    return rule


def _hats(x: Bounded, n: int, out: int, align: bool, scale: float | None) -> Bounded:
    """Return the weights of linear interpolation on one axis, (results, entries)."""
    at = exact(np.arange(out) * 1.0, x.precision)
    if align:
        places = at * ((n - 1) / (out - 1) if out > 1 else 0.0)
    else:
        places = (at + 0.5) * (1 / scale if scale else n / out) - 0.5
    places = bounded.clip(places, 0.0, float(n - 1)).reshape((out, 1))
    return bounded.maximum(1 - abs(places - np.arange(n) * 1.0), 0.0)


def _upsample_linear(axes: int) -> Callable[..., Bounded]:
    def rule(
        x: Bounded, size: Sequence[int], align_corners: bool, *scales: float | None
    ) -> Bounded:
        factors = scales or (None,) * axes
        for i, (out, scale) in enumerate(zip(size, factors, strict=True)):
            axis = x.ndim - axes + i
            hats = _hats(x, x.shape[axis], out, align_corners, scale)
            last = moved(lambda at, axis=axis: np.moveaxis(at, axis, -1), x)
            found = einsum("...i,oi->...o", last, hats)
            x = moved(lambda at, axis=axis: np.moveaxis(at, -1, axis), found)
        return x

    return rule


def _upsample_backward(forward: Callable[..., Bounded]) -> Callable[..., Bounded]:
    def rule(g: Bounded, size: Sequence[int], input_size: Sequence[int], *rest: Any) -> Bounded:
        x = exact(np.zeros(tuple(input_size)), g.precision)
        return cotangents(forward(x, size, *rest), g, [x])[0]

    return rule


def _interpolations() -> dict[str, Callable[..., Any]]:
    found = {}
    for axes, linear_name in ((1, "linear1d"), (2, "bilinear2d"), (3, "trilinear3d")):
        named = {
            f"upsample_nearest{axes}d": _upsample_nearest(axes),
            f"_upsample_nearest_exact{axes}d": _upsample_nearest(axes, centred=True),
            f"upsample_{linear_name}": _upsample_linear(axes),
        }
        for name, rule in named.items():
            found[f"aten.{name}"] = rule
            found[f"aten.{name}_backward"] = _upsample_backward(rule)
    return found


RULES: dict[str, Callable[..., Any]] = {
    "aten.convolution": convolution,
    "aten.convolution_backward": convolution_backward,
    "aten.max_pool2d_with_indices": _max_pool(2),
    "aten.max_pool3d_with_indices": _max_pool(3),
    "aten.max_pool2d_with_indices_backward": _max_pool_backward(2),
    "aten.max_pool3d_with_indices_backward": _max_pool_backward(3),
    "aten.im2col": im2col,
    "aten.col2im": col2im,
    "aten.avg_pool2d": _avg_pool(2),
    "aten.avg_pool3d": _avg_pool(3),
    "aten.avg_pool2d_backward": _avg_pool_backward(2),
    "aten.avg_pool3d_backward": _avg_pool_backward(3),
    "aten._adaptive_avg_pool2d": adaptive_avg_pool,
    "aten._adaptive_avg_pool3d": adaptive_avg_pool,
    "aten._adaptive_avg_pool2d_backward": adaptive_avg_pool_backward,
    "aten._adaptive_avg_pool3d_backward": adaptive_avg_pool_backward,
    "aten.adaptive_max_pool2d": adaptive_max_pool2d,
    "aten.adaptive_max_pool2d_backward": _max_pool_backward(2),
    **_interpolations(),
}
