"""Every activation, loss, optimizer, weight decay and layer: right by construction, the same in three frameworks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradparity.contract import (
    SGD,
    Adam,
    Conv,
    Dense,
    Layer,
    Network,
    Params,
    Schedule,
    Snapshot,
    State,
    map_params,
    tensors,
)
from gradparity.errors import ContractError
from gradparity.guarded import Guarded
from gradparity.reference.updates import update_tensor
from gradparity.registry import PLAIN
from gradparity.suites.random_networks import (
    DECAYS,
    OPTIMIZERS,
    Setting,
)
from gradparity.verdict.agreement import judge_all
from gradparity.verdict.case import Case
from gradparity.verdict.judge import Verdict

from .helpers import implementation, informative_case, same_bits
from .support.complex_steps import complex_step, verdicts
from .support.judging import judge_members, judged
from .support.strategies import DTYPES, SEEDS, given_a_case, settings_of_any_kind, small

TWO = {name: implementation(name) for name in ("numpy", "torch")}


@settings(max_examples=40, deadline=None)
@given_a_case(small(settings_of_any_kind(), weights=200), st.just("float64"))
def test_gradients_are_the_complex_steps(case: Case) -> None:
    with np.errstate(all="ignore"):
        assert Verdict.DISAGREE not in verdicts(case, complex_step(case))


@settings(max_examples=80, deadline=None)
@given_a_case(settings_of_any_kind())
def test_random_networks(case: Case) -> None:
    assert not judge_all(TWO, [("", case)]).first


@settings(max_examples=2, deadline=None)
@given(settings_of_any_kind(), SEEDS)
def test_random_networks_in_jax(setting: Setting, seed: int) -> None:
    """Few, as each network is compiled; `gradparity random-networks --kind full` judges a thousand."""
    rng = np.random.default_rng(seed)
    both = [("", setting.draw(rng, dtype)) for dtype in ("float64", "float32")]
    assert not judge_all({name: implementation(name) for name in PLAIN}, both).first


def with_rule(optimizer: str, decay: str, dtype: str = "float64") -> Case:
    case = informative_case(dtype, update=0)
    weight_decay, decoupled = DECAYS[decay]
    schedule = replace(
        case.schedule,
        learning_rate=0.05,
        optimizer=OPTIMIZERS[optimizer],
        weight_decay=weight_decay,
        decoupled=decoupled,
    )
    return replace(case, schedule=schedule)


# JAX compiles each: every optimizer with one kind of weight decay.
RULES = [
    (name, optimizer, decay)
    for name in PLAIN
    for at, optimizer in enumerate(OPTIMIZERS)
    for number, decay in enumerate(DECAYS)
    if name != "jax" or number == at % len(DECAYS)
]


@pytest.mark.parametrize(("name", "optimizer", "decay"), RULES)
def test_training_keeps_to_the_convention_and_can_be_restarted(
    name: str, optimizer: str, decay: str
) -> None:
    case = with_rule(optimizer, decay)
    schedule = replace(case.schedule, keep=tuple(range(9)))
    target, data = implementation(name), (case.inputs, case.targets)
    whole = target.train(case.network, case.params, *data, schedule)
    assert set(whole.kept[3].state.arrays) == set(OPTIMIZERS[optimizer].arrays)
    found = judged(case, dict(whole.kept), whole.losses)
    assert len(found) == 8 * (1 + 5 * (1 + len(OPTIMIZERS[optimizer].arrays)))
    assert {f.verdict for f in found} == {Verdict.AGREE}
    params, state = whole.kept[3]
    rest = target.train(case.network, params, *data, schedule, state)
    assert sorted(rest.kept) == list(range(3, 9))
    found = judged(case, dict(rest.kept), rest.losses)
    assert {f.verdict for f in found} == {Verdict.AGREE}
    if name != "jax":  # compiled as one scan or as single steps, JAX may round differently
        assert same_bits(rest.final.params, whole.final.params)
        assert np.array_equal(rest.losses, whole.losses[3:])


@pytest.mark.parametrize("name", PLAIN)
def test_a_state_is_seen_to_be_wrong(name: str) -> None:
    """Half the velocity, and nothing else, is a disagreement of the state after the next update."""
    case = with_rule("momentum", "coupled")  # one of RULES: JAX has compiled its step
    schedule = replace(case.schedule, keep=tuple(range(9)))
    run = implementation(name).train(case.network, case.params, case.inputs, case.targets, schedule)
    params, state = run.kept[2]
    halved = {"velocity": map_params(lambda tensor: tensor / 2, state.arrays["velocity"])}
    kept = {0: run.kept[0], 1: run.kept[1], 2: Snapshot(params, State(2, halved))}
    wrong = [f for f in judged(case, kept, run.losses) if f.verdict is Verdict.DISAGREE]
    assert {f.tensor for f in wrong} == {"velocity of weight", "velocity of bias"}


def test_a_run_that_hides_its_state_is_judged_where_it_can_be() -> None:
    """From the zero state at the start, and from there on no further; the weights after it are seen all the same."""
    case = with_rule("Adam", "none")
    schedule = replace(case.schedule, keep=tuple(range(5)))
    run = implementation("numpy").train(
        case.network, case.params, case.inputs, case.targets, schedule
    )
    hidden = {k: Snapshot(kept.params, State(k)) for k, kept in run.kept.items()}
    found = judged(case, hidden, run.losses)
    assert [f.tensor for f in found] == [
        "recorded loss",
        *["weight", "bias", "weight", "weight", "bias"],
    ]
    assert {f.verdict for f in found} == {Verdict.AGREE}


MEMBERS_OF = (
    Setting(Network((3,), (Dense(5, "tanh"), Dense(2))), 13, 5, "Adam", "decoupled"),
    Setting(
        Network(
            (5, 4, 2), (Conv(3, (3, 2)), Dense(3, "identity", bias=False)), "softmax_cross_entropy"
        ),
        samples=7,
        batch_size=None,
        optimizer="Nesterov",
    ),
)
"""A dense network in ragged batches, and a convolutional one in full batches."""


def ensemble_of(
    setting: Setting, seed: int, dtype: str, *, own_data: bool
) -> tuple[Case, Any, Any, Params]:
    """Three members of one network: with data of their own or the same, and learning rates of their own."""
    rng = np.random.default_rng(seed)
    drawn = [setting.draw(rng, dtype) for _ in range(3)]
    first = drawn[0]
    rates = np.array([0.01, 0.03, 0.01])
    schedule = replace(
        first.schedule, learning_rate=rates, keep=tuple(range(first.schedule.updates + 1))
    )
    params = map_params(lambda *parts: np.stack(parts), *(case.params for case in drawn))
    inputs, targets = first.inputs, first.targets
    if own_data:
        inputs, targets = (np.stack([getattr(c, d) for c in drawn]) for d in ("inputs", "targets"))
    return replace(first, schedule=schedule, update=0, state={}), inputs, targets, params


@settings(max_examples=25, deadline=None)
@given(small(settings_of_any_kind(), weights=400), SEEDS, st.booleans(), DTYPES)
def test_every_member_of_an_ensemble_is_trained_rightly(
    setting: Setting, seed: int, own_data: bool, dtype: str
) -> None:
    case, inputs, targets, params = ensemble_of(setting, seed, dtype, own_data=own_data)
    with np.errstate(all="ignore"):
        for name in TWO:
            found = implementation(name).train_ensemble(
                case.network, params, inputs, targets, case.schedule
            )
            assert same_bits(found.kept[0].params, params)
            assert same_bits(found.kept[case.schedule.updates].params, found.final.params)
            assert Verdict.DISAGREE not in judge_members(case, inputs, targets, found)


@pytest.mark.parametrize("own_data", [False, True])
def test_every_member_of_an_ensemble_in_jax(own_data: bool) -> None:
    for seed, setting in enumerate(MEMBERS_OF):
        case, inputs, targets, params = ensemble_of(setting, seed, "float64", own_data=own_data)
        found = implementation("jax").train_ensemble(
            case.network, params, inputs, targets, case.schedule
        )
        assert Verdict.DISAGREE not in judge_members(case, inputs, targets, found)


def test_a_member_that_is_trained_wrongly_is_seen() -> None:
    case, inputs, targets, params = ensemble_of(MEMBERS_OF[0], 1, "float64", own_data=True)
    swapped = np.ascontiguousarray(inputs[::-1])
    found = implementation("numpy").train_ensemble(
        case.network, params, swapped, targets, case.schedule
    )
    assert Verdict.DISAGREE in judge_members(case, inputs, targets, found)


@pytest.mark.parametrize("name", PLAIN)
def test_a_member_is_its_own_single_run(name: str) -> None:
    """On a problem that is not chaotic, they end as near each other as a few hundred roundings can take them."""
    case = with_rule("Adam", "decoupled")
    seeds = [informative_case("float64").params, case.params]
    scaled = [map_params(lambda t, f=f: f * t, p) for p, f in zip(seeds, (1.0, 0.5), strict=True)]
    params = map_params(lambda *parts: np.stack(parts), *scaled)
    schedule = replace(case.schedule, keep=(0, 8))
    target = implementation(name)
    together = target.train_ensemble(case.network, params, case.inputs, case.targets, schedule)
    for k, one in enumerate(scaled):
        alone = target.train(case.network, one, case.inputs, case.targets, schedule)
        np.testing.assert_allclose(together.losses[k], alone.losses, rtol=1e-12)
        for a, b in zip(tensors(together.final.params), tensors(alone.final.params), strict=True):
            np.testing.assert_allclose(a[k], b, rtol=1e-11)


def test_without_train_ensemble_the_members_are_trained_one_by_one() -> None:
    class Plain:
        forward = staticmethod(implementation("numpy").implementation.forward)
        loss_and_grads = staticmethod(implementation("numpy").implementation.loss_and_grads)
        train = staticmethod(implementation("numpy").implementation.train)

    case, inputs, targets, params = ensemble_of(MEMBERS_OF[1], 3, "float64", own_data=True)
    arguments = case.network, params, inputs, targets, case.schedule
    looped = Guarded("plain", Plain()).train_ensemble(*arguments)
    together = implementation("numpy").train_ensemble(*arguments)
    assert looped.losses.shape == together.losses.shape
    assert sorted(looped.kept) == sorted(together.kept)
    assert Verdict.DISAGREE not in judge_members(case, inputs, targets, looped)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda e: replace(e, losses=e.losses[:, 1:]), r"losses \(3, \d+\) in float64"),
        (lambda e: replace(e, losses=e.losses.astype("float32")), "losses .* in float64"),
        (lambda e: replace(e, kept={}), "params kept at update counts"),
        (lambda e: replace(e, final=e.final._replace(state=State(1))), r"a state at \d+ updates"),
        (lambda e: None, "an Ensemble"),
    ],
)
def test_a_broken_ensemble_is_refused(change: Any, message: str) -> None:
    class Broken:
        def __getattr__(self, name: str) -> Any:
            return getattr(implementation("numpy"), name)

        def train_ensemble(self, *arguments: Any) -> Any:
            return change(implementation("numpy").train_ensemble(*arguments))

    case, inputs, targets, params = ensemble_of(MEMBERS_OF[0], 1, "float64", own_data=True)
    with pytest.raises(ContractError, match=rf"^broken: train_ensemble must return .*{message}"):
        Guarded("broken", Broken()).train_ensemble(
            case.network, params, inputs, targets, case.schedule
        )


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize(("activation", "slope"), [("relu", 0.0), ("leaky_relu", 0.01)])
def test_at_the_kink_the_derivative_is_that_of_the_left(
    name: str, activation: Any, slope: float
) -> None:
    """An exact 0 in front of the activation: the weight below it gets the left side's gradient."""
    case = informative_case("float64")
    layers = tuple(
        replace(layer, activation=activation, bias=False) for layer in case.network.layers
    )
    network = replace(case.network, layers=(layers[0], replace(layers[2], activation="identity")))
    first = np.zeros((3, 5))
    first[:, 0] = 1.0
    params = (Layer(first, None), Layer(np.ones((5, 2)), None))
    inputs, targets = np.ones((1, 3)), np.zeros((1, 2))
    _, grads = implementation(name).loss_and_grads(network, params, inputs, targets)
    passed_down = 2 * 3.0  # 2 (a - y) / 2 for each of two outputs, a = 3
    np.testing.assert_array_equal(grads[0].weight[:, 0], passed_down)
    np.testing.assert_allclose(grads[0].weight[:, 1:], slope * passed_down, rtol=1e-15)


