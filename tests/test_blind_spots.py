"""What a program does wrong beyond the vetted networks is found: in drawn ones, in runs, in the assignment itself."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradparity.check.homework import EPOCHS, homework
from gradparity.check.observed import Observed
from gradparity.check.observing import configurations, observe
from gradparity.check.target import Limits, Target
from gradparity.check.training import training_runs
from gradparity.contract import Params, Snapshot, State, Trajectory, map_params, tensors
from gradparity.processes import one_quiet_thread
from gradparity.suites.core import CORE_SUITE, core_suite
from gradparity.suites.drawn import draw, drawn
from gradparity.verdict.case import Case
from gradparity.verdict.judge import Phase, Verdict
from gradparity.verdict.observation import Observation
from gradparity.verdict.screen import suspects

from .helpers import implementation

NUMPY = implementation("numpy").implementation
NONE = Limits()
HOMEWORK = Limits(widths=(2, 4, 4, 1), biases=(False,))
LIMITS = [
    NONE,
    Limits(biases=(False,)),
    HOMEWORK,
    Limits(widths=(2, 3, 1), samples=21, learning_rate=0.1),
    Limits(samples=9),
]

Train = Callable[..., Trajectory]


def target(limits: Limits = NONE, **functions: Callable[..., Any]) -> Target:
    return Target("planted", "an implementation", functions, limits, contract=True)


def seen(one: Target, level: Any = "default") -> Observed:
    with one_quiet_thread():
        return observe(one, "float64", "core", level)


# --- the draws ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limits", LIMITS, ids=str)
@pytest.mark.parametrize("few", [False, True])
def test_draws_stay_in_the_domain(limits: Limits, few: bool) -> None:
    for where, case in drawn(limits, "float64", few_shapes=few):
        widths = tuple(shape[0] for shape in case.network.shapes)
        assert limits.widths in (None, widths), where
        assert limits.samples in (None, len(case.inputs)), where
        assert limits.learning_rate in (None, case.schedule.learning_rate), where
        if limits.widths is not None and limits.biases is None:
            assert all(layer.bias for layer in case.network.layers), where
        if limits.biases is not None:
            assert {layer.bias for layer in case.network.layers} == set(limits.biases), where


@pytest.mark.parametrize("few", [False, True])
def test_every_edge_is_drawn(few: bool) -> None:
    cases = [case for _, case in drawn(NONE, "float64", few_shapes=few)]
    sizes = [len(case.batch[0]) for case in cases]
    samples = [len(case.inputs) for case in cases]
    batches = [case.schedule.batch_size for case in cases]
    networks = [[shape[0] for shape in case.network.shapes] for case in cases]
    assert any(b and b < n and n % b == 0 for n, b in zip(samples, batches, strict=True))
    assert any(b == n for n, b in zip(samples, batches, strict=True))
    assert {1, 300} <= set(samples)
    assert 1 in batches
    assert min(sizes) == 1
    assert any(1 in widths[1:-1] for widths in networks)
    assert max(max(widths) for widths in networks) == 100
    assert {len(widths) - 1 for widths in networks} >= {1, 8}
    assert len({case.schedule.learning_rate for case in cases}) > 4
    assert any(np.all((case.targets == 0) | (case.targets == 1)) for case in cases)
    assert any(np.max(np.abs(case.targets)) > 900 for case in cases)
    assert any(np.any(np.all(case.inputs == 0, axis=1)) for case in cases)
    assert any(np.max(np.abs(case.inputs)) > 90 for case in cases)
    passes = [case.evaluate_exactly() for case in cases]
    z = [np.max(np.abs(hidden)) for p in passes for hidden in p.pre_activations[:-1]]
    a = [hidden for p in passes for hidden in p.activations[1:-1]]
    assert max(z) > 30
    assert min(np.min(one) for one in a) < 1e-9
    assert max(np.max(one) for one in a) > 1 - 1e-9


def test_with_few_shapes_there_are_few() -> None:
    cases = [case for _, case in drawn(NONE, "float64", few_shapes=True)]
    assert len({(case.network, len(case.inputs)) for case in cases}) == 5
    assert len(cases) >= 16


@pytest.mark.parametrize("limits", LIMITS, ids=str)
def test_every_gradient_drawn_is_resolved_in_float64(limits: Limits) -> None:
    """But for a batch that is one row of zeros: it has no gradient in the first layer."""
    for where, case in drawn(limits, "float64"):
        observation = Observation(case, replace(case.expect()[0], recorded=None))
        for f in observation.findings:
            silent = f.layer == 0 and f.phase in ("gradient", "update") and not case.batch[0].any()
            assert f.verdict is Verdict.AGREE or silent, (where, str(f))


def test_levels() -> None:
    counts = [
        len(list(drawn(NONE, "float64", level))) for level in ("quick", "default", "thorough")
    ]
    assert counts[0] == 8
    assert counts[2] == 10 * counts[1]


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 2**32 - 1), limits=st.sampled_from(LIMITS))
def test_a_right_program_is_right_wherever_it_is_drawn(seed: int, limits: Limits) -> None:
    where, case = draw(limits, "float64", seed)
    with one_quiet_thread():
        guarded = implementation("numpy")
        pairs = [*case.observe_steps(guarded, 1), *case.observe_training(guarded)]
        wrong = [str(f) for pair in pairs for f in Observation(*pair).findings if f.share > 1]
    assert not wrong, where


def test_other_numbers_have_the_same_shapes() -> None:
    for limits in LIMITS:
        for (_, one), (_, other) in zip(
            configurations(limits, "float64"),
            configurations(limits, "float64", numbers=1),
            strict=True,
        ):
            assert one.network == other.network
            assert one.inputs.shape == other.inputs.shape
            assert not np.array_equal(one.inputs, other.inputs)
            assert not np.array_equal(one.params[0].weight, other.params[0].weight)
            rates = {one.schedule.learning_rate, other.schedule.learning_rate}
            assert len(rates) == (2 if limits.learning_rate is None else 1)


# --- faults in one function -----------------------------------------------------------------------------------------


def test_the_right_program_is_right() -> None:
    found = seen(
        target(forward=NUMPY.forward, loss_and_grads=NUMPY.loss_and_grads, train=NUMPY.train)
    )
    assert (found.verdict, found.broken, found.not_judged) == (Verdict.AGREE, (), ())


def _grads(change: Callable[..., Params]) -> Target:
    def loss_and_grads(network: Any, params: Any, inputs: Any, targets: Any) -> Any:
        loss, grads = NUMPY.loss_and_grads(network, params, inputs, targets)
        return loss, change(grads, network, params, inputs, targets)

    return target(loss_and_grads=loss_and_grads)


def _clipped_sigmoid(grads: Params, network: Any, params: Any, inputs: Any, targets: Any) -> Params:
    activations = NUMPY.forward(network, params, inputs)
    clipped = any(np.min(a) < 1e-3 or np.max(a) > 1 - 1e-3 for a in activations)
    return map_params(lambda g: g * 1.01, grads) if clipped else grads


FAULTS: dict[str, Callable[..., Params]] = {
    "gradients are clipped": lambda g, *_: map_params(lambda t: np.clip(t, -5, 5), g),
    "saturated units": _clipped_sigmoid,
    "a batch of one": lambda g, n, p, x, y: map_params(lambda t: t * (1 + (len(x) == 1)), g),
    "one hidden unit": lambda g, n, p, x, y: map_params(
        lambda t: t * (1 + (1 in [s[0] for s in n.shapes[1:-1]])), g
    ),
    "wide": lambda g, n, p, x, y: map_params(
        lambda t: t * (1 + (max(s[0] for s in n.shapes) > 32)), g
    ),
    "deep": lambda g, n, p, x, y: map_params(lambda t: t * (1 + (len(n.layers) > 5)), g),
    "many samples": lambda g, n, p, x, y: map_params(lambda t: t * (1 + (len(x) > 50)), g),
    "inputs of zero": lambda g, n, p, x, y: map_params(lambda t: t * (1 + np.any(x == 0)), g),
    "large inputs": lambda g, n, p, x, y: map_params(lambda t: t * (1 + np.any(x > 1)), g),
    "labels of zero": lambda g, n, p, x, y: map_params(lambda t: t * (1 + np.any(y == 0)), g),
    "labels of one": lambda g, n, p, x, y: map_params(lambda t: t * (1 + np.any(y == 1)), g),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_gradient_that_is_wrong_only_there(fault: str) -> None:
    one = _grads(FAULTS[fault])
    assert seen(one, "quick").verdict is Verdict.DISAGREE
    # It needs the draws: the vetted suite alone does not show it.
    with one_quiet_thread():
        for _, case in core_suite("float64"):
            inputs, targets = case.batch
            alone = case.batch[0].shape[0] > 1
            found = one.functions["loss_and_grads"](case.network, case.params, inputs, targets)
            right = NUMPY.loss_and_grads(case.network, case.params, inputs, targets)
            pairs = zip(tensors(found[1]), tensors(right[1]), strict=True)
            assert not alone or all(np.array_equal(a, b) for a, b in pairs)


def _memo() -> Target:
    known: dict[Any, Any] = {}

    def loss_and_grads(network: Any, params: Any, inputs: Any, targets: Any) -> Any:
        key = (network, inputs.shape)
        if key not in known:
            known[key] = NUMPY.loss_and_grads(network, params, inputs, targets)
        return known[key]

    return target(loss_and_grads=loss_and_grads)


def _baked() -> Target:
    known: dict[Any, Any] = {}

    def loss_and_grads(network: Any, params: Any, inputs: Any, targets: Any) -> Any:
        params = known.setdefault((network, inputs.shape), params)
        return NUMPY.loss_and_grads(network, params, inputs, targets)

    return target(loss_and_grads=loss_and_grads)


@pytest.mark.parametrize(("one", "what"), [(_memo(), "results"), (_baked(), "weights")])
def test_what_is_remembered_by_shape(one: Target, what: str) -> None:
    found = seen(one)
    assert f"belongs to the {what} of the first question" in found.broken[0]


def test_gradients_never_reset_show_in_steps_in_a_row() -> None:
    """Reset where weights are set anew, as in a fresh model, but not from one step of a run to the next."""
    last: list[Any] = [None, None]

    def step(network: Any, params: Any, inputs: Any, targets: Any, learning_rate: float) -> Params:
        _, grads = NUMPY.loss_and_grads(network, params, inputs, targets)
        if last[0] is not None and np.array_equal(last[0][0].weight, params[0].weight):
            grads = map_params(np.add, grads, last[1])
        after = map_params(lambda w, g: w - learning_rate * g, params, grads)
        last[:] = after, grads
        return after

    found = seen(target(step=step), "quick")
    wrong = [where for where, o in found.observations if o.wrong("update")]
    assert wrong
    assert all("in a row" in where and "step 1" not in where for where in wrong)


# --- faults in training ---------------------------------------------------------------------------------------------


def trained(change: Callable[..., Trajectory]) -> Target:
    def train(network: Any, params: Any, x: Any, y: Any, schedule: Any, state: Any = None) -> Any:
        run = NUMPY.train(network, params, x, y, schedule, state)
        return change(run, schedule, state)

    return target(forward=NUMPY.forward, loss_and_grads=NUMPY.loss_and_grads, train=train)


def _final(run: Trajectory, change: Callable[[Params], Params]) -> Trajectory:
    params, state = run.final
    return replace(run, final=Snapshot(change(params), state))


def _nudged(params: Params) -> Params:
    return map_params(lambda t: t * (1 + 1e-9), params)


ENDINGS: dict[str, Callable[..., Trajectory]] = {
    "final loss": lambda run, *_: replace(run, final_loss=123.0),
    "final loss slightly": lambda run, *_: replace(run, final_loss=run.final_loss * (1 + 1e-12)),
    "final loss is no number": lambda run, *_: replace(run, final_loss=float("nan")),
    "final weights": lambda run, *_: _final(run, _nudged),
    "final weights with nothing kept": lambda run, schedule, _: (
        run if schedule.keep else _final(run, _nudged)
    ),
    "final weights after a restart": lambda run, schedule, state: (
        _final(run, _nudged) if state and not schedule.keep else run
    ),
    "losses with nothing kept": lambda run, schedule, _: (
        run if schedule.keep else replace(run, losses=run.losses * (1 + 1e-9))
    ),
    "weights after a single update": lambda run, schedule, _: (
        _final(run, _nudged) if schedule.updates == 1 else run
    ),
}


def runs(one: Target) -> Observed:
    with one_quiet_thread():
        return training_runs(one, CORE_SUITE[0], Verdict.AGREE)


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_end_of_a_run_is_judged(ending: str) -> None:
    found = runs(trained(ENDINGS[ending]))
    assert found.broken or found.verdict is Verdict.DISAGREE


def test_the_end_of_a_run_is_judged_in_every_configuration() -> None:
    """Also where the run is restarted in the middle, as it is for a single step."""
    wrong_loss = replace(
        implementation("numpy"), implementation=trained(ENDINGS["final loss slightly"]).trainer
    )
    for where, case in core_suite("float64"):
        found = [Observation(*pair) for pair in case.observe_training(wrong_loss)]
        assert [o.wrong("loss") for o in found] == [False] * (len(found) - 1) + [True], where


def test_who_goes_on_training_at_the_end_of_the_plan_is_found() -> None:
    def change(run: Trajectory, schedule: Any, state: Any) -> Trajectory:
        return _final(run, _nudged) if state and state.updates == schedule.updates else run

    assert any("no update left" in words for words in runs(trained(change)).broken)


def test_who_refuses_a_plan_without_updates_is_right() -> None:
    def change(run: Trajectory, schedule: Any, state: Any) -> Trajectory:
        if state and state.updates == schedule.updates:
            raise ValueError("nothing to do")
        return run

    found = runs(trained(change))
    assert (found.verdict, found.broken) == (Verdict.AGREE, ())


def test_rounding_that_differs_without_keep_is_no_fault() -> None:
    """A compiled loop rounds otherwise than single steps."""

    def train(network: Any, params: Any, x: Any, y: Any, schedule: Any, state: Any = None) -> Any:
        run = NUMPY.train(network, params, x, y, schedule, state)
        if schedule.keep or schedule.updates == (state.updates if state else 1):
            return run
        moved = map_params(lambda t: np.nextafter(t, np.inf), run.final.params)
        loss, _ = NUMPY.loss_and_grads(network, moved, x, y)
        final = Snapshot(moved, run.final.state)
        return replace(run, losses=np.nextafter(run.losses, 1), final=final, final_loss=loss)

    found = runs(target(train=train))
    assert (found.verdict, found.broken) == (Verdict.AGREE, ())


# --- the assignment itself ------------------------------------------------------------------------------------------


def homework_with(factor: Callable[[int, float, int], float]) -> Target:
    """Train with a gradient that is multiplied by a factor, which depends on the update, the loss and the start."""

    def train(network: Any, params: Any, x: Any, y: Any, schedule: Any, state: Any = None) -> Any:
        params, losses, kept = map_params(np.copy, params), [], {}
        start = 0 if state is None else state.updates
        for update in range(start, schedule.updates + 1):
            if update in schedule.keep:
                kept[update] = Snapshot(map_params(np.copy, params), State(update))
            rows = schedule.batch(update) if update < schedule.updates else slice(None)
            loss, grads = NUMPY.loss_and_grads(network, params, x[rows], y[rows])
            if update < schedule.updates:
                losses.append(loss)
                rate = schedule.learning_rate * factor(update, loss, start)
                params = map_params(lambda w, g, rate=rate: w - rate * g, params, grads)
        return Trajectory(np.array(losses), loss, Snapshot(params, State(schedule.updates)), kept)

    return target(HOMEWORK, train=train)


@pytest.fixture
def shortened(monkeypatch: pytest.MonkeyPatch) -> None:
    """XOR, for a sixth of the assignment's epochs, and no program that compiles: other tests import JAX."""
    monkeypatch.delitem(sys.modules, "jax", raising=False)
    monkeypatch.setitem(EPOCHS, "default", {"xor": 2_000})


