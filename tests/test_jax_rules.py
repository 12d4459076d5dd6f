"""The rules for JAX's primitives: against JAX itself, in both formats."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import cache, partial
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.ad_checkpoint import checkpoint_name

from gradparity.tracing.bounded import Bounded, cotangents, exact, join
from gradparity.tracing.jax_recorder import Argument, record
from gradparity.tracing.recording import INPUT, LEAVES, PARAMETER, Recording
from gradparity.tracing.rules import evaluate
from gradparity.tracing.rules.jax_rules import RULES

from .support.recordings import as_given

DTYPES = ("float32", "float64")
SHAPE = (5, 8)
RNG = np.random.default_rng(16)

INPUTS: dict[str, Any] = {
    "x": RNG.normal(size=SHAPE),
    "y": RNG.normal(size=SHAPE),
    "z": RNG.normal(size=SHAPE),
    "positive": RNG.uniform(0.2, 3, SHAPE),
    "unit": RNG.uniform(-0.9, 0.9, SHAPE),
    "with_zero": np.where(RNG.uniform(size=SHAPE) < 0.2, 0.0, RNG.normal(size=SHAPE)),
    "number": RNG.normal(size=()),
    "cube": RNG.normal(size=(2, 5, 8)),
    "matrix": RNG.normal(size=(8, 3)),
    "images": RNG.normal(size=(4, 7, 9, 6)),
    "kernel": RNG.normal(size=(3, 2, 3, 4)),
    "n": RNG.integers(-9, 9, SHAPE).astype(np.int32),
    "d": RNG.integers(1, 5, SHAPE).astype(np.int32) * RNG.choice([-1, 1], SHAPE).astype(np.int32),
    "bits": RNG.integers(0, 9, SHAPE).astype(np.int32),
    "yes": RNG.uniform(size=SHAPE) < 0.5,
    "no": RNG.uniform(size=SHAPE) < 0.3,
    "which": RNG.integers(0, 3, SHAPE).astype(np.int32),
    "at": np.array([3, 6], np.int32),
}

Case = Callable[[Any], Any]


def _pool(operation: Callable[..., Any], start: float) -> Case:
    shape, strides, padding = (1, 3, 2, 1), (1, 2, 2, 1), ((0, 0), (1, 1), (0, 1), (0, 0))
    return lambda v: lax.reduce_window(
        v.images, np.asarray(start, v.images.dtype), operation, shape, strides, padding
    )


def _convolution(**given: Any) -> Case:
    numbers = ("NHWC", "HWIO", "NHWC")
    parameters = {"window_strides": (1, 1), "padding": ((1, 1), (0, 1)), **given}
    return lambda v: lax.conv_general_dilated(
        v.images, v.kernel, dimension_numbers=numbers, **parameters
    )


ARITHMETIC: dict[str, Case] = {
    "add": lambda v: v.x + v.y,
    "sub": lambda v: v.x - v.y,
    "mul": lambda v: v.x * v.y,
    "div": lambda v: v.x / v.positive,
    "by a number": lambda v: (1.1 - v.x) / 3.0,
    "rem": lambda v: lax.rem(v.x, v.positive),
    "neg": lambda v: -v.x,
    "abs": lambda v: lax.abs(v.x),
    "sign": lambda v: lax.sign(v.x),
    "max": lambda v: lax.max(v.x, v.y),
    "min": lambda v: lax.min(v.x, v.y),
    "pow": lambda v: v.positive**v.y,
    "pow of an integer": lambda v: lax.pow(v.x, v.bits),
    "integer_pow": lambda v: v.x**5,
    "integer_pow below 0": lambda v: v.positive**-3,
    "square": lambda v: lax.square(v.x),
    "sqrt": lambda v: lax.sqrt(v.positive),
    "rsqrt": lambda v: lax.rsqrt(v.positive),
    "cbrt": lambda v: lax.cbrt(v.x),
    "exp": lambda v: lax.exp(v.x),
    "exp2": lambda v: lax.exp2(v.x),
    "expm1": lambda v: lax.expm1(v.x),
    "log": lambda v: lax.log(v.positive),
    "log1p": lambda v: lax.log1p(v.unit),
    "tanh": lambda v: lax.tanh(v.x),
    "logistic": lambda v: lax.logistic(v.x),
    "sin": lambda v: lax.sin(3 * v.x),
    "cos": lambda v: lax.cos(3 * v.x),
    "tan": lambda v: lax.tan(v.unit),
    "sinh": lambda v: lax.sinh(v.x),
    "cosh": lambda v: lax.cosh(v.x),
    "atan2": lambda v: lax.atan2(v.x, v.y),
    "atan": lambda v: lax.atan(v.x),
    "asin": lambda v: lax.asin(v.unit),
    "acos": lambda v: lax.acos(v.unit),
    "erf": lambda v: lax.erf(v.x),
    "erfc": lambda v: lax.erfc(v.x),
    "select_n": lambda v: lax.select(v.yes, v.x, v.y),
    "select_n of three": lambda v: lax.select_n(v.which, v.x, v.y, v.z),
    "clamp": lambda v: lax.clamp(np.asarray(-0.5, v.x.dtype), v.x, v.positive),
    "reduce_sum": lambda v: lax.reduce_sum(v.cube, (0, 2)),
    "reduce_max": lambda v: lax.reduce_max(v.cube, (1,)),
    "reduce_min": lambda v: lax.reduce_min(v.cube, (2,)),
    "psum": lambda v: jax.vmap(lambda row: row / lax.psum(row * row, "rows"), axis_name="rows")(
        v.x
    ),
    "cumsum": lambda v: lax.cumsum(v.x, 1),
    "cumsum reversed": lambda v: lax.cumsum(v.x, 0, reverse=True),
    "dot_general": lambda v: v.x @ v.matrix,
    "dot_general of stacks": lambda v: lax.dot_general(
        v.cube, v.cube, (((2,), (2,)), ((0,), (0,)))
    ),
    "dot_general in other orders": lambda v: lax.dot_general(
        v.cube, v.images[:, :5, :8, :2], (((1, 2), (1, 2)), ((0,), (3,)))
    ),
    "conv_general_dilated": _convolution(feature_group_count=2, window_strides=(2, 1)),
    "convolution dilated": _convolution(
        feature_group_count=2, lhs_dilation=(2, 1), rhs_dilation=(1, 2), padding=((-1, 2), (3, 0))
    ),
    "scatter-add": lambda v: v.x.at[v.bits - 4, v.which].add(v.y),
    "reduce_window_sum": _pool(lax.add, 0.0),
    "reduce_window_max": _pool(lax.max, -np.inf),
    "reduce_window_min": _pool(lax.min, np.inf),
}
"""Cases with rounding, which JAX differentiates."""

SLOW: dict[str, Case] = {
    "reduce_prod": lambda v: v.x.prod(1),
    "cumprod": lambda v: lax.cumprod(v.x, 1),
    "cumlogsumexp": lambda v: lax.cumlogsumexp(v.x, 1),
}
"""Cases with rounding, whose derivatives in JAX take seconds to compile."""

MOVEMENT: dict[str, Case] = {
    "broadcast_in_dim": lambda v: lax.broadcast_in_dim(v.x, (2, 5, 3, 8), (1, 3)),
    "reshape": lambda v: v.x.reshape(4, 10),
    "transpose": lambda v: v.cube.transpose(2, 0, 1),
    "squeeze": lambda v: lax.squeeze(v.x[:, None], (1,)),
    "rev": lambda v: lax.rev(v.x, (1,)),
    "slice": lambda v: lax.slice(v.x, (1, 0), (5, 7), (1, 2)),
    "split": lambda v: lax.split(v.x, (2, 5, 1), 1),
    "pad": lambda v: lax.pad(v.x, v.number, ((1, 2, 0), (-1, 3, 2))),
    "pad cropped": lambda v: lax.pad(v.x, v.number, ((-2, -1, 0), (0, -4, 1))),
    "concatenate": lambda v: lax.concatenate([v.x, v.y], 1),
    "dynamic_slice": lambda v: lax.dynamic_slice(v.x, v.at, (3, 2)),
    "dynamic_update_slice": lambda v: lax.dynamic_update_slice(v.x, v.y[:2, :3], v.at),
    "sort": lambda v: lax.sort(v.x, dimension=0),
    "sort with others": lambda v: lax.sort([v.x, v.y], dimension=1, num_keys=1),
    "sort by two": lambda v: lax.sort([v.with_zero, v.x, v.y], dimension=1, num_keys=2),
    "top_k": lambda v: lax.top_k(v.x, 3),
    "scan": lambda v: lax.scan(lambda c, x: (c + x, c * x), v.x[0], v.y),
    "tile": lambda v: lax.tile(v.x, (2, 3)),
    "unstack": lambda v: jnp.unstack(v.x, axis=1),
    "copy": lambda v: jnp.copy(v.x),
    "name": lambda v: checkpoint_name(v.x, "x"),
    "optimization_barrier": lambda v: lax.optimization_barrier((v.x, v.y)),
    "device_put": lambda v: jax.device_put(v.x, jax.devices("cpu")[0]),
    "a choice": lambda v: lax.cond(
        v.x[0, 0] > 0, lambda x, w: x @ w, lambda x, w: 2 * x @ w, v.x, v.matrix
    ),
}
"""Cases that move entries, which JAX differentiates."""

ROUGH: dict[str, Case] = {
    "cummax": lambda v: lax.cummax(v.x, 0),
    "cummin": lambda v: lax.cummin(v.x, 1, reverse=True),
    "div of integers": lambda v: lax.div(v.n, v.d),
    "rem of integers": lambda v: lax.rem(v.n, v.d),
    "max of integers": lambda v: lax.max(v.n, v.d),
    "min of integers": lambda v: lax.min(v.n, v.d),
    "floor": lambda v: lax.floor(3 * v.x),
    "ceil": lambda v: lax.ceil(3 * v.x),
    "round": lambda v: lax.round(2 * lax.floor(4 * v.x) / 4),
    "round to even": lambda v: lax.round(
        lax.floor(4 * v.x) / 2, lax.RoundingMethod.TO_NEAREST_EVEN
    ),
    **{
        name: partial(lambda v, name: getattr(lax, name)(v.n, v.d), name=name)
        for name in ("eq", "ne", "lt", "le", "gt", "ge")
    },
    "comparison": lambda v: v.x < v.y,
    "lt_to": lambda v: lax.lt_to_p.bind(v.n, v.d),
    "le_to": lambda v: lax.le_to_p.bind(v.n, v.d),
    "eq_to": lambda v: lax.eq_to_p.bind(v.n, v.d),
    "and": lambda v: (v.yes & v.no, v.n & v.d),
    "or": lambda v: (v.yes | v.no, v.n | v.d),
    "xor": lambda v: (v.yes ^ v.no, v.n ^ v.d),
    "not": lambda v: (~v.yes, ~v.n),
    "shift_left": lambda v: lax.shift_left(v.n, v.bits),
    "shift_right_logical": lambda v: lax.shift_right_logical(v.n, v.bits),
    "shift_right_arithmetic": lambda v: lax.shift_right_arithmetic(v.n, v.bits),
    "is_finite": lambda v: lax.is_finite(v.x / v.with_zero),
    "convert_element_type": lambda v: (
        (4 * v.x).astype(np.int32),
        v.n.astype(v.x.dtype),
        v.x.astype(np.float32),
        v.x.astype(np.float16),
        v.x.astype(np.float64),
        v.yes.astype(np.int32),
        v.with_zero.astype(bool),
    ),
    "bitcast_convert_type": lambda v: lax.bitcast_convert_type(
        lax.bitcast_convert_type(v.x.astype(np.float32), np.int32) + 1, np.float32
    ),
    "iota": lambda v: lax.broadcasted_iota(v.x.dtype, (3, 4), 1),
    "reduce_min of integers": lambda v: v.n.min(0),
    "reduce_and": lambda v: (v.yes.all(0), lax.reduce_and(v.n, (0,))),
    "reduce_or": lambda v: (v.no.any(1), lax.reduce_or(v.n, (0,))),
    "argmax": lambda v: lax.argmax(v.x, 1, np.int32),
    "argmin": lambda v: lax.argmin(v.x, 0, np.int64),
    "scatter": lambda v: v.x.at[v.at - 3, v.at].set(v.y[:2, 0]),
    "scatter-sub": lambda v: v.x.at[v.bits - 4, v.which].subtract(v.y),
    "scatter-mul": lambda v: v.x.at[v.bits - 4, v.which].multiply(v.y),
    "scatter-min": lambda v: v.x.at[v.bits - 4, v.which].min(v.y),
    "scatter-max": lambda v: v.x.at[v.bits - 4, v.which].max(v.y),
    "gather of what is not there": lambda v: v.x.at[v.bits].get(mode="fill"),
    "reduce_precision": lambda v: lax.reduce_precision(v.x, 8, 10),
    "stop_gradient": lambda v: lax.stop_gradient(v.x),
    "tangent of pooling": lambda v: jax.jvp(
        lambda a: _pool(lax.max, -np.inf)(SimpleNamespace(images=a)), (v.images,), (v.images**2,)
    ),
}


def _subset(candidates: list[int], most: int) -> tuple[int, ...]:
    count = int(RNG.integers(0, min(most, len(candidates)) + 1))
    return tuple(int(i) for i in RNG.permutation(candidates)[:count])


def _indexing() -> tuple[dict[str, Any], dict[str, Any], tuple[int, ...]]:
    """Draw the numbers of a gather, and of the scatter that is its derivative, with their arrays."""
    shape = tuple(int(n) for n in RNG.integers(2, 5, RNG.integers(1, 5)))
    axes = list(range(len(shape)))
    batching = tuple(sorted(_subset(axes, 1)))
    others = [axis for axis in axes if axis not in batching]
    mapped = _subset(others, 3) or tuple(others[:1])
    collapsed = tuple(sorted(_subset(others, 2)))
    sizes = [
        1 if axis in {*batching, *collapsed} else int(RNG.integers(1, n + 1))
        for axis, n in enumerate(shape)
    ]
    batch = [int(n) for n in RNG.integers(1, 4, RNG.integers(len(batching), 4))]
    index_batching = tuple(int(RNG.integers(len(batch))) for _ in batching)
    for axis, along in zip(batching, index_batching, strict=True):
        batch[along] = shape[axis]
    indices = RNG.integers(-1, 5, (*batch, len(mapped))).astype(np.int32)
    window = [axis for axis in others if axis not in collapsed]
    rank = len(batch) + len(window)
    offset = tuple(sorted(int(i) for i in RNG.permutation(rank)[: len(window)]))
    result: list[int] = []
    left, right = iter(batch), iter([sizes[axis] for axis in window])
    for axis in range(rank):
        result.append(next(right) if axis in offset else next(left))
    gathered = lax.GatherDimensionNumbers(offset, collapsed, mapped, batching, index_batching)
    scattered = lax.ScatterDimensionNumbers(offset, collapsed, mapped, batching, index_batching)
    arrays = {
        "operand": RNG.normal(size=shape),
        "indices": indices,
        "updates": RNG.normal(size=tuple(result)),
    }
    mode = RNG.choice(["clip", "fill"])
    return arrays, {"gather": gathered, "scatter": scattered, "mode": str(mode)}, tuple(sizes)


INDEXING = [_indexing() for _ in range(8)]


def _indexed(arrays: list[dict[str, Any]]) -> list[Any]:
    results = []
    for given, (_, numbers, sizes) in zip(arrays, INDEXING, strict=True):
        operand, indices, updates = given["operand"], given["indices"], given["updates"]
        mode = numbers["mode"]
        results.append(
            (
                lax.gather(operand, indices, numbers["gather"], sizes, mode=mode),
                lax.scatter_add(operand, indices, updates, numbers["scatter"], mode=mode),
            )
        )
    return results


def _in_format(arrays: Any, dtype: str) -> Any:
    return jax.tree.map(lambda a: a.astype(dtype) if np.asarray(a).dtype.kind == "f" else a, arrays)


def _derivative(case: Case, given: dict[str, Any]) -> Any:
    """Return a case's results, and their derivative along directions that are drawn from their shapes."""
    names = [name for name in _names(case) if name in given]
    floating = {name: given[name] for name in names if given[name].dtype.kind == "f"}
    rest = {name: given[name] for name in names if name not in floating}
    results, pull = jax.vjp(lambda arrays: case(SimpleNamespace(**arrays, **rest)), floating)
    return results, pull(jax.tree.map(_seed, results))[0]


