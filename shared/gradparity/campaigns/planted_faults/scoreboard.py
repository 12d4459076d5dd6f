"""Judge planted faults: was each caught, and what was it called?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np

from ...contract import tensors
from ...diagnosis.diagnose import Diagnosis, diagnose
from ...diagnosis.mistakes import (
    FORWARD,
    GRADIENT,
    UPDATE,
    ForwardMistake,
    LayerMistake,
    Layers,
)
from ...diagnosis.names import ForwardName, Made, Name
from ...diagnosis.search import fits, same_factor
from ...errors import ContractError
from ...guarded import Guarded
from ...processes import one_quiet_thread
from ...reference.step import StepValues
from ...verdict.case import Case
from ...verdict.judge import PHASES
from ...verdict.observation import Observation
from .faults import Fault


class Outcome(StrEnum):
    """The diagnosis of a planted fault that was caught, compared with the fault."""

    NAMED = "named"
    SYNONYM = "synonym"
    CLASS = "class"
    UNKNOWN = "unknown"
    MISNAMED = "misnamed"


@dataclass
class Score:
    """The results of one fault over a number of networks.

    Attributes:
        planted: the number of networks it was planted in.
        visible: the number of these in which its effect, in the oracle's precision, is larger than rounding can be.
        caught: the number in which the verdict was "disagree".
        missed: the number in which it was visible and not caught.
        outcomes: the diagnoses of those caught.
        examples: some names that it was given when it was not named correctly.
    """

    planted: int = 0
    visible: int = 0
    caught: int = 0
    missed: int = 0
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)

    def merge(self, other: Score) -> None:
        """Add another score of the same fault."""
        self.planted += other.planted
        self.visible += other.visible
        self.caught += other.caught
        self.missed += other.missed
        self.outcomes += other.outcomes
        self.examples = (self.examples + other.examples)[:3]

    def summary(self) -> dict[str, Any]:
        """Return plain numbers."""
        return {
            "planted": self.planted,
            "visible": self.visible,
            "caught": self.caught,
            "missed": self.missed,
            **{outcome.value: self.outcomes[outcome] for outcome in Outcome},
            "examples": self.examples,
        }


def score(fault: Fault, faulty: Guarded, cases: Sequence[Case], *, visibility: bool) -> Score:
    """Judge a faulty implementation on these cases together, as one target.

    With `visibility`, the fault's effect is measured first, by running the faulty program in the oracle's precision.
    """
    found = Score(planted=1)
    with one_quiet_thread():
        shows = visible(faulty, cases) if visibility else True
        observations = observe(faulty, cases)
        caught = any(o.wrong(*PHASES) for o in observations)
        found.visible, found.caught, found.missed = (
            int(shows),
            int(caught),
            int(shows and not caught),
        )
        if caught:
            diagnosis = diagnose(observations, lambda case: case.observe(faulty))
            outcome = classify(fault, diagnosis, observations)
            found.outcomes[outcome] += 1
            if outcome in (Outcome.UNKNOWN, Outcome.MISNAMED):
                found.examples.append(in_words(diagnosis))
    return found


def observe(target: Guarded, cases: Iterable[Case]) -> list[Observation]:
    """Observe two updates of each case that the target can run."""
    found = []
    for case in cases:
        try:
            found += [Observation(*pair) for pair in case.observe_steps(target)]
        except (
            ContractError
        ):  # for example, a transposed weight that does not fit: nothing to observe
            continue
    return found


def visible(faulty: Guarded, cases: Sequence[Case]) -> bool:
    """Return True if the faulty program, run in the oracle's precision, is outside the bound anywhere."""
    for case in cases:
        try:
            pairs = case.widened().observe_steps(faulty)
        except ContractError:
            continue
        for exactly, step in pairs:
            expected, bound = exactly.widened().expect(case.precision)
            if _outside(step, expected, bound):
                return True
    return False


