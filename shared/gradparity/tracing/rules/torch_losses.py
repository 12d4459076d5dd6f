"""ATen's losses and the steps of its optimizers, and the losses' derivatives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import bounded
from ..bounded import Bounded, exact, log, log1p, softplus, sqrt, total, where
from .torch_movement import gather
from .torch_pointwise import by_way_of_float32

Optional = Bounded | None

_NONE, _MEAN = 0, 1
"""ATen's numbers for the reduction of a loss; the sum is 2."""


def _reduced(losses: Bounded, reduction: int) -> Bounded:
    if reduction == _NONE:
        return losses
    return total(losses) / losses.size if reduction == _MEAN else total(losses)


def _spread(g: Bounded, reduction: int, size: int) -> Bounded:
    """Return the cotangent of each entry's loss, up to broadcasting."""
    return g / size if reduction == _MEAN else g


def mse_loss(x: Bounded, target: Bounded, reduction: int = _MEAN) -> Bounded:
    """Compute the squared differences."""
    d = x - target
    return _reduced(d * d, reduction)


def mse_loss_backward(g: Bounded, x: Bounded, target: Bounded, reduction: int) -> Bounded:
    """Compute the cotangent of x."""
    return _spread(2 * g, reduction, x.size) * (x - target)


def smooth_l1_loss(x: Bounded, target: Bounded, reduction: int = _MEAN, beta: float = 1) -> Bounded:
    """Compute d²/2β where |d| < β, else |d| - β/2."""
    d = abs(x - target)
    if beta == 0:
        return _reduced(d, reduction)
    return _reduced(where(d < beta, 0.5 * d * d / beta, d - 0.5 * beta), reduction)


def smooth_l1_loss_backward(
    g: Bounded, x: Bounded, target: Bounded, reduction: int, beta: float
) -> Bounded:
    """Compute the cotangent of x."""
    d = x - target
    slope = bounded.sign(d) if beta == 0 else bounded.clip(d / beta, -1.0, 1.0)
    return _spread(g, reduction, x.size) * slope


def huber_loss(x: Bounded, target: Bounded, reduction: int = _MEAN, delta: float = 1) -> Bounded:
    """Compute d²/2 where |d| < δ, else δ(|d| - δ/2)."""
    d = abs(x - target)
    return _reduced(where(d <= delta, 0.5 * d * d, delta * (d - 0.5 * delta)), reduction)


def huber_loss_backward(
    g: Bounded, x: Bounded, target: Bounded, reduction: int, delta: float
) -> Bounded:
    """Compute the cotangent of x."""
    return _spread(g, reduction, x.size) * bounded.clip(x - target, -delta, delta)


def binary_cross_entropy(
    x: Bounded, target: Bounded, weight: Optional = None, reduction: int = _MEAN
) -> Bounded:
    """Compute -(y log p + (1 - y) log(1 - p)), each logarithm at least -100."""
    of_one = where(x == 1, -100.0, bounded.maximum(log1p(-x), -100.0))
    losses = (target - 1) * of_one - target * bounded.maximum(log(x), -100.0)
    return _reduced(losses if weight is None else losses * weight, reduction)


def binary_cross_entropy_backward(
    g: Bounded, x: Bounded, target: Bounded, weight: Optional = None, reduction: int = _MEAN
) -> Bounded:
    """Compute the cotangent of the probabilities."""
    found = g * (x - target) / bounded.maximum((1 - x) * x, by_way_of_float32(1e-12, x))
    found = found if weight is None else found * weight
    return _spread(found, reduction, x.size)


def binary_cross_entropy_with_logits(
    x: Bounded,
    target: Bounded,
    weight: Optional = None,
    pos_weight: Optional = None,
    reduction: int = _MEAN,
) -> Bounded:
    """Compute -(w y log σ(z) + (1 - y) log σ(-z))."""
    soft = softplus(-x)
    if pos_weight is not None:
        soft = (1 + (pos_weight - 1) * target) * soft
    losses = (1 - target) * x + soft
    return _reduced(losses if weight is None else losses * weight, reduction)


def _classes(x: Bounded, target: Bounded, ignore: int) -> tuple[Bounded, np.ndarray[Any, Any]]:
    """Return each sample's class as an index along axis 1, 0 where it is ignored, and which count."""
    counts = target.value != ignore
    index = np.where(counts, target.value, 0)
    index = np.expand_dims(index, 1) if x.ndim > 1 else index.reshape(1)
    return Bounded(index, np.zeros(index.shape), x.precision), counts


