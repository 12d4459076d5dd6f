"""Call a target on a case, and record its results and its side effects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..border import call_privately
from ..contract import Schedule
from ..errors import ContractError
from ..reference.step import StepValues
from ..verdict.case import Case
from .reading import Reader
from .target import Target


class TargetRaisedError(ContractError):
    """The target raised an exception; a case that it cannot run is not judged."""


@dataclass(frozen=True)
class Answer:
    """A target's answer to a case.

    Attributes:
        steps: the update with its case; if the target trains, also the next update, from the target's own weights.
        error: why there are no steps: a TargetRaisedError if the target raised, else a ContractError.
        narrow: the target returned float32 or less for float64.
        mutations: functions that changed their argument arrays.
    """

    steps: Sequence[tuple[Case, StepValues]]
    error: ContractError | None
    narrow: bool
    mutations: tuple[str, ...]

    @property
    def first(self) -> StepValues:
        """The step of the case itself.

        Raises:
            ContractError: there is no step.
        """
        if self.error is not None:
            raise self.error
        return self.steps[0][1]


def answer(target: Target, case: Case) -> Answer:
    """Call all functions that a target offers on a case."""
    exchange = _Exchange(target, case if target.trains else _batch_alone(case))
    steps: Sequence[tuple[Case, StepValues]] = ()
    error = None
    try:
        steps = exchange.steps()
    except ContractError as raised:
        error = raised
    return Answer(steps, error, exchange.read.narrow, tuple(exchange.mutations))


def _batch_alone(case: Case) -> Case:
    """Return the case with the batch as its only data: without `train`, a target gets no others, and no schedule."""
    inputs, targets = case.batch
    schedule = Schedule(case.schedule.learning_rate, epochs=1)
    return replace(case, inputs=inputs, targets=targets, schedule=schedule, update=0)


class _Exchange:
    """The calls that one case needs."""

    def __init__(self, target: Target, case: Case) -> None:
        self.target, self.case = target, case
        self.read = Reader(case)
        self.mutations: dict[str, None] = {}

    def steps(self) -> list[tuple[Case, StepValues]]:
        """Return the case with its step, and the next update if the target trains."""
        loss, grads = self.loss_and_grads()
        activations = self.activations()
        if self.target.trains:
            (_, trained), *following = self.case.observe_training(self.target.trainer)
            step = replace(trained, activations=activations, loss=loss, grads=grads)
            return [(self.case, step), *following]
        return [(self.case, StepValues(activations, loss, grads, None, self.updated()))]

    def loss_and_grads(self) -> tuple[float | None, Any]:
        """Return both, or only the loss; None if the target does not offer it."""
        if "loss_and_grads" in self.target.functions:
            return self.read.loss_and_grads(self.call("loss_and_grads", *self.case.batch))
        if "loss" in self.target.functions:
            return self.read.scalar("loss", self.call("loss", *self.case.batch)), None
        return None, None

    def activations(self) -> Any:
        """Return the activations of every layer that the target returns."""
        if "forward" not in self.target.functions:
            return None
        return self.read.activations(self.call("forward", self.case.batch[0]))

    def updated(self) -> Any:
        """Return the weights after one `step`."""
        if "step" not in self.target.functions:
            return None
        rate = self.case.schedule.learning_rate
        result = self.call("step", *self.case.batch, learning_rate=rate)
        return self.read.params("step", "weight", result)

    def call(self, function: str, *data: Any, **keywords: Any) -> Any:
        """Call one of the target's functions on the case's network and weights."""
        case = self.case
        try:
            result, changed = call_privately(
                self.target.functions[function], case.network, case.params, *data, **keywords
            )
        except (Exception, SystemExit) as error:
            raise TargetRaisedError(f"{function} raised {type(error).__name__}: {error}") from error
        if changed:
            self.mutations[function] = None
        return result
