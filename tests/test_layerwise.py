"""Where the bound of a whole pass is too wide, each layer is judged alone, and a fault is found in its layer."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradparity.contract import (
    Activation,
    Conv,
    Dense,
    Layer,
    Loss,
    Network,
    Params,
    Schedule,
    tensors,
)
from gradparity.reference.step import StepValues
from gradparity.verdict.case import Case
from gradparity.verdict.judge import Verdict, judge
from gradparity.verdict.layerwise import layerwise

from .helpers import ROOT, implementation, informative_case
from .support.objectives import OBJECTIVES, draw, programs, sigmoid
from .support.strategies import ACTIVATIONS, DTYPES, SEEDS


def network(
    dtype: str, widths: tuple[int, ...], scale: float, activation: Activation = "sigmoid"
) -> Case:
    """One sample; weights of `scale` / √fan_in."""
    rng = np.random.default_rng(1)
    made = Network((widths[0],), tuple(Dense(units, activation) for units in widths[1:]))
    params = tuple(
        Layer(
            (scale / np.sqrt(shape[0]) * rng.standard_normal(shape)).astype(dtype),
            rng.standard_normal(shape[1]).astype(dtype),
        )
        for shape in made.weight_shapes
    )
    inputs, targets = rng.uniform(-1, 1, (1, widths[0])), rng.uniform(0, 1, (1, widths[-1]))
    return Case(made, params, inputs.astype(dtype), targets.astype(dtype), Schedule(0.5, 1))


def deep(dtype: str) -> Case:
    return network(dtype, (8, *[64] * 19, 3), 2.0)


def wide(dtype: str) -> Case:
    return network(dtype, (8, 1024, 1024, 3), 1.0)


def backpropagated(case: Case, fault: str = "", layer: int = -1) -> StepValues:
    """One pass in plain NumPy; a thousandth too much of one thing in one layer."""
    inputs, targets = case.batch

    def faulty(what: str, at: int, array: Any) -> Any:
        return array * array.dtype.type(1.001) if (what, at) == (fault, layer) else array

    a = [inputs]
    for at, (weight, bias) in enumerate(case.params):
        a.append(faulty("activation", at, sigmoid(a[-1] @ weight + bias)))
    d_a = 2 * (a[-1] - targets) / targets.size
    grads: list[Layer] = []
    for at in reversed(range(len(case.params))):
        delta = faulty("slope", at, d_a * a[at + 1] * (1 - a[at + 1]))
        grads.insert(0, Layer(faulty("weight", at, a[at].T @ delta), faulty("bias", at, delta[0])))
        d_a = faulty("passed down", at, delta @ case.params[at].weight.T)
    loss = np.mean((a[-1] - targets) ** 2)
    rate = case.dtype.type(case.schedule.learning_rate)
    updated = tuple(
        Layer(layer.weight - rate * grad.weight, layer.bias - rate * grad.bias)
        for layer, grad in zip(case.params, grads, strict=True)
    )
    return StepValues(a[1:], loss, tuple(grads), loss, updated)


def without(result: StepValues, *names: str) -> StepValues:
    return replace(result, **dict.fromkeys(names))


@pytest.mark.parametrize("name", ["numpy", "torch"])
@pytest.mark.parametrize(
    "case",
    [deep("float32"), deep("float64"), wide("float32")],
    ids=["deep, float32", "deep, float64", "wide, float32"],
)
def test_every_layer_is_judged_where_the_whole_is_not(case: Case, name: str) -> None:
    result = case.observe(implementation(name))
    expected, bound = case.expect()
    whole = judge(case.params, result, expected, bound, case.oracle_slack)
    undecided = [f for f in whole if f.phase == "gradient" and f.verdict is Verdict.ABSTAIN]
    assert len(undecided) >= 4
    each = [f for f in layerwise(case, result) if f.phase != "update"]
    assert len(each) == 1 + 1 + 3 * len(case.params)  # two losses
    assert {f.verdict for f in each} == {Verdict.AGREE}
    assert 0.01 < max(f.share for f in each) < 1


@pytest.mark.parametrize(
    ("fault", "layer", "phase", "tensor"),
    [
        (fault, layer, phase, tensor)
        for fault, phase, tensor in (
            ("weight", "gradient", "weight"),
            ("bias", "gradient", "bias"),
            ("slope", "gradient", "bias"),
            ("passed down", "gradient", "bias"),
            ("activation", "forward", "activation"),
        )
        for layer in (0, 1, 10, 18, 19)
        if layer or fault != "passed down"  # nothing is below the first
    ],
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_thousandth_too_much_is_found_in_its_layer_alone(
    dtype: str, fault: str, layer: int, phase: str, tensor: str
) -> None:
    case = deep(dtype)
    seen = {"forward": ("loss", "grads"), "gradient": ("activations",)}[phase]
    result = without(backpropagated(case, fault, layer), "recorded", "updated", *seen)
    wrong = [f for f in layerwise(case, result) if f.verdict is Verdict.DISAGREE]
    where = layer - 1 if fault == "passed down" else layer
    assert {(f.phase, f.layer, f.tensor) for f in wrong} == {(phase, where, tensor)}


@pytest.mark.parametrize("layer", [1, 10, 18])
def test_a_wrong_activation_that_is_not_shown_is_found_in_the_gradient(layer: int) -> None:
    """The weight's gradient of the layer above has it as its inputs."""
    case = deep("float64")
    result = without(
        backpropagated(case, "activation", layer), "activations", "recorded", "updated"
    )
    wrong = [f for f in layerwise(case, result) if f.verdict is Verdict.DISAGREE]
    assert (layer + 1, "weight") in {(f.layer, f.tensor) for f in wrong}


