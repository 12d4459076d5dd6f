"""Results of `port` as they come, on two programs that are written to a folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from gradparity.porting.result import (
    Cause,
    Conversion,
    Difference,
    Island,
    Judged,
    Line,
    Mode,
    Place,
    Precision,
    Result,
    Side,
)
from gradparity.tracing.regions import Verdict

MODEL = '''\
"""A small transformer in PyTorch."""

import math

import torch
from torch import nn


class Attention(nn.Module):
    """Causal self-attention with fused queries, keys and values."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x):
        batch, length, width = x.shape
        q, k, v = self.qkv(x).chunk(3, dim=-1)
        q, k, v = (one.view(batch, length, self.heads, -1).transpose(1, 2) for one in (q, k, v))
        scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
        mask = torch.ones(length, length, dtype=torch.bool).tril()
        scores = scores.masked_fill(~mask, float("-inf"))
        weights = torch.softmax(scores, dim=-1)
        mixed = (weights @ v).transpose(1, 2).reshape(batch, length, width)
        return self.out(mixed)


class Block(nn.Module):
    """Attention and an MLP, each behind a LayerNorm."""

    def __init__(self, width, heads):
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=1e-5)
        self.attention = Attention(width, heads)
        self.norm2 = nn.LayerNorm(width, eps=1e-5)
        self.up = nn.Linear(width, 4 * width)
        self.down = nn.Linear(4 * width, width)

    def forward(self, x):
        x = x + self.attention(self.norm1(x))
        hidden = nn.functional.gelu(
            self.up(self.norm2(x)),
            approximate="none",
        )
        return x + self.down(hidden)


def initialise(model):
    """Nothing of this takes part."""
    for name, parameter in model.named_parameters():
        if parameter.ndim > 1:
            nn.init.normal_(parameter, std=0.02)
        else:
            nn.init.zeros_(parameter)
    for module in model.modules():
        if isinstance(module, nn.LayerNorm):
            nn.init.ones_(module.weight)


class Transformer(nn.Module):
    """Tokens to logits."""

    def __init__(self, tokens=50, width=64, heads=4, depth=2, length=32):
        super().__init__()
        self.embed = nn.Embedding(tokens, width)
        self.position = nn.Parameter(torch.zeros(length, width))
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(width, eps=1e-5)
        self.head = nn.Linear(width, tokens, bias=False)
        self.head.weight = self.embed.weight

    def forward(self, ids):
        x = self.embed(ids) + self.position[: ids.shape[1]]
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))
'''

PORT = '''\
"""The same transformer in JAX."""

import jax
import jax.numpy as jnp


def layer_norm(p, x):
    x32 = x.astype(jnp.float32)
    mean = x32.mean(-1, keepdims=True)
    variance = ((x32 - mean) ** 2).mean(-1, keepdims=True)
    return ((x32 - mean) / jnp.sqrt(variance + 1e-6) * p["scale"] + p["bias"]).astype(x.dtype)


def linear(p, x):
    return x @ p["kernel"] + p["bias"]


def attention(p, x, heads):
    batch, length, width = x.shape
    q, k, v = jnp.split(linear(p["qkv"], x), 3, axis=-1)
    q, k, v = (one.reshape(batch, length, heads, -1).transpose(0, 2, 1, 3) for one in (q, k, v))
    scores = q @ k.swapaxes(-2, -1) / jnp.sqrt(q.shape[-1])
    mask = jnp.tril(jnp.ones((length, length), bool))
    scores = jnp.where(mask, scores, -jnp.inf)
    weights = jax.nn.softmax(scores, axis=-1)
    mixed = (weights @ v).transpose(0, 2, 1, 3).reshape(batch, length, width)
    return linear(p["out"], mixed)


def mlp(p, x):
    return linear(p["down"], jax.nn.gelu(linear(p["up"], x), approximate=True))


def apply(params, ids, heads=4):
    x = params["embed"][ids] + params["position"][: ids.shape[1]]
    for p in params["blocks"]:
        x = x + attention(p["attention"], layer_norm(p["norm1"], x), heads)
        x = x + mlp(p, layer_norm(p["norm2"], x))
    return layer_norm(params["norm"], x) @ params["embed"].T