def _weights(x: Bounded, index: Bounded, counts: np.ndarray[Any, Any], weight: Optional) -> Bounded:
    found = exact(counts * 1.0, x.precision)
    if weight is None:
        return found
    return weight[index.value.reshape(counts.shape)] * found


def nll_loss_forward(
    x: Bounded, target: Bounded, weight: Optional, reduction: int, ignore_index: int
) -> tuple[Bounded, Bounded]:
    """Compute -log p of each sample's class, and the sum of the weights."""
    index, counts = _classes(x, target, ignore_index)
    w = _weights(x, index, counts, weight)
    chosen = gather(x, 1 if x.ndim > 1 else 0, index).reshape(counts.shape)
    losses = where(exact(counts, x.precision), -(chosen * w), 0.0)
    if reduction == _NONE:
        return losses, exact(0.0, x.precision)
    all_of_them = total(w)
    return total(losses) / all_of_them if reduction == _MEAN else total(losses), all_of_them


def nll_loss_backward(
    g: Bounded,
    x: Bounded,
    target: Bounded,
    weight: Optional,
    reduction: int,
    ignore_index: int,
    total_weight: Bounded,
) -> Bounded:
    """Compute the cotangent of the logarithms."""
    index, counts = _classes(x, target, ignore_index)
    each = -(_weights(x, index, counts, weight) * g)
    each = each / total_weight if reduction == _MEAN else each
    classes = np.arange(x.shape[1 if x.ndim > 1 else 0])
    classes = classes.reshape((-1,) + (1,) * max(x.ndim - 2, 0))
    here = index.value == classes
    return where(exact(here, x.precision), each.reshape(index.shape), 0.0)


# --- Optimizers -----------------------------------------------------------------------------------


def _signed(g: Bounded, maximize: bool) -> Bounded:
    return -g if maximize else g


def fused_adam(decoupled: bool) -> Callable[..., list[Bounded]]:
    """Return the rule of Adam's step; `decoupled`: the decay of AdamW."""

    def rule(
        params: Sequence[Bounded],
        grads: Sequence[Bounded],
        firsts: Sequence[Bounded],
        seconds: Sequence[Bounded],
        largest: Sequence[Bounded],
        steps: Sequence[Bounded],
        *,
        lr: float,
        beta1: float,
        beta2: float,
        weight_decay: float,
        eps: float,
        amsgrad: bool,
        maximize: bool,
    ) -> list[Bounded]:
        if amsgrad:
            raise ValueError("AMSGrad")
        found: list[list[Bounded]] = [[], [], [], []]
        for param, grad, first, second, step in zip(
            params, grads, firsts, seconds, steps, strict=True
        ):
            g = _signed(grad, maximize)
            p = param
            if weight_decay and decoupled:
                p = p * (1 - lr * weight_decay)
            elif weight_decay:
                g = g + weight_decay * p
            m = first + (1 - beta1) * (g - first)
            v = beta2 * second + (1 - beta2) * g * g
            t = float(step.value)
            denominator = sqrt(v) / (1 - beta2**t) ** 0.5 + eps
            for one, new in zip(
                found, (p - lr / (1 - beta1**t) * m / denominator, grad, m, v), strict=True
            ):
                one.append(new)
        return [one for several in found for one in several]

    return rule


RULES: dict[str, Callable[..., Any]] = {
    "aten.mse_loss": mse_loss,
    "aten.mse_loss_backward": mse_loss_backward,
    "aten.smooth_l1_loss": smooth_l1_loss,
    "aten.smooth_l1_loss_backward": smooth_l1_loss_backward,
    "aten.huber_loss": huber_loss,
    "aten.huber_loss_backward": huber_loss_backward,
    "aten.binary_cross_entropy": binary_cross_entropy,
    "aten.binary_cross_entropy_backward": binary_cross_entropy_backward,
    "aten.binary_cross_entropy_with_logits": binary_cross_entropy_with_logits,
    "aten.nll_loss_forward": nll_loss_forward,
    "aten.nll_loss_backward": nll_loss_backward,
    "aten.nll_loss2d_forward": nll_loss_forward,
    "aten.nll_loss2d_backward": nll_loss_backward,
    "aten._fused_adam_": fused_adam(decoupled=False),
    "aten._fused_adamw_": fused_adam(decoupled=True),
}
