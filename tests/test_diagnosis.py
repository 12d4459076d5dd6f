"""Planted faults are caught and called by their names; what is right is not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradparity.campaigns.planted_faults import run as campaign
from gradparity.campaigns.planted_faults.faults import (
    BY_LAYER,
    EXTENDED,
    FACTORS,
    FAULTS,
    WHOLE,
    Fault,
    Patch,
    pairs,
)
from gradparity.campaigns.planted_faults.plant import Plant, faulty_sources
from gradparity.campaigns.planted_faults.record import PLANTED_FAULTS
from gradparity.campaigns.planted_faults.scoreboard import (
    Outcome,
    classify,
    in_words,
    observe,
    planted,
    score,
)
from gradparity.contract import Params, Snapshot, State, map_params
from gradparity.diagnosis.diagnose import Diagnosis, diagnose
from gradparity.diagnosis.mistakes import GRADIENT, LayerMistake
from gradparity.diagnosis.one_rounding import rounded
from gradparity.diagnosis.reduced_precision import FORMATS
from gradparity.diagnosis.search import fits
from gradparity.guarded import Guarded
from gradparity.reference.step import StepValues
from gradparity.suites.core import CORE_SUITE, core_suite
from gradparity.verdict import case as case_module
from gradparity.verdict.case import Case
from gradparity.verdict.judge import PHASES, Verdict
from gradparity.verdict.observation import Observation

from .helpers import Faulty, InThisProcess, implementation, informative_case, same_bits, scaled

CASES = [case for _, case in core_suite("float64")]
PAIRS = list(pairs())


SKIPPED = next(fault for fault in FAULTS if fault.mistake == "the update is skipped")


@pytest.mark.parametrize("fault", [SKIPPED, *FAULTS[::4], *WHOLE, *PAIRS[::37]], ids=str)
def test_planted_faults_are_caught_and_named(plant: Plant, fault: Fault) -> None:
    """A sample; `gradparity planted-faults` plants them all."""
    found = score(fault, plant.plant(fault), CASES, visibility=False)
    assert found.caught == 1
    assert set(found.outcomes) == {Outcome.CLASS if fault.reduced else Outcome.NAMED}


def test_the_right_program_gets_no_name(plant: Plant) -> None:
    right = plant.plant(Fault("none", ()))
    observations = observe(right, CASES)
    assert not any(o.wrong(*PHASES) for o in observations)
    found = diagnose(observations, lambda case: case.observe(right))
    assert in_words(found) == "unknown"
    assert not found.unknown


@pytest.mark.parametrize("layer", [None, 1])
@pytest.mark.parametrize(
    ("patch", "message"),
    [
        (
            Patch("gradients", "value_and_grad", "no such marker", ""),
            r"gradients\.py: value_and_grad has no lines with the comment '# no such marker'",
        ),
        (
            Patch("layers", "no_such_function", "dL/dW", ""),
            r"layers\.py: no_such_function has no lines with the comment '# dL/dW'",
        ),
    ],
)
def test_a_fault_that_cannot_be_planted_is_an_error(
    plant: Plant, patch: Patch, message: str, layer: int | None
) -> None:
    with pytest.raises(ValueError, match=message):
        plant.plant(Fault("x", (patch,), layer=layer))


def test_a_marker_that_two_lines_have_is_an_error() -> None:
    sources = {"losses": "def mse(a, y):\n    d = a - y  # d\n    d = 2 * d  # d\n"}
    fault = Fault("x", (Patch("losses", "mse", "d", "d = 0"),))
    with pytest.raises(ValueError, match=r"losses\.py: mse has 2 lines with the comment '# d'"):
        faulty_sources(sources, fault)


SOURCES = {
    "layers": "LAYERS = {\n    Dense: dense,  # dense\n}\n",
    "gradients": "def value_and_grad(params):\n    for k in params:\n        z = LAYERS[k](z)  # z\n",
}


def test_a_fault_in_one_layer_is_a_copy_that_the_chain_rule_takes_for_it() -> None:
    patches = (
        Patch("layers", "LAYERS", "dense", "LINE * 2,"),
        Patch("gradients", "value_and_grad", "z", "LINE\nz = -z"),
    )
    for layer, number in ((1, "1"), (-1, "len(params) - 1")):
        planted = faulty_sources(SOURCES, Fault("x", patches, layer=layer))
        table = f"(faulty_layers.LAYERS if k == {number} else LAYERS)[k]"
        assert planted == {
            "layers": SOURCES["layers"],
            "faulty_layers": "LAYERS = {\n    Dense: dense, * 2,\n}\n",
            "gradients": "def value_and_grad(params):\n    for k in params:\n"
            f"        if k == {number}:\n            z = {table}(z)\n            z = -z\n"
            f"        else:\n            z = {table}(z)\n\nfrom . import faulty_layers\n",
        }
    everywhere = faulty_sources(SOURCES, Fault("x", patches))
    assert everywhere["layers"] == planted["faulty_layers"]
    assert everywhere["gradients"].endswith("        z = LAYERS[k](z)\n        z = -z\n")
    assert list(everywhere) == ["layers", "gradients"]


def test_a_fault_in_one_layer_needs_a_chain_rule_that_looks_layers_up() -> None:
    sources = SOURCES | {"gradients": "def value_and_grad(params):\n    z = dense(z)  # z\n"}
    fault = Fault("x", (Patch("layers", "LAYERS", "dense", ""),), layer=0)
    with pytest.raises(ValueError, match=r"gradients\.py: .* look up nothing in LAYERS"):
        faulty_sources(sources, fault)


def test_what_is_not_in_the_list_is_unknown() -> None:
    """Mistakes that nobody has listed must get no name."""

    def mixed(grads: Params) -> Params:
        return tuple(
            layer._replace(weight=layer.weight + 0.1 * layer.weight[::-1]) for layer in grads
        )

    def noisy(grads: Params) -> Params:
        return map_params(
            lambda g: g * (1 + 0.3 * np.cos(np.arange(g.size)).reshape(g.shape)), grads
        )

    for change in (mixed, noisy, scaled(0, "weight", 1.7)):
        faulty = Guarded("faulty", Faulty(implementation("numpy"), grads=change))
        found = named(faulty, CASES[:4])
        assert found.unknown == ["gradient"]
        assert in_words(found) == "unknown"


def test_a_wrong_name_is_called_wrong(plant: Plant) -> None:
    """The scoreboard itself: a diagnosis of another fault is misnamed, of none unknown."""
    missing = next(f for f in FAULTS if str(f) == "missing σ', layer 1")
    other = next(f for f in FAULTS if str(f) == "doubled σ', layer 1")
    faulty = plant.plant(missing)
    observations = observe(faulty, CASES)
    found = named(faulty, CASES)
    assert classify(missing, found, observations) is Outcome.NAMED
    assert classify(other, found, observations) is Outcome.MISNAMED
    assert classify(missing.with_factor(FACTORS[1]), found, observations) is Outcome.MISNAMED
    found.gradient.clear()
    assert classify(missing, found, observations) is Outcome.UNKNOWN
    found.reduced = "reduced precision"
    assert classify(missing, found, observations) is Outcome.MISNAMED


def test_undone_the_mistake_leaves_only_rounding(plant: Plant) -> None:
    fault = next(f for f in FAULTS if str(f) == "tanh' for σ', layer 0")
    (name,) = named(plant.plant(fault), CASES).gradient
    assert 0 < name.share < 0.1


def test_a_fault_is_visible_where_its_effect_exceeds_rounding(plant: Plant) -> None:
    fault = next(f for f in FAULTS if str(f) == "transposed weight")
    faulty = plant.plant(fault)
    square, oblong = CASES[6], CASES[0]
    assert score(fault, faulty, [square], visibility=True).visible == 1
    invisible = score(fault, faulty, [oblong], visibility=True)
    assert (invisible.visible, invisible.caught, invisible.missed) == (0, 0, 0)


def test_without_an_extended_type(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where long double is float64, float64 is judged by twice the bound, and named as well."""
    monkeypatch.setattr(case_module, "oracle_dtype", lambda: np.float64)
    for name in ("missing σ', layer 1", "wrong sign", "float32 matmul, layer 0"):
        fault = next(f for f in FAULTS if str(f) == name)
        found = score(fault, plant.plant(fault), CASES, visibility=False)
        assert set(found.outcomes) == {Outcome.CLASS if fault.reduced else Outcome.NAMED}
    right = observe(plant.plant(Fault("none", ())), CASES)
    assert right[0].answer[0].loss.dtype == np.float64
    assert not any(o.wrong(*PHASES) for o in right)


