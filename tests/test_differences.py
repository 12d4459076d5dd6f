"""Differences of a black box: the true derivative lies within their error, and the error is small."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradparity.contract import Activation, Dense, Layer, Loss, Network, Params, map_params, tensors
from gradparity.reference.layers import Array
from gradparity.reference.passes import cast, evaluate
from gradparity.reference.step import StepValues
from gradparity.verdict.case import oracle_dtype
from gradparity.verdict.differences import gradient_by_differences, scatter
from gradparity.verdict.judge import RESOLUTION, Verdict, combine, judge

from .helpers import informative_case

CASE = informative_case("float64")
INPUTS, TARGETS = CASE.batch


def exact(network: Network, params: Params, inputs: Array, targets: Array) -> Params:
    wide = oracle_dtype()
    return evaluate(network, cast(params, wide), inputs.astype(wide), targets.astype(wide)).grads


def own_loss(params: Params) -> Any:
    """The loss of the informative case, in the dtype of the params."""
    dtype = params[0].weight.dtype
    return evaluate(CASE.network, params, INPUTS.astype(dtype), TARGETS.astype(dtype)).loss


def own_gradient(params: Params) -> Params:
    return evaluate(CASE.network, params, INPUTS, TARGETS).grads


def flat(params: Params) -> Array:
    return np.concatenate([tensor.ravel() for tensor in tensors(params)])


def judged(grads: Params, loss: Callable[[Params], Any] = own_loss) -> Verdict:
    """The verdict on a gradient by differences of the loss and by the scatter of the right program's gradient."""
    derivative, error = gradient_by_differences(loss, CASE.params)
    allowed = map_params(np.add, error, scatter(own_gradient, CASE.params))
    result, expected, bound = (StepValues(grads=values) for values in (grads, derivative, allowed))
    findings = judge(CASE.params, result, expected, bound, slack=1.0)
    return combine(finding.verdict for finding in findings)


@st.composite
def networks(
    draw: st.DrawFn, scales: tuple[float, ...] = (1e-2, 1.0, 4.0)
) -> tuple[Network, Params, Array, Array]:
    widths = draw(st.lists(st.integers(1, 6), min_size=2, max_size=5))
    kind: Loss = draw(st.sampled_from(get_args(Loss)))
    activation: Activation = draw(st.sampled_from(("sigmoid", "tanh")))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    if kind == "softmax_cross_entropy":
        widths[-1] = max(widths[-1], 2)
    layers = [Dense(units, activation=activation) for units in widths[1:]]
    if kind != "mse":
        layers[-1] = Dense(widths[-1], activation="identity")
    scale = draw(st.sampled_from(scales))
    params = tuple(
        Layer(scale * rng.standard_normal((below, units)), scale * rng.standard_normal(units))
        for below, units in pairwise(widths)
    )
    samples = draw(st.integers(1, 5))
    inputs = rng.uniform(-1, 1, (samples, widths[0]))
    targets = np.eye(widths[-1])[rng.integers(0, widths[-1], samples)]
    return Network((widths[0],), tuple(layers), kind), params, inputs, targets


@settings(max_examples=40, deadline=None)
@given(networks(), st.sampled_from((1e-6, 1.0, 1e6)), st.sampled_from(("float64", "float32")))
def test_the_derivative_lies_within_the_error(
    drawn: tuple[Network, Params, Array, Array], factor: float, returned: str
) -> None:
    network, params, inputs, targets = drawn
    derivative, error = gradient_by_differences(
        lambda p: (factor * evaluate(network, p, inputs, targets).loss).astype(returned), params
    )
    distance = np.abs(flat(derivative) - factor * flat(exact(*drawn)))
    assert np.all(distance <= flat(error))


@settings(max_examples=40, deadline=None)
@given(networks((1e-2, 1.0)), st.sampled_from(("float64", "float32")))
def test_a_right_gradient_lies_within_its_scatter(
    drawn: tuple[Network, Params, Array, Array], dtype: str
) -> None:
    """In a saturated unit 1 - a² may be all rounding, the same at all points near, which scatter cannot see."""
    network, params, inputs, targets = drawn

    def gradient(p: Params) -> Params:
        return evaluate(network, cast(p, dtype), inputs.astype(dtype), targets.astype(dtype)).grads

    distance = np.abs(flat(gradient(params)) - flat(exact(*drawn)))
    assert np.all(distance <= flat(scatter(gradient, params)))


def relative(error: Params) -> Array:
    return np.abs(flat(error) / flat(exact(CASE.network, CASE.params, INPUTS, TARGETS)))


def test_the_error_is_small_and_the_calls_are_few() -> None:
    calls = 0

    def counted(params: Params) -> Any:
        nonlocal calls
        calls += 1
        return own_loss(params)

    _, error = gradient_by_differences(counted, CASE.params)
    assert np.median(relative(error)) < 1e-10
    assert calls < 20 * flat(error).size


def test_a_loss_in_the_widest_precision_is_as_sharp_as_that() -> None:
    """1e-13 in 80 bits; where there is no wider type than float64, as sharp as in float64."""
    wide = oracle_dtype()
    derivative, error = gradient_by_differences(own_loss, CASE.params, (wide, np.float64))
    assert flat(derivative).dtype == wide
    assert np.median(relative(error)) < 9e5 * np.finfo(wide).eps