def _names(case: Any) -> tuple[str, ...]:
    names: tuple[str, ...] = case.__code__.co_names
    return names


def _seed(result: Any) -> Any:
    if result.dtype.kind != "f":
        return np.zeros(result.shape, jax.dtypes.float0)
    return np.cos(np.arange(result.size)).reshape(result.shape).astype(result.dtype)


@cache
def recorded(dtype: str) -> Recording:
    """All cases, in one recording: in float64 with the derivatives, in float32 only those that round."""
    wide = dtype == "float64"

    def program(given: dict[str, Any], indexing: list[dict[str, Any]]) -> Any:
        v = SimpleNamespace(**given)
        if not wide:
            return {name: case(v) for name, case in (ARITHMETIC | SLOW).items()}, (), ()
        cases = ARITHMETIC | MOVEMENT
        derived = {name: _derivative(case, given) for name, case in cases.items()}
        return derived, {name: case(v) for name, case in (SLOW | ROUGH).items()}, _indexed(indexing)

    arguments = [
        Argument(INPUT, _in_format(INPUTS, dtype)),
        Argument(INPUT, _in_format([arrays for arrays, _, _ in INDEXING], dtype), "indexing"),
    ]
    with jax.enable_x64(True):
        return record(program, arguments, ("case", "rough", "indexed"))


