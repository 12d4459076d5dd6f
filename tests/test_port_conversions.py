"""Weights that a port did not take over as they are: each kind is told, and nothing is told of what is lawful."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from torch import nn

from gradparity.porting.conversions import Found, find
from gradparity.tracing import jax_recorder
from gradparity.tracing.recording import INPUT, PARAMETER, Recording
from gradparity.tracing.regions import Comparison, compare
from gradparity.tracing.torch_recorder import TorchRecorder

from .support.ported import recorded_step

jax.config.update("jax_enable_x64", True)

Array = np.ndarray[Any, Any]
Params = dict[str, Any]
Function = Callable[[Any, Any], Any]

BATCH, LENGTH, WIDTH, HEADS, WORDS = 3, 4, 8, 2, 11


def in_torch(model: nn.Module, x: Array, gradients: bool) -> Recording:
    """Record the model and, if wanted, the gradients of a projection of its output."""
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
        if not gradients:
            return recorder.finished({"output": output})
        loss = (output * direction).sum()
        grads = torch.autograd.grad(loss, list(parameters.values()))
    found = {f"gradient {name}": one for name, one in zip(parameters, grads, strict=True)}
    return recorder.finished({"output": output, "loss": loss} | found)


def in_jax(function: Function, params: Any, x: Array, gradients: bool) -> Recording:
    if not gradients:
        given = [
            jax_recorder.Argument(PARAMETER, params),
            jax_recorder.Argument(INPUT, x, "x"),
        ]
        return jax_recorder.record(function, given)
    shape = jax.eval_shape(function, params, x).shape
    direction = np.random.default_rng(5).standard_normal(shape)

    return recorded_step(function, params, x, direction)


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
    return (x - m) / jnp.sqrt(((x - m) ** 2).mean(-1, keepdims=True) + 1e-5) * p["scale"] + p[
        "bias"
    ]


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


# --- What is planted ------------------------------------------------------------------------------

Change = Callable[[Params], None]


def of(params: Params, path: str) -> tuple[Params, str]:
    *above, name = path.split(".")
    for one in above:
        params = params[one]
    return params, name


def edit(function: Callable[[Array], Array], *paths: str) -> Change:
    def change(params: Params) -> None:
        for path in paths:
            parent, name = of(params, path)
            parent[name] = np.ascontiguousarray(function(parent[name]))

    return change


def swap(*pairs: tuple[str, str]) -> Change:
    def change(params: Params) -> None:
        for pair in pairs:
            (one, x), (other, y) = (of(params, path) for path in pair)
            one[x], other[y] = other[y], one[x]

    return change


def both(*changes: Change) -> Change:
    def change(params: Params) -> None:
        for one in changes:
            one(params)

    return change


def other(w: Array) -> Array:
    return np.asarray(0.3 * np.random.default_rng(w.size).standard_normal(w.shape))


def blocks(*order: int) -> Callable[[Array], Array]:
    def change(w: Array) -> Array:
        parts = np.split(w, len(order), -1)
        return np.concatenate([parts[n] for n in order], -1)

    return change


def layer_of_second(params: Params) -> None:
    params["third"] = {**params["second"]}


@dataclass(frozen=True)
class Plant:
    pair: Callable[[], Pair]
    change: Change
    told: dict[str, tuple[str, ...]]
    """The port's names by the kind that is told."""
    gradients: bool = False


