"""The tuned variants: the same contract, the same verdicts; padded, masked and ragged batches among them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import settings

from gradparity import registry
from gradparity.contract import Dense, Network, Params, map_params, tensors
from gradparity.suites.core import core_suite
from gradparity.suites.extended import extended_suite
from gradparity.suites.random_networks import Setting
from gradparity.verdict.agreement import judge_all
from gradparity.verdict.case import Case, steps_of
from gradparity.verdict.judge import Verdict, judge

from .helpers import implementation, informative_case, same_bits, submodule
from .support.judging import judge_members
from .support.strategies import given_a_case, plain_settings

TUNED = ("numpy-tuned", "torch-tuned", "jax-tuned")


def test_they_are_registered_beside_the_plain_ones() -> None:
    assert set(TUNED) < set(registry.installed())
    assert not set(TUNED) & set(registry.PLAIN)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_numpy_on_the_vetted_suites(dtype: str) -> None:
    """The original assignment's networks, and others, which it leaves to the plain implementation."""
    agreement = judge_all(
        {"numpy-tuned": implementation("numpy-tuned")}, [*core_suite(dtype), *extended_suite(dtype)]
    )
    assert agreement.verdict is Verdict.AGREE, agreement.first


@settings(max_examples=60, deadline=None)
@given_a_case(plain_settings())
def test_random_networks_in_numpy(case: Case) -> None:
    two = {name: implementation(name) for name in ("numpy-tuned", "torch")}
    assert not judge_all(two, [("", case)]).first


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_jax_on_a_few_of_the_suite(dtype: str) -> None:
    """With and without biases, full batch and ragged last ones; Adam and ReLU, which it speeds up too."""
    chosen = [
        *list(core_suite(dtype))[:2],
        *(f for f in extended_suite(dtype) if "kink met: 3" in f[0]),
    ]
    chosen += [f for f in extended_suite(dtype) if f[0].startswith("Adam, decoupled")]
    assert len(chosen) == 4
    agreement = judge_all({"jax-tuned": implementation("jax-tuned")}, chosen)
    assert agreement.verdict is Verdict.AGREE, agreement.first


