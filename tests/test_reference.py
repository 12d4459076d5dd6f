"""The reference is checked against complex-step differences, which need no gradient and lose no digits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st

from gradparity.contract import Schedule, tensors
from gradparity.reference.activations import sigmoid, sigmoid_prime
from gradparity.verdict.case import Case
from gradparity.verdict.judge import Verdict

from .helpers import informative_case, scaled
from .support.complex_steps import complex_step, verdicts
from .support.strategies import given_a_case, plain_settings, small


@settings(max_examples=40, deadline=None)
@given_a_case(small(plain_settings(), weights=300), st.just("float64"))  # one pass a parameter
def test_gradients_are_the_complex_steps(case: Case) -> None:
    assert Verdict.DISAGREE not in verdicts(case, complex_step(case))


def test_the_check_itself_is_not_blind() -> None:
    case = informative_case("float64")
    grads = complex_step(case)
    assert verdicts(case, grads) == {Verdict.AGREE}
    for layer, tensor in ((0, "weight"), (0, "bias"), (1, "weight"), (2, "weight"), (2, "bias")):
        assert Verdict.DISAGREE in verdicts(case, scaled(layer, tensor, 1 + 1e-12)(grads))


@pytest.mark.parametrize("z", [0.0, 1.0, -1.0, 40.0, -40.0, 700.0, -700.0, 1e4, -1e4])
def test_sigmoid_neither_overflows_nor_cancels(z: float) -> None:
    with np.errstate(all="raise", under="ignore"):
        value = sigmoid(np.array([z, -z]))
        slope = sigmoid_prime(np.array([z, -z]))
    assert value.sum() == pytest.approx(1)
    assert slope[0] == slope[1]
    assert np.all(value >= 0)
    if abs(z) < 700:
        assert slope[0] > 0  # a (1 - a) is 0 from z = 37 on


def test_full_batch_is_all_samples() -> None:
    assert Schedule(1.0, 2).batch(1) == slice(None)
    assert len(tensors(informative_case("float64").params)) == 5


def test_pieces_are_the_whole_plan_cut_where_something_is_kept() -> None:
    """Five epochs of 13 samples in batches of 4: an update count that is no epoch's end is reached step by step."""
    order = np.random.default_rng(0).permuted(np.tile(np.arange(13), (5, 1)), axis=1)
    schedule = Schedule(1.0, 5, 4, order, keep=(0, 6, 12, 20))
    assert [schedule.next_stop(update) for update in (0, 6, 11, 12, 19)] == [6, 12, 12, 20, 20]
    pieces = list(schedule.pieces(0))
    assert [(update, epochs) for update, epochs, _ in pieces] == [
        (0, 1), (4, 0), (5, 0), (6, 0), (7, 0), (8, 1), (12, 2),
    ]  # fmt: skip
    visited = [np.ravel(samples) for _, _, samples in pieces]
    assert np.array_equal(np.concatenate(visited), order.ravel())
    assert [update for update, _, _ in schedule.pieces(7)] == [7, 8, 12]
    assert not list(schedule.pieces(20))
    # The full batch has an update in each epoch, and no order.
    full = Schedule(1.0, 5, keep=(2,))
    assert list(full.pieces(0)) == [(0, 2, None), (2, 3, None)]