def evaluated(recording: Recording) -> Iterator[tuple[str, np.ndarray, Bounded]]:
    """Yield of each array that was made: the operation, the value, and what the rule says of it."""
    for event in recording.events:
        if event.call == event.index and event.operation not in LEAVES:
            results = evaluate(recording, event.index, partial(as_given, recording))
            for index, bounded in enumerate(results, event.index):
                yield event.operation, recording.events[index].value, bounded


@cache
def calls(dtype: str) -> list[tuple[str, np.ndarray, Bounded]]:
    """Return what is recorded and what the rules say of it."""
    return list(evaluated(recorded(dtype)))


def off(value: np.ndarray, bounded: Bounded) -> np.ndarray:
    """Return how far the value is from the rule's, entry by entry."""
    same = (value == bounded.value) | (np.isnan(value) & np.isnan(bounded.value))
    with np.errstate(invalid="ignore"):
        return np.where(same, 0.0, np.abs(value.astype(np.float64) - bounded.value))


def test_each_rule_is_tried() -> None:
    tried = {operation for dtype in DTYPES for operation, _, _ in calls(dtype)}
    assert set(RULES) - tried == set()


@pytest.mark.parametrize("dtype", DTYPES)
def test_what_jax_computes_is_within_the_bound(dtype: str) -> None:
    outside = [
        operation
        for operation, value, bounded in calls(dtype)
        if not (off(value, bounded) <= bounded.error).all()
    ]
    assert not outside


