"""Weights that a port did not take over as they are: each kind is told, and nothing is told of what is lawful."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from torch import nn

from gradparity.port.conversions import Found, find
from gradparity.tracing import jax_recorder
from gradparity.tracing.recording import INPUT, PARAMETER, Recording
from gradparity.tracing.regions import Comparison, compare
from gradparity.tracing.torch_recorder import TorchRecorder

Array = np.ndarray[Any, Any]
Params = dict[str, Any]
Function = Callable[[Any, Any], Any]

BATCH, LENGTH, WIDTH, HEADS, WORDS = 3, 4, 8, 2, 11


def in_torch(model: nn.Module, x: Array) -> Recording:
    """Record the model and the gradients of a projection of its output."""
    given = torch.tensor(x)
    with torch.no_grad():
        output = model(given)
    direction = torch.tensor(np.random.default_rng(5).standard_normal(output.shape))
    parameters = dict(model.named_parameters())
    recorder = TorchRecorder()
    for name, value in {**parameters, **dict(model.named_buffers())}.items():
        recorder.given(PARAMETER, name, value)
    recorder.given(INPUT, "x", given)
    recorder.given(INPUT, "direction", direction)
    with recorder:
        output = model(given)
        loss = (output * direction).sum()
        grads = torch.autograd.grad(loss, list(parameters.values()))
    found = {f"gradient {name}": one for name, one in zip(parameters, grads, strict=True)}
    return recorder.finished({"output": output, "loss": loss} | found)


def in_jax(function: Function, params: Any, x: Array) -> Recording:
    shape = jax.eval_shape(function, params, x).shape
    direction = np.random.default_rng(5).standard_normal(shape)

    def step(params: Any, x: Any, direction: Any) -> Any:
        def loss(params: Any) -> Any:
            output = function(params, x)
            return (output * direction).sum(), output

        (value, output), grads = jax.value_and_grad(loss, has_aux=True)(params)
        return output, value, grads

    arguments = [
        jax_recorder.Argument(PARAMETER, params),
        jax_recorder.Argument(INPUT, x, "x"),
        jax_recorder.Argument(INPUT, direction, "direction"),
    ]
    return jax_recorder.record(step, arguments, ("output", "loss", "gradient"))


def perturbed(model: nn.Module) -> nn.Module:
    model.double().eval()
    with torch.no_grad():
        for one in (*model.parameters(), *model.buffers()):
            if one.is_floating_point():
                one.add_(0.3 * torch.rand_like(one) + 0.05)
    return model


def weights(model: nn.Module) -> dict[str, Array]:
    return {name: value.detach().numpy().copy() for name, value in model.state_dict().items()}


def drawn(*shape: int, seed: int = 9) -> Array:
    return np.random.default_rng(seed).standard_normal(shape)


# --- The pairs ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Pair:
    """An original, a port as a function of its parameters, and the right conversion."""

    make: Callable[[], nn.Module]
    inputs: Array
    port: Function
    convert: Callable[[dict[str, Array]], Params]


def dense(p: Params, x: Any) -> Any:
    return x @ p["kernel"] + p["bias"]


def linear(w: Mapping[str, Array], name: str) -> Params:
    return {"kernel": w[f"{name}.weight"].T, "bias": w[f"{name}.bias"]}


def mlp_port(p: Params, x: Any) -> Any:
    h = jnp.tanh(dense(p["first"], x))
    h = jnp.tanh(dense(p["second"], h))
    return dense(p["third"], h)


def mlp() -> Pair:
    return Pair(
        lambda: nn.Sequential(
            nn.Linear(6, 6), nn.Tanh(), nn.Linear(6, 6), nn.Tanh(), nn.Linear(6, 6)
        ),
        drawn(BATCH, 6),
        mlp_port,
        lambda w: {
            name: linear(w, k)
            for name, k in zip(("first", "second", "third"), ("0", "2", "4"), strict=True)
        },
    )


class Last(nn.Module):
    """A recurrent network, all its outputs through a linear layer."""

    def __init__(self, kind: type[nn.Module]) -> None:
        super().__init__()
        self.rnn = kind(5, WIDTH, batch_first=True)
        self.out = nn.Linear(WIDTH, 5)

    def forward(self, x: torch.Tensor) -> Any:
        return self.out(self.rnn(x)[0])


def lstm_port(p: Params, x: Any) -> Any:
    """With the gates in the order i, g, f, o, and one bias."""

    def step(carry: Any, x: Any) -> Any:
        h, c = carry
        z = x @ p["rnn"]["w_i"] + h @ p["rnn"]["w_h"] + p["rnn"]["b"]
        i, g, f, o = jnp.split(z, 4, -1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
        return (h, c), h

    zero = jnp.zeros((x.shape[0], WIDTH))
    _, hs = jax.lax.scan(step, (zero, zero), x.transpose(1, 0, 2))
    return dense(p["out"], hs.transpose(1, 0, 2))


def igfo(w: Array) -> Array:
    i, f, g, o = np.split(w, 4)
    return np.concatenate([i, g, f, o])


def lstm() -> Pair:
    return Pair(
        lambda: Last(nn.LSTM),
        drawn(BATCH, LENGTH, 5),
        lstm_port,
        lambda w: {
            "rnn": {
                "w_i": igfo(w["rnn.weight_ih_l0"]).T,
                "w_h": igfo(w["rnn.weight_hh_l0"]).T,
                "b": igfo(w["rnn.bias_ih_l0"] + w["rnn.bias_hh_l0"]),
            },
            "out": linear(w, "out"),
        },
    )


def gru_port(p: Params, x: Any) -> Any:
    """With the gates in the order r, z, n, and two biases."""

    def step(h: Any, x: Any) -> Any:
        r1, z1, n1 = jnp.split(x @ p["rnn"]["w_i"] + p["rnn"]["b_i"], 3, -1)
        r2, z2, n2 = jnp.split(h @ p["rnn"]["w_h"] + p["rnn"]["b_h"], 3, -1)
        r, z = jax.nn.sigmoid(r1 + r2), jax.nn.sigmoid(z1 + z2)
        n = jnp.tanh(n1 + r * n2)
        h = (1 - z) * n + z * h
        return h, h

    _, hs = jax.lax.scan(step, jnp.zeros((x.shape[0], WIDTH)), x.transpose(1, 0, 2))
    return dense(p["out"], hs.transpose(1, 0, 2))


def gru() -> Pair:
    return Pair(
        lambda: Last(nn.GRU),
        drawn(BATCH, LENGTH, 5),
        gru_port,
        lambda w: {
            "rnn": {
                "w_i": w["rnn.weight_ih_l0"].T,
                "w_h": w["rnn.weight_hh_l0"].T,
                "b_i": w["rnn.bias_ih_l0"],
                "b_h": w["rnn.bias_hh_l0"],
            },
            "out": linear(w, "out"),
        },
    )


class Attention(nn.Module):
    """Pre-norm attention with a fused projection, and a gated feed-forward layer."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(WIDTH)
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH)
        self.proj = nn.Linear(WIDTH, WIDTH)
        self.gate = nn.Linear(WIDTH, 2 * WIDTH, bias=False)
        self.up = nn.Linear(WIDTH, 2 * WIDTH, bias=False)
        self.down = nn.Linear(2 * WIDTH, WIDTH, bias=False)

    def heads(self, t: torch.Tensor) -> torch.Tensor:
        return t.view(*t.shape[:2], HEADS, -1).transpose(1, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = (self.heads(t) for t in self.qkv(self.norm(x)).chunk(3, -1))
        a = (q @ k.transpose(-1, -2) / math.sqrt(WIDTH // HEADS)).softmax(-1)
        x = x + self.proj((a @ v).transpose(1, 2).reshape(x.shape))
        return x + self.down(nn.functional.silu(self.gate(x)) * self.up(x))


def norm(p: Params, x: Any) -> Any:
    m = x.mean(-1, keepdims=True)
    return (x - m) / jnp.sqrt(((x - m) ** 2).mean(-1, keepdims=True) + 1e-5) * p["scale"] + p["bias"]


def attention_port(p: Params, x: Any) -> Any:
    """With q, k and v apart, or fused, as the parameters are."""
    h = norm(p["norm"], x)
    if "qkv" in p:
        q, k, v = jnp.split(dense(p["qkv"], h), 3, -1)
    else:
        q, k, v = (dense(p[name], h) for name in "qkv")
    q, k, v = (t.reshape(*t.shape[:2], HEADS, -1) for t in (q, k, v))
    a = jax.nn.softmax(jnp.einsum("bqhd,bkhd->bhqk", q, k) / math.sqrt(WIDTH // HEADS), -1)
    x = x + dense(p["proj"], jnp.einsum("bhqk,bkhd->bqhd", a, v).reshape(x.shape))
    return x + (jax.nn.silu(x @ p["gate"]) * (x @ p["up"])) @ p["down"]


def attention(fused: bool = True) -> Pair:
    def convert(w: dict[str, Array]) -> Params:
        qkv = linear(w, "qkv")
        apart = {
            name: {key: np.split(value, 3, -1)[n] for key, value in qkv.items()}
            for n, name in enumerate("qkv")
        }
        return {
            **({"qkv": qkv} if fused else apart),
            "norm": {"scale": w["norm.weight"], "bias": w["norm.bias"]},
            "proj": linear(w, "proj"),
            **{name: w[f"{name}.weight"].T for name in ("gate", "up", "down")},
        }

    return Pair(Attention, drawn(BATCH, LENGTH, WIDTH), attention_port, convert)


class Images(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)
        self.bn = nn.BatchNorm2d(3 * 3)
        self.wide = nn.Conv2d(3, 3 * 3, 3)
        self.up = nn.ConvTranspose2d(9, 4, 3, stride=2)

    def forward(self, x: torch.Tensor) -> Any:
        h = torch.tanh(self.conv(x))
        return self.up(torch.tanh(self.bn(self.wide(h))))


def conv(x: Any, kernel: Any, padding: str) -> Any:
    return jax.lax.conv_general_dilated(
        x, kernel, (1, 1), padding, dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


def images_port(p: Params, x: Any) -> Any:
    h = x.transpose(0, 2, 3, 1)
    h = jnp.tanh(conv(h, p["conv"]["kernel"], "SAME") + p["conv"]["bias"])
    h = conv(h, p["wide"]["kernel"], "VALID") + p["wide"]["bias"]
    bn = p["bn"]
    h = (h - bn["mean"]) / jnp.sqrt(bn["var"] + 1e-5) * bn["scale"] + bn["bias"]
    h = jax.lax.conv_general_dilated(
        jnp.tanh(h),
        p["up"]["kernel"],
        (1, 1),
        [(2, 2), (2, 2)],
        lhs_dilation=(2, 2),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )
    return (h + p["up"]["bias"]).transpose(0, 3, 1, 2)


def images() -> Pair:
    return Pair(
        Images,
        drawn(2, 3, 6, 6),
        images_port,
        lambda w: {
            "conv": {"kernel": w["conv.weight"].transpose(2, 3, 1, 0), "bias": w["conv.bias"]},
            "wide": {"kernel": w["wide.weight"].transpose(2, 3, 1, 0), "bias": w["wide.bias"]},
            "bn": {
                "mean": w["bn.running_mean"],
                "var": w["bn.running_var"],
                "scale": w["bn.weight"],
                "bias": w["bn.bias"],
            },
            "up": {
                "kernel": w["up.weight"][:, :, ::-1, ::-1].transpose(2, 3, 0, 1),
                "bias": w["up.bias"],
            },
        },
    )


class Language(nn.Module):
    """Tied embeddings, and residual layers."""

    def __init__(self, tied: bool) -> None:
        super().__init__()
        self.words = nn.Embedding(WORDS, WIDTH)
        self.layers = nn.ModuleList([nn.Linear(WIDTH, WIDTH) for _ in range(4)])
        if not tied:
            self.head = nn.Linear(WIDTH, WORDS, bias=False)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        x = self.words(ids)
        for layer in self.layers:
            x = x + torch.tanh(layer(x))
        return x @ (self.head if hasattr(self, "head") else self.words).weight.T


def language_port(p: Params, ids: Any) -> Any:
    def layer(x: Any, p: Any) -> Any:
        return x + jnp.tanh(dense(p, x)), None

    x, _ = jax.lax.scan(layer, p["words"][ids], p["layers"])
    return x @ p["head"] if "head" in p else x @ p["words"].T


def language(tied: bool = True, tied_port: bool | None = None) -> Pair:
    def convert(w: dict[str, Array]) -> Params:
        layers = [linear(w, f"layers.{k}") for k in range(4)]
        stacked = {key: np.stack([one[key] for one in layers]) for key in ("kernel", "bias")}
        head = w["words.weight" if tied else "head.weight"].T
        own = not (tied if tied_port is None else tied_port)
        return {"words": w["words.weight"], "layers": stacked} | ({"head": head} if own else {})

    ids = np.random.default_rng(3).integers(0, WORDS, (BATCH, LENGTH))
    return Pair(lambda: Language(tied), ids, language_port, convert)
