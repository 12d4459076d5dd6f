"""What NumPy's functions compute: every rule, against NumPy in two formats and one finer."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gradparity.reference.precision import Precision
from gradparity.tracing.bounded import Bounded, cotangents, exact, total
from gradparity.tracing.recording import Recorder, Ref
from gradparity.tracing.rules import NoRuleError, evaluate
from gradparity.tracing.rules.convolutions import Geometry, convolve
from gradparity.tracing.rules.numpy_rules import RULES

from .support.recordings import as_given

FINER = {np.float32: np.float64, np.float64: np.longdouble}


@dataclass
class Draw:
    """Arrays in general position: of any size, positive, within (-1, 1), of integers, true or false."""

    x: Any
    y: Any
    p: Any
    q: Any
    s: Any
    v: Any
    n: Any
    m: Any

    @classmethod
    def of(cls, seed: int, dtype: Any) -> Draw:
        rng = np.random.default_rng(seed)

        def normal(*shape: int) -> Any:
            return rng.normal(scale=rng.choice([1e-3, 1.0, 1.0, 20.0]), size=shape).astype(dtype)

        return cls(
            x=normal(3, 4),
            y=normal(3, 4),
            p=abs(normal(3, 4)) + dtype(1e-3),
            q=rng.uniform(-3, 3, (3, 4)).astype(dtype),
            s=rng.uniform(-0.95, 0.95, (3, 4)).astype(dtype),
            v=normal(4),
            n=rng.integers(0, 3, 5),
            m=rng.random((3, 4)) < 0.5,
        )


def changed(change: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that returns what its first argument is after the change."""

    def function(x: Any, *arguments: Any, **attributes: Any) -> Any:
        copy = x.copy()
        change(copy, *arguments, **attributes)
        return copy

    return function


def overlaid(old: Any, new: Any, positions: Any) -> Any:
    return np.where(positions < 0, old, new.reshape(-1)[positions])


SPECIAL: dict[str, Callable[..., Any]] = {
    "getitem": operator.getitem,
    "setitem": changed(operator.setitem),
    "overlay": overlaid,
    "astype": lambda x, dtype: x.astype(dtype),
    "flatten": lambda x: x.flatten(),
    "fill": changed(lambda x, value: x.fill(value)),
    "add.at": changed(np.add.at),
    "subtract.at": changed(np.subtract.at),
    "sliding_window_view": np.lib.stride_tricks.sliding_window_view,
    "norm": np.linalg.norm,
    **{
        name: changed(getattr(np, name))
        for name in ("copyto", "put", "place", "putmask", "put_along_axis", "fill_diagonal")
    },
}


def function_of(operation: str) -> Callable[..., Any]:
    if operation in SPECIAL:
        return SPECIAL[operation]
    found: Any = np
    for part in operation.split("."):
        found = getattr(found, part)
    return found


def both(x: Draw) -> tuple[Any, ...]:
    return x.x, x.y


@dataclass(frozen=True)
class Form:
    """One form in which an operation is called: positional arguments of a draw, and keyword arguments."""

    operation: str
    arguments: Callable[[Draw], tuple[Any, ...]]
    attributes: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.operation} {self.attributes or ''}"


def each(
    operations: str, arguments: Callable[[Draw], tuple[Any, ...]], **attributes: Any
) -> list[Form]:
    """Return one form for each of several operations."""
    return [Form(operation, arguments, attributes) for operation in operations.split()]


BINARY = """
    add subtract multiply divide maximum minimum fmax fmin copysign less less_equal greater greater_equal equal
    not_equal
"""
POSITIONS = np.array([[-1, 0, 1, -1], [2, -1, -1, 3], [-1] * 4])

