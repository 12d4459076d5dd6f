"""Mistakes in a part of the gradient: a factor on one tensor or one layer, and what belongs to another layer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ...contract import Network
from ...reference.layers import Array, DenseLayer, LinearLayer
from .base import Changes, LayerMistake, Layers, Possible, Program, biased, layers_where, mistake

_WEIGHT = "∂L/∂W = a_belowᵀ δ"
_BIAS = "∂L/∂b = Σ over samples of δ"


@dataclass(frozen=True)
class _Times:
    """A factor on a part of the gradient: its value for N samples, its symbol, and what it means."""

    value: Callable[[int], float]
    symbol: str
    meaning: str


_SUMMED = _Times(lambda n: n, "N", "summed over the samples: the 1/N is missing")
_AVERAGED = _Times(lambda n: 1 / n, "1/N", "averaged over the samples once more")
_HALVED = _Times(lambda _: 0.5, "½", "halved")
_DOUBLED = _Times(lambda _: 2.0, "2", "doubled")
_MISSING = _Times(lambda _: 0.0, "0 ·", "missing")
_NEGATIVE = _Times(lambda _: -1.0, "-", "of the wrong sign")


_SAMPLES = {
    "is the first sample's": slice(1),
    "is the last sample's": slice(-1, None),
    "leaves out the first sample": slice(1, None),
    "leaves out the last sample": slice(-1),
}


def _weight_of(samples: slice) -> Callable[..., Array]:
    return lambda below, _d_a, delta, layer: layer.weight_grad(below[samples], delta[samples])


def _weight(times: _Times) -> Callable[..., Array]:
    return lambda below, _d_a, delta, layer: (
        delta.dtype.type(times.value(len(delta))) * layer.weight_grad(below, delta)
    )


def _bias(times: _Times) -> Callable[..., Array]:
    return lambda delta, layer: delta.dtype.type(times.value(len(delta))) * layer.bias_grad(delta)


def _down(times: _Times) -> Callable[..., Array]:
    return lambda _d_a, delta, weight, layer: (
        delta.dtype.type(times.value(len(delta))) * layer.passed_down(delta, weight)
    )


def _multiplied() -> Iterator[LayerMistake]:
    # With 1/N, and with -1, the weight gradient and the bias gradient alone are among the mistakes in `gradient`.
    for times in (_SUMMED, _HALVED, _DOUBLED, _MISSING):
        yield mistake(
            f"the weight gradient is {times.meaning}",
            f"∂L/∂W = {times.symbol} a_belowᵀ δ",
            _WEIGHT,
            weight_grad=_weight(times),
        )
    for samples, which in _SAMPLES.items():
        yield mistake(
            f"the weight gradient {samples}",
            "∂L/∂W = a_belowᵀ δ of these samples",
            _WEIGHT,
            weight_grad=_weight_of(which),
        )
    for times in (_SUMMED, _HALVED, _DOUBLED):
        yield mistake(
            f"the bias gradient is {times.meaning}",
            f"∂L/∂b = {times.symbol} Σ over samples of δ",
            _BIAS,
            bias_grad=_bias(times),
        )
    for times in (_SUMMED, _AVERAGED, _HALVED, _DOUBLED, _NEGATIVE):
        yield mistake(
            f"the layer's gradient is {times.meaning}",
            f"∂L/∂W = {times.symbol} a_belowᵀ δ, ∂L/∂b = {times.symbol} Σ δ",
            f"{_WEIGHT}, {_BIAS}",
            weight_grad=_weight(times),
            bias_grad=_bias(times),
        )
    for times in (_SUMMED, _AVERAGED, _HALVED, _DOUBLED):  # -1: the sign of σ'
        yield mistake(
            f"what is passed down is {times.meaning}",
            f"∂L/∂a_below = {times.symbol} δ Wᵀ",
            "∂L/∂a_below = δ Wᵀ",
            passed_down=_down(times),
        )


def _dense(network: Network) -> Layers:
    return layers_where(network, lambda layer: isinstance(layer, DenseLayer))


def _same_shapes(offset: int) -> Possible:
    """Select dense layers whose activation below has the shape of the activation `offset` layers above it."""

    def possible(network: Network) -> Layers:
        shapes = network.shapes
        return frozenset(
            k
            for k in _dense(network)
            if 0 <= k + offset < len(shapes) and shapes[k + offset] == shapes[k]
        )

    return possible


def _with_activation(offset: int) -> Changes:
    """Take the activation `offset` layers above for the one below the layer."""

    def changes(program: Program) -> Mapping[str, Callable[..., Any]]:
        activations = program.run().activations
        return {
            "weight_grad": lambda _below, _d_a, delta, layer: layer.weight_grad(
                activations[layer.index + offset], delta
            )
        }

    return changes


def _with_pre_activation(program: Program) -> Mapping[str, Callable[..., Any]]:
    before = program.run().pre_activations
    return {
        "weight_grad": lambda _below, _d_a, delta, layer: layer.weight_grad(
            before[layer.index - 1], delta
        )
    }


def _not_first_dense(network: Network) -> Layers:
    return _dense(network) - {0}


def _same_biases(offset: int) -> Possible:
    """Select layers with a bias of the shape of the bias `offset` layers above."""

    def possible(network: Network) -> Layers:
        units = [shape[-1] for shape in network.shapes[1:]]
        with_bias = biased(network)
        return frozenset(
            k for k in with_bias if k + offset in with_bias and units[k] == units[k + offset]
        )

    return possible


def _bias_of(offset: int) -> Changes:
    def changes(program: Program) -> Mapping[str, Callable[..., Any]]:
        grads = program.run().grads

        def bias_grad(_: Array, layer: LinearLayer) -> Array | None:
            return grads[layer.index + offset].bias

        return {"bias_grad": bias_grad}

    return changes


PARTS: tuple[LayerMistake, ...] = (
    *_multiplied(),
    LayerMistake(
        "the weight gradient takes the activation of the layer itself for that below",
        "∂L/∂W = aᵀ δ",
        _WEIGHT,
        _with_activation(+1),
        _same_shapes(+1),
    ),
    LayerMistake(
        "the weight gradient takes the activation two layers below for that below",
        "∂L/∂W = a_below_belowᵀ δ",
        _WEIGHT,
        _with_activation(-1),
        _same_shapes(-1),
    ),
    LayerMistake(
        "the weight gradient takes z of the layer below for its activation",
        "∂L/∂W = z_belowᵀ δ",
        _WEIGHT,
        _with_pre_activation,
        _not_first_dense,
    ),
    LayerMistake(
        "the bias gradient is that of the layer above",
        "∂L/∂b = Σ over samples of δ_above",
        _BIAS,
        _bias_of(+1),
        _same_biases(+1),
    ),
    LayerMistake(
        "the bias gradient is that of the layer below",
        "∂L/∂b = Σ over samples of δ_below",
        _BIAS,
        _bias_of(-1),
        _same_biases(-1),
    ),
)
"""Mistakes in a part of the gradient."""