def test_wide_layers_in_jax() -> None:
    """Above the size up to which a layer multiplies and sums, it is a product with a derivative of its own."""
    rng = np.random.default_rng(3)
    wide = Setting(Network((30,), (Dense(40), Dense(40))), samples=21, batch_size=None)
    case = wide.draw(rng, "float64")
    agreement = judge_all({"jax-tuned": implementation("jax-tuned")}, [("", case)])
    assert agreement.verdict is Verdict.AGREE, agreement.first


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch's compiler about itself
@pytest.mark.parametrize("name", TUNED)
def test_a_run_step_by_step_and_from_the_middle(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ragged batches; several updates between two that are kept, and single ones."""
    # Two updates in a call: this compiles in a third of the time.
    monkeypatch.setattr(submodule("impl_torch.tuned.step"), "LAYERS_PER_CALL", 6)
    case, target = informative_case("float64", update=0), implementation(name)
    schedule = replace(case.schedule, keep=(0, 1, 2, 5, 6, 8))
    run = target.train(case.network, case.params, case.inputs, case.targets, schedule)
    assert len(run.losses) == 8
    judged = list(steps_of(case, run.kept, run.losses))
    assert [one.update for one, _ in judged] == [0, 1, 5]
    for one, seen in judged:
        expected, bound = one.expect()
        findings = judge(one.params, seen, expected, bound, slack=one.oracle_slack)
        assert {f.verdict for f in findings} == {Verdict.AGREE}
    # What lies between is right too: from its middle on, the run is the plain one's.
    rest = target.train(
        case.network, run.kept[2].params, case.inputs, case.targets, schedule, run.kept[2].state
    )
    plain = implementation("numpy").train(
        case.network, run.kept[2].params, case.inputs, case.targets, schedule, run.kept[2].state
    )
    np.testing.assert_allclose(rest.losses, run.losses[2:], rtol=1e-13)
    np.testing.assert_allclose(rest.losses, plain.losses, rtol=1e-13)
    assert rest.final_loss == pytest.approx(plain.final_loss, rel=1e-13)
    if name == "numpy-tuned":
        assert same_bits(rest.final.params, run.final.params)


def three(dtype: str, *, own_data: bool) -> tuple[Case, Any, Any, Params]:
    """An ensemble of the informative case: ragged batches, learning rates of their own."""
    case = informative_case(dtype, update=0)
    rates = np.array([0.1, 0.3, 0.2])
    keep = tuple(range(case.schedule.updates + 1))
    case = replace(case, schedule=replace(case.schedule, learning_rate=rates, keep=keep))
    params = map_params(lambda w: np.stack([w, w[::-1], w[..., ::-1]]), case.params)
    inputs, targets = case.inputs, case.targets
    if own_data:
        inputs, targets = (
            np.stack([a, a[::-1], a[::2].repeat(2, 0)[:13]]) for a in (inputs, targets)
        )
    return case, inputs, targets, params


@pytest.mark.parametrize("at_once", [1, 2, 3])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("own_data", [False, True])
def test_ensembles_in_numpy(
    own_data: bool, dtype: str, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In parts of one, two (and what is left) and all three members."""
    case, inputs, targets, params = three(dtype, own_data=own_data)
    one = 3 * (5 + 4 + 2) * 4 * inputs.itemsize
    monkeypatch.setattr(submodule("impl_numpy.tuned.step"), "CACHE_BYTES", at_once * one)
    data = params, inputs, targets, case.schedule
    found = implementation("numpy-tuned").train_ensemble(case.network, *data)
    assert judge_members(case, inputs, targets, found) == {Verdict.AGREE}


@pytest.mark.parametrize("own_data", [False, True])
def test_ensembles_in_jax(own_data: bool) -> None:
    case, inputs, targets, params = three("float64", own_data=own_data)
    data = params, inputs, targets, case.schedule
    found = implementation("jax-tuned").train_ensemble(case.network, *data)
    assert judge_members(case, inputs, targets, found) == {Verdict.AGREE}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch's compiler about itself
def test_an_ensemble_in_torch() -> None:
    case, inputs, targets, params = three("float64", own_data=True)
    data = params, inputs, targets, case.schedule
    found = implementation("torch-tuned").train_ensemble(case.network, *data)
    assert judge_members(case, inputs, targets, found) == {Verdict.AGREE}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("name", TUNED)
def test_a_member_of_a_full_batch_is_its_own_single_run(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Several updates between two that are kept."""
    monkeypatch.setattr(submodule("impl_torch.tuned.step"), "LAYERS_PER_CALL", 6)
    case, inputs, targets, params = three("float64", own_data=False)
    schedule = replace(
        case.schedule, batch_size=None, order=None, epochs=6, keep=(4,), learning_rate=0.3
    )
    found = implementation(name).train_ensemble(case.network, params, inputs, targets, schedule)
    plain = implementation("numpy")
    for k in range(3):
        alone = plain.train(
            case.network, map_params(lambda w, k=k: w[k], params), inputs, targets, schedule
        )
        np.testing.assert_allclose(found.losses[k], alone.losses, rtol=1e-13)
        for at, other in ((found.kept[4], alone.kept[4]), (found.final, alone.final)):
            member = map_params(lambda w, k=k: w[k], at.params)
            for a, b in zip(tensors(member), tensors(other.params), strict=True):
                np.testing.assert_allclose(a, b, rtol=1e-11)


@pytest.mark.parametrize("name", TUNED)
def test_what_is_not_sped_up_is_done_plainly(name: str) -> None:
    case = next(
        case for where, case in extended_suite("float64") if where.startswith("convolution, padded")
    )
    arguments = case.network, case.params, *case.batch
    loss, grads = implementation(name).loss_and_grads(*arguments)
    plain_loss, plain_grads = implementation(name.removesuffix("-tuned")).loss_and_grads(*arguments)
    assert loss == plain_loss
    assert same_bits(grads, plain_grads)
    members = map_params(lambda w: np.stack([w, -w]), case.params)
    several = members, case.inputs, case.targets, replace(case.schedule, keep=())
    together = implementation(name).train_ensemble(case.network, *several)
    plainly = implementation(name.removesuffix("-tuned")).train_ensemble(case.network, *several)
    assert same_bits(together.final.params, plainly.final.params)
    if name != "jax-tuned":  # compiled anew, it may round differently
        data = case.inputs, case.targets, replace(case.schedule, keep=(4,))
        run = implementation(name).train(case.network, case.params, *data)
        plain = implementation(name.removesuffix("-tuned")).train(case.network, case.params, *data)
        assert same_bits(run.kept[4].params, plain.kept[4].params)


def test_without_a_compiler_torch_trains_plainly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    case = informative_case("float64", update=0)
    arguments = case.network, case.params, case.inputs, case.targets, case.schedule
    found = implementation("torch-tuned").train(*arguments)
    plain = implementation("torch").train(*arguments)
    assert same_bits(found.final.params, plain.final.params)
