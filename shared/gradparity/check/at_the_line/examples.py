"""Cases with their right results: with them a changed program is told right or wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

import numpy as np

from ...border import CtrlC, private
from ...contract import Schedule, map_params, tensors
from ...diagnosis.mistakes import FACTORS, Factor
from ...reference.passes import cast
from ...reference.step import StepValues
from ...tracing.gradient import UnknownGradientError, bounds, gradient
from ...tracing.recording import PARAMETER
from ...verdict.case import oracle_dtype
from ...verdict.judge import PHASES, Phase, Verdict
from ...verdict.observation import Observation
from ..answer import Exchange, asked_of
from ..convention import Convention, Conventional, updated_by
from ..inference import blur
from ..judgement import Judgement
from ..own_loss import AgainstItself
from ..sample_by_sample import one_at_a_time
from ..stopping import Stopwatch
from ..target import Target
from .recorded import LOSS, names, record, record_loss

_EXAMPLES = 3
_FEW = 7
_LOOKED_AT = 16
_SHARP = 1e-9
"""A bound on the gradient, relative to it, with which the right one cannot be too uncertain to be judged."""

_NEAR = 1e-4

_PATIENCE = 0.5
"""Seconds of CPU time for one run of a changed program; a right one takes milliseconds."""

_RUN = compile("run()", "<a changed program>", "exec")

_SHOWING: dict[Phase, tuple[str, ...]] = {
    "forward": ("forward",),
    "loss": ("loss_and_grads", "loss"),
    "gradient": ("loss_and_grads",),
    "update": ("step", "train"),
}


class _Unguarded(Exchange):
    """Calls the target as any exchange does, but says nothing of its exceptions, which takes a while."""

    def call(self, function: str, *data: Any, **keywords: Any) -> Any:
        """Call one of the target's functions on the case's network and weights."""
        self.arguments = private((self.case.network, self.case.params, *data))
        return self.target.functions[function](*self.arguments, **keywords)


@dataclass(frozen=True, eq=False)
class Example:
    """A case, what the target made of it, and what is right.

    Attributes:
        target: the target.
        observation: what it made, judged under its convention.
        derivative: what is right by the derivative of its own loss, as it was recorded, and the bound on that; None if
            its loss is one that is known, or its recording does not tell the derivative.
    """

    target: Target
    observation: Observation
    derivative: tuple[StepValues, StepValues] | None = None

    @cached_property
    def phases(self) -> tuple[Phase, ...]:
        """The phases in which it is wrong."""
        return tuple(phase for phase in PHASES if self.observation.wrong(phase))

    @cached_property
    def wrong(self) -> set[Any]:
        """What disagrees: phase, layer and tensor."""
        return {
            (f.phase, f.layer, f.tensor)
            for f in self.observation.findings
            if f.verdict is Verdict.DISAGREE
        }

    @cached_property
    def alone(self) -> Target:
        """The target with nothing but the functions that show what is wrong."""
        functions = self.target.functions
        names = [
            next((f for f in _SHOWING[phase] if f in functions), None) for phase in self.phases
        ]
        return replace(self.target, functions={f: functions[f] for f in names if f})

    def run(self, *, whole: bool = False) -> StepValues | None:
        """Return what the program makes of it now; None if it raises, exits or does not end."""
        target = self.target if whole else self.alone
        exchange = _Unguarded(target, asked_of(target, self.observation.case))
        try:
            Stopwatch(_PATIENCE).run(_RUN, {"run": exchange.run}, limited=True)
        except CtrlC:
            raise
        except BaseException:  # of thousands of changes, most cannot run; some run on, or exit
            return None
        return exchange.steps[0][1] if exchange.steps else None

    def right(self, result: StepValues | None, factor: Factor | None) -> bool:
        """Return True if a result agrees wherever the target was wrong, and disagrees nowhere, with this factor."""
        if result is None:
            return False
        expected, allowed = self._answer(factor)
        if self.derivative is not None:
            own = self._rounding()
            if own is not None:
                expected, allowed = self.derivative[0], _sum(self.derivative[1], own)
        known = {f.name for f in fields(StepValues) if getattr(expected, f.name) is not None}
        shown = {f.name: getattr(result, f.name) for f in fields(StepValues) if f.name in known}
        judged = AgainstItself(
            self.observation.case, StepValues(**shown), expected=expected, allowed=allowed
        ).findings
        agreeing = {(f.phase, f.layer, f.tensor) for f in judged if f.verdict is Verdict.AGREE}
        return self.wrong <= agreeing and all(f.verdict is not Verdict.DISAGREE for f in judged)

    def candidates(self, result: StepValues | None) -> list[Factor | None]:
        """Return the factors with which a result may be right: the convention's own, and what its size suggests.

        None stands for the convention's own. Most results are nowhere near; which is right, a bound decides.
        """
        own: list[Factor | None] = [None]
        pair = self._gradients(result)
        if result is None or pair is None:
            return own if result is not None else []
        ones, others = pair
        with np.errstate(all="ignore"):
            k = float(np.sum(ones[-1] * others[-1]) / np.sum(others[-1] * others[-1]))
            far = any(
                not np.max(np.abs(one - k * other)) <= _NEAR * np.max(np.abs(one))
                for one, other in zip(ones, others, strict=True)
            )
        if (
            isinstance(self.observation, Conventional)
            and self.observation.convention.penalty is None
        ):
            if far:
                return []
            f0 = self.observation.convention.factor.value(*self.observation.elements)
            n = self.observation.elements
            return [*own, *(f for f in FACTORS if abs(f.value(*n) - k * f0) <= _NEAR * abs(k * f0))]
        return [] if far or abs(k - 1) > _NEAR else own

    def _gradients(self, result: StepValues | None) -> tuple[list[Any], list[Any]] | None:
        """Return the result's gradients and the right ones, or the changes of the weights; None if it shows none."""
        expected = (self.derivative or self.observation.answer)[0]
        if result is None:
            return None
        if result.grads is not None and expected.grads is not None:
            return tensors(result.grads), tensors(expected.grads)
        if result.updated is not None and expected.updated is not None:
            start = tensors(self.observation.case.params)
            return (
                [w - w0 for w, w0 in zip(tensors(result.updated), start, strict=True)],
                [w - w0 for w, w0 in zip(tensors(expected.updated), start, strict=True)],
            )
        return None

    def _answer(self, factor: Factor | None) -> tuple[StepValues, StepValues]:
        if factor is None:
            return self.observation.answer
        if factor.name not in self._answers:
            assert isinstance(self.observation, Conventional)
            convention = replace(self.observation.convention, factor=factor)
            self._answers[factor.name] = replace(self.observation, convention=convention).answer
        return self._answers[factor.name]

    def _rounding(self) -> StepValues | None:
        """Return the bound on the rounding errors of the program as it is now; None if it is not known."""
        case = self.observation.case
        recording = record(self.alone, case)
        if recording is None:
            return None
        try:
            found = iter(bounds(recording, names(case.params)))
        except UnknownGradientError:
            return None
        e = map_params(lambda tensor: next(found).error.reshape(tensor.shape), case.params)
        shows_grads = "loss_and_grads" in self.alone.functions
        return StepValues(grads=e) if shows_grads else StepValues(updated=e)

    @cached_property
    def _answers(self) -> dict[str, tuple[StepValues, StepValues]]:
        return {}


