"""The rules of ATen's operations, against torch itself."""

from __future__ import annotations

import math
import subprocess
import sys
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 -- as everybody names it

from gradparity.reference.precision import Precision
from gradparity.tracing.bounded import Bounded, exact
from gradparity.tracing.recording import INPUT, LEAVES, Recording
from gradparity.tracing.rules import NoRuleError, evaluate
from gradparity.tracing.rules.torch_rules import RULES
from gradparity.tracing.torch_recorder import TorchRecorder, to_numpy

from .support.recordings import as_given, format_of

aten = torch.ops.aten

Program = Callable[..., Any]


def _in_parts(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        return F.scaled_dot_product_attention(q, k, v, mask)


def _assigned(x: Tensor, y: Tensor) -> Tensor:
    z = x * 2
    z[1] = y
    z[:, 2] *= 3
    z.t()[0].add_(1)
    return z * z


def _steps(x: Tensor, y: Tensor) -> Tensor:
    """Take the steps of optimizers as those do: in lists, and fused."""
    p, g = [x.detach() * 1, y.detach() * 1], [y.detach() * 2, x.detach() * 3]
    m, v = torch._foreach_mul(g, 0.1), torch._foreach_mul(g, g)
    torch._foreach_lerp_(m, g, 0.1)
    torch._foreach_mul_(v, 0.9)
    torch._foreach_addcmul_(v, g, g, 0.1)
    roots = torch._foreach_sqrt(v)
    torch._foreach_div_(roots, [0.3, 0.7])
    torch._foreach_add_(roots, 0.01)
    torch._foreach_addcdiv_(p, m, roots, [-0.1, -0.2])
    options = {"lr": 0.1, "beta1": 0.9, "beta2": 0.99, "weight_decay": 0.1, "eps": 1e-8}
    options |= {"amsgrad": False, "maximize": False}
    steps = [torch.tensor(1.0), torch.tensor(3.0)]
    aten._fused_adam_(p, g, m, v, [], steps, **options)
    aten._fused_adamw_(p, g, m, v, [], steps, **options)
    return x * p[0]


# Each program takes tensors of the shapes that follow it, and is recorded forward and backward.
PROGRAMS: dict[str, tuple[Program, *tuple[tuple[int, ...], ...]]] = {
    "add": (lambda x, y: torch.add(x, y, alpha=0.3) + 1.7 + x, (3, 4), (4,)),
    "sub": (lambda x, y: torch.sub(x, y, alpha=2) + (x - y) + torch.rsub(x, 0.1), (3, 4), (3, 1)),
    "mul": (lambda x, y: x * y * 0.7, (3, 4), (1, 4)),
    "div": (lambda x, y: x / (y.abs() + 0.5) + 3 / (x.abs() + 1) + x / 7, (3, 4), (4,)),
    "div rounded": (
        lambda x, y: (
            torch.div(x, 0.31, rounding_mode="floor")
            + torch.div(x, 0.31, rounding_mode="trunc")
            + x.detach() // 0.7
            + y * 0
        ),
        (3, 4),
        (4,),
    ),
    "remainder": (lambda x: torch.remainder(x, 0.7) + torch.fmod(x, 0.7), (3, 4)),
    "integers": (
        lambda x: (
            x
            * (
                (torch.arange(4) * 3 + 1) // 2 % 3
                + torch.arange(1, 9, 2)
                - torch.tensor([1, 2, 1, 1])
            )
        ),
        (3, 4),
    ),
    "pow": (
        lambda x, y: x**2 + x**3 + (x.abs() + 0.1) ** 0.5 + (y.abs() + 0.2) ** x.clamp(-2, 2),
        (3, 4),
        (3, 4),
    ),
    "pow of a number": (
        lambda x: 2 ** x.clamp(-3, 3) + x.clamp(-3, 3).exp2() + x.square(),
        (3, 4),
    ),
    "neg, abs, sign": (lambda x: -x + x.abs() * x.sign() + x.sgn(), (3, 4)),
    "exp": (lambda x: x.clamp(-40, 40).exp() + torch.expm1(x.clamp(-40, 40)), (3, 4)),
    "log": (
        lambda x: (
            (x.abs() + 0.1).log()
            + (x.abs() + 0.1).log2()
            + (x.abs() + 0.1).log10()
            + torch.log1p(x.abs())
        ),
        (3, 4),
    ),
    "sqrt": (
        lambda x: (x.abs() + 0.1).sqrt() + (x.abs() + 0.1).rsqrt() + (x.abs() + 0.1).reciprocal(),
        (3, 4),
    ),
    "sin, cos, tan": (
        lambda x: x.clamp(-1.3, 1.3).sin() + x.cos() + x.clamp(-1.3, 1.3).tan(),
        (3, 4),
    ),
    "erf": (lambda x: x.erf() + x.erfc(), (3, 4)),
    "round": (lambda x: (x * 3).floor() + (x * 3).ceil() + (x * 3).round() + (x * 3).trunc(), (9,)),
    "maximum": (lambda x, y: torch.maximum(x, y) * torch.minimum(x, 2 * y), (3, 4), (3, 4)),
    "clamp": (
        lambda x: x.clamp(-0.5, 0.7) + x.clamp_min(0.1) + x.clamp_max(0.2) + x.clamp(min=0.3),
        (3, 4),
    ),
    "where": (
        lambda x, y: torch.where(x > y, x, y * 2) + torch.where(x <= 0, 0.5, x),
        (3, 4),
        (3, 4),
    ),
    "masked_fill": (
        lambda x, y: x.masked_fill(y > 0, -1.5) + y.masked_select(y > 0).sum(),
        (3, 4),
        (3, 4),
    ),
    "comparisons": (
        lambda x, y: (
            (x > y) * x + (x >= y) * 2 * x + (x < y) * y + (x <= y) + (x == y) + (x != y) * y
        ),
        (3, 4),
        (3, 4),
    ),
    "logic": (
        lambda x, y: (
            x * ((x > 0) & (y > 0) | ~(x > 1) ^ (y < 0.5))
            + x * torch.logical_and(x, y > 0)
            + x * torch.logical_or(x > 0, y)
            + x * torch.logical_xor(x > 0, y > 0)
            + x * torch.logical_not(y > 0)
        ),
        (3, 4),
        (3, 4),
    ),
    "any, all": (lambda x: x * (x > 1).any(0) + x * (x > -1).all(1, keepdim=True), (3, 3)),
    "addcmul, addcdiv, lerp": (
        lambda x, y, z: (
            torch.addcmul(x, y, z, value=0.3)
            + torch.addcdiv(x, y, z.abs() + 0.3, value=0.7)
            + torch.lerp(x, y, 0.3)
            + torch.lerp(x, y, 0.8)
            + torch.lerp(x, y, z)
        ),
        (3, 4),
        (3, 4),
        (3, 4),
    ),
    "xlogy": (lambda x, y: torch.xlogy(x.relu(), y.abs() + 0.1), (3, 4), (3, 4)),
    "in place": (
        lambda x, y: (
            x
            * (x.detach() * 1)
            .add_(y.detach(), alpha=0.5)
            .mul_(y.detach())
            .sub_(0.3)
            .tanh_()
            .sigmoid_()
            .div_(3)
            .exp_()
            .clamp_(0, 9)
        ),
        (3, 4),
        (3, 4),
    ),
    "sigmoid, tanh": (lambda x: x.sigmoid() * x.tanh(), (3, 4)),
    "relu": (lambda x: x.relu() + F.threshold(x, 0.2, 0.1) + F.relu6(x) + F.hardtanh(x), (3, 4)),
    "gelu": (lambda x: F.gelu(x) + F.gelu(x, approximate="tanh"), (40,)),
    "silu": (lambda x: F.silu(x) + F.mish(x), (3, 4)),
    "elu": (lambda x: F.elu(x, 0.7) + F.selu(x) + F.celu(x, 0.6), (3, 4)),
    "elu in place": (lambda x: F.elu_(x * 1.0, 0.7), (3, 4)),
    "leaky_relu": (lambda x, w: F.leaky_relu(x, 0.1) + F.prelu(x, w), (3, 4), (4,)),
    "softplus": (lambda x: F.softplus(x) + F.softplus(x, 2, 3), (3, 4)),
    "logsigmoid": (F.logsigmoid, (3, 4)),
    "hard": (lambda x: F.hardsigmoid(x) + F.hardswish(x) + F.hardshrink(x), (3, 4)),
    "softshrink": (lambda x: F.softshrink(x, 0.3) * x.isinf().logical_not(), (3, 4)),
    "logaddexp": (torch.logaddexp, (3, 4), (3, 4)),
    "sinh": (lambda x: x.clamp(-9, 9).sinh() * x.clamp(-9, 9).cosh() + x.atan(), (3, 4)),
    "index_fill": (lambda x: x.index_fill(1, torch.tensor([0, 2]), 0.7), (3, 4)),
    "sum": (
        lambda x: x.sum() + x.sum(0) + x.cumprod(2) + x.sum((0, 2), keepdim=True) + x.bool().sum(),
        (3, 4, 2),
    ),
    "mean": (lambda x: x.mean() + x.mean(1).sum() + x.mean((0, 2), keepdim=True), (3, 4, 2)),
    "var": (
        lambda x: x.var() + x.var(1) + x.std(0, correction=0) + sum(torch.var_mean(x, 1)) + x.std(),
        (3, 3),
    ),
    "std_mean": (lambda x: sum(torch.std_mean(x, 0, keepdim=True)), (3, 4)),
    "max": (lambda x: x.max() + x.max(0)[0] + x.max(1, keepdim=True)[0] + x.amax(0), (3, 3)),
    "min": (lambda x: x.min() + x.min(0)[0] + x.min(1, keepdim=True)[0] + x.amin(0), (3, 3)),
    "max of two": (lambda x, y: torch.max(x, y) + torch.min(x, 2 * y), (3, 3), (3, 3)),
    "argmax": (lambda x: x[x.argmax(0)] + x.argmin(1) + x.argmax(), (3, 3)),
    "cumsum": (lambda x: x.cumsum(1).cumsum(0), (3, 4)),
    "prod": (lambda x: x.prod() + x.prod(1), (3, 2)),
    "norm": (
        lambda x: (
            x.norm()
            + x.norm(1, 1)
            + x.norm(3, 0)
            + torch.linalg.vector_norm(x, math.inf)
            + torch.linalg.vector_norm(x, 0)
            + torch.linalg.vector_norm(x, -math.inf, 1)
            + F.normalize(x).sum()
            + aten.norm(x, 2)
        ),
        (3, 3),
    ),
    "logsumexp": (lambda x: x.logsumexp(1), (3, 4)),
    "norms of lists, aminmax": (
        lambda x: sum(torch._foreach_norm([x, x * 2], 2)) + sum(torch.aminmax(x, dim=0)),
        (3, 4),
    ),
    "weight_norm": (lambda v, g: torch._weight_norm(v, g, 0), (3, 4), (3, 1)),
    "glu": (lambda x: F.glu(x, 1), (3, 4)),
    "sort": (lambda x: x.sort(1)[0] + x.sort(0, descending=True)[0] + x.topk(4, 1)[0], (3, 4)),
    "mm": (lambda x, y: x @ y, (3, 4), (4, 5)),
    "bmm": (
        lambda x, y: x @ y + torch.baddbmm(x @ y, x, y, beta=0.3, alpha=2),
        (2, 3, 4),
        (2, 4, 5),
    ),
    "mv, dot": (lambda x, y: (x @ y).sum() + y.dot(y) + torch.vdot(y, y), (3, 4), (4,)),
    "addmv, outer": (
        lambda x, y: torch.addmv(x.sum(1), x, y, alpha=0.3).sum() + torch.outer(y, y),
        (3, 4),
        (4,),
    ),
    "linear": (lambda x, w, b: F.linear(x, w, b) + F.linear(x, w), (2, 3, 4), (5, 4), (5,)),
    "addmm": (
        lambda x, w, b: torch.addmm(b, x, w, beta=0.3, alpha=0.7),
        (3, 4),
        (4, 5),
        (5,),
    ),
    "einsum": (lambda x, y: torch.einsum("bij,bkj->bik", x, y), (2, 3, 4), (2, 5, 4)),
    "softmax": (lambda x: x.softmax(-1) + x.softmax(0) + x.log_softmax(1), (3, 4)),
    "attention": (
        lambda q, k, v: (
            F.scaled_dot_product_attention(q, k, v)
            + F.scaled_dot_product_attention(q, k, v, is_causal=True)
        ),
        (2, 2, 5, 4),
        (2, 2, 5, 4),
        (2, 2, 5, 4),
    ),
    "attention masked": (
        lambda q, k, v: (
            F.scaled_dot_product_attention(q, k, v, torch.ones(5, 6).tril(1).bool(), scale=0.3)
            + F.scaled_dot_product_attention(q, k, v, torch.ones(5, 6, dtype=q.dtype).tril() * 2)
        ),
        (2, 2, 5, 4),
        (2, 2, 6, 4),
        (2, 2, 6, 4),
    ),
    "attention with fewer keys than queries": (
        lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True),
        (2, 4, 5, 3),
        (2, 2, 5, 3),
        (2, 2, 5, 3),
    ),
    "attention in parts": (
        lambda q, k, v: _in_parts(
            q, k, v, torch.ones(5, 6).tril(-1).bool() | torch.eye(5, 6)[[0, 0, 2, 3, 4]].bool()
        ),
        (2, 2, 5, 4),
        (2, 2, 6, 4),
        (2, 2, 6, 4),
    ),
    "attention by hand": (
        lambda q, k, v: (
            torch.softmax(
                (q @ k.transpose(-1, -2) / 2).masked_fill(
                    torch.ones(5, 6).triu(2).bool(), float("-inf")
                ),
                -1,
            )
            @ v
        ),
        (2, 5, 4),
        (2, 6, 4),
        (2, 6, 4),
    ),
    "layer_norm": (
        lambda x, w, b: F.layer_norm(x, (4, 3), w, b) + F.layer_norm(x, (3,)),
        (2, 4, 3),
        (4, 3),
        (4, 3),
    ),
    "rms_norm": (
        lambda x, w: F.rms_norm(x, (4,), w, 1e-5) + F.rms_norm(x, (4,)),
        (3, 4),
        (4,),
    ),
    "fused rms_norm": (lambda x, w: aten._fused_rms_norm(x, [4], w, 1e-5)[0], (3, 4), (4,)),
    "group_norm": (
        lambda x, w, b: F.group_norm(x, 2, w, b) + F.group_norm(x, 4),
        (2, 4, 3, 2),
        (4,),
        (4,),
    ),
    "instance_norm": (F.instance_norm, (2, 3, 4, 2)),
    "batch_norm": (
        lambda x, w, b: (
            F.batch_norm(
                x, x[0].mean((1, 2)).detach(), x[1].std((1, 2)).detach(), w, b, training=True
            )
            + F.batch_norm(x, None, None, training=True)
        ),
        (3, 2, 3, 3),
        (2,),
        (2,),
    ),
    "batch_norm, eval": (
        lambda x, w, b: F.batch_norm(
            x, x[0].mean((1, 2)).detach(), x[1].std((1, 2)).detach(), w, b
        ),
        (3, 2, 3, 3),
        (2,),
        (2,),
    ),
    "batch_norm, legit": (
        lambda x, w, b: aten._native_batch_norm_legit(x, w, b, True, 0.1, 1e-5)[0],
        (5, 2),
        (2,),
        (2,),
    ),
    "conv1d": (lambda x, w, b: F.conv1d(x, w, b, padding=1), (2, 3, 6), (4, 3, 3), (4,)),
    "conv2d": (
        lambda x, w, b: F.conv2d(x, w, b, stride=2, padding=1, dilation=2, groups=2),
        (2, 4, 7, 6),
        (6, 2, 2, 3),
        (6,),
    ),
    "conv3d": (F.conv3d, (1, 2, 3, 4, 3), (2, 2, 2, 2, 2)),
    "conv_transpose": (
        lambda x, w, b: F.conv_transpose2d(
            x, w, b, stride=2, padding=1, output_padding=1, groups=2
        ),
        (2, 4, 3, 3),
        (4, 3, 3, 2),
        (6,),
    ),
    "max_pool": (
        lambda x: (
            F.max_pool2d(x, 3, 2, 1, ceil_mode=True).square().sum()
            + F.max_pool2d(x, (2, 3)).sum()
            + F.max_pool1d(x[0], 2).sum()
            + F.max_pool2d(x, 2, 1, 0, 2).square().sum()
        ),
        (2, 3, 6, 7),
    ),
    "max_pool3d": (lambda x: F.max_pool3d(x, 2), (1, 2, 4, 4, 5)),
    "avg_pool": (
        lambda x: (
            F.avg_pool2d(x, 3, 2, 1, ceil_mode=True).sum()
            + F.avg_pool2d(x, 3, 2, 1, count_include_pad=False).sum()
            + F.avg_pool2d(x, 2, divisor_override=3).square().sum()
            + F.avg_pool1d(x[0], 2).sum()
        ),
        (2, 3, 6, 7),
    ),
    "avg_pool3d": (lambda x: F.avg_pool3d(x, 2, 1), (1, 2, 3, 4, 3)),
    "adaptive": (
        lambda x: (
            F.adaptive_avg_pool2d(x, (3, 4)).sum()
            + F.adaptive_avg_pool2d(x, 1).sum()
            + F.adaptive_max_pool2d(x, (3, 4)).square().sum()
            + F.adaptive_avg_pool1d(x[0], 3).sum()
        ),
        (2, 3, 5, 7),
    ),
    "adaptive 3d": (lambda x: F.adaptive_avg_pool3d(x, (2, 1, 3)), (1, 2, 3, 4, 5)),
    "interpolation": (
        lambda x: (
            F.interpolate(x, scale_factor=2).sum()
            + F.interpolate(x, (7, 5)).square().sum()
            + F.interpolate(x, (7, 5), mode="nearest-exact").square().sum()
            + F.interpolate(x, (7, 5), mode="bilinear").square().sum()
            + F.interpolate(x, (7, 5), mode="bilinear", align_corners=True).square().sum()
            + F.interpolate(x, scale_factor=1.7, mode="bilinear").square().sum()
        ),
        (2, 2, 3, 4),
    ),
    "interpolation, other dimensions": (
        lambda x: (
            F.interpolate(x, 9).square().sum()
            + F.interpolate(x, 9, mode="linear").square().sum()
            + F.interpolate(x, 9, mode="nearest-exact").square().sum()
            + F.interpolate(x[None, None], (5, 6, 7), mode="trilinear").square().sum()
            + F.interpolate(x[None, None], (5, 6, 7)).square().sum()
            + F.interpolate(x[None, None], (5, 6, 7), mode="nearest-exact").square().sum()
        ),
        (2, 3, 4),
    ),
    "mse": (
        lambda x, y: F.mse_loss(x, y) + F.mse_loss(x, y, reduction="sum") + F.l1_loss(x, y),
        (3, 4),
        (3, 4),
    ),
    "mse, each": (lambda x, y: F.mse_loss(x, y, reduction="none"), (3, 4), (3, 4)),
    "smooth_l1": (
        lambda x, y: (
            F.smooth_l1_loss(x, y)
            + F.smooth_l1_loss(x, y, beta=0.3, reduction="sum")
            + F.huber_loss(x, y, delta=0.7)
            + F.huber_loss(x, y, delta=0.7, reduction="none")
            + F.smooth_l1_loss(x, y, beta=0.0)
        ),
        (3, 4),
        (3, 4),
    ),
    "binary_cross_entropy": (
        lambda x, y: (
            F.binary_cross_entropy(x.sigmoid(), y.detach().sigmoid())
            + F.binary_cross_entropy(x.tanh() ** 2, (y > 0).to(x), y.detach().abs())
        ),
        (3, 4),
        (3, 4),
    ),
    "binary_cross_entropy_with_logits": (
        lambda x, y, w: (
            F.binary_cross_entropy_with_logits(x, (y > 0).to(x))
            + F.binary_cross_entropy_with_logits(
                x, (y > 0).to(x), y.detach().abs(), pos_weight=w.detach().abs() + 0.5
            )
        ),
        (3, 4),
        (3, 4),
        (4,),
    ),
    "cross_entropy": (
        lambda x, w: (
            F.cross_entropy(x, torch.tensor([0, 3, 2]))
            + F.cross_entropy(x, torch.tensor([0, -100, 2]), w.detach().abs() + 0.1)
            + F.cross_entropy(x, torch.tensor([0, 3, 2]), reduction="sum", label_smoothing=0.1)
            + F.cross_entropy(x, (2 * x.detach()).softmax(0))
            + F.nll_loss(x[0].log_softmax(0), torch.tensor(1))
        ),
        (3, 4),
        (4,),
    ),
    "cross_entropy of images": (
        lambda x: (
            F.cross_entropy(
                x, torch.arange(8).reshape(2, 2, 2) % 3, torch.tensor([0.3, 0.7, 1]).to(x)
            )
            + F.cross_entropy(x, torch.arange(8).reshape(2, 2, 2) % 3, reduction="none").sum()
        ),
        (2, 3, 2, 2),
    ),
    "kl_div": (
        lambda x, y: F.kl_div(x.log_softmax(1), y.softmax(1), reduction="batchmean"),
        (3, 4),
        (3, 4),
    ),
    "view": (
        lambda x: (
            x.view(4, 6).t().reshape(2, 12)[:, ::2].flatten().unflatten(0, (3, 4)).transpose(0, 1)
            + x.permute(2, 0, 1).reshape(6, 4)[:4, :3].contiguous()
        ),
        (2, 3, 4),
    ),
    "squeeze": (
        lambda x: (
            x.squeeze(1).unsqueeze(-1).expand(3, 4, 2) + x.unsqueeze(0).squeeze().unsqueeze(2)
        ),
        (3, 1, 4),
    ),
    "expand": (lambda x: x.expand(2, -1, 4) * x.expand(3, 4) + x[:, 0].sum().expand(3, 4), (3, 1)),
    "slices": (
        lambda x: x[1:, ::2].sum() + x[-1] + x[:, 1].sum() + x[..., -2:].sum() + x[:2, 1:3].sum(),
        (3, 4),
    ),
    "split": (
        lambda x: (
            sum(x.split(2, 1)[:1])
            + x.chunk(2, 1)[1]
            + torch.stack(x.unbind(1)[:2], 1)
            + x.split([1, 3], 1)[1][:, :2]
            + aten.unsafe_split(x, 2, 1)[0]
            + aten.unsafe_split_with_sizes(x, [2, 2], 1)[1]
        ),
        (3, 4),
    ),
    "cat": (
        lambda x, y: torch.cat([x, y, x.new_zeros(0)], 1) + torch.stack([y, y], 1).view(3, 4),
        (3, 2),
        (3, 2),
    ),
    "flip": (
        lambda x: (
            x.flip(0, 1)
            + x.roll(1, 0)
            + x.roll((1, 2), (0, 1))
            + x.roll(2)
            + x.tril(1)
            + x.triu(-1)
            + x.rot90()
        ),
        (4, 4),
    ),
    "pad": (
        lambda x: F.pad(x, (1, 2, -1, 1), value=0.5) + F.pad(x, (0, 3)).sum(),
        (3, 4),
    ),
    "pad by repetition": (
        lambda x: (
            F.pad(x, (1, 2, 1, 1), mode="reflect") * F.pad(x, (1, 2, 1, 1), mode="replicate")
            + F.pad(x[0], (1, 2), mode="reflect").square().sum()
            + F.pad(x[0], (1, 2), mode="replicate").cumsum(-1).square().sum()
            + F.pad(x[None], (1, 1, 1, 0, 0, 1), mode="reflect").square().sum()
            + F.pad(x[None], (1, 1, 1, 0, 0, 1), mode="replicate").cumsum(-1).square().sum()
            + F.pad(x, (1, 0, 1, 1), mode="circular").sum()
        ),
        (2, 3, 3, 4),
    ),
    "pixel_shuffle": (
        lambda x: F.pixel_shuffle(x, 2) * 0.3 + F.pixel_unshuffle(x, 2).reshape(2, 1, 4, 4),
        (2, 4, 2, 2),
    ),
    "windows as columns": (
        lambda x: F.fold(F.unfold(x, (2, 3), 1, 1, 2).cumsum(1), (4, 5), (2, 3), 1, 1, 2),
        (2, 3, 4, 5),
    ),
    "diagonal": (lambda x: x.diagonal(1) + x.diagonal().sum(), (4, 5)),
    "repeat": (lambda x: x.repeat(2, 3) + x.tile(1, 3), (1, 4)),
    "unfold": (lambda x: x.unfold(1, 3, 2).square(), (3, 8)),
    "as_strided": (
        lambda x: x.as_strided((2, 3), (1, 2), 1) + x[1:].as_strided((2, 3), (1, 2), 4),
        (3, 4),
    ),
    "clone": (
        lambda x: x.clone().detach() + x.contiguous() + aten.alias(x) + torch.positive(x),
        (3, 4),
    ),
    "half precision": (
        lambda x, w: (
            F.layer_norm((x.bfloat16() @ w.bfloat16()).softmax(-1), (5,)).to(x)
            + (x.half() @ w.half()).sigmoid().to(x)
            + x.bfloat16().mul(0.1).sum().to(x)
        ),
        (3, 4),
        (4, 5),
    ),
    "casts": (
        lambda x: (
            (x.double() * 3).to(x.dtype)
            + (x * 2).int()
            + (x * 2).long().to(x)
            + x.bool().float()
            + x.float()
        ),
        (3, 4),
    ),
    "copies": (lambda x, y: (x * 1).copy_(y) + torch.zeros(3, 4).copy_(x).to(x), (3, 4), (4,)),
    "filled": (
        lambda x: (
            torch.zeros_like(x)
            + torch.ones_like(x) * x
            + torch.full_like(x, 0.3)
            + x.new_zeros(4)
            + x.new_ones(4)
            + x.new_full((4,), 0.7)
            + torch.zeros(4)
            + torch.ones(4)
            + torch.full((4,), 0.1)
            + torch.arange(0, 1, 0.25)
            + torch.eye(4)[:3]
            + torch.scalar_tensor(0.3)
            + torch.linspace(0.1, 0.9, 4)
            + (x * 1).zero_()
            + (x * 1).fill_(0.2)
            + aten.fill(x, 0.3)
            + torch.zeros_like(x, dtype=torch.int64)
        ),
        (3, 4),
    ),
    "empty": (
        lambda x: (
            torch.empty(4, dtype=x.dtype).copy_(x[0])
            + torch.empty_like(x).copy_(x)
            + x.new_empty(4).copy_(x[0])
            + torch.empty(4, dtype=torch.int64).fill_(2)
        ),
        (3, 4),
    ),
    "index": (
        lambda x: (
            x[[0, 2, 0]].sum()
            + x[:, [1, 1]].sum()
            + x[torch.tensor([0, 1]), torch.tensor([3, 3])].sum()
            + x[x > 0].sum()
        ),
        (3, 4),
    ),
    "index_put": (
        lambda x, y: (
            x.index_put((torch.tensor([0, 2]),), y)
            + (x * 1).index_put_((torch.tensor([1, 1]),), y, accumulate=True)
        ),
        (3, 4),
        (2, 4),
    ),
    "assigned": (_assigned, (3, 4), (4,)),
    "gather": (
        lambda x: (
            x.gather(1, torch.tensor([[0, 3], [1, 1], [2, 0]])).sum()
            + x.index_select(1, torch.tensor([2, 2, 0])).sum()
            + torch.take_along_dim(x, torch.tensor([[0, 3, 1, 1]]), 1).sum()
        ),
        (3, 4),
    ),
    "scatter": (
        lambda x, y: (
            x.scatter(1, torch.tensor([[0, 3], [1, 2], [2, 0]]), y)
            + x.scatter(1, torch.tensor([[0, 3], [1, 2]]), 0.7)
            + x.scatter_add(1, torch.tensor([[0, 0], [1, 1], [2, 0]]), y)
            + x.index_add(0, torch.tensor([1, 1, 0]), x, alpha=0.5)
        ),
        (3, 4),
        (3, 2),
    ),
    "scattered slices": (
        lambda x, y: x.slice_scatter(y, 0, 1, 2) + x.select_scatter(y[0], 0, 0),
        (3, 4),
        (1, 4),
    ),
    "embedding": (
        lambda w: (
            F.embedding(torch.tensor([[0, 2], [2, 1]]), w)
            + F.embedding(torch.tensor([1, 0]), w, padding_idx=1)
            + F.embedding(torch.tensor([1, 1]), w, scale_grad_by_freq=True)
        ),
        (3, 4),
    ),
    "steps of optimizers": (_steps, (3, 4), (3, 4)),
}


