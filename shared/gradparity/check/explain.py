"""A diagnosis in plain words, and what of it is a convention rather than a mistake."""

from __future__ import annotations

from dataclasses import dataclass

from ..parity.diagnosis import Diagnosis, LossName
from ..parity.mistakes import CROSS_ENTROPY, FACTORS, LOSSES, SAMPLE_BY_SAMPLE
from ..parity.naming import UNIT, Name

_BINARY_CROSS_ENTROPY = LOSSES[1].name


@dataclass(frozen=True)
class Explanation:
    """What to tell the user.

    Attributes:
        headline: in one line.
        lines: the diagnosis, a line each.
        notes: what an accepted target does differently.
        accepted: it is right, in a convention of its own.
        share: of the bound, that is left over in this convention.
    """

    headline: str
    lines: list[str]
    notes: list[str]
    accepted: bool
    share: float = 0.0


def explain(found: Diagnosis, *, convention: bool) -> Explanation:
    """Put a diagnosis into words.

    With `convention`, a correct gradient of another multiple of the MSE, of the cross-entropy that is told as the
    loss, or an update after every sample is agreement; otherwise only where the loss that is told is that multiple.
    """
    accepted = _convention(found, convention=convention)
    if accepted:
        share = max((name.share for name in found.gradient[:1]), default=0.0)
        return Explanation(accepted, [], [accepted], accepted=True, share=share)
    lines = [*_forward(found), *_gradient(found), *_loss(found)]
    if found.reduced:
        lines.append(
            f"{found.reduced}: the numbers are as far off as a calculation in that format would be"
        )
    lines += [
        f"{phase}: wrong, and by none of the mistakes that are known here: unknown"
        for phase in found.unknown
    ]
    named = [
        *found.gradient[:1],
        *(found.forward[:1] if not found.gradient else []),
        *found.loss[:1],
    ]
    headline = "; ".join(map(str, named)) or found.reduced or "wrong, for a reason that is unknown"
    return Explanation(headline, lines, [], accepted=False)


def _convention(found: Diagnosis, *, convention: bool) -> str:
    if found.forward or found.reduced or found.unknown:
        return ""
    told = [str(loss) for loss in found.loss]
    if not found.gradient:
        # The gradient is right; a multiple of the MSE may be what is told.
        multiples = [loss for loss in found.loss if loss.name == LOSSES[0].name]
        return f"right, and told as the loss is {multiples[0]}" if multiples and convention else ""
    for name in found.gradient:
        if name.factor not in FACTORS:  # a wrong sign, or a number from nowhere
            continue
        if (
            name.mistake is None
            and (convention or str(LossName(LOSSES[0].name, name.factor)) in told)
            and _only_multiples(found)
        ):
            return f"a correct gradient of {name.factor.name} times the MSE"
        if name.mistake is CROSS_ENTROPY and (
            name is found.explains_loss or any(_BINARY_CROSS_ENTROPY in loss for loss in told)
        ):
            times = "" if name.factor is UNIT else f"{name.factor.name} times "
            return f"a correct gradient of {times}the binary cross-entropy"
        if name.mistake is SAMPLE_BY_SAMPLE and convention:
            times = (
                "" if name.factor is UNIT else f", of {name.factor.name} times the squared error"
            )
            return f"correct updates, one after every sample{times}"
    return ""


def _only_multiples(found: Diagnosis) -> bool:
    return all(loss.name == LOSSES[0].name for loss in found.loss[:1])


def _forward(found: Diagnosis) -> list[str]:
    if not found.forward:
        return []
    name = found.forward[0]
    return [f"forward: {name}: it computes {name.mistake.wrong}, it should be {name.mistake.right}"]


def _gradient(found: Diagnosis) -> list[str]:
    if not found.gradient:
        return []
    lines = [_sentence(found.phase, found.gradient[0])]
    others = [str(name) for name in found.gradient[1:]]
    if others:
        lines.append(f"  on these data the same as: {' | '.join(others)}")
    return lines


def _sentence(phase: str, name: Name) -> str:
    parts = []
    if name.mistake is not None:
        where = f" {name.where}" if name.where else ""
        parts.append(
            f"{name.mistake.name}{where}: it computes {name.mistake.wrong}, it should be {name.mistake.right}"
        )
    if name.factor is not UNIT:
        parts.append(f"it is multiplied by {name.factor.name}: {name.factor.meaning}")
    if not parts:
        parts.append("it follows from the forward pass")
    undone = f"with this undone, what is left is {name.share:.2g} of what rounding can do"
    return f"{phase}: {'; and '.join(parts)}; {undone}"


def _loss(found: Diagnosis) -> list[str]:
    if not found.loss:
        return []
    return [f"loss: what is told is {' | '.join(map(str, found.loss))}"]