def examples(target: Target, judgement: Judgement) -> list[Example]:
    """Choose small cases on which the target is wrong, of different numbers of samples and networks."""
    wrong = judgement.wrong
    if wrong is None:
        return []
    shown: Sequence[Observation] = wrong.observed.all
    if judgement.convention.per_sample and not judgement.own_loss:
        alone = one_at_a_time(target, [Observation(o.case, o.result) for o in shown[:8]])
        shown = [judgement.convention.under(o) for o in alone]
    elif any(o.elements[0] > 1 for o in shown):
        shown = [o for o in shown if o.elements[0] > 1]
    usable = [o for o in shown[:60] if o.case.update == 0 or not target.trains]
    usable = [o for o in usable if o.wrong(*PHASES)]
    usable.sort(key=lambda o: (-len([p for p in PHASES if o.wrong(p)]), _size(o)))
    if not judgement.own_loss:
        usable = [_conventional(o, judgement.convention) for o in usable]
    sharp = [o for o in usable[:_LOOKED_AT] if judgement.own_loss or blur(o) <= _SHARP]
    chosen: dict[Any, Observation] = {}
    for o in sharp or usable:
        key = (o.case.network, o.elements) if not judgement.convention.per_sample else id(o)
        chosen.setdefault(key, o)
    shown = sorted(list(chosen.values())[:_EXAMPLES], key=_size)
    found = [Example(target, o, _derivative(target, o, judgement)) for o in shown]
    small = _of_few_samples(found[0]) if found else None
    return [small, *found] if small is not None else found