def recorded(program: Program, *tensors: Tensor) -> Recording:
    """Record a program, and the gradient of a projection of what it returns."""
    with TorchRecorder() as recorder:
        for i, tensor in enumerate(tensors):
            recorder.given(INPUT, f"x{i}", tensor)
        y = program(*tensors)
        if y.requires_grad:
            projection = torch.tensor(np.linspace(-1, 1.3, y.numel()).reshape(y.shape)).to(y)
            torch.autograd.backward(y, projection)
    return recorder.finished({})


def drawn(name: str, dtype: torch.dtype, mixed: bool, shapes: tuple[tuple[int, ...], ...]) -> Any:
    """Draw tensors of ordinary size, or of magnitudes from 0.01 to 20, which saturate."""
    rng = np.random.default_rng(zlib.crc32(name.encode()) + mixed)
    arrays = [
        rng.standard_normal(shape) * (10 ** rng.uniform(-2, 1.3, shape) if mixed else 1)
        for shape in shapes
    ]
    return [torch.tensor(array, dtype=dtype).requires_grad_() for array in arrays]


ENOUGH = 10
"""How often an operation is judged in the same formats."""

Formats = tuple[str, tuple[str, ...]]
"""An operation, with the formats of its result and of the first tensor that it takes."""


def judged(
    recording: Recording, often: Counter[Formats] | None = None
) -> Iterator[tuple[str, Any, Bounded]]:
    """Yield each operation's name, the array that torch computed, and what the rule says of it.

    Operations are counted by their formats, and passed over when there are enough.
    """
    for event in recording.events:
        if event.call != event.index or event.operation in LEAVES:
            continue
        if often is not None:
            first = [recording.events[index] for index in event.inputs[:1]]
            formats = tuple(one.format or one.value.dtype.name for one in (event, *first))
            often[event.operation, formats] += 1
            if often[event.operation, formats] > ENOUGH:
                continue
        found = evaluate(recording, event.index, partial(as_given, recording))
        next_ones = recording.events[event.index : event.index + len(found) + 1]
        made = [one for one in next_ones if one.call == event.index]
        assert len(found) == len(made), event.operation
        for one, result in zip(made, found, strict=True):
            assert one.value.shape == result.shape, event.operation
            assert result.floating == (one.value.dtype.kind == "f"), event.operation
            if result.floating:  # a kernel may return statistics in a finer format
                assert result.precision.eps >= format_of(one).eps, event.operation
            yield event.operation, one.value, result