def observed_homework(one: Target) -> Observed:
    with one_quiet_thread():
        return homework(one, "default")


def wrong(found: Observed, phase: Phase) -> list[str]:
    return [where for where, o in found.observations if o.wrong(phase)]


def test_the_whole_assignment_is_right() -> None:
    found = observed_homework(homework_with(lambda update, loss, _: 1.0))
    assert (found.verdict, found.broken) == (Verdict.AGREE, ())
    updates = {where.rpartition(", ")[2] for where, _ in found.observations}
    assert {"update 0", "update 11999", "after the last update"} <= updates


@pytest.mark.usefixtures("shortened")
@pytest.mark.parametrize(
    "factor",
    [
        lambda update, loss, _: 1 + 1e-9 * (update == 1_431),
        lambda update, loss, _: 1 + 1e-9 * (update > 1_990),
        lambda update, loss, _: 1.0 if update < 1_000 else 0.99,
        lambda update, loss, _: 1 + 1e-6 * (0.2480 < loss < 0.2481),
    ],
    ids=["at one update", "at the end", "from an epoch on", "in a range of the loss"],
)
def test_one_wrong_update_of_thousands_is_found(factor: Callable[[int, float, int], float]) -> None:
    found = wrong(observed_homework(homework_with(factor)), "update")
    assert found
    assert all(where.startswith("xor, 2-4-4-1, 2,000 epochs, update ") for where in found)


