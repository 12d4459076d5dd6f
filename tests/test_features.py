"""The vetted suite of activations, losses, optimizers and convolutions can tell, and so names what is planted there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import get_args

import numpy as np
import pytest

from gradparity.contract import Activation, Conv, Loss, tensors
from gradparity.parity.case import Case
from gradparity.parity.faults import FEATURES, GROUPS, Fault, Plant
from gradparity.parity.features import FEATURES_SUITE, Feature, features
from gradparity.parity.judge import PHASES, Verdict
from gradparity.parity.mistakes import GRADIENT, UPDATE, Mistake
from gradparity.parity.naming import _Shown
from gradparity.parity.observation import Observation
from gradparity.parity.randomized import OPTIMIZERS
from gradparity.parity.reference import RIGHT
from gradparity.parity.scoreboard import Outcome, observe, score
from gradparity.parity.step import Step

CASES = [case for _, case in features("float64")]


@pytest.fixture(scope="module")
def plant() -> Iterator[Plant]:
    with Plant() as opened:
        yield opened


def test_everything_is_in_it() -> None:
    layers = [layer for feature in FEATURES_SUITE for layer in feature.network.layers]
    assert {layer.activation for layer in layers} == set(get_args(Activation))
    assert {feature.network.loss for feature in FEATURES_SUITE} == set(get_args(Loss))
    assert {type(feature.optimizer) for feature in FEATURES_SUITE} == set(
        map(type, OPTIMIZERS.values())
    )
    decays = {(type(f.optimizer), f.decoupled) for f in FEATURES_SUITE if f.decay}
    assert len(decays) == 2 * len({type(o) for o in OPTIMIZERS.values()})
    convolutions = [layer for layer in layers if isinstance(layer, Conv)]
    assert {layer.stride for layer in convolutions} == {1, 2}
    assert {layer.padding for layer in convolutions} == {0, 1}


@pytest.mark.parametrize("feature", FEATURES_SUITE, ids=str)
def test_shapes_tell_axes_apart(feature: Feature) -> None:
    assert feature.samples % feature.batch_size
    for layer, shape, weight in zip(
        feature.network.layers, feature.network.shapes, feature.network.weight_shapes, strict=False
    ):
        assert len(set(shape)) == len(shape)  # of an image: height, width, channels
        if isinstance(layer, Conv):
            assert layer.kernel[0] != layer.kernel[1]
            assert weight[2] != weight[3]
        else:
            assert weight[0] != weight[1]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_every_tensor_is_resolved(dtype: str) -> None:
    for where, case in features(dtype):
        expected, bound = case.expect()
        right = replace(expected, recorded=expected.loss)
        verdicts = {f.verdict for f in Observation(case, right).findings}
        assert verdicts == {Verdict.AGREE}, where
        for exact, e in zip(tensors(expected.grads or ()), tensors(bound.grads or ()), strict=True):
            size = np.linalg.norm(exact.astype(float))
            assert np.linalg.norm(e) < (1e-11 if dtype == "float64" else 1e-2) * size, where


def test_the_kinks_are_met() -> None:
    met = [
        np.sum(z == 0)
        for feature in FEATURES_SUITE
        if feature.kink
        for z in feature.case("float64").evaluate_exactly().pre_activations[:1]
    ]
    assert len(met) == 3
    assert min(met) > 0


@pytest.mark.parametrize("fault", FEATURES[::3], ids=str)
def test_planted_faults_are_caught_and_named(plant: Plant, fault: Fault) -> None:
    """A third; `gradparity faults` plants them all."""
    found = score(fault, plant.plant(fault), CASES, visibility=False)
    assert found.caught == 1
    assert set(found.outcomes) == {Outcome.NAMED}


def test_the_right_program_is_right(plant: Plant) -> None:
    assert not any(o.wrong(*PHASES) for o in observe(plant.plant(Fault("none", ())), CASES))


def test_every_planted_fault_has_its_entry_in_the_catalogue() -> None:
    """No two of them the same; those of the forward pass and the loss are named in catalogues of their own."""
    assert (
        len({str(fault) for fault in FEATURES}) == len(FEATURES) == sum(map(len, GROUPS.values()))
    )
    assert all(fault.mistake for fault in FEATURES)


def _shown(case: Case, mistake: Mistake | None) -> list[np.ndarray] | None:
    """New weights and state, or gradients where the mistake is one of these; None where it cannot be made."""
    grads = case.evaluate_exactly().grads
    expected, _ = case.expect()
    shown = _Shown.of(
        Observation(case, Step(updated=expected.updated, state=expected.state)), "update"
    )
    assert shown is not None
    with np.errstate(all="ignore"):
        if mistake is not None:
            layers = frozenset(range(len(case.network.layers)))
            found = mistake.predict(case, RIGHT, layers, 1.0)
            if found is None:
                return None
            grads = found.grads
        return shown.predicted(grads, mistake)


def test_mistakes_do_not_look_alike() -> None:
    """Made in every layer where it can be, each mistake gives what no other one gives, and what is not right."""
    seen: dict[str, list[tuple[int, list[np.ndarray]]]] = {}
    for mistake in (*GRADIENT, *UPDATE):
        if mistake.name.startswith("the gradient is") or "batch" in mistake.name:
            continue  # they look at other updates than this one: tests/test_suite.py
        made = [(at, found) for at, case in enumerate(CASES) if (found := _shown(case, mistake))]
        if made:
            seen[mistake.name] = made
    assert len(seen) > 100
    names = list(seen)
    for at, name in enumerate(names):
        right = [(k, _shown(CASES[k], None) or []) for k, _ in seen[name]]
        assert not _alike(seen[name], right), name
        for other in names[at + 1 :]:
            assert not _alike(seen[name], seen[other]), (name, other)


def _alike(
    one: list[tuple[int, list[np.ndarray]]], other: list[tuple[int, list[np.ndarray]]]
) -> bool:
    if [at for at, _ in one] != [at for at, _ in other]:
        return False
    return all(
        _near(a, b)
        for (_, tensors_a), (_, tensors_b) in zip(one, other, strict=True)
        for a, b in zip(tensors_a, tensors_b, strict=True)
    )


def _near(a: np.ndarray, b: np.ndarray) -> bool:
    size = np.linalg.norm(b.astype(float))
    return bool(np.linalg.norm((a - b).astype(float)) <= 1e-12 * size) or bool(
        np.all(np.isnan(a) == np.isnan(b)) and np.isnan(size)
    )
