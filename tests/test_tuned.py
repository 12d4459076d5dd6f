"""The tuned variants: the same contract, the same verdicts; padded, masked and ragged batches among them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import impl_torch.tuned
from gradparity import registry
from gradparity.contract import Dense, Network
from gradparity.parity.agreement import examine
from gradparity.parity.case import steps_of
from gradparity.parity.features import features
from gradparity.parity.judge import Verdict, judge
from gradparity.parity.randomized import Setting, random_setting
from gradparity.parity.suite import suite

from .helpers import implementation, informative_case, same_bits

TUNED = ("numpy-tuned", "torch-tuned", "jax-tuned")


def test_they_are_registered_beside_the_plain_ones() -> None:
    assert set(TUNED) < set(registry.installed())
    assert not set(TUNED) & set(registry.PLAIN)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_numpy_on_the_vetted_suites(dtype: str) -> None:
    """Those of the homework, and what the plain implementation does for it."""
    agreement = examine(
        {"numpy-tuned": implementation("numpy-tuned")}, [*suite(dtype), *features(dtype)]
    )
    assert agreement.verdict is Verdict.AGREE, agreement.first


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from(["float64", "float32"]))
def test_random_networks_in_numpy(seed: int, dtype: str) -> None:
    rng = np.random.default_rng(seed)
    case = random_setting(rng).draw(rng, dtype)
    two = {name: implementation(name) for name in ("numpy-tuned", "torch")}
    assert not examine(two, [("", case)]).first


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_jax_on_a_few_of_the_suite(dtype: str) -> None:
    """With and without biases, full batch and ragged last ones; Adam and ReLU, which it speeds up too."""
    chosen = [*list(suite(dtype))[:2], *(f for f in features(dtype) if "kink met: 3" in f[0])]
    chosen += [f for f in features(dtype) if f[0].startswith("Adam, decoupled")]
    assert len(chosen) == 4
    agreement = examine({"jax-tuned": implementation("jax-tuned")}, chosen)
    assert agreement.verdict is Verdict.AGREE, agreement.first


def test_wide_layers_in_jax() -> None:
    """Above the size up to which a layer multiplies and sums, it is a product with a derivative of its own."""
    rng = np.random.default_rng(3)
    wide = Setting(Network((30,), (Dense(40), Dense(40))), samples=21, batch_size=None)
    case = wide.draw(rng, "float64")
    agreement = examine({"jax-tuned": implementation("jax-tuned")}, [("", case)])
    assert agreement.verdict is Verdict.AGREE, agreement.first


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch's compiler about itself
@pytest.mark.parametrize("name", TUNED)
def test_a_run_step_by_step_and_from_the_middle(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ragged batches; several updates between two that are kept, and single ones."""
    monkeypatch.setattr(impl_torch.tuned, "_AT_ONCE", 2)  # compiles in a third of the time
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


@pytest.mark.parametrize("name", TUNED)
def test_what_is_not_sped_up_is_done_plainly(name: str) -> None:
    case = next(
        case for where, case in features("float64") if where.startswith("convolution, padded")
    )
    arguments = case.network, case.params, *case.batch
    loss, grads = implementation(name).loss_and_grads(*arguments)
    plain_loss, plain_grads = implementation(name.removesuffix("-tuned")).loss_and_grads(*arguments)
    assert loss == plain_loss
    assert same_bits(grads, plain_grads)
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
