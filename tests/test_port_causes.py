"""Why two regions differ: planted mistakes are named, right programs and unknown differences are not."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from jax import lax
from torch.nn import functional as F  # noqa: N812 -- as everybody names it

from gradparity.porting import causes, counterfactual
from gradparity.porting.counterfactual import corrected
from gradparity.tracing import jax_recorder
from gradparity.tracing.alignment import Side
from gradparity.tracing.recording import INPUT, PARAMETER, Recording
from gradparity.tracing.regions import Comparison, compare
from gradparity.tracing.torch_recorder import TorchRecorder

Program = Callable[[Any], Any]

DRAW = np.random.default_rng(5)


def drawn(*shape: int) -> np.ndarray:
    return DRAW.standard_normal(shape)


ARRAYS: dict[str, np.ndarray] = {
    "x": drawn(3, 4, 8),
    "z": drawn(3, 4, 8),
    "image": drawn(2, 4, 8, 8),
    "weight": drawn(8, 8),
    "bias": drawn(8),
    "gain": drawn(8) + 2,
    "kernel": drawn(4, 4, 3, 3),
    "scale": drawn(4) + 2,
    "shift": drawn(4),
    "mean": drawn(4),
    "var": np.abs(drawn(4)) + 0.5,
    "wide": drawn(3, 4, 32),
    "h": drawn(3, 8),
    "c": drawn(3, 8),
    "gates": drawn(3, 32),
    "target": drawn(3, 4, 8),
}
INPUTS = {"x", "z", "image", "wide", "h", "c", "gates", "target"}


@pytest.fixture(autouse=True)
def _in_float64() -> Iterator[None]:
    with jax.enable_x64(True):
        yield


LOWER = torch.ones(4, 8, dtype=torch.bool).tril()


class Names(dict[str, Any]):
    """The arrays of a program: `p.x`."""

    __getattr__ = dict.__getitem__


def in_torch(program: Program, backward: bool = False) -> Recording:
    tensors = Names({name: torch.tensor(value) for name, value in ARRAYS.items()})
    recorder = TorchRecorder()
    for name, tensor in tensors.items():
        recorder.given(INPUT if name in INPUTS else PARAMETER, name, tensor)
        tensor.requires_grad_(backward)
    with recorder:
        found = {"output": program(tensors)}
        if backward:
            (found["output"] ** 2).sum().backward()
            found |= {f"gradient {n}": t.grad for n, t in tensors.items() if t.grad is not None}
    return recorder.finished(found)


def in_jax(program: Program) -> Recording:
    arguments = [
        jax_recorder.Argument(INPUT if name in INPUTS else PARAMETER, value, name)
        for name, value in ARRAYS.items()
    ]
    return jax_recorder.record(
        lambda *values: program(Names(zip(ARRAYS, values, strict=True))), arguments
    )


@dataclass(frozen=True)
class Pair:
    """An original in PyTorch and its port."""

    original: Program
    port: Program
    framework: str = "torch"
    backward: bool = False

    def recorded(self) -> dict[Side, Recording]:
        port = in_jax(self.port) if self.framework == "jax" else in_torch(self.port, self.backward)
        return {"a": in_torch(self.original, self.backward), "b": port}

    def compared(self) -> Comparison:
        return compare(*self.recorded().values())


def torches(original: Program, port: Program, backward: bool = False) -> Pair:
    return Pair(original, port, "torch", backward)


def across(original: Program, port: Program) -> Pair:
    return Pair(original, port, "jax")


# --- Layers, written out --------------------------------------------------------------------------


def layer_norm(p: Any, eps: float = 1e-5, ddof: int = 0, centred: bool = True) -> Any:
    m = p.x.mean(-1, keepdims=True)
    v = jnp.var(p.x, -1, keepdims=True, ddof=ddof) if centred else (p.x**2).mean(-1, keepdims=True)
    return (p.x - m if centred else p.x) / jnp.sqrt(v + eps) * p.gain + p.bias


def torch_norm(p: Any) -> Any:
    return F.layer_norm(p.x, (8,), p.gain, p.bias)


def rms(p: Any, eps: float = 1e-6, more: bool = False, xp: Any = torch) -> Any:
    gain = 1 + p.gain if more else p.gain
    return p.x / xp.sqrt((p.x * p.x).mean(-1, keepdims=True) + eps) * gain


def batch_norm(p: Any, train: bool = False, eps: float = 1e-5) -> Any:
    return F.batch_norm(p.image, p["mean"], p["var"], p.scale, p.shift, train, 0.1, eps)


def jax_batch_norm(p: Any, train: bool = False, eps: float = 1e-5) -> Any:
    def c(t: Any) -> Any:
        return t.reshape(1, 4, 1, 1)

    m, v = c(p["mean"]), c(p["var"])
    if train:
        m = p.image.mean((0, 2, 3), keepdims=True)
        v = ((p.image - m) ** 2).mean((0, 2, 3), keepdims=True)
    return (p.image - m) * lax.rsqrt(v + eps) * c(p.scale) + c(p.shift)


def attention(
    p: Any, scale: float = 1 / 2, low: float = -math.inf, step: int = 0, axis: int = -1
) -> Any:
    q, k, v = (heads(t) for t in (p.x, p.z, p.x * p.gain))
    s = q @ k.transpose(-1, -2) * scale
    mask = torch.ones(4, 4, dtype=torch.bool).tril(step)
    a = s.masked_fill(~mask, low).softmax(axis)
    return (a @ v).transpose(1, 2).reshape(3, 4, 8)


def heads(t: Any) -> Any:
    return t.reshape(3, 4, 2, 4).transpose(1, 2)


def jax_attention(
    p: Any, scale: float = 1 / 2, low: float = -math.inf, step: int = 0, how: str = ""
) -> Any:
    def split(t: Any) -> Any:
        if how == "interleaved":
            return t.reshape(3, 4, 4, 2).transpose(0, 3, 1, 2)
        return t.reshape(3, 4, 2, 4).transpose(0, 2, 1, 3)

    q, k, v = (split(t) for t in (p.x, p.z, p.x * p.gain))
    s = jnp.einsum("bhqd,bhkd->bhqk", q, k) * scale
    mask = jnp.tril(jnp.ones((4, 4), bool), step)
    if how == "inverted":
        mask = ~mask
    if how != "no mask":
        s = jnp.where(mask, s, low)
    a = jax.nn.softmax(s, -2 if how == "axis" else -1)
    return jnp.einsum("bhqk,bhkd->bqhd", a, v).reshape(3, 4, 8)


def lstm(p: Any, order: str = "ifgo", xp: Any = torch, bias: float = 0.0) -> Any:
    sigmoid = torch.sigmoid if xp is torch else jax.nn.sigmoid
    parts = p.gates.chunk(4, -1) if xp is torch else jnp.split(p.gates, 4, -1)
    named = dict(zip(order, parts, strict=True))
    f = sigmoid(named["f"] + bias) if bias else sigmoid(named["f"])
    c = f * p.c + sigmoid(named["i"]) * xp.tanh(named["g"])
    return sigmoid(named["o"]) * xp.tanh(c)


def rope(p: Any, interleaved: bool = False, step: int = 0, base: float = 10000.0) -> Any:
    at = torch.arange(4, dtype=torch.float64) + step
    angles = at[:, None] * base ** (-torch.arange(0, 8, 2, dtype=torch.float64) / 8)
    s, c = angles.sin(), angles.cos()
    if interleaved:
        one, two = p.x[..., ::2], p.x[..., 1::2]
        return torch.stack([one * c - two * s, two * c + one * s], -1).flatten(-2)
    one, two = p.x[..., :4], p.x[..., 4:]
    return torch.cat([one * c - two * s, two * c + one * s], -1)


def conv(p: Any, **arguments: Any) -> Any:
    return F.conv2d(p.image, p.kernel, p.shift, **arguments)


def jax_conv(p: Any, padding: Any = ((1, 1), (1, 1)), stride: int = 1, flip: bool = False) -> Any:
    kernel = p.kernel[:, :, ::-1, ::-1] if flip else p.kernel
    found = lax.conv_general_dilated(p.image, kernel, (stride, stride), padding)
    return found + p.shift[:, None, None]


def running(p: Any) -> Any:
    m, v = p["mean"] * 1, p["var"] * 1
    F.batch_norm(p.image, m, v, p.scale, p.shift, True, 0.1, 1e-5)
    return m, v


def jax_running(p: Any, keep: float) -> Any:
    m, v = p.image.mean((0, 2, 3)), p.image.var((0, 2, 3))
    return keep * p["mean"] + (1 - keep) * m, keep * p["var"] + (1 - keep) * v


def gru(p: Any, xp: Any = torch, how: str = "") -> Any:
    sigmoid = torch.sigmoid if xp is torch else jax.nn.sigmoid
    r = sigmoid(p.gates[:, :8])
    if how == "before":
        n = (r * p.h) @ p.weight + p.bias
    elif how == "bias outside":
        n = r * (p.h @ p.weight) + p.bias
    else:
        n = r * (p.h @ p.weight + p.bias)
    return xp.tanh(p.gates[:, 8:16] + n)


MISTAKES: dict[str, tuple[str, Pair]] = {
    # numbers
    "LayerNorm's ε": ("LayerNorm's ε", across(torch_norm, lambda p: layer_norm(p, 1e-6))),
    "LayerNorm's ε, none": ("LayerNorm's ε", across(torch_norm, lambda p: layer_norm(p, 1e-12))),
    "GroupNorm's ε": (
        "GroupNorm's ε",
        torches(lambda p: F.group_norm(p.image, 2), lambda p: F.group_norm(p.image, 2, eps=1e-6)),
    ),
    "RMSNorm's ε": (
        "RMSNorm's ε",
        across(rms, lambda p: rms(p, 1e-5, xp=jnp)),
    ),
    "BatchNorm's ε": ("BatchNorm's ε", across(batch_norm, lambda p: jax_batch_norm(p, eps=1e-3))),
    "BatchNorm's ε in training": (
        "BatchNorm's ε",
        across(lambda p: batch_norm(p, True), lambda p: jax_batch_norm(p, True, 1e-3)),
    ),
    "slope": (
        "leaky ReLU's slope",
        across(lambda p: F.leaky_relu(p.x), lambda p: jax.nn.leaky_relu(p.x, 0.2)),
    ),
    "slope, torch": (
        "leaky ReLU's slope",
        torches(lambda p: F.leaky_relu(p.x), lambda p: F.leaky_relu(p.x, 0.2)),
    ),
    "scores scaled by the width": (
        "the scale of what goes into the softmax",
        across(attention, lambda p: jax_attention(p, 1 / math.sqrt(8))),
    ),
    "masked by -10": (
        "the value of masked entries",
        across(attention, lambda p: jax_attention(p, low=-10.0)),
    ),
    "masked by -1e9 over a row that -inf leaves": (
        "the value of masked entries",
        torches(lambda p: attention(p, low=-8.0), lambda p: attention(p, low=-4.0)),
    ),
    "a scale": (
        "a constant factor",
        across(lambda p: torch.tanh(p.x) * 0.18215, lambda p: jnp.tanh(p.x) * 0.13025),
    ),
    "an exponent": (
        "an exponent",
        across(lambda p: torch.tanh(p.x).abs() ** 1.5, lambda p: jnp.abs(jnp.tanh(p.x)) ** 2.5),
    ),
    "a clip": (
        "a limit",
        torches(
            lambda p: torch.tanh(p.x).clamp(-0.5, 0.5), lambda p: torch.tanh(p.x).clamp(-0.5, 0.6)
        ),
    ),
    # arguments
    "GELU, torch": (
        "GELU",
        torches(lambda p: F.gelu(p.x), lambda p: F.gelu(p.x, approximate="tanh"), True),
    ),
    "softmax's axis": ("the softmax's axis", torches(attention, lambda p: attention(p, axis=-2))),
    "the convolution's padding": (
        "the convolution's padding",
        across(
            lambda p: conv(p, stride=2, padding=1),
            lambda p: jax_conv(p, ((0, 2), (0, 2)), 2),
        ),
    ),
    "the convolution's SAME padding": (
        "the convolution's padding",
        across(lambda p: conv(p, stride=2, padding=1), lambda p: jax_conv(p, "SAME", 2)),
    ),
    "counted padding": (
        "whether the average pooling counts the padding",
        torches(
            lambda p: F.avg_pool2d(p.image, 2, padding=1),
            lambda p: F.avg_pool2d(p.image, 2, padding=1, count_include_pad=False),
        ),
    ),
    "align corners": (
        "`align_corners` of upsample_bilinear2d",
        torches(
            lambda p: F.interpolate(p.image, scale_factor=2, mode="bilinear"),
            lambda p: F.interpolate(p.image, scale_factor=2, mode="bilinear", align_corners=True),
        ),
    ),
    # variants
    "GELU": ("GELU", across(lambda p: F.gelu(p.x), lambda p: jax.nn.gelu(p.x))),
    "quick GELU": (
        "GELU",
        torches(lambda p: p.x * torch.sigmoid(1.702 * p.x), lambda p: F.gelu(p.x)),
    ),
    "SiLU for GELU": ("the activation", across(lambda p: F.gelu(p.x), lambda p: jax.nn.silu(p.x))),
    "ELU for ReLU": ("the activation", across(lambda p: F.relu(p.x), lambda p: jax.nn.elu(p.x))),
    "tanh for sigmoid": (
        "the activation",
        across(lambda p: torch.sigmoid(p.x), lambda p: jnp.tanh(p.x)),
    ),
    "hard swish for SiLU": (
        "the activation",
        across(lambda p: F.silu(p.x), lambda p: jax.nn.hard_swish(p.x)),
    ),
    "softplus for ReLU": (
        "the activation",
        across(lambda p: F.relu(p.x @ p.weight), lambda p: jax.nn.softplus(p.x @ p.weight)),
    ),
    "an unbiased variance": ("the variance", across(torch_norm, lambda p: layer_norm(p, ddof=1))),
    "softmax's axis, JAX": (
        "the softmax",
        across(attention, lambda p: jax_attention(p, how="axis")),
    ),
    # masks
    "a mask off by one": ("the causal mask", across(attention, lambda p: jax_attention(p, step=1))),
    "no causal mask": (
        "the causal mask",
        across(attention, lambda p: jax_attention(p, how="no mask")),
    ),
    "a mask inverted": (
        "the causal mask",
        torches(
            lambda p: torch.tanh(p.x.masked_fill(~LOWER, 0.5)),
            lambda p: torch.tanh(p.x.masked_fill(LOWER, 0.5)),
        ),
    ),
    # order
    "heads interleaved": (
        "an axis is split in another order",
        across(attention, lambda p: jax_attention(p, how="interleaved")),
    ),
    "positions off by one": (
        "positions off by one",
        torches(lambda p: torch.tanh(p.x) + p.z, lambda p: torch.tanh(p.x).roll(1, 1) + p.z),
    ),
    "reversed": (
        "an axis is reversed",
        across(lambda p: torch.tanh(p.x).cumsum(1), lambda p: jnp.tanh(p.x)[:, ::-1].cumsum(1)),
    ),
    "NHWC flattened": (
        "axes are exchanged",
        across(
            lambda p: (
                torch.tanh(p.image).flatten(1)
                @ torch.ones(256, 3, dtype=torch.float64).cumsum(0).sin()
            ),
            lambda p: (
                jnp.tanh(p.image).transpose(0, 2, 3, 1).reshape(2, -1)
                @ jnp.sin(jnp.cumsum(jnp.ones((256, 3)), 0))
            ),
        ),
    ),
    "the kernel flipped": (
        "an axis is reversed",
        across(lambda p: conv(p, padding=1), lambda p: jax_conv(p, flip=True)),
    ),
    "gates in another order": (
        "parts of an array in another order",
        across(lstm, lambda p: lstm(p, "figo", jnp)),
    ),
    # terms and factors
    "a missing bias": (
        "the term bias",
        across(lambda p: torch.tanh(p.x @ p.weight + p.bias), lambda p: jnp.tanh(p.x @ p.weight)),
    ),
    "a missing residual": (
        "the term x",
        across(
            lambda p: torch.tanh(p.x + torch.relu(p.x @ p.weight)),
            lambda p: jnp.tanh(jax.nn.relu(p.x @ p.weight)),
        ),
    ),
    "a doubled residual": (
        "the term x",
        across(
            lambda p: p.x + torch.tanh(p.x @ p.weight),
            lambda p: p.x + p.x + jnp.tanh(p.x @ p.weight),
        ),
    ),
    "subtracted": (
        "the term bias",
        across(
            lambda p: torch.tanh(p.x @ p.weight + p.bias),
            lambda p: jnp.tanh(p.x @ p.weight - p.bias),
        ),
    ),
    "a missing √d": (
        "a constant factor",
        across(
            lambda p: torch.tanh(p.x @ p.weight * math.sqrt(8)), lambda p: jnp.tanh(p.x @ p.weight)
        ),
    ),
    "a missing gain": (
        "the factor gain",
        across(lambda p: torch.tanh(torch.sin(p.x) * p.gain), lambda p: jnp.tanh(jnp.sin(p.x))),
    ),
    "a sum for a mean": (
        "the reduction",
        across(
            lambda p: ((torch.tanh(p.x) - p.target) ** 2).mean(),
            lambda p: ((jnp.tanh(p.x) - p.target) ** 2).sum(),
        ),
    ),
    "a sum for a mean over an axis": (
        "the statistic",
        across(
            lambda p: torch.tanh((p.x @ p.weight).mean(1)),
            lambda p: jnp.tanh((p.x @ p.weight).sum(1)),
        ),
    ),
    # operands
    "another array": (
        "another array goes in",
        across(
            lambda p: torch.tanh(p.x) + torch.sin(p.z) * torch.tanh(p.z),
            lambda p: jnp.tanh(p.x) + jnp.sin(p.z) * jnp.tanh(p.x),
        ),
    ),
    "noise is added": (
        "a term",
        torches(
            lambda p: torch.tanh(p.x),
            lambda p: torch.tanh(p.x) + 1e-3 * torch.tensor(DRAW.standard_normal(8)) ** 2 * p.z,
        ),
    ),
    "RMSNorm for LayerNorm": (
        "the mean",
        across(torch_norm, lambda p: rms(p, 1e-5, xp=jnp) + p.bias),
    ),
    "LayerNorm for RMSNorm": (
        "the mean",
        across(lambda p: rms(p, 1e-5) + p.bias, layer_norm),
    ),
    "running statistics in training": (
        "BatchNorm's statistics",
        across(lambda p: batch_norm(p, True), jax_batch_norm),
    ),
    "the batch's statistics in evaluation": (
        "BatchNorm's statistics",
        across(batch_norm, lambda p: jax_batch_norm(p, True)),
    ),
    "BatchNorm's momentum": (
        "BatchNorm's momentum",
        across(lambda p: running(p)[0], lambda p: jax_running(p, 0.99)[0]),
    ),
    "BatchNorm's momentum the other way": (
        "BatchNorm's momentum",
        across(lambda p: running(p)[0], lambda p: jax_running(p, 0.1)[0]),
    ),
    "a biased running variance": (
        "the variance",
        across(lambda p: running(p)[1], lambda p: jax_running(p, 0.9)[1]),
    ),
    "a bias outside of the reset gate": (
        "the term bias",
        across(gru, lambda p: gru(p, jnp, "bias outside")),
    ),
    "a reset gate before the product": (
        "an operation of one side alone",
        across(gru, lambda p: gru(p, jnp, "before")),
    ),
    "rotary, neighbours for halves": (
        "how an axis is taken in pairs",
        torches(rope, lambda p: rope(p, interleaved=True)),
    ),
    "forget bias": ("a constant that is added", across(lstm, lambda p: lstm(p, xp=jnp, bias=1.0))),
    "rotary base": ("the base of a power", torches(rope, lambda p: rope(p, base=500.0))),
    "rotary, positions off by one": (
        "a constant that is added",
        torches(rope, lambda p: rope(p, step=1)),
    ),
    "no gradient": (
        "a gradient that does not flow back",
        torches(
            lambda p: torch.tanh(p.x) + torch.sin(p.x @ p.weight),
            lambda p: torch.tanh(p.x) + torch.sin(p.x.detach() @ p.weight),
            True,
        ),
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_named(mistake: str) -> None:
    name, pair = MISTAKES[mistake]
    comparison = pair.compared()
    assert comparison.divergences
    found = causes.find(comparison, comparison.divergences[0])
    assert found is not None
    assert found.cause.name == name


def softmax_by_hand(t: Any, axis: int = -1) -> Any:
    e = jnp.exp(t - t.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


RIGHT: dict[str, Pair] = {
    "LayerNorm by hand": across(torch_norm, layer_norm),
    "LayerNorm with rsqrt": across(
        torch_norm,
        lambda p: (
            (p.x - p.x.mean(-1, keepdims=True))
            * lax.rsqrt(p.x.var(-1, keepdims=True) + 1e-5)
            * p.gain
            + p.bias
        ),
    ),
    "LayerNorm by E[x²] - E[x]²": across(
        torch_norm,
        lambda p: (
            (p.x - p.x.mean(-1, keepdims=True))
            / jnp.sqrt((p.x**2).mean(-1, keepdims=True) - p.x.mean(-1, keepdims=True) ** 2 + 1e-5)
            * p.gain
            + p.bias
        ),
    ),
    "BatchNorm folded": across(
        batch_norm,
        lambda p: (
            p.image * (p.scale / jnp.sqrt(p["var"] + 1e-5)).reshape(1, 4, 1, 1)
            + (p.shift - p["mean"] * p.scale / jnp.sqrt(p["var"] + 1e-5)).reshape(1, 4, 1, 1)
        ),
    ),
    "BatchNorm in training": across(
        lambda p: batch_norm(p, True), lambda p: jax_batch_norm(p, True)
    ),
    "attention by einsum": across(attention, jax_attention),
    "the scale in q": across(
        lambda p: (p.x @ p.z.transpose(1, 2) / math.sqrt(8)).softmax(-1),
        lambda p: softmax_by_hand((p.x / math.sqrt(8)) @ p.z.transpose(0, 2, 1)),
    ),
    "a softmax by hand": across(lambda p: p.x.softmax(-1), lambda p: softmax_by_hand(p.x)),
    "a log-softmax": across(
        lambda p: p.x.log_softmax(-1),
        lambda p: p.x - jax.nn.logsumexp(p.x, -1, keepdims=True),
    ),
    "GELU by erf": across(lambda p: F.gelu(p.x), lambda p: jax.nn.gelu(p.x, approximate=False)),
    "GELU by tanh": across(lambda p: F.gelu(p.x, approximate="tanh"), lambda p: jax.nn.gelu(p.x)),
    "SiLU": across(lambda p: F.silu(p.x), lambda p: p.x / (1 + jnp.exp(-p.x))),
    "sigmoid by tanh": across(
        lambda p: torch.sigmoid(p.x), lambda p: 0.5 * (jnp.tanh(p.x / 2) + 1)
    ),
    "ReLU by a maximum": across(lambda p: F.relu(p.x), lambda p: jnp.maximum(p.x, 0)),
    "leaky ReLU": across(
        lambda p: F.leaky_relu(p.x, 0.2), lambda p: jnp.where(p.x > 0, p.x, 0.2 * p.x)
    ),
    "ELU": across(lambda p: F.elu(p.x), lambda p: jax.nn.elu(p.x)),
    "softplus": across(lambda p: F.softplus(p.x), lambda p: jnp.log1p(jnp.exp(p.x))),
    "a linear layer": across(
        lambda p: F.linear(p.x, p.weight, p.bias),
        lambda p: jnp.einsum("bld,od->blo", p.x, p.weight) + p.bias,
    ),
    "a convolution, channels last": across(
        lambda p: conv(p, padding=1),
        lambda p: (
            lax.conv_general_dilated(
                p.image.transpose(0, 2, 3, 1),
                p.kernel.transpose(2, 3, 1, 0),
                (1, 1),
                "SAME",
                dimension_numbers=("NHWC", "HWIO", "NHWC"),
            )
            + p.shift
        ),
    ),
    "an LSTM's cell": across(lstm, lambda p: lstm(p, xp=jnp)),
    "rotary by rotating halves": torches(
        rope,
        lambda p: (
            p.x * turn(torch.cos) + torch.cat([-p.x[..., 4:], p.x[..., :4]], -1) * turn(torch.sin)
        ),
    ),
    "an average pooling": across(
        lambda p: F.avg_pool2d(p.image, 2), lambda p: p.image.reshape(2, 4, 4, 2, 4, 2).mean((3, 5))
    ),
    "a squared error": across(
        lambda p: F.mse_loss(p.x, p.target), lambda p: jnp.square(p.x - p.target).sum() / 96
    ),
    "RMSNorm": across(rms, lambda p: rms(p, xp=jnp)),
}


def turn(function: Any) -> torch.Tensor:
    at = torch.arange(4, dtype=torch.float64)[:, None]
    angles = at * 10000.0 ** (-torch.arange(0, 8, 2, dtype=torch.float64) / 8)
    return torch.cat([function(angles)] * 2, -1)


@pytest.mark.parametrize("form", RIGHT)
def test_a_right_program_in_another_form_has_nothing_to_name(form: str) -> None:
    comparison = RIGHT[form].compared()
    assert not comparison.divergences
    assert any(output.verdict == "agree" for output in comparison.outputs)


NOISE = drawn(3, 4, 8)

UNKNOWN: dict[str, Pair] = {
    "another function": across(
        lambda p: torch.tanh(p.x) + p.z, lambda p: jnp.sin(p.x) * jnp.exp(-(p.x**2)) + p.z
    ),
    "another polynomial": across(
        lambda p: p.x**3 - p.x, lambda p: p.x**3 * p.z - jnp.exp(0.2 * p.x)
    ),
    "an entry": torches(
        lambda p: torch.tanh(p.x).index_fill(1, torch.tensor([2]), 0.3) * p.z,
        lambda p: torch.sin(p.x).index_fill(1, torch.tensor([3]), 0.4) * p.z,
    ),
    "two mistakes in a line": across(
        lambda p: F.gelu(p.x) * 0.3 + p.z,
        lambda p: jax.nn.gelu(p.x) * 0.2 - jnp.sin(p.z),
    ),
    "a norm of another kind": across(
        torch_norm,
        lambda p: (
            (p.x - jnp.median(p.x, -1, keepdims=True))
            / (1e-3 + jnp.abs(p.x).mean(-1, keepdims=True))
            * p.gain
            + p.bias
        ),
    ),
    "attention with a sigmoid": across(
        lambda p: (p.x @ p.z.transpose(1, 2)).softmax(-1) @ p.z,
        lambda p: jax.nn.sigmoid(p.x @ p.z.transpose(0, 2, 1) + p.gain[0]) ** 2 @ p.z,
    ),
    "a nonlinear scale": across(
        lambda p: torch.tanh(p.x), lambda p: jnp.sin(p.x * (1.3 + 0.1 * p.z**2))
    ),
    "entries of its own for each": torches(
        lambda p: torch.tanh(p.x), lambda p: torch.sinh(p.x) * torch.tensor(np.exp(0.1 * NOISE))
    ),
    "a kernel of its own": across(
        lambda p: F.conv2d(p.image, p.kernel.sin(), p.shift, padding=1),
        lambda p: jax_conv(dict_with(p, "kernel", p.kernel**2 - 0.3 * jnp.abs(p.kernel))),
    ),
    "cells of another kind": across(
        lstm, lambda p: jnp.tanh(p.gates[:, :8] ** 2 + p.c * jax.nn.sigmoid(p.gates[:, 8:16]))
    ),
    "a recurrence": torches(
        lambda p: p.x.cumsum(1), lambda p: torch.stack([p.x[:, 0], *recurrent(p)], 1)
    ),
}


def dict_with(p: Any, name: str, value: Any) -> Names:
    return Names({**p, name: value})


def recurrent(p: Any) -> list[torch.Tensor]:
    found = [p.x[:, 0]]
    for k in range(1, 4):
        found.append(found[-1] * torch.sigmoid(p.z[:, k]) + p.x[:, k] ** 2)
    return found[1:]


@pytest.mark.parametrize("difference", UNKNOWN)
def test_what_is_not_known_is_not_named(difference: str) -> None:
    comparison = UNKNOWN[difference].compared()
    assert comparison.divergences
    assert causes.find(comparison, comparison.divergences[0]) is None


BY_TEXT = [
    "LayerNorm's ε",
    "BatchNorm's ε",
    "scores scaled by the width",
    "masked by -10",
    "GELU, torch",
    "softmax's axis",
    "the convolution's SAME padding",
    "counted padding",
    "GELU",
    "an unbiased variance",
    "no causal mask",
]


@pytest.mark.parametrize("mistake", BY_TEXT)
def test_with_what_is_named_the_whole_program_is_right(mistake: str) -> None:
    comparison = MISTAKES[mistake][1].compared()
    region = comparison.divergences[0]
    found = causes.find(comparison, region)
    assert found is not None
    assert found.changes
    a, b = (
        corrected(recording, found.changes, side)
        for side, recording in MISTAKES[mistake][1].recorded().items()
    )
    again = compare(a, b)
    if all(change.calls for change in found.changes):
        assert not [one for one in again.divergences if one.pair.a in again.forward]
    x, y = (r.events[r.outputs["output"]].value for r in (a, b))
    assert np.allclose(x, y, rtol=0, atol=1e-12 * np.abs(x).max())


def test_a_cause_says_both_values_both_lines_and_what_was_tried() -> None:
    comparison = MISTAKES["LayerNorm's ε"][1].compared()
    found = causes.find(comparison, comparison.divergences[0])
    assert found is not None
    cause = found.cause
    assert (cause.original, cause.port) == ("1e-05", "1e-06")
    assert cause.remedy == "with 1e-05 the two agree"
    assert [place.side for place in cause.places] == ["original", "port"]
    assert "F.layer_norm" in cause.places[0].text
    assert "jnp.sqrt(v + eps)" in cause.places[1].text


def test_a_number_that_spoils_the_result_is_no_cause() -> None:
    """The root of a negative number is no number, of which nothing can be said: that is no agreement."""
    comparison = torches(
        lambda p: torch.tanh(p.x), lambda p: (torch.sin(p.x) ** 2 + 1e-5).sqrt()
    ).compared()
    trial = counterfactual.Trial(comparison, comparison.divergences[0])
    added = next(
        event
        for event in comparison.alignment.b.events
        if event.operation == "aten.add" and 1e-5 in event.arguments
    )
    call = counterfactual.Call((added.arguments[0], -100.0), {})
    assert not trial.agrees(counterfactual.Change("b", {added.index: call}))
    assert causes.find(comparison, comparison.divergences[0]) is None