UNWRITTEN = {"aten.empty", "aten.empty_like", "aten.new_empty", "aten.new_empty_strided"}
"""Operations of whose results nothing is known."""


def assert_within(operation: str, array: Any, result: Bounded, *place: Any) -> Any:
    """Something is known of every entry, and torch's is within it; return what share of the bound it takes."""
    if operation not in UNWRITTEN:
        known = np.isfinite(result.error) if result.floating else result.error == 0
        assert known.all(), (operation, *place)
    share = apart(array, result)
    assert (share <= 1).all(), (operation, *place, share.max())
    return share


def apart(array: Any, result: Bounded) -> Any:
    """Return by how much an array is outside the bound or inside it, as a share of the bound.

    The rule's value is computed in float64, and has float64's error itself.
    """
    own = 2 if array.dtype == np.float64 else 1
    with np.errstate(all="ignore"):
        distance = np.abs(array.astype(np.float64) - result.value.astype(np.float64))
        same = (
            np.isinf(result.error)
            | (array == result.value)
            | (np.isnan(array) & np.isnan(result.value))
        )
        share = np.where(same, 0.0, distance / (own * result.error))
    return np.where(np.isnan(share), np.inf, share)


FULL, HALF = (torch.float32, torch.float64), (torch.float16, torch.bfloat16)
NOT_IN_HALF = {"avg_pool3d"}
"""Programs that torch does not run in the half formats."""