ELEMENTWISE = [
    *each(BINARY, lambda d: (d.x, d.y)),
    *each(BINARY + "remainder fmod floor_divide", lambda d: (d.q, 0.7)),
    *each("add multiply divide hypot", lambda d: (d.x, d.v)),
    *each("add.outer multiply.outer subtract.outer divide.outer", lambda d: (d.x, d.v)),
    *each(
        "negative positive absolute fabs conjugate square reciprocal sign signbit floor ceil rint trunc cbrt",
        lambda d: (d.x,),
    ),
    *each("isnan isinf isfinite tanh sinc round real nan_to_num", lambda d: (d.x,)),
    *each("exp exp2 expm1 sinh cosh sin cos tan arctan deg2rad rad2deg", lambda d: (d.q,)),
    *each("arcsin arccos arctanh log1p", lambda d: (d.s,)),
    *each("sqrt log log2 log10 log1p", lambda d: (d.p,)),
    *each("power", lambda d: (d.q, 3)),
    *each("power", lambda d: (d.q, 2)),
    *each("power", lambda d: (d.q, -1)),
    *each("power", lambda d: (d.p, 0.5)),
    *each("power", lambda d: (d.p, d.q)),
    *each("power", lambda d: (2.0, d.q)),
    *each("float_power", lambda d: (d.p, 1.5)),
    *each("logaddexp", lambda d: (d.x, d.y)),
    *each("heaviside", lambda d: (d.x, 0.5)),
    *each("clip", lambda d: (d.x, -0.5, 1.5)),
    *each("clip", lambda d: (d.x, None, d.v)),
    *each("clip", lambda d: (d.x,), min=-0.5, max=0.5),
    *each(
        "logical_and logical_or logical_xor bitwise_and bitwise_or bitwise_xor add multiply",
        lambda d: (d.m, ~d.m[::-1]),
    ),
    *each("logical_not invert any all sum nonzero", lambda d: (d.m,)),
    *each(
        "left_shift right_shift add multiply subtract floor_divide remainder power maximum equal",
        lambda d: (d.n, 2),
    ),
    *each("gcd", lambda d: (d.n, 4)),
    *each("round", lambda d: (d.q, 1)),
    *each("where", lambda d: (d.m, d.x, 0.5)),
    *each("where", lambda d: (d.m,)),
    *each("select", lambda d: ([d.m, ~d.m], [d.x, d.y], 0.0)),
]

REDUCTIONS = [
    *each(
        "add.reduce multiply.reduce maximum.reduce minimum.reduce fmax.reduce fmin.reduce",
        lambda d: (d.x,),
    ),
    *each("logical_and.reduce logical_or.reduce", lambda d: (d.m, 1)),
    *each("add.reduce", lambda d: (d.x, (0, 1)), keepdims=True),
    *each("add.accumulate", lambda d: (d.x,)),
    *each("multiply.accumulate", lambda d: (d.x, 1)),
    *each("add.at", lambda d: (d.x, d.n, d.v)),
    *each("subtract.at", lambda d: (d.v, d.n, 1.5)),
    *(
        form
        for attributes in ({}, {"axis": 0}, {"axis": (0, 1)}, {"axis": -1, "keepdims": True})
        for form in each(
            "sum prod max amax min amin mean var std ptp", lambda d: (d.x,), **attributes
        )
    ),
    *each("argmax argmin cumsum cumprod sort argsort", lambda d: (d.x,), axis=1),
    *each("argmax argmin cumsum cumprod average", lambda d: (d.x,)),
    *each("sort argsort", lambda d: (d.x,), axis=None),
    *each("sum", lambda d: (d.x,), axis=1, initial=2.0),
    *each("max", lambda d: (d.x,), axis=1, initial=0.25),
    *each("sum prod mean", lambda d: (d.x,), axis=1, where=np.arange(4) < 2),
    *each("max", lambda d: (d.x,), axis=1, where=np.arange(4) < 2, initial=-0.5),
    *each("var", lambda d: (d.x,), axis=0, ddof=1),
    *each("std", lambda d: (d.x,), axis=0, correction=1),
    *each("average", lambda d: (d.x, 1, d.p[0])),
    *each("norm linalg.norm linalg.vector_norm", lambda d: (d.x,)),
    *each("norm linalg.norm linalg.vector_norm", lambda d: (d.x,), axis=0, ord=1),
    *each("norm linalg.norm linalg.vector_norm", lambda d: (d.x,), axis=1, ord=np.inf),
    *each("linalg.norm", lambda d: (d.x,), axis=1, ord=3, keepdims=True),
    *each("linalg.norm", lambda d: (d.x,), axis=1, ord=0),
    *each("median", lambda d: (d.x,)),
    *each("median", lambda d: (d.x,), axis=0, keepdims=True),
    *each("median", lambda d: (d.x.reshape(3, 2, 2),), axis=(0, 2)),
    *each("logaddexp.reduce", lambda d: (d.x,)),
    *each("logaddexp.reduce", lambda d: (d.x, 1), keepdims=True),
    *each("diff", lambda d: (d.x,), axis=0),
]

