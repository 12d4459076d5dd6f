"""A NumPy program runs as without a recorder, bit for bit, and every array that it makes is recorded."""

from __future__ import annotations

import copy
import json
import linecache
import math
import operator
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import impl_numpy.gradients as by_hand
from gradparity.campaigns.narrow_faults.right import numpy_forms
from gradparity.contract import Conv, Dense, Layer, Network
from gradparity.tracing.numpy_recorder import NumpyRecorder
from gradparity.tracing.recording import (
    CONSTANT,
    INPUT,
    LEAVES,
    PARAMETER,
    Recording,
    with_values,
)

X = np.array([[1.5, -2.25, 3.0], [-0.75, 0.5, 2.0]])
W = np.array([[0.5, 1.25, -1.5], [2.0, -0.25, 0.75], [-1.0, 3.5, 0.125]])
V = np.array([[4.0, 0.5, -1.0]])
"""Sums of their products are exact, in whatever order they are added."""

PROGRAMS = {
    # Operators and functions.
    "r = 2 * x - x / 4": "multiply divide subtract",
    "r = -x ** 2 + abs(x) ** 0.5": "square negative absolute sqrt add",
    "r = x @ w": "matmul",
    "r = V @ w": "matmul",
    "r = x > 0": "greater",
    "r = np.sum([x, x], axis=0) + np.mean([x.max(), 2])": "sum max mean add",
    "r = np.fft.fft(x).real * 1": "fft.fft real multiply",
    "r = np.random.default_rng(0).choice(np.array(x[0]), 3) + x": "getitem array add",
    "r = divmod(x, 0.5)": "divmod divmod",
    "r = np.exp(x) / np.exp(x).sum(axis=1, keepdims=True)": "exp exp sum divide",
    "r = np.einsum('ij,jk->ik', x, w)": "einsum",
    "r = np.tensordot(x, w, 1) + np.inner(x, w)": "tensordot inner add",
    "r = np.dot(x, w).max(axis=0)": "dot max",
    "r = np.where(x > 0, x, 0.25 * x)": "greater multiply where",
    "r = np.clip(x, -1, 1) + np.maximum(0, x)": "clip maximum add",
    "r = np.concatenate([x, w], axis=0)": "concatenate",
    "r = np.vstack((x, w)) + np.stack(list(np.concatenate((x, w))))": "vstack concatenate"
    + " getitem" * 5
    + " stack add",
    "a, b = np.split(x, 2); r = a + b": "split split add",
    "r = np.linalg.norm(x, axis=1)": "linalg.norm",
    "r = np.linalg.svd(x).S": "linalg.svd linalg.svd linalg.svd",
    "r = np.pad(x, ((1, 1), (0, 0)))": "pad",
    "r = np.outer(x[0], w[:, 0])": "getitem getitem outer",
    "r = np.multiply.outer(x[0], w[0])": "getitem getitem multiply.outer",
    "r = np.add.reduce(x) + np.add.accumulate(x, axis=1)": "add.reduce add.accumulate add",
    "r = np.add.reduceat(x, [0, 2], axis=1)": "add.reduceat",
    "r = np.compress([True, False], x, axis=0)": "compress",
    "r = np.lib.stride_tricks.sliding_window_view(x, (2, 2)) * 1": "sliding_window_view multiply",
    "r = np.lib.stride_tricks.as_strided(x, (2, 2), x.strides) * 1": "as_strided multiply",
    "r = np.vectorize(lambda t: t * t)(x)": "vectorize",
    "r = np.apply_along_axis(lambda row: row.sum(), 1, x)": "apply_along_axis",
    # Methods and attributes.
    "r = x.dot(w).reshape(-1).T": "dot reshape transpose",
    "r = x.reshape(3, 2).transpose(1, 0) + x.swapaxes(0, 1).mT": "reshape transpose swapaxes"
    " matrix_transpose add",
    "r = x.reshape((3, 2), order='F').ravel() + x.flatten()": "reshape ravel flatten add",
    "r = x.mean(axis=0, keepdims=True).squeeze() - x.var(0)": "mean squeeze var subtract",
    "r = x.sum() + x.prod(1) + x.cumsum(0)[:, :2].T[:2].sum(0)": "sum prod add cumsum getitem"
    " transpose getitem sum add",
    "r = x.copy().astype(np.float32).repeat(2, axis=0)": "copy astype repeat",
    "r = x.take([0, 2], axis=1) + x.compress([True, True], axis=0)[:, :2]": "take compress getitem"
    " add",
    "r = x.clip(-1, 1) + x.round(1) + (1j * x).conj()": "clip round add multiply conjugate add",
    "r = copy.copy(x) + copy.deepcopy(x)": "copy copy add",
    "i = x.argmax(axis=1); r = x[np.arange(len(x)), i]": "argmax getitem",
    "r = x[np.argsort(x[:, 0])]": "getitem argsort getitem",
    "r = x[:, None] * x[..., ::-1]": "getitem getitem multiply",
    "r = x[x > 0].sum()": "greater getitem sum",
    # Rows, lists, loops.
    "r = [row @ w for row in x]": "getitem matmul getitem matmul",
    "r = np.array([row @ w for row in x])": "getitem matmul getitem matmul array",
    "r = np.array([[t * t for t in row] for row in x[:, :1]])": "getitem getitem getitem multiply"
    " getitem getitem multiply array",
    "a, b = x; r = a * b": "getitem getitem multiply",
    "r = sum(row * 2 for row in x)": "getitem multiply add getitem multiply add",
    "r = np.zeros((3, 3))\nfor a, b in zip(x, x):\n    r += np.outer(a, b)": "getitem getitem outer"
    " add getitem getitem outer add",
    "r = np.empty(2)\nfor i in range(2): r[i] = x[i] @ w[0]": "getitem getitem matmul setitem"
    " getitem getitem matmul setitem",
    "r = np.concatenate([np.zeros((1, 3)), x])": "concatenate",
    "r = x[0].reshape(-1, 1) @ x[1].reshape(1, -1)": "getitem reshape getitem reshape matmul",
    "from numpy import zeros as empty_of\nr = empty_of(3)\nr[1] = x[0, 0]": "getitem setitem",
    # In place, and through views.
    "x += 1.5; r = x": "add",
    "x *= x; x -= x[0]; r = x": "multiply getitem subtract",
    "x **= 2; r = x + 0": "square add",
    "v = x[0]; v[...] = 3; r = x * 2": "getitem setitem overlay multiply",
    "v = x[0]; v += x[1]; r = x.sum()": "getitem getitem add overlay sum",
    "t = x.T; t *= 2; r = x @ w": "transpose multiply overlay matmul",
    "v = x[1:]; x += 1; r = v * 1": "getitem add overlay multiply",
    "v = x[:, ::2]; u = v[1]; u *= 2; r = v + 0, x + 0": "getitem getitem multiply overlay add"
    " overlay add",
    "x[0] = x[1]; x[1] += x[0]; r = x": "getitem setitem getitem getitem add overlay",
    "x[x < 0] = 0; r = x": "less setitem",
    "x[[0, 1], [0, 2]] = 4; r = x": "setitem",
    "y = x; y -= 1; r = x": "subtract",
    "y = x.copy(); y[0] = 0; r = x + y": "copy setitem add",
    "r = np.empty_like(x); np.add(x, 1, out=r)": "add",
    "r = np.add(x, 1, where=x > 0, out=np.zeros_like(x))": "greater zeros_like add",
    "r = np.zeros((2, 3)); np.matmul(x, w, r)": "matmul",
    "r = x.sum(axis=0, out=np.zeros(3))": "sum",
    "np.clip(x, 0, 1, x); r = x": "clip",
    "np.copyto(x, 1.5); r = x": "copyto",
    "np.copyto(x, w[0], where=x > 0); r = x": "getitem greater copyto",
    "np.add.at(x, ([0, 0], [1, 1]), 1.5); r = x": "add.at",
    "np.put(x, [0, 3], 9.0); r = x": "put",
    "np.put(x, ind=[0, 3], v=[x[0, 1], 1]); r = x": "getitem put",
    "P = np.zeros(2); np.copyto(P, [x[0, 0], x[1, 0]]); r = P + 1": "getitem getitem copyto add",
    "x.fill(2.0); r = x": "fill",
    "x.sort(axis=0); r = x": "sort",
    "np.fill_diagonal(w, 0); r = w": "fill_diagonal",
    "x.shape = (3, 2); r = x * 1": "take multiply",
    "r = np.atleast_2d(x) is x, np.asarray(x) is x": "",
    # What becomes a plain array on the way is found again.
    "r = np.asarray(x) * 2": "multiply",
    "r = np.array(x) + np.ascontiguousarray(x.T).T": "array transpose ascontiguousarray transpose"
    " add",
    "r = np.array(x.tolist()) * 2": "asarray multiply",
    "r = np.r_[x[0], 1.0]": "getitem concatenate",
    "r = np.c_[x, np.ones(2)] @ np.ones(4)": "take transpose concatenate matmul",
    "P[...] = x @ w; r = P * x": "matmul asarray multiply",
    "P[0] = x[0] * 2; P[1] = x[1] * 3; r = P * x": "getitem multiply getitem multiply array"
    " multiply",
    "np.add(x, 1, out=P); r = P * x": "add multiply",
    # Numbers.
    "m = np.mean(x); d = m / 4; r = d ** 3": "mean divide power",
    "r = np.float64(2) * x[0, 0] - 1 + 3 * x[0, 1]": "getitem multiply subtract getitem multiply"
    " add",
    "r = sum(x[i, 0] * x[i, 1] for i in range(2))": "getitem getitem multiply add"
    " getitem getitem multiply add",
    "r = round(x[0, 0], 1) + abs(x[0, 1]) + divmod(x[0, 2], 2)[1]": "getitem round getitem"
    " absolute add getitem divmod divmod add",
    "r = math.exp(x[0, 0]) * x + math.log(2.0)": "getitem exp multiply add",
    "r = math.log(x[0, 0], 2) * x.item(0) + x[0, 0].item()": "getitem math.log take multiply"
    " getitem take add",
    "r = x.item(1, 2) + x.item((0, 1)) + x.sum().item()": "getitem getitem add sum take add",
    "r = math.log(x[0, 0]) * 2": "getitem log multiply",
    "t = x.sum(); u = t; t += 1; r = (t, u)": "sum add",
    "r = np.float32(3) * x.astype(np.float32).sum()": "astype sum multiply",
    "r = (x * 4).astype(int).sum() // 3": "multiply astype sum floor_divide",
    "r = (x + 1j).sum() * 2": "add sum multiply",
    "r = w[x.argmax() - 1]": "argmax subtract getitem",
}
"""Programs on `x` and `w`, recorded, `V` and `P`, not recorded, with the operations of their recordings but leaves."""