SECOND = ("second.kernel",)
WRONG: dict[str, Plant] = {
    "not loaded": Plant(mlp, edit(other, *SECOND), {"not loaded": SECOND}, gradients=True),
    "bias not loaded": Plant(
        mlp, edit(np.zeros_like, "second.bias"), {"not loaded": ("second.bias",)}
    ),
    "scale not loaded": Plant(
        attention, edit(np.ones_like, "norm.scale"), {"not loaded": ("norm.scale",)}
    ),
    "layer not loaded": Plant(
        mlp,
        edit(other, *SECOND, "second.bias"),
        {"not loaded": ("second.bias", *SECOND)},
    ),
    "transposed": Plant(mlp, edit(np.transpose, *SECOND), {"transposed": SECOND}, gradients=True),
    "first transposed": Plant(
        mlp, edit(np.transpose, "first.kernel"), {"transposed": ("first.kernel",)}
    ),
    "half": Plant(
        mlp, edit(lambda w: np.concatenate([w[:3], other(w[3:])]), *SECOND), {"half-loaded": SECOND}
    ),
    "columns": Plant(
        mlp,
        edit(lambda w: np.concatenate([w[:, :2], other(w[:, 2:])], 1), *SECOND),
        {"half-loaded": SECOND},
    ),
    "scaled": Plant(mlp, edit(lambda w: 0.5 * w, *SECOND), {"scaled": SECOND}),
    "rounded": Plant(
        mlp, edit(lambda w: w.astype(np.float16).astype(w.dtype), *SECOND), {"rounded": SECOND}
    ),
    "twice": Plant(mlp, layer_of_second, {"loaded at two places": ("third.bias", "third.kernel")}),
    "layers swapped": Plant(
        mlp, swap(("second.kernel", "third.kernel")), {"swapped": ("second.kernel", "third.kernel")}
    ),
    "GRU's gates": Plant(
        gru,
        edit(blocks(1, 0, 2), "rnn.w_i", "rnn.w_h", "rnn.b_i", "rnn.b_h"),
        {"gates in another order": ("rnn.b_h", "rnn.b_i", "rnn.w_h", "rnn.w_i")},
    ),
    "LSTM's gates": Plant(
        lstm,
        edit(blocks(0, 2, 1, 3), "rnn.w_i", "rnn.w_h", "rnn.b"),
        {"gates in another order": ("rnn.b", "rnn.w_h", "rnn.w_i")},
    ),
    "LSTM not loaded": Plant(lstm, edit(other, "out.kernel"), {"not loaded": ("out.kernel",)}),
    "fused order": Plant(
        attention,
        edit(blocks(1, 0, 2), "qkv.kernel", "qkv.bias"),
        {"q, k, v in another order": ("qkv.bias", "qkv.kernel")},
    ),
    "q and k": Plant(
        lambda: attention(False),
        swap(("q.kernel", "k.kernel"), ("q.bias", "k.bias")),
        {"swapped": ("k.bias", "k.kernel", "q.bias", "q.kernel")},
    ),
    "gamma and beta": Plant(
        attention, swap(("norm.scale", "norm.bias")), {"swapped": ("norm.bias", "norm.scale")}
    ),
    "gate and up": Plant(attention, swap(("gate", "up")), {"swapped": ("gate", "up")}),
    "interleaved": Plant(
        attention,
        edit(
            lambda w: w.reshape(-1, 3, 2, 4).swapaxes(1, 2).reshape(w.shape),
            "qkv.kernel",
            "qkv.bias",
        ),
        {"heads interleaved": ("qkv.bias", "qkv.kernel")},
    ),
    "projection transposed": Plant(
        attention, edit(np.transpose, "proj.kernel"), {"transposed": ("proj.kernel",)}
    ),
    "in and out": Plant(
        images, edit(lambda w: w.swapaxes(2, 3), "conv.kernel"), {"axes swapped": ("conv.kernel",)}
    ),
    "rows and columns": Plant(
        images, edit(lambda w: w.swapaxes(0, 1), "wide.kernel"), {"axes swapped": ("wide.kernel",)}
    ),
    "not flipped": Plant(
        images, edit(lambda w: w[::-1, ::-1], "up.kernel"), {"flipped": ("up.kernel",)}
    ),
    "mean and variance": Plant(
        images, swap(("bn.mean", "bn.var")), {"swapped": ("bn.mean", "bn.var")}
    ),
    "deviation": Plant(images, edit(np.sqrt, "bn.var"), {"transformed": ("bn.var",)}),
    "logarithm": Plant(images, edit(np.log, "bn.var"), {"transformed": ("bn.var",)}),
    "statistics not loaded": Plant(
        images,
        both(edit(np.zeros_like, "bn.mean"), edit(np.ones_like, "bn.var")),
        {"not loaded": ("bn.mean", "bn.var")},
    ),
    "some layers": Plant(
        language,
        edit(lambda w: np.concatenate([w[:2], other(w[2:])]), "layers.kernel"),
        {"half-loaded": ("layers.kernel",)},
    ),
    "untied": Plant(
        lambda: language(True, False), lambda _: None, {"untied": ("head", "words")}, gradients=True
    ),
    "head not loaded": Plant(
        lambda: language(True, False), edit(other, "head"), {"not loaded": ("head",)}
    ),
    "tied wrongly": Plant(
        lambda: language(False, True), lambda _: None, {"tied wrongly": ("words",)}
    ),
    "two": Plant(
        mlp,
        both(edit(other, "first.kernel"), edit(np.transpose, "third.kernel")),
        {"not loaded": ("first.kernel",), "transposed": ("third.kernel",)},
    ),
    "two of images": Plant(
        images,
        both(edit(lambda w: w.swapaxes(2, 3), "conv.kernel"), edit(np.ones_like, "bn.scale")),
        {"axes swapped": ("conv.kernel",), "not loaded": ("bn.scale",)},
    ),
    "two of attention": Plant(
        attention,
        both(edit(blocks(1, 0, 2), "qkv.kernel", "qkv.bias"), edit(other, "down")),
        {"q, k, v in another order": ("qkv.bias", "qkv.kernel"), "not loaded": ("down",)},
    ),
}