PRODUCTS = [
    *each("matmul dot linalg.matmul", lambda d: (d.x, d.y.T)),
    *each("matmul dot inner vecdot", lambda d: (d.x, d.v)),
    *each("dot", lambda d: (d.x.reshape(3, 2, 2), d.y.reshape(2, 2, 3))),
    *each("dot", lambda d: (d.x, 2.5)),
    *each("inner vdot outer", lambda d: (d.x, d.y)),
    *each("linalg.outer", lambda d: (d.v, d.v)),
    *each("tensordot linalg.tensordot", lambda d: (d.x, d.y.T), axes=1),
    *each("tensordot", lambda d: (d.x, d.y.reshape(4, 3)), axes=([0, 1], [1, 0])),
    *each("linalg.multi_dot", lambda d: ([d.x, d.y.T, d.x],)),
    *each("einsum", lambda d: ("ij,kj->ik", d.x, d.y)),
    *each("einsum", lambda d: ("ij,kj,k", d.x, d.y, d.p[:, 0]), optimize=True),
    *each("einsum", lambda d: ("...j->...", d.x)),
    *each("einsum", lambda d: ("ii->i", d.x[:, :3])),
    *each("convolve", lambda d: (d.x[0], d.v[:3]), mode="full"),
    *each("convolve", lambda d: (d.x[0], d.v[:2]), mode="same"),
    *each("convolve", lambda d: (d.v[:3], d.y[1]), mode="same"),
    *each("convolve", lambda d: (d.x[0], d.v[:3]), mode="valid"),
]

MOVEMENTS = [
    *each(
        "ravel flatten transpose matrix_transpose squeeze atleast_1d atleast_2d atleast_3d flip fliplr flipud rot90",
        lambda d: (d.x,),
    ),
    *each(
        "tril triu diagonal trace diag zeros_like ones_like array asarray asanyarray ascontiguousarray copy",
        lambda d: (d.x,),
    ),
    *each("linalg.matrix_transpose linalg.diagonal unstack asfortranarray", lambda d: (d.x,)),
    *each("diag", lambda d: (d.v,)),
    *each("reshape", lambda d: (d.x, (2, 6)), order="F"),
    *each("transpose", lambda d: (d.x, (1, 0))),
    *each("swapaxes moveaxis", lambda d: (d.x, 0, 1)),
    *each("rollaxis", lambda d: (d.x, 1)),
    *each("expand_dims", lambda d: (d.x, 1)),
    *each("broadcast_to", lambda d: (d.v, (2, 4))),
    *each("repeat roll", lambda d: (d.x, 2), axis=1),
    *each("tile", lambda d: (d.x, (2, 1))),
    *each("take", lambda d: (d.x, d.n), axis=1),
    *each("take_along_axis", lambda d: (d.x, d.n[None, :4]), axis=0),
    *each("delete", lambda d: (d.x, 1), axis=1),
    *each("resize", lambda d: (d.x, (2, 3))),
    *each("sliding_window_view", lambda d: (d.x, (2, 2))),
    *each("full_like fill", lambda d: (d.x, 0.1)),
    *each("pad", lambda d: (d.x, 1), constant_values=0.25),
    *each("pad", lambda d: (d.x, ((1, 2), (0, 1))), mode="reflect"),
    *each("concatenate stack hstack vstack dstack column_stack array", lambda d: ([d.x, d.y],)),
    *each("concatenate stack", lambda d: ([d.x, d.y],), axis=1),
    *each("block", lambda d: ([[d.x, d.y], [d.y, d.x]],)),
    *each("array", lambda d: ([[d.v[0], 1.0], [d.v[1], d.v[2]]],)),
    *each("split", lambda d: (d.x, 2, 1)),
    *each("array_split", lambda d: (d.x, 3), axis=1),
    *each("hsplit", lambda d: (d.x, 2)),
    *each("vsplit", lambda d: (d.x, 3)),
    *each("dsplit", lambda d: (d.x.reshape(2, 3, 2), 2)),
    *each("getitem", lambda d: (d.x, (slice(None, None, -1), 1))),
    *each("getitem", lambda d: (d.x, d.n)),
    *each("getitem", lambda d: (d.x, d.m)),
    *each("setitem", lambda d: (d.x, (slice(None), slice(0, 2)), d.p[:, :2])),
    *each("setitem", lambda d: (d.x, d.m, 0.5)),
    *each("setitem", lambda d: (d.n, 0, d.p[0, 0])),
    *each("overlay", lambda d: (d.x, d.v, POSITIONS)),
    *each("copyto", lambda d: (d.x, d.v)),
    *each("copyto", lambda d: (d.x, d.y), where=np.arange(4) < 2),
    *each("put", lambda d: (d.x, [0, 5], d.v[:2])),
    *each("place", lambda d: (d.x, d.x > 1e9, [0.5])),
    *each("putmask", lambda d: (d.x, d.m, d.y)),
    *each("put_along_axis", lambda d: (d.x, d.n[None, :4], d.y[:1], 0)),
    *each("fill_diagonal", lambda d: (d.x, 0.5)),
    *each("astype", lambda d: (d.x, int)),
    *each("astype", lambda d: (d.x, bool)),
    *each("astype", lambda d: (d.n, np.float32)),
    *each("astype", lambda d: (d.x, np.float32)),
    *each("flatnonzero argwhere count_nonzero bincount", lambda d: (d.n,)),
    *each("searchsorted", lambda d: (np.arange(3), d.n)),
    *each("digitize", lambda d: (d.n, np.arange(3))),
    *each("isin", lambda d: (d.n, [1, 2])),
    *each("unravel_index", lambda d: (d.n, (2, 2))),
    *each("ravel_multi_index", lambda d: ((d.n, d.n), (3, 3))),
    *each("argpartition", lambda d: (d.x, 1)),
    *each("array_equal", lambda d: (d.n, d.n)),
]