def test_in_float32_too(plant: Plant) -> None:
    fault = next(f for f in FAULTS if str(f) == "missing σ', layer 0")
    cases = [case for _, case in core_suite("float32")]
    faulty = plant.plant(fault)
    assert classify(fault, named(faulty, cases), observe(faulty, cases)) is Outcome.NAMED


def test_fits_asks_for_place_and_factor(plant: Plant) -> None:
    fault = next(f for f in FAULTS if str(f) == "missing σ', layer 0")
    observations = observe(plant.plant(fault), CASES)
    missing = next(m for m in GRADIENT if m.name == fault.mistake)
    assert fits(observations, "gradient", missing, lambda _: frozenset({0}), "1")
    assert not fits(observations, "gradient", missing, lambda _: frozenset({1}), "1")
    assert not fits(observations, "gradient", missing, lambda _: frozenset({0}), "2")


def test_one_observation_is_enough_to_speak() -> None:
    case = informative_case("float64")
    for factor, name in ((0.0, "the weight gradient is missing in layer 1"), (1.7, "unknown")):
        faulty = Faulty(implementation("numpy"), grads=scaled(0, "weight", factor))
        observation = Observation(case, case.observe(faulty))
        found = diagnose([observation], partial(Case.observe, implementation=faulty))
        assert in_words(found) == name