def compared(
    pair: Pair, change: Change | None = None, gradients: bool = False
) -> tuple[Comparison, Recording]:
    torch.manual_seed(0)
    model = perturbed(pair.make())
    params = pair.convert(weights(model))
    if change is not None:
        change(params)
    port = in_jax(pair.port, params, pair.inputs, gradients)
    return compare(in_torch(model, pair.inputs, gradients), port), port


def by_kind(found: list[Found]) -> dict[str, tuple[str, ...]]:
    kinds: dict[str, tuple[str, ...]] = {}
    for one in found:
        kind = one.conversion.kind
        kinds[kind] = tuple(sorted({*kinds.get(kind, ()), *one.conversion.port}))
    return kinds


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_conversion_is_told_as_what_it_is(name: str) -> None:
    plant = WRONG[name]
    comparison, port = compared(plant.pair(), plant.change, plant.gradients)
    found = find(comparison, port)
    assert by_kind(found) == plant.told
    for one in found:
        assert one.regions
        assert all(f"`{name}`" in one.conversion.text for name in one.conversion.port)
    ids = {id(region) for one in found for region in one.regions}
    forward = [r for r in comparison.divergences if r.pair.a in comparison.forward]
    if name != "GRU's gates":  # two of its regions, of pairs that are none, are left
        assert all(id(region) in ids for region in forward)


# --- What is lawful -------------------------------------------------------------------------------

LAWFUL: dict[str, Callable[[], Pair]] = {
    "transposed weights": mlp,
    "gates in the port's order, one bias": lstm,
    "two biases": gru,
    "fused": attention,
    "split": lambda: attention(False),
    "kernels permuted and flipped": images,
    "stacked and tied": language,
    "not tied on either side": lambda: language(False),
}


@dataclass(frozen=True)
class Otherwise:
    """A parameter that the port has in another form, which its use makes up for."""

    pair: Callable[[], Pair]
    path: str
    store: Callable[[Array], Array]
    use: Callable[[Any], Any]


