"""ATen's operations that move, make and convert entries."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ...reference.precision import Precision
from ..bounded import Bounded, cast, constant, cotangents, exact, moved, put_add, to_integers, where
from . import precision_of
from .torch_pointwise import nonzero

Index = NDArray[np.int64]


def converted(x: Bounded, dtype: str | None) -> Bounded:
    """Convert to a dtype by torch's name; None leaves it."""
    if dtype is None:
        return x
    if dtype == "bool":
        return nonzero(x)
    if dtype.startswith(("int", "uint")):
        return to_integers(x) if x.floating else x
    return cast(x, precision_of(dtype))


def _size(size: Any) -> tuple[int, ...]:
    return (size,) if isinstance(size, int) else tuple(size)


def _sizes(*size: Any) -> tuple[int, ...]:
    return _size(size[0]) if len(size) == 1 else tuple(size)


def view(x: Bounded, size: Sequence[int]) -> Bounded:
    """Reshape."""
    if isinstance(size, str):
        raise ValueError("the bits are read as another format")
    return x.reshape(tuple(size))


def expand(x: Bounded, size: Sequence[int], implicit: bool = False) -> Bounded:
    """Broadcast to a shape; -1 keeps an axis."""
    own = (1,) * (len(size) - x.ndim) + x.shape
    shape = tuple(n if m == -1 else m for n, m in zip(own, size, strict=True))
    return moved(lambda at: np.broadcast_to(at, shape), x)


def squeeze(x: Bounded, dim: int | Sequence[int] | None = None) -> Bounded:
    """Leave out axes of length 1."""
    dims = range(x.ndim) if dim is None else [d % max(x.ndim, 1) for d in _size(dim)]
    shape = tuple(n for d, n in enumerate(x.shape) if not (d in dims and n == 1))
    return x.reshape(shape)


def unsqueeze(x: Bounded, dim: int) -> Bounded:
    """Add an axis of length 1."""
    return moved(lambda at: np.expand_dims(at, dim), x)


def _sliced(ndim: int, dim: int, what: Any) -> tuple[Any, ...]:
    found: list[Any] = [slice(None)] * ndim
    found[dim] = what
    return tuple(found)


def slice_(
    x: Bounded, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1
) -> Bounded:
    """Take every `step`-th slice along an axis."""
    return x[_sliced(x.ndim, dim, slice(start, end, step))]


def select(x: Bounded, dim: int, index: int) -> Bounded:
    """Take one slice along an axis."""
    return x[_sliced(x.ndim, dim, index)]


def _put(shape: Sequence[int], index: Any, g: Bounded) -> Bounded:
    """Put g into zeros at an index."""

    def operation(at: Index) -> Index:
        found = np.full(tuple(shape), -1)
        found[index] = at
        return found

    return moved(operation, g)


def slice_backward(
    g: Bounded, sizes: Sequence[int], dim: int, start: int, end: int, step: int
) -> Bounded:
    """Put the cotangent of slices into zeros."""
    return _put(sizes, _sliced(len(sizes), dim, slice(start, end, step)), g)


def select_backward(g: Bounded, sizes: Sequence[int], dim: int, index: int) -> Bounded:
    """Put the cotangent of a slice into zeros."""
    return _put(sizes, _sliced(len(sizes), dim, index), g)


def slice_scatter(
    x: Bounded,
    y: Bounded,
    dim: int = 0,
    start: int | None = None,
    end: int | None = None,
    step: int = 1,
) -> Bounded:
    """Return x with slices replaced."""
    return _replaced(x, _sliced(x.ndim, dim, slice(start, end, step)), y)


def select_scatter(x: Bounded, y: Bounded, dim: int, index: int) -> Bounded:
    """Return x with one slice replaced."""
    return _replaced(x, _sliced(x.ndim, dim, index), y)


def _replaced(x: Bounded, index: Any, y: Bounded) -> Bounded:
    def operation(old: Index, new: Index) -> Index:
        found = old.copy()
        found[index] = new
        return found

    return moved(operation, x, y)


def split(x: Bounded, size: int | Sequence[int], dim: int = 0) -> list[Bounded]:
    """Cut along an axis, into parts of one size or of given sizes."""
    n = x.shape[dim]
    sizes = [min(size, n - i) for i in range(0, n, size)] if isinstance(size, int) else size
    ends = np.cumsum([0, *sizes])
    return [slice_(x, dim, int(a), int(b)) for a, b in itertools.pairwise(ends)]