def _together(a: Fault, b: Fault) -> Fault:
    """Two faults in the same layer or layers."""
    return Fault(f"{a.name} and {b.name}", (*a.patches, *b.patches), layer=a.layer)


def _equations(fault: Fault) -> set[str]:
    return {patch.marker for patch in fault.patches}


TWO = [
    (a, b)
    for a, b in combinations(BY_LAYER, 2)
    if a.layer == b.layer and not _equations(a) & _equations(b)
]
"""Pairs of faults in different equations."""


@pytest.mark.parametrize(("a", "b"), TWO[::41], ids=str)
def test_two_faults_are_named_both(plant: Plant, a: Fault, b: Fault) -> None:
    observations = observe(plant.plant(_together(a, b)), CASES)
    name = diagnose(observations, no_more).gradient[0]
    called = {made.mistake.name for made in name.made}
    if called != {a.mistake, b.mistake}:  # one hides the other: alone it gives the same numbers
        (seen,) = (fault for fault in (a, b) if {fault.mistake} == called)
        for o, alone in zip(observations, observe(plant.plant(seen), CASES), strict=True):
            assert same_bits(o.result.grads or (), alone.result.grads or ())
    assert name.factor.name == "1"
    for made in name.made:
        assert isinstance(made.mistake, LayerMistake)
        for o in observations:
            possible = made.mistake.possible(o.case.network)
            assert made.layers(o.depth) & possible == planted(a, o.depth) & possible


def no_more(_: Case) -> StepValues:
    """For a diagnosis that must not need another run."""
    raise AssertionError


def test_a_fault_of_the_whole_step_and_one_of_a_layer(plant: Plant) -> None:
    dropped = next(fault for fault in WHOLE if fault.name == "dropped sample, counted out")
    averaged = next(f for f in BY_LAYER if str(f) == "bias gradient averaged")
    both = named(plant.plant(_together(dropped, averaged)), CASES)
    assert in_words(both) == f"{averaged.mistake} in every layer; {dropped.mistake}"


@pytest.mark.parametrize(
    ("places", "name"),
    [
        (
            [(0, "weight", 2.0), (2, "weight", 2.0)],
            "the weight gradient is doubled in layers 1 and 3",
        ),
        ([(1, "bias", -1.0)], "the bias gradient has the wrong sign in layer 2"),
        (
            [(0, "weight", -1.0), (1, "bias", 0.5)],
            "the weight gradient has the wrong sign in layer 1; the bias gradient is halved in layer 2",
        ),
        ([(0, "weight", 2.0), (1, "weight", 0.5), (2, "bias", -1.0)], "unknown"),
    ],
)
def test_single_tensors_in_any_layers(places: list[tuple[int, str, float]], name: str) -> None:
    """In one network, so that any set of layers is possible; three mistakes are too many."""

    def change(grads: Params) -> Params:
        for layer, tensor, factor in places:
            grads = scaled(layer, tensor, factor)(grads)
        return grads

    faulty = Guarded("faulty", Faulty(implementation("numpy"), grads=change))
    found = named(faulty, [configuration_of((4, 5, 5, 5, 3)), configuration_of((4, 5, 5, 5, 3), 1)])
    assert str(found.gradient[0] if found.gradient else "unknown") == name


def configuration_of(widths: tuple[int, ...], seed: int = 0) -> Case:
    return next(c for c in CORE_SUITE if c.widths == widths).case("float64", seed)