ENDS = {
    "r = x if x.any() else w": "the program's course depends on it",
    "r = x * 2 if x[0, 0] > 1 else x": "the program's course depends on it",
    "r = max(x[0, 0], x[0, 1]) + 1": "the program's course depends on it",
    "r = np.allclose(x, x)": "the program's course depends on it",
    "r = 1.5 in x": "the program's course depends on it",
    "r = float(x[0, 0]) + 1": "a number is taken out",
    "r = int(x[0, 0])": "a number is taken out",
    "r = round(x[0, 0])": "a number is taken out",
    "r = list(range(x.argmax()))": "a number is taken out",
    "r = [1, 2, 3][x.argmax() - 1]": "a number is taken out",
    "r = x.tolist()": "`tolist` takes its numbers out",
    "r = [t for t in x.flat]": "its elements are taken one by one",
    "r = x.astype(object) + 1": "makes what is not an array of numbers",
    "r = x.astype(str)": "makes what is not an array of numbers",
    "r = np.matrix(x) * w": "it becomes an array of type matrix",
    "m = np.matrix(W)\nr = x * m": "it meets an array of type matrix",
    "r = x * np.ma.array(x, mask=x > 0)": "it meets an array of type MaskedArray",
    "r = np.frompyfunc(lambda t: t + 1, 1, 1)(x)": "makes what is not an array of numbers",
    "x.flat[1] = 7; r = x * 1": "its elements are taken one by one",
}
"""Programs that take values out of the recording, and what the recording says."""

