"""Put a convention, and a diagnosis under it, into plain words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ..diagnosis.diagnose import Diagnosis
from ..diagnosis.mistakes import FACTORS, UNIT, Factor
from ..diagnosis.names import Name
from .convention import Convention
from .inference import TITLES

ACTIVATIONS = {
    "sigmoid": "sigmoid",
    "tanh": "tanh",
    "relu": "ReLU",
    "leaky_relu": "leaky ReLU",
    "identity": "no activation",
    "softmax": "softmax",
}


_DEEP = 5


@dataclass(frozen=True)
class Explanation:
    """Why a target is wrong, as the user reads it.

    Attributes:
        headline: the diagnosis in one line.
        lines: the parts of the diagnosis, a line each.
        notes: differences that are not mistakes.
        known: known mistakes explain all that is wrong.
        factor: the factor on the gradient that belongs to the convention.
    """

    headline: str
    lines: Sequence[str] = ()
    notes: Sequence[str] = ()
    known: bool = False
    factor: Factor = UNIT


def describe(convention: Convention, loss: str = "") -> str:
    """Say what a right program computes under this convention: "a correct gradient of ½ times the MSE".

    `loss` names a loss that is none of those known here.
    """
    times = _times(convention.factor)
    loss = f"{times}{loss}" if loss else of_loss(convention.factor, convention)
    if convention.per_sample:
        squares = not convention.loss and convention.penalty is None
        own = convention.factor is UNIT and squares and not convention.activations
        words = "correct updates, one after every sample" + ("" if own else f", of {loss}")
    else:
        words = f"a correct gradient of {loss}"
    return "; ".join([words, *other_network(convention)])


def of_loss(factor: Factor, convention: Convention) -> str:
    """Name the convention's loss with a factor: "½ times the MSE"."""
    penalty = "" if convention.penalty is None else f" with {convention.penalty}"
    return f"{_times(factor)}{TITLES[convention.loss]}{penalty}"


def _times(factor: Factor) -> str:
    return "" if factor is UNIT else f"{factor.name} times "


def other_network(convention: Convention) -> Iterator[str]:
    """Yield how the network differs from the assignment's, if it does."""
    names = convention.activations
    if not names:
        return
    if len(names) == 2:
        where: Sequence[str] = ("in the hidden layers", "in the output layer")
    else:
        where = [f"in layer {k}" for k in range(1, len(names))] + ["in the output layer"]
    other = [
        f"{ACTIVATIONS[name]} {at}"
        for name, at in zip(names, where, strict=True)
        if name != "sigmoid"
    ]
    if other:
        yield f"not the assignment's network: {' and '.join(other)}"


def differs(convention: Convention) -> Iterator[str]:
    """Yield what a reader must know although it is no mistake."""
    if convention.guard:
        yield (
            f"the loss that it tells has log(p + {convention.guard:.0e}), its gradient has not: "
            "it is the gradient of the loss without this guard"
        )
    if convention.absolute_sigmoid:
        yield (
            "σ is accurate to a few eps in absolute terms only, like ½ (1 + tanh(z/2)) or 1 - 1/(1 + e^z): "
            "for z far below zero its relative error is large"
        )


def explain(found: Diagnosis, convention: Convention, *, strict: bool) -> Explanation:
    """Put a diagnosis into words. What belongs to the convention is told as such; `strict`: nothing belongs to it."""
    # A name that needs no other factor than the loss which is told comes first.
    found.gradient.sort(key=lambda one: one.factor is not convention.loss_factor)
    name = found.gradient[0] if found.gradient else None
    factor = convention.factor
    if name is not None and name.factor in FACTORS and not strict:
        factor = name.factor
    in_force = replace(convention, factor=factor)
    notes = (
        []
        if in_force == Convention()
        else [f"its convention is {_convention(in_force)}: that is not a mistake"]
    )
    mistake = name is not None and (name.mistake is not None or name.factor is not factor)
    wrong_loss = bool(found.loss) and not _is_told(found, convention, strict=strict)
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
    headline = "; ".join(named) or found.reduced or "wrong, for an unknown reason"
    return Explanation(headline, lines, notes, known=not found.unknown, factor=factor)


def _is_told(found: Diagnosis, convention: Convention, *, strict: bool) -> bool:
    """Return True if the loss that is told is that of the convention, up to a factor."""
    return not strict and found.loss[0].name == TITLES[convention.loss]


def _convention(convention: Convention) -> str:
    loss = of_loss(convention.factor, convention)
    updates = ["an update after every sample"] if convention.per_sample else []
    return "; ".join([loss, *updates, *other_network(convention)])


def _forward(found: Diagnosis) -> list[str]:
    if not found.forward:
        return []
    name = found.forward[0]
    return [f"forward: {name}: it computes {name.mistake.wrong}, it should be {name.mistake.right}"]


def _gradient(found: Diagnosis, convention: Factor) -> list[str]:
    if not found.gradient:
        return []
    first = found.gradient[0]
    lines = [_sentence(found.phase, first, convention)]
    # One wrong layer is, with another factor, all the others wrong: that blames the right ones.
    others = [
        _called(name, convention)
        for name in found.gradient[1:]
        if name.factor is first.factor or _blamed(name) <= max(1, _blamed(first))
    ]
    if others:
        lines.append(f"  on these data indistinguishable from: {' | '.join(others)}")
    return lines


def _blamed(name: Name) -> int:
    """Return the number of layers that a name blames in a deep network."""
    return sum(len(made.layers(_DEEP)) for made in name.made)


def _called(name: Name, convention: Factor) -> str:
    """Return the name, without the factor if that is a convention."""
    return str(replace(name, factor=UNIT) if name.factor is convention else name)


def _sentence(phase: str, name: Name, convention: Factor) -> str:
    parts = [made.sentence() for made in name.made]
    if name.factor is not convention:
        parts.append(f"it is multiplied by {name.factor.name}: {name.factor.meaning}")
    if not parts:
        parts.append("it follows from the forward pass")
    undone = f"with this undone, the largest error is {name.share:.2g} of the rounding bound"
    return f"{phase}: {'; and '.join(parts)}; {undone}"


def _loss(found: Diagnosis) -> list[str]:
    return [f"loss: the reported loss is {' | '.join(map(str, found.loss))}"] if found.loss else []
