"""ATen's normalisations, and their derivatives.

In the forms in which ATen computes them: x·a + b, with b = -mean·a, has larger roundings than (x - mean)·a.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..bounded import Bounded, cotangents, exact, moved, rsqrt, total
from .torch_reductions import centred, count, norm

Dims = int | Sequence[int] | None
Optional = Bounded | None


def wanted(mask: Sequence[bool], *of: Callable[[], Bounded]) -> tuple[Optional, ...]:
    """Compute the cotangents that are asked for; None stands for the others."""
    return tuple(compute() if asked else None for asked, compute in zip(mask, of, strict=True))


def _scaled(x: Bounded, weight: Optional) -> Bounded:
    return x if weight is None else x * weight


def layer_norm(
    x: Bounded, shape: Sequence[int], weight: Optional, bias: Optional, eps: float
) -> tuple[Bounded, Bounded, Bounded]:
    """Normalise over the last axes; return the mean and 1/√(variance + eps), too."""
    axes = list(range(x.ndim - len(shape), x.ndim))
    m, squares = centred(x, axes)
    rstd = rsqrt(squares / count(x, axes) + eps)
    y = _scaled(x * rstd - m * rstd, weight)
    return y if bias is None else y + bias, m, rstd


def layer_norm_backward(
    g: Bounded,
    x: Bounded,
    shape: Sequence[int],
    m: Bounded,
    rstd: Bounded,
    weight: Optional,
    bias: Optional,
    mask: Sequence[bool],
) -> tuple[Optional, ...]:
    """Compute the cotangents of x, of the weight and of the bias."""
    axes = list(range(x.ndim - len(shape), x.ndim))
    before = list(range(x.ndim - len(shape)))

    def of_x() -> Bounded:
        gw, n = _scaled(g, weight), count(x, axes)
        ds, db = total(gw * x, axes, True), total(gw, axes, True)
        b = (db * m - ds) * (rstd * rstd * rstd) / n
        c = -(b * m) - db * rstd / n
        return rstd * gw + b * x + c

    return wanted(
        mask,
        of_x,
        lambda: total(g * (x * rstd - m * rstd), before),
        lambda: total(g, before),
    )


def rms_norm(
    x: Bounded, shape: Sequence[int], weight: Optional, eps: float | None
) -> tuple[Bounded, Bounded]:
    """Divide by the root of the mean square over the last axes; return its inverse, too."""
    axes = list(range(x.ndim - len(shape), x.ndim))
    eps = x.precision.eps if eps is None else eps
    rstd = rsqrt(total(x * x, axes, True) / count(x, axes) + eps)
    return _scaled(x * rstd, weight), rstd


def rms_norm_backward(
    g: Bounded,
    x: Bounded,
    shape: Sequence[int],
    rstd: Bounded,
    weight: Optional,
    mask: Sequence[bool],
) -> tuple[Optional, ...]:
    """Compute the cotangents of x and of the weight."""
    axes = list(range(x.ndim - len(shape), x.ndim))

    def of_x() -> Bounded:
        gw, y = _scaled(g, weight), x * rstd
        return (gw - y * (total(gw * y, axes, True) / count(x, axes))) * rstd

    return wanted(mask, of_x, lambda: total(g * (x * rstd), list(range(x.ndim - len(shape)))))


def _in_groups(x: Bounded, n: int, group: int) -> Bounded:
    """Return x as (samples, groups, channels of a group, space)."""
    return x.reshape((n, group, x.shape[1] // group, -1))


def _of_channels(weight: Optional, group: int) -> Optional:
    return None if weight is None else weight.reshape((1, group, -1, 1))


def group_norm(
    x: Bounded, weight: Optional, bias: Optional, n: int, c: int, hxw: int, group: int, eps: float
) -> tuple[Bounded, Bounded, Bounded]:
    """Normalise over groups of channels; return the mean and 1/√(variance + eps), too."""
    y = _in_groups(x, n, group)
    m, squares = centred(y, [2, 3])
    rstd = rsqrt(squares / count(y, [2, 3]) + eps)
    weight, bias = _of_channels(weight, group), _of_channels(bias, group)
    scale = _scaled(rstd, weight)
    shift = -(scale * m)
    shift = shift if bias is None else shift + bias
    return (y * scale + shift).reshape(x.shape), m.reshape((n, group)), rstd.reshape((n, group))


def group_norm_backward(
    g: Bounded,
    x: Bounded,
    m: Bounded,
    rstd: Bounded,
    weight: Optional,
    n: int,
    c: int,
    hxw: int,
    group: int,
    mask: Sequence[bool],
) -> tuple[Optional, ...]:
    """Compute the cotangents of x, of the weight and of the bias."""
    y, of_y = _in_groups(x, n, group), _in_groups(g, n, group)
    m, rstd = m.reshape((n, group, 1, 1)), rstd.reshape((n, group, 1, 1))
    gamma = _of_channels(weight, group)
    ds, db = total(of_y * y, 3, True), total(of_y, 3, True)

    def of_x() -> Bounded:
        n = count(y, [2, 3])
        ds_all, db_all = total(_scaled(ds, gamma), 2, True), total(_scaled(db, gamma), 2, True)
        b = (db_all * m - ds_all) * (rstd * rstd * rstd) / n
        shift = -(b * m) - db_all * rstd / n
        return (_scaled(rstd, gamma) * of_y + b * y + shift).reshape(x.shape)

    return wanted(
        mask,
        of_x,
        lambda: total((ds - db * m) * rstd, 0).reshape((c,)),
        lambda: total(db, 0).reshape((c,)),
    )


def channels_of(x: Bounded, ndim: int) -> Bounded:
    """Return a vector of channels as an array that broadcasts against (samples, channels, *space)."""
    return x.reshape((1, -1) + (1,) * (ndim - 2))


def batch_norm(
    x: Bounded,
    weight: Optional,
    bias: Optional,
    running_mean: Optional,
    running_var: Optional,
    training: bool,
    momentum: float,
    eps: float,
) -> tuple[Optional, ...]:
    """Normalise each channel; return the mean, 1/√(variance + eps) and the new running statistics, too."""
    axes = [0, *range(2, x.ndim)]
    if training:
        n = count(x, axes)
        m, squares = (moved(lambda at: at.reshape(-1), one) for one in centred(x, axes))
        invstd = rsqrt(squares / n + eps)
        saved = m, invstd
        if running_mean is not None:
            running_mean = running_mean * (1 - momentum) + m * momentum
        if running_var is not None:
            running_var = running_var * (1 - momentum) + squares / (n - 1) * momentum
    else:
        assert running_mean is not None
        assert running_var is not None
        m, invstd = running_mean, rsqrt(running_var + eps)
        empty = exact(np.zeros(0), x.precision)
        saved = empty, empty
    alpha = _scaled(invstd, weight)
    beta = -(m * alpha) if bias is None else bias - m * alpha
    y = x * channels_of(alpha, x.ndim) + channels_of(beta, x.ndim)
    return y, *saved, running_mean, running_var


def batch_norm_without_statistics(
    x: Bounded, weight: Optional, bias: Optional, training: bool, momentum: float, eps: float
) -> tuple[Optional, ...]:
    """Normalise each channel."""
    return batch_norm(x, weight, bias, None, None, training, momentum, eps)


def batch_norm_legit(x: Bounded, weight: Optional, bias: Optional, *rest: Any) -> Any:
    """Normalise each channel, with or without running statistics."""
    found = batch_norm if len(rest) == 5 else batch_norm_without_statistics
    return found(x, weight, bias, *rest)


def batch_norm_backward(
    g: Bounded,
    x: Bounded,
    weight: Optional,
    running_mean: Optional,
    running_var: Optional,
    m: Optional,
    invstd: Optional,
    train: bool,
    eps: float,
    mask: Sequence[bool],
) -> tuple[Optional, ...]:
    """Compute the cotangents of x, of the weight and of the bias."""
    axes = [0, *range(2, x.ndim)]
    if not train:
        assert running_var is not None
        m, invstd = running_mean, rsqrt(running_var + eps)
    assert m is not None
    assert invstd is not None
    centred = x - channels_of(m, x.ndim)
    dot = total(centred * g, axes)
    scale = channels_of(_scaled(invstd, weight), x.ndim)

    def of_x() -> Bounded:
        if not train:
            return g * scale
        n = count(x, axes)
        k = dot * invstd * invstd / n
        centre = channels_of(total(g, axes) / n, x.ndim)
        return (g - centre - centred * channels_of(k, x.ndim)) * scale

    return wanted(mask, of_x, lambda: dot * invstd, lambda: total(g, axes))


def weight_norm(v: Bounded, g: Bounded, dim: int = 0) -> tuple[Bounded, Bounded]:
    """Compute g·v / |v|, and |v|, over all axes but one."""
    size = norm(v, 2, [axis for axis in range(v.ndim) if axis != dim % v.ndim], True)
    return v * (g / size), size


def weight_norm_backward(
    of_w: Bounded, v: Bounded, g: Bounded, size: Bounded, dim: int
) -> list[Bounded]:
    """Compute the cotangents of v and of g."""
    return cotangents(weight_norm(v, g, dim)[0], of_w, [v, g])


RULES: dict[str, Callable[..., Any]] = {
    "aten.native_layer_norm": layer_norm,
    "aten.native_layer_norm_backward": layer_norm_backward,
    "aten._fused_rms_norm": rms_norm,
    "aten._fused_rms_norm_backward": rms_norm_backward,
    "aten.native_group_norm": group_norm,
    "aten.native_group_norm_backward": group_norm_backward,
    "aten.native_batch_norm": batch_norm,
    "aten._native_batch_norm_legit": batch_norm_legit,
    "aten.native_batch_norm_backward": batch_norm_backward,
    "aten._weight_norm_interface": weight_norm,
    "aten._weight_norm_interface_backward": weight_norm_backward,
}
