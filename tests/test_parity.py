"""The three implementations agree within the bound; anything wrong by 0.1 % does not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from gradparity.contract import Snapshot, map_params, tensors
from gradparity.experiments import experiment
from gradparity.registry import PLAIN
from gradparity.suites.random_networks import Setting, random_setting
from gradparity.verdict import case as case_module
from gradparity.verdict.agreement import ORACLE, judge_all
from gradparity.verdict.case import Case, sampled_updates, teacher_forced
from gradparity.verdict.judge import PHASES, Verdict, combine

from .helpers import (
    Faulty,
    findings,
    implementation,
    informative_case,
    scaled,
    small_experiment,
    snapshots_along,
)
from .support.strategies import SEEDS, given_a_case, plain_settings

CORE = ("linear", "linear-half-rate", "linear-wide", "xor", "xor-half-rate", "xor-wide")
DEAD = "xor-relu"
"""With ReLU on every layer, its output and its gradient are zero: why ReLU failed in the original assignment."""

LAYERS = [
    (name, layer)
    for name in experiment.names()
    if name != DEAD
    for layer in range(len(experiment.load(name).network.layers))
]
TENSORS = [(0, "weight"), (0, "bias"), (1, "weight"), (2, "weight"), (2, "bias")]


@pytest.mark.parametrize("name", experiment.names())
def test_every_experiment_step_by_step(name: str) -> None:
    one = experiment.load(name)
    # The core in both dtypes, and all else in float64: JAX compiles each. `gradparity report` judges all in both.
    dtypes = ("float64", "float32") if name in CORE else ("float64",)
    problems = [one.model_copy(update={"dtype": d}).problem() for d in dtypes]
    updates = sampled_updates(min(problems[0].schedule.updates, 2000), count=6)
    cases = [
        (f"step {case.update}", case)
        for case in teacher_forced(problems, snapshots_along(problems[0], updates))
    ]
    agreement = judge_all({name: implementation(name) for name in PLAIN}, cases)
    assert agreement.verdict is Verdict.AGREE, agreement.first
    assert agreement.steps == len(dtypes) * len(updates)
    assert {pair[:2] for pair in agreement.tallies} == {
        *((name, ORACLE) for name in PLAIN),
        ("numpy", "torch"),
        ("numpy", "jax"),
        ("torch", "jax"),
    }
    still = {"gradient", "update"} if name == DEAD else set()
    for pair, phases in agreement.tallies.items():
        for phase in PHASES:
            # Late steps in float32 are smaller than rounding; the early ones must tell.
            expected = Verdict.ABSTAIN if phase in still else Verdict.AGREE
            assert combine(phases[phase].verdicts) is expected, (pair, phase)


def test_the_dead_network_is_dead_from_the_start() -> None:
    """Nothing but zeros in its gradient, in exact arithmetic too: there is nothing to be judged."""
    problem = experiment.load(DEAD).problem()
    (case,) = teacher_forced([problem], snapshots_along(problem, [0]))
    assert all(np.all(grad == 0) for grad in tensors(case.evaluate_exactly().grads))


def test_mini_batches_step_by_step() -> None:
    problem = small_experiment().problem()
    updates = range(problem.schedule.updates)  # all 150, ragged ones included
    cases = [
        (f"step {case.update}", case)
        for case in teacher_forced([problem], snapshots_along(problem, updates))
    ]
    agreement = judge_all({name: implementation(name) for name in ("numpy", "torch")}, cases)
    agreement_jax = judge_all({"jax": implementation("jax")}, cases[:11])
    assert agreement.verdict is Verdict.AGREE, agreement.first
    assert agreement_jax.verdict is Verdict.AGREE, agreement_jax.first


@settings(max_examples=100, deadline=None)
@given_a_case(plain_settings())
def test_random_networks(case: Case) -> None:
    two = {name: implementation(name) for name in ("numpy", "torch")}
    agreement = judge_all(two, [("", case)])
    assert not agreement.first


@settings(max_examples=3, deadline=None)
@given(plain_settings(), SEEDS)
def test_random_networks_in_jax(setting: Setting, seed: int) -> None:
    """Few, as each network is compiled; `gradparity random-networks` judges a thousand."""
    rng = np.random.default_rng(seed)
    both = [("", setting.draw(rng, dtype)) for dtype in ("float64", "float32")]
    assert not judge_all({name: implementation(name) for name in PLAIN}, both).first


@settings(max_examples=60, deadline=None)
@given_a_case(plain_settings())
def test_the_order_of_summation_does_not_matter(case: Case) -> None:
    """Samples and units in reverse give other sums of the same terms: still inside the bound."""

    class Reversed:
        def __getattr__(self, name: str) -> Any:
            return getattr(implementation("numpy"), name)

        def loss_and_grads(self, network: Any, params: Any, inputs: Any, targets: Any) -> Any:
            return implementation("numpy").loss_and_grads(
                network, params, inputs[::-1].copy(), targets[::-1].copy()
            )

    assert Verdict.DISAGREE not in {f.verdict for f in findings(case, Reversed())}


@pytest.mark.parametrize("update", [1, 3, 4])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", PLAIN)
def test_an_informative_case_leaves_nothing_undecided(name: str, dtype: str, update: int) -> None:
    found = findings(informative_case(dtype, update), implementation(name))
    assert {f.verdict for f in found} == {Verdict.AGREE}
    assert [f.phase for f in found] == [
        *["forward"] * 3,
        "loss",
        *["gradient"] * 5,
        "loss",
        *["update"] * 5,
    ]
    assert max(f.share for f in found) > 0.01  # a bound far too wide would be a failure too


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("layer", "tensor"), TENSORS)
def test_a_gradient_wrong_by_a_thousandth_is_seen(layer: int, tensor: str, dtype: str) -> None:
    target = Faulty(implementation("numpy"), grads=scaled(layer, tensor, 1.001))
    wrong = [f for f in findings(informative_case(dtype), target) if f.verdict is Verdict.DISAGREE]
    assert [(f.phase, f.layer, f.tensor) for f in wrong] == [("gradient", layer, tensor)]
    assert wrong[0].difference > wrong[0].allowed
    assert wrong[0].index < getattr(informative_case(dtype).params[layer], tensor).shape


@pytest.mark.parametrize(("name", "layer"), LAYERS)
def test_a_gradient_wrong_by_a_thousandth_is_seen_on_every_experiment(
    name: str, layer: int
) -> None:
    problem = experiment.load(name).problem()
    for case in teacher_forced([problem], snapshots_along(problem, [0, 100])):
        target = Faulty(implementation("numpy"), grads=scaled(layer, "weight", 1.001))
        wrong = [f for f in findings(case, target) if f.verdict is Verdict.DISAGREE]
        assert [(f.phase, f.layer) for f in wrong] == [("gradient", layer)]


@pytest.mark.parametrize("entry", range(20))
def test_one_entry_is_enough(entry: int) -> None:
    def change(grads: Any) -> Any:
        grads[1].weight.flat[entry] *= 1.001
        return grads

    wrong = [
        f
        for f in findings(
            informative_case("float64"), Faulty(implementation("numpy"), grads=change)
        )
        if f.verdict is Verdict.DISAGREE
    ]
    assert [(f.layer, f.index) for f in wrong] == [(1, divmod(entry, 4))]


def _train_with(change: Any) -> Any:
    """NumPy's `train`, given `change(arguments) -> arguments` before and `change.result` after."""

    def train(
        network: Any, params: Any, inputs: Any, targets: Any, schedule: Any, state: Any = None
    ) -> Any:
        return change(
            implementation("numpy").train, network, params, inputs, targets, schedule, state
        )

    return Faulty(implementation("numpy"), train=train)