def _derivative(
    target: Target, observation: Observation, judgement: Judgement
) -> tuple[StepValues, StepValues] | None:
    """Return what is right by the derivative of the target's own loss, and the bound on that; None if not known.

    The recorded loss may depend on weights in ways that are not seen, or the update may be another one: so what is
    right by it has to be where the observation expects it, within the differences' error.
    """
    o = observation
    if not isinstance(o, AgainstItself) or not judgement.own_loss:
        return None
    recording = record_loss(target, o.case)
    if recording is None:
        return None
    leaves = [event.index for event in recording.events if event.operation == PARAMETER]
    try:
        found = gradient(recording, LOSS, leaves)
    except UnknownGradientError:
        return None
    f = judgement.convention.factor.value(*o.elements)
    scaled = iter([f * g for g in found])
    both = map_params(lambda _: next(scaled), o.case.params)
    grads, e = map_params(lambda g: g.value, both), map_params(lambda g: g.error, both)
    if o.expected.grads is not None:
        right = StepValues(grads=grads), StepValues(grads=e)
    elif o.expected.updated is not None:
        updated, _, e_updated, _ = updated_by(
            o.case, cast(grads, oracle_dtype()), e, o.case.precision
        )
        right = StepValues(updated=updated), StepValues(updated=e_updated)
    else:
        return None
    return right if _within(right, (o.expected, o.allowed)) else None


def _within(one: tuple[StepValues, StepValues], other: tuple[StepValues, StepValues]) -> bool:
    """Return True if the gradients, or the weights, are equal within the sum of both bounds."""
    for name in ("grads", "updated"):
        x, e_x, y, e_y = (getattr(part, name) for pair in (one, other) for part in pair)
        if x is not None and not all(
            np.all(np.abs(a - b) <= e_a + e_b)
            for a, e_a, b, e_b in zip(*map(tensors, (x, e_x, y, e_y)), strict=True)
        ):
            return False
    return True


def _sum(one: StepValues, other: StepValues) -> StepValues:
    """Return the sum of two bounds on gradients, or on weights."""
    return StepValues(
        grads=one.grads and other.grads and map_params(np.add, one.grads, other.grads),
        updated=one.updated and other.updated and map_params(np.add, one.updated, other.updated),
    )


def _conventional(observation: Observation, convention: Convention) -> Observation:
    o = observation
    return Conventional(convention.case(o.case), o.result, o.absolute_sigmoid, convention)


def _of_few_samples(example: Example) -> Example | None:
    """Return the same example with few samples, quick to try changes on; None if it does not show the same."""
    o = example.observation
    if not isinstance(o, Conventional) or o.elements[0] <= _FEW or example.target.limits.samples:
        return None
    inputs, targets = (data[:_FEW] for data in o.case.batch)
    schedule = Schedule(o.case.schedule.learning_rate, epochs=1)
    case = replace(o.case, inputs=inputs, targets=targets, schedule=schedule, update=0, history=())
    asked = replace(example, observation=replace(o, case=case))
    result = asked.run(whole=True)
    if result is None:
        return None
    small = replace(example, observation=replace(o, case=case, result=result))
    return small if small.wrong == example.wrong else None


def _size(observation: Observation) -> tuple[int, int]:
    # Deep enough to have a hidden layer between two, if the target can be.
    shallow = max(3 - observation.depth, 0)
    return shallow, sum(t.size for t in tensors(observation.case.params)) * observation.elements[0]