SILENT = [
    "r = f'{np.mean(x):.3f} {x} {x[0, 0]!r} {x[0]!r}'",
    "r = np.isscalar(np.mean(x)), isinstance(np.mean(x), float), isinstance(x, np.ndarray)",
    "r = hash(x[0, 0]), {x[0, 0]: 1}[1.5], json.dumps({'loss': x.mean(), 'first': x.item(0)})",
    "r = x.shape, x.ndim, x.size, len(x), x.dtype, x.nbytes, np.shape(x), x.flags.c_contiguous",
    "r = np.result_type(x, np.float32), np.can_cast(x.dtype, int), np.ndim(x), np.iscomplexobj(x)",
    "r = x.real, x.imag",
    "r = np.meshgrid(x[0], x[1])",
    "r = np.unique(x, return_counts=True)",
    "r = np.nonzero(x), np.ix_(x[0] > 0)",
    "r = np.block([[x], [w]])",
    "r = np.histogram(x)",
    "r = np.linalg.lstsq(x, x[:, 0])",
    "r = x.view(np.int64)",
    "r = np.ma.masked_where(x > 0, x).sum()",
    "r = np.random.default_rng(0).permutation(x)",
    "r = np.select([x > 0, x < 0], [x, -x])",
    "r = np.piecewise(x, [x > 0], [lambda t: t, 0])",
    "r = np.rec.fromarrays(x)",
    "r = bytes(memoryview(np.ascontiguousarray(x)))",
    "r = pickle.loads(pickle.dumps(x))",
    "r = np.array2string(x), np.array_repr(x), np.array_str(x)",
    "r = np.fromiter((t for t in x[0]), float)",
    "r = [t * 2 for t in np.nditer(x)], list(np.ndenumerate(x))[1:]",
    "np.random.default_rng(0).shuffle(x); r = x",
    "r = x.T.base is None, x[0].flags.writeable",
    "try:\n    r = x @ x\nexcept ValueError as error:\n    r = str(error)",
    "try:\n    r = x + [1, 2]\nexcept ValueError as error:\n    r = str(error)",
    "try:\n    r = x[7]\nexcept IndexError as error:\n    r = str(error)",
    "try:\n    r = x.mean() + 'a'\nexcept TypeError as error:\n    r = type(error)",
    "r = hasattr(x.sum(), '__iter__'), x.sum()[()]",
    "try:\n    r = x[0, 0][0]\nexcept IndexError as error:\n    r = str(error)",
    "with np.errstate(all='ignore'):\n    r = x / 0, x[0, 0] / 0, np.log(-x), x.sum() ** 0.5",
]
"""Programs that only have to run as they do without a recorder."""


