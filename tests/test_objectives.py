"""Softmax as an activation, and losses of probabilities: hypotheses on what a program computes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradparity.contract import Dense, Layer, Loss, Network, Schedule, map_params, tensors
from gradparity.reference.passes import Equations
from gradparity.reference.precision import Precision
from gradparity.reference.step import StepValues
from gradparity.reference.vocabulary import (
    BINARY_CROSS_ENTROPY_OF_PROBABILITIES,
    CROSS_ENTROPY_OF_PROBABILITIES,
    LOSS_KINDS,
    SOFTMAX,
)
from gradparity.verdict.case import Case
from gradparity.verdict.judge import Finding, Verdict, judge

from .support.coarse import Coarse
from .support.complex_steps import complex_step, verdicts
from .support.objectives import OBJECTIVES, Program, draw, programs
from .support.strategies import DTYPES, SEEDS

OBJECTIVE = pytest.mark.parametrize(("output", "loss"), OBJECTIVES, ids=str)


def found(case: Case, program: Program, scale: float = 1.0) -> list[Finding]:
    expected, bound = case.expect()
    return judge(case.params, program.run(case, scale), expected, bound, case.oracle_slack)


def test_the_names() -> None:
    """Others write them in full."""
    assert (SOFTMAX, BINARY_CROSS_ENTROPY_OF_PROBABILITIES, CROSS_ENTROPY_OF_PROBABILITIES) == (
        "softmax",
        "binary_cross_entropy_of_probabilities",
        "cross_entropy_of_probabilities",
    )
    assert not LOSS_KINDS[BINARY_CROSS_ENTROPY_OF_PROBABILITIES].takes_logits


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(OBJECTIVES), st.sampled_from([0.1, 1.0, 3.0]), SEEDS)
def test_gradients_are_the_complex_steps(
    objective: tuple[Any, Loss], scale: float, seed: int
) -> None:
    case = draw(np.random.default_rng(seed), *objective, "float64", scale)
    with np.errstate(all="ignore"):  # a softmax of one unit is 1: log(1 - p) is not finite
        assert Verdict.DISAGREE not in verdicts(case, complex_step(case))


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(OBJECTIVES), st.sampled_from([1e-3, 1.0, 6.0, 30.0, 300.0]), SEEDS, DTYPES)
def test_right_programs_are_inside(
    objective: tuple[Any, Loss], scale: float, seed: int, dtype: str
) -> None:
    """In every usual formula; saturated and overflowing ones abstain."""
    case = draw(np.random.default_rng(seed), *objective, dtype, scale)
    with np.errstate(all="ignore"):
        for program in programs(*objective):
            for finding in found(case, program):
                assert finding.verdict is not Verdict.DISAGREE, finding


@OBJECTIVE
def test_the_bound_is_no_wider_than_it_needs_to_be(output: Any, loss: Loss) -> None:
    """Of a hundred right programs, the largest share; and of a thousandth too much, each is found."""
    rng = np.random.default_rng(3)
    worst: dict[str, float] = {}
    blind = judged = 0
    for _ in range(40):
        case = draw(rng, output, loss, "float64", 1.0)
        for program in programs(output, loss):
            with np.errstate(all="ignore"):
                right, wrong = found(case, program), found(case, program, scale=1.001)
            for one, other in zip(right, wrong, strict=True):
                if one.verdict is Verdict.ABSTAIN:
                    blind += one.entries > 1  # a gradient of zeros
                    continue
                worst[one.phase] = max(worst.get(one.phase, 0.0), one.share)
                if one.phase == "gradient":
                    assert other.verdict is Verdict.DISAGREE
                    judged += 1
    assert {phase for phase, share in worst.items() if 0.005 < share < 1} == {
        "forward", "loss", "gradient",
    }  # fmt: skip
    assert blind < 0.1 * judged


@OBJECTIVE
def test_whatever_rounds_stays_inside_and_comes_near(output: Any, loss: Loss) -> None:
    """Errors of the full size in every operation of every usual formula, signs all alike or drawn."""
    r = Precision("coarse", 2.0**-30, 1e-300, 1e300)
    rng = np.random.default_rng(1)
    draws = [np.ones, lambda shape: -np.ones(shape)]
    draws += [lambda shape: rng.choice([-1.0, 1.0], shape)] * 2
    worst: dict[str, float] = {}
    for scale in (1.0, 3.0, 0.1):
        case = draw(rng, output, loss, "float64", scale)
        expected, bound = case.expect(r)
        for program in programs(output, loss):
            for one in draws:

                def coarse(array: Any, one: Any = one) -> Any:
                    return Coarse.of(array, r, one)

                rounded = replace(
                    case,
                    params=map_params(coarse, case.params),
                    inputs=coarse(case.inputs),
                    targets=coarse(case.targets),
                )
                with np.errstate(all="ignore"):
                    result = program.run(rounded)
                for finding in judge(case.params, result, expected, bound, 1.0):
                    assert finding.share <= 1, finding
                    worst[finding.phase] = max(worst.get(finding.phase, 0.0), finding.share)
    assert min(worst.values()) > 0.01


def single(z: float, target: float, loss: Loss, output: Any = "sigmoid") -> Case:
    """One sample, one weight: z, and 0 for a second class under softmax."""
    weight = np.array([[z, 0.0]]) if output == SOFTMAX else np.array([[z]])
    targets = np.array([[target, 1 - target]]) if output == SOFTMAX else np.array([[target]])
    network = Network((1,), (Dense(weight.shape[1], output, bias=False),), loss)
    return Case(network, (Layer(weight, None),), np.ones((1, 1)), targets, Schedule(1.0, 1))


def finite(case: Case, dtype: str) -> tuple[bool, bool]:
    """Whether loss and gradient have a bound."""
    bound = case.astype(dtype).expect()[1]
    return bool(np.isfinite(bound.loss)), bool(np.isfinite(tensors(bound.grads or ())[0]).all())


@pytest.mark.parametrize("target", [0.0, 0.3, 1.0])
@pytest.mark.parametrize(
    ("z", "dtype", "has"),
    [
        (12.0, "float32", True),
        (17.0, "float32", False),
        (30.0, "float64", True),
        (37.0, "float64", False),
        (-80.0, "float32", True),
        (-90.0, "float32", False),  # σ(z) is subnormal, and may be flushed to zero
        (-700.0, "float64", True),
        (-710.0, "float64", False),
        (800.0, "float64", False),
    ],
)
def test_no_bound_where_rounding_may_take_the_logarithm_of_zero(
    z: float, target: float, dtype: str, has: bool
) -> None:
    case = single(z, target, BINARY_CROSS_ENTROPY_OF_PROBABILITIES)
    assert finite(case, dtype) == (has, has)


@pytest.mark.parametrize(
    ("z", "dtype", "has"),
    [
        (80.0, "float32", True),
        (90.0, "float32", False),
        (-90.0, "float32", False),
        (700.0, "float64", False),
        (600.0, "float64", True),
    ],
)
def test_a_softmax_of_exponentials_as_they_are_may_overflow(
    z: float, dtype: str, has: bool
) -> None:
    case = single(z, 0.25, CROSS_ENTROPY_OF_PROBABILITIES, SOFTMAX)
    assert finite(case, dtype) == (has, has)


def test_a_target_of_zero_leaves_nothing_of_a_logarithm_of_zero() -> None:
    """0 log 0 is 0, and so is its slope, where the exact probability is beyond the widest format."""
    for target in (0.0, 1.0):
        case = single((2 * target - 1) * 1e5, target, BINARY_CROSS_ENTROPY_OF_PROBABILITIES)
        exact = case.evaluate_exactly()
        assert exact.loss == 0
        assert not tensors(exact.grads)[0].any()


def test_the_diagonal_alone_is_one_replaced_equation() -> None:
    case = draw(np.random.default_rng(2), SOFTMAX, "mse", "float64", 1.0)
    _, targets = case.batch
    diagonal = case.evaluate_exactly(Equations(across=lambda _d_a, _z, _a, _layer: 0))
    s = diagonal.activations[-1]
    np.testing.assert_allclose(
        diagonal.deltas[-1].astype(float),
        (2 * (s - targets) / s.size * s * (1 - s)).astype(float),
        rtol=1e-12,
    )
    expected, bound = case.expect()
    wrong = judge(case.params, StepValues(grads=diagonal.grads), expected, bound, 1.0)
    assert {f.verdict for f in wrong} == {Verdict.DISAGREE}


def test_a_hidden_softmax() -> None:
    """It need not be the output layer's."""
    rng = np.random.default_rng(4)
    case = draw(rng, "sigmoid", "mse", "float64", 1.0)
    layers = tuple(replace(layer, activation=SOFTMAX) for layer in case.network.layers)
    case = replace(case, network=replace(case.network, layers=layers))
    assert len(layers) > 1
    assert verdicts(case, complex_step(case)) == {Verdict.AGREE}