@pytest.mark.usefixtures("shortened")
@pytest.mark.parametrize("since_start", [False, True])
def test_one_wrong_update_between_kept_ones_is_found(
    monkeypatch: pytest.MonkeyPatch, since_start: bool
) -> None:
    """A program that compiles keeps few weights: also if the fault is gone once the run is restarted."""
    monkeypatch.setitem(sys.modules, "jax", sys)
    assert observed_homework(homework_with(lambda *_: 1.0)).verdict is Verdict.AGREE

    def factor(update: int, loss: float, start: int) -> float:
        return 1 + 1e-6 * (update == 1_231 and not (since_start and start))

    found = observed_homework(homework_with(factor))
    assert wrong(found, "update") or "between updates 1010 and 1490" in found.broken[0]
    assert bool(found.broken) is since_start


@pytest.mark.usefixtures("shortened")
def test_one_wrong_update_is_found_under_another_convention() -> None:
    """A constant factor is a convention; the update that differs from it must be among those that are shown."""
    one = homework_with(lambda update, loss, _: 21 / 2 * (1 + 1e-6 * (update == 1_431)))
    shown = [where for where, _ in observed_homework(one).observations]
    assert "xor, 2-4-4-1, 2,000 epochs, update 1431" in shown


@pytest.mark.usefixtures("shortened")
def test_one_wrong_recorded_loss_of_thousands_is_found() -> None:
    right = homework_with(lambda update, loss, _: 1.0).functions["train"]

    def train(*arguments: Any, **keywords: Any) -> Trajectory:
        run: Trajectory = right(*arguments, **keywords)
        losses = run.losses.copy()
        losses[1_431] *= 1 + 1e-9
        return replace(run, losses=losses)

    found = observed_homework(target(HOMEWORK, train=train))
    assert wrong(found, "loss") == ["xor, 2-4-4-1, 2,000 epochs, update 1431"]