@pytest.mark.parametrize("dtype", DTYPES)
def test_what_is_off_by_a_thousandth_is_outside(dtype: str) -> None:
    blind = []
    for operation, value, bounded in calls(dtype):
        if operation == "empty2" or value.size == 0 or bounded.precision.eps > 1e-4:
            continue
        if value.dtype.kind != "f":
            blind += [operation] if bounded.error.any() else []
            continue
        size = np.where(np.isfinite(value), np.abs(value), 0.0).astype(np.float64)
        largest = np.unravel_index(size.argmax(), size.shape)
        if not 1e-3 * size[largest] >= 2 * bounded.error[largest]:
            blind.append(operation)
    assert not blind


ROUNDING = {
    *(
        "add",
        "sub",
        "mul",
        "div",
        "pow",
        "integer_pow",
        "square",
        "sqrt",
        "rsqrt",
        "cbrt",
        "exp",
        "exp2",
    ),
    *(
        "expm1",
        "log",
        "log1p",
        "tanh",
        "logistic",
        "sin",
        "cos",
        "tan",
        "sinh",
        "cosh",
        "atan2",
        "atan",
    ),
    *(
        "asin",
        "acos",
        "erf",
        "erfc",
        "reduce_sum",
        "reduce_prod",
        "psum",
        "cumsum",
        "cumprod",
        "cumlogsumexp",
    ),
    *("dot_general", "conv_general_dilated", "reduce_window_sum", "scatter-add"),
}


