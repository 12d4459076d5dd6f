"""The vetted suite of activations, losses, optimizers and convolutions can tell, and so names what is planted there."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from typing import Any, get_args

import numpy as np
import pytest

from gradparity.campaigns.planted_faults.faults import EXTENDED, FAULTS, Fault
from gradparity.campaigns.planted_faults.plant import Plant
from gradparity.campaigns.planted_faults.scoreboard import Outcome, in_words, observe, score
from gradparity.contract import (
    SGD,
    Activation,
    Conv,
    Loss,
    Params,
    Snapshot,
    State,
    Trajectory,
    map_params,
    tensors,
)
from gradparity.diagnosis.diagnose import RECORDED, diagnose
from gradparity.diagnosis.evidence import Evidence
from gradparity.diagnosis.mistakes import FORWARD, GRADIENT, UPDATE, Mistake, Program
from gradparity.guarded import Guarded
from gradparity.reference.passes import RIGHT
from gradparity.reference.step import StepValues
from gradparity.suites.extended import EXTENDED_SUITE, ExtendedConfiguration, extended_suite
from gradparity.suites.random_networks import OPTIMIZERS
from gradparity.verdict.judge import PHASES, Verdict
from gradparity.verdict.observation import Observation

from .helpers import Faulty, implementation

CASES = [case for _, case in extended_suite("float64")]


def test_everything_is_in_it() -> None:
    layers = [layer for configuration in EXTENDED_SUITE for layer in configuration.network.layers]
    assert {layer.activation for layer in layers} == set(get_args(Activation))
    assert {configuration.network.loss for configuration in EXTENDED_SUITE} == set(get_args(Loss))
    assert {type(configuration.optimizer) for configuration in EXTENDED_SUITE} == set(
        map(type, OPTIMIZERS.values())
    )
    decays = {(type(f.optimizer), f.decoupled) for f in EXTENDED_SUITE if f.decay}
    assert len(decays) == 2 * len({type(o) for o in OPTIMIZERS.values()})
    convolutions = [layer for layer in layers if isinstance(layer, Conv)]
    assert {layer.stride for layer in convolutions} == {1, 2}
    assert {layer.padding for layer in convolutions} == {0, 1}


@pytest.mark.parametrize("configuration", EXTENDED_SUITE, ids=str)
def test_shapes_tell_axes_apart(configuration: ExtendedConfiguration) -> None:
    assert configuration.samples % configuration.batch_size
    for layer, shape, weight in zip(
        configuration.network.layers,
        configuration.network.shapes,
        configuration.network.weight_shapes,
        strict=False,
    ):
        assert len(set(shape)) == len(shape)  # of an image: height, width, channels
        if isinstance(layer, Conv):
            assert layer.kernel[0] != layer.kernel[1]
            assert weight[2] != weight[3]
        else:
            assert weight[0] != weight[1]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_every_tensor_is_resolved(dtype: str) -> None:
    for where, case in extended_suite(dtype):
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
        for configuration in EXTENDED_SUITE
        if configuration.kink
        for z in configuration.case("float64").evaluate_exactly().pre_activations[:1]
    ]
    assert len(met) == 3
    assert min(met) > 0


NO_STEP = next(fault for fault in EXTENDED if fault.mistake == "the update is skipped")
"""The one mistake of the loop among those of optimizers."""


@pytest.mark.parametrize("fault", [NO_STEP, *EXTENDED[::5]], ids=str)
def test_planted_faults_are_caught_and_named(plant: Plant, fault: Fault) -> None:
    """A fifth; `gradparity planted-faults` plants them all."""
    found = score(fault, plant.plant(fault), CASES, visibility=False)
    assert found.caught == 1
    assert set(found.outcomes) == {Outcome.NAMED}


def test_the_right_program_is_right(plant: Plant) -> None:
    assert not any(o.wrong(*PHASES) for o in observe(plant.plant(Fault("none", ())), CASES))


def test_a_wrong_state_beside_right_weights_is_no_reduced_precision() -> None:
    """Nobody has listed it, and it is far off: it must get no name."""

    def train(*arguments: Any, **keywords: Any) -> Trajectory:
        run = implementation("numpy").train(*arguments, **keywords)
        kept = {
            count: Snapshot(params, State(count, {n: _oddly(a) for n, a in state.arrays.items()}))
            for count, (params, state) in run.kept.items()
        }
        return replace(run, kept=kept)

    faulty = Guarded("faulty", Faulty(implementation("numpy"), train=train))
    cases = [case for case in CASES if case.schedule.optimizer == SGD(momentum=0.9)]
    found = diagnose(observe(faulty, cases), lambda case: case.observe(faulty))
    assert found.unknown == ["update"]
    assert in_words(found) == "unknown"


def _oddly(params: Params) -> Params:
    return map_params(lambda t: t * (1 + 0.3 * np.cos(np.arange(t.size)).reshape(t.shape)), params)


def test_every_planted_fault_has_its_entry_in_the_catalogue() -> None:
    """But for mere factors, reduced precision, which has no algebra, and the losses that a loop records."""
    catalogue = {mistake.name for mistake in (*FORWARD, *GRADIENT, *UPDATE)}
    for fault in (*FAULTS, *EXTENDED):
        if fault.mistake:
            assert fault.mistake in {*catalogue, *RECORDED}, fault
        else:
            assert fault.reduced or fault.factor != "1", fault


def test_no_two_planted_faults_have_the_same_name() -> None:
    for faults in (FAULTS, EXTENDED):
        assert len({str(fault) for fault in faults}) == len(faults)


Rows = dict[int, np.ndarray]
"""By the case's number: new weights and state, or gradients where the mistake is one of these; all in one row."""


def _rows(shown: list[Evidence], mistake: Mistake | None) -> Rows:
    """What would be seen with a mistake in every layer where it can be made, on the cases where there is any."""
    rows = {}
    for number, (case, one) in enumerate(zip(CASES, shown, strict=True)):
        with np.errstate(all="ignore"):
            layers = frozenset(range(len(case.network.layers)))
            found = (
                case.evaluate_exactly()
                if mistake is None
                else mistake.predict(Program(case, RIGHT, layers))
            )
            if found is not None:
                predicted = one.predicted(found.grads, mistake)
                rows[number] = np.concatenate([tensor.ravel() for tensor in predicted])
    return rows


def test_mistakes_do_not_look_alike() -> None:
    """Made in every layer where it can be, each mistake gives what no other one gives, and what is not right."""
    shown: list[Any] = []
    seen: dict[str, Rows] = {}
    for case in CASES:
        expected, _ = case.expect()
        step = StepValues(updated=expected.updated, state=expected.state)
        shown.append(Evidence.of(Observation(case, step), "update"))
    right = _rows(shown, None)
    for mistake in (*GRADIENT, *UPDATE):
        # These look at other updates than this one: tests/test_core_suite.py has them.
        if not mistake.name.startswith("the gradient is") and "batch" not in mistake.name:
            seen[mistake.name] = _rows(shown, mistake)
    seen = {name: rows for name, rows in seen.items() if rows}
    assert len(seen) > 100
    for name, rows in seen.items():
        assert not _alike(rows, {number: right[number] for number in rows}), name
    for (name, rows), (other, others) in combinations(seen.items(), 2):
        assert not _alike(rows, others), (name, other)


def _alike(one: Rows, other: Rows) -> bool:
    return one.keys() == other.keys() and all(
        np.allclose(row, other[number], rtol=1e-12, atol=0.0, equal_nan=True)
        for number, row in one.items()
    )