STORED: dict[str, Otherwise] = {
    "1 + γ": Otherwise(attention, "norm.scale", lambda w: w - 1, lambda w: 1 + w),
    "deviation": Otherwise(images, "bn.var", np.sqrt, lambda w: w * w),
    "log variance": Otherwise(images, "bn.var", np.log, jnp.exp),
    "half": Otherwise(mlp, "second.kernel", lambda w: w / 2, lambda w: 2 * w),
    "square, as in the original": Otherwise(mlp, "second.kernel", np.transpose, lambda w: w.T),
    "flat": Otherwise(mlp, "second.kernel", np.ravel, lambda w: w.reshape(6, 6)),
    "k, q, v": Otherwise(
        attention, "qkv.kernel", blocks(1, 0, 2), lambda w: w[:, jnp.r_[8:16, 0:8, 16:24]]
    ),
    "per head": Otherwise(
        attention,
        "qkv.kernel",
        lambda w: w.reshape(8, 3, 2, 4).swapaxes(1, 2).reshape(8, 24),
        lambda w: w.reshape(8, 2, 3, 4).swapaxes(1, 2).reshape(8, 24),
    ),
    "flipped": Otherwise(images, "up.kernel", lambda w: w[::-1, ::-1], lambda w: w[::-1, ::-1]),
    "OIHW": Otherwise(
        images, "conv.kernel", lambda w: w.transpose(3, 2, 0, 1), lambda w: w.transpose(2, 3, 1, 0)
    ),
}


def stored(otherwise: Otherwise) -> Pair:
    pair = otherwise.pair()

    def convert(w: dict[str, Array]) -> Params:
        params = pair.convert(w)
        edit(otherwise.store, otherwise.path)(params)
        return params

    def port(params: Params, x: Any) -> Any:
        params = jax.tree.map(lambda one: one, params)
        parent, name = of(params, otherwise.path)
        parent[name] = otherwise.use(parent[name])
        return pair.port(params, x)

    return Pair(pair.make, pair.inputs, port, convert)


@pytest.mark.parametrize("name", LAWFUL)
def test_nothing_is_told_of_a_right_conversion(name: str) -> None:
    comparison, port = compared(LAWFUL[name](), gradients=name != "two biases")
    assert not comparison.divergences
    assert find(comparison, port) == []


@pytest.mark.parametrize("name", STORED)
def test_nothing_is_told_of_what_the_use_makes_up_for(name: str) -> None:
    comparison, port = compared(stored(STORED[name]))
    assert find(comparison, port) == []


def with_other_epsilon(params: Params, x: Any) -> Any:
    def norm_of(p: Params, x: Any) -> Any:
        m = x.mean(-1, keepdims=True)
        s = jnp.sqrt(((x - m) ** 2).mean(-1, keepdims=True) + 1e-3)
        return (x - m) / s * p["scale"] + p["bias"]

    x = norm_of(params["norm"], x)
    return dense(params["proj"], jnp.tanh(x))


def without_factor(params: Params, x: Any) -> Any:
    return dense(params["proj"], jnp.tanh(norm(params["norm"], x) * 1.5))


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm, self.proj = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, WIDTH)

    def forward(self, x: torch.Tensor) -> Any:
        return self.proj(torch.tanh(self.norm(x)))


@pytest.mark.parametrize("port", [with_other_epsilon, without_factor])
def test_another_mistake_is_no_wrong_conversion(port: Function) -> None:
    pair = Pair(
        Small,
        drawn(BATCH, WIDTH),
        port,
        lambda w: {
            "norm": {"scale": w["norm.weight"], "bias": w["norm.bias"]},
            "proj": linear(w, "proj"),
        },
    )
    comparison, recording = compared(pair)
    assert comparison.divergences
    assert find(comparison, recording) == []


def test_a_bias_that_the_port_has_not_is_told() -> None:
    pair = mlp()

    def port(p: Params, x: Any) -> Any:
        h = jnp.tanh(dense(p["first"], x))
        return dense(p["third"], jnp.tanh(h @ p["second"]["kernel"]))

    def convert(w: dict[str, Array]) -> Params:
        params = pair.convert(w)
        del params["second"]["bias"]
        return params

    comparison, recording = compared(Pair(pair.make, pair.inputs, port, convert))
    (found,) = find(comparison, recording)
    assert (found.conversion.kind, found.conversion.original) == ("missing", ("2.bias",))
    assert found.change.side == "a"