def drafts(name: str) -> Iterator[tuple[torch.dtype, bool]]:
    """Yield the formats in which a program is drawn, and whether in magnitudes that saturate."""
    yield from ((dtype, False) for dtype in FULL)
    yield FULL[len(name) % 2], True
    if name not in NOT_IN_HALF:
        yield HALF[len(name) % 2], False


def test_each_rule_holds_what_torch_computes_sees_a_fault_and_is_near() -> None:
    """All programs in one test: that no rule is left out, and that each bound is reached, shows only at the end."""
    reached: dict[str, float] = defaultdict(float)
    rules = set()
    often: dict[bool, Counter[Formats]] = {False: Counter(), True: Counter()}
    for name, (program, *shapes) in PROGRAMS.items():
        for dtype, mix in drafts(name):
            recording = recorded(program, *drawn(name, dtype, mix, tuple(shapes)))
            for operation, array, result in judged(recording, often[mix]):
                place = name, operation, dtype, mix
                rules.add(RULES[operation])
                share = assert_within(operation, array, result, *place)
                # Where it rounds: subnormal numbers have an error of η anyway.
                rounds = np.isfinite(result.error) & (result.error > 4 * result.precision.eta)
                if rounds.any() and result.precision.eps < 1e-6:  # not half precision
                    reached[operation] = max(reached[operation], share[rounds].max())
                    assert mix or _a_fault_is_outside(array, result), place
    assert {operation: share for operation, share in reached.items() if share < 0.01} == {}
    rules |= {RULES[operation] for operation in DIRECT}
    table = {operation: rule for operation, rule in RULES.items() if "foreach" not in operation}
    assert [operation for operation, rule in table.items() if rule not in rules] == []