def _loss_after_update(
    train: Any, network: Any, params: Any, inputs: Any, targets: Any, schedule: Any, state: Any
) -> Any:
    trajectory = train(network, params, inputs, targets, schedule, state)
    shifted = np.append(trajectory.losses[1:], trajectory.final_loss)
    return replace(trajectory, losses=shifted)


def _wrong_order(
    train: Any, network: Any, params: Any, inputs: Any, targets: Any, schedule: Any, state: Any
) -> Any:
    return train(
        network, params, inputs, targets, replace(schedule, order=np.sort(schedule.order)), state
    )


def _rate_off(
    train: Any, network: Any, params: Any, inputs: Any, targets: Any, schedule: Any, state: Any
) -> Any:
    rate = schedule.learning_rate * 1.001
    return train(network, params, inputs, targets, replace(schedule, learning_rate=rate), state)


def _skipped(
    train: Any, network: Any, params: Any, inputs: Any, targets: Any, schedule: Any, state: Any
) -> Any:
    trajectory = train(network, params, inputs, targets, schedule, state)
    kept = {n: Snapshot(params, s.state) for n, s in trajectory.kept.items()}
    return replace(trajectory, kept=kept)


@pytest.mark.parametrize(
    ("fault", "first"),
    [
        (_loss_after_update, ("loss", "recorded loss")),
        (_wrong_order, ("loss", "recorded loss")),
        (_rate_off, ("update", "weight")),
        (_skipped, ("update", "weight")),
    ],
)
def test_faults_of_the_training_loop_are_seen(fault: Any, first: tuple[str, str]) -> None:
    found = findings(informative_case("float64"), _train_with(fault))
    wrong = [f for f in found if f.verdict is Verdict.DISAGREE]
    assert (wrong[0].phase, wrong[0].tensor) == first


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_without_an_extended_type_the_oracle_is_float64(
    dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(case_module, "oracle_dtype", lambda: np.float64)
    case = informative_case(dtype)
    assert case.expect()[0].loss.dtype == np.float64
    assert case.oracle_slack == (2.0 if dtype == "float64" else 1.0)
    assert {f.verdict for f in findings(case, implementation("numpy"))} == {Verdict.AGREE}
    wrong = Faulty(implementation("numpy"), grads=scaled(0, "bias", 1.001))
    assert Verdict.DISAGREE in {f.verdict for f in findings(case, wrong)}


def _with_params(scale: float, case: Case) -> Case:
    return replace(case, params=map_params(lambda tensor: tensor * scale, case.params))


def test_saturated_units_abstain() -> None:
    case = _with_params(1e4, informative_case("float64", update=0))
    found = findings(case, implementation("numpy"))
    gradient = [f.verdict for f in found if f.phase == "gradient"]
    assert Verdict.ABSTAIN in gradient
    assert Verdict.DISAGREE not in gradient


def test_zero_gradients_are_no_evidence() -> None:
    case = informative_case("float64")
    exact = implementation("numpy").forward(case.network, case.params, case.batch[0])[-1]
    rows = case.schedule.batch(case.update)
    targets = case.targets.copy()
    targets[rows] = exact
    found = findings(replace(case, targets=targets), implementation("numpy"))
    verdicts = {phase: combine(f.verdict for f in found if f.phase == phase) for phase in PHASES}
    assert verdicts["forward"] is Verdict.AGREE
    assert verdicts["loss"] is verdicts["gradient"] is verdicts["update"] is Verdict.ABSTAIN


def test_not_a_number_is_never_agreement() -> None:
    nan = Faulty(implementation("numpy"), grads=scaled(0, "weight", float("nan")))
    wrong = [f for f in findings(informative_case("float64"), nan) if f.share == np.inf]
    assert [(f.phase, f.layer, f.verdict) for f in wrong] == [("gradient", 0, Verdict.DISAGREE)]
    # Where the exact numbers overflow as well, nothing can be judged.
    case = _with_params(float("inf"), informative_case("float64"))
    with np.errstate(invalid="ignore"):
        found = findings(case, implementation("numpy"))
    assert Verdict.AGREE not in {f.verdict for f in found}


def test_verdicts_combine() -> None:
    agree, disagree, abstain = Verdict.AGREE, Verdict.DISAGREE, Verdict.ABSTAIN
    assert combine([]) is abstain
    assert combine([abstain, agree]) is agree
    assert combine([abstain, agree, disagree]) is disagree
    assert combine([abstain, abstain]) is abstain


def test_sampled_updates_hold_both_ends() -> None:
    for updates in (1, 2, 7, 150, 22_000):
        sampled = sampled_updates(updates)
        assert sampled[0] == 0
        assert sampled[-1] == updates - 1
        assert len(set(sampled)) == len(sampled)
    assert len(sampled_updates(10_000)) > 50


def test_first_divergence_names_the_place() -> None:
    target = Faulty(implementation("numpy"), grads=scaled(1, "weight", -1))
    agreement = judge_all({"mine": target}, [("step 3", informative_case("float64"))])
    where, finding = agreement.first["mine", ORACLE]
    assert (where, finding.phase, finding.layer, finding.tensor) == (
        "step 3",
        "gradient",
        1,
        "weight",
    )
    words = agreement.summary()["first_divergence"][0]["where"]
    assert words.startswith("step 3: gradient: weight[")
    assert "] of layer 2 of 3: " in words


def test_random_settings_cover_the_ground() -> None:
    drawn: list[Setting] = [random_setting(np.random.default_rng(seed)) for seed in range(200)]
    assert {len(s.network.layers) for s in drawn} == set(range(1, 9))
    assert {layer.bias for s in drawn for layer in s.network.layers} == {True, False}
    assert {s.batch_size is None for s in drawn} == {True, False}
    assert any(s.batch_size and s.samples % s.batch_size for s in drawn)
    assert max(max(shape) for s in drawn for shape in s.network.shapes) > 50
