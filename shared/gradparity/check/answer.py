"""Call a target on a case, and record its results and its side effects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..border import call_privately, reading
from ..contract import Schedule
from ..errors import ContractError
from ..reference.step import StepValues
from ..verdict.case import Case
from .reading import Reader
from .target import Target


@dataclass(frozen=True)
class Answer:
    """A target's answer to a case.

    Attributes:
        steps: the update with its case; if the target trains, also the next update, from the target's own weights.
        error: why steps, or parts of the first step, are missing: a TargetRaisedError if the target raised, else a
            ContractError.
        narrow: what it returned in float32 or less for float64; the rest is judged.
        mutations: functions that changed their argument arrays.
    """

    steps: Sequence[tuple[Case, StepValues]]
    error: ContractError | None
    narrow: frozenset[str]
    mutations: tuple[str, ...]

    @property
    def first(self) -> StepValues:
        """The step of the case itself.

        Raises:
            ContractError: there is no step.
        """
        if self.error is not None and not self.steps:
            raise self.error
        return self.steps[0][1]


def answer(target: Target, case: Case) -> Answer:
    """Call all functions that a target offers on a case."""
    exchange = Exchange(target, asked_of(target, case))
    error = None
    try:
        exchange.run()
    except ContractError as raised:
        error = raised
    return Answer(exchange.steps, error, frozenset(exchange.read.narrow), tuple(exchange.mutations))


def asked_of(target: Target, case: Case) -> Case:
    """Return the case as the target is asked for it: without `train`, with the batch as its only data."""
    if target.trains:
        return case
    inputs, targets = case.batch
    schedule = Schedule(case.schedule.learning_rate, epochs=1)
    return replace(case, inputs=inputs, targets=targets, schedule=schedule, update=0)


class Exchange:
    """The calls that one case needs."""

    def __init__(self, target: Target, case: Case) -> None:
        self.target, self.case = target, case
        self.read = Reader(case)
        self.mutations: dict[str, None] = {}
        self.arguments: Any = ()
        self.steps: Sequence[tuple[Case, StepValues]] = ()

    def run(self) -> None:
        """Make the case's step, and the next updates if the target trains. What is there when it raises is kept."""
        loss, grads = self.loss_and_grads()
        shown = StepValues(self.activations(), loss, grads)
        if {"forward", "loss", "loss_and_grads"} & set(self.target.functions):
            self.steps = [(self.case, shown)]
        if self.target.trains:
            (_, trained), *following = self.case.observe_training(self.target.trainer)
            shown = replace(trained, activations=shown.activations, loss=loss, grads=grads)
            self.steps = [(self.case, shown), *following]
        elif "step" in self.target.functions:
            self.steps = [(self.case, replace(shown, updated=self.updated()))]

    def loss_and_grads(self) -> tuple[float | None, Any]:
        """Return both, or only the loss; None if the target does not offer it."""
        loss, grads = None, None
        if "loss_and_grads" in self.target.functions:
            both = self.call("loss_and_grads", *self.case.batch)
            with reading("loss_and_grads"):
                loss, grads = self.read.loss_and_grads(both)
        if loss is None and "loss" in self.target.functions:
            value = self.call("loss", *self.case.batch)
            with reading("loss"):
                loss = self.read.scalar("loss", value)
        return loss, grads

    def activations(self) -> Any:
        """Return the activations of every layer that the target returns."""
        if "forward" not in self.target.functions:
            return None
        activations = self.call("forward", self.case.batch[0])
        with reading("forward"):
            return self.read.activations(activations)

    def updated(self) -> Any:
        """Return the weights after one `step`."""
        rate = self.case.schedule.learning_rate
        result = self.call("step", *self.case.batch, learning_rate=rate)
        if result is None:  # it changes the weights that it gets
            result = self.arguments[1]
        with reading("step"):
            return self.read.params("step", "weight", result)

    def call(self, function: str, *data: Any, **keywords: Any) -> Any:
        """Call one of the target's functions on the case's network and weights."""
        case = self.case
        result, changed, self.arguments = call_privately(
            function,
            self.target.functions[function],
            *(case.network, case.params, *data),
            **keywords,
        )
        if changed:
            self.mutations[function] = None
        return result
