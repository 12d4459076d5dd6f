"""Mistakes in convolutions, and in the dense layer that takes their images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from ...reference.layers import Array, ConvLayer, LinearLayer
from .base import Applies, LayerMistake, after_image, convolution, mistake
from .forward import ForwardMistake, spread

View = Callable[[Array, LinearLayer], Array]
"""(weight, layer) → the weight with its entries in another order."""


def _flipped(weight: Array, _: LinearLayer) -> Array:
    return weight[::-1, ::-1]


def _read(shape: Callable[[Array, LinearLayer], tuple[int, ...]], order: tuple[int, ...]) -> View:
    """Make a view that reads the weight's numbers in another shape and then puts the axes in the right order."""
    return lambda weight, layer: (
        weight.reshape(shape(weight, layer)).transpose(order).reshape(weight.shape)
    )


def _unread(shape: Callable[[Array, LinearLayer], tuple[int, ...]], order: tuple[int, ...]) -> View:
    """Make the inverse of the view of `_read`."""

    def view(weight: Array, layer: LinearLayer) -> Array:
        read = shape(weight, layer)
        turned = weight.reshape([read[axis] for axis in order])
        return turned.transpose(np.argsort(order)).reshape(weight.shape)

    return view


def _exchanged(weight: Array, _: LinearLayer) -> tuple[int, ...]:
    height, width, channels, units = weight.shape
    return width, height, channels, units


def _channels_first(weight: Array, _: LinearLayer) -> tuple[int, ...]:
    height, width, channels, units = weight.shape
    return channels, height, width, units


def _outputs_first(weight: Array, _: LinearLayer) -> tuple[int, ...]:
    height, width, channels, units = weight.shape
    return units, height, width, channels


def _image(weight: Array, layer: LinearLayer) -> tuple[int, ...]:
    height, width, channels = layer.shape_in
    return channels, height, width, weight.shape[-1]


def _viewed(
    name: str,
    wrong: str,
    right: str,
    view: View,
    back: View | None,
    applies: Applies = convolution,
    *,
    down: bool = True,
) -> ForwardMistake:
    """Use the weight in another order; with `down`, in back-propagation, too. `back` reorders the weight gradient."""
    changes: dict[str, Callable[..., Any]] = {
        "weigh": lambda below, weight, bias, layer: (
            layer.affine(below, view(weight, layer)) + spread(bias, layer)
        )
    }
    if back is not None:
        changes["weight_grad"] = lambda below, _d_a, delta, layer: back(
            layer.weight_grad(below, delta), layer
        )
    if down:
        changes["passed_down"] = lambda _d_a, delta, weight, layer: layer.passed_down(
            delta, view(weight, layer)
        )
    return ForwardMistake(name, wrong, right, changes, applies)


def _reordered(
    name: str,
    formula: str,
    shape: Callable[[Array, LinearLayer], tuple[int, ...]],
    order: tuple[int, ...],
    applies: Applies = convolution,
    back_in_words: str = "not so in what is passed down",
) -> tuple[ForwardMistake, ...]:
    """Make two mistakes: one in both passes, and one that passes down the right gradient."""
    view, back = _read(shape, order), _unread(shape, order)
    right = "rows in the order (height, width, channel)"
    return (
        _viewed(name, formula, right, view, back, applies),
        _viewed(f"{name}, {back_in_words}", formula, right, view, back, applies, down=False),
    )


def _padded(name: str, formula: str, pad: Callable[[Array, ConvLayer], Array]) -> ForwardMistake:
    """Use another padding, or another part of the padded image. The gradient that is passed down is right."""

    def bare(layer: ConvLayer, below: Array) -> ConvLayer:
        return replace(layer, padding=0, shape_in=below.shape[-3:])

    def weigh(below: Array, weight: Array, bias: Array | None, layer: ConvLayer) -> Array:
        other = pad(below, layer)
        return bare(layer, other).affine(other, weight) + spread(bias, layer)

    def weight_grad(below: Array, _: Array, delta: Array, layer: ConvLayer) -> Array:
        other = pad(below, layer)
        return bare(layer, other).weight_grad(other, delta)

    changes = {"weigh": weigh, "weight_grad": weight_grad}
    return ForwardMistake(name, formula, "p zeros on each side", changes, convolution)


def _margins(low: int, high: int, **how: Any) -> Callable[[Array, ConvLayer], Array]:
    """Pad by `low` times the padding before, and `high` times after."""

    def pad(below: Array, layer: ConvLayer) -> Array:
        margins = (low * layer.padding, high * layer.padding)
        return np.pad(below, [*[(0, 0)] * (below.ndim - 3), margins, margins, (0, 0)], **how)

    return pad


def _late(below: Array, layer: ConvLayer) -> Array:
    """Begin the windows s - 1 later, for a stride s: the rest is left out at the start instead of at the end."""
    s = layer.stride
    padded = _margins(1, 1)(below, layer)[..., s - 1 :, s - 1 :, :]
    rows, columns = (
        len(range(0, n - k + 1, s)) for n, k in zip(padded.shape[-3:-1], layer.kernel, strict=True)
    )
    if (rows, columns) != layer.shape_out[:2]:
        raise ValueError("fewer positions than there should be")
    return padded