def _a_fault_is_outside(array: Any, result: Bounded) -> bool:
    """Add a thousandth to the largest entry of which something is known."""
    sizes = np.where(np.isfinite(result.error) & np.isfinite(array), np.abs(array), 0.0)
    largest = np.unravel_index(sizes.argmax(), array.shape)
    faulty = array.copy()
    faulty[largest] *= 1.001
    return not array.any() or bool(apart(faulty, result)[largest] > 1)


def _rms_norm_backward(g: Tensor, x: Tensor, shape: list[int], *rest: Any) -> Any:
    """Compute as autograd does, on a CPU in parts."""
    x, w = (tensor.detach().requires_grad_() for tensor in (x, rest[1]))
    with torch.enable_grad():
        return torch.autograd.grad(F.rms_norm(x, shape, w, 1e-5), (x, w), g)


DIRECT: dict[str, tuple[Program, Program]] = {
    "aten._fused_rms_norm": (lambda x, w: (x, [4], w, 1e-5), aten._fused_rms_norm),
    "aten._fused_rms_norm_backward": (
        lambda x, w: (
            x * 0.3,
            x,
            [4],
            ((x * x).mean(1, keepdim=True) + 1e-5).rsqrt(),
            w,
            [True, True],
        ),
        _rms_norm_backward,
    ),
    "aten.linear": (lambda x, w: (x, x * 2, w[:3]), F.linear),
}
"""Operations that reach the dispatcher on other devices than a CPU alone: arguments, and what computes the same."""


