"""The same operations in another sequence: a gate that multiplies before the bias is added, or after."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from ...tracing.alignment import Side
from ...tracing.bounded import Bounded
from ...tracing.recording import Event
from ...tracing.rules import NoRuleError, as_recorded, evaluate
from ..counterfactual import Change
from ..result import Cause
from . import signatures
from .bench import MOVES_ONLY, SIDES, Bench, Found

_LONGEST = 4
"""Past so many operations one is moved, itself included."""


def find(bench: Bench) -> Found | None:
    """Return the operation that comes earlier or later on the other side."""
    for side in SIDES:
        for chain in _chains(bench, side):
            for order in ((*chain[1:], chain[0]), (chain[-1], *chain[:-1])):
                y = _run(bench, side, chain, order)
                if y is not None and bench.agrees_with(side, {chain[-1]: y}):
                    return _told(bench, side, chain, order, y)
    return None


def _told(
    bench: Bench, side: Side, chain: Sequence[int], order: Sequence[int], y: Bounded
) -> Found:
    events = bench.recording(side).events

    def words(of: Sequence[int]) -> str:
        return ", then ".join(
            signatures.short(events[event])
            for event in of
            if events[event].operation not in MOVES_ONLY
        )

    own, right = words(chain), words(order)
    original, port = (right, own) if side == "b" else (own, right)
    other: Side = "a" if side == "b" else "b"
    cause = Cause(
        "operations in another sequence",
        original,
        port,
        f"with {right} the two agree",
        bench.at(side, chain, [bench.trial.result(other)]),
    )
    return Found(cause, (Change(side, values={chain[-1]: y.value}),))


def _chains(bench: Bench, side: Side) -> Iterator[tuple[int, ...]]:
    """Yield operations of a region of which each takes the result of the one before, and keeps its shape."""
    events = bench.recording(side).events
    inner = bench.trial.events(side)
    for last in reversed(inner):
        ways: list[tuple[int, ...]] = [(last,)]
        while ways:
            chain = ways.pop()
            if len(chain) > 1:
                yield chain
            if len(chain) == _LONGEST:
                continue
            for above in events[chain[0]].inputs:
                if above in inner and _keeps(events[above], events[last]):
                    ways.append((above, *chain))


def _keeps(above: Event, below: Event) -> bool:
    return (
        above.value.shape == below.value.shape
        and above.value.dtype.kind == "f"
        and above.index == above.call
    )


def _run(bench: Bench, side: Side, chain: Sequence[int], order: Sequence[int]) -> Bounded | None:
    """Evaluate the operations of a chain in another order, each with its own other operands."""
    recording = bench.recording(side)
    before = {event: above for above, event in pairwise(chain)}
    starts = [
        i
        for i in recording.events[chain[0]].inputs
        if recording.events[i].value.shape == recording.events[chain[0]].value.shape
        and recording.events[i].value.dtype.kind == "f"
    ]
    if not starts:
        return None
    y: Bounded = _value(bench, side, starts[0])
    for event in order:
        taken = before.get(event, starts[0])
        own = y

        def operand(i: int, taken: int = taken, own: Bounded = own) -> Bounded:
            return own if i == taken else _value(bench, side, i)

        try:
            y = evaluate(recording, event, operand)[0]
        except NoRuleError:
            return None
    return y


def _value(bench: Bench, side: Side, event: int) -> Bounded:
    known = bench.values(side).get(event)
    return as_recorded(bench.recording(side).events[event].value) if known is None else known
