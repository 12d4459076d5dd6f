"""Bounded arrays: nothing computed leaves its bound, every bound sees a fault, and cotangents are autograd's."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gradparity.reference.precision import Precision
from gradparity.tracing import bounded as b
from gradparity.tracing.bounded import Bounded, constant, cotangents, exact, moved, total, where

F32, F64 = Precision.of(np.float32), Precision.of(np.float64)
FINER: dict[Any, Any] = {np.float32: np.float64, np.float64: np.longdouble}

Unary = tuple[Callable[[Any], Any], Callable[[Any], Any], str]


def sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def softplus(x: Any) -> Any:
    return np.maximum(x, 0) + np.log1p(np.exp(-abs(x)))


def erf(x: Any) -> Any:
    return np.vectorize(math.erf)(x).astype(x.dtype)


UNARY: dict[str, Unary] = {
    "exp": (b.exp, np.exp, "any"),
    "expm1": (b.expm1, np.expm1, "any"),
    "log": (b.log, np.log, "positive"),
    "log1p": (b.log1p, np.log1p, "positive"),
    "sqrt": (b.sqrt, np.sqrt, "positive"),
    "rsqrt": (b.rsqrt, lambda x: 1 / np.sqrt(x), "positive"),
    "tanh": (b.tanh, np.tanh, "any"),
    "sigmoid": (b.sigmoid, sigmoid, "any"),
    "softplus": (b.softplus, softplus, "any"),
    "arctan": (b.arctan, np.arctan, "any"),
    "sin": (b.sin, np.sin, "any"),
    "cos": (b.cos, np.cos, "any"),
    "erf": (b.erf, erf, "any"),
    "abs": (abs, abs, "any"),
    "negative": (lambda x: -x, lambda x: -x, "any"),
    "inverse": (lambda x: 1 / x, lambda x: 1 / x, "any"),
    "square": (lambda x: x**2, lambda x: x**2, "any"),
    "cube": (lambda x: x**3, lambda x: x**3, "any"),
    "broken power": (lambda x: x**0.75, lambda x: x ** x.dtype.type(0.75), "positive"),
    "power of two": (lambda x: 2**x, lambda x: x.dtype.type(2) ** x, "any"),
    "sum": (lambda x: total(x, 1), lambda x: x.sum(1), "any"),
    "sum of columns": (lambda x: total(x, 0), lambda x: x.sum(0), "any"),
    "sums": (lambda x: b.cumulative(x, 1), lambda x: np.cumsum(x, 1), "any"),
    "product": (lambda x: b.product(x, 1), lambda x: x.prod(1), "any"),
    "largest": (lambda x: b.largest(x, 1), lambda x: x.max(1), "any"),
    "smallest": (lambda x: b.smallest(x, 0), lambda x: x.min(0), "any"),
    "sorted": (lambda x: b.sort(x, 1), lambda x: np.sort(x, 1), "any"),
    "clipped": (lambda x: b.clip(x, -0.5, 2.0), lambda x: np.clip(x, -0.5, 2.0), "any"),
    "rectified": (
        lambda x: where(x > 0, x, x * 0.25),
        lambda x: np.where(x > 0, x, x / 4),
        "any",
    ),
    "floor": (b.floor, np.floor, "any"),
    "ceil": (b.ceil, np.ceil, "any"),
    "round": (b.round, np.rint, "any"),
    "truncate": (b.truncate, np.trunc, "any"),
    "sign": (b.sign, np.sign, "any"),
    "gather": (
        lambda x: b.take(x, np.array([[0, -1], [3, 3]]), 2.0),
        lambda x: np.where([[1, 0], [1, 1]], x.flat[[[0, 0], [3, 3]]], 2),
        "any",
    ),
}

Binary = tuple[Callable[[Any, Any], Any], Callable[[Any, Any], Any]]


def scattered(x: Any, y: Any) -> Any:
    found = x.copy()
    np.add.at(found.reshape(-1), [0, 1, 0, 0], y.reshape(-1)[:4])
    return found


BINARY: dict[str, Binary] = {
    "add": (lambda x, y: x + y, lambda x, y: x + y),
    "subtract": (lambda x, y: x - y, lambda x, y: x - y),
    "multiply": (lambda x, y: x * y, lambda x, y: x * y),
    "divide": (lambda x, y: x / y, lambda x, y: x / y),
    "power": (lambda x, y: abs(x) ** y, lambda x, y: abs(x) ** y),
    "maximum": (b.maximum, np.maximum),
    "minimum": (b.minimum, np.minimum),
    "matrix product": (lambda x, y: x @ y.T, lambda x, y: x @ y.T),
    "sum of products": (
        lambda x, y: b.einsum("ij,ij->j", x, y),
        lambda x, y: (x * y).sum(0),
    ),
    "outer product": (
        lambda x, y: b.einsum("ij,kl->ijkl", x, y),
        np.multiply.outer,
    ),
    "scatter": (
        lambda x, y: b.put_add(x, np.array([0, 1, 0, 0, -1, -1]), y.reshape(-1)),
        scattered,
    ),
}


def numbers(rng: Any, dtype: Any, domain: str) -> Any:
    """Draw numbers of all magnitudes: saturated ones, zeros, subnormal ones, the very large, -∞."""
    scale = 10.0 ** rng.choice([-3, 0, 0, 0, 1, 2, 4])
    x = (scale * rng.standard_normal((2, 3))).astype(dtype)
    limits = np.finfo(dtype)
    special = [0.0, 1.0, -1.0, limits.smallest_normal / 8, limits.max, limits.min, -np.inf]
    at = rng.random(x.shape) < 0.15
    x[at] = rng.choice(np.array(special, dtype), at.sum())
    return abs(x) if domain == "positive" else x


def nearby(rng: Any, x: Any) -> Any:
    """Move some numbers a little: a few units, or a part of their size."""
    share = rng.choice([0.0, 4 * np.finfo(x.dtype).eps, 1e-3, 0.3]) * (rng.random(x.shape) < 0.7)
    with np.errstate(all="ignore"):
        near = (x * (1 + share * rng.uniform(-1, 1, x.shape))).astype(x.dtype)
    return np.where(np.isfinite(near), near, x)


def between(x: Any, near: Any) -> Bounded:
    """Return x with the error that a program makes if it has computed `near`."""
    found = exact(x, Precision.of(x.dtype))
    finite = np.isfinite(x)
    with np.errstate(all="ignore"):
        apart = np.where(finite, abs(near.astype(np.longdouble) - x), 0)
    return replace(found, error=np.maximum(found.error, (apart * (1 + 1e-15)).astype(np.float64)))


def flushed(x: Any) -> Any:
    return np.where(abs(x) < np.finfo(x.dtype).smallest_normal, 0, x).astype(x.dtype)


def inside(found: Bounded, computed: Any, exactly: Any) -> Any:
    """Return where a computed number is within the bound, or nothing is said."""
    with np.errstate(all="ignore"):
        apart = abs(np.asarray(computed).astype(np.longdouble) - exactly)
    return (apart <= found.error) | (computed == exactly) | np.isinf(found.error)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_no_result_leaves_its_bound(dtype: Any, seed: int) -> None:
    rng, finer = np.random.default_rng(seed), FINER[dtype]
    cases: list[tuple[str, Any, Any, list[Any], list[Any]]]
    drawn = [numbers(rng, dtype, "any"), numbers(rng, dtype, "any")]
    near = [nearby(rng, x) for x in drawn]
    cases = [(name, *binary, drawn, near) for name, binary in BINARY.items()]
    for name, (ours, numpys, domain) in UNARY.items():
        if name == "erf" and dtype == np.float64:
            continue  # there is no finer one
        positive = domain == "positive"
        cases.append(
            (
                name,
                ours,
                numpys,
                [abs(drawn[0]) if positive else drawn[0]],
                [abs(near[0]) if positive else near[0]],
            )
        )
    for name, ours, numpys, x, moved_x in cases:
        found = ours(*map(between, x, moved_x))
        with np.errstate(all="ignore"):
            exactly = numpys(*(one.astype(finer) for one in x))
            for given_ in (moved_x, [flushed(one) for one in moved_x]):
                for computed in (numpys(*given_), flushed(np.asarray(numpys(*given_)))):
                    assert found.shape == np.shape(computed), name
                    ok = inside(found, computed, exactly)
                    assert np.all(ok), (name, x, given_, found, computed, exactly)
        assert not np.isnan(found.error).any(), name


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_bound_is_near_what_happens_and_sees_a_fault(dtype: Any) -> None:
    rng, finer, r = np.random.default_rng(0), FINER[dtype], Precision.of(dtype)
    functions: dict[str, Any] = {name: one[:2] for name, one in UNARY.items()}
    for name, (ours, numpys) in {**functions, **BINARY}.items():
        if name == "erf" and dtype == np.float64:
            continue
        shares = []
        for _ in range(20):
            xs = [abs(rng.standard_normal((2, 3)).astype(dtype)) + dtype(0.1) for _ in range(2)]
            xs = xs[: 1 if name in UNARY else 2]
            found, computed = ours(*(exact(x, r) for x in xs)), numpys(*xs)
            exactly = numpys(*(x.astype(finer) for x in xs))
            assert np.all(inside(found, computed, exactly)), name
            assert np.all(2 * found.error <= 1e-3 * abs(found.value)), name  # a fault of 0.1 %
            apart = abs(computed.astype(np.longdouble) - exactly)
            shares.append(np.max(apart / np.where(found.error > 0, found.error, np.inf)))
        assert max(shares) == 0 or 0.01 < max(shares) <= 1, (name, max(shares))


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32), terms=st.integers(1, 200))
def test_a_sum_in_any_order(seed: int, terms: int) -> None:
    rng = np.random.default_rng(seed)
    x = (rng.standard_normal(terms) * 10.0 ** rng.integers(-6, 6, terms)).astype(np.float32)
    found, exactly = total(exact(x, F32)), math.fsum(x)
    shuffled = rng.permutation(x)
    computed = [np.cumsum(shuffled)[-1], shuffled.sum(), np.cumsum(np.sort(x))[-1]]
    assert all(abs(one - exactly) <= found.error for one in computed)


def test_what_is_certain_stays_so() -> None:
    rows = exact(np.array([[0.0, 3.7, 0.0], [0.0, 0.0, 0.0]]), F32)
    assert not total(rows, 1).error.any()  # one term, or none
    scores = exact(np.array([[1.5, -np.inf, 0.25], [2.0, 1.0, -np.inf]]), F32)
    powers = b.exp(scores - b.largest(scores, 1, keepdims=True))
    shares = powers / total(powers, 1, keepdims=True)
    assert shares.error[shares.value == 0].tolist() == [0.0, 0.0]
    assert np.isfinite(shares.error).all()
    one = exact(np.array([1.0]), F32)
    assert not (one * rows).error.any()
    assert not (rows + 0.0).error.any()
    assert not (rows - rows).error.any()
    assert not b.maximum(-1 * abs(rows) - 1.0, 0.0).error.any()


def test_a_mask_of_the_lowest_number_hides() -> None:
    lowest = float(np.finfo(np.float32).min)
    scores = exact(np.array([[1.5, -5.0, 0.25]]), F32) + np.array([[0.0, lowest, 0.0]])
    powers = b.exp(scores - b.largest(scores, 1, keepdims=True))
    shares = powers / total(powers, 1, keepdims=True)
    assert (shares.error < 1e-5).all()
    assert shares.error[0, 1] < 1e-30


def test_what_overflows_has_no_bound() -> None:
    x = exact(np.array([3e38, 1e20, -3e38]), F32)
    assert np.isinf((x + x).error).tolist() == [True, False, True]
    assert np.isinf((x * x).error).all()
    assert np.isinf(total(x * 1.0 + 1e38, 0).error).all()
    assert np.isinf(b.exp(exact(np.array([90.0]), F32)).error).all()
    assert np.isfinite(b.exp(exact(np.array([90.0]), F64)).error).all()


def test_a_division_by_the_inverse_flushed_to_zero() -> None:
    found = exact(np.array([1e5]), F32) / exact(np.array([3e38]), F32)
    assert found.value <= found.error


def test_a_sum_whose_partial_sums_are_flushed_to_zero() -> None:
    terms = F32.eta * np.array([2.0, -1.1, -1.2, 2.1])  # 0.9 η, flushed, and 0.9 η more
    for found in (
        total(exact(terms, F32)),
        b.cumulative(exact(terms, F32), 0)[3],
        b.put_add(exact(np.zeros(1), F32), np.zeros(4, int), exact(terms, F32))[0],
        exact(terms, F32) @ exact(np.ones(4), F32),
    ):
        assert found.value <= found.error


def test_a_number_in_the_text_is_rounded_to_the_format() -> None:
    for number in (0.1, 0.5, 3, -7.25, 1e-5, 2.0**-20):
        found = constant(number, F32)
        assert abs(float(np.float32(number)) - number) <= found.error
        assert (found.error == 0) == (float(np.float32(number)) == number)
        assert not constant(number, F64).error.any()
    tenth = exact(np.array([1.0]), F32) * 0.1
    assert (tenth.error > 1e-10).all()
    assert b.irrational(math.pi, F64).error > 0


def test_formats() -> None:
    x = exact(np.array([0.1, 0.5]), F64)
    single = b.cast(x, F32)
    assert (single.error > 0).tolist() == [True, False]
    assert (abs(x.value.astype(np.float32) - x.value) <= single.error).all()
    assert (b.cast(single, F64).error == single.error).all()  # what was lost is lost
    assert (single + x).precision == F64
    powers = exact(2.0 ** np.array([-30, -14, 0, 15, 17]), F64)  # in float16: flushed, ..., ∞
    half = b.cast(powers, Precision.of(np.float16)).error
    assert (half > 0).tolist() == [True, False, False, False, True]
    assert np.isinf(half).tolist() == [False] * 4 + [True]
    counted = exact(np.array([2**24 + 1]), F32)
    assert (counted * exact(np.array([1.0]), F32)).error >= 1
    assert (exact(np.arange(3), F32) + 1).value.dtype.kind == "i"
    assert b.to_integers(exact(np.array([2.7, -2.7]), F32)).value.tolist() == [2, -2]
    with pytest.raises(TypeError, match="complex"):
        exact(np.array([1j]), F64)


def doubtful(*values: float, error: float = 0.1) -> Bounded:
    return Bounded(np.array(values), np.full(len(values), error), F64)


def test_an_uncertain_comparison() -> None:
    x = doubtful(-1.0, -0.05, 0.05, 1.0)
    positive = x > 0
    assert positive.value.tolist() == [False, False, True, True]
    assert positive.error.tolist() == [0.0, 1.0, 1.0, 0.0]
    assert (x == x.value).error.tolist() == [1.0] * 4
    assert not (exact(x.value, F64) >= exact(x.value, F64)).error.any()
    chosen = where(positive, exact(np.full(4, 3.0), F64), exact(np.full(4, 1.0), F64))
    assert chosen.error.tolist() == [0.0, 2.0, 2.0, 0.0]
    assert (positive & False).error.tolist() == [0.0] * 4
    assert (positive | False).error.tolist() == [0.0, 1.0, 1.0, 0.0]
    assert (~positive).error.tolist() == [0.0, 1.0, 1.0, 0.0]
    assert b.any_true(positive).error == 0
    assert b.any_true(positive[:2]).error == 1
    assert b.all_true(positive).error == 0
    assert b.all_true(positive[2:]).error == 1
    steps = b.floor(doubtful(0.95, 0.5))
    assert steps.error.tolist() == [1.0, 0.0]


def test_an_index_that_rounding_decides() -> None:
    x = doubtful(3.0, 2.95, 1.0)
    assert np.isinf(b.argmax(x).error)
    assert b.argmin(x).error == 0
    assert np.isinf(b.take(exact(np.arange(3.0), F64), b.argmax(x)).error)
    assert np.isinf(b.argsort(x, 0).error).tolist() == [False, True, True]
    tied = exact(np.array([1.0, 1.0]), F64)
    assert b.argmax(tied).error == 0
    assert not b.argsort(tied, 0).error.any()
    unknown = Bounded(np.array([0]), np.array([np.inf]), F64)
    assert np.isinf(b.put_add(tied, unknown, exact(np.array([1.0]), F64)).error).all()


def test_a_tie_has_no_single_derivative() -> None:
    x, one = exact(np.array([0.0, 1.0, -1.0]), F64), exact(np.ones(3), F64)
    (slope,) = cotangents(b.maximum(x, 0.0), one, [x])
    for convention in (0.0, 0.5, 1.0):
        assert (abs(slope.value - [convention, 1, 0]) <= slope.error).all()
    assert slope.error.tolist() == [0.5, 0.0, 0.0]
    twice = exact(np.array([2.0, 2.0, 1.0]), F64)
    (slope,) = cotangents(b.largest(twice), exact(1.0, F64), [twice])
    for lawful in ([1, 0, 0], [0, 1, 0], [0.5, 0.5, 0]):
        assert (abs(slope.value - lawful) <= slope.error).all()
    assert slope.error.max() <= 1
    assert slope.error[2] == 0
    near = replace(x, error=np.full(3, 0.1))
    (slope,) = cotangents(where(near > 0, near, 0.0 * near), one, [near])
    assert slope.error.tolist() == [1.0, 0.0, 0.0]


SPECS = [
    "ij,jk->ik", "bij,bjk->bik", "bqhd,bkhd->bhqk", "ij,ij->", "i,j->ij", "ij,kl->k", "ii,i->i", "ij,->ji",
    "...i,...i->...", "...ij,jk->...ik",
]  # fmt: skip


@pytest.mark.parametrize("spec", SPECS)
def test_sums_of_products(spec: str) -> None:
    rng, inputs = np.random.default_rng(0), spec.partition("->")[0].split(",")
    sizes = dict(zip("bdhijklq", (2, 3, 2, 4, 3, 5, 4, 3), strict=True))
    x, y = (
        rng.standard_normal(
            [sizes[c] for c in one.replace("...", "bh" if one is inputs[0] else "h")]
        )
        for one in inputs
    )
    found, expected = b.einsum(spec, exact(x, F64), exact(y, F64)), np.einsum(spec, x, y)
    assert found.shape == expected.shape
    assert np.all(abs(found.value - expected) <= 2 * found.error)


SHAPES = [
    ((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 2)), ((2, 3), (3, 4)), ((5, 2, 3), (3, 4)), ((5, 2, 3), (3,)),
    ((3,), (5, 3, 2)), ((1, 2, 3), (6, 3, 4)), ((6, 1, 2, 3), (1, 3, 4)), ((0, 3), (3, 2)), ((2, 0), (0, 3)),
]  # fmt: skip


@pytest.mark.parametrize(("one", "other"), SHAPES)
def test_products_of_stacks_of_matrices(one: Any, other: Any) -> None:
    rng = np.random.default_rng(0)
    x, y = (exact(rng.standard_normal(shape), F64) for shape in (one, other))
    found, expected = x @ y, x.value @ y.value
    assert found.shape == expected.shape
    assert np.all(abs(found.value - expected) <= 2 * found.error)
    g = exact(np.ones(found.shape), F64)
    for given_, slope in zip((x, y), cotangents(found, g, [x, y]), strict=True):
        assert slope.shape == given_.shape
        # It is linear: ⟨cotangent, x⟩ = ⟨g, x y⟩.
        left, right = total(slope * given_), total(found * g)
        assert abs(left.value - right.value) <= left.error + right.error


Differentiable = tuple[Callable[..., Any], Callable[..., Any]]
INDEX = np.array([[5, -1, 0], [2, 2, 11]])

DIFFERENTIABLE: dict[str, Differentiable] = {
    "exp": (lambda x, y: b.exp(x), lambda x, y: x.exp()),
    "expm1": (lambda x, y: b.expm1(x), lambda x, y: x.expm1()),
    "log": (lambda x, y: b.log(abs(x)), lambda x, y: x.abs().log()),
    "log1p": (lambda x, y: b.log1p(abs(x)), lambda x, y: x.abs().log1p()),
    "sqrt": (lambda x, y: b.sqrt(abs(x)), lambda x, y: x.abs().sqrt()),
    "rsqrt": (lambda x, y: b.rsqrt(abs(x)), lambda x, y: x.abs().rsqrt()),
    "tanh": (lambda x, y: b.tanh(x), lambda x, y: x.tanh()),
    "sigmoid": (lambda x, y: b.sigmoid(x), lambda x, y: x.sigmoid()),
    "softplus": (lambda x, y: b.softplus(x), lambda x, y: torch.nn.functional.softplus(x)),
    "erf": (lambda x, y: b.erf(x), lambda x, y: x.erf()),
    "arctan": (lambda x, y: b.arctan(x), lambda x, y: x.arctan()),
    "sin": (lambda x, y: b.sin(x), lambda x, y: x.sin()),
    "cos": (lambda x, y: b.cos(x), lambda x, y: x.cos()),
    "sum": (lambda x, y: total(x, (0, 2)), lambda x, y: x.sum((0, 2))),
    "kept sum": (lambda x, y: total(x, 1, True) * x, lambda x, y: x.sum(1, True) * x),
    "sums": (lambda x, y: b.cumulative(x, 1), lambda x, y: x.cumsum(1)),
    "product": (lambda x, y: b.product(x, 1), lambda x, y: x.prod(1)),
    "largest": (lambda x, y: b.largest(x, (1, 2)), lambda x, y: x.amax((1, 2))),
    "smallest": (lambda x, y: b.smallest(x, 0, True), lambda x, y: x.amin(0, True)),
    "sort": (lambda x, y: b.sort(x, 2), lambda x, y: x.sort(2).values),
    "clip": (lambda x, y: b.clip(x, -0.5, 0.5), lambda x, y: x.clip(-0.5, 0.5)),
    "add": (lambda x, y: x + y * 2, lambda x, y: x + y * 2),
    "subtract": (lambda x, y: 1 - x - y, lambda x, y: 1 - x - y),
    "multiply": (lambda x, y: x * y, lambda x, y: x * y),
    "divide": (lambda x, y: x / y, lambda x, y: x / y),
    "power": (lambda x, y: abs(x) ** y, lambda x, y: x.abs() ** y),
    "cube": (lambda x, y: x**3, lambda x, y: x**3),
    "square": (lambda x, y: x**2, lambda x, y: x**2),
    "root": (lambda x, y: abs(x) ** 0.5, lambda x, y: x.abs() ** 0.5),
    "maximum": (b.maximum, torch.maximum),
    "minimum": (b.minimum, torch.minimum),
    "where": (lambda x, y: where(x > y, x * x, y), lambda x, y: torch.where(x > y, x * x, y)),
    "matrix product": (lambda x, y: x @ y.T, lambda x, y: x @ y.T),
    "sum of products": (
        lambda x, y: b.einsum("bij,kj->kb", x, y),
        lambda x, y: torch.einsum("bij,kj->kb", x, y),
    ),
    "diagonal": (
        lambda x, y: b.einsum("bii,i->b", x[:, :2, :2], y[0, :2]),
        lambda x, y: torch.einsum("bii,i->b", x[:, :2, :2], y[0, :2]),
    ),
    "gather": (
        lambda x, y: b.take(x, INDEX),
        lambda x, y: x.reshape(-1)[INDEX] * torch.tensor(INDEX >= 0),
    ),
    "movement": (
        lambda x, y: moved(lambda at: at.swapaxes(0, 1)[::-1], x)[:, 0] * y[0, 0],
        lambda x, y: x.swapaxes(0, 1).flip(0)[:, 0] * y[0, 0],
    ),
    "join": (
        lambda x, y: b.join(x, y * y, x),
        lambda x, y: torch.cat([x.reshape(-1), (y * y).reshape(-1), x.reshape(-1)]),
    ),
    "scatter": (
        lambda x, y: b.put_add(x, np.array([[1, 1, -1], [4, 0, 1]]), y),
        lambda x, y: (
            x.reshape(-1)
            .index_add(0, torch.tensor([1, 1, 4, 0, 1]), y.reshape(-1)[[0, 1, 3, 4, 5]])
            .reshape(x.shape)
        ),
    ),
}


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_cotangents_are_those_of_autograd(name: str) -> None:
    ours, torchs = DIFFERENTIABLE[name]
    for seed in range(3):
        rng = np.random.default_rng(seed)
        x, y = rng.standard_normal((2, 2, 3)), rng.standard_normal((2, 3))
        one, other = exact(x, F64), exact(y, F64)
        tensors = [torch.tensor(array, requires_grad=True) for array in (x, y)]
        found, expected = ours(one, other), torchs(*tensors)
        assert found.shape == tuple(expected.shape)
        assert np.all(abs(found.value - expected.detach().numpy()) <= 2 * found.error)
        g = rng.standard_normal(found.shape)
        slopes = cotangents(found, exact(g, F64), [one, other])
        expected.backward(torch.tensor(g))
        for slope, tensor in zip(slopes, tensors, strict=True):
            truth = np.zeros(tensor.shape) if tensor.grad is None else tensor.grad.numpy()
            assert slope.shape == truth.shape
            assert np.all(abs(slope.value - truth) <= 2 * slope.error)
            # An error of 0.1 % would be seen.
            assert np.all(slope.error <= 1e-4 * abs(slope.value) + 1e-12)


def test_a_whole_network_backwards() -> None:
    rng = np.random.default_rng(0)
    shapes = {"x": (5, 4), "w": (4, 6), "b": (6,), "v": (6, 3), "y": (5, 3)}
    arrays = {name: rng.standard_normal(shape) for name, shape in shapes.items()}

    def loss(framework: Any, x: Any, w: Any, b_: Any, v: Any, y: Any) -> Any:
        hidden = framework.tanh(x @ w + b_)
        scores = hidden @ v
        if framework is torch:
            return -(torch.log_softmax(scores, 1) * y).mean()
        apart = scores - b.largest(scores, 1, True)
        logs = apart - b.log(total(b.exp(apart), 1, True))
        return -total(logs * y) / y.size

    ours = [exact(array, F64) for array in arrays.values()]
    tensors = [torch.tensor(array, requires_grad=True) for array in arrays.values()]
    loss(torch, *tensors).backward()
    slopes = cotangents(loss(b, *ours), exact(1.0, F64), ours)
    for slope, tensor in zip(slopes, tensors, strict=True):
        assert tensor.grad is not None
        apart = abs(slope.value - tensor.grad.numpy())
        assert (apart <= 2 * slope.error).all()
        assert (slope.error <= 1e-4 * abs(slope.value)).mean() > 0.9


def test_what_an_output_does_not_depend_on_has_no_cotangent() -> None:
    x, y = exact(np.ones(2), F64), exact(np.ones(3), F64)
    one, other = cotangents(x * x, exact(np.ones(2), F64), [x, y])
    assert one.value.tolist() == [2.0, 2.0]
    assert not other.value.any()
    assert not other.error.any()


@pytest.mark.parametrize("precision", [F32, F64])
def test_integers_that_the_format_holds_are_computed_exactly(precision: Precision) -> None:
    ones, largest = exact(np.ones((2, 7)), precision), 1 / precision.u
    for found in (total(ones, 1), b.cumulative(ones, 1), 3 * ones - 1, b.cumulative(ones, 1) * 5):
        assert not found.error.any()
    assert not (exact([largest - 2], precision) + 1).error.any()
    beyond = exact([largest - 1, 1.0, 1.0], precision)
    for rounding in (total(beyond), beyond + 2, beyond * 3, total(ones * 0.1), ones * 0.5 + 0.3):
        assert rounding.error.any()