@pytest.mark.parametrize("factor", [0.505, 2.015, 1.001, 1 + 1e-9, 1 + 1e-13])
def test_any_factor_is_found(factor: float) -> None:
    """Also one within a per cent of a known one, and one that is close to 1."""

    def multiplied(grads: Params) -> Params:
        return map_params(lambda g: g * factor, grads)

    (name,) = named(
        Guarded("faulty", Faulty(implementation("numpy"), grads=multiplied)), CASES
    ).gradient
    assert not name.made
    assert name.factor.value(5, 2) == pytest.approx(factor, rel=1e-15)
    assert name.factor.name == (
        f"{factor:.6g}" if factor > 1.0001 or factor < 1 else f"(1 + {factor - 1:.2g})"
    )


@pytest.mark.parametrize("size", [1e-13, 1e-11, 1e-9])
def test_errors_below_the_least_rounding_are_no_reduced_precision(size: float) -> None:
    rng = np.random.default_rng(0)

    def noisy(grads: Params) -> Params:
        return map_params(lambda g: g * (1 + size * rng.standard_normal(g.shape)), grads)

    found = named(Guarded("noisy", Faulty(implementation("numpy"), grads=noisy)), CASES)
    assert found.unknown == ["gradient"]
    assert not found.reduced


@given(st.floats(-1e30, 1e30, allow_subnormal=False).filter(lambda x: abs(x) > 1e-30 or not x))
def test_rounding_is_that_of_the_format(number: float) -> None:
    assert rounded(np.array(number), FORMATS[0]) == float(np.float32(number))


def test_gradients_that_are_never_reset_are_named_after_any_number_of_updates() -> None:
    correct = implementation("numpy")

    def train(
        network: Any, params: Params, inputs: Any, targets: Any, schedule: Any, state: Any
    ) -> Any:
        trajectory = correct.train(network, params, inputs, targets, schedule, state)
        start = state.updates
        total, kept, losses = map_params(np.zeros_like, params), {}, []
        for update in range(start, schedule.updates + 1):
            if update in schedule.keep:
                kept[update] = Snapshot(params, State(update, {}))
            if update < schedule.updates:
                batch = schedule.batch(update)
                loss, grads = correct.loss_and_grads(network, params, inputs[batch], targets[batch])
                losses.append(loss)
                total = map_params(np.add, total, grads)
                params = map_params(lambda w, g: w - schedule.learning_rate * g, params, total)
        final = Snapshot(params, State(schedule.updates, {}))
        return replace(trajectory, losses=np.array(losses), final=final, kept=kept)

    faulty = Faulty(correct, train=train)
    case = informative_case("float64", update=0)
    observations = [Observation(*pair) for pair in case.observe_steps(faulty, 4)]
    assert [len(o.case.history) for o in observations] == [0, 1, 2, 3]
    (name,) = diagnose(observations, no_more).gradient
    assert str(name) == "the gradient is accumulated: it is not set to zero between updates"


def test_a_small_mistake_is_no_reduced_precision() -> None:
    """A gradient that is a thousandth off in a smooth way is within a coarser format's bound, but no rounding."""

    def smooth(grads: Params) -> Params:
        return map_params(
            lambda g: g * (1 + 1e-3 * np.cos(np.arange(g.size)).reshape(g.shape)), grads
        )

    def rounded(grads: Params) -> Params:
        return map_params(lambda g: g.astype(np.float16).astype(g.dtype), grads)

    faulty = Guarded("smooth", Faulty(implementation("numpy"), grads=smooth))
    assert in_words(named(faulty, CASES)) == "unknown"
    faulty = Guarded("rounded", Faulty(implementation("numpy"), grads=rounded))
    assert "as of float16" in in_words(named(faulty, CASES))


def named(faulty: Guarded, cases: Sequence[Case]) -> Diagnosis:
    return diagnose(observe(faulty, cases), lambda case: case.observe(faulty))


def test_the_campaign_counts_and_stores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = [("single", FAULTS[0]), ("pairs", PAIRS[0]), ("features", EXTENDED[0])]
    monkeypatch.setattr(campaign, "all_faults", lambda: chosen)
    monkeypatch.setattr(campaign, "FAULTS", [FAULTS[1]])
    monkeypatch.setattr(campaign, "EXTENDED", [EXTENDED[1]])
    found = campaign.planted_faults(2, 0, tmp_path, executor=InThisProcess)
    assert found is Verdict.AGREE
    stored = PLANTED_FAULTS.read(tmp_path)
    assert stored
    for table, fault in chosen:
        assert stored[table][str(fault)]["named"] == 1
    for table, fault in (("random", FAULTS[1]), ("random_features", EXTENDED[1])):
        assert stored[table][str(fault)]["planted"] == 2
        assert stored[table][str(fault)]["missed"] == 0