def test_the_bounds_are_not_much_larger_than_the_errors() -> None:
    shares: dict[str, float] = defaultdict(float)
    rounding = set()
    for operation, value, bounded in calls("float32"):
        rounding |= {operation} if bounded.error.any() else set()
        share = off(value, bounded) / np.where(bounded.error == 0, np.inf, bounded.error)
        shares[operation] = max(shares[operation], share.max(initial=0.0))
    assert {operation for operation in ROUNDING if not 0.01 <= shares[operation] <= 1} == set()
    # What only moves numbers has no error. A remainder may be computed from a rounded quotient; here it is not.
    assert rounding <= ROUNDING | {"rem"}


def _replayed(recording: Recording) -> Callable[[int], Bounded]:
    """Return a function that computes an event from the leaves, by the rules."""
    found: dict[int, Bounded] = {}

    def value(index: int) -> Bounded:
        event = recording.events[index]
        if index not in found:
            if event.operation in LEAVES:
                found[index] = as_given(recording, index)
            else:
                results = evaluate(recording, event.call, value)
                found.update(enumerate(results, event.call))
        return found[index]

    return value


@pytest.mark.parametrize("name", [*ARITHMETIC, *MOVEMENT])
def test_a_rule_is_differentiated_as_jax_differentiates(name: str) -> None:
    recording = recorded("float64")
    value = _replayed(recording)
    of = {
        key.removeprefix(f"case {name}."): i
        for key, i in recording.outputs.items()
        if key.startswith(f"case {name}.")
    }
    results = [value(index) for key, index in of.items() if key.split(".")[0] == "0"]
    results = [result for result in results if result.floating]
    seeds = [exact(_seed(result.value), result.precision) for result in results]
    gradients = {key.removeprefix("1."): i for key, i in of.items() if key.startswith("1.")}
    leaves = {event.name: event.index for event in recording.events if event.operation == INPUT}
    wanted = [value(leaves[key]) for key in gradients]
    found = cotangents(join(*results), join(*seeds), wanted)
    for cotangent, index in zip(found, gradients.values(), strict=True):
        theirs = value(index)
        reach = cotangent.error + theirs.error
        assert (np.abs(cotangent.value - theirs.value) <= reach).all()
        # A thousandth of the largest would be outside.
        assert 2 * reach.max() <= 1e-3 * np.abs(theirs.value).max(), name