@pytest.mark.parametrize("fault", ["weight", "bias", "slope"])
def test_in_a_wide_layer(fault: str) -> None:
    case = wide("float32")
    result = without(backpropagated(case, fault, 1), "activations", "recorded", "updated")
    wrong = {(f.layer, f.tensor) for f in layerwise(case, result) if f.verdict is Verdict.DISAGREE}
    assert wrong == {(1, "weight" if fault == "weight" else "bias")}


@pytest.mark.parametrize("fault", ["", "weight", "bias", "slope"])
def test_gradients_recovered_from_an_update(fault: str) -> None:
    case = network("float64", (4, *[32] * 7, 3), 2.0)
    result = without(backpropagated(case, fault, 4), "activations", "loss", "grads")
    found = layerwise(case, result)
    wrong = {(f.phase, f.layer, f.tensor) for f in found if f.verdict is Verdict.DISAGREE}
    tensor = "weight" if fault == "weight" else "bias"
    assert wrong == ({("update", 4, tensor)} if fault else set())
    right = {
        f.verdict for f in found if (f.layer, f.tensor) not in {(at[1], at[2]) for at in wrong}
    }
    assert right == {Verdict.AGREE}


@st.composite
def one_sample(draw_: st.DrawFn) -> tuple[Network, float]:
    """Up to eight layers of any activation, with or without biases; any loss of the contract; the weights' scale."""
    widths = draw_(st.lists(st.integers(1, 40), min_size=2, max_size=9))
    layers = [Dense(n, draw_(ACTIVATIONS), draw_(st.booleans())) for n in widths[1:]]
    loss: Loss = draw_(st.sampled_from(["mse", "binary_cross_entropy", "softmax_cross_entropy"]))
    if loss != "mse":
        layers[-1] = replace(layers[-1], activation="identity")
    return Network((widths[0],), tuple(layers), loss), draw_(
        st.sampled_from([0.01, 1.0, 3.0, 30.0])
    )