CONVOLVED: tuple[ForwardMistake, ...] = (
    _viewed(
        "the kernel is flipped",
        "a convolution in the mathematical sense",
        "a cross-correlation",
        _flipped,
        _flipped,
    ),
    _viewed(
        "the kernel is flipped, not so its gradient",
        "z with the kernel flipped, ∂L/∂W not",
        "the kernel is not flipped",
        _flipped,
        None,
    ),
    *_reordered(
        "the kernel's height and width are swapped",
        "rows in the order (width, height, channel)",
        _exchanged,
        (1, 0, 2, 3),
    ),
    *_reordered(
        "the kernel is read with its channels first",
        "rows in the order (channel, height, width)",
        _channels_first,
        (1, 2, 0, 3),
    ),
    _viewed(
        "the kernel is read with its output channels first",
        "W of the shape (channels_out, height, width, channels_in)",
        "W of the shape (height, width, channels_in, channels_out)",
        _read(_outputs_first, (1, 2, 3, 0)),
        None,
    ),
    *_reordered(
        "the image is flattened with its channels first",
        "in the order (channel, height, width)",
        _image,
        (1, 2, 0, 3),
        after_image,
        "and back with them last",
    ),
    _padded(
        "the image is padded with its edge, not with zeros",
        "the edge repeated",
        _margins(1, 1, mode="edge"),
    ),
    _padded("the padding is all above and to the left", "2 p, then none", _margins(2, 0)),
    _padded("the padding is all below and to the right", "none, then 2 p", _margins(0, 2)),
    _padded(
        "the kernel's first place is one stride, less one, too late", "places from s - 1 on", _late
    ),
)
"""Mistakes in the forward pass."""


def _folded(
    delta: Array,
    weight: Array,
    layer: ConvLayer,
    *,
    stride: int,
    assign: bool = False,
    crop: int = 1,
) -> Array:
    """Pass down the gradient by windows of another stride, by assignment, or with another cropping."""
    (height, width, channels), p = layer.shape_in, layer.padding
    rows, columns, _ = layer.shape_out
    padded = np.zeros((len(delta), height + 2 * p, width + 2 * p, channels), delta.dtype)
    for i, j in np.ndindex(layer.kernel):
        under = (
            slice(None),
            slice(i, i + stride * rows, stride),
            slice(j, j + stride * columns, stride),
        )
        product = delta @ weight[i, j].T
        padded[under] = product if assign else padded[under] + product
    return padded[:, crop * p : crop * p + height, crop * p : crop * p + width]


def _corner(array: Array) -> Array:
    """Set all but the image's first position to zero."""
    first = np.zeros_like(array)
    first[:, 0, 0] = array[:, 0, 0]
    return first


def _but_last(array: Array) -> Array:
    rest = np.array(array)
    rest[-1, -1, -1] = 0
    return rest


_DOWN = "∂L/∂a_below: each place's δ Wᵀ is added where the place lies"
_WEIGHT = "∂L/∂W = Σ over samples and places of a_belowᵀ δ"
_BIAS = "∂L/∂b = Σ over samples and places of δ"

CONVOLUTIONS: tuple[LayerMistake, ...] = (
    mistake(
        "what is passed down overwrites where the kernel's places overlap",
        "set, not added",
        _DOWN,
        convolution,
        passed_down=lambda _, delta, weight, layer: _folded(
            delta, weight, layer, stride=layer.stride, assign=True
        ),
    ),
    mistake(
        "what is passed down ignores the stride",
        "places side by side",
        _DOWN,
        convolution,
        passed_down=lambda _, delta, weight, layer: _folded(delta, weight, layer, stride=1),
    ),
    mistake(
        "what is passed down is shifted by the padding",
        "the first rows and columns, the padding among them",
        _DOWN,
        convolution,
        passed_down=lambda _, delta, weight, layer: _folded(
            delta, weight, layer, stride=layer.stride, crop=0
        ),
    ),
    mistake(
        "what is passed down has the kernel flipped",
        "δ Wᵀ with W flipped",
        _DOWN,
        convolution,
        passed_down=lambda _, delta, weight, layer: layer.passed_down(delta, weight[::-1, ::-1]),
    ),
    mistake(
        "what is passed down to an image has its channels first",
        "in the order (channel, height, width)",
        "in the order (height, width, channel)",
        after_image,
        passed_down=lambda _, delta, weight, layer: layer.passed_down(
            delta, _read(_image, (1, 2, 0, 3))(weight, layer)
        ),
    ),
    mistake(
        "the weight gradient has the kernel flipped",
        "∂L/∂W flipped",
        _WEIGHT,
        convolution,
        weight_grad=lambda below, _, delta, layer: layer.weight_grad(below, delta)[::-1, ::-1],
    ),
    mistake(
        "the weight gradient is averaged over the places of the image",
        "∂L/∂W = Σ over samples, mean over places",
        _WEIGHT,
        convolution,
        weight_grad=lambda below, _, delta, layer: (
            layer.weight_grad(below, delta) / layer.positions
        ),
    ),
    mistake(
        "the weight gradient is that of the image's first place",
        "∂L/∂W = Σ over samples",
        _WEIGHT,
        convolution,
        weight_grad=lambda below, _, delta, layer: layer.weight_grad(below, _corner(delta)),
    ),
    mistake(
        "the weight gradient leaves out the last place of the last sample",
        "a place is missing in the sum",
        _WEIGHT,
        convolution,
        weight_grad=lambda below, _, delta, layer: layer.weight_grad(below, _but_last(delta)),
    ),
    mistake(
        "the bias gradient is averaged over the places of the image",
        "∂L/∂b = Σ over samples, mean over places",
        _BIAS,
        convolution,
        bias_grad=lambda delta, layer: layer.bias_grad(delta) / layer.positions,
    ),
    mistake(
        "the bias gradient is that of the image's first place",
        "∂L/∂b = Σ over samples",
        _BIAS,
        convolution,
        bias_grad=lambda delta, layer: layer.bias_grad(_corner(delta)),
    ),
)
"""Mistakes in the gradient."""
