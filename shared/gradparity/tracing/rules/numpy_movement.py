"""How NumPy's functions move entries: each is applied to the positions."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from .. import bounded as b
from ..bounded import Bounded, exact, moved, take, total, where
from .numpy_arguments import Rule, array, arrays, logical, plain, within


def _movement(function: Callable[..., Any]) -> Rule:
    """Return the rule of a function that only moves the entries of its first argument."""

    def rule(x: Any, *arguments: Any, **attributes: Any) -> Bounded:
        if {"K", "A"} & {str(one) for one in (*arguments, attributes.get("order"))}:
            raise ValueError("the order in memory")  # it is not recorded
        given, named = plain(arguments), plain(attributes)
        return moved(lambda at: function(at, *given, **named), array(x))

    return rule


def _several(function: Callable[..., Any]) -> Rule:
    """Return the rule of a function that moves the entries of its first argument to several results."""

    def rule(x: Any, *arguments: Any, **attributes: Any) -> tuple[Bounded, ...]:
        x = array(x)
        positions = np.arange(x.size).reshape(x.shape)
        parts = function(positions, *plain(arguments), **plain(attributes))
        return tuple(take(x, part) for part in parts)

    return rule


def _joining(function: Callable[..., Any]) -> Rule:
    """Return the rule of a function that puts arrays together."""

    def rule(xs: Any, *arguments: Any, **attributes: Any) -> Bounded:
        axis = {key: value for key, value in attributes.items() if key == "axis"}
        parts = [xs[i] for i in range(len(xs))] if isinstance(xs, Bounded) else arrays(xs)
        return moved(lambda *at: function(at, *arguments[:1], **axis), *parts)

    return rule


def _block(xs: Any) -> Bounded:
    def built(one: Any, at: Iterator[Any]) -> Any:
        return [built(part, at) for part in one] if isinstance(one, list) else next(at)

    return moved(lambda *at: np.block(built(xs, iter(at))), *within(xs))


def _pad(x: Any, width: Any, mode: Any = "constant", **attributes: Any) -> Bounded:
    if mode != "constant":
        if mode not in {"edge", "reflect", "symmetric", "wrap", "empty"}:
            raise ValueError(f"mode={mode!r}")
        return _movement(np.pad)(x, width, mode, **attributes)
    fill = attributes.get("constant_values", 0.0)
    if np.ndim(fill):
        raise ValueError("several constants")
    return moved(lambda at: np.pad(at, width, constant_values=-1), array(x), fill=float(fill))


def _triangle(function: Callable[..., Any]) -> Rule:
    def rule(x: Any, k: int = 0) -> Bounded:
        return moved(lambda at: function(at + 1, k) - 1, array(x))

    return rule


def _diag(x: Bounded, k: int = 0) -> Bounded:
    return moved(lambda at: np.diag(at + 1, k) - 1, x)


def _trace(x: Bounded, *arguments: Any, **attributes: Any) -> Bounded:
    return total(_movement(np.diagonal)(x, *arguments[:3], **attributes), -1)


def _changing(function: Callable[..., Any], at: int = -1) -> Rule:
    """Return the rule of a function that puts values into its first argument: those are its argument `at` after it."""

    def rule(x: Bounded, *arguments: Any, **attributes: Any) -> Bounded:
        others, values = list(arguments), array(arguments[at], [x])
        others[at] = None
        others, named = plain(others), plain(attributes)

        def changed(places: Any, new: Any) -> Any:
            places = places.copy()
            others[at] = new
            function(places, *others, **named)
            return places

        return _as(x, moved(changed, x, values))

    return rule


def _setitem(x: Bounded, index: Any, value: Any) -> Bounded:
    if isinstance(index, Bounded) and index.error.any() and np.ndim(value) == 0:
        return _as(x, where(index, value, x))  # a mask in doubt, and one number
    return _changing(operator.setitem)(x, index, value)


def _as(x: Bounded, found: Bounded) -> Bounded:
    """Convert to the dtype that the array has in which the results are put."""
    return found if x.floating or not found.floating else b.to_integers(found)


def _overlay(old: Bounded, changed: Bounded, positions: Any) -> Bounded:
    """Return an array of which a part was changed through another one: -1 keeps what was."""
    at = plain(positions)
    return where(at < 0, old, take(changed, at))


def _constant_like(number: float) -> Rule:
    def rule(x: Bounded, dtype: Any = None, *_: Any, **__: Any) -> Bounded:
        kind = x.value.dtype if dtype is None else np.dtype(dtype)
        return exact(np.full(x.shape, number, kind), x.precision)

    return rule


def _fill(x: Bounded, value: Any, *_: Any, **__: Any) -> Bounded:
    return _as(x, moved(lambda at: np.broadcast_to(at, x.shape), array(value, [x])))


def _astype(x: Bounded, dtype: Any, *_: Any, **__: Any) -> Bounded:
    """Convert; the rounding to another format is that of the result, and done with the operands."""
    kind = np.dtype(dtype).kind
    if kind == "b":
        return logical(x)
    if kind in "iu":
        return b.to_integers(x)
    return b.cast(x, x.precision)


def _new(x: Any, dtype: Any = None, *_: Any, **attributes: Any) -> Bounded:
    """Make an array of arrays and numbers, in lists or not."""
    found = array(x)
    found = found if dtype is None else _astype(found, dtype)
    missing = int(attributes.get("ndmin", 0)) - found.ndim
    return found.reshape(*[1] * missing, *found.shape) if missing > 0 else found


_MOVEMENTS: dict[str, Callable[..., Any]] = {
    function.__name__: function
    for function in (
        np.reshape,
        np.transpose,
        np.matrix_transpose,
        np.swapaxes,
        np.moveaxis,
        np.rollaxis,
        np.squeeze,
        np.expand_dims,
        np.broadcast_to,
        np.ravel,
        np.atleast_1d,
        np.atleast_2d,
        np.atleast_3d,
        np.repeat,
        np.tile,
        np.roll,
        np.rot90,
        np.flip,
        np.fliplr,
        np.flipud,
        np.take,
        np.take_along_axis,
        np.diagonal,
        np.delete,
        np.resize,
        np.lib.stride_tricks.sliding_window_view,
    )
}

_JOININGS: dict[str, Callable[..., Any]] = {
    function.__name__: function
    for function in (
        np.concatenate,
        np.stack,
        np.hstack,
        np.vstack,
        np.dstack,
        np.column_stack,
    )
}

_SEVERAL: dict[str, Callable[..., Any]] = {
    function.__name__: function
    for function in (np.split, np.array_split, np.hsplit, np.vsplit, np.dsplit, np.unstack)
}


RULES: dict[str, Rule] = {
    **{name: _movement(function) for name, function in _MOVEMENTS.items()},
    **{name: _joining(function) for name, function in _JOININGS.items()},
    **{name: _several(function) for name, function in _SEVERAL.items()},
    "flatten": _movement(np.ravel),
    "linalg.matrix_transpose": _movement(np.matrix_transpose),
    "linalg.diagonal": lambda x, *, offset=0: _movement(np.diagonal)(x, offset, -2, -1),
    "block": _block,
    "getitem": _movement(operator.getitem),
    "setitem": _setitem,
    "overlay": _overlay,
    "copyto": _changing(np.copyto, 0),
    "put": _changing(np.put, 1),
    "place": _changing(np.place, 1),
    "putmask": _changing(np.putmask, 1),
    "put_along_axis": _changing(np.put_along_axis, 1),
    "fill_diagonal": _changing(np.fill_diagonal, 0),
    "fill": _fill,
    "full_like": _fill,
    "pad": _pad,
    "diag": _diag,
    "tril": _triangle(np.tril),
    "triu": _triangle(np.triu),
    "trace": _trace,
    "astype": _astype,
    "array": _new,
    "asarray": _new,
    "asanyarray": _new,
    "ascontiguousarray": _new,
    "asfortranarray": _new,
    "copy": lambda x, *_, **__: array(x),
    "zeros_like": _constant_like(0),
    "ones_like": _constant_like(1),
}