# --- Models ---------------------------------------------------------------------------------------


def transformer(p: Any, ids: Any) -> Any:
    """A block with rotary positions, a causal mask and a softmax in float32."""

    def norm(x: Any) -> Any:
        mean = x.mean(-1, keepdims=True)
        return (x - mean) * lax.rsqrt(x.var(-1, keepdims=True) + 1e-5) * p["scale"]

    def rotated(x: Any) -> Any:
        angles = jnp.arange(len(ids))[:, None] / 10 ** (jnp.arange(4) / 4)
        cos, sin = (
            jnp.cos(angles)[:, None].astype(x.dtype),
            jnp.sin(angles)[:, None].astype(x.dtype),
        )
        a, b = jnp.split(x, 2, -1)
        return jnp.concatenate([a * cos - b * sin, a * sin + b * cos], -1)

    x = p["table"][ids]
    q, k, v = jnp.split((norm(x) @ p["qkv"]).reshape(len(ids), 6, 8), 3, 1)
    scores = jnp.einsum("qhd,khd->hqk", rotated(q), rotated(k)) / np.sqrt(8)
    scores = jnp.where(jnp.tril(jnp.ones(scores.shape[1:], bool)), scores, -1e9)
    weights = jax.nn.softmax(scores.astype(jnp.float32), -1).astype(x.dtype)
    x = x + jnp.einsum("hqk,khd->qhd", weights, v).reshape(x.shape)
    x = x + jax.nn.gelu(norm(x) @ p["up"]) @ p["down"]
    logs = jax.nn.log_softmax(x @ p["table"].T)
    return -jnp.take_along_axis(logs, jnp.roll(ids, -1)[:, None], 1).mean()