def _outside(step: StepValues, expected: StepValues, bound: StepValues) -> bool:
    shown = [
        *zip(
            step.activations or (),
            expected.activations or (),
            bound.activations or (),
            strict=False,
        ),
        *(
            (getattr(step, loss), getattr(expected, loss), getattr(bound, loss))
            for loss in ("loss", "recorded")
            if getattr(step, loss) is not None
        ),
        *(
            triple
            for params in ("grads", "updated")
            if getattr(step, params) is not None
            for triple in zip(
                *(tensors(getattr(s, params)) for s in (step, expected, bound)), strict=True
            )
        ),
        *(
            triple
            for name in step.state or {}
            for triple in zip(
                *(tensors((s.state or {})[name]) for s in (step, expected, bound)), strict=True
            )
        ),
    ]
    return any(bool(np.any(np.abs(value - exact) > e)) for value, exact, e in shown)


def classify(fault: Fault, diagnosis: Diagnosis, observations: Sequence[Observation]) -> Outcome:
    """Compare the names in the diagnosis with the fault."""
    catalogue = {mistake.name: mistake for mistake in (*GRADIENT, *UPDATE)}
    if diagnosis.phase == "gradient":
        observations = [o for o in observations if o.result.grads is not None]
    names: Sequence[Any] = diagnosis.gradient
    if fault.mistake in {mistake.name for mistake in FORWARD}:
        names = diagnosis.forward
        right = [_is_forward(name, fault, observations) for name in diagnosis.forward]
    elif fault.mistake and fault.mistake not in catalogue:  # in the loss that is recorded
        names = diagnosis.loss
        right = [str(name) == fault.mistake for name in names]
    else:
        right = [_is(name, fault, observations) for name in diagnosis.gradient]
    if fault.reduced or not names:
        if diagnosis.reduced:  # only a fault without algebra belongs to this class
            return Outcome.CLASS if fault.reduced else Outcome.MISNAMED
        return _unless_named(diagnosis)
    if right[0]:
        return Outcome.NAMED
    phase, mistake = diagnosis.phase, catalogue.get(fault.mistake)
    if any(right) or (
        names is diagnosis.gradient
        and fits(observations, phase, mistake, lambda n: planted(fault, n), fault.factor)
    ):
        return Outcome.SYNONYM
    return Outcome.MISNAMED


def _is_forward(name: ForwardName, fault: Fault, observations: Sequence[Observation]) -> bool:
    return name.mistake.name == fault.mistake and _there(name, name.mistake, fault, observations)


def planted(fault: Fault, depth: int) -> Layers:
    """Return the layers of a network of this depth that have the fault."""
    if fault.layer is None:
        return frozenset(range(depth))
    layer = fault.layer if fault.layer >= 0 else depth + fault.layer
    return frozenset({layer} if layer < depth else ())


def _there(
    name: Made | ForwardName,
    mistake: ForwardMistake | LayerMistake,
    fault: Fault,
    observations: Sequence[Observation],
) -> bool:
    """Return True if the name has the fault's layers, among those in which its mistake is possible."""
    kinds = [mistake.possible(o.case.network) for o in observations]
    return all(
        name.layers(o.depth) & kind == planted(fault, o.depth) & kind
        for o, kind in zip(observations, kinds, strict=True)
    )


def _is(name: Name, fault: Fault, observations: Sequence[Observation]) -> bool:
    if len(name.made) > 1:
        return False
    called, where = "", True
    for made in name.made:
        mistake = made.mistake
        called = mistake.name
        where = not isinstance(mistake, LayerMistake) or _there(made, mistake, fault, observations)
    return (
        called == fault.mistake and where and same_factor(name.factor, fault.factor, observations)
    )


def _unless_named(diagnosis: Diagnosis) -> Outcome:
    named = diagnosis.gradient or diagnosis.forward or diagnosis.loss
    return Outcome.MISNAMED if named else Outcome.UNKNOWN


def in_words(diagnosis: Diagnosis) -> str:
    """Return all names of the diagnosis, in one line."""
    names = [*diagnosis.forward, *diagnosis.gradient, *diagnosis.loss, diagnosis.reduced]
    return " | ".join(str(name) for name in names if str(name)) or "unknown"
