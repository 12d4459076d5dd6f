"""Layers alone, torch 2.13 against flax 0.12.8 (linen, nnx), equinox 0.13.8, haiku 0.0.17 and JAX 0.10.2.

Each case is a pair: the layer of PyTorch, and a port whose weights are converted here. What is said of each is what its
documentation and its code say; `agree` where both compute the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import flax.linen as linen
import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import torch
from flax import nnx
from torch import nn


@dataclass(frozen=True)
class Case:
    """A layer and its port.

    Attributes:
        truth: `agree`, or why the two compute different things.
    """

    name: str
    original: Callable[[], Any]
    port: Callable[[Any], Any]
    inputs: Callable[[np.random.Generator], Any]
    truth: str = "agree"


CASES: list[Case] = []


def _case(
    name: str, original: Callable[[], Any], inputs: Callable[..., Any], truth: str = "agree"
) -> Callable[[Callable[[Any], Any]], Callable[[Any], Any]]:
    def add(port: Callable[[Any], Any]) -> Callable[[Any], Any]:
        CASES.append(Case(name, original, port, inputs, truth))
        return port

    return add


def _normal(*shapes: tuple[int, ...]) -> Callable[[np.random.Generator], Any]:
    def draw(rng: np.random.Generator) -> Any:
        return tuple(rng.standard_normal(shape) for shape in shapes)

    return draw


def _state(module: Any) -> dict[str, Any]:
    return {name: jnp.asarray(t.detach().numpy()) for name, t in module.state_dict().items()}


def _flat(module: Any, apply: Callable[..., Any]) -> Any:
    """Return a port that is a function of the layer's own arrays, turned to where the layer has its axes."""
    return apply, _state(module)


def _last(x: Any) -> Any:
    return jnp.moveaxis(x, 1, -1)


def _second(x: Any) -> Any:
    return jnp.moveaxis(x, -1, 1)


# --- Flax linen -----------------------------------------------------------------------------------


@_case(
    "Conv2d stride 2, padding 1, linen",
    lambda: nn.Conv2d(3, 4, 3, stride=2, padding=1),
    _normal((2, 3, 7, 7)),
)
def _(module: Any) -> Any:
    layer = linen.Conv(4, (3, 3), strides=2, padding=1)

    def apply(w: Any, x: Any) -> Any:
        params = {"kernel": jnp.transpose(w["weight"], (2, 3, 1, 0)), "bias": w["bias"]}
        return _second(layer.apply({"params": params}, _last(x)))

    return _flat(module, apply)


@_case(
    "Conv2d stride 2, padding 1, linen SAME",
    lambda: nn.Conv2d(3, 4, 3, stride=2, padding=1),
    _normal((2, 3, 8, 8)),
    "SAME pads (0, 1) where the stride is 2 and the size even",
)
def _(module: Any) -> Any:
    layer = linen.Conv(4, (3, 3), strides=2, padding="SAME")

    def apply(w: Any, x: Any) -> Any:
        params = {"kernel": jnp.transpose(w["weight"], (2, 3, 1, 0)), "bias": w["bias"]}
        return _second(layer.apply({"params": params}, _last(x)))

    return _flat(module, apply)


@_case(
    "Conv2d groups 2, dilation 2, linen",
    lambda: nn.Conv2d(4, 4, 3, groups=2, dilation=2, padding=2),
    _normal((2, 4, 6, 6)),
)
def _(module: Any) -> Any:
    layer = linen.Conv(4, (3, 3), kernel_dilation=2, feature_group_count=2, padding=2)

    def apply(w: Any, x: Any) -> Any:
        params = {"kernel": jnp.transpose(w["weight"], (2, 3, 1, 0)), "bias": w["bias"]}
        return _second(layer.apply({"params": params}, _last(x)))

    return _flat(module, apply)


@_case(
    "ConvTranspose2d stride 2, padding 1, linen",
    lambda: nn.ConvTranspose2d(3, 4, 4, stride=2, padding=1),
    _normal((2, 3, 5, 5)),
)
def _(module: Any) -> Any:
    layer = linen.ConvTranspose(4, (4, 4), strides=(2, 2), padding=2, transpose_kernel=True)

    def apply(w: Any, x: Any) -> Any:
        params = {"kernel": jnp.transpose(w["weight"], (2, 3, 1, 0)), "bias": w["bias"]}
        return _second(layer.apply({"params": params}, _last(x)))

    return _flat(module, apply)


