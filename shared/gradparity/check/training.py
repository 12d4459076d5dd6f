"""Observe whole training runs: every step from the run's own weights, and runs that must end in the same way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..contract import Params, Schedule, Snapshot, State, Trajectory, map_params, tensors
from ..errors import ContractError, TargetRaisedError
from ..problem import Problem
from ..suites.core import Configuration
from ..verdict.case import end_of, steps_of
from ..verdict.free_run import Envelope, envelope, judge_free_run
from ..verdict.judge import Verdict, combine
from ..verdict.observation import Observation
from .labels import asked_for
from .observed import Observed, named
from .target import Target

EPOCHS = 30


def stepped(observation: Observation) -> Params | None:
    """Return the weights after the observed step, or after one with its gradients; None if they are not finite."""
    case, result = observation.case, observation.result
    after = result.updated
    if after is None and result.grads is not None:
        rate = case.schedule.learning_rate
        after = map_params(lambda w, g: w - rate * g, case.params, result.grads)
    if after is None or not all(np.all(np.isfinite(t)) for t in tensors(after)):
        return None
    return map_params(lambda t: t.astype(case.dtype), after)


def training_runs(target: Target, configuration: Configuration, so_far: Verdict) -> Observed:
    """Observe a training run whose weights are all kept, one without `keep`, restarts, and runs that end at once.

    A run is held against the envelope only if the target is right `so_far` and in every step, because the envelope is
    one of right programs.
    """
    rate = target.limits.learning_rate
    drawn = configuration.case("float64", seed=1, learning_rate=rate, epochs=EPOCHS)
    case = asked_for(target.limits, drawn)
    everything = tuple(range(case.schedule.updates + 1))
    problem = replace(case, schedule=replace(case.schedule, keep=everything), update=0)
    where = f"training for {EPOCHS} epochs, {configuration}"
    runs = Observed()
    try:
        run = _train(target, problem)
        runs += Observed(
            named(where, [*steps_of(problem, run.kept, run.losses), *end_of(problem, run)])
        )
        around = envelope(problem, everything)
        if combine([so_far, runs.verdict]) is Verdict.AGREE:
            kept = {count: snapshot.params for count, snapshot in run.kept.items()}
            free = judge_free_run(kept, around)
            if free.verdict is Verdict.DISAGREE:
                outside = (
                    f"the run is outside the envelope of rounding from update {free.outside_at} on"
                )
                runs += Observed(broken=(f"{where}: {outside}",))
        runs += _ends_alike(target, problem, run, around, where, runs)
        runs += _one_update(target, problem, str(configuration))
        runs += _nothing_left(target, problem, run, where)
    except TargetRaisedError as error:
        return runs + Observed(not_judged=(f"{where}: {error}",))
    except ContractError as error:
        return Observed(broken=(f"{where}: {error}",))
    return runs


def _train(target: Target, problem: Problem, start: Snapshot | None = None) -> Trajectory:
    params, state = (problem.params, None) if start is None else start
    return target.trainer.train(
        problem.network, params, problem.inputs, problem.targets, problem.schedule, state
    )


def _unkept(problem: Problem) -> Problem:
    return replace(problem, schedule=replace(problem.schedule, keep=()))


def _ends_alike(
    target: Target, problem: Problem, run: Trajectory, around: Envelope, where: str, shown: Observed
) -> Observed:
    """Train the same without `keep`, and on from a kept state: both must end where the run ended."""
    updates = problem.schedule.updates
    # In the middle of an epoch, if an epoch has one.
    middle = updates // 2 + (problem.schedule.updates_per_epoch > 1)
    runs = Observed()
    for words, start in {"nothing kept": 0, f"restarted at update {middle}": middle}.items():
        other = _train(target, _unkept(problem), run.kept[start] if start else None)
        at = f"{where}, {words}"
        runs += Observed(named(at, end_of(problem, _with_last(run, other))))
        if not _near(run, other, around, updates):
            differs = "it ends at other weights than the same training with all of them kept"
            runs += Observed(broken=(f"{at}: {differs}",))
        elif not _same_losses(run, other, around, [o for _, o in shown.observations]):
            differs = "it records other losses than the same training with all weights kept"
            runs += Observed(broken=(f"{at}: {differs}",))
    return runs


def _with_last(run: Trajectory, other: Trajectory) -> Trajectory:
    """Show the last step of another run from the weights that this one kept, if both end at the same bits."""
    last = other.final.state.updates - 1
    same = all(
        np.array_equal(a, b)
        for a, b in zip(tensors(run.final.params), tensors(other.final.params), strict=True)
    )
    return replace(other, kept={last: run.kept[last]} if same else {})


def _near(run: Trajectory, other: Trajectory, around: Envelope, updates: int) -> bool:
    """Return True if both runs end within the envelope of each other, or if training is chaotic by then."""
    if updates not in around.allowed:
        return True
    # Each of the two may be on another side of the exact run.
    allowed = {updates: 2 * around.allowed[updates]}
    both = replace(around, reference={updates: run.final}, allowed=allowed)
    return judge_free_run({updates: other.final.params}, both).verdict is Verdict.AGREE


def _same_losses(
    run: Trajectory, other: Trajectory, around: Envelope, shown: Sequence[Observation]
) -> bool:
    """Return True if losses of both runs differ by their own rounding and by that of the weights, to first order."""
    start = len(run.losses) - len(other.losses)
    for observation in shown:
        update = observation.case.update
        if observation.result.recorded is None or update < start or update not in around.allowed:
            continue
        one, another = run.losses[update], other.losses[update - start]
        expected, bound = observation.answer
        slope = np.sqrt(sum(float(np.sum(np.square(g))) for g in tensors(expected.grads or ())))
        allowed = 2 * (float(bound.loss) + slope * around.allowed[update])
        # A loss may be a multiple of the MSE.
        allowed *= max(1.0, abs(float(one / expected.loss)))
        if one != another and not abs(one - another) <= allowed:
            return False
    return True


def _one_update(target: Target, problem: Problem, words: str) -> Observed:
    """Train for a single update on all data, without `keep`."""
    short = replace(problem, schedule=Schedule(problem.schedule.learning_rate, epochs=1))
    run = _train(target, short)
    kept = {0: Snapshot(problem.params, State(0)), 1: run.final}
    steps = [*steps_of(short, kept, run.losses), *end_of(short, run)]
    return Observed(named(f"training for one update, {words}", steps))


def _nothing_left(target: Target, problem: Problem, run: Trajectory, where: str) -> Observed:
    """Restart at the end of the plan. Who refuses that does no harm; who goes on training does."""
    try:
        after = _train(target, _unkept(problem), run.final)
    except TargetRaisedError:
        return Observed()
    pairs = zip(tensors(run.final.params), tensors(after.final.params), strict=True)
    if not all(np.array_equal(a, b, equal_nan=True) for a, b in pairs):
        changed = f"{where}: restarted at its end, with no update left, it changes the weights"
        return Observed(broken=(changed,))
    return Observed()