def _step(network: Any, params: Any, inputs: Any, targets: Any, learning_rate: float) -> Params:
    _, grads = NUMPY.loss_and_grads(network, params, inputs, targets)
    return map_params(lambda w, g: w - learning_rate * g, params, grads)


def test_a_step_is_wrong_only_at_weights_of_the_assignment() -> None:
    def step(network: Any, params: Any, x: Any, y: Any, learning_rate: float) -> Params:
        small = NUMPY.loss_and_grads(network, params, x, y)[0] < 0.01
        return _step(network, params, x, y, learning_rate * (0.9 if small else 1.0))

    assert observed_homework(target(HOMEWORK, step=_step)).verdict is Verdict.AGREE
    assert observed_homework(target(HOMEWORK, step=step)).verdict is Verdict.DISAGREE


@pytest.mark.usefixtures("shortened")
def test_other_widths_meet_the_data_of_the_assignment() -> None:
    other = Limits(widths=(2, 3, 1), biases=(True,))
    assert observed_homework(target(other, step=_step)).verdict is Verdict.AGREE
    assert not observed_homework(target(Limits(widths=(3, 4, 1)), step=_step)).observations
    assert not homework(target(HOMEWORK, step=_step), "quick").observations


def test_a_fault_at_one_update_is_the_first_suspect() -> None:
    configuration = CORE_SUITE[1]
    case = configuration.case("float64", seed=3, epochs=200)
    keep = tuple(range(201))
    problem: Case = replace(case, schedule=replace(case.schedule, keep=keep))
    one = homework_with(lambda update, loss, _: 3.0 * (1 + 1e-7 * (update == 120)))
    run = one.functions["train"](
        problem.network, problem.params, problem.inputs, problem.targets, problem.schedule
    )
    assert 120 in suspects(problem, run.kept, run.losses, count=1)