def test_sgd_is_its_own_formula() -> None:
    """The reference's optimizers once more, by hand, for two updates of one number."""
    schedule = Schedule(0.1, 2, optimizer=SGD(0.9, nesterov=True), weight_decay=0.5)
    w, v = 2.0, 0.0
    array: tuple[np.ndarray, ...] = (np.array(v),)
    for t in (1, 2):
        g = 3.0 + t + 0.5 * w
        found = update_tensor(schedule, np.array(w), np.array(3.0 + t), array, t)
        v = 0.9 * v + g
        w -= 0.1 * (g + 0.9 * v)
        array = found.arrays
        assert found.weight == pytest.approx(w, rel=1e-15)
    schedule = replace(schedule, optimizer=Adam(0.8, 0.9, 0.01), decoupled=True)
    w, m, s = 2.0, 0.0, 0.0
    arrays: tuple[np.ndarray, ...] = (np.array(0.0), np.array(0.0))
    for t in (1, 2):
        g = 3.0 + t
        found = update_tensor(schedule, np.array(w), np.array(g), arrays, t)
        m, s = 0.8 * m + 0.2 * g, 0.9 * s + 0.1 * g * g
        step = m / (1 - 0.8**t) / ((s / (1 - 0.9**t)) ** 0.5 + 0.01)
        w = w - 0.1 * 0.5 * w - 0.1 * step
        arrays = found.arrays
        assert found.weight == pytest.approx(w, rel=1e-14)
