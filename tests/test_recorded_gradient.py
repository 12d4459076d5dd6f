"""The gradient of a recorded loss is the right one, within its bound; what hides it is named."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import impl_numpy.gradients as by_hand
from gradparity.contract import Dense, Layer, Network
from gradparity.tracing.bounded import Bounded
from gradparity.tracing.gradient import UnknownGradientError, bounds, gradient
from gradparity.tracing.numpy_recorder import NumpyRecorder
from gradparity.tracing.recording import INPUT, PARAMETER, Recording

NETWORKS = [
    ("sigmoid", "sigmoid", "mse"),
    ("tanh", "identity", "mse"),
    ("relu", "identity", "softmax_cross_entropy"),
    ("tanh", "identity", "binary_cross_entropy"),
]


def recorded(function: Callable[..., dict[str, Any]], *params: Any) -> Recording:
    recorder = NumpyRecorder()
    tracked = [recorder.given(PARAMETER, "", np.asarray(array)) for array in params]
    with recorder:
        outputs = function(*tracked)
    return recorder.finished(outputs)


def leaves(recording: Recording) -> list[int]:
    return [event.index for event in recording.events if event.operation == PARAMETER]


def step(
    hidden: Any, output: Any, loss: Any, seed: int
) -> tuple[list[Bounded], list[Bounded], list[np.ndarray]]:
    """Return the gradient from the recorded loss, and that of `impl_numpy`, evaluated and as it is."""
    rng = np.random.default_rng(seed)
    network = Network((3,), (Dense(4, hidden), Dense(2, output)), loss)
    shapes = [((3, 4), (4,)), ((4, 2), (2,))]
    targets = rng.dirichlet((1.0, 1.0), size=5)
    recorder = NumpyRecorder()
    params = tuple(
        Layer(*(recorder.given(PARAMETER, "", rng.standard_normal(shape)) for shape in pair))
        for pair in shapes
    )
    inputs = recorder.given(INPUT, "inputs", rng.standard_normal((5, 3)))
    with recorder:
        told, grads = by_hand.value_and_grad(
            network, params, inputs, recorder.given(INPUT, "targets", targets)
        )
    tensors = [tensor for layer in grads for tensor in layer]
    named = {str(k): tensor for k, tensor in enumerate(tensors)}
    recording = recorder.finished({"loss": told} | named)
    found = gradient(recording, "loss", leaves(recording))
    return found, bounds(recording, list(named)), [np.array(tensor) for tensor in tensors]


@settings(max_examples=8, deadline=None)
@given(st.sampled_from(NETWORKS), st.integers(0, 2**32))
def test_it_is_that_of_impl_numpy(network: tuple[str, str, str], seed: int) -> None:
    for right, own, shown in zip(*step(*network, seed), strict=True):
        assert np.all(np.abs(shown - right.value) <= right.error + own.error)
        assert np.any(right.error > 0)


@pytest.mark.parametrize("network", NETWORKS, ids="-".join)
def test_a_thousandth_more_is_outside_the_bound(network: tuple[str, str, str]) -> None:
    for right, own, shown in zip(*step(*network, 0), strict=True):
        allowed = right.error + 1.001 * own.error
        assert np.all((np.abs(1.001 * shown - right.value) > allowed) | (shown == 0))
        assert np.any(shown != 0)


def of_one(function: Callable[[Any], Any], *at: float) -> Bounded:
    recording = recorded(lambda x: {"loss": function(x)}, np.array(at))
    return gradient(recording, "loss", leaves(recording))[0]


@pytest.mark.parametrize(
    ("function", "slopes"),
    [
        (lambda x: np.sum(np.maximum(x, 0)), (0, 1)),
        (lambda x: np.sum(np.where(x > 1e-320, x, 0)), (0, 1)),
        (np.max, (0, 1)),
    ],
    ids=["relu", "where", "largest"],
)
def test_at_a_kink_the_bound_covers_the_slopes_of_both_sides(
    function: Callable[[Any], Any], slopes: tuple[float, float]
) -> None:
    found = of_one(function, 0.0, 0.0)
    for slope in slopes:
        assert np.all(np.abs(slope - found.value) <= found.error)
    assert found.error.max() <= max(slopes) - min(slopes)
    beside = of_one(function, 1.0, 0.5)
    assert beside.value[0] == 1
    assert beside.error[0] < 1e-12


@pytest.mark.parametrize(
    ("function", "why"),
    [
        (lambda x: np.sum(np.spacing(x)), "spacing: no rule"),
        (lambda x: np.sum(x * float(x[0])), "a number is taken out"),
        (lambda x: np.sum(x if x[0] > 0 else -x), "the program's course depends on it"),
        (lambda x: x, "`loss` is not a number"),
        (lambda x: np.float64(3.5), "`loss` depends on nothing that was recorded"),
    ],
    ids=["no-rule", "taken-out", "course", "array", "constant"],
)
def test_what_hides_it_is_named(function: Callable[[Any], Any], why: str) -> None:
    with pytest.raises(UnknownGradientError, match=why):
        of_one(function, 0.3, 0.7)


def test_what_is_taken_out_of_the_loss_itself_hides_nothing() -> None:
    found = of_one(lambda x: float(np.sum(x * x)), 0.3, 0.7)
    assert np.all(np.abs(found.value - [0.6, 1.4]) <= found.error + 2.0**-52)
    assert found.error.max() < 1e-12


def test_a_leaf_on_which_it_does_not_depend_has_gradient_0() -> None:
    recording = recorded(lambda x, y: {"loss": np.sum(x) + 0 * np.sum(x * x)}, [0.3], [0.7, 0.1])
    found = gradient(recording, "loss", leaves(recording))
    assert found[0].value == [1]
    assert np.array_equal(found[1].value, [0, 0])
    assert not found[1].error.any()
