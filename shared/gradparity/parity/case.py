"""A training step to be judged: the oracle's answer to it, its bound, and an implementation's answer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..contract import Batch, Implementation, Network, Params, Schedule, State, Trainer
from ..experiment import Problem
from .bound import Precision, bound
from .reference import cast, evaluate, sgd_step
from .step import Step

SAMPLED_STEPS = 64
"""How many steps of an experiment are judged: half of them evenly spaced, half logarithmically."""


def oracle_dtype() -> Any:
    """The most precise type at hand: `np.longdouble` where it is wider than float64 (80 bits on x86), else float64."""
    wide = np.finfo(np.longdouble).eps < np.finfo(np.float64).eps
    return np.longdouble if wide else np.float64


@dataclass(frozen=True, eq=False)
class Case:
    """Update number `update` of a schedule, started from the weights `params`.

    `previous` are the weights one update earlier, where the step before is known; only a mistake looks back.
    """

    network: Network
    params: Params
    inputs: Batch
    targets: Batch
    schedule: Schedule
    update: int = 0
    previous: Params | None = None

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
    ) -> tuple[Step, Step]:
        """The result in the oracle's precision, and the bound on a correct implementation's distance from it.

        The implementation is taken to compute in the case's dtype, or in another `precision`;
        `absolute_sigmoid`: see `bound`.
        """
        wide, learning_rate = oracle_dtype(), self.schedule.learning_rate
        inputs, targets = (array.astype(wide) for array in self.batch)
        params = cast(self.params, wide)
        exact = evaluate(self.network, params, inputs, targets)
        updated = sgd_step(params, exact.grads, learning_rate)
        expected = Step(exact.activations[1:], exact.loss, exact.grads, exact.loss, updated)
        r = precision or self.precision
        return expected, bound(
            exact,
            self.params,
            updated,
            targets,
            learning_rate,
            r,
            absolute_sigmoid=absolute_sigmoid,
        )

    def observe(self, implementation: Implementation) -> Step:
        """What `implementation` makes of it. Its `train` is restarted at this update with the whole data and order."""
        return self.observe_steps(implementation, 1)[0][1]

    def observe_steps(
        self, implementation: Implementation, count: int = 2
    ) -> list[tuple[Case, Step]]:
        """This update, by all three functions, and those after it up to `count`: see `observe_training`."""
        inputs, targets = self.batch
        loss, grads = implementation.loss_and_grads(self.network, self.params, inputs, targets)
        activations = implementation.forward(self.network, self.params, inputs)
        (_, step), *following = self.observe_training(implementation, count)
        first = replace(step, activations=activations, loss=loss, grads=grads)
        return [(self, first), *following]

    def observe_training(self, implementation: Trainer, count: int = 2) -> list[tuple[Case, Step]]:
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
            State(self.update),
        )
        kept = {number: trajectory.kept[number].params for number in keep}
        return list(steps_of(self, {self.update: self.params} | kept, trajectory.losses))


def steps_of(
    problem: Case | Problem, kept: Mapping[int, Params], losses: Sequence[float] | np.ndarray
) -> Iterator[tuple[Case, Step]]:
    """The steps of a training run between consecutive kept weights, each a case started from the run's own weights.

    `losses` are counted from the first of the kept update counts.
    """
    first = min(kept)
    for update, params in kept.items():
        if update + 1 in kept:
            case = Case(
                problem.network,
                params,
                problem.inputs,
                problem.targets,
                problem.schedule,
                update,
                kept.get(update - 1),
            )
            yield case, Step(recorded=losses[update - first], updated=kept[update + 1])


def sampled_updates(updates: int, count: int = SAMPLED_STEPS) -> list[int]:
    """About `count` of the update numbers 0 … updates - 1, the first and the last among them."""
    even = np.linspace(0, updates - 1, count - count // 2)
    logarithmic = np.geomspace(1, updates, count // 2) - 1
    return sorted({int(k) for k in np.concatenate([even, logarithmic]).round()})


def teacher_forced(problems: Iterable[Problem], weights: Mapping[int, Params]) -> Iterator[Case]:
    """One step at each update count of `weights`, the reference's own: so that errors cannot compound.

    `problems` are one problem in several dtypes, to which the weights are rounded.
    """
    for problem in problems:
        for update, params in weights.items():
            yield Case(
                problem.network,
                cast(params, problem.inputs.dtype),
                problem.inputs,
                problem.targets,
                problem.schedule,
                update,
            )
