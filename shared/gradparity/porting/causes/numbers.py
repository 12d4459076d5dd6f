"""A number in the text that differs: ε, momentum, a slope, a scale, the value of what is masked."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ...tracing.alignment import Side
from ...tracing.recording import LEAVES, Recording
from ..counterfactual import Change
from ..result import Cause
from . import literals, roles, signatures
from .bench import SIDES, Bench, Found
from .literals import Slot

_POINTWISE = frozenset(
    [
        "add",
        "sub",
        "rsub",
        "mul",
        "div",
        "pow",
        "masked_fill",
        "full",
        "fill",
        "scalar_tensor",
        "where",
        "clamp",
        "threshold",
        "lerp",
        "addcmul",
        "addcdiv",
        "maximum",
        "minimum",
        "subtract",
        "multiply",
        "divide",
        "true_divide",
        "power",
        "integer_pow",
        "max",
        "min",
        "select_n",
        "broadcast_in_dim",
        "full_like",
        "new_full",
        "_foreach_add",
        "_foreach_mul",
        "_foreach_div",
        "_foreach_pow",
        "_foreach_lerp",
        "_foreach_addcmul",
        "_foreach_addcdiv",
    ]
)
"""Operations in which an integer is a number like others, and no axis, size or index."""

_MOST_DIGITS = 12
"""Two numbers of the text that agree to so many digits are the same."""


@dataclass(frozen=True)
class _Try:
    """Other numbers in the place of some of one side.

    Attributes:
        slots: those that change, the one that is shown first.
        values: what takes their place.
        source: the number of the other side that it is; None if it is in no text.
    """

    slots: tuple[Slot, ...]
    values: tuple[float, ...]
    source: Slot | None

    @property
    def side(self) -> Side:
        """Whose numbers change."""
        return self.slots[0].side


def of(bench: Bench, side: Side) -> list[Slot]:
    """Return the numbers of a side's region."""
    recording = bench.recording(side)
    return [
        slot
        for slot in literals.slots(side, recording, list(bench.trial.events(side)))
        if _is_number(recording, slot)
    ]


def _is_number(recording: Recording, slot: Slot) -> bool:
    if isinstance(slot.value, bool | str):
        return False
    event = recording.events[slot.event]
    if isinstance(slot.value, float) or event.operation in LEAVES:
        return True
    if slot.path[0] != "arguments":
        return slot.path[1:] == ("y",) and event.operation == "integer_pow"
    return signatures.short(event) in _POINTWISE and len(slot.path) == 2 and roles.has_array(event)


def plain(bench: Bench) -> Found | None:
    """Return the number that stands otherwise in the other side's text."""
    both = {side: of(bench, side) for side in SIDES}
    return _first(bench, _standing(both))


def left_out(bench: Bench) -> Found | None:
    """Return the number that the other side has not at all: added as 0, or a factor of 1, it does nothing."""
    both = {side: of(bench, side) for side in SIDES}
    return _first(bench, (_without(bench, _lacking(both)[side]) for side in SIDES))


def of_sizes(bench: Bench) -> Found | None:
    """Return the number in whose place one made of the size of an axis belongs."""
    both = {side: of(bench, side) for side in SIDES}
    return _first(bench, (_from_sizes(_lacking(both)[side], bench.sizes) for side in SIDES))


def _first(bench: Bench, tiers: Iterator[Iterator[_Try]]) -> Found | None:
    for tries in tiers:
        found = [one for one in _distinct(tries) if bench.agrees(_change(bench, one))]
        if found:
            return _told(bench, found)
    return None


def _lacking(both: dict[Side, list[Slot]]) -> dict[Side, list[Slot]]:
    """Return the numbers of each side that the other has not."""
    return {
        side: [s for s in both[side] if not _stands(s.value, both[_other(side)])] for side in SIDES
    }


def _standing(both: dict[Side, list[Slot]]) -> Iterator[Iterator[_Try]]:
    """Yield what is tried, the likeliest first: of each tier all, so that two answers are noticed."""
    lacking = _lacking(both)
    for side in SIDES:
        yield _swaps(lacking[side], lacking[_other(side)])
    for side in SIDES:
        yield _together(both[side], lacking[_other(side)] or both[_other(side)])
    for side in SIDES:
        yield _swaps(both[side], both[_other(side)], derived=True)


def _other(side: Side) -> Side:
    return "a" if side == "b" else "b"


def _stands(value: float, among: Iterable[Slot]) -> bool:
    return any(_equal(value, one.value) for one in among)


def _equal(x: float, y: float) -> bool:
    return x == y or math.isclose(x, y, rel_tol=10.0**-_MOST_DIGITS)


def _swaps(slots: Sequence[Slot], others: Sequence[Slot], derived: bool = False) -> Iterator[_Try]:
    for slot in slots:
        for other in others:
            for value in _derived(other.value) if derived else (other.value,):
                if not _equal(slot.value, value):
                    yield _Try((slot,), (value,), other)


def _derived(value: float) -> Iterator[float]:
    """Yield how another text may say a number: 1/x, -x, 1 - x, √x, x²."""
    yield value
    if not value or not math.isfinite(value):
        return
    yield from (1 / value, -value, -1 / value, 1 - value)
    if value > 0:
        yield from (math.sqrt(value), 1 / math.sqrt(value), value * value)


