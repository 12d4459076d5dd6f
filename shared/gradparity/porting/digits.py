"""Numbers that both programs have, one of them a little off: computed before the recording, or rounded to float32.

`1 - 0.9` is 0.09999999999999998. Which last digits a number has that a program computes outside of its arrays is no
question of the port, so the port is judged with the original's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..tracing.alignment import CONDITION
from ..tracing.alignment import Side as Letter
from ..tracing.recording import Recording
from .causes.literals import Slot, changed, slots
from .closed_forms import forms
from .counterfactual import Change
from .islands import SHORTER, rounded
from .places import places
from .result import Island, Side

Array = NDArray[np.float64]

_TEXT = (
    "a number is in a shorter format here than float64; it was given the digits that it had before"
)

_SIMPLE_BITS = 12
"""Binary digits of 0.5, 0.375 and their like; other numbers need all that there are."""

_NEAR = CONDITION * float(np.finfo(np.float64).eps)
"""How far apart, relative to their size, two numbers may be that are the same one in float64."""


@dataclass(frozen=True)
class Digits:
    """The same digits for the same number, everywhere in both programs.

    Attributes:
        changes: put them in.
        islands: where a program has them in a shorter format.
    """

    changes: tuple[Change, ...]
    islands: tuple[Island, ...]


def digits(a: Recording, b: Recording) -> Digits:
    """Return what gives both programs the same digits of their numbers, the original's where it has them.

    A number in a shorter format of which the other program has nothing, as √½ of a GELU that is one operation there,
    becomes the simplest one that is rounded to it.
    """
    computed = np.array(sorted(_computed(a) | _computed(b)))
    own = sorted({_lengthened(abs(slot.value)) for slot in _fractions("a", a)})
    # One program may have several versions of a number, too: the smallest stands for all, or what is computed.
    own = [x for n, x in enumerate(own) if n == 0 or not _is_near(x, own[n - 1])]
    known = np.array(sorted({_nearest(x, computed) for x in own}))
    changes: list[Change] = []
    islands: list[Island] = []
    sides: tuple[tuple[Letter, Side, Recording], ...] = (("a", "original", a), ("b", "port", b))
    for side, name, recording in sides:
        pairs = [
            (slot, _nearest(slot.value, known, computed)) for slot in _fractions(side, recording)
        ]
        new = {slot: value for slot, value in pairs if value != slot.value}
        if new:
            changes.append(changed(recording, new))
        short = [_user(recording, s.event) for s, v in new.items() if not _is_near(s.value, v)]
        if short:
            where = places(name, recording, short)
            islands.append(Island(name, where, "float32", None, _TEXT))
    return Digits(tuple(changes), tuple(islands))


def _fractions(side: Letter, recording: Recording) -> Iterator[Slot]:
    """Yield the numbers in calls and the leaves that are one number, integers and what is not finite left out."""
    needed = sorted(recording.needed_for(list(recording.outputs.values())))
    for slot in slots(side, recording, needed):
        is_finite = isinstance(slot.value, float) and np.isfinite(slot.value)
        if is_finite and not slot.value.is_integer():
            yield slot


def _computed(recording: Recording) -> set[float]:
    """Return the numbers that a program computes of others, in its recording."""
    values = (
        abs(float(event.value))
        for event in recording.events
        if event.inputs and not event.value.ndim and event.value.dtype.kind == "f"
        if event.index not in recording.from_inputs
    )
    return {x for x in values if np.isfinite(x) and not x.is_integer()}


def _nearest(x: float, *known: Array) -> float:
    """Return the number of the first of these lists that x is, up to rounding; else x as it was before it was rounded.

    The lists are sorted, and without signs.
    """
    size = abs(x)
    for numbers in known:
        at = int(np.searchsorted(numbers, size))
        for near in sorted(numbers[max(at - 1, 0) : at + 1], key=lambda one: abs(one - size)):
            if _is_near(size, near) or _is_rounded(size, near):
                return float(np.copysign(near, x))
    return float(np.copysign(_lengthened(size), x))


def _lengthened(x: float) -> float:
    """Return the simplest number that is rounded to x in a shorter format; x itself if it has no such digits."""
    if not _is_rounded(x, x) or _is_simple(x):
        return x
    return next((one for one in forms(x) if _is_rounded(x, one)), x)


def _is_rounded(x: float, y: float) -> bool:
    return any(x == float(rounded(y, name)) for name in SHORTER)


def _is_simple(x: float) -> bool:
    """Whether a number has so few binary digits that it was not rounded."""
    return float(np.frexp(x)[0] * 2**_SIMPLE_BITS).is_integer()


def _is_near(x: float, y: float) -> bool:
    return abs(abs(x) - abs(y)) <= _NEAR * abs(y)


def _user(recording: Recording, event: int) -> int:
    return event if recording.events[event].inputs else min(recording.users[event], default=event)