def run(program: str, recorder: NumpyRecorder | None) -> Any:
    """What a program leaves in `r`."""
    names: dict[str, Any] = {
        **{"np": np, "math": math, "copy": copy, "json": json, "pickle": __import__("pickle")},
        **{"V": V, "W": W, "P": np.zeros((2, 3)), "x": X.copy(), "w": W.copy()},
    }
    linecache.cache["program.py"] = (len(program), None, program.splitlines(True), "program.py")
    code = compile(program, "program.py", "exec")
    if recorder is None:
        exec(code, names)
        return names["r"]
    names["x"], names["w"] = recorder.given(INPUT, "x", X), recorder.given(PARAMETER, "w", W)
    with recorder:
        exec(code, names)
    return names["r"]


def parts(value: Any) -> Iterator[Any]:
    """The arrays, numbers and other things in a result."""
    if isinstance(value, list | tuple):
        for one in value:
            yield from parts(one)
    else:
        yield value


def bits(value: Any) -> Any:
    """All that can be told of a part of a result, but for whether it is recorded."""
    if isinstance(value, np.ndarray):
        layout = (value.dtype, value.shape, value.strides)
        return (*layout, value.tolist() if value.dtype == object else value.tobytes())
    if isinstance(value, np.generic | float):
        return isinstance(value, float), np.asarray(value).dtype, repr(value)
    return type(value), repr(value)


def assert_same_result(with_: Any, without: Any) -> None:
    assert list(map(bits, parts(with_))) == list(map(bits, parts(without)))


def operations(recording: Recording) -> str:
    return " ".join(e.operation for e in recording.events if e.operation not in LEAVES)


def outputs(result: Any) -> dict[str, Any]:
    found = [part for part in parts(result) if isinstance(part, np.ndarray | np.generic | float)]
    return {str(index): part for index, part in enumerate(found)}


# What a recording says that an event is, computed again by NumPy from the recorded arguments.


def changed(function: Any) -> Any:
    def again(array: Any, *arguments: Any, **attributes: Any) -> Any:
        array = array.copy()
        function(array, *arguments, **attributes)
        return array

    return again


def overlay(old: Any, new: Any, positions: Any) -> Any:
    return np.where(positions < 0, old, new.reshape(-1)[positions])


AGAIN: Mapping[str, Any] = {
    "getitem": operator.getitem,
    "setitem": changed(operator.setitem),
    "add.at": changed(np.add.at),
    "fill": changed(np.ndarray.fill),
    "overlay": overlay,
    "flatten": np.ravel,
    "math.log": math.log,
    "divmod": divmod,
    "as_strided": lambda x, shape, strides: np.lib.stride_tricks.as_strided(
        x.copy(), shape, strides
    ),
    "sliding_window_view": np.lib.stride_tricks.sliding_window_view,
    "vectorize": lambda function, *arguments: np.vectorize(function)(*arguments),
    **{name: changed(getattr(np, name)) for name in ("copyto", "put", "fill_diagonal")},
}


