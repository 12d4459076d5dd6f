"""Explain why a result is wrong, in the order in which a program computes: forward, gradient or update, loss."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..reference.passes import RIGHT
from ..verdict.judge import Phase
from ..verdict.observation import Observation
from .mistakes import FACTORS, REPORTED_LOSSES, UNIT, Factor, ReportedLoss
from .names import ForwardName, Name
from .reduced_precision import Ask, reduced_forward, reduced_gradient
from .search import forward_names, gradient_names


@dataclass
class Diagnosis:
    """The mistakes that explain the observations. If several names fit, the data cannot distinguish them.

    Attributes:
        forward: the names that explain the activations, first those that also explain the gradients.
        gradient: the names that explain the gradients or updates, the simplest first.
        explains_loss: the name in `gradient` that explains the wrong loss as well.
        phase: the phase that `gradient` explains: the gradients shown, or the updates.
        loss: the names of the loss that is reported instead; empty if the rest explains the loss.
        reduced: "reduced precision" with layer and format, in words; empty if that is not the cause.
        unknown: the phases that are wrong and that no known mistake explains.
    """

    forward: list[ForwardName] = field(default_factory=list)
    gradient: list[Name] = field(default_factory=list)
    explains_loss: Name | None = None
    phase: Phase = "gradient"
    loss: list[LossName] = field(default_factory=list)
    reduced: str = ""
    unknown: list[Phase] = field(default_factory=list)


@dataclass(frozen=True)
class LossName:
    """The name of the loss that a program reports."""

    name: str
    factor: Factor = UNIT
    mistaken: bool = False

    def __str__(self) -> str:
        return self.name if self.factor is UNIT else f"{self.factor.name} times {self.name}"


def diagnose(observations: Sequence[Observation], ask: Ask) -> Diagnosis:
    """Explain the errors in these observations of one target, all in one dtype. `ask` runs the target once more."""
    found = Diagnosis()
    bases: list[ForwardName | None] = [None]
    if any(o.wrong("forward") for o in observations):
        found.forward = list(forward_names(observations))
        bases = list(found.forward)
        if not found.forward and not _reduced(found, reduced_forward(observations, ask)):
            found.unknown.append("forward")
    phases: tuple[Phase, ...] = ("gradient", "update")
    wrong = [phase for phase in phases if any(o.wrong(phase) for o in observations)]
    if wrong and bases:  # errors that follow from an unexplained forward pass have no name
        found.phase = wrong[0]
        depth = max(o.depth for o in observations)
        names = gradient_names(observations, found.phase, bases)
        found.gradient = sorted(names, key=lambda name: _unlikely(name, depth))
        explained = [name.forward for name in found.gradient if name.forward is not None]
        found.forward = list(dict.fromkeys([*explained, *found.forward]))
        if not found.gradient and not (
            bases == [None] and _reduced(found, reduced_gradient(observations, found.phase, ask))
        ):
            found.unknown.append(found.phase)
    if any(o.wrong("loss") for o in observations):
        follows = _follows(observations, found)
        found.loss = [] if follows else reported_losses(observations, found.forward)
        if not follows and not found.loss and not found.reduced and "forward" not in found.unknown:
            found.unknown.append("loss")
    return found


def _unlikely(name: Name, depth: int) -> tuple[bool, bool, int]:
    """Rank a name: a sign or an unknown factor on top is less likely, so is any factor, and the more layers."""
    blamed = sum(len(made.layers(depth)) for made in name.made)
    return name.factor not in FACTORS, name.factor is not UNIT, blamed


def _reduced(found: Diagnosis, words: str) -> bool:
    found.reduced = words
    return bool(words)


def _follows(observations: Sequence[Observation], found: Diagnosis) -> bool:
    """Return True if a mistake that explains gradients or activations explains the loss, too; move it to the front."""
    if found.forward and LossName(REPORTED_LOSSES[0].name) in reported_losses(
        observations, found.forward
    ):
        return True
    for name in found.gradient:
        losses = [(o, name.predicted_loss(o)) for o in observations]
        if all(
            _near(
                o,
                # A mistake of the training loop explains recorded losses, not those reported with gradients.
                _reported(o)
                if o.result.grads is None or found.phase == "gradient"
                else _recorded(o),
                o.answer[0].loss if loss is None else loss,
            )
            for o, loss in losses
        ):
            found.explains_loss = name
            found.gradient.sort(key=lambda other: other is not name)
            return True
    return False


def reported_losses(
    observations: Sequence[Observation], forward: Sequence[ForwardName]
) -> list[LossName]:
    """List the names of the losses that the program may report, first those without a factor."""
    names = []
    for loss in REPORTED_LOSSES:
        for factor in FACTORS:
            if all(_reports(o, forward, loss, factor) for o in observations):
                names.append(LossName(loss.name, factor, loss.mistaken))
                break
    shown = [o for o in observations if _recorded(o)]
    for name, value in RECORDED.items():
        if shown and all(_near(o, _recorded(o), value(o)) for o in shown):
            names.append(LossName(name))
    return sorted(names, key=lambda name: name.factor is not UNIT)


def _reports(
    observation: Observation, forward: Sequence[ForwardName], loss: ReportedLoss, factor: Factor
) -> bool:
    case = observation.case
    equations = forward[0].equations(observation.depth) if forward else RIGHT
    try:
        predictions = case.evaluate_exactly(equations).activations[-1]
    except ValueError:  # a mistake of the forward pass that cannot be made here
        predictions = case.evaluate_exactly().activations[-1]
    targets = case.batch[1].astype(predictions.dtype)
    with np.errstate(all="ignore"):
        value = factor.value(*observation.elements) * loss.value(predictions, targets)
    return _near(observation, _reported(observation), value)


def _recorded(observation: Observation) -> list[Any]:
    return [] if observation.result.recorded is None else [observation.result.recorded]


def _reported(observation: Observation) -> list[Any]:
    result = observation.result
    return [value for value in (result.loss, result.recorded) if value is not None]


def _near(observation: Observation, losses: Sequence[Any], value: Any) -> bool:
    expected, bound = observation.answer
    n = len(losses)
    return not losses or (
        observation.left_over(losses, [value] * n, [expected.loss] * n, [bound.loss] * n) <= 1
    )


def _after(observation: Observation, rows: Any) -> Any:
    updated = observation.result.updated
    if updated is None:
        return np.nan
    return observation.case.evaluate_exactly(params=updated, rows=rows).loss


RECORDED: dict[str, Callable[[Observation], Any]] = {
    "the loss after the update, not before it": lambda o: _after(o, None),
    "the loss on all data, not on the batch": lambda o: (
        o.case.evaluate_exactly(rows=slice(None)).loss
    ),
    "the loss on all data after the update": lambda o: _after(o, slice(None)),
}
"""Mistakes in what a training loop records, by name."""