FORMS = [*ELEMENTWISE, *REDUCTIONS, *PRODUCTS, *MOVEMENTS]


def referenced(argument: Any, recorder: Recorder) -> Any:
    """Return the argument as a recorder notes it."""
    if isinstance(argument, np.ndarray | np.generic):
        return Ref(recorder.leaf("input", "", argument))
    if isinstance(argument, list | tuple):
        return type(argument)(referenced(one, recorder) for one in argument)
    return argument


def finely(argument: Any, dtype: Any) -> Any:
    """Return the argument in the finer format, its numbers rounded as the program's format rounds them."""
    if isinstance(argument, np.ndarray | np.generic) and argument.dtype.kind == "f":
        return argument.astype(FINER[dtype])
    if isinstance(argument, list | tuple):
        return type(argument)(finely(one, dtype) for one in argument)
    return FINER[dtype](argument) if type(argument) is float else argument


def listed(found: Any) -> list[Any]:
    return list(found) if isinstance(found, tuple | list) else [found]


@dataclass(frozen=True)
class Outcome:
    """One result of an operation: by its rule, by NumPy, and by NumPy in a finer format."""

    bounded: Bounded
    computed: Any
    exactly: Any

    @property
    def apart(self) -> Any:
        """How far NumPy is from the finer result, entry by entry."""
        return abs(np.asarray(self.computed).astype(np.longdouble) - self.exactly)


def outcomes(form: Form, draw: Draw, dtype: Any) -> list[Outcome]:
    arguments, function = form.arguments(draw), function_of(form.operation)
    with np.errstate(all="ignore"):
        values = listed(function(*arguments, **form.attributes))
        finer = listed(function(*finely(arguments, dtype), **form.attributes))
    recorder = Recorder("numpy")
    noted = referenced(arguments, recorder)
    named = {key: referenced(one, recorder) for key, one in form.attributes.items()}
    first, *_ = recorder.call(form.operation, noted, named, values, None)
    recording = recorder.finished({})
    results = evaluate(recording, first, partial(as_given, recording))
    return [Outcome(*one) for one in zip(results, values, finer, strict=True)]