def assert_made_again(recording: Recording) -> None:
    """Every event is its operation on its arguments."""
    for event in recording.events:
        if event.operation in LEAVES:
            continue
        arguments, attributes = with_values(
            (event.arguments, dict(event.attributes)),
            lambda index: recording.events[index].value.copy(),
        )
        function = AGAIN.get(event.operation)
        if function is None:
            function = operator.attrgetter(event.operation)(np)
        found = function(*arguments, **attributes)
        if isinstance(found, tuple | list):
            found = found[event.result]
        assert np.array_equal(found, event.value, equal_nan=True), event


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_is_recorded(program: str) -> None:
    without = run(program, None)
    recorder = NumpyRecorder()
    result = run(program, recorder)
    recording = recorder.finished(outputs(result))
    assert_same_result(result, without)
    assert operations(recording) == PROGRAMS[program]
    assert_made_again(recording)
    results = recording.outputs.values()
    assert recording.from_inputs.issuperset(results)
    for event in recording.events:
        assert (event.source is None) == (event.operation in LEAVES)
        assert event.source is None or event.source.file == "program.py"


@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
@pytest.mark.parametrize("program", ENDS)
def test_where_values_leave_the_recording_it_says_so(program: str) -> None:
    without = run(program, None)
    recorder = NumpyRecorder()
    assert_same_result(run(program, recorder), without)
    (end, *_) = recorder.finished({}).ends
    assert ENDS[program] in end.why
    assert end.event is not None
    assert end.source is not None
    assert end.source.file == "program.py"


@pytest.mark.parametrize("program", SILENT)
def test_whatever_a_program_does_its_result_is_the_same(program: str) -> None:
    without = run(program, None)
    recorder = NumpyRecorder()
    assert_same_result(run(program, recorder), without)
    recording = recorder.finished({})
    assert not [end for end in recording.ends if "cannot be recorded" in end.why]


STATEMENTS = [
    "{a} = {b} + {c}",
    "{a} = {b}[:]",
    "{a} = {b}[::-1]",
    "{a} = {b}.reshape(3, 2).reshape(2, 3)",
    "{a} = {b}.copy()",
    "{a} = {b} - {b}.max()",
    "{a} = np.asarray({b})",
    "{a} = np.array([row / 2 for row in {b}])",
    "{a} = np.where({b} > {c}, {b}, s)",
    "{a} += {b}",
    "{a} *= 0.5",
    "{a}[{i}] = {b}[{j}]",
    "{a}[{i}] -= {b}[{j}]",
    "{a}[:, {k}] *= 2",
    "{a}[:, ::2] = {b}[:, 1:]",
    "{a}[{b} > 0] = 0.5",
    "{a}.T[...] = {b}.T",
    "{a}.fill(s)",
    "{a}.sort(axis=0)",
    "np.copyto({a}, {b})",
    "np.add({a}, {b}, out={c})",
    "np.maximum({a}, 0.25, out={a})",
    "np.subtract({a}, {b}, out={c}, where={b} > 0)",
    "np.add.at({a}, [0, 0], {b}[{j}])",
    "v = {a}[{i}]; v -= {b}[{j}]",
    "s = s / 2 + {a}[{i}, {k}]",
    "s = math.fabs({a}.sum()) / 8",
    "s += {a}.max()",
]