@pytest.mark.parametrize("operation", DIRECT)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_rule_of_an_operation_of_other_devices_holds_what_torch_computes(
    operation: str, dtype: torch.dtype
) -> None:
    given, function = DIRECT[operation]
    with torch.no_grad():
        arguments = given(*drawn(operation, dtype, False, ((3, 4), (4,))))
        made = function(*arguments)
    precision = Precision.of(np.float32 if dtype == torch.float32 else np.float64)

    def bounded(argument: Any) -> Any:
        return exact(to_numpy(argument), precision) if isinstance(argument, Tensor) else argument

    found = RULES[operation](*map(bounded, arguments))
    pairs = zip(made, found, strict=True) if isinstance(made, tuple) else [(made, found)]
    for array, result in pairs:
        assert_within(operation, to_numpy(array), result)
        assert _a_fault_is_outside(to_numpy(array), result)


def test_every_operation_with_a_rule_is_one_of_torch() -> None:
    names = [operation.removeprefix("aten.") for operation in RULES if operation != "overlay"]
    assert [name for name in names if not hasattr(aten, name)] == []


def test_the_table_imports_no_framework() -> None:
    program = "import sys, gradparity.tracing.rules.torch_rules; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_an_operation_without_a_rule_abstains_by_name() -> None:
    recording = recorded(lambda x: torch.linalg.det(x @ x.T), torch.eye(2))
    with pytest.raises(NoRuleError, match=r"aten\._linalg_det: no rule"):
        list(judged(recording))


