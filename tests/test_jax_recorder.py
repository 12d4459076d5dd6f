"""Recordings of programs in JAX: every array, as XLA computes it, with the line that made it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from gradparity.reference.precision import Precision
from gradparity.tracing.bounded import Bounded, exact
from gradparity.tracing.jax_recorder import Argument, record
from gradparity.tracing.recording import (
    CONSTANT,
    INPUT,
    LEAVES,
    PARAMETER,
    Event,
    Recording,
    with_values,
)
from gradparity.tracing.rules import evaluate

RNG = np.random.default_rng(161)
X = RNG.normal(size=(4, 3))
Y = RNG.normal(size=(4, 3))
W = RNG.normal(size=(3, 3))


@pytest.fixture(autouse=True)
def _in_float64() -> Iterator[None]:
    with jax.enable_x64(True):
        yield


def inputs(**arrays: Any) -> list[Argument]:
    return [Argument(INPUT, value, name) for name, value in arrays.items()]


def operations(recording: Recording) -> list[str]:
    return [event.operation for event in recording.events if event.operation not in LEAVES]


def lines(recording: Recording) -> list[str]:
    return [
        event.source.text if event.source else ""
        for event in recording.events
        if event.operation not in LEAVES
    ]


def output(recording: Recording, name: str = "output") -> np.ndarray:
    return recording.events[recording.outputs[name]].value


def certain(recording: Recording, index: int) -> Bounded:
    """Return an event, computed from the leaves."""
    found: dict[int, Bounded] = {}

    def value(i: int) -> Bounded:
        event = recording.events[i]
        if i not in found and event.operation in LEAVES:
            found[i] = exact(event.value, Precision.of(np.float64))
        elif i not in found:
            results = evaluate(recording, event.call, value)
            found.update(enumerate(results, event.call))
        return found[i]

    return value(index)


# --- What is recorded -----------------------------------------------------------------------------


def network(weights: list[dict[str, Any]], x: Any, y: Any) -> Any:
    a = x
    for layer in weights:
        z = a @ layer["w"] + layer["b"]
        a = jax.nn.sigmoid(z)
    return jnp.mean((a - y) ** 2)


def step(weights: Any, x: Any, y: Any) -> Any:
    loss, gradient = jax.value_and_grad(network)(weights, x, y)
    return loss, gradient, jax.tree.map(lambda w, d: w - 0.5 * d, weights, gradient)


@pytest.fixture(scope="module")
def one_step() -> Recording:
    weights = [{"w": W, "b": W[0]}, {"w": W.T, "b": W[1]}]
    arguments = [Argument(PARAMETER, weights), *inputs(x=X, y=Y)]
    with jax.enable_x64(True):
        return record(step, arguments, ("loss", "gradient", "new"))


def test_leaves_and_outputs_are_named_by_their_paths(one_step: Recording) -> None:
    leaves = {e.name: e.operation for e in one_step.events if e.operation in LEAVES}
    assert leaves == {
        **dict.fromkeys(["0.b", "0.w", "1.b", "1.w"], PARAMETER),
        **dict.fromkeys("xy", INPUT),
    }
    weights = ["0.b", "0.w", "1.b", "1.w"]
    names = [f"{kind} {name}" for kind in ("gradient", "new") for name in weights]
    assert list(one_step.outputs) == ["loss", *names]


def test_a_step_has_its_values(one_step: Recording) -> None:
    weights = [{"w": W, "b": W[0]}, {"w": W.T, "b": W[1]}]
    theirs = jax.tree.leaves(jax.jit(step)(weights, X, Y))
    for index, value in zip(one_step.outputs.values(), theirs, strict=True):
        truth = certain(one_step, index)
        for found in (one_step.events[index].value, np.asarray(value)):
            assert (np.abs(found - truth.value) <= truth.error).all()
        assert (truth.error < 1e-3 * np.abs(truth.value)).all()


def test_an_event_is_an_equation(one_step: Recording) -> None:
    product = next(event for event in one_step.events if event.operation == "dot_general")
    x, w = (one_step.events[index] for index in product.inputs)
    assert (x.name, w.name) == ("x", "0.w")
    assert product.attributes["dimension_numbers"] == (((1,), (0,)), ((), ()))
    assert product.attributes["preferred_element_type"] == "float64"
    source = product.source
    assert source is not None
    assert (source.file, source.function) == (__file__, "network")
    assert source.text == 'z = a @ layer["w"] + layer["b"]'
    assert source.span is not None
    end, first, last = source.span
    assert (end, last - first) == (source.line, len('a @ layer["w"]'))


def test_phases(one_step: Recording) -> None:
    phases = {event.phase: event.index for event in one_step.events}
    assert phases["forward"] < phases["backward"] < phases["update"]
    text = {
        phase: {e.source.text for e in one_step.events if e.phase == phase and e.source}
        for phase in phases
    }
    # A backward event has the line of the forward one that it comes from.
    assert text["backward"] == text["forward"]
    assert len(text["update"]) == 1


@jax.jit
def helper(x: Any) -> Any:
    y = jnp.tanh(x)
    return y * y


def calls(x: Any) -> Any:
    a = helper(x)
    b = helper(2 * x)
    c = jax.nn.silu(a)
    return c + jax.nn.silu(b)


def test_calls_are_opened_and_a_library_s_line_is_that_of_its_caller() -> None:
    recording = record(calls, inputs(x=X))
    found = list(zip(operations(recording), lines(recording), strict=True))
    inside = [("tanh", "y = jnp.tanh(x)"), ("mul", "return y * y")]
    silu = ["logistic", "mul"]
    assert found == [
        *inside,
        ("mul", "b = helper(2 * x)"),
        *inside,
        *((operation, "c = jax.nn.silu(a)") for operation in silu),
        # JAX traced `silu` once: what it kept of this second call is the call.
        *((operation, "return c + jax.nn.silu(b)") for operation in silu),
        ("add", "return c + jax.nn.silu(b)"),
    ]


@jax.custom_vjp
def cubed(x: Any) -> Any:
    return x * x * x


cubed.defvjp(lambda x: (cubed(x), x), lambda x, g: (g * (3 * x * x),))


@pytest.mark.parametrize(
    "function",
    [
        jax.checkpoint(lambda x: jnp.sin(x) ** 2),
        cubed,
        jax.nn.relu,
        jax.vmap(lambda row: row / row.sum()),
    ],
    ids=["checkpoint", "custom_vjp", "custom_jvp", "vmap"],
)
def test_no_call_is_left(function: Callable[[Any], Any]) -> None:
    def loss(x: Any) -> Any:
        return (function(x) * Y).sum()

    for program in (loss, jax.value_and_grad(loss)):
        recording = record(program, inputs(x=X))
        assert not any(
            "call" in name or name in {"jit", "checkpoint"} for name in operations(recording)
        )
    assert recording.events[recording.outputs["output 1"]].phase == "backward"
    truth = certain(recording, recording.outputs["output 1"])
    assert (np.abs(jax.jit(jax.grad(loss))(X) - truth.value) <= truth.error).all()


def test_arrays_of_the_surroundings_are_constants() -> None:
    recording = record(lambda x: x @ W + W[0] @ W, inputs(x=X))
    constants = [event for event in recording.events if event.operation == CONSTANT]
    assert any(np.array_equal(event.value, W) for event in constants)
    assert len(constants) == len({event.value.tobytes() for event in constants})


# --- Control flow ---------------------------------------------------------------------------------


def test_of_a_branch_what_runs_is_recorded() -> None:
    def program(x: Any) -> Any:
        return lax.cond(x[0, 0] > 0, jnp.sin, jnp.cos, x)

    for x, name in ((np.abs(X), "sin"), (-np.abs(X), "cos")):
        found = operations(record(program, inputs(x=x)))
        assert name in found
        assert not {"sin", "cos"} - {name} & set(found)


def test_each_iteration_is_recorded() -> None:
    recording = record(
        lambda x: lax.while_loop(lambda c: c.sum() < 100, lambda c: c * 2, jnp.abs(x)),
        inputs(x=np.ones((4, 3))),
    )
    assert operations(recording).count("mul") == 4
    assert operations(recording).count("lt") == 5
    assert output(recording).sum() == 12 * 2**4


@pytest.mark.parametrize("reverse", [False, True])
def test_a_scan_is_unrolled(reverse: bool) -> None:
    def program(x: Any) -> Any:
        return lax.scan(lambda c, row: (c + row, c * row), jnp.zeros(3), x, reverse=reverse)

    recording = record(program, inputs(x=X), ("last", "rows"))
    assert [operations(recording).count(name) for name in ("index_in_dim", "add", "mul")] == [4] * 3
    last, rows = jax.jit(program)(X)
    assert np.array_equal(output(recording, "last"), last)
    assert np.array_equal(output(recording, "rows"), rows)
    assert "stack" in operations(recording)


def test_the_derivative_of_a_scan() -> None:
    def program(w: Any, x: Any) -> Any:
        return lax.scan(lambda c, row: (jnp.tanh(c @ w + row), None), jnp.zeros(3), x)[0].sum()

    recording = record(jax.value_and_grad(program), inputs(w=W, x=X), ("loss", "gradient"))
    phases = [event.phase for event in recording.events if event.operation == "dot_general"]
    # Per step one product forward, and two backward; the first one's state is zero, and has a cotangent all the same.
    assert (phases.count("forward"), phases.count("backward")) == (4, 8)
    truth = certain(recording, recording.outputs["gradient"])
    assert (np.abs(jax.jit(jax.grad(program))(W, X) - truth.value) <= truth.error).all()


# --- Values ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_value_is_what_its_primitive_makes_of_the_recorded_operands(dtype: Any) -> None:
    def program(x: Any, y: Any) -> Any:
        # XLA would fuse products into sums, and see that √(a²) is |a|, and that a number is divided by itself.
        a = x / 3.0 + x * y - x * x
        b = jnp.sqrt(a * a) * y - a * y
        return b / jnp.sqrt(y * y + 0.1), a * 0.1 * 10.0, x * y / y

    x, y = RNG.normal(size=(2, 1000)).astype(dtype)
    recording = record(program, inputs(x=x, y=y))
    made = [event for event in recording.events if event.operation not in LEAVES]
    assert {event.operation for event in made} == {"add", "sub", "mul", "div", "sqrt"}
    for event in made:
        primitive = getattr(lax, f"{event.operation}_p")
        operands = with_values(event.arguments, lambda index: recording.events[index].value)
        assert event.value.dtype == dtype
        assert np.array_equal(event.value, primitive.bind(*operands)), event


def islands(table: Any, ids: Any, x: Any) -> Any:
    rows = table.astype(jnp.float32)[ids]
    variance = jnp.mean(x.astype(jnp.float32) ** 2, -1, keepdims=True)
    angles = jnp.arange(3, dtype=jnp.float32) / 7
    scores = jnp.matmul(x, rows.T, preferred_element_type=jnp.float32)
    return jnp.sum((x * lax.rsqrt(variance + 1e-5) * jnp.cos(angles)).T @ scores.astype(x.dtype))


def wide(table: Any, ids: Any, x: Any) -> Any:
    rows = table[ids]
    variance = jnp.mean(x**2, -1, keepdims=True)
    scores = x @ rows.T
    factor = lax.rsqrt(variance + np.float64(np.float32(1e-5)))
    return jnp.sum((x * factor * jnp.cos(jnp.arange(3) / 7)).T @ scores)


def test_a_widened_recording_has_no_float32() -> None:
    arguments = inputs(table=RNG.normal(size=(5, 3)), ids=np.array([0, 3, 3, 1]), x=X)
    names = ("loss", "gradient")
    as_it_is, widened = (
        record(jax.value_and_grad(islands), arguments, names, widened=is_wide)
        for is_wide in (False, True)
    )
    in_float64 = record(jax.value_and_grad(wide), arguments, names)
    assert [event for event in as_it_is.events if event.value.dtype == np.float32]
    assert not [event for event in widened.events if event.value.dtype == np.float32]
    for name in names:
        # Only the number 1e-5, which stands in the program in float32, stays what it is.
        truth = certain(in_float64, in_float64.outputs[name])
        reach = truth.error + certain(widened, widened.outputs[name]).error
        theirs = output(in_float64, name)
        assert (np.abs(output(widened, name) - theirs) <= reach).all()
        assert (np.abs(output(as_it_is, name) - theirs) > reach).any()


def test_random_numbers_are_widened_too() -> None:
    def program(x: Any, key: Any) -> Any:
        return x.astype(jnp.float32) * jax.random.uniform(key, x.shape, jnp.float32)

    arguments = inputs(x=X, key=jax.random.key(3))
    widened = record(program, arguments, widened=True)
    assert not [e for e in widened.events if e.value.dtype == np.float32]
    off = np.abs(output(record(program, arguments)) - output(widened))
    assert (off <= np.finfo(np.float32).eps * np.abs(output(widened))).all()


# --- Limits ---------------------------------------------------------------------------------------


def test_where_the_recording_ends() -> None:
    def program(x: Any) -> Any:
        y = jax.pure_callback(np.sin, jax.ShapeDtypeStruct(x.shape, x.dtype), x)
        return y + 1

    recording = record(program, inputs(x=X))
    (end,) = recording.ends
    assert end.source is not None
    assert end.source.text.startswith("y = jax.pure_callback")
    assert (end.event, end.why) == (0, "pure_callback computes outside of JAX")
    assert np.array_equal(recording.events[1].value, np.sin(X))


@pytest.mark.parametrize(("dtype", "widened"), [(np.float64, False), (np.float32, True)])
def test_float64_needs_its_flag(dtype: Any, widened: bool) -> None:
    with jax.enable_x64(False), pytest.raises(ValueError, match="enable it first"):
        record(jnp.sin, inputs(x=X.astype(dtype)), widened=widened)


FLAG = """
import numpy as np, jax, jax.numpy as jnp
from gradparity.tracing.jax_recorder import Argument, record
x = np.ones((2, 3), np.float32)
recording = record(lambda x: jnp.tanh(x).sum() / 3, [Argument("input", x)])
assert all(event.value.dtype == np.float32 for event in recording.events)
assert not jax.config.jax_enable_x64
"""


def test_a_recording_in_float32_leaves_the_flag_alone() -> None:
    subprocess.run([sys.executable, "-c", FLAG], check=True, timeout=100)


def test_events_hold_no_jax(one_step: Recording) -> None:
    def plain(argument: Any) -> bool:
        if isinstance(argument, tuple | list):
            return all(map(plain, argument))
        if isinstance(argument, dict):
            return all(map(plain, argument.values()))
        return argument is None or not type(argument).__module__.startswith("jax")

    def checked(event: Event) -> bool:
        return plain(event.arguments) and plain(dict(event.attributes))

    image, kernel = np.ones((1, 4, 4, 2)), np.ones((3, 3, 2, 1))
    layout = ("NHWC", "HWIO", "NHWC")
    convolved = record(
        lambda a, k: lax.conv_general_dilated(a, k, (1, 1), "SAME", dimension_numbers=layout)[
            :, [0]
        ],
        inputs(a=image, k=kernel),
    )
    assert all(map(checked, (*one_step.events, *convolved.events)))
    (event,) = (e for e in convolved.events if e.operation == "conv_general_dilated")
    assert event.attributes["dimension_numbers"]["rhs_spec"] == (3, 2, 0, 1)