@_case(
    "ConvTranspose2d, linen without transpose_kernel",
    lambda: nn.ConvTranspose2d(3, 4, 4, stride=2, padding=1),
    _normal((2, 3, 5, 5)),
    "the kernel is not flipped",
)
def _(module: Any) -> Any:
    layer = linen.ConvTranspose(4, (4, 4), strides=(2, 2), padding=2)

    def apply(w: Any, x: Any) -> Any:
        params = {"kernel": jnp.transpose(w["weight"], (2, 3, 0, 1)), "bias": w["bias"]}
        return _second(layer.apply({"params": params}, _last(x)))

    return _flat(module, apply)


def _norm(layer: Any) -> Callable[[Any], Any]:
    def port(module: Any) -> Any:
        def apply(w: Any, x: Any) -> Any:
            return layer.apply({"params": {"scale": w["weight"], "bias": w["bias"]}}, x)

        return _flat(module, apply)

    return port


_case("LayerNorm, linen's default", lambda: nn.LayerNorm(6), _normal((4, 6)), "ε: 1e-5 and 1e-6")(
    _norm(linen.LayerNorm())
)
_case("LayerNorm ε 1e-5, linen", lambda: nn.LayerNorm(6), _normal((4, 6)))(
    _norm(linen.LayerNorm(epsilon=1e-5))
)


@_case("GroupNorm ε 1e-5, linen", lambda: nn.GroupNorm(2, 4), _normal((2, 4, 3, 3)))
def _(module: Any) -> Any:
    layer = linen.GroupNorm(2, epsilon=1e-5)

    def apply(w: Any, x: Any) -> Any:
        params = {"scale": w["weight"], "bias": w["bias"]}
        return _second(layer.apply({"params": params}, _last(x)))

    return _flat(module, apply)


@_case("RMSNorm, linen", lambda: nn.RMSNorm(6, eps=1e-6), _normal((4, 6)))
def _(module: Any) -> Any:
    layer = linen.RMSNorm(epsilon=1e-6)

    def apply(w: Any, x: Any) -> Any:
        return layer.apply({"params": {"scale": w["weight"]}}, x)

    return _flat(module, apply)


def _batch_norm(layer: Callable[..., Any]) -> Callable[[Any], Any]:
    def port(module: Any) -> Any:
        w = _state(module)

        def apply(params: Any, state: Any, x: Any, train: bool) -> Any:
            both = {"params": params, "batch_stats": state}
            out, new = layer(use_running_average=not train).apply(
                both, _last(x), mutable=["batch_stats"]
            )
            return _second(out), new["batch_stats"]

        statistics = {"mean": w["running_mean"], "var": w["running_var"]}
        return apply, {"scale": w["weight"], "bias": w["bias"]}, statistics

    return port


_case(
    "BatchNorm2d, linen momentum 0.9",
    lambda: nn.BatchNorm2d(3),
    _normal((2, 3, 4, 4)),
    "the running variance: n/(n-1) in torch",
)(_batch_norm(lambda **mode: linen.BatchNorm(momentum=0.9, **mode)))
_case(
    "BatchNorm2d, linen's default",
    lambda: nn.BatchNorm2d(3),
    _normal((2, 3, 4, 4)),
    "momentum 0.99, and n/(n-1) in torch",
)(_batch_norm(lambda **mode: linen.BatchNorm(**mode)))


@_case(
    "Embedding, linen",
    lambda: nn.Embedding(7, 4),
    lambda rng: rng.integers(0, 7, (2, 5)),
)
def _(module: Any) -> Any:
    layer = linen.Embed(7, 4)

    def apply(w: Any, x: Any) -> Any:
        return layer.apply({"params": {"embedding": w["weight"]}}, x)

    return _flat(module, apply)


def _gates(w: Any, names: str) -> Iterator[tuple[str, Any, Any, Any, Any]]:
    parts = [
        jnp.split(w[one], len(names)) for one in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    ]
    yield from zip(names, *parts, strict=True)