'''


class Programs:
    """The two programs, in files that need not exist."""

    def __init__(self, folder: Path) -> None:
        self.files: dict[Side, Path] = {"original": folder / "model.py", "port": folder / "port.py"}

    def write(self) -> None:
        """Write the two files."""
        self.files["original"].write_text(MODEL)
        self.files["port"].write_text(PORT)

    def at(self, side: Side, code: str, *operations: str, last: int = 0) -> Place:
        """Return the line that holds some code; `last` lines follow it in the expression."""
        texts = (MODEL if side == "original" else PORT).split("\n")
        line = next(number for number, text in enumerate(texts, start=1) if code in text)
        text = texts[line - 1].strip()
        return Place(side, str(self.files[side]), line, line + last, text, operations)


def judged(
    name: str, verdict: Verdict = "agree", share: float = 0.2, *, zero: bool = False, why: str = ""
) -> Judged:
    """Return an entry whose name is the same in the port."""
    return Judged(name, name, verdict, share, informative=not zero, why=why)


def _all(gradients: int, *more: Judged) -> tuple[Judged, ...]:
    names = [f"gradient blocks.{n // 6}.{_NAMES[n % 6]}" for n in range(gradients)]
    return judged("output"), judged("loss"), *(judged(name, share=0.31) for name in names), *more


_NAMES = ("norm1.weight", "norm1.bias", "attention.qkv.weight", "up.weight", "up.bias", "down.bias")


def results(folder: Path) -> dict[str, Result]:
    """Return one result of each kind, by a short name."""
    programs = Programs(folder)
    at = programs.at
    lines = _lines(programs)

    def result(*modes: Mode, notes: Sequence[str] = ()) -> Result:
        return Result("pair.py", ("torch", "jax"), modes, notes, seconds=12.34)

    float32 = Precision(
        {"original": "float32", "port": "float32"},
        (),
        3.1e-6,
        1.2e-5,
        at("original", "torch.softmax", "aten._softmax"),
        124.0,
    )
    tf32 = Precision(
        {"original": "float32", "port": "bfloat16"},
        ("torch.backends.cuda.matmul.allow_tf32 = True",),
        0.0041,
        None,
    )
    epsilon = Cause(
        "LayerNorm's ε",
        "1e-05",
        "1e-06",
        "with 1e-05 the two agree",
        (at("original", "self.norm1(x)"), at("port", "jnp.sqrt(variance")),
    )
    norm = Difference(
        "forward",
        "",
        (at("original", "self.norm1(x)", "aten.native_layer_norm"),),
        (
            at("port", "jnp.sqrt(variance", "add", "sqrt", "div", "mul"),
            at("port", "variance = (", "sub", "square", "reduce_sum", "div"),
            at("port", "mean = x32", "reduce_sum", "div"),
        ),
        (at("original", "self.embed(ids)"), at("port", 'params["embed"][ids]')),
        (3, 10, 64),
        (2, 3, 1),
        (0.12345678901, 0.12345812301),
        1912,
        1920,
        1.23e9,
        epsilon,
        times=5,
    )
    gelu = Difference(
        "forward",
        "",
        (at("original", "nn.functional.gelu(", "aten.gelu", last=3),),
        (at("port", "jax.nn.gelu", "integer_pow", "mul", "add", "tanh"),),
        (at("original", "self.up(self.norm2(x))"), at("port", "return x @ p")),
        (3, 10, 256),
        (0, 7, 200),
        (-0.1700412, -0.1699837),
        7680,
        7680,
        8.8e11,
        Cause(
            "GELU",
            "exact (erf)",
            "the tanh approximation",
            "with the exact one the two agree",
            (at("original", "nn.functional.gelu(", last=3), at("port", "jax.nn.gelu")),
        ),
    )
    gradient = Difference(
        "backward",
        "the gradient of blocks.0.up.bias",
        (at("original", "self.up(self.norm2(x))", "aten.sum"),),
        (),
        (),
        (256,),
        (17,),
        (0.5, float("nan")),
        3,
        256,
        float("inf"),
    )
    unknown = Difference(
        "forward",
        "",
        (at("original", "scores = q @", "aten.mm", "aten.div"),),
        (at("port", "scores = q @", "dot_general", "div"),),
        (at("original", "self.qkv(x)"), at("port", "jnp.split")),
        (3, 4, 10, 10),
        (0, 1, 3, 2),
        (1.75, 1.7501),
        1,
        1200,
        41.0,
    )
    island = Island(
        "port",
        (at("port", "x.astype(jnp.float32)", "convert_element_type"), at("port", "mean = x32")),
        "float32",
        4.4e-8,
        "layer_norm casts its input to float32 and its result back",
    )
    wrong = tuple(
        judged(name, "disagree", 1.2e9, why="what it is made from differs")
        for name in ("output", "loss")
    )
    return {
        "agree": result(
            Mode(
                "",
                "agree",
                _all(24, judged("gradient blocks.0.attention.k.bias", zero=True)),
                lines=lines,
                precision=float32,
            )
        ),
        "island": result(
            Mode("", "agree", _all(24), islands=(island,), lines=lines, precision=tf32),
        ),
        "epsilon": result(
            Mode(
                "",
                "disagree",
                (*wrong, *_all(8)[2:]),
                (norm,),
                islands=(island,),
                lines=_lines(programs, "jnp.sqrt(variance"),
                precision=float32,
            )
        ),
        "unknown": result(
            Mode("", "disagree", (*wrong, *_all(8)[2:]), (unknown,), lines=lines),
        ),
        "two": result(
            Mode(
                "",
                "disagree",
                (*wrong, *_all(8)[2:]),
                (norm, gelu),
                lines=_lines(programs, "jnp.sqrt(variance", "jax.nn.gelu"),
                precision=float32,
            )
        ),
        "not loaded": result(
            Mode(
                "",
                "disagree",
                wrong,
                (unknown,),
                (
                    Conversion(
                        "not loaded",
                        ("blocks.1.up.bias", "blocks.1.down.bias"),
                        ("blocks.1.up.bias", "blocks.1.down.bias"),
                        "blocks.1.up.bias and blocks.1.down.bias of the port hold nothing of the "
                        "original: they must be its parameters of the same names.",
                    ),
                    Conversion(
                        "transposed",
                        ("blocks.0.attention.out.weight",),
                        ("blocks.0.attention.out.kernel",),
                        "blocks.0.attention.out.kernel must be blocks.0.attention.out.weight, "
                        "transposed.",
                    ),
                    Conversion(
                        "q, k, v in another order",
                        ("blocks.0.attention.qkv.weight",),
                        ("blocks.0.attention.qkv.kernel",),
                        "blocks.0.attention.qkv.kernel holds k, q, v, which must be q, k, v.",
                    ),
                ),
                lines=lines,
            )
        ),
        "abstain": result(
            Mode(
                "",
                "abstain",
                (
                    judged("output", "abstain", 0.0, why="no rule for aten._fft_r2c"),
                    judged("loss", "abstain", 0.0, why="no rule for aten._fft_r2c"),
                    *(
                        judged(f"gradient filters.{n}.weight", "abstain", 0.0, why="not reached")
                        for n in range(14)
                    ),
                    judged("gradient head.weight", share=0.7),
                ),
                notes=("3 parameters of the original have no partner: a.weight, b.weight, c.bias",),
            ),
            notes=("The loss is a random projection of the outputs.",),
        ),
        "modes": result(
            Mode("eval", "agree", _all(24), lines=lines, precision=float32),
            Mode(
                "train",
                "disagree",
                _all(
                    24,
                    judged("updated blocks.0.norm1.weight"),
                    judged("updated norm.running_mean"),
                    judged("updated norm.running_var", "disagree", 55.0, why="n in place of n - 1"),
                ),
                (gradient,),
                lines=lines,
                precision=float32,
                notes=("Dropout is off in train mode, too.",),
            ),
            notes=("The loss is a random projection of the outputs.",),
        ),
    }


def _lines(programs: Programs, *wrong: str) -> tuple[Line, ...]:
    """Return the aligned lines; those with some code in the port are outside of the bound."""
    pairs = (
        ("self.embed(ids)", 'params["embed"][ids]', (3, 10, 64)),
        ("self.norm1(x)", "jnp.sqrt(variance", (3, 10, 64)),
        ("self.qkv(x)", "return x @ p", (3, 10, 192)),
        ("q, k, v = (one.view", "q, k, v = (one.reshape", (3, 4, 10, 16)),
        ("scores = q @", "scores = q @", (3, 4, 10, 10)),
        ("torch.softmax", "jax.nn.softmax", (3, 4, 10, 10)),
        ("mixed = (weights", "mixed = (weights", (3, 10, 64)),
        ("return self.out(mixed)", "return x @ p", (3, 10, 64)),
        ("x = x + self.attention", "x = x + attention", (3, 10, 64)),
        ("nn.functional.gelu(", "jax.nn.gelu", (3, 10, 256)),
        ("return x + self.down", "x = x + mlp", (3, 10, 64)),
        ("return self.head", "@ params", (3, 10, 50)),
    )
    return tuple(
        Line(
            programs.at("original", a, last=3 if "gelu" in a else 0),
            programs.at("port", b),
            "disagree" if any(code in b for code in wrong) else "agree",
            1.23e9 if any(code in b for code in wrong) else 0.21,
            shape,
        )
        for a, b, shape in pairs
    )
