"""The file of the narrow faults."""

from __future__ import annotations

from ..campaign import Campaign, Record, Stored


class _Right(Stored):
    programs: int
    agree: int
    disagree: int
    abstain: int
    worded: int


class _Wrong(Stored):
    programs: int
    caught: int
    abstain: int
    missed: int
    relevant: int
    relevant_missed: int


class _Alarm(Stored):
    program: str
    verdict: str
    headline: str


class _Missed(Stored):
    program: str
    verdict: str
    headline: str
    xor: float | None
    linear: float | None
    relevant: bool


class _NarrowFaults(Record):
    every: int
    right: dict[str, _Right]
    wrong: dict[str, _Wrong]
    alarms: tuple[_Alarm, ...]
    left: tuple[_Missed, ...]


NARROW_FAULTS = Campaign(
    "narrow-faults", "Narrow faults", 1, "gradparity narrow-faults", _NarrowFaults
)
"""Right programs by form, and wrong ones by the property under which they are wrong.

`every`: each how many-th program of both corpora was judged. `worded`: the report of a right program has the words that
it must have. `relevant`: the fault changes a weight of the experiment xor or linear by more than rounding; `xor` and
`linear` are the largest change, None if it is not a number or the program cannot be trained on it. `alarms` are the
right programs that were not called right, `left` the wrong ones that were not called wrong.
"""
