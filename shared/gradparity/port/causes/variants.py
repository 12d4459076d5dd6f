"""Another function in the place of one: GELU by tanh for GELU by erf, an unbiased variance for a biased one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ...tracing.alignment import Side
from ...tracing.bounded import Bounded
from ...tracing.regions import judged
from ..counterfactual import Change
from ..result import Cause
from . import formulas
from .bench import ENOUGH, SIDES, Bench, Found
from .formulas import Formula

_LARGEST = 1 << 16
"""Larger arrays are not looked into: their formulas would take too long."""

_MOST_AXES = 5


@dataclass(frozen=True)
class _Known:
    """An array of a region that is a function of another.

    Attributes:
        event: which it is.
        of: the event of its argument.
        formula: the function.
        others: what it could be instead.
    """

    side: Side
    event: int
    of: int
    formula: Formula
    others: tuple[Formula, ...]


def find(bench: Bench) -> Found | None:
    """Return the function that the other side has in another variant."""
    for side in SIDES:
        found: list[tuple[_Known, Formula]] = []
        for known in _known(bench, side):
            x = bench.values(side)[known.of]
            shape = bench.values(side)[known.event].shape
            for formula in known.others:
                y = _fitting(formula, x, shape)
                if y is not None and bench.agrees_with(side, {known.event: y}):
                    found.append((known, formula))
            if found:
                return _told(bench, found)
    return None


def _told(bench: Bench, found: Sequence[tuple[_Known, Formula]]) -> Found | None:
    known, right = found[0]
    if len({str(formula) for _, formula in found}) > 1:
        same = [one for _, one in found if one.family == known.formula.family]
        if len({str(one) for one in same}) != 1:
            return None
        right = same[0]
    wrong = known.formula
    if right.family == wrong.family:
        name, own, other = right.family, wrong.name, right.name
    else:
        name, own, other = _what(wrong, right), str(wrong), str(right)
    original, port = (other, own) if known.side == "b" else (own, other)
    where = {known.side: [known.event]}
    rest: Side = "a" if known.side == "b" else "b"
    where[rest] = [bench.trial.result(rest)]
    remedy = f"with {other if right.family != wrong.family else str(right)} the two agree"
    cause = Cause(name, original, port, remedy, bench.places(where["a"], where["b"]))
    y = right.apply(bench.values(known.side)[known.of])
    value = y.value.reshape(bench.values(known.side)[known.event].shape)
    return Found(cause, (Change(known.side, values={known.event: value}),))


def _what(wrong: Formula, right: Formula) -> str:
    activations = {one.family for one in formulas.POINTWISE}
    if wrong.family in activations and right.family in activations:
        return "the activation"
    return "the statistic"


def _known(bench: Bench, side: Side) -> Iterator[_Known]:
    """Yield the arrays of a region that are a known function of another, the last ones first."""
    values = bench.values(side)
    own = set(bench.trial.events(side))
    for event in reversed(bench.trial.events(side)):
        y = values.get(event)
        if y is None or not y.floating or not 0 < y.size <= _LARGEST:
            continue
        for of in _arguments(bench, side, event, own):
            x = values.get(of)
            if x is not None and x.floating and x.size <= _LARGEST and x.ndim <= _MOST_AXES:
                yield from _told_by(side, event, of, x, y)


def _arguments(bench: Bench, side: Side, event: int, own: set[int]) -> list[int]:
    """Return the events of which an array may be a function: those above it, in the region, the nearest first."""
    events, found, left = bench.recording(side).events, [], [event]
    while left and len(found) < _ABOVE:
        one = left.pop(0)
        if one in own:
            new = [i for i in events[one].inputs if i not in found]
            found += new
            left += new
    return found


_ABOVE = 12
"""How many arrays above one are looked at."""


def _told_by(side: Side, event: int, of: int, x: Bounded, y: Bounded) -> Iterator[_Known]:
    if x.size == y.size:
        same_shape = [*formulas.POINTWISE[1:], *(formulas.along(x.ndim) if x.ndim else ())]
        for formula in same_shape:
            if _is(formula, x, y):
                others = [one for one in same_shape if one is not formula]
                if formula in formulas.POINTWISE:
                    others = [formulas.POINTWISE[0], *others]
                yield _Known(side, event, of, formula, tuple(others))
                return
    elif y.size < x.size:
        moments = list(formulas.moments(x.ndim))
        for formula in moments:
            if _is(formula, x, y):
                others = tuple(one for one in moments if one is not formula)
                yield _Known(side, event, of, formula, others)
                return


def _is(formula: Formula, x: Bounded, y: Bounded) -> bool:
    """Whether an array is a function of another, by enough entries."""
    found = _fitting(formula, x, y.shape)
    if found is None:
        return False
    error = found.error + y.error
    distance = judged(found.value, y.value, error)
    informative = np.unique(np.abs(y.value)[(np.abs(y.value) > error)])
    enough = min(ENOUGH, y.size) if y.size < x.size else ENOUGH
    return (
        distance.verdict == "agree"
        and len(informative) >= enough
        and bool(np.isfinite(error).all())
    )


def _fitting(formula: Formula, x: Bounded, shape: tuple[int, ...]) -> Bounded | None:
    try:
        found = formula.apply(x)
    except (ValueError, IndexError, TypeError):
        return None
    if found.size != np.prod(shape, dtype=int):
        return None
    return found.reshape(shape)