def unbind(x: Bounded, dim: int = 0) -> list[Bounded]:
    """Return all slices along an axis."""
    return [select(x, dim, i) for i in range(x.shape[dim])]


def cat(xs: Sequence[Bounded], dim: int = 0) -> Bounded:
    """Join along an axis; empty vectors are left out."""
    some = [x for x in xs if x.shape != (0,)] or xs[:1]
    return moved(lambda *at: np.concatenate(at, dim), *some)


def stack(xs: Sequence[Bounded], dim: int = 0) -> Bounded:
    """Join along a new axis."""
    return moved(lambda *at: np.stack(at, dim), *xs)


def constant_pad_nd(x: Bounded, pad: Sequence[int], value: float = 0) -> Bounded:
    """Pad from the last axis on; what is negative crops."""
    pairs = [(0, 0)] * x.ndim
    for i in range(len(pad) // 2):
        pairs[x.ndim - 1 - i] = pad[2 * i], pad[2 * i + 1]
    cropped = tuple(
        slice(max(-a, 0), n - max(-b, 0)) for n, (a, b) in zip(x.shape, pairs, strict=True)
    )
    wider = [(max(a, 0), max(b, 0)) for a, b in pairs]
    return moved(lambda at: np.pad(at[cropped], wider, constant_values=-1), x, fill=value)


def _triangle(x: Bounded, keep: Callable[[Any, int], Any], diagonal: int) -> Bounded:
    inside = keep(np.ones(x.shape[-2:], bool), diagonal)
    return moved(lambda at: np.where(inside, at, -1), x)


def diagonal(x: Bounded, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Bounded:
    """Return a diagonal, as the last axis."""
    return moved(lambda at: np.diagonal(at, offset, dim1, dim2), x)


def diagonal_backward(
    g: Bounded, sizes: Sequence[int], offset: int, dim1: int, dim2: int
) -> Bounded:
    """Put the cotangent of a diagonal into zeros."""
    places = np.diagonal(np.arange(math.prod(sizes)).reshape(sizes), offset, dim1, dim2)
    return _put([math.prod(sizes)], places, g).reshape(tuple(sizes))


_Mode = Literal["reflect", "edge"]
_PADDINGS: dict[str, _Mode] = {"reflection": "reflect", "replication": "edge"}
"""ATen's names of paddings that repeat entries, and NumPy's."""


def _padded(mode: _Mode) -> Callable[..., Bounded]:
    """Return the rule of a padding that repeats entries."""

    def rule(x: Bounded, padding: Sequence[int]) -> Bounded:
        pairs = [(0, 0)] * (x.ndim - len(padding) // 2)
        pairs += [(padding[i], padding[i + 1]) for i in range(len(padding) - 2, -1, -2)]
        return moved(lambda at: np.pad(at, pairs, mode=mode), x)

    return rule


def _padded_backward(mode: _Mode) -> Callable[..., Bounded]:
    def rule(g: Bounded, x: Bounded, padding: Sequence[int]) -> Bounded:
        return cotangents(_padded(mode)(x, padding), g, [x])[0]

    return rule


def pixel_shuffle(x: Bounded, factor: int) -> Bounded:
    """Move channels into space."""
    *kept, channels, height, width = x.shape
    apart = (*kept, channels // factor**2, factor, factor, height, width)
    n = len(kept)
    order = (*range(n + 1), n + 3, n + 1, n + 4, n + 2)
    shape = (*kept, channels // factor**2, height * factor, width * factor)
    return moved(lambda at: at.reshape(apart).transpose(order).reshape(shape), x)


def pixel_unshuffle(x: Bounded, factor: int) -> Bounded:
    """Move space into channels."""
    *kept, channels, height, width = x.shape
    apart = (*kept, channels, height // factor, factor, width // factor, factor)
    n = len(kept)
    order = (*range(n + 1), n + 2, n + 4, n + 1, n + 3)
    shape = (*kept, channels * factor**2, height // factor, width // factor)
    return moved(lambda at: at.reshape(apart).transpose(order).reshape(shape), x)


def repeat(x: Bounded, repeats: Sequence[int]) -> Bounded:
    """Repeat the whole along its axes."""
    return moved(lambda at: np.tile(at, tuple(repeats)), x)


def unfold(x: Bounded, dim: int, size: int, step: int) -> Bounded:
    """Return windows along an axis, as a new last axis."""

    def operation(at: Index) -> Index:
        windows = np.lib.stride_tricks.sliding_window_view(at, size, dim)
        return windows[_sliced(at.ndim, dim, slice(None, None, step))]

    return moved(operation, x)


def unfold_backward(g: Bounded, sizes: Sequence[int], dim: int, size: int, step: int) -> Bounded:
    """Add the cotangents of windows along an axis."""
    x = exact(np.zeros(tuple(sizes)), g.precision)
    return cotangents(unfold(x, dim, size, step), g, [x])[0]


def as_strided(
    x: Bounded, size: Any, stride: Any, offset: Any = None, *, index: NDArray[np.int64]
) -> Bounded:
    """Read the memory otherwise; the recorder found which entries these are."""
    return moved(lambda at: np.where(index < 0, -1, at.reshape(-1)[index]), x)


def overlay(old: Bounded, changed: Bounded, index: NDArray[np.int64]) -> Bounded:
    """Return `old` after another tensor in its memory was changed: `index` is each entry's place in that, or -1."""
    return moved(lambda a, b: np.where(index < 0, a, b.reshape(-1)[index]), old, changed)


def copy_(x: Bounded, source: Bounded) -> Bounded:
    """Return what x is after `source` was copied into it."""
    kind = {"b": "bool", "i": "int64", "u": "int64"}.get(x.value.dtype.kind)
    return converted(moved(lambda at: np.broadcast_to(at, x.shape), source), kind)


# --- By index -------------------------------------------------------------------------------------


def _certain(found: Bounded, *indices: Bounded) -> Bounded:
    """Return what was found; nothing is known of it if an index is uncertain."""
    if any(index.error.any() for index in indices):
        return Bounded(found.value, np.full(found.shape, np.inf), found.precision)
    return found


def _places(indices: Sequence[Bounded | None]) -> tuple[Any, ...]:
    return tuple(slice(None) if index is None else index.value for index in indices)


def index(x: Bounded, indices: Sequence[Bounded | None]) -> Bounded:
    """Index with arrays, as NumPy does."""
    return _certain(x[_places(indices)], *(i for i in indices if i is not None))


def index_put(
    x: Bounded,
    indices: Sequence[Bounded | None],
    values: Bounded,
    accumulate: bool = False,
    unsafe: bool = False,
) -> Bounded:
    """Put values at an index, or add them there."""
    certain = [i for i in indices if i is not None]
    if not accumulate:
        return _certain(_replaced(x, _places(indices), values), *certain)
    at = np.arange(x.size).reshape(x.shape)[_places(indices)]
    return _certain(_added(x, at, values), *certain)


def _added(x: Bounded, at: Index, updates: Bounded) -> Bounded:
    """Add updates to x at flat places."""
    return put_add(x, at, moved(lambda own: np.broadcast_to(own, at.shape), updates))


def _along(shape: Sequence[int], dim: int, index: Bounded) -> Index:
    """Return the flat places in an array that an index along one axis means."""
    at = np.indices(index.shape)
    places = [*at]
    if places:
        places[dim] = index.value
        return np.ravel_multi_index(tuple(places), tuple(shape))
    return index.value


def gather(x: Bounded, dim: int, index: Bounded, sparse_grad: bool = False) -> Bounded:
    """Take entries along an axis."""
    at = _along(x.shape, dim, index)
    return _certain(moved(lambda own: own.reshape(-1)[at], x), index)


def index_select(x: Bounded, dim: int, index: Bounded) -> Bounded:
    """Take slices along an axis."""
    return _certain(moved(lambda at: np.take(at, index.value, dim), x), index)


def scatter(x: Bounded, dim: int, index: Bounded, source: Any) -> Bounded:
    """Put entries, or a number, along an axis."""
    at = _along(x.shape, dim, index)
    if not isinstance(source, Bounded):
        source = constant(np.full(at.shape, source), x.precision)

    def operation(old: Index, new: Index) -> Index:
        found = old.reshape(-1).copy()
        found[at] = new[tuple(slice(0, n) for n in at.shape)]
        return found.reshape(old.shape)

    return _certain(moved(operation, x, source), index)


def index_fill(x: Bounded, dim: int, index: Bounded, value: Any) -> Bounded:
    """Fill slices along an axis."""
    here = np.zeros(x.shape[dim], bool)
    here[index.value] = True
    shape = [1] * x.ndim
    shape[dim] = -1
    return _certain(where(here.reshape(shape), value, x), index)


def masked_scatter(x: Bounded, mask: Bounded, source: Bounded) -> Bounded:
    """Put entries one after the other where the mask is true."""
    inside = np.broadcast_to(mask.value, x.shape)
    return _certain(_replaced(x, inside, source.reshape(-1)[: int(inside.sum())]), mask)


def scatter_add(x: Bounded, dim: int, index: Bounded, source: Bounded) -> Bounded:
    """Add entries along an axis."""
    at = _along(x.shape, dim, index)
    return _certain(put_add(x, at, source[tuple(slice(0, n) for n in at.shape)]), index)


def index_add(x: Bounded, dim: int, index: Bounded, source: Bounded, alpha: float = 1) -> Bounded:
    """Add slices along an axis."""
    at = np.take(np.arange(x.size).reshape(x.shape), index.value, dim)
    return _certain(_added(x, at, source if alpha == 1 else alpha * source), index)


def embedding(
    weight: Bounded,
    indices: Bounded,
    padding_idx: int = -1,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Bounded:
    """Take rows of a table."""
    return _certain(weight[indices.value], indices)


def embedding_dense_backward(
    g: Bounded, indices: Bounded, num_weights: int, padding_idx: int, scale_grad_by_freq: bool
) -> Bounded:
    """Add the cotangents of rows into a table; those of the padding are dropped."""
    width = g.shape[-1]
    rows = indices.value.reshape(-1)
    at = rows[:, None] * width + np.arange(width)
    at = np.where((rows == padding_idx)[:, None], -1, at)
    g = g.reshape((-1, width))
    if scale_grad_by_freq:
        g = g / np.bincount(rows, minlength=num_weights)[rows][:, None].astype(np.float64)
    return _certain(put_add(exact(np.zeros((num_weights, width)), g.precision), at, g), indices)


# --- Made from nothing ----------------------------------------------------------------------------


def _made(array: Any, dtype: str) -> Bounded:
    if dtype == "bool" or dtype.startswith(("int", "uint")):
        return exact(np.asarray(array).astype(dtype), Precision.of(np.float64))
    return constant(np.asarray(array, dtype=np.float64), precision_of(dtype))


def full(size: Sequence[int], fill_value: Any, dtype: str) -> Bounded:
    """Fill an array with a number."""
    return _made(np.full(tuple(size), fill_value), dtype)


def arange(start: float, end: float | None = None, step: float = 1, *, dtype: str) -> Bounded:
    """Return numbers at equal distances."""
    if end is None:
        start, end = 0, start
    return _made(np.arange(start, end, step), dtype)


def linspace(start: float, end: float, steps: int, *, dtype: str) -> Bounded:
    """Return numbers at equal distances, counted from the nearer end."""
    i, step = np.arange(steps), (end - start) / max(steps - 1, 1)
    distance = _made(step, dtype)
    rising = distance * _made(1.0 * i, dtype) + start
    falling = end - distance * _made(1.0 * (steps - 1 - i), dtype)
    return where(i < max(steps // 2, 1), rising, falling)


def _filled(x: Bounded, value: Any, size: Sequence[int] | None = None) -> Bounded:
    """Return an array of x's kind, filled with a number or an entry."""
    shape = x.shape if size is None else tuple(size)
    if isinstance(value, Bounded):
        return moved(lambda at: np.broadcast_to(at, shape), value)
    array = np.full(shape, value, x.value.dtype)
    return constant(array, x.precision) if x.floating else exact(array, x.precision)


def _like(value: Any) -> Callable[..., Bounded]:
    def rule(x: Bounded, size: Sequence[int] | None = None, dtype: str | None = None) -> Bounded:
        if dtype is None:
            return _filled(x, value, size)
        return full(x.shape if size is None else size, value, dtype)

    return rule


def _anything(like: Bounded) -> Bounded:
    """Return what was never written: nothing is known of it."""
    return Bounded(like.value, np.full(like.shape, np.inf), like.precision)


def _same(x: Bounded) -> Bounded:
    return x


_ALSO_IN_PLACE: dict[str, Callable[..., Any]] = {
    "t": lambda x: x.T,
    "transpose": lambda x, a, b: moved(lambda at: np.swapaxes(at, a, b), x) if x.ndim else x,
    "squeeze": squeeze,
    "unsqueeze": unsqueeze,
    "tril": lambda x, diagonal=0: _triangle(x, np.tril, diagonal),
    "triu": lambda x, diagonal=0: _triangle(x, np.triu, diagonal),
    "detach": _same,
    "index_put": index_put,
    "scatter": scatter,
    "scatter_add": scatter_add,
    "index_add": index_add,
    "index_fill": index_fill,
    "masked_scatter": masked_scatter,
    "fill": _filled,
    "copy": copy_,
}

RULES: dict[str, Callable[..., Any]] = {
    "overlay": overlay,
    **{f"aten.{name}": rule for name, rule in _ALSO_IN_PLACE.items()},
    **{f"aten.{name}_": rule for name, rule in _ALSO_IN_PLACE.items()},
    "aten.view": view,
    "aten._unsafe_view": view,
    "aten.permute": lambda x, dims: moved(lambda at: np.transpose(at, dims), x),
    "aten.expand": expand,
    "aten.slice": slice_,
    "aten.select": select,
    "aten.slice_backward": slice_backward,
    "aten.select_backward": select_backward,
    "aten.slice_scatter": slice_scatter,
    "aten.select_scatter": select_scatter,
    "aten.split": split,
    "aten.split_with_sizes": split,
    "aten.unsafe_split": split,
    "aten.unsafe_split_with_sizes": split,
    "aten.unbind": unbind,
    "aten.cat": cat,
    "aten.stack": stack,
    "aten.flip": lambda x, dims: moved(lambda at: np.flip(at, tuple(dims)), x),
    "aten.roll": lambda x, shifts, dims=(): moved(
        lambda at: np.roll(at, tuple(_size(shifts)), tuple(_size(dims)) or None), x
    ),
    "aten.rot90": lambda x, k=1, dims=(0, 1): moved(lambda at: np.rot90(at, k, dims), x),
    "aten.constant_pad_nd": constant_pad_nd,
    "aten.diagonal": diagonal,
    "aten.diagonal_backward": diagonal_backward,
    "aten.repeat": repeat,
    "aten.pixel_shuffle": pixel_shuffle,
    "aten.pixel_unshuffle": pixel_unshuffle,
    **{
        f"aten.{name}_pad{axes}d{end}": rule(mode)
        for name, mode in _PADDINGS.items()
        for axes in (1, 2, 3)
        for end, rule in (("", _padded), ("_backward", _padded_backward))
    },
    "aten.unfold": unfold,
    "aten.unfold_backward": unfold_backward,
    "aten.as_strided": as_strided,
    "aten.clone": _same,
    "aten.alias": _same,
    "aten.lift_fresh": _same,
    "aten._to_copy": lambda x, dtype=None: converted(x, dtype),
    "aten.index": index,
    "aten._unsafe_index": index,
    "aten._index_put_impl_": index_put,
    "aten._unsafe_index_put": index_put,
    "aten.gather": gather,
    "aten.index_select": index_select,
    "aten.masked_select": lambda x, mask: _certain(x[mask.value], mask),
    "aten.embedding": embedding,
    "aten.embedding_dense_backward": embedding_dense_backward,
    "aten.zeros": lambda size, dtype: full(size, 0, dtype),
    "aten._efficientzerotensor": lambda size, dtype: full(size, 0, dtype),
    "aten.ones": lambda size, dtype: full(size, 1, dtype),
    "aten.full": full,
    "aten.arange": arange,
    "aten.linspace": linspace,
    "aten.eye": lambda n, m=None, *, dtype: _made(np.eye(n, m), dtype),
    "aten.scalar_tensor": _made,
    "aten.zeros_like": lambda x, dtype=None: _like(0)(x, None, dtype),
    "aten.ones_like": lambda x, dtype=None: _like(1)(x, None, dtype),
    "aten.full_like": lambda x, value, dtype=None: _like(value)(x, None, dtype),
    "aten.new_zeros": lambda x, size, dtype=None: _like(0)(x, size, dtype),
    "aten.new_ones": lambda x, size, dtype=None: _like(1)(x, size, dtype),
    "aten.new_full": lambda x, size, value, dtype=None: _like(value)(x, size, dtype),
    "aten.zero_": lambda x: _filled(x, 0),
    "aten.empty": lambda size, dtype: _anything(full(size, 0, dtype)),
    "aten.empty_like": lambda x, dtype=None: _anything(_like(0)(x, None, dtype)),
    "aten.new_empty": lambda x, size, dtype=None: _anything(_like(0)(x, size, dtype)),
    "aten.new_empty_strided": lambda x, size, stride, dtype=None: _anything(
        _like(0)(x, size, dtype)
    ),
}