def convolutional(p: Any, x: Any) -> Any:
    """Two convolutions, one of them by channel, a batch norm and two sorts of pooling."""
    layout = ("NHWC", "HWIO", "NHWC")
    h = lax.conv_general_dilated(x, p["first"], (2, 2), "SAME", dimension_numbers=layout)
    h = (h - h.mean((0, 1, 2))) / jnp.sqrt(h.var((0, 1, 2)) + 1e-5) * p["scale"]
    h = lax.conv_general_dilated(
        jax.nn.relu(h), p["second"], (1, 1), "SAME", dimension_numbers=layout, feature_group_count=4
    )
    h = lax.reduce_window(h, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
    h = lax.reduce_window(jax.nn.silu(h), 0.0, lax.add, (1, 2, 2, 1), (1, 1, 1, 1), "SAME") / 4
    return jax.nn.logsumexp(h.mean((1, 2)), -1).sum()


def recurrent(p: Any, x: Any) -> Any:
    """A GRU, checkpointed, and a choice."""

    def cell(h: Any, row: Any) -> Any:
        i, g = jnp.split(row @ p["inputs"], 3, -1), jnp.split(h @ p["states"], 3, -1)
        r, z = jax.nn.sigmoid(i[0] + g[0]), jax.nn.sigmoid(i[1] + g[1])
        h = (1 - z) * jnp.tanh(i[2] + r * g[2]) + z * h
        return h, h

    last, rows = lax.scan(jax.checkpoint(cell), jnp.zeros((2, 5), x.dtype), x)
    return lax.cond(last.sum() > 0, lambda a: (a**2).mean(), lambda a: jnp.abs(a).mean(), rows)


MODELS: dict[str, tuple[Any, dict[str, Any], Any]] = {
    "transformer": (
        transformer,
        {
            "table": RNG.normal(size=(9, 16)),
            "qkv": RNG.normal(size=(16, 48)) / 4,
            "up": RNG.normal(size=(16, 32)) / 4,
            "down": RNG.normal(size=(32, 16)) / 6,
            "scale": RNG.uniform(0.8, 1.2, 16),
        },
        RNG.integers(0, 9, 7),
    ),
    "convolutional": (
        convolutional,
        {
            "first": RNG.normal(size=(3, 3, 2, 4)) / 4,
            "second": RNG.normal(size=(3, 3, 1, 8)) / 3,
            "scale": RNG.uniform(0.8, 1.2, 4),
        },
        RNG.normal(size=(2, 8, 8, 2)),
    ),
    "recurrent": (
        recurrent,
        {"inputs": RNG.normal(size=(3, 15)), "states": RNG.normal(size=(5, 15))},
        RNG.normal(size=(3, 2, 3)),
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_every_event_of_a_model_has_a_rule_and_lies_within_its_bound(name: str) -> None:
    model, parameters, given = MODELS[name]
    arguments = [Argument(PARAMETER, parameters), Argument(INPUT, given, "inputs")]
    with jax.enable_x64(True):
        arguments = [
            Argument(argument.kind, _in_format(argument.value, "float32"), argument.name)
            for argument in arguments
        ]
        recording = record(jax.value_and_grad(model), arguments, ("loss", "gradient"))
    for operation, value, bounded in evaluated(recording):
        told = np.isfinite(bounded.error) | np.isnan(value)
        assert told.all() or operation == "empty2", operation
        assert (off(value, bounded) <= bounded.error).all(), operation
