"""The JAX primitives that move entries: which entry of the operand comes where.

The semantics of gather and scatter are those of XLA (https://openxla.org/xla/operation_semantics).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..bounded import Array, Bounded, join, maximum, minimum, moved, put_add, take, where
from . import Rule

Shape = Sequence[int]


def broadcast_in_dim(x: Bounded, *, shape: Shape, broadcast_dimensions: Shape, **_: Any) -> Bounded:
    """Broadcast; axis i of the operand becomes axis `broadcast_dimensions[i]` of the result."""
    lengths = [1] * len(shape)
    for axis, length in zip(broadcast_dimensions, x.shape, strict=True):
        lengths[axis] = length
    return moved(lambda at: np.broadcast_to(at.reshape(lengths), shape), x)


def reshape(x: Bounded, *, new_sizes: Shape, dimensions: Shape | None = None, **_: Any) -> Bounded:
    """Reshape, after a permutation of the axes if there is one."""
    return moved(
        lambda at: (at if dimensions is None else at.transpose(dimensions)).reshape(new_sizes), x
    )


def slice_(
    x: Bounded,
    *,
    start_indices: Shape,
    limit_indices: Shape,
    strides: Shape | None = None,
    **_: Any,
) -> Bounded:
    """Slice every axis."""
    parts = zip(start_indices, limit_indices, strides or (1,) * x.ndim, strict=True)
    return x[tuple(slice(*part) for part in parts)]


def split(x: Bounded, *, sizes: Shape, axis: int) -> tuple[Bounded, ...]:
    """Split an axis into parts of these sizes."""
    ends = np.cumsum(sizes)[:-1]
    count = len(sizes)
    return tuple(moved(lambda at, i=i: np.split(at, ends, axis)[i], x) for i in range(count))


def unstack(x: Bounded, *, axis: int) -> tuple[Bounded, ...]:
    """Return the entries of an axis, one by one."""
    return tuple(moved(lambda at, i=i: at.take(i, axis), x) for i in range(x.shape[axis]))


def stack(*xs: Bounded, axis: int) -> Bounded:
    """Put arrays next to one another, along a new axis."""
    return moved(lambda *at: np.stack(at, axis), *xs)


def pad(
    x: Bounded, padding_value: Bounded, *, padding_config: Sequence[tuple[int, int, int]]
) -> Bounded:
    """Pad each axis: (low, high, interior), where negative numbers crop."""

    def positions(at: Array, value: Array) -> Array:
        lengths = [
            (n - 1) * (interior + 1) + 1 if n else 0
            for n, (_, _, interior) in zip(at.shape, padding_config, strict=True)
        ]
        wide = np.full(lengths, value)
        wide[tuple(slice(None, None, interior + 1) for _, _, interior in padding_config)] = at
        crops = zip(lengths, padding_config, strict=True)
        wide = wide[tuple(slice(max(-low, 0), n - max(-high, 0)) for n, (low, high, _) in crops)]
        around = [(max(low, 0), max(high, 0)) for low, high, _ in padding_config]
        return np.pad(wide, around, constant_values=int(value))

    return moved(positions, x, padding_value)


def index_in_dim(x: Bounded, index: Bounded, *, axis: int, keepdims: bool) -> Bounded:
    """Return an entry of an axis: what a scan gives to a step."""
    at = int(index.value)
    return moved(lambda p: p.take([at] if keepdims else at, axis), x)


def dynamic_slice(x: Bounded, *starts: Bounded, slice_sizes: Shape, **_: Any) -> Bounded:
    """Slice from a computed place, moved as far as the slice lies within the operand."""
    return take(x, _block(x.shape, starts, slice_sizes)) if starts else x


def dynamic_update_slice(x: Bounded, update: Bounded, *starts: Bounded) -> Bounded:
    """Replace a slice at a computed place."""
    return _replaced(x, _block(x.shape, starts, update.shape), update) if starts else update


def _block(shape: Shape, starts: Sequence[Bounded], sizes: Shape) -> Bounded:
    """Return the positions of a slice that begins at `starts`, one number for each axis."""
    index = join(*starts)
    flat = _positions(shape, index.value.astype(np.int64), range(len(shape)), (), (), sizes, "CLIP")
    unknown = np.inf if index.error.any() else 0.0
    return Bounded(flat, np.full(flat.shape, unknown), index.precision)


def gather(
    x: Bounded,
    indices: Bounded,
    *,
    dimension_numbers: Mapping[str, Shape],
    slice_sizes: Shape,
    mode: str,
    fill_value: Any = None,
    **_: Any,
) -> Bounded:
    """Return slices at computed places."""
    numbers = dimension_numbers
    at = _placed(
        x.shape,
        indices,
        numbers["start_index_map"],
        numbers["operand_batching_dims"],
        numbers["start_indices_batching_dims"],
        numbers["collapsed_slice_dims"],
        numbers["offset_dims"],
        slice_sizes,
        mode,
    )
    return take(x, at, _fill(x.value.dtype) if fill_value is None else fill_value)


def _fill(dtype: np.dtype[Any]) -> Any:
    """Return what JAX puts where an index lies outside."""
    if dtype.kind == "f":
        return np.nan
    if dtype.kind == "b":
        return True
    return np.iinfo(dtype).min if dtype.kind == "i" else np.iinfo(dtype).max


def _scattered(
    combine: Callable[[Bounded, Bounded], Bounded],
) -> Callable[..., Bounded]:
    """Return a scatter that combines each entry with its updates, one after the other."""

    def rule(x: Bounded, indices: Bounded, updates: Bounded, **parameters: Any) -> Bounded:
        at = _scatter_positions(x, indices, updates, **parameters)
        flat = at.value.reshape(-1)
        # The n-th round is of the n-th update of each entry.
        order = np.argsort(flat, kind="stable")
        ordered = flat[order]
        first = np.searchsorted(ordered, ordered)
        rounds = np.empty(flat.shape, int)
        rounds[order] = np.arange(flat.size) - first
        rounds = np.where(flat < 0, -1, rounds)
        found = x
        for number in range(int(rounds.max(initial=-1)) + 1):
            chosen = np.flatnonzero(rounds == number)
            source = np.full(x.size, -1)
            source[flat[chosen]] = chosen
            source = source.reshape(x.shape)
            found = where(source >= 0, combine(found, take(updates, source, 1)), found)
        return _unknown(found, at)

    return rule


def _unknown(x: Bounded, index: Bounded) -> Bounded:
    if not index.error.any():
        return x
    return Bounded(x.value, np.full(x.shape, np.inf), x.precision, x.parents)


def scatter_add(x: Bounded, indices: Bounded, updates: Bounded, **parameters: Any) -> Bounded:
    """Add each update to the entry at its computed place."""
    return put_add(x, _scatter_positions(x, indices, updates, **parameters), updates)


def scatter(x: Bounded, indices: Bounded, updates: Bounded, **parameters: Any) -> Bounded:
    """Replace the entries at computed places. Where two updates fall on one, either may stay."""
    at = _scatter_positions(x, indices, updates, **parameters)
    found = _replaced(x, at, updates)
    flat = at.value[at.value >= 0]
    twice = np.bincount(flat, minlength=x.size).reshape(x.shape) > 1
    error = np.where(twice, np.inf, found.error)
    return Bounded(found.value, error, found.precision, found.parents)


def _replaced(x: Bounded, at: Bounded, updates: Bounded) -> Bounded:
    places = at.value.reshape(-1)
    there = places >= 0
    source = np.arange(x.size)
    source[places[there]] = x.size + np.flatnonzero(there)
    return _unknown(take(join(x, updates), source.reshape(x.shape)), at)


scatter_multiply = _scattered(lambda x, y: x * y)
scatter_minimum = _scattered(minimum)
scatter_maximum = _scattered(maximum)


def _scatter_positions(
    x: Bounded,
    indices: Bounded,
    updates: Bounded,
    *,
    dimension_numbers: Mapping[str, Shape],
    mode: str,
    **_: Any,
) -> Bounded:
    numbers = dimension_numbers
    gone = {*numbers["inserted_window_dims"], *numbers["operand_batching_dims"]}
    lengths = iter([updates.shape[axis] for axis in numbers["update_window_dims"]])
    sizes = [1 if axis in gone else next(lengths) for axis in range(x.ndim)]
    return _placed(
        x.shape,
        indices,
        numbers["scatter_dims_to_operand_dims"],
        numbers["operand_batching_dims"],
        numbers["scatter_indices_batching_dims"],
        numbers["inserted_window_dims"],
        numbers["update_window_dims"],
        sizes,
        mode,
    )


def _placed(
    shape: Shape,
    indices: Bounded,
    index_map: Shape,
    batching: Shape,
    index_batching: Shape,
    collapsed: Shape,
    offset: Shape,
    sizes: Shape,
    mode: str,
) -> Bounded:
    """Return, for each entry of the slices, its position in the flat operand; -1 where it lies outside."""
    batch = indices.ndim - 1
    flat = _positions(
        shape, indices.value.astype(np.int64), index_map, batching, index_batching, sizes, mode
    )
    unknown = np.where(indices.error.any(-1), np.inf, 0.0)
    error = np.broadcast_to(unknown.reshape(*unknown.shape, *(1,) * len(sizes)), flat.shape)
    gone = tuple(batch + axis for axis in sorted({*collapsed, *batching}))
    flat, error = flat.squeeze(gone), error.squeeze(gone)
    last = range(batch, flat.ndim)
    return Bounded(
        np.moveaxis(flat, last, tuple(offset)),
        np.moveaxis(error, last, tuple(offset)),
        indices.precision,
    )


def _positions(
    shape: Shape,
    indices: Array,
    index_map: Shape,
    batching: Shape,
    index_batching: Shape,
    sizes: Shape,
    mode: str,
) -> Array:
    """Return the positions of the slices, (*batch, *sizes), from their starts `indices`, (*batch, starts)."""
    batch = indices.shape[:-1]
    starts = np.zeros((*batch, len(shape)), np.int64)
    starts[..., list(index_map)] = indices
    for axis, along in zip(batching, index_batching, strict=True):
        row = np.arange(batch[along])
        starts[..., axis] = row.reshape([-1 if i == along else 1 for i in range(len(batch))])
    last = np.asarray(shape, np.int64) - np.asarray(sizes, np.int64)
    inside: Any = np.ones(batch, bool)
    if mode == "FILL_OR_DROP":
        inside = ((starts >= 0) & (starts <= last)).all(-1)
    starts = np.clip(starts, 0, np.maximum(last, 0))
    ones = (1,) * len(sizes)
    flat = np.zeros((*batch, *sizes), np.int64)
    for axis, (length, size) in enumerate(zip(shape, sizes, strict=True)):
        steps = np.arange(size).reshape([-1 if i == axis else 1 for i in range(len(sizes))])
        flat = flat * length + starts[..., axis].reshape(*batch, *ones) + steps
    return np.where(inside.reshape(*batch, *ones), flat, -1)


def sort(*operands: Bounded, dimension: int, num_keys: int, **_: Any) -> tuple[Bounded, ...]:
    """Sort along an axis, by the first operands.

    Where rounding decides the order, nothing is known, but of a single key: entry k of it, sorted, is off by no more
    than the largest error in its row.
    """
    keys = operands[:num_keys]
    order = np.lexsort([key.value for key in keys[::-1]], axis=dimension)
    if len(keys) > 1:
        unknown: Array = np.asarray(any(key.error.any() for key in keys))
        return tuple(_along(x, order, dimension, unknown, is_key=False) for x in operands)
    undecided = _undecided(keys[0], dimension)
    return tuple(_along(x, order, dimension, undecided, is_key=x is keys[0]) for x in operands)


def top_k(x: Bounded, *, k: int, axis: int = -1, **_: Any) -> tuple[Bounded, Bounded]:
    """Return the k largest entries of an axis, and their indices; the first of equal ones comes first."""
    axis %= x.ndim
    order = np.argsort(-x.value, axis, kind="stable")
    unknown = _undecided(x, axis)
    values = _along(x, order, axis, unknown, is_key=True)
    error = np.where(np.broadcast_to(unknown, order.shape), np.inf, 0.0)
    indices = Bounded(order.astype(np.int32), error, x.precision)

    def first(at: Array) -> Array:
        return at.take(range(k), axis)

    return moved(first, values), moved(first, indices)


def _along(x: Bounded, order: Array, axis: int, unknown: Array, is_key: bool) -> Bounded:
    positions = np.arange(x.size).reshape(x.shape)
    found = take(x, np.take_along_axis(positions, order, axis))
    worst: Array = np.asarray(np.inf)
    if is_key and x.size:
        worst = x.error.max(axis, keepdims=True)
    error = np.where(unknown, worst, found.error)
    return Bounded(found.value, error, found.precision, found.parents)


def _undecided(key: Bounded, axis: int) -> Array:
    """Whether rounding can decide the order, for each row along the axis."""
    if not key.error.any():
        return np.zeros((1,) * key.ndim, bool)
    order = np.argsort(key.value, axis)
    value = np.take_along_axis(key.value, order, axis)
    error = np.take_along_axis(key.error, order, axis)
    length = error.shape[axis]
    reach = error.take(range(length - 1), axis) + error.take(range(1, length), axis)
    return ((np.diff(value, axis=axis) <= reach) & (reach > 0)).any(axis, keepdims=True)


def _same(x: Bounded, **_: Any) -> Bounded:
    return x


def _each(*xs: Bounded, **_: Any) -> tuple[Bounded, ...]:
    return xs


def _move(function: Callable[..., Array], name: str) -> Rule:
    """Return a rule that moves entries as a function of NumPy does, with one parameter."""

    def rule(x: Bounded, **parameters: Any) -> Bounded:
        value = parameters[name]
        return moved(lambda at: function(at, value), x)

    return rule


RULES: dict[str, Rule] = {
    "broadcast_in_dim": broadcast_in_dim,
    "reshape": reshape,
    "transpose": _move(np.transpose, "permutation"),
    "squeeze": _move(np.squeeze, "dimensions"),
    "rev": _move(np.flip, "dimensions"),
    "tile": _move(np.tile, "reps"),
    "slice": slice_,
    "split": split,
    "unstack": unstack,
    "pad": pad,
    "concatenate": lambda *xs, dimension: moved(lambda *at: np.concatenate(at, dimension), *xs),
    "stack": stack,
    "index_in_dim": index_in_dim,
    "dynamic_slice": dynamic_slice,
    "dynamic_update_slice": dynamic_update_slice,
    "gather": gather,
    "scatter": scatter,
    "scatter-add": scatter_add,
    "scatter-sub": lambda x, indices, updates, **parameters: scatter_add(
        x, indices, -updates, **parameters
    ),
    "scatter-mul": scatter_multiply,
    "scatter-min": scatter_minimum,
    "scatter-max": scatter_maximum,
    "sort": sort,
    "top_k": top_k,
    "copy": _same,
    "name": _same,
    "stop_gradient": _same,
    "device_put": _each,
    "optimization_barrier": _each,
}