def _together(slots: Sequence[Slot], others: Sequence[Slot]) -> Iterator[_Try]:
    """Yield the changes of a number wherever it stands in the region, and of 1 - x with x."""
    for slot in slots:
        same = [one for one in slots if one is not slot and _equal(one.value, slot.value)]
        rest = [one for one in slots if _equal(one.value, 1 - slot.value) and one not in same]
        rest = [one for one in rest if one is not slot]
        for other in others:
            for value in (other.value, 1 - other.value):
                if _equal(slot.value, value):
                    continue
                if same:
                    yield _Try((slot, *same), (value,) * (1 + len(same)), other)
                if rest:
                    values = (value,) * (1 + len(same)) + (1 - value,) * len(rest)
                    yield _Try((slot, *same, *rest), values, other)


def _without(bench: Bench, slots: Sequence[Slot]) -> Iterator[_Try]:
    """Yield the changes after which a number does nothing."""
    for slot in slots:
        value = roles.neutral(bench.recording(slot.side), slot)
        if value is not None and not _equal(slot.value, value):
            yield _Try((slot,), (value,), None)


def _from_sizes(slots: Sequence[Slot], sizes: Sequence[int]) -> Iterator[_Try]:
    """Yield the changes to what is made of the size of an axis: N, 1/N, √N, N - 1."""
    for slot in slots:
        for size in sizes:
            for value in (size, size - 1, math.sqrt(size)):
                for new in (value, 1 / value):
                    if not _equal(slot.value, new):
                        yield _Try((slot,), (new,), None)


def _distinct(tries: Iterator[_Try]) -> Iterator[_Try]:
    seen = set()
    for one in tries:
        key = one.slots, one.values
        if key not in seen:
            seen.add(key)
            yield one


def _change(bench: Bench, one: _Try) -> Change:
    recording = bench.recording(one.side)
    return literals.changed(recording, dict(zip(one.slots, one.values, strict=True)))


def _told(bench: Bench, found: Sequence[_Try]) -> Found | None:
    """Name the number; none if the answers contradict each other."""
    told = [(one, _name(bench, one), _shown(one)) for one in found]
    by_role = [one for one in told if one[1] not in roles.VAGUE]
    chosen = by_role or told
    if len({(name, shown) for _, name, shown in chosen}) > 1:
        same_role = [one for one in chosen if _same_role(bench, one[0])]
        if len({(name, shown) for _, name, shown in same_role}) != 1:
            return None
        chosen = same_role
    one, name, (original, port) = chosen[0]
    slots = [*one.slots, *([one.source] if one.source else [])]
    events: dict[Side, list[int]] = {
        side: [_at(bench, slot) for slot in slots if slot.side == side] for side in SIDES
    }
    for side in SIDES:
        events[side] = events[side] or [bench.trial.result(side)]
    remedy = f"with {original if one.side == 'b' else port} the two agree"
    if not (original and port):
        remedy = "without it the two agree" if 0.0 in one.values or 1.0 in one.values else remedy
    cause = Cause(name, original, port, remedy, bench.places(events["a"], events["b"]))
    return Found(cause, (everywhere(bench, one.slots, one.values),))


def _at(bench: Bench, slot: Slot) -> int:
    """Return the event at whose line a number stands."""
    recording = bench.recording(slot.side)
    users = recording.users[slot.event]
    return users[0] if not slot.path and users else slot.event


def _same_role(bench: Bench, one: _Try) -> bool:
    if one.source is None:
        return False
    of_slot = roles.role(bench.recording(one.side), one.slots[0])
    return of_slot == roles.role(bench.recording(one.source.side), one.source)


def _name(bench: Bench, one: _Try) -> str:
    name = roles.role(bench.recording(one.side), one.slots[0])
    if one.source is not None:
        other = roles.role(bench.recording(one.source.side), one.source)
        recording = bench.recording(one.source.side)
        is_direct = _equal(one.source.value, one.values[0])
        known = (
            one.source.path
            and (
                signatures.short(recording.events[one.source.event]),
                signatures.argument(recording.events[one.source.event], one.source.path),
            )
            in roles.KNOWN
        )
        if known or (name in roles.VAGUE and is_direct and other not in roles.VAGUE):
            return other
    return name


def _shown(one: _Try) -> tuple[str, str]:
    """Return the number on both sides, in the original's and in the port's text."""
    own = written(one.slots[0].value)
    other = written(one.values[0])
    if one.source is None and one.values[0] in (0.0, 1.0):
        other = ""
    return (other, own) if one.side == "b" else (own, other)


def written(value: float) -> str:
    """Return a number in six digits."""
    return f"{value:.6g}"


def everywhere(bench: Bench, slots: Sequence[Slot], values: Sequence[float]) -> Change:
    """Return the change at every call that the same line makes with the same numbers: backward as well.

    If the regions then agree no more, only where it was tried.
    """
    recording = bench.recording(slots[0].side)
    new = dict(zip(slots, values, strict=True))
    sources = {
        (recording.events[slot.event].source, slot.value): value
        for slot, value in new.items()
        if slot.path and recording.events[slot.event].source is not None
    }
    whole = dict(new)
    for event in recording.events:
        if event.index != event.call or event.source is None:
            continue
        for path, value in literals.of(event):
            if isinstance(value, bool | str):
                continue
            slot = Slot(slots[0].side, event.index, path, value)
            key = event.source, value
            if key in sources and slot not in whole and _is_number(recording, slot):
                whole[slot] = sources[key]
    change = literals.changed(recording, whole)
    if len(whole) > len(new) and not bench.agrees(change):
        change = literals.changed(recording, new)
    return change