def refuses_extended(params: Params) -> Any:
    if params[0].weight.dtype != np.float64:
        raise TypeError("float64 only")
    return own_loss(params)


@pytest.mark.parametrize("loss", [refuses_extended, lambda p: float(own_loss(cast(p, np.float64)))])
def test_without_extended_precision_it_is_float64(loss: Callable[[Params], Any]) -> None:
    derivative, error = gradient_by_differences(loss, CASE.params, (np.longdouble, np.float64))
    distance = np.abs(flat(derivative) - flat(exact(CASE.network, CASE.params, INPUTS, TARGETS)))
    assert np.all(distance <= flat(error))
    assert 1e-14 < np.median(relative(error)) < 1e-9


def test_float32_inside_the_program_is_noticed() -> None:
    _, error = gradient_by_differences(
        lambda p: float(
            evaluate(
                CASE.network,
                cast(p, "float32"),
                INPUTS.astype("float32"),
                TARGETS.astype("float32"),
            ).loss
        ),
        CASE.params,
    )
    assert np.min(relative(error)) > 1e-7


# --- what it must not be sure of ------------------------------------------------------------------------------------


def raises(_params: Params) -> Any:
    raise RuntimeError("no")


RNG = np.random.default_rng(0)
CALLS = iter(range(1_000_000))
NO_FUNCTIONS = {
    "drifts": lambda p: own_loss(p) + 1e-14 * next(CALLS),
    "constant": lambda _p: 0.25,
    "random": lambda p: own_loss(p) + 1e-3 * RNG.standard_normal(),
    "nan": lambda _p: float("nan"),
    "infinite": lambda _p: float("inf"),
    "none": lambda _p: None,
    "vector": lambda p: p[0].weight,
    "raises": raises,
    "one digit": lambda p: round(float(own_loss(p)), 1),
}


@pytest.mark.parametrize("name", NO_FUNCTIONS)
def test_the_error_is_infinite(name: str) -> None:
    _, error = gradient_by_differences(NO_FUNCTIONS[name], CASE.params)
    assert np.all(np.isinf(flat(error)))


@pytest.mark.parametrize("digits", [3, 6, 9])
def test_rounding_to_decimals_is_within_the_error(digits: int) -> None:
    derivative, error = gradient_by_differences(
        lambda p: round(float(own_loss(p)), digits), CASE.params
    )
    distance = np.abs(flat(derivative) - flat(exact(CASE.network, CASE.params, INPUTS, TARGETS)))
    assert np.all(distance <= flat(error))


@pytest.mark.parametrize("place", [0.0, 1e-12, 1e-5, 1e-3, 0.1, 0.7])
def test_a_kink_near_by(place: float) -> None:
    """|w - kink| + sin(w): both slopes at the kink lie within the error; away from it, the right one, closely."""
    w = 0.3
    params = (Layer(np.array([[w]]), None),)

    def loss(p: Params) -> Any:
        return abs(p[0].weight[0, 0] - (w + place)) + np.sin(p[0].weight[0, 0])

    (derivative,), (error,) = map(tensors, gradient_by_differences(loss, params))
    slopes = np.cos(w) + np.array([-1.0] if place else [-1.0, 1.0])
    assert np.all(np.abs(derivative - slopes) <= error)
    if place >= 1e-3:
        assert error < 1e-9


@pytest.mark.parametrize("frequency", [1.0, 7.0, 40.0, 100.0, 300.0])
def test_steps_wider_than_the_features(frequency: float) -> None:
    w = np.linspace(0.1, 1, 12)[:, None]

    def loss(p: Params) -> Any:
        return np.sum(np.sin(frequency * p[0].weight))

    (derivative,), (error,) = map(tensors, gradient_by_differences(loss, (Layer(w, None),)))
    assert np.all(np.abs(derivative - frequency * np.cos(frequency * w)) <= error)
    assert np.median(error) < RESOLUTION * frequency


# --- what it finds --------------------------------------------------------------------------------------------------


def test_the_right_gradient_agrees() -> None:
    assert judged(own_gradient(CASE.params)) is Verdict.AGREE


@pytest.mark.parametrize("layer", range(3))
def test_a_uniform_fault_of_1e_8_is_found(layer: int) -> None:
    grads = list(own_gradient(CASE.params))
    grads[layer] = grads[layer]._replace(weight=grads[layer].weight * (1 + 1e-8))
    assert judged(tuple(grads)) is Verdict.DISAGREE


def test_a_fault_of_1e_6_in_one_entry_is_found() -> None:
    grads = map_params(np.copy, own_gradient(CASE.params))
    entry = np.unravel_index(
        np.argsort(np.abs(grads[0].weight), axis=None)[grads[0].weight.size // 2],
        grads[0].weight.shape,
    )
    grads[0].weight[entry] *= 1 + 1e-6
    assert judged(grads) is Verdict.DISAGREE


def test_a_gradient_that_does_not_repeat_itself_has_no_bound() -> None:
    rng = np.random.default_rng(0)
    drawn = scatter(lambda p: map_params(lambda t: rng.standard_normal(t.shape), p), CASE.params)
    assert np.all(np.isinf(flat(drawn)))
    assert np.all(np.isinf(flat(scatter(lambda _p: (), CASE.params))))
