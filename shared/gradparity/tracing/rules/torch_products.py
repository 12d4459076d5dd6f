"""ATen's products of matrices, softmax and attention, and their derivatives."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import bounded
from ..bounded import Bounded, einsum, exp, log, moved, total, where
from .torch_reductions import axes_of, logsumexp

Dims = int | Sequence[int] | None
Optional = Bounded | None


def addmm(c: Bounded, a: Bounded, b: Bounded, beta: float = 1, alpha: float = 1) -> Bounded:
    """Compute beta·c + alpha·a b."""
    product = a @ b if alpha == 1 else alpha * (a @ b)
    return product if beta == 0 else (c if beta == 1 else beta * c) + product


def linear(x: Bounded, weight: Bounded, bias: Optional = None) -> Bounded:
    """Compute x Wᵀ + b."""
    found = einsum("...i,oi->...o", x, weight)
    return found if bias is None else found + bias


def softmax(x: Bounded, dim: int, dtype: Any = None) -> Bounded:
    """Compute the softmax along an axis."""
    axes = axes_of(x, dim)
    e = exp(x - bounded.largest(x, axes, True))
    return e / total(e, axes, True)


def safe_softmax(x: Bounded, dim: int, dtype: str | None = None) -> Bounded:
    """Compute the softmax; of rows that are masked throughout, 0."""
    masked = np.all(np.isneginf(x.value), axis=dim, keepdims=True)
    return where(masked, 0.0, softmax(where(masked, 0.0, x), dim))


def softmax_backward(g: Bounded, y: Bounded, dim: int, dtype: Any = None) -> Bounded:
    """Compute the cotangent through softmax."""
    gy = g * y
    return gy - y * total(gy, axes_of(y, dim), True)


def log_softmax(x: Bounded, dim: int, half_to_float: bool = False) -> Bounded:
    """Compute the logarithm of softmax."""
    axes = axes_of(x, dim)
    z = x - bounded.largest(x, axes, True)
    return z - log(total(exp(z), axes, True))


def log_softmax_backward(g: Bounded, y: Bounded, dim: int, dtype: Any = None) -> Bounded:
    """Compute the cotangent through the logarithm of softmax."""
    return g - exp(y) * total(g, axes_of(y, dim), True)


def _scores(
    q: Bounded, k: Bounded, is_causal: bool, mask: Optional, scale: float | None
) -> Bounded:
    scale = 1 / math.sqrt(q.shape[-1]) if scale is None else scale
    scores = einsum("...qd,...kd->...qk", q, k) * scale
    if is_causal:
        scores = where(np.tri(*scores.shape[-2:], dtype=bool), scores, -np.inf)
    if mask is not None:
        scores = scores + mask if mask.floating else where(mask, scores, -np.inf)
    return scores


def attention(
    q: Bounded,
    k: Bounded,
    v: Bounded,
    dropout_p: float = 0,
    is_causal: bool = False,
    *,
    attn_mask: Optional = None,
    scale: float | None = None,
) -> tuple[Bounded, Bounded]:
    """Compute softmax(q kᵀ·scale + mask) v, and the logarithms of the softmax's denominators."""
    heads = q.shape[-3]
    scores = _scores(q, _for_each_query(k, heads), is_causal, attn_mask, scale)
    return safe_softmax(scores, -1) @ _for_each_query(v, heads), logsumexp(scores, -1)


def attention_backward(
    g: Bounded,
    q: Bounded,
    k: Bounded,
    v: Bounded,
    out: Bounded,
    logsumexp: Bounded,
    dropout_p: float,
    is_causal: bool,
    *,
    attn_mask: Optional = None,
    scale: float | None = None,
) -> tuple[Bounded, Bounded, Bounded]:
    """Compute the cotangents of q, k and v."""
    factor = 1 / math.sqrt(q.shape[-1]) if scale is None else scale
    lse = moved(lambda at: at[..., None], logsumexp)
    heads = q.shape[-3]
    keys = _for_each_query(k, heads)
    weights = exp(_scores(q, keys, is_causal, attn_mask, scale) - lse)
    of_weights = einsum("...qd,...kd->...qk", g, _for_each_query(v, heads))
    of_scores = weights * (of_weights - total(g * out, -1, True)) * factor
    return (
        of_scores @ keys,
        _of_each_key(einsum("...qk,...qd->...kd", of_scores, q), k.shape[-3]),
        _of_each_key(einsum("...qk,...qd->...kd", weights, g), v.shape[-3]),
    )


def _for_each_query(x: Bounded, heads: int) -> Bounded:
    """Return keys or values for each head of the queries: with `enable_gqa`, several of them share one."""
    times = heads // x.shape[-3]
    return x if times == 1 else moved(lambda at: np.repeat(at, times, -3), x)


def _of_each_key(g: Bounded, heads: int) -> Bounded:
    """Return the cotangent of keys or values from those of what `_for_each_query` made of them."""
    if g.shape[-3] == heads:
        return g
    apart = (*g.shape[:-3], heads, -1, *g.shape[-2:])
    return total(moved(lambda at: at.reshape(apart), g), (g.ndim - 2,), False)


RULES: dict[str, Callable[..., Any]] = {
    "aten.mm": lambda a, b: a @ b,
    "aten.bmm": lambda a, b: a @ b,
    "aten.mv": lambda a, b: a @ b,
    "aten.dot": lambda a, b: a @ b,
    "aten.vdot": lambda a, b: a @ b,
    "aten.addmm": addmm,
    "aten.addmv": addmm,
    "aten.baddbmm": addmm,
    "aten.addmm_": addmm,
    "aten.baddbmm_": addmm,
    "aten.linear": linear,
    "aten._softmax": softmax,
    "aten._safe_softmax": safe_softmax,
    "aten._softmax_backward_data": softmax_backward,
    "aten._log_softmax": log_softmax,
    "aten._log_softmax_backward_data": log_softmax_backward,
    "aten._scaled_dot_product_flash_attention_for_cpu": attention,
    "aten._scaled_dot_product_flash_attention_for_cpu_backward": attention_backward,
}