@settings(max_examples=40, deadline=None)
@given(one_sample(), SEEDS, DTYPES, st.sampled_from(["numpy", "torch"]))
def test_no_right_program_disagrees(
    drawn: tuple[Network, float], seed: int, dtype: str, name: str
) -> None:
    (made, scale), rng = drawn, np.random.default_rng(seed)

    def tensor(*shape: int) -> Any:
        return (scale / np.sqrt(shape[0]) * rng.standard_normal(shape)).astype(dtype)

    params: Params = tuple(
        Layer(tensor(*shape), tensor(shape[1]) if layer.bias else None)
        for shape, layer in zip(made.weight_shapes, made.layers, strict=True)
    )
    inputs = rng.uniform(-1, 1, (1, *made.input_shape)) * (rng.random(made.input_shape) < 0.8)
    targets = rng.dirichlet(np.ones(made.shapes[-1][0]), 1)
    case = Case(made, params, inputs.astype(dtype), targets.astype(dtype), Schedule(0.1, 1))
    with np.errstate(all="ignore"):
        result = case.observe(implementation(name))
    found = layerwise(case, result) + layerwise(case, without(result, "activations", "grads"))
    assert [str(f) for f in found if f.verdict is Verdict.DISAGREE] == []


@pytest.mark.parametrize(("output", "loss"), OBJECTIVES, ids=str)
def test_softmax_and_losses_of_probabilities(output: Any, loss: Loss) -> None:
    rng = np.random.default_rng(2)
    agreed = 0
    for _ in range(6):
        case = draw(rng, output, loss, "float64", 1.0)
        case = replace(case, inputs=case.inputs[:1], targets=case.targets[:1])
        for program in programs(output, loss):
            with np.errstate(all="ignore"):
                right, wrong = program.run(case), program.run(case, scale=1.001)
            found = layerwise(case, right)
            assert [str(f) for f in found if f.verdict is Verdict.DISAGREE] == []
            gradients = [f for f in found if f.phase == "gradient" and f.verdict is Verdict.AGREE]
            agreed += len(gradients)
            if gradients:
                assert Verdict.DISAGREE in {f.verdict for f in layerwise(case, wrong)}
    assert agreed > 20


def test_where_it_cannot_be_done() -> None:
    """Several samples add up in a gradient, and so do the positions of an image."""
    case = informative_case("float64")
    assert layerwise(case, case.observe(implementation("numpy"))) == []
    image = Network((4, 4, 1), (Conv(2, (2, 2)), Dense(2)))
    params = tuple(Layer(np.ones(shape), np.ones(shape[-1])) for shape in image.weight_shapes)
    case = Case(image, params, np.ones((1, 4, 4, 1)), np.ones((1, 2)), Schedule(0.1, 1))
    assert layerwise(case, case.observe(implementation("numpy"))) == []


@pytest.mark.parametrize("bad", [np.nan, np.inf, 0.0])
def test_no_number_is_no_agreement(bad: float) -> None:
    case = network("float64", (4, 8, 8, 3), 1.0)
    right = backpropagated(case)
    grads = list(right.grads or ())
    grads[1] = Layer(np.full_like(grads[1].weight, bad), np.full_like(grads[1].bias, bad))
    found = layerwise(case, StepValues(grads=tuple(grads)))
    assert {f.layer for f in found if f.verdict is Verdict.DISAGREE} >= {1}


def bound_over_gradient(case: Case) -> float:
    """The largest ρ of a gradient under the bound of the whole pass."""
    expected, bound = case.expect()
    pairs = zip(tensors(expected.grads or ()), tensors(bound.grads or ()), strict=True)
    return max(float(np.linalg.norm(e) / np.linalg.norm(g.astype(float))) for g, e in pairs)


ROWS = re.findall(
    r"^\| (\d+) × (\d+) \| (\S+) \| \S+ \| (\S+) \| \S+ \|$",
    (ROOT / "docs" / "explanation" / "how-agreement-is-judged.md").read_text(),
    flags=re.MULTILINE,
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: "x".join(row[:2]))
def test_the_page_on_the_bound_says_how_far_it_reaches(row: tuple[str, ...]) -> None:
    """Within a factor of three: a platform's longest format and generator may differ."""
    layers, units = int(row[0]), int(row[1])
    for dtype, said in zip(("float32", "float64"), row[2:], strict=True):
        measured = bound_over_gradient(network(dtype, (8, *[units] * (layers - 1), 3), 1.0))
        assert float(said) / 3 < measured < 3 * float(said)


def test_the_page_has_its_table() -> None:
    assert len(ROWS) == 6
