"""A training step to judge: the oracle's result, the bound, and an implementation's result."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..contract import Batch, Implementation, Params, Snapshot, State, Trainer, Trajectory
from ..problem import Problem
from ..reference.bound import bound
from ..reference.bound_update import bound_update
from ..reference.passes import RIGHT, Equations, Pass, cast, evaluate
from ..reference.precision import Precision
from ..reference.step import StepValues
from ..reference.updates import apply_update, zero_state

SAMPLED_STEPS = 64
"""The number of steps of an experiment that are judged: half of them evenly spaced, half logarithmically."""

CONSECUTIVE = 4
"""The number of updates in a row that are judged: what a program keeps too long shows from the second or third on."""


def oracle_dtype() -> Any:
    """Return the most precise type here: `np.longdouble` if it is wider than float64 (80 bits on x86), else float64."""
    wide = np.finfo(np.longdouble).eps < np.finfo(np.float64).eps
    return np.longdouble if wide else np.float64


@dataclass(frozen=True, eq=False)
class Case(Problem):
    """A problem with one update to judge: number `update`, from the weights `params` and the arrays `state`.

    Attributes:
        update: the number of the update, from 0.
        history: the weights before each earlier update of the same call, the oldest first, as far back as they are
            known without a gap; only some mistakes depend on them.
        state: the optimizer's arrays before the update, by name; arrays that are not given are zero.
    """

    update: int = 0
    history: tuple[Params, ...] = ()
    state: Mapping[str, Params] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        problem: Problem,
        params: Params,
        update: int,
        state: Mapping[str, Params],
        history: tuple[Params, ...] = (),
    ) -> Case:
        """Make the case of one update of the problem, from these weights and arrays."""
        return cls(
            problem.network,
            params,
            problem.inputs,
            problem.targets,
            problem.schedule,
            update,
            history,
            state,
        )

    def astype(self, dtype: Any) -> Case:
        """Return the same case with all its arrays in another dtype."""
        return replace(
            self,
            params=cast(self.params, dtype),
            inputs=self.inputs.astype(dtype),
            targets=self.targets.astype(dtype),
            history=tuple(cast(params, dtype) for params in self.history),
            state={name: cast(array, dtype) for name, array in self.state.items()},
        )

    def widened(self) -> Case:
        """Return the same case in the oracle's precision."""
        return self.astype(oracle_dtype())

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype in which the case is computed."""
        return self.inputs.dtype

    @property
    def previous(self) -> Params | None:
        """The weights one update earlier, if known."""
        return self.history[-1] if self.history else None

    @property
    def precision(self) -> Precision:
        """The floating-point format in which the case is computed."""
        return Precision.of(self.dtype)

    @property
    def batch(self) -> tuple[Batch, Batch]:
        """Inputs and targets of the samples on which the update is computed."""
        rows = self.schedule.batch(self.update)
        return self.inputs[rows], self.targets[rows]

    @property
    def oracle_slack(self) -> float:
        """The allowed distance from the oracle, in bounds: 1, or 2 if the oracle computes in the dtype under test."""
        return 1.0 if np.finfo(oracle_dtype()).eps < np.finfo(self.dtype).eps else 2.0

    def expect(
        self, precision: Precision | None = None, *, absolute_sigmoid: bool = False
    ) -> tuple[StepValues, StepValues]:
        """Compute the oracle's result, and the bound on a correct implementation's distance from it.

        The bound is for an implementation that computes in the case's dtype, or in `precision` if given.
        `absolute_sigmoid`: see `bound`.
        """
        wide, r = oracle_dtype(), precision or self.precision
        targets = self.batch[1].astype(wide)
        exact = self.evaluate_exactly()
        params, t = cast(self.params, wide), self.update + 1
        state = zero_state(self.schedule, self.params) | dict(self.state)
        updated, arrays = apply_update(
            self.schedule,
            params,
            exact.grads,
            {name: cast(array, wide) for name, array in state.items()},
            t,
        )
        e = bound(self.network, exact, self.params, targets, r, absolute_sigmoid=absolute_sigmoid)
        assert e.grads is not None
        e_updated, e_arrays = bound_update(
            self.schedule, self.params, exact.grads, e.grads, state, t, r
        )
        expected = StepValues(
            exact.activations[1:], exact.loss, exact.grads, exact.loss, updated, arrays, exact.loss
        )
        return expected, replace(e, updated=e_updated, state=e_arrays, final_loss=e.loss)

    def evaluate_exactly(
        self, equations: Equations = RIGHT, params: Params | None = None, rows: Any = None
    ) -> Pass:
        """Carry out a pass in the oracle's precision, on the case's batch and params unless others are given."""
        wide = oracle_dtype()
        rows = self.schedule.batch(self.update) if rows is None else rows
        return evaluate(
            self.network,
            cast(self.params if params is None else params, wide),
            self.inputs[rows].astype(wide),
            self.targets[rows].astype(wide),
            equations,
        )

    def observe(self, implementation: Implementation) -> StepValues:
        """Compute the step with `implementation`. Its `train` resumes at this update, with the whole data and order."""
        return self.observe_steps(implementation, 1)[0][1]

    def observe_steps(
        self, implementation: Implementation, count: int = 2
    ) -> list[tuple[Case, StepValues]]:
        """Run all three functions on this update, and `train` on the next ones, up to `count` in all."""
        inputs, targets = self.batch
        loss, grads = implementation.loss_and_grads(self.network, self.params, inputs, targets)
        activations = implementation.forward(self.network, self.params, inputs)
        (_, step), *following = self._trained(implementation, count)[0]
        first = replace(step, activations=activations, loss=loss, grads=grads)
        return [(self, first), *following]

    def observe_training(
        self, implementation: Trainer, count: int = CONSECUTIVE
    ) -> list[tuple[Case, StepValues]]:
        """Run `train` on this update and on the next ones, `count` in all, and on to the end of the epoch.

        Each next update starts from the weights that `train` itself reached. Some mistakes show only in a later
        update: accumulated gradients, stale gradients. The end of the run comes last: see `end_of`.
        """
        reach = min(self.update + count, self.schedule.updates)
        epoch = self.schedule.updates_per_epoch
        steps, trajectory = self._trained(implementation, -(-reach // epoch) * epoch - self.update)
        return [*steps, *end_of(self, trajectory)]

    def _trained(
        self, trainer: Trainer, count: int
    ) -> tuple[list[tuple[Case, StepValues]], Trajectory]:
        """Train for `count` updates, or to the end of the schedule; return the steps, and all that `train` returned."""
        last = min(self.update + count, self.schedule.updates)
        keep = range(self.update + 1, last + 1)
        trajectory = trainer.train(
            self.network,
            self.params,
            self.inputs,
            self.targets,
            self.schedule.until(*keep),
            State(self.update, self.state),
        )
        start = Snapshot(self.params, State(self.update, self.state))
        kept = {self.update: start} | {number: trajectory.kept[number] for number in keep}
        trajectory = replace(trajectory, kept=kept)
        return list(steps_of(self, kept, trajectory.losses)), trajectory


def steps_of(
    problem: Problem,
    kept: Mapping[int, Snapshot],
    losses: Sequence[float] | np.ndarray,
) -> Iterator[tuple[Case, StepValues]]:
    """Yield the steps of a training run between consecutive kept weights. Each case starts from the run's own weights.

    `losses` begin at the first kept update count. A step is left out if the run does not show the state of the
    optimizer from which the step started.
    """
    first, names = min(kept), set(problem.schedule.optimizer.arrays)
    history: tuple[Params, ...] = ()
    for update, (params, state) in kept.items():
        history = (*history, kept[update - 1].params) if update - 1 in kept else ()
        if update + 1 not in kept or (update > first and set(state.arrays) != names):
            continue
        case = Case.of(problem, params, update, state.arrays, history)
        after = kept[update + 1]
        arrays = after.state.arrays if set(after.state.arrays) == names else None
        yield case, StepValues(recorded=losses[update - first], updated=after.params, state=arrays)


def end_of(problem: Problem, trajectory: Trajectory) -> Iterator[tuple[Case, StepValues]]:
    """Yield the end of a training run: its last update up to `final`, if it shows the start, and its final loss.

    `final` may differ from the weights kept at the same count by rounding: both are judged by the same update.
    """
    kept, final = trajectory.kept, trajectory.final
    last, names = final.state.updates - 1, set(problem.schedule.optimizer.arrays)
    if last in kept and (last == min(kept) or set(kept[last].state.arrays) == names):
        ending = {last: kept[last], last + 1: final}
        ((case, step),) = steps_of(problem, ending, trajectory.losses[-1:])
        yield case, replace(step, recorded=None)
    everything = replace(problem.schedule, batch_size=None, order=None, keep=())
    case = Case(
        problem.network, final.params, problem.inputs, problem.targets, everything, last + 1
    )
    yield case, StepValues(final_loss=trajectory.final_loss)


def sampled_updates(updates: int, count: int | None = None) -> list[int]:
    """Choose about `count` of the update numbers 0 … updates - 1, including the first and the last.

    By default one in 50, but at least 24 and at most `SAMPLED_STEPS`.
    """
    count = count or min(max(updates // 50, 24), SAMPLED_STEPS)
    even = np.linspace(0, updates - 1, count - count // 2)
    logarithmic = np.geomspace(1, updates, count // 2) - 1
    return sorted({int(k) for k in np.concatenate([even, logarithmic]).round()})


def teacher_forced(
    problems: Iterable[Problem], snapshots: Mapping[int, Snapshot]
) -> Iterator[Case]:
    """Yield one step at each update count of `snapshots`, which come from the reference, so errors cannot compound.

    `problems` are one problem in several dtypes. Weights and state are rounded to each dtype.
    """
    for problem in problems:
        for update, (params, state) in snapshots.items():
            yield Case.of(problem, params, update, state.arrays).astype(problem.inputs.dtype)