def test_every_rule_is_called() -> None:
    called = {form.operation for form in FORMS}
    outer = {name for name in RULES if name.endswith(".outer")}
    assert set(RULES) - outer - called == {"erf", "expit"}  # SciPy's


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@settings(max_examples=3, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_no_function_leaves_its_bound(dtype: Any, seed: int) -> None:
    draw = Draw.of(seed, dtype)
    for form in FORMS:
        for one in outcomes(form, draw, dtype):
            result = one.bounded
            assert result.value.dtype.kind == np.asarray(one.computed).dtype.kind, form
            if result.floating:
                ours = abs(result.value.astype(np.longdouble) - one.exactly)
                assert np.isfinite(result.error).all(), form
                assert (np.fmax(one.apart, ours) <= result.error).all(), (form, one)
            else:
                assert not result.error.any(), form
                assert (one.computed == result.value).all(), form


UNREACHED = {
    "float_power ": "computed in float64 in every format, and here in no finer one",
    "astype ": "it rounds to the same format in a finer one",
    "fmod ": "NumPy has an exact one",
    "remainder ": "NumPy has an exact one",
    "linalg.norm {'axis': 1, 'ord': 0}": "a sum of ones, exact up to 1 / u of them",
    "median ": "one sum, that may be exact",
    "trace ": "two sums, that may be exact",
}
"""Forms of which a few draws may show no rounding, and why."""


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_bound_is_near_what_happens_and_sees_a_fault(dtype: Any) -> None:
    largest_share: dict[str, float] = {}
    for seed in range(3):
        draw = Draw.of(seed, dtype)
        for form in FORMS:
            for one in outcomes(form, draw, dtype):
                e = one.bounded.error
                if not one.bounded.floating or not one.bounded.size:
                    continue
                # One entry is off by a thousandth.
                assert (2 * e < 1e-3 * abs(one.bounded.value)).any() or not one.computed.any(), form
                if e.any():
                    share = np.max(one.apart / np.where(e > 0, e, np.inf))
                    largest_share[str(form)] = max(largest_share.get(str(form), 0.0), float(share))
    # What is exact, as what only moves numbers, has no error that nothing reaches.
    small = {form: share for form, share in largest_share.items() if share <= 0.01}
    assert {form for form, share in small.items() if share or form not in UNREACHED} == set()


def test_what_has_no_rule_is_named() -> None:
    recorder = Recorder("numpy")
    x = recorder.leaf("input", "x", np.eye(2))
    (call,) = recorder.call("linalg.inv", (Ref(x),), {}, [np.eye(2)], None)
    (other,) = recorder.call("add", (Ref(x), Ref(x)), {"where": [True, False]}, [np.eye(2)], None)
    recording = recorder.finished({})
    with pytest.raises(NoRuleError, match=r"^linalg\.inv: no rule$"):
        evaluate(recording, call, partial(as_given, recording))
    with pytest.raises(NoRuleError, match=r"^add: `where`$"):
        evaluate(recording, other, partial(as_given, recording))


def test_a_mask_in_doubt() -> None:
    x = Bounded(np.array([-1.0, -0.05, 0.05, 1.0]), np.full(4, 0.1), Precision.of(np.float64))
    found = RULES["setitem"](x, x < 0, 0.0)
    assert found.value.tolist() == [0.0, 0.0, 0.05, 1.0]
    assert found.error.tolist() == pytest.approx([0.0, 0.15, 0.1, 0.1])
    with pytest.raises(ValueError, match="rounding decides an index"):
        RULES["getitem"](x, x < 0)
    with pytest.raises(ValueError, match="the order in memory"):
        RULES["ravel"](x, "K")


def test_a_rule_that_makes_another_shape_abstains() -> None:
    recorder = Recorder("numpy")
    x = recorder.leaf("input", "x", np.eye(2))
    (call,) = recorder.call("sum", (Ref(x),), {}, [np.eye(2)], None)
    recording = recorder.finished({})
    with pytest.raises(NoRuleError, match=r"sum: the rule makes shape \(\)"):
        evaluate(recording, call, partial(as_given, recording))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_conversion_rounds(dtype: Any) -> None:
    recorder = Recorder("numpy")
    x = recorder.leaf("input", "x", np.array([0.1, 0.5]))
    value = np.array([0.1, 0.5], dtype)
    (call,) = recorder.call("astype", (Ref(x), dtype), {}, [value], None)
    recording = recorder.finished({})
    (found,) = evaluate(recording, call, partial(as_given, recording))
    assert found.precision == Precision.of(dtype)
    assert (abs(value - found.value) <= found.error).all()
    assert (found.error > 0).tolist() == [dtype == np.float32, False]


def convolution(draw: Any, dimensions: int) -> tuple[Any, Any, Geometry, int]:
    """Draw inputs, a kernel, the windows' geometry and the groups of a convolution."""

    def numbers(low: int, high: int) -> list[int]:
        return [draw(st.integers(low, high)) for _ in range(dimensions)]

    groups, strides = draw(st.integers(1, 2)), numbers(1, 3)
    padding = list(zip(numbers(-1, 2), numbers(-1, 2), strict=True))
    geometry = Geometry.of(dimensions, strides, padding, numbers(1, 2), numbers(1, 2))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    sizes, kernels = numbers(4, 6), numbers(1, 3)
    for i, (size, reach) in enumerate(zip(sizes, kernels, strict=True)):
        space = (size - 1) * geometry.lhs_dilation[i] + 1 + sum(geometry.padding[i])
        assume(space > (reach - 1) * geometry.rhs_dilation[i])  # the frameworks refuse it, too
    x = rng.normal(size=(2, 2 * groups, *sizes))
    return x, rng.normal(size=(3 * groups, 2, *kernels)), geometry, groups


def slowly(x: Any, kernel: Any, geometry: Geometry, groups: int) -> Any:
    """Compute a convolution, number by number."""
    axes = range(x.ndim - 2)
    dilated = np.zeros(
        (*x.shape[:2], *((x.shape[2 + i] - 1) * geometry.lhs_dilation[i] + 1 for i in axes))
    )
    every: tuple[Any, ...] = tuple(slice(None, None, step) for step in geometry.lhs_dilation)
    dilated[(..., *every)] = x
    for i, (low, high) in enumerate(geometry.padding):
        width = [(0, 0)] * x.ndim
        width[2 + i] = (max(low, 0), max(high, 0))
        dilated = np.pad(dilated, width)
        cut = slice(max(-low, 0), dilated.shape[2 + i] - max(-high, 0))
        dilated = dilated[(slice(None),) * (2 + i) + (cut,)]
    reach = [(kernel.shape[2 + i] - 1) * geometry.rhs_dilation[i] + 1 for i in axes]
    out = [(dilated.shape[2 + i] - reach[i]) // geometry.strides[i] + 1 for i in axes]
    found = np.zeros((len(x), len(kernel), *out))
    per_group, channels = len(kernel) // groups, kernel.shape[1]
    for o in range(len(kernel)):
        seen = slice(o // per_group * channels, (o // per_group + 1) * channels)
        for at in np.ndindex(*out):
            window = tuple(
                slice(at[i] * geometry.strides[i], at[i] * geometry.strides[i] + reach[i], d)
                for i, d in enumerate(geometry.rhs_dilation)
            )
            patch = dilated[(slice(None), seen, *window)]
            found[(slice(None), o, *at)] = (patch * kernel[o]).sum(tuple(range(1, x.ndim)))
    return found


@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_a_convolution_and_its_cotangents(data: Any) -> None:
    x, kernel, geometry, groups = convolution(data.draw, data.draw(st.integers(1, 2)))
    r = Precision.of(np.float64)
    a, b = exact(x, r), exact(kernel, r)
    found, expected = convolve(a, b, geometry, groups), slowly(x, kernel, geometry, groups)
    assert found.shape == expected.shape
    assert (abs(found.value - expected) <= 2 * found.error).all()
    # It is linear in both: ⟨g, conv(x, k)⟩ = ⟨cotangent of x, x⟩ = ⟨cotangent of k, k⟩.
    g = exact(np.cos(np.arange(found.size)).reshape(found.shape), r)
    one, other = cotangents(found, g, [a, b])
    for left, right in ((total(one * a), total(other * b)), (total(one * a), total(g * found))):
        assert abs(left.value - right.value) <= left.error + right.error
    # Entry by entry, for one of each: its cotangent is the result of a one in its place.
    for array, cotangent in ((x, one), (kernel, other)):
        unit = np.zeros_like(array)
        unit.flat[data.draw(st.integers(0, array.size - 1))] = 1.0
        moved = (
            slowly(unit, kernel, geometry, groups)
            if array is x
            else slowly(x, unit, geometry, groups)
        )
        term = total(exact(moved, r) * g)
        got = total(cotangent * unit)
        assert abs(term.value - got.value) <= 2 * (term.error + got.error)


def test_groups_of_samples() -> None:
    rng, r = np.random.default_rng(0), Precision.of(np.float64)
    x, kernel, geometry = rng.normal(size=(4, 2, 5)), rng.normal(size=(6, 2, 3)), Geometry.of(1)
    found = convolve(exact(x, r), exact(kernel, r), geometry, batch_groups=2)
    halves = [slowly(x[:2], kernel[:3], geometry, 1), slowly(x[2:], kernel[3:], geometry, 1)]
    assert (abs(found.value - np.concatenate(halves, 1)) <= 2 * found.error).all()
