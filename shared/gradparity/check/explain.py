"""Put a diagnosis into plain words, and separate conventions from mistakes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..diagnosis.diagnose import Diagnosis
from ..diagnosis.mistakes import (
    CROSS_ENTROPY,
    FACTORS,
    REPORTED_LOSSES,
    SAMPLE_BY_SAMPLE,
    UNIT,
    Factor,
)
from ..diagnosis.names import Name

_MSE, _ENTROPY = (loss.name for loss in REPORTED_LOSSES[:2])


@dataclass(frozen=True)
class Explanation:
    """A diagnosis as the user reads it.

    Attributes:
        headline: the diagnosis in one line.
        lines: the parts of the diagnosis, a line each.
        notes: differences that are not mistakes.
        accepted: the target is right in its own convention.
        factor: the gradient's factor in that convention.
        loss_factor: the reported loss's factor in that convention.
        share: for a convention that is not a factor: the remaining error, as a share of the bound.
    """

    headline: str
    lines: Sequence[str] = ()
    notes: Sequence[str] = ()
    accepted: bool = False
    factor: Factor = UNIT
    loss_factor: Factor = UNIT
    share: float = 0.0


def explain(found: Diagnosis, *, free: bool) -> Explanation:
    """Put a diagnosis into words.

    If the target is `free` to choose its convention, a correct gradient of another multiple of the MSE, or an
    update after every sample, counts as agreement. Otherwise the gradient must be that of the reported loss.
    """
    reported = found.loss[0].factor if found.loss and found.loss[0].name == _MSE else UNIT
    other = _other_convention(found, free=free)
    if other is not None:
        return other
    name = found.gradient[0] if found.gradient else None
    consistent = free or (name is not None and reported is name.factor and name.mistake is None)
    factor = name.factor if name and consistent and name.factor in FACTORS else UNIT
    loss_factor = reported if consistent else UNIT
    notes = []
    if factor is not UNIT:
        notes.append(f"a correct gradient of {factor.name} times the MSE")
    if loss_factor is not factor and loss_factor is not UNIT:
        notes.append(f"the reported loss is {loss_factor.name} times the MSE")
    mistake = name is not None and (name.mistake is not None or name.factor is not factor)
    wrong_loss = bool(found.loss) and not (found.loss[0].name == _MSE and consistent)
    if not (mistake or wrong_loss or found.forward or found.reduced or found.unknown):
        headline = "; ".join(notes if factor is not UNIT else ["right", *notes])
        return Explanation(headline, accepted=True, factor=factor, loss_factor=loss_factor)
    if factor is not UNIT:
        notes[0] = f"its convention is {factor.name} times the MSE: that is not a mistake"
    lines = [*_forward(found), *_gradient(found, factor), *(_loss(found) if wrong_loss else [])]
    if found.reduced:
        lines.append(
            f"{found.reduced}: the errors are as large as those of a calculation in that format"
        )
    lines += [f"{phase}: wrong, and it matches no known mistake" for phase in found.unknown]
    named = [
        *([_called(name, factor)] if name and mistake else map(str, found.forward[:1])),
        *(f"the reported loss is {loss}" for loss in found.loss[:1] if wrong_loss),
    ]
    if found.unknown:
        named.insert(0, "wrong, for an unknown reason")
    headline = "; ".join(named) or found.reduced
    return Explanation(headline, lines, notes, factor=factor, loss_factor=loss_factor)


def _other_convention(found: Diagnosis, *, free: bool) -> Explanation | None:
    """Accept the cross-entropy if its value is the reported loss, and an update after every sample."""
    if found.forward or found.reduced or found.unknown:
        return None
    reported = {loss.name for loss in found.loss}
    for name in found.gradient:
        if name.factor not in FACTORS:  # a wrong sign, or an arbitrary number
            continue
        words = ""
        if name.mistake is CROSS_ENTROPY and (name is found.explains_loss or _ENTROPY in reported):
            times = "" if name.factor is UNIT else f"{name.factor.name} times "
            words = f"a correct gradient of {times}the binary cross-entropy"
        elif name.mistake is SAMPLE_BY_SAMPLE and free:
            of = "" if name.factor is UNIT else f", of {name.factor.name} times the squared error"
            words = f"correct updates, one after every sample{of}"
        if words:
            return Explanation(words, accepted=True, share=name.share)
    return None


def _forward(found: Diagnosis) -> list[str]:
    if not found.forward:
        return []
    name = found.forward[0]
    return [f"forward: {name}: it computes {name.mistake.wrong}, it should be {name.mistake.right}"]


def _gradient(found: Diagnosis, convention: Factor) -> list[str]:
    if not found.gradient:
        return []
    lines = [_sentence(found.phase, found.gradient[0], convention)]
    others = [_called(name, convention) for name in found.gradient[1:]]
    if others:
        lines.append(f"  on these data indistinguishable from: {' | '.join(others)}")
    return lines


def _called(name: Name, convention: Factor) -> str:
    """Return the name, without the factor if that is a convention."""
    return str(replace(name, factor=UNIT) if name.factor is convention else name)


def _sentence(phase: str, name: Name, convention: Factor) -> str:
    parts = []
    if name.mistake is not None:
        where = f" {name.where}" if name.where else ""
        parts.append(
            f"{name.mistake.name}{where}: it computes {name.mistake.wrong}, it should be {name.mistake.right}"
        )
    if name.factor is not convention:
        parts.append(f"it is multiplied by {name.factor.name}: {name.factor.meaning}")
    if not parts:
        parts.append("it follows from the forward pass")
    undone = f"with this undone, the largest error is {name.share:.2g} of the rounding bound"
    return f"{phase}: {'; and '.join(parts)}; {undone}"


def _loss(found: Diagnosis) -> list[str]:
    return [f"loss: the reported loss is {' | '.join(map(str, found.loss))}"] if found.loss else []
