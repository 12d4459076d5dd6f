"""Small models in PyTorch and their ports to JAX, recorded over one step, with or without mistakes.

A mistake is planted by its name, at every place that it concerns, or at one: `gelu`, `eps@1.norm2`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch
from jax import lax
from torch import nn
from torch.nn import functional

from gradparity.tracing import jax_recorder
from gradparity.tracing.recording import INPUT, PARAMETER, Recording
from gradparity.tracing.torch_recorder import TorchRecorder

Weights = dict[str, Any]
Port = Callable[[Weights, Any], Any]


@dataclass(frozen=True)
class Size:
    """Of a transformer."""

    width: int = 8
    heads: int = 2
    length: int = 5
    batch: int = 2
    words: int = 11
    blocks: int = 2
    rotary: bool = True

    @property
    def head(self) -> int:
        return self.width // self.heads


# --- The originals --------------------------------------------------------------------------------


def table(length: int, head: int) -> tuple[np.ndarray, np.ndarray]:
    """Return cos and sin of rotary positions, (length, head / 2)."""
    angles = np.arange(length)[:, None] * 100.0 ** (-np.arange(head // 2) / (head // 2))
    return np.cos(angles), np.sin(angles)


class Block(nn.Module):
    def __init__(self, size: Size) -> None:
        super().__init__()
        self.size = size
        self.norm1, self.norm2 = nn.LayerNorm(size.width), nn.LayerNorm(size.width)
        self.qkv = nn.Linear(size.width, 3 * size.width)
        self.out = nn.Linear(size.width, size.width)
        self.up = nn.Linear(size.width, 4 * size.width)
        self.down = nn.Linear(4 * size.width, size.width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = (self.heads(t) for t in self.qkv(self.norm1(x)).chunk(3, -1))
        if self.size.rotary:
            q, k = self.turned(q), self.turned(k)
        scores = q @ k.transpose(-1, -2) / math.sqrt(self.size.head)
        mask = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).tril()
        a = scores.masked_fill(~mask, -math.inf).softmax(-1)
        y = (a @ v).transpose(1, 2).reshape(x.shape)
        x = x + self.out(y)
        return x + self.down(functional.gelu(self.up(self.norm2(x))))

    def heads(self, t: torch.Tensor) -> torch.Tensor:
        return t.view(*t.shape[:2], self.size.heads, -1).transpose(1, 2)

    def turned(self, t: torch.Tensor) -> torch.Tensor:
        cos, sin = (torch.tensor(part) for part in table(t.shape[2], t.shape[3]))
        one, other = t.chunk(2, -1)
        return torch.cat([one * cos - other * sin, other * cos + one * sin], -1)


class Transformer(nn.Module):
    def __init__(self, size: Size) -> None:
        super().__init__()
        self.words = nn.Embedding(size.words, size.width)
        self.places = None if size.rotary else nn.Embedding(size.length, size.width)
        self.blocks = nn.ModuleList([Block(size) for _ in range(size.blocks)])
        self.norm = nn.LayerNorm(size.width)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        x = self.words(ids)
        if self.places is not None:
            x = x + self.places(torch.arange(ids.shape[1]))
        for block in self.blocks:
            x = block(x)
        return self.norm(x) @ self.words.weight.T


class Convolutional(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Conv2d(2, 4, 3, padding=1), nn.Conv2d(4, 6, 3, stride=2)
        self.norm1, self.norm2 = nn.BatchNorm2d(4), nn.BatchNorm2d(6)
        self.head = nn.Linear(6, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.relu(self.norm1(self.one(x)))
        x = functional.relu(self.norm2(self.two(x)))
        return self.head(functional.max_pool2d(x, 2, 1).mean((2, 3)))


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.GRU(3, 5, batch_first=True)
        self.head = nn.Linear(5, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.cell(x)[0])


# --- Their ports ----------------------------------------------------------------------------------


class Mistakes:
    """What is planted."""

    def __init__(self, names: Collection[str]) -> None:
        self._names = frozenset(names)

    def __call__(self, name: str, at: str = "") -> bool:
        return name in self._names or f"{name}@{at}" in self._names


# Longer than functions should be, on purpose: a model and the mistakes in it are read in one piece.
def transformer_port(size: Size, wrong: Mistakes) -> Port:  # noqa: PLR0915
    def norm(p: Weights, at: str, x: Any) -> Any:
        m = x.mean(-1, keepdims=True)
        var = ((x - m) ** 2).mean(-1, keepdims=True)
        if wrong("unbiased", at):
            var = var * size.width / (size.width - 1)
        n = (x - m) / jnp.sqrt(var + (1e-6 if wrong("eps", at) else 1e-5))
        scaled = n * p[f"{at}.weight"]
        return scaled if wrong("bias", at) else scaled + p[f"{at}.bias"]

    def linear(p: Weights, at: str, x: Any) -> Any:
        return x @ p[f"{at}.weight"].T + p[f"{at}.bias"]

    def heads(t: Any, at: str) -> Any:
        if wrong("heads", at):
            return t.reshape(*t.shape[:2], -1, size.heads).transpose(0, 3, 1, 2)
        return t.reshape(*t.shape[:2], size.heads, -1).transpose(0, 2, 1, 3)

    def turned(t: Any, at: str) -> Any:
        cos: Any
        sin: Any
        cos, sin = table(size.length, size.head)
        if wrong("table", at):
            cos, sin = (part.astype(np.float32).astype(float) for part in (cos, sin))
        if wrong("base", at):
            cos, sin = (np.roll(part, 1, 0) for part in (cos, sin))
        cos, sin = jnp.asarray(cos), jnp.asarray(sin)
        if wrong("interleaved", at):
            one, other = t[..., ::2], t[..., 1::2]
            pair = [one * cos - other * sin, other * cos + one * sin]
            return jnp.stack(pair, -1).reshape(t.shape)
        if wrong("paired", at):
            one, other = t[..., ::2], t[..., 1::2]
        else:
            one, other = t[..., : size.head // 2], t[..., size.head // 2 :]
        if wrong("turn", at):
            return jnp.concatenate([one * cos + other * sin, other * cos - one * sin], -1)
        return jnp.concatenate([one * cos - other * sin, other * cos + one * sin], -1)

    def attention(p: Weights, at: str, h: Any) -> Any:
        q, k, v = (heads(t, at) for t in jnp.split(linear(p, f"{at}.qkv", h), 3, -1))
        if wrong("order", at):
            q, k = k, q
        if size.rotary:
            q, k = turned(q, at), turned(k, at)
        s = jnp.einsum("bhqd,bhkd->bhqk", q, k)
        s = s / math.sqrt(size.width if wrong("scale", at) else size.head)
        later = jnp.arange(size.length)[:, None] < jnp.arange(size.length)
        s = jnp.where(later, -5.0 if wrong("mask", at) else -jnp.inf, s)
        a = jax.nn.softmax(s, -2 if wrong("axis", at) else -1)
        y = jnp.einsum("bhqk,bhkd->bqhd", a, v)
        if wrong("merge", at):
            y = y.transpose(0, 1, 3, 2)
        y = y.reshape(h.shape)
        return lax.stop_gradient(y) if wrong("stop", at) else y

    def block(p: Weights, k: int, x: Any) -> Any:
        at = f"blocks.{k}"
        y = linear(p, f"{at}.out", attention(p, at, norm(p, f"{at}.norm1", x)))
        x = y if wrong("residual", at) else x + y
        f = linear(p, f"{at}.up", norm(p, f"{at}.norm2", x))
        g = jax.nn.gelu(f, approximate=wrong("gelu", at))
        if wrong("stopg", at):
            g = lax.stop_gradient(g)
        return x + linear(p, f"{at}.down", g)

    def model(p: Weights, ids: Any) -> Any:
        x = p["words.weight"][ids]
        if not size.rotary:
            x = x + p["places.weight"][jnp.arange(size.length) - wrong("place")]
        for k in range(size.blocks):
            x = block(p, k, x)
        head = p["words.weight"]
        return norm(p, "norm", x) @ (lax.stop_gradient(head) if wrong("untied") else head).T

    return model


def convolutional_port(wrong: Mistakes) -> Port:
    def conv(p: Weights, at: str, x: Any, stride: int, padding: int) -> Any:
        w = p[f"{at}.weight"].transpose(2, 3, 1, 0)
        edges: Any = [(padding, padding)] * 2
        if wrong("same", at):
            edges = [(0, 1)] * 2
        found = lax.conv_general_dilated(
            x, w, (stride, stride), edges, dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
        return found + p[f"{at}.bias"]

    def norm(p: Weights, at: str, x: Any) -> Any:
        m, var = x.mean((0, 1, 2)), x.var((0, 1, 2), ddof=int(wrong("unbiased", at)))
        s = jnp.sqrt(var + (1e-3 if wrong("eps", at) else 1e-5))
        return (x - m) / s * p[f"{at}.weight"] + p[f"{at}.bias"]

    def model(p: Weights, x: Any) -> Any:
        x = x.transpose(0, 2, 3, 1)
        x = norm(p, "norm1", conv(p, "one", x, 1, 1))
        x = jax.nn.leaky_relu(x) if wrong("leaky") else jax.nn.relu(x)
        x = jax.nn.relu(norm(p, "norm2", conv(p, "two", x, 2, 0)))
        if wrong("average"):
            x = lax.reduce_window(x, 0.0, lax.add, (1, 2, 2, 1), (1, 1, 1, 1), "VALID") / 4
        else:
            x = lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 1, 1, 1), "VALID")
        return x.mean((1, 2)) @ p["head.weight"].T + p["head.bias"]

    return model


def recurrent_port(wrong: Mistakes) -> Port:
    def model(p: Weights, x: Any) -> Any:
        w, u = p["cell.weight_ih_l0"], p["cell.weight_hh_l0"]
        b, c = p["cell.bias_ih_l0"], p["cell.bias_hh_l0"]

        def cell(h: Any, row: Any) -> Any:
            i, o = row @ w.T + b, h @ u.T + c
            (i_r, i_z, i_n), (h_r, h_z, h_n) = jnp.split(i, 3, -1), jnp.split(o, 3, -1)
            r, z = jax.nn.sigmoid(i_r + h_r), jax.nn.sigmoid(i_z + h_z)
            h_n = (r * h) @ u[10:].T + c[10:] if wrong("reset") else r * h_n
            n = jnp.tanh(i_n + h_n)
            h = z * n + (1 - z) * h if wrong("gate") else (1 - z) * n + z * h
            return h, h

        h = jnp.zeros((x.shape[0], 5))
        _, y = lax.scan(cell, h, x.transpose(1, 0, 2))
        return y.transpose(1, 0, 2) @ p["head.weight"].T + p["head.bias"]

    return model


# --- Recordings -----------------------------------------------------------------------------------


def perturbed(model: nn.Module) -> nn.Module:
    model = model.double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model


def original(model: nn.Module, given: np.ndarray, seed: int = 0) -> tuple[Recording, Weights]:
    """Record a step; also return the weights, and `direction`, on which the outputs are projected for the loss."""
    recorder = TorchRecorder()
    parameters = dict(model.named_parameters())
    x = torch.tensor(given)
    direction = torch.tensor(np.random.default_rng(seed).standard_normal(model(x).shape))
    for name, weight in parameters.items():
        recorder.given(PARAMETER, name, weight)
    recorder.given(INPUT, "x", x)
    recorder.given(INPUT, "direction", direction)
    with recorder:
        output = model(x)
        loss = (output * direction).sum()
        grads = torch.autograd.grad(loss, list(parameters.values()))
    found = {f"gradient {n}": g for n, g in zip(parameters, grads, strict=True)}
    weights = {name: p.detach().numpy() for name, p in parameters.items()}
    return recorder.finished({"output": output, "loss": loss} | found), {
        **weights,
        "direction": direction.numpy(),
    }


def recorded_step(function: Callable[..., Any], params: Any, x: Any, direction: Any) -> Recording:
    """Record a model in JAX with its gradients: the loss is its output's projection on a direction."""

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


