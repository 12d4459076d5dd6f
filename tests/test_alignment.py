"""Layouts reproduce an array exactly; two recordings are aligned by their numbers, and by nothing else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gradparity.tracing import layouts
from gradparity.tracing.alignment import Alignment, align, tolerances
from gradparity.tracing.recording import INPUT, PARAMETER, Recorder, Recording, Ref

Array = NDArray[Any]


def normal(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).standard_normal(shape)


# --- Layouts --------------------------------------------------------------------------------------


@st.composite
def shapes(draw: st.DrawFn) -> tuple[int, ...]:
    return tuple(draw(st.lists(st.integers(1, 5), min_size=1, max_size=4)))


@st.composite
def moves(draw: st.DrawFn) -> tuple[Array, Array]:
    """An array, and it or a part of it: taken in any order along axes, axes permuted, neighbours joined."""
    x = normal(*draw(shapes()), seed=draw(st.integers(0, 1000)))
    y = x
    for axis in range(x.ndim):
        move = draw(st.sampled_from(["none", "none", "reverse", "slice", "order"]))
        size = y.shape[axis]
        if move == "reverse":
            y = np.flip(y, axis)
        elif move == "slice":
            first = draw(st.integers(0, size - 1))
            y = y.take(range(first, draw(st.integers(first, size - 1)) + 1), axis)
        elif move == "order":
            y = y.take(draw(st.permutations(range(size))), axis)
    y = y.transpose(draw(st.permutations(range(y.ndim))))
    joined = draw(st.integers(0, y.ndim - 1))
    shape = (*y.shape[:joined], -1, *y.shape[joined + 2 :])
    return x, y.reshape(shape) if draw(st.booleans()) else y


def factors(number: int) -> list[int]:
    return [n for n in range(1, number + 1) if number % n == 0]


@st.composite
def other_shape(draw: st.DrawFn, size: int) -> tuple[int, ...]:
    shape: list[int] = []
    while size > 1 and len(shape) < 4:
        shape.append(draw(st.sampled_from(factors(size)[1:])))
        size //= shape[-1]
    return (*shape, size)


@settings(max_examples=40)
@given(moves())
def test_a_layout_reproduces_what_was_moved(arrays: tuple[Array, Array]) -> None:
    x, y = arrays
    layout = layouts.find(x, y)
    assert layout is not None
    assert layout.explained, str(layout)
    assert np.array_equal(layout.apply(x), y)
    assert layout.apply(x).shape == y.shape
    assert layout.identity == (x.shape == y.shape and np.array_equal(x, y))
    assert np.array_equal(x.ravel()[layout.positions()], y)


@settings(max_examples=40)
@given(st.data())
def test_a_layout_reproduces_what_was_permuted_and_reshaped(data: st.DataObject) -> None:
    x = normal(*data.draw(shapes()))
    y = x.transpose(data.draw(st.permutations(range(x.ndim)))).reshape(
        data.draw(other_shape(x.size))
    )
    z = x.reshape(data.draw(other_shape(x.size)))
    z = z.transpose(data.draw(st.permutations(range(z.ndim))))
    for moved in (y, z):
        layout = layouts.find(x, moved)
        assert layout is not None
        assert layout.explained, str(layout)
        assert np.array_equal(layout.apply(x), moved)


@settings(max_examples=20)
@given(st.integers(0, 1000))
def test_entries_shuffled_are_another_order(seed: int) -> None:
    x = normal(4, 6, 5)
    y = np.random.default_rng(seed).permutation(x.ravel()).reshape(x.shape)
    layout = layouts.find(x, y)
    assert layout is not None
    assert not layout.explained
    assert str(layout) == "the same numbers in another order"
    assert np.array_equal(layout.apply(x), y)


@settings(max_examples=40)
@given(moves(), st.data())
def test_a_changed_entry_is_no_layout(arrays: tuple[Array, Array], data: st.DataObject) -> None:
    x, y = arrays
    changed = np.array(y)
    changed.flat[data.draw(st.integers(0, y.size - 1))] += 1e-3
    assert layouts.find(x, changed) is None


def test_numbers_that_stand_more_than_once_do_not_hide_the_layout() -> None:
    x = np.maximum(normal(3, 10, 32), 0)
    y = x.reshape(3, 10, 4, 8).transpose(0, 2, 1, 3)
    layout = layouts.find(x, y)
    assert layout is not None
    assert str(layout) == "reshaped from (3, 10, 32) to (3, 10, 4, 8), axes (0, 2, 1, 3)"


@pytest.mark.parametrize(
    ("moved", "words"),
    [
        (lambda x: x, "identity"),
        (lambda x: x.T, "transposed"),
        (lambda x: x.reshape(96, 64), "reshaped from (64, 96)"),
        (lambda x: x[:, 32:64], "columns 32..63 of (64, 96)"),
        (lambda x: x[:, 32:64].T, "columns 32..63 of (64, 96), transposed"),
        (lambda x: x[::-1], "axis 0 reversed"),
        (
            lambda x: x.reshape(64, 3, 32)[:, [1, 0, 2]].reshape(64, 96),
            "axis 1 of (64, 3, 32) in the order 1, 0, 2",
        ),
    ],
)
def test_a_layout_in_words(moved: Any, words: str) -> None:
    x = normal(64, 96)
    assert str(layouts.find(x, moved(x))) == words


def test_the_nearest_layout_of_other_numbers() -> None:
    x = normal(3, 5, 4)
    found = layouts.nearest(x, x.transpose(0, 2, 1) * (1 + 1e-3 * normal(3, 4, 5, seed=1)))
    assert found is not None
    assert str(found[0]) == "axes (0, 2, 1)"
    assert 0 < found[1] < 1e-2
    assert layouts.nearest(x, x[0]) is None


# --- Recordings, made by hand ---------------------------------------------------------------------


class Program:
    """A recording in the making."""

    def __init__(self, **leaves: Array) -> None:
        self._recorder = Recorder("numpy")
        self.of = {
            name: self._recorder.leaf(INPUT if name == "x" else PARAMETER, name, value)
            for name, value in leaves.items()
        }

    def __call__(self, value: Array, *inputs: int, name: str = "array") -> int:
        return self._recorder.call(name, tuple(map(Ref, inputs)), {}, [value], None)[0]

    def finished(self, **outputs: int) -> Recording:
        return self._recorder.finished(outputs)


def found(alignment: Alignment) -> set[tuple[int, int]]:
    return {(pair.a, pair.b) for pair in alignment.pairs}


def test_arrays_are_paired_whatever_their_layout_and_order() -> None:
    x, w = normal(6, 5), normal(5, 4, seed=1)
    one, other = Program(x=x, w=w), Program(weight=w.T, x=x)
    one(x @ w, 0, 1)
    one(np.tanh(x @ w), 2)
    other(np.abs(w.T), 0)
    other((x @ w).T, 0, 1)
    other(np.tanh(x @ w).reshape(2, 3, 4), 3)
    alignment = align(one.finished(), other.finished())
    assert found(alignment) == {(0, 1), (1, 0), (2, 3), (3, 4)}
    assert [str(pair.layout) for pair in alignment.pairs] == [
        "identity",
        "transposed",
        "transposed",
        "reshaped from (6, 4)",
    ]


@pytest.mark.parametrize(
    "trivial",
    [
        np.zeros((4, 4)),
        np.tri(5),
        np.full((3, 3), 0.375),
        np.arange(20),
        np.array(0.5),
        np.where(np.tri(4) > 0, normal(4, 4), -np.inf),
        np.full(9, np.nan),
    ],
)
def test_trivial_arrays_are_no_evidence(trivial: Array) -> None:
    one, other = Program(x=normal(3)), Program(x=normal(3, seed=1))
    one(trivial, 0)
    other(trivial, 0)
    assert found(align(one.finished(), other.finished())) == {(0, 0)}  # the leaf, by its name


def test_what_depends_on_no_input_is_no_evidence() -> None:
    table = normal(4, 4)
    one, other = Program(), Program()
    one(table)
    other(table)
    assert not align(one.finished(), other.finished()).pairs


def test_few_numbers_are_evidence_in_float64() -> None:
    x = normal(4, 1)
    one, other = Program(x=x), Program(x=x)
    one(np.array((x * x).sum() / 4), 0)
    other(x * x, 0)
    other(np.array((x * x).mean()), 1)
    assert found(align(one.finished(), other.finished())) == {(0, 0), (1, 2)}


@pytest.mark.parametrize(("above", "paired"), [(True, True), (False, False)])
def test_few_numbers_are_evidence_in_float32_only_between_known_arrays(
    above: bool, paired: bool
) -> None:
    x, w = normal(9), normal(9, seed=1)
    one, other = Program(x=x, w=w), Program(x=x, w=w)
    loss = np.array((x * x).sum())
    one(loss, 0)
    other(loss * (1 + 1e-8), 0 if above else 1)
    alignment = align(one.finished(), other.finished())
    assert ((2, 2) in found(alignment)) == paired


def test_copies_views_and_transposes_are_one_quantity() -> None:
    x = normal(6, 5)
    one, other = Program(x=x), Program(x=x)
    one(x.T, 0)
    one(x.copy(), 0)
    one(x.copy())
    other(x[::-1], 0)
    alignment = align(one.finished(), other.finished())
    assert [(q.a, q.b) for q in alignment.quantities] == [((0, 1, 2), (0, 1))]
    assert alignment.origins("a", alignment.quantities[0]) == (0,)
    assert found(alignment) == {(0, 0), (1, 1)}


def test_across_a_float32_island_the_grade_says_so() -> None:
    x = normal(20, 3)
    one, other = Program(x=x), Program(x=x)
    one(np.exp(x), 0)
    other(np.exp(x).astype(np.float32).astype(np.float64), 0)
    alignment = align(one.finished(), other.finished())
    assert [(p.a, p.b, p.grade) for p in alignment.pairs] == [(0, 0, "float64"), (1, 1, "float32")]


def test_other_numbers_are_no_pair() -> None:
    x = normal(20, 3)
    one, other = Program(x=x), Program(x=x)
    y = np.exp(x)
    one(y, 0)
    changed = y.copy()
    changed[3, 1] *= 1.01
    other(changed, 0)
    other(-y, 0)
    other(y * 1.5, 0)
    alignment = align(one.finished(), other.finished())
    assert found(alignment) == {(0, 0)}


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
@pytest.mark.parametrize("axis", [0, 1])
def test_a_fused_weight_is_found_in_parts(order: tuple[int, ...], axis: int) -> None:
    q, k, v = (normal(8, 8, seed=seed) for seed in range(3))
    fused = np.concatenate([(q, k, v)[i] for i in order], axis)
    one, other = Program(fused=fused), Program(q=q, k=k, v=v.T)
    for a, b, side in ((one, other, "a"), (other, one, "b")):
        alignment = align(a.finished(), b.finished())
        assert {(part.side, part.whole, part.part) for part in alignment.parts} == {
            (side, 0, i) for i in range(3)
        }
        for part in alignment.parts:
            assert np.array_equal(part.layout.apply(fused), (q, k, v.T)[part.part])


def test_leaves_of_one_name_are_paired_whatever_their_numbers() -> None:
    one = Program(x=np.zeros((2, 2)), w=normal(3, 3), ones=np.ones(3))
    other = Program(x=np.ones((2, 2)), w=normal(3, 3, seed=1), scale=np.ones(3))
    assert found(align(one.finished(), other.finished())) == {(0, 0), (1, 1), (2, 2)}


def test_the_tolerance_is_far_below_what_differs() -> None:
    one = Program(x=normal(1000, 3))
    for n in range(300):
        one(normal(3), n)
    recording = one.finished()
    allowed = tolerances(recording, recording)
    assert allowed["float64"] < 1e-9
    assert allowed["float32"] < 1e-4
