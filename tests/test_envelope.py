"""Free runs: correct ones are inside the envelope, a skipped step is not, chaos is recognised."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gradparity.contract import Params, Snapshot, State, map_params, tensors
from gradparity.experiments import experiment
from gradparity.problem import Problem
from gradparity.reference.passes import evaluate
from gradparity.verdict.free_run import Envelope, envelope, judge_free_run
from gradparity.verdict.judge import Verdict

from .helpers import implementation, informative_case, small_experiment, snapshots_along


def problem(name: str, epochs: int, dtype: str = "float64") -> Problem:
    one = experiment.load(name).model_copy(update={"dtype": dtype}).problem()
    keep = tuple(range(0, epochs + 1, max(epochs // 50, 1)))
    return replace(one, schedule=replace(one.schedule, epochs=epochs, keep=keep))


def free_run(name: str, one: Problem) -> dict[int, Params]:
    trajectory = implementation(name).train(
        one.network, one.params, one.inputs, one.targets, one.schedule
    )
    return {count: snapshot.params for count, snapshot in trajectory.kept.items()}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", ["numpy", "torch"])
def test_correct_runs_are_inside(name: str, dtype: str) -> None:
    one = problem("xor", 400, dtype)
    found = judge_free_run(free_run(name, one), envelope(one, one.schedule.keep))
    assert found.verdict is Verdict.AGREE
    assert 0 < found.share < 1
    assert found.chaotic_from is None


def test_mini_batches_are_followed() -> None:
    one = small_experiment().problem()
    one = replace(one, schedule=replace(one.schedule, keep=(0, 50, 150)))
    found = judge_free_run(free_run("numpy", one), envelope(one, one.schedule.keep))
    assert found.verdict is Verdict.AGREE


def test_a_skipped_step_is_outside() -> None:
    one = problem("xor", 400)
    around = envelope(one, one.schedule.keep)
    late = replace(
        one,
        schedule=replace(one.schedule, epochs=401, keep=tuple(n + 1 for n in one.schedule.keep)),
    )
    kept = {n - 1: params for n, params in free_run("numpy", late).items()}
    found = judge_free_run(kept, around)
    assert (found.verdict, found.outside_at) == (Verdict.DISAGREE, one.schedule.keep[1])


def test_a_gradient_wrong_by_a_millionth_is_outside() -> None:
    one = problem("xor", 400)
    wrong = replace(one, schedule=replace(one.schedule, learning_rate=1.05 * (1 + 1e-6)))
    found = judge_free_run(free_run("numpy", wrong), envelope(one, one.schedule.keep))
    assert found.verdict is Verdict.DISAGREE


def test_chaos_is_recognised_and_ends_the_judgement() -> None:
    one = problem("linear", 1000)
    around = envelope(one, one.schedule.keep)
    assert around.chaotic_from is not None
    assert 300 < around.chaotic_from < 1000
    assert max(around.allowed) < around.chaotic_from
    found = judge_free_run(free_run("torch", one), around)
    assert (found.verdict, found.chaotic_from) == (Verdict.AGREE, around.chaotic_from)


def test_nothing_to_judge_is_no_agreement() -> None:
    one = problem("xor", 10)
    around = Envelope({0: Snapshot(one.params, State(0))}, {0: 1.0}, 1)
    assert judge_free_run({0: one.params}, around).verdict is Verdict.ABSTAIN
    nan = map_params(lambda tensor: tensor * np.nan, one.params)
    around = envelope(one, (10,))
    assert judge_free_run({10: nan}, around).verdict is Verdict.DISAGREE


def test_the_reference_follows_the_schedule() -> None:
    """Eight updates by hand: the order of batches is the schedule's, the last of an epoch is ragged."""
    case = informative_case("float64")
    one = Problem(case.network, case.params, case.inputs, case.targets, case.schedule)
    params = case.params
    for update in range(8):
        rows = case.schedule.batch(update)
        assert len(case.inputs[rows]) == (1 if update in (3, 7) else 4)
        grads = evaluate(case.network, params, case.inputs[rows], case.targets[rows]).grads
        params = map_params(lambda tensor, grad: tensor - 0.3 * grad, params, grads)
    reference = envelope(one, (3, 8)).reference
    assert {0, 3, 8} <= set(reference)
    for ours in (reference[8].params, snapshots_along(one, {8})[8].params):
        for a, b in zip(tensors(ours), tensors(params), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-13)