def ported(port: Port, weights: Weights, given: np.ndarray) -> Recording:
    """Record a step of a port."""
    weights = dict(weights)
    direction = weights.pop("direction")

    with jax.enable_x64(True):
        return recorded_step(port, weights, given, direction)


def transformers(size: Size, *mistakes: str) -> tuple[Recording, Recording]:
    """Record a transformer and its port."""
    torch.manual_seed(0)
    ids = np.random.default_rng(1).integers(0, size.words, (size.batch, size.length))
    one, weights = original(perturbed(Transformer(size)), ids)
    return one, ported(transformer_port(size, Mistakes(mistakes)), weights, ids)


def convolutionals(*mistakes: str) -> tuple[Recording, Recording]:
    torch.manual_seed(0)
    x = np.random.default_rng(1).standard_normal((3, 2, 10, 10))
    one, weights = original(perturbed(Convolutional()), x)
    return one, ported(convolutional_port(Mistakes(mistakes)), weights, x)


def recurrents(*mistakes: str) -> tuple[Recording, Recording]:
    torch.manual_seed(0)
    x = np.random.default_rng(1).standard_normal((2, 4, 3))
    one, weights = original(perturbed(Recurrent()), x)
    return one, ported(recurrent_port(Mistakes(mistakes)), weights, x)
