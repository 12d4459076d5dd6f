"""Numbers that both programs have, one of them a little off: computed before the recording, or rounded to float32.

`1 - 0.9` is 0.09999999999999998. Which last digits a number has that a program computes outside of its arrays is no
question of the port, so the port is judged with the original's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..tracing.alignment import CONDITION
from ..tracing.recording import Recording
from .causes.literals import Slot, changed, slots
from .counterfactual import Change
from .islands import SHORTER, rounded
from .places import places
from .result import Island

_NEAR = CONDITION * float(np.finfo(np.float64).eps)
"""How far apart, relative to their size, two numbers may be that are the same one in float64."""


@dataclass(frozen=True)
class Digits:
    """The same digits for the same number, everywhere in both programs.

    Attributes:
        changes: put them in.
        islands: where the port has them in float32 only.
    """

    changes: tuple[Change, ...]
    islands: tuple[Island, ...]


def digits(a: Recording, b: Recording) -> Digits:
    """Return what gives both programs the same digits of their numbers, the original's where it has them."""
    own = sorted({abs(slot.value) for slot in _fractions("a", a)})
    # One program may have several versions of a number, too: the smallest stands for all.
    known = np.array([x for n, x in enumerate(own) if n == 0 or not _is_near(x, own[n - 1])])
    changes, short = [], []
    for side, recording in (("a", a), ("b", b)):
        pairs = [(slot, _nearest(slot.value, known)) for slot in _fractions(side, recording)]
        new = {slot: value for slot, value in pairs if value != slot.value}
        if new:
            changes.append(changed(recording, new))
            short += [s for s, value in new.items() if not _is_near(s.value, value)]
    where = places("port", b, [_user(b, slot.event) for slot in short if slot.side == "b"])
    text = "a number is in float32 here that the original has in float64; it was given the original's digits"
    islands = (Island("port", where, "float32", None, text),) if where else ()
    return Digits(tuple(changes), islands)


def _fractions(side: Any, recording: Recording) -> Iterator[Slot]:
    """Yield the numbers in calls and the leaves that are one number, integers and what is not finite left out."""
    needed = sorted(recording.needed_for(list(recording.outputs.values())))
    for slot in slots(side, recording, needed):
        is_finite = isinstance(slot.value, float) and np.isfinite(slot.value)
        if is_finite and not slot.value.is_integer():
            yield slot


def _nearest(x: float, known: Any) -> float:
    """Return the known number that x is, up to rounding; x itself if there is none."""
    if not known.size:
        return x
    at = int(np.searchsorted(known, abs(x)))
    near = min(known[max(at - 1, 0) : at + 1], key=lambda one: abs(one - abs(x)))
    same = _is_near(x, near) or abs(x) in {float(rounded(near, name)) for name in SHORTER}
    return float(np.copysign(near, x)) if same else x


def _is_near(x: float, y: float) -> bool:
    return abs(abs(x) - abs(y)) <= _NEAR * abs(y)


def _user(recording: Recording, event: int) -> int:
    return event if recording.events[event].inputs else min(recording.users[event], default=event)