class _Lstm(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.LSTMCell(3, 4)

    def forward(self, x: Any, h: Any, c: Any) -> Any:
        return self.cell(x, (h, c))


class _Gru(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.GRUCell(3, 4)

    def forward(self, x: Any, h: Any) -> Any:
        return self.cell(x, h)


_LSTM = _normal((2, 3), (2, 4), (2, 4))
_GRU = _normal((2, 3), (2, 4))


def _linen_lstm(layer: Any) -> Callable[[Any], Any]:
    def port(module: Any) -> Any:
        def apply(w: Any, x: Any, h: Any, c: Any) -> Any:
            params = {}
            for gate, of_x, of_h, bias_x, bias_h in _gates(w, "ifgo"):
                params[f"i{gate}"] = {"kernel": of_x.T}
                params[f"h{gate}"] = {"kernel": of_h.T, "bias": bias_x + bias_h}
            (new_c, new_h), _ = layer.apply({"params": params}, (c, h), x)
            return new_h, new_c

        return _flat(module.cell, apply)

    return port


_case("LSTMCell, linen", _Lstm, _LSTM)(_linen_lstm(linen.LSTMCell(4)))
_case("LSTMCell, linen optimized", _Lstm, _LSTM)(_linen_lstm(linen.OptimizedLSTMCell(4)))


@_case("GRUCell, linen", _Gru, _GRU)
def _(module: Any) -> Any:
    layer = linen.GRUCell(4)

    def apply(w: Any, x: Any, h: Any) -> Any:
        params = {}
        for gate, of_x, of_h, bias_x, bias_h in _gates(w, "rzn"):
            apart = gate == "n"
            params[f"i{gate}"] = {"kernel": of_x.T, "bias": bias_x if apart else bias_x + bias_h}
            params[f"h{gate}"] = {"kernel": of_h.T} | ({"bias": bias_h} if apart else {})
        return layer.apply({"params": params}, h, x)[0]

    return _flat(module.cell, apply)


class _Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inside = nn.MultiheadAttention(6, 2, batch_first=True)

    def forward(self, x: Any) -> Any:
        return self.inside(x, x, x, need_weights=False)[0]


def _projections(w: Any) -> Iterator[tuple[str, Any, Any]]:
    weights, biases = jnp.split(w["in_proj_weight"], 3), jnp.split(w["in_proj_bias"], 3)
    yield from zip(("query", "key", "value"), weights, biases, strict=True)


@_case("MultiheadAttention, linen", _Attention, _normal((2, 5, 6)))
def _(module: Any) -> Any:
    layer = linen.MultiHeadDotProductAttention(2)

    def apply(w: Any, x: Any) -> Any:
        params = {
            name: {"kernel": of_x.T.reshape(6, 2, 3), "bias": bias.reshape(2, 3)}
            for name, of_x, bias in _projections(w)
        }
        out = w["out_proj.weight"].T.reshape(2, 3, 6)
        params["out"] = {"kernel": out, "bias": w["out_proj.bias"]}
        return layer.apply({"params": params}, x, x)

    return _flat(module.inside, apply)


@_case(
    "MaxPool2d 3, stride 2, padding 1, linen",
    lambda: nn.Sequential(nn.Conv2d(3, 3, 1), nn.MaxPool2d(3, 2, 1)),
    _normal((2, 3, 7, 7)),
)
def _(module: Any) -> Any:
    def apply(w: Any, x: Any) -> Any:
        x = jnp.einsum("oi,bihw->bhwo", w["0.weight"][:, :, 0, 0], x) + w["0.bias"]
        return _second(linen.max_pool(x, (3, 3), (2, 2), ((1, 1), (1, 1))))

    return _flat(module, apply)


@_case(
    "AvgPool2d 3, stride 2, padding 1, linen",
    lambda: nn.Sequential(nn.Conv2d(3, 3, 1), nn.AvgPool2d(3, 2, 1)),
    _normal((2, 3, 7, 7)),
)
def _(module: Any) -> Any:
    def apply(w: Any, x: Any) -> Any:
        x = jnp.einsum("oi,bihw->bhwo", w["0.weight"][:, :, 0, 0], x) + w["0.bias"]
        return _second(linen.avg_pool(x, (3, 3), (2, 2), ((1, 1), (1, 1))))

    return _flat(module, apply)


@_case(
    "AvgPool2d, count_include_pad False, linen",
    lambda: nn.Sequential(nn.Conv2d(3, 3, 1), nn.AvgPool2d(3, 2, 1, count_include_pad=False)),
    _normal((2, 3, 7, 7)),
    "linen's default counts padding",
)
def _(module: Any) -> Any:
    def apply(w: Any, x: Any) -> Any:
        x = jnp.einsum("oi,bihw->bhwo", w["0.weight"][:, :, 0, 0], x) + w["0.bias"]
        return _second(linen.avg_pool(x, (3, 3), (2, 2), ((1, 1), (1, 1))))

    return _flat(module, apply)


# --- Functions of JAX -----------------------------------------------------------------------------


class _Scaled(nn.Module):
    """A function with a parameter in front, so that its derivative is judged as well."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(3, 1, 1))
        self.function = function

    def forward(self, x: Any) -> Any:
        return self.function(self.weight * x)


def _of_jax(
    name: str, original: Callable[[Any], Any], port: Callable[[Any], Any], truth: str = "agree"
) -> None:
    CASES.append(
        Case(
            name,
            lambda: _Scaled(original),
            lambda module: (lambda w, x: port(w["weight"] * x), _state(module)),
            _normal((2, 3, 4, 5)),
            truth,
        )
    )


_up = nn.functional.interpolate
_of_jax("GELU, jax's default", nn.functional.gelu, jax.nn.gelu, "erf and tanh")
_of_jax("GELU, erf", nn.functional.gelu, lambda x: jax.nn.gelu(x, approximate=False))
_of_jax("SiLU", nn.functional.silu, jax.nn.silu)
_of_jax("Mish", nn.functional.mish, jax.nn.mish)
_of_jax("Softplus", nn.functional.softplus, jax.nn.softplus)
_of_jax("ELU", nn.functional.elu, jax.nn.elu)
_of_jax("SELU", nn.functional.selu, jax.nn.selu)
_of_jax("Hardswish", nn.functional.hardswish, jax.nn.hard_swish)
_of_jax("log-softmax", lambda x: nn.functional.log_softmax(x, -1), jax.nn.log_softmax)
_of_jax("logsumexp", lambda x: torch.logsumexp(x, 1), lambda x: jax.nn.logsumexp(x, 1))
_of_jax("std", lambda x: x.std(-1), lambda x: x.std(-1), "n-1 and n")
_of_jax(
    "interpolate nearest, resize",
    lambda x: _up(x, scale_factor=2),
    lambda x: jax.image.resize(x, (2, 3, 8, 10), "nearest"),
)
_of_jax(
    "interpolate bilinear, resize",
    lambda x: _up(x, scale_factor=2, mode="bilinear"),
    lambda x: jax.image.resize(x, (2, 3, 8, 10), "bilinear"),
)
_of_jax(
    "interpolate bicubic, resize",
    lambda x: _up(x, scale_factor=2, mode="bicubic"),
    lambda x: jax.image.resize(x, (2, 3, 8, 10), "bicubic"),
    "Keys's cubic: a = -0.75 and -0.5, and the weights at the border",
)
_of_jax(
    "interpolate bilinear, align_corners",
    lambda x: _up(x, scale_factor=2, mode="bilinear", align_corners=True),
    lambda x: jax.image.resize(x, (2, 3, 8, 10), "bilinear"),
    "corners are aligned in torch",
)


# --- Flax nnx -------------------------------------------------------------------------------------


def _nnx(build: Callable[[], Any], fill: Callable[[Any, Any], None]) -> Callable[[Any], Any]:
    def port(module: Any) -> Any:
        layer = build()
        fill(layer, _state(module))
        return layer

    return port


def _fill_norm(layer: Any, w: Any) -> None:
    layer.scale[...], layer.bias[...] = w["weight"], w["bias"]


_case("Linear, nnx", lambda: nn.Linear(4, 3), _normal((5, 4)))(
    _nnx(
        lambda: nnx.Linear(4, 3, rngs=nnx.Rngs(0)),
        lambda layer, w: (
            (
                layer.kernel.__setitem__(..., w["weight"].T),
                layer.bias.__setitem__(..., w["bias"]),
            )
            and None
        ),
    )
)
_case("LayerNorm ε 1e-5, nnx", lambda: nn.LayerNorm(6), _normal((4, 6)))(
    _nnx(lambda: nnx.LayerNorm(6, epsilon=1e-5, rngs=nnx.Rngs(0)), _fill_norm)
)


@_case("MultiheadAttention, nnx", _Attention, _normal((2, 5, 6)))
def _(module: Any) -> Any:
    w = _state(module.inside)
    layer = nnx.MultiHeadAttention(2, 6, decode=False, rngs=nnx.Rngs(0))
    for name, of_x, bias in _projections(w):
        getattr(layer, name).kernel[...] = of_x.T.reshape(6, 2, 3)
        getattr(layer, name).bias[...] = bias.reshape(2, 3)
    layer.out.kernel[...] = w["out_proj.weight"].T.reshape(2, 3, 6)
    layer.out.bias[...] = w["out_proj.bias"]
    return layer


# --- equinox --------------------------------------------------------------------------------------


def _eqx(build: Callable[[Any], Any], inside: str, shaped: Any = None) -> Callable[[Any], Any]:
    """Return a port that puts the arrays of the same names in, and runs over the batch."""

    def port(module: Any) -> Any:
        layer = build(jax.random.key(0))
        w = _state(getattr(module, inside) if inside else module)
        names = [name for name in w if getattr(layer, name, None) is not None]

        def apply(w: Any, *inputs: Any) -> Any:
            new = [w[name].reshape(getattr(layer, name).shape) for name in names]
            filled = eqx.tree_at(lambda one: [getattr(one, name) for name in names], layer, new)
            return jax.vmap(filled)(*inputs)

        return apply, w

    return port


_case(
    "Conv2d stride 2, padding 1, equinox",
    lambda: nn.Conv2d(3, 4, 3, stride=2, padding=1),
    _normal((2, 3, 7, 7)),
)(_eqx(lambda key: eqx.nn.Conv2d(3, 4, 3, stride=2, padding=1, key=key), ""))
_case(
    "Conv2d reflect padding, equinox",
    lambda: nn.Conv2d(3, 4, 3, padding=1, padding_mode="reflect"),
    _normal((2, 3, 5, 5)),
)(_eqx(lambda key: eqx.nn.Conv2d(3, 4, 3, padding=1, padding_mode="REFLECT", key=key), ""))
_case("LayerNorm, equinox", lambda: nn.LayerNorm(6), _normal((4, 6)))(
    _eqx(lambda key: eqx.nn.LayerNorm(6), "")
)
_case("GroupNorm, equinox", lambda: nn.GroupNorm(2, 4), _normal((2, 4, 3, 3)))(
    _eqx(lambda key: eqx.nn.GroupNorm(2, 4), "")
)


@_case(
    "ConvTranspose2d stride 2, padding 1, equinox",
    lambda: nn.ConvTranspose2d(3, 4, 4, stride=2, padding=1),
    _normal((2, 3, 5, 5)),
)
def _(module: Any) -> Any:
    layer = eqx.nn.ConvTranspose2d(3, 4, 4, stride=2, padding=1, key=jax.random.key(0))

    def apply(w: Any, x: Any) -> Any:
        kernel = jnp.flip(jnp.swapaxes(w["weight"], 0, 1), (2, 3))
        new = [kernel, w["bias"].reshape(4, 1, 1)]
        return jax.vmap(eqx.tree_at(lambda one: [one.weight, one.bias], layer, new))(x)

    return _flat(module, apply)


@_case("LSTMCell, equinox", _Lstm, _LSTM)
def _(module: Any) -> Any:
    layer = eqx.nn.LSTMCell(3, 4, key=jax.random.key(0))

    def apply(w: Any, x: Any, h: Any, c: Any) -> Any:
        new = [w["weight_ih"], w["weight_hh"], w["bias_ih"] + w["bias_hh"]]
        filled = eqx.tree_at(lambda one: [one.weight_ih, one.weight_hh, one.bias], layer, new)
        return jax.vmap(lambda x, h, c: filled(x, (h, c)))(x, h, c)

    return _flat(module.cell, apply)


@_case("GRUCell, equinox", _Gru, _GRU)
def _(module: Any) -> Any:
    layer = eqx.nn.GRUCell(3, 4, key=jax.random.key(0))

    def apply(w: Any, x: Any, h: Any) -> Any:
        own, of_h = w["bias_ih"], w["bias_hh"]
        new = [w["weight_ih"], w["weight_hh"], own.at[:8].add(of_h[:8]), of_h[8:]]
        filled = eqx.tree_at(
            lambda one: [one.weight_ih, one.weight_hh, one.bias, one.bias_n], layer, new
        )
        return jax.vmap(filled)(x, h)

    return _flat(module.cell, apply)


@_case("MultiheadAttention, equinox", _Attention, _normal((2, 5, 6)))
def _(module: Any) -> Any:
    layer = eqx.nn.MultiheadAttention(
        2,
        6,
        use_query_bias=True,
        use_key_bias=True,
        use_value_bias=True,
        use_output_bias=True,
        key=jax.random.key(0),
    )

    def apply(w: Any, x: Any) -> Any:
        filled = layer
        for name, of_x, bias in _projections(w):
            at = f"{name}_proj"
            filled = eqx.tree_at(
                lambda one, at=at: [getattr(one, at).weight, getattr(one, at).bias],
                filled,
                [of_x, bias],
            )
        filled = eqx.tree_at(
            lambda one: [one.output_proj.weight, one.output_proj.bias],
            filled,
            [w["out_proj.weight"], w["out_proj.bias"]],
        )
        return jax.vmap(lambda x: filled(x, x, x))(x)

    return _flat(module.inside, apply)


_case(
    "MaxPool2d 3, stride 2, padding 1, equinox",
    lambda: _Scaled(nn.MaxPool2d(3, 2, 1)),
    _normal((2, 3, 7, 7)),
)(
    lambda module: (
        lambda w, x: jax.vmap(eqx.nn.MaxPool2d(3, 2, 1))(w["weight"] * x),
        _state(module),
    )
)
_case(
    "AvgPool2d 3, stride 2, padding 1, equinox",
    lambda: _Scaled(nn.AvgPool2d(3, 2, 1)),
    _normal((2, 3, 7, 7)),
)(
    lambda module: (
        lambda w, x: jax.vmap(eqx.nn.AvgPool2d(3, 2, 1))(w["weight"] * x),
        _state(module),
    )
)
_case(
    "AdaptiveAvgPool2d, equinox",
    lambda: _Scaled(nn.AdaptiveAvgPool2d(3)),
    _normal((2, 3, 7, 7)),
    "the windows overlap in torch and not in equinox, where the size is no multiple",
)(
    lambda module: (
        lambda w, x: jax.vmap(eqx.nn.AdaptiveAvgPool2d(3))(w["weight"] * x),
        _state(module),
    )
)


# --- haiku ----------------------------------------------------------------------------------------


def _haiku(function: Callable[..., Any], fill: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def port(module: Any) -> Any:
        transformed = hk.without_apply_rng(hk.transform(function))
        return lambda w, *inputs: transformed.apply(fill(w), *inputs), _state(module)

    return port


_case("Linear, haiku", lambda: nn.Linear(4, 3), _normal((5, 4)))(
    _haiku(
        lambda x: hk.Linear(3)(x),
        lambda w: {"linear": {"w": w["weight"].T, "b": w["bias"]}},
    )
)
_case(
    "LayerNorm, haiku",
    lambda: nn.LayerNorm(6),
    _normal((4, 6)),
)(
    _haiku(
        lambda x: hk.LayerNorm(-1, True, True)(x),
        lambda w: {"layer_norm": {"scale": w["weight"], "offset": w["bias"]}},
    )
)


@_case("LSTMCell, haiku", _Lstm, _LSTM, "haiku adds 1 to the forget gate; its order is i, g, f, o")
def _(module: Any) -> Any:
    def run(x: Any, h: Any, c: Any) -> Any:
        _, new = hk.LSTM(4)(x, hk.LSTMState(h, c))
        return new.hidden, new.cell

    transformed = hk.without_apply_rng(hk.transform(run))

    def apply(w: Any, *inputs: Any) -> Any:
        parts = {gate: rest for gate, *rest in _gates(w, "ifgo")}
        of = [parts[gate] for gate in "igfo"]
        kernel = jnp.concatenate([jnp.concatenate([x.T, h.T]) for x, h, _, _ in of], 1)
        bias = jnp.concatenate([b + c for _, _, b, c in of])
        return transformed.apply({"lstm/linear": {"w": kernel, "b": bias}}, *inputs)

    return _flat(module.cell, apply)


@_case("GRUCell, haiku", _Gru, _GRU, "z and 1-z, and r in front of the product, not behind it")
def _(module: Any) -> Any:
    transformed = hk.without_apply_rng(hk.transform(lambda x, h: hk.GRU(4)(x, h)[1]))

    def apply(w: Any, *inputs: Any) -> Any:
        parts = {gate: rest for gate, *rest in _gates(w, "rzn")}
        of = [parts[gate] for gate in "zrn"]
        w_i, w_h = (jnp.concatenate([one[at].T for one in of], 1) for at in (0, 1))
        bias = jnp.concatenate([one[2] + one[3] for one in of])
        return transformed.apply({"gru": {"w_i": w_i, "w_h": w_h, "b": bias}}, *inputs)

    return _flat(module.cell, apply)