@given(st.lists(st.tuples(st.sampled_from(STATEMENTS), st.integers(0, 10**6)), max_size=10))
@settings(max_examples=60, deadline=None)
def test_any_program_is_recorded_as_it_runs(chosen: list[tuple[str, int]]) -> None:
    lines = ["a, b, c, s = x, x + 1, x[::-1].copy(), x[0, 0] / 4"]
    for statement, seed in chosen:
        rng = np.random.default_rng(seed)
        names = dict(zip("abc", rng.choice(list("abc"), 3), strict=True))
        lines.append(statement.format(**names, i=seed % 2, j=seed // 2 % 2, k=seed % 3))
    program = "\n".join([*lines, "r = a, b, c, s"])
    without = run(program, None)
    recorder = NumpyRecorder()
    result = run(program, recorder)
    recording = recorder.finished(outputs(result))
    assert_same_result(result, without)
    assert_made_again(recording)
    assert not recording.ends
    assert recording.from_inputs.issuperset(recording.outputs.values())
    for index, part in zip(recording.outputs.values(), parts(result), strict=True):
        assert np.array_equal(recording.events[index].value, part)


NETWORKS = {
    "dense": Network((2,), (Dense(4), Dense(4, activation="tanh"), Dense(1))),
    "entropy": Network((3,), (Dense(4, activation="relu"), Dense(3, activation="identity")),
                       "softmax_cross_entropy"),
    "convolution": Network((5, 5, 2), (Conv(3, (2, 2), stride=2, padding=1), Dense(2))),
}  # fmt: skip


def parameters(network: Network, rng: np.random.Generator) -> tuple[Layer, ...]:
    shapes = network.weight_shapes
    return tuple(Layer(rng.standard_normal(s), rng.standard_normal(s[-1])) for s in shapes)


@pytest.mark.parametrize("name", NETWORKS)
def test_our_own_network_is_recorded_line_by_line(name: str) -> None:
    network, rng = NETWORKS[name], np.random.default_rng(0)
    params = parameters(network, rng)
    inputs = rng.standard_normal((5, *network.input_shape))
    targets = rng.random((5, network.weight_shapes[-1][-1]))
    loss, grads = by_hand.value_and_grad(network, params, inputs, targets)

    recorder = NumpyRecorder()
    given_params = tuple(
        Layer(*(recorder.given(PARAMETER, f"{k}.{n}", getattr(layer, n)) for n in layer._fields))
        for k, layer in enumerate(params)
    )
    with recorder:
        again, again_grads = by_hand.value_and_grad(
            network, given_params, recorder.given(INPUT, "inputs", inputs), targets
        )
    gradients = {
        f"gradient {k}.{n}": getattr(g, n) for k, g in enumerate(again_grads) for n in g._fields
    }
    recording = recorder.finished({"loss": again, **gradients})
    assert_same_result([again, *(list(g) for g in again_grads)], [loss, *(list(g) for g in grads)])
    assert not recording.ends
    assert recording.from_inputs.issuperset(recording.outputs.values())
    made = [event for event in recording.events if event.operation not in LEAVES]
    for event in made:
        assert event.source is not None
        assert "/impl_numpy/" in event.source.file
        assert event.source.text
    # The phases part the lines: no function of one pass makes an array of the other.
    functions = {phase: {e.source.function for e in made if e.source and e.phase == phase}
                 for phase in ("forward", "backward")}  # fmt: skip
    layers = {"dense" if isinstance(layer, Dense) else "convolution" for layer in network.layers}
    assert layers | {network.loss} <= functions["forward"]
    assert {f"{layer}_gradient" for layer in layers} <= functions["backward"]
    assert {"dense_backward", network.loss, "value_and_grad"} <= functions["backward"]
    late = {
        "value_and_grad",
        "fold",
        *(f"{x}_{e}" for x in layers for e in ("gradient", "backward")),
    }
    assert not late & functions["forward"]
    assert not {*layers, "sigmoid"} & functions["backward"]


HOMEWORK = """
import numpy as np
from math import exp as e_to_the
from numpy import zeros

class Dense:
    def __init__(self, w, b):
        self.w, self.b, self.dw = w, b, zeros(w.shape)
    def forward(self, x):
        self.x = x
        self.z = np.zeros((x.shape[0], self.w.shape[1]))
        for i in range(len(x)):
            self.z[i] = np.dot(x[i], self.w) + self.b
        return self.z
    def backward(self, d):
        for x, row in zip(self.x, d):
            self.dw += np.outer(x, row)
        return d.dot(self.w.T)

class Sigmoid:
    def forward(self, z):
        self.a = np.array([[1 / (1 + e_to_the(-v)) for v in row] for row in z])
        return self.a
    def backward(self, d):
        return d * self.a * (1 - self.a)

def step(x, y, w1, b1, w2, b2, rate):
    layers = [Dense(w1, b1), Sigmoid(), Dense(w2, b2)]
    for layer in layers:
        x = layer.forward(x)
    loss = 0.0
    for p, t in zip(x, y):
        loss += float(((p - t) ** 2).sum())
    loss = np.sum((x - y) ** 2) / len(y)
    d = 2 * (x - y) / len(y)
    for layer in reversed(layers):
        d = layer.backward(d)
    w1 -= rate * layers[0].dw
    w2 -= rate * layers[2].dw
    return float(loss), layers[0].dw, layers[2].dw
"""


def test_a_homework_of_classes_and_loops_is_recorded() -> None:
    linecache.cache["homework.py"] = (0, None, HOMEWORK.splitlines(True), "homework.py")
    names: dict[str, Any] = {}
    exec(compile(HOMEWORK, "homework.py", "exec"), names)
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(s) for s in [(6, 3), (6, 2), (3, 4), (4,), (4, 2), (2,)]]
    kept = [array.copy() for array in arrays]
    without = names["step"](*arrays, 0.1)

    recorder = NumpyRecorder()
    with recorder:
        exec(compile(HOMEWORK, "homework.py", "exec"), names)
        kinds = [INPUT, INPUT, *[PARAMETER] * 4]
        given_ = [recorder.given(kind, kind, one) for kind, one in zip(kinds, kept, strict=True)]
        loss, dw1, dw2 = names["step"](*given_, 0.1)
    recording = recorder.finished(
        {"loss": loss, "gradient 0": dw1, "gradient 2": dw2, "updated 0": given_[2]}
    )
    assert_same_result([loss, dw1, dw2, *given_], [*without, *arrays])
    assert recording.from_inputs.issuperset(recording.outputs.values())
    assert {end.why for end in recording.ends} == {"a number is taken out"}
    sources = [recording.events[index].source for index in recording.outputs.values()]
    assert [source and source.text for source in sources] == [
        "loss = np.sum((x - y) ** 2) / len(y)",
        *["self.dw += np.outer(x, row)"] * 2,
        "w1 -= rate * layers[0].dw",
    ]


FORMS = [
    name
    for name, text in vars(numpy_forms).items()
    if isinstance(text, str) and "def gradient" in text
]
OUTSIDE = {
    "MATRIX": "it becomes an array of type matrix",
    "SCALARS": "a number is taken out",
    "TAPE": "`vectorize` makes what is not an array of numbers",
}
"""Forms that compute with what is no array, and where the recording says that it ends."""

FUNCTIONS = """
import math
import numpy as np
def sigma(z): return 1 / (1 + (np.exp(-z) if isinstance(z, np.ndarray) else math.exp(-z)))
def term(p, y): return (p - y) ** 2
def slope(p, y): return 2 * (p - y)
def share(n, m): return 1 / (n * m)
"""


@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
@pytest.mark.parametrize("form", FORMS)
def test_a_gradient_is_recorded_in_whatever_form_it_is_written(form: str) -> None:
    rng = np.random.default_rng(0)
    shapes = [(5, 2), (5, 3), (2, 4), (4,), (4, 3), (3,)]
    x, y, *weights = arrays = [rng.standard_normal(shape) for shape in shapes]
    code = compile(FUNCTIONS + getattr(numpy_forms, form), f"{form}.py", "exec")
    names: dict[str, Any] = {}
    exec(code, names)
    without = names["gradient"]([weights[:2], weights[2:]], x.copy(), y.copy())

    recorder = NumpyRecorder()
    x, y, *weights = [recorder.given(INPUT, str(a.shape), a) for a in arrays]
    with recorder:
        exec(code, names)
        result = names["gradient"]([weights[:2], weights[2:]], x, y)
    recording = recorder.finished(outputs(result))
    assert_same_result(result, without)
    recorded = recording.from_inputs.issuperset(recording.outputs.values())
    ends = {end.why for end in recording.ends}
    if form in OUTSIDE:
        assert not recorded
        assert OUTSIDE[form] in ends
    else:
        assert recorded
        assert not ends


def test_phases_follow_the_loss_even_if_it_comes_last() -> None:
    recorder = NumpyRecorder()
    x, w = recorder.given(INPUT, "x", X), recorder.given(PARAMETER, "w", W)
    a = np.tanh(x @ w)
    slope = 1 - a**2
    mean = a.mean() * 100
    gradient = x.T @ (2 * a * slope)
    loss = np.sum(a**2)
    recorder.phase = "update"
    w -= 0.5 * gradient
    outputs = {"loss": loss, "gradient w": gradient, "updated w": w}
    events = recorder.finished(outputs).events
    assert mean != 0
    phases = {phase: " ".join(e.operation for e in events if e.phase == phase)
              for phase in ("forward", "backward", "update")}  # fmt: skip
    assert phases == {
        "forward": "input parameter matmul tanh mean multiply square sum",
        "backward": "square subtract transpose multiply multiply matmul",
        "update": "multiply subtract",
    }


def test_results_that_are_plain_numbers_are_found_by_their_value() -> None:
    recorder = NumpyRecorder()
    x = recorder.given(INPUT, "x", X / 3)
    loss = float(np.mean(x))
    rows = [[t * 2 for t in row] for row in x]
    numbers = (x * 3).tolist()
    outputs = {"loss": loss, "rows": rows, "numbers": numbers, "other": 0.1234, "whole": 1.0}
    recording = recorder.finished(outputs)
    found = [recording.events[i].operation for i in recording.outputs.values()]
    assert found == ["mean", "array", "asarray", CONSTANT, CONSTANT]
    assert [end.why for end in recording.ends][-2:] == [
        "`other` is made of nothing that was recorded",
        "`whole` is made of nothing that was recorded",
    ]


@pytest.mark.parametrize(
    ("program", "dtype"),
    [
        ("r = x.astype(np.float32)", "float64"),
        ("r = x.astype('f4').astype(dtype='float16')", "float64"),
        ("r = np.array(x, np.float32) + np.asarray(x, 'float32')", "float64"),
        ("r = np.zeros(3, dtype=np.float32)", "float64"),
        ("r = np.sum(x, dtype=np.float32)", "float64"),
        ("r = np.add(x, 1, dtype=np.float32, casting='same_kind')", "float64"),
        ("r = np.zeros_like(x, dtype=np.float16)", "float64"),
        ("r = (1j * x).astype(np.complex64)", "complex128"),
        ("r = x.astype(int)", "int64"),
        ("r = np.einsum('e,e', x[0], x[0])", "float64"),
    ],
)
def test_widened_casts_are_taken_in_float64(program: str, dtype: str) -> None:
    narrow = run(program, NumpyRecorder())
    assert narrow.dtype == run(program, None).dtype
    recorder = NumpyRecorder(widened=True)
    wide = run(program, recorder)
    assert wide.dtype == dtype
    assert recorder.finished({"r": wide}).events[-1].value.dtype == dtype


def test_numpy_is_as_before_when_a_program_has_run() -> None:
    before = {name: getattr(np, name) for name in dir(np)}
    names: dict[str, Any] = {}
    with pytest.raises(ZeroDivisionError), NumpyRecorder() as recorder:
        exec("import numpy as np\nfrom numpy import zeros\nz = zeros(3)\n1 / 0", names)
    assert {name: getattr(np, name) for name in dir(np)} == before
    assert type(names["z"]) is not np.ndarray
    recorder.finished({})
    assert type(names["zeros"](3)) is np.ndarray  # even what was imported meanwhile
    assert type(names["z"] + 1) is np.ndarray
    assert type(names["z"].sum()) is np.float64


# Planted faults.


def test_an_array_that_was_changed_unseen_is_no_longer_its_event() -> None:
    recorder = NumpyRecorder()
    x = recorder.given(INPUT, "x", X)
    y = x * 2
    np.ndarray.view(y, np.ndarray)[0, 0] = 7.5
    recording = recorder.finished({"y": y})
    (end, _) = recording.ends
    assert "changed where it cannot be seen" in end.why
    assert recording.events[recording.outputs["y"]].operation == CONSTANT
    assert recording.events[recording.outputs["y"]].value[0, 0] == 7.5


def test_what_the_recorder_cannot_do_does_not_reach_the_program(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise RuntimeError("planted")

    recorder = NumpyRecorder()
    x = recorder.given(INPUT, "x", X)
    monkeypatch.setattr(recorder.recorder, "call", fail)
    result = [x + 1, x[0] * 2, x.sum(), x]
    x[0] = 3
    changed_ = X.copy()
    changed_[0] = 3
    assert_same_result(result, [X + 1, X[0] * 2, X.sum(), changed_])
    ends = [end.why for end in recorder.recorder.ends]
    assert ends
    assert all("planted" in why for why in ends)


def test_a_recording_that_is_too_long_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gradparity.tracing.numpy_recorder._MOST_BYTES", 200)
    recorder = NumpyRecorder()
    x = recorder.given(INPUT, "x", X)
    assert_same_result([x + k for k in range(9)], [X + k for k in range(9)])
    recording = recorder.finished({})
    assert len(recording.events) == 5
    assert ["too long" in end.why for end in recording.ends] == [True]
