"""The contract of `train`: restarts, kept weights, recorded losses, untouched arguments."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax
import numpy as np
import pytest
import torch

from gradparity.border import private
from gradparity.contract import Dense, Schedule, State, Trajectory
from gradparity.errors import ContractError, InputError
from gradparity.experiments import runner
from gradparity.guarded import Guarded
from gradparity.problem import Problem
from gradparity.registry import PLAIN
from gradparity.verdict.case import Case
from gradparity.verdict.judge import Verdict
from gradparity.verdict.kept_run import judge_run, surroundings

from .helpers import (
    Faulty,
    copied,
    findings,
    implementation,
    informative_case,
    same_bits,
    small_experiment,
    submodule,
)


def train(
    name: str, problem: Problem, schedule: Schedule, state: State | None = None
) -> Trajectory:
    return implementation(name).train(
        problem.network, problem.params, problem.inputs, problem.targets, schedule, state
    )


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", PLAIN)
def test_restart_at_any_step(name: str, dtype: str) -> None:
    """Training to k and going on from there is training in one go; k = 7 is in the middle of an epoch."""
    problem = small_experiment(epochs=4).model_copy(update={"dtype": dtype}).problem()
    schedule = replace(problem.schedule, keep=(0, 7, 20))
    whole = train(name, problem, schedule)
    assert len(whole.losses) == 20
    assert sorted(whole.kept) == [0, 7, 20]
    assert same_bits(whole.kept[0].params, problem.params)
    assert same_bits(whole.kept[20].params, whole.final.params)
    middle, state = whole.kept[7]
    assert state == State(7)
    rest = train(name, replace(problem, params=middle), schedule, state)
    assert len(rest.losses) == 13
    assert sorted(rest.kept) == [7, 20]
    assert rest.final.state == State(20)
    # Compiled as one scan or as single steps, JAX may round differently; the others do the very same.
    if name != "jax":
        assert np.array_equal(rest.losses, whole.losses[7:])
        assert same_bits(rest.final.params, whole.final.params)
    for update in (7, 9, 12):
        case = Case(
            problem.network, middle, problem.inputs, problem.targets, problem.schedule, update
        )
        assert Verdict.DISAGREE not in {f.verdict for f in findings(case, implementation(name))}


@pytest.mark.parametrize("name", PLAIN)
def test_nothing_left_to_do(name: str) -> None:
    problem = small_experiment(epochs=2).problem()
    end = State(problem.schedule.updates)
    trajectory = train(name, problem, problem.schedule, end)
    assert len(trajectory.losses) == 0
    assert same_bits(trajectory.final.params, problem.params)


def test_numpy_passes_nothing_back_below_the_first_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    case, gradients = informative_case("float64"), submodule("impl_numpy.gradients")
    layers = gradients.LAYERS
    passed_back = []

    def backward(layer: Dense, weight: Any, a: Any, d_z: Any) -> Any:
        passed_back.append(weight.shape)
        return layers[Dense].backward(layer, weight, a, d_z)

    counting = layers | {Dense: layers[Dense]._replace(backward=backward)}
    monkeypatch.setattr(gradients, "LAYERS", counting)
    gradients.loss_and_grads(case.network, case.params, *case.batch)
    assert passed_back == [layer.weight.shape for layer in reversed(case.params[1:])]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", PLAIN)
def test_arguments_are_left_alone(name: str, dtype: str) -> None:
    case = informative_case(dtype)
    ours = implementation(name).implementation  # without the border's private copies
    inputs, targets, params = case.inputs.copy(), case.targets.copy(), copied(case.params)
    activations = ours.forward(case.network, params, inputs)
    _, grads = ours.loss_and_grads(case.network, params, inputs, targets)
    trajectory = ours.train(case.network, params, inputs, targets, case.schedule)
    assert same_bits(params, case.params)
    assert np.array_equal(inputs, case.inputs)
    assert np.array_equal(targets, case.targets)
    assert {a.dtype for a in activations} == {np.dtype(dtype)}
    assert grads[0].weight.dtype == trajectory.final.params[0].weight.dtype == np.dtype(dtype)


def test_the_border_notes_who_changes_its_arguments() -> None:
    class InPlace:
        def __getattr__(self, name: str) -> Any:
            return getattr(implementation("numpy"), name)

        def loss_and_grads(self, network: Any, params: Any, *data: Any) -> Any:
            result = implementation("numpy").loss_and_grads(network, params, *data)
            params[0].weight[:] -= 0.1  # ordinary homework code
            return result

    guarded, case = Guarded("mine", InPlace()), informative_case("float64")
    before = copied(case.params)
    guarded.loss_and_grads(case.network, case.params, *case.batch)
    assert same_bits(case.params, before)
    assert guarded.mutations == {"loss_and_grads"}
    assert not implementation("numpy").mutations


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: replace(c, targets=c.targets[:, 0]), r"targets must have shape \(4, 2\)"),
        (
            lambda c: replace(c, inputs=c.inputs.astype("float32")),
            "dtype float32, found .* float64",
        ),
        (lambda c: replace(c, params=c.params[:2]), "params have 2 layers, the network 3"),
        (
            lambda c: replace(c, params=(c.params[0]._replace(bias=None), *c.params[1:])),
            "bias=True, but the params have none",
        ),
    ],
)
def test_arguments_that_do_not_fit_never_reach_a_framework(change: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        change(informative_case("float64")).observe(implementation("numpy"))


@pytest.mark.parametrize(
    ("grads", "message"),
    [
        (lambda g: g[:2], "3 pairs"),
        (lambda g: (*g[:2], (g[2].weight.T, g[2].bias)), r"gradient 2.weight .* array \(2, 4\)"),
        (lambda g: (*g[:2], (g[2].weight.astype("f4"), g[2].bias)), "float64; .* float32"),
        (lambda g: (*g[:2], (g[2].weight, None)), "gradient 2.bias .* NoneType"),
        (lambda g: 1 / 0, r"raised at test_training.py:\d+, in <lambda>: ZeroDivisionError"),
    ],
)
def test_results_that_do_not_fit_are_named(grads: Any, message: str) -> None:
    guarded = Guarded("mine", Faulty(implementation("numpy"), grads=grads))
    with pytest.raises(ContractError, match=f"mine: loss_and_grads .*{message}"):
        informative_case("float64").observe(guarded)


def test_a_trajectory_must_hold_what_the_schedule_asks_for() -> None:
    def train(*args: Any, **kwargs: Any) -> Trajectory:
        return replace(implementation("numpy").train(*args, **kwargs), kept={})

    guarded = Guarded("mine", Faulty(implementation("numpy"), train=train))
    with pytest.raises(ContractError, match=r"kept at update counts \[2\]"):
        informative_case("float64").observe(guarded)


@pytest.mark.parametrize("name", PLAIN)
def test_a_run_is_judged_by_its_own_weights(name: str) -> None:
    jax.clear_caches()
    run = runner.run(implementation(name), small_experiment())
    judged = judge_run(run, surroundings(run.problem))
    assert judged.verdict is Verdict.AGREE
    updates = {update for update, _ in judged.findings}
    assert updates == {*range(0, 150, 15), 150}
    assert run.seconds["train"] > 0
    assert (run.seconds["compile"] > 0) == (name == "jax")


def test_a_run_that_was_trained_otherwise_is_caught() -> None:
    def rate_off(
        network: Any, params: Any, inputs: Any, targets: Any, schedule: Schedule, state: Any = None
    ) -> Trajectory:
        faster = replace(schedule, learning_rate=schedule.learning_rate * 1.001)
        return implementation("numpy").train(network, params, inputs, targets, faster, state)

    wrong = runner.run(
        Guarded("mine", Faulty(implementation("numpy"), train=rate_off)), small_experiment()
    )
    around = surroundings(wrong.problem)
    judged = judge_run(wrong, around)
    assert judged.verdict is Verdict.DISAGREE
    assert judged.free_run.outside_at == 1
    right = runner.run(implementation("numpy"), small_experiment())
    shifted = replace(right.trajectory, losses=np.roll(right.trajectory.losses, 1))
    assert judge_run(replace(right, trajectory=shifted), around).verdict is Verdict.DISAGREE
    elsewhere = small_experiment()
    elsewhere = elsewhere.model_copy(
        update={"initial": elsewhere.initial.model_copy(update={"seed": 4})}
    )
    assert not judge_run(replace(right, problem=elsewhere.problem()), around).same_start
    off = replace(right, predictions=right.predictions * (1 + 1e-12))
    assert [
        f.phase for _, f in judge_run(off, around).findings if f.verdict is Verdict.DISAGREE
    ] == ["forward"]


def test_threads_are_pinned_while_training() -> None:
    seen = []

    def train(*args: Any, **kwargs: Any) -> Trajectory:
        seen.append(torch.get_num_threads())
        return implementation("numpy").train(*args, **kwargs)

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        target = Guarded("mine", Faulty(implementation("numpy"), train=train))
        runner.run(target, small_experiment(epochs=1))
        assert seen == [1]
    finally:
        torch.set_num_threads(before)


def test_kept_updates() -> None:
    assert runner.kept_updates(1) == (0, 1)
    assert runner.kept_updates(3) == (0, 1, 2, 3)
    kept = runner.kept_updates(12_000)
    assert kept[:4] == (0, 1, 1200, 1201)
    assert kept[-1] == 12_000


def test_private_copies_keep_the_structure() -> None:
    case = informative_case("float64")
    copy = private({"state": State(3, {"velocity": case.params})})
    assert same_bits(copy["state"].arrays["velocity"], case.params)
    assert copy["state"].arrays["velocity"][0].weight is not case.params[0].weight


def test_the_order_of_the_batches_is_a_private_copy_too() -> None:
    class Careless:
        forward = staticmethod(implementation("numpy").implementation.forward)
        loss_and_grads = staticmethod(implementation("numpy").implementation.loss_and_grads)

        def train(self, *arguments: Any, **keywords: Any) -> Any:
            run = implementation("numpy").implementation.train(*arguments, **keywords)
            arguments[4].order[:] = 0
            return run

    case, target = informative_case("float64"), Guarded("careless", Careless())
    before = np.array(case.schedule.order)
    target.train(case.network, case.params, case.inputs, case.targets, case.schedule)
    np.testing.assert_array_equal(case.schedule.order, before)
    assert target.mutations == {"train"}
