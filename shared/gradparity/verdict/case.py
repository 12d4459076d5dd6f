"""A training step to be judged: the oracle's answer to it, its bound, and an implementation's answer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..contract import Batch, Implementation, Params, Snapshot, State, Trainer
from ..problem import Problem
from ..reference.bound import bound
from ..reference.bound_update import bound_update
from ..reference.passes import RIGHT, Equations, Pass, cast, evaluate
from ..reference.precision import Precision
from ..reference.step import StepValues
from ..reference.updates import apply_update, zero_state

SAMPLED_STEPS = 64
"""How many steps of an experiment are judged: half of them evenly spaced, half logarithmically."""


def oracle_dtype() -> Any:
    """The most precise type at hand: `np.longdouble` where it is wider than float64 (80 bits on x86), else float64."""
    wide = np.finfo(np.longdouble).eps < np.finfo(np.float64).eps
    return np.longdouble if wide else np.float64


@dataclass(frozen=True, eq=False)
class Case(Problem):
    """A problem of which one update is judged: number `update`, from the weights `params` and the arrays `state`.

    Attributes:
        update: from 0.
        previous: the weights one update earlier, where that step is known; only a mistake needs them.
        state: the optimizer's arrays before the update, by name; those that are not given are zero.
    """

    update: int = 0
    previous: Params | None = None
    state: Mapping[str, Params] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        problem: Problem,
        params: Params,
        update: int,
        state: Mapping[str, Params],
        previous: Params | None = None,
    ) -> Case:
        """An update of the problem from these weights and arrays."""
        return cls(
            problem.network,
            params,
            problem.inputs,
            problem.targets,
            problem.schedule,
            update,
            previous,
            state,
        )

    def astype(self, dtype: Any) -> Case:
        """The same case with all its arrays in another dtype."""
        return replace(
            self,
            params=cast(self.params, dtype),
            inputs=self.inputs.astype(dtype),
            targets=self.targets.astype(dtype),
            previous=None if self.previous is None else cast(self.previous, dtype),
            state={name: cast(array, dtype) for name, array in self.state.items()},
        )

    def widened(self) -> Case:
        """The same case in the oracle's precision."""
        return self.astype(oracle_dtype())

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype that the case is computed in."""
        return self.inputs.dtype

    @property
    def precision(self) -> Precision:
        """The format that the case is computed in."""
        return Precision.of(self.dtype)

    @property
    def batch(self) -> tuple[Batch, Batch]:
        """Inputs and targets of the samples that the update is computed on."""
        rows = self.schedule.batch(self.update)
        return self.inputs[rows], self.targets[rows]

    @property
    def oracle_slack(self) -> float:
        """1, or 2 where the oracle is no more precise than the dtype under test and so may be off by a bound itself."""
        return 1.0 if np.finfo(oracle_dtype()).eps < np.finfo(self.dtype).eps else 2.0

    def expect(
        self, precision: Precision | None = None, *, absolute_sigmoid: bool = False
    ) -> tuple[StepValues, StepValues]:
        """The result in the oracle's precision, and the bound on a correct implementation's distance from it.

        The implementation is taken to compute in the case's dtype, or in another `precision`;
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
            exact.activations[1:], exact.loss, exact.grads, exact.loss, updated, arrays
        )
        return expected, replace(e, updated=e_updated, state=e_arrays)

    def evaluate_exactly(
        self, equations: Equations = RIGHT, params: Params | None = None, rows: Any = None
    ) -> Pass:
        """A pass in the oracle's precision: over the batch, or other `rows` of the data, by other `params` if given."""
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
        """What `implementation` makes of it. Its `train` is restarted at this update with the whole data and order."""
        return self.observe_steps(implementation, 1)[0][1]

    def observe_steps(
        self, implementation: Implementation, count: int = 2
    ) -> list[tuple[Case, StepValues]]:
        """This update, by all three functions, and those after it up to `count`: see `observe_training`."""
        inputs, targets = self.batch
        loss, grads = implementation.loss_and_grads(self.network, self.params, inputs, targets)
        activations = implementation.forward(self.network, self.params, inputs)
        (_, step), *following = self.observe_training(implementation, count)
        first = replace(step, activations=activations, loss=loss, grads=grads)
        return [(self, first), *following]

    def observe_training(
        self, implementation: Trainer, count: int = 2
    ) -> list[tuple[Case, StepValues]]:
        """What `train` makes of this update, and of those after it from its own weights, as far as there are any.

        What only a second update shows: gradients that are accumulated, or stale.
        """
        last = min(self.update + count, self.schedule.updates)
        keep = range(self.update + 1, last + 1)
        trajectory = implementation.train(
            self.network,
            self.params,
            self.inputs,
            self.targets,
            self.schedule.until(*keep),
            State(self.update, self.state),
        )
        start = Snapshot(self.params, State(self.update, self.state))
        kept = {number: trajectory.kept[number] for number in keep}
        return list(steps_of(self, {self.update: start} | kept, trajectory.losses))


def steps_of(
    problem: Problem,
    kept: Mapping[int, Snapshot],
    losses: Sequence[float] | np.ndarray,
) -> Iterator[tuple[Case, StepValues]]:
    """The steps of a training run between consecutive kept weights, each a case started from the run's own weights.

    `losses` are counted from the first of the kept update counts. A step that started from a state of the optimizer
    that the run does not show is left out.
    """
    first, names = min(kept), set(problem.schedule.optimizer.arrays)
    for update, (params, state) in kept.items():
        if update + 1 not in kept or (update > first and set(state.arrays) != names):
            continue
        previous = kept[update - 1].params if update - 1 in kept else None
        case = Case.of(problem, params, update, state.arrays, previous)
        after = kept[update + 1]
        arrays = after.state.arrays if set(after.state.arrays) == names else None
        yield case, StepValues(recorded=losses[update - first], updated=after.params, state=arrays)


def sampled_updates(updates: int, count: int | None = None) -> list[int]:
    """About `count` of the update numbers 0 … updates - 1, the first and the last among them.

    By default one in 50, but no fewer than 24 and no more than `SAMPLED_STEPS`.
    """
    count = count or min(max(updates // 50, 24), SAMPLED_STEPS)
    even = np.linspace(0, updates - 1, count - count // 2)
    logarithmic = np.geomspace(1, updates, count // 2) - 1
    return sorted({int(k) for k in np.concatenate([even, logarithmic]).round()})


def teacher_forced(
    problems: Iterable[Problem], snapshots: Mapping[int, Snapshot]
) -> Iterator[Case]:
    """One step at each update count of `snapshots`, the reference's own: so that errors cannot compound.

    `problems` are one problem in several dtypes, to which weights and state are rounded.
    """
    for problem in problems:
        for update, (params, state) in snapshots.items():
            yield Case.of(problem, params, update, state.arrays).astype(problem.inputs.dtype)