class Transformer(nn.Module):
    """A block with LayerNorm, attention and GELU."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(11, 8)
        self.norms = nn.ModuleList([nn.LayerNorm(8), nn.LayerNorm(8)])
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.up, self.down = nn.Linear(8, 16), nn.Linear(16, 8)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.embedding(tokens)
        h = self.norms[0](x)
        x = x + self.attention(h, h, h)[0]
        return x + self.down(F.gelu(self.up(self.norms[1](x))))


class Images(nn.Module):
    """Convolutions with BatchNorm and pooling."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, 4, 3, padding=1),
            nn.BatchNorm2d(4),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(4, 6, 3, groups=2, stride=2),
            nn.GroupNorm(2, 6),
            nn.SiLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(6, 5),
        )

    def forward(self, images: Tensor) -> Tensor:
        return self.layers(images)


class Sequences(nn.Module):
    """A bidirectional LSTM, then a GRU."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(4, 3, bidirectional=True, batch_first=True)
        self.gru = nn.GRU(6, 5, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.gru(self.lstm(x)[0])[0]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("model", [Transformer, Images, Sequences])
def test_every_operation_of_a_model_has_a_rule_and_lies_within_its_bound(
    model: type[nn.Module], dtype: torch.dtype
) -> None:
    torch.manual_seed(3)
    net = model().to(dtype)
    inputs = {
        Transformer: torch.randint(0, 11, (2, 5)),
        Images: torch.randn(2, 3, 8, 8, dtype=dtype),
        Sequences: torch.randn(2, 3, 4, dtype=dtype),
    }[model]
    recording = recorded(net, inputs)
    assert len(recording.events) > 50
    for operation, array, result in judged(recording):
        assert_within(operation, array, result)
