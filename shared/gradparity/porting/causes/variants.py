"""Another function in the place of one: GELU by tanh for GELU by erf, an unbiased variance for a biased one."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ...tracing.alignment import Side
from ...tracing.bounded import Array, Bounded, exact
from ...tracing.regions import judged
from ..counterfactual import Change
from ..result import Cause
from . import formulas
from .bench import ENOUGH, MOVES_ONLY, SIDES, Bench, Found
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


def _told(bench: Bench, found: Sequence[tuple[_Known, Formula]]) -> Found:
    """Name the function. Those with which the regions agree are equal for these numbers: the nearest is taken."""
    known = found[0][0]
    wrong = known.formula
    right = next((one for _, one in found if one.family == wrong.family), found[0][1])
    if right.family == "leaky ReLU" == wrong.family:
        name, own, other = "leaky ReLU's slope", wrong.name.split()[-1], right.name.split()[-1]
    elif right.family == wrong.family:
        name, own, other = right.family, wrong.name, right.name
    else:
        name, own, other = _what(wrong, right), str(wrong), str(right)
    original, port = (other, own) if known.side == "b" else (own, other)
    where = {known.side: [known.event]}
    rest: Side = "a" if known.side == "b" else "b"
    where[rest] = [bench.trial.result(rest)]
    cause = Cause(
        name, original, port, f"with {right} the two agree", bench.places(where["a"], where["b"])
    )
    y = right.apply(bench.values(known.side)[known.of])
    value = y.value.reshape(bench.values(known.side)[known.event].shape)
    return Found(cause, (Change(known.side, values={known.event: value}),))


def _what(wrong: Formula, right: Formula) -> str:
    if {wrong.family, right.family} <= formulas.ACTIVATIONS:
        return "the activation"
    if {wrong, right} <= set(formulas.POINTWISE):
        return "the function"
    return "the statistic"


def _known(bench: Bench, side: Side) -> Iterator[_Known]:
    """Yield the arrays of a region that are a known function of another, the last ones first."""
    values, events = bench.values(side), bench.recording(side).events
    own = set(bench.trial.events(side))
    of = {
        i: x
        for i, x in values.items()
        if x.floating and 1 < x.size <= _LARGEST and x.ndim <= _MOST_AXES
    }
    guesses = _Guesses(of)
    for event in reversed(bench.trial.events(side)):
        y = of.get(event)
        if y is None or events[event].operation in MOVES_ONLY:
            continue
        for i in _arguments(bench, side, event, own):
            if i in of and (i not in own or events[i].operation not in MOVES_ONLY):
                for formula, others in guesses.of(i, y):
                    if _is(formula, of[i], y):
                        yield _Known(side, event, i, formula, others)


class _Guesses:
    """Which functions an array may be of another, by a few of its entries, or in plain numbers."""

    def __init__(self, arrays: Mapping[int, Bounded]) -> None:
        self._arrays = arrays
        self._at = {
            i: np.linspace(0, x.size - 1, _PROBES).astype(np.intp) for i, x in arrays.items()
        }
        self._column = {i: n for n, i in enumerate(arrays)}
        self._moments: dict[int, list[tuple[Formula, Array]]] = {}

    @cached_property
    def _pointwise(self) -> list[tuple[Formula, Array]]:
        if not self._arrays:
            return []
        rows = np.stack([x.value.ravel()[self._at[i]] for i, x in self._arrays.items()])
        probes = exact(rows, next(iter(self._arrays.values())).precision)
        return [(one, one.apply(probes).value) for one in formulas.POINTWISE]

    def of(self, argument: int, y: Bounded) -> Iterator[tuple[Formula, tuple[Formula, ...]]]:
        """Yield the functions, and for each what it could be instead."""
        x = self._arrays[argument]
        if x.size == y.size and not _near(x.value.ravel(), y.value.ravel()):
            some = y.value.ravel()[self._at[argument]]
            for formula, made in self._pointwise[1:]:
                if _near(made[self._column[argument]], some):
                    yield formula, tuple(one for one in formulas.POINTWISE if one is not formula)
            along = list(formulas.along(x.ndim))
            for formula, made in _numbers(along, x.value):
                if _near(made.ravel(), y.value.ravel()):
                    yield formula, tuple(one for one in along if one is not formula)
        if y.size < x.size:
            if argument not in self._moments:
                self._moments[argument] = _numbers(formulas.moments(x.ndim), x.value)
            known = self._moments[argument]
            for formula, made in known:
                if made.size == y.size and _near(made.ravel(), y.value.ravel()):
                    others = tuple(
                        one for one, of in known if one is not formula and of.size == y.size
                    )
                    yield formula, others


_FEW = 3
"""A moment needs so many distinct entries: nothing in it is fitted, and each entry is made of many."""


def _numbers(of: Iterable[Formula], x: Array) -> list[tuple[Formula, Array]]:
    """Return formulas with what they are of a plain array, nearly."""
    with np.errstate(all="ignore"):
        return [(one, one.number(x)) for one in of if one.number]


_PROBES = 16
"""Entries by which a function is refused."""


def _near(x: Array, y: Array) -> bool:
    """Whether numbers agree in half their digits: a first look."""
    scale = float(np.abs(y).max(initial=0.0))
    with np.errstate(invalid="ignore"):
        return bool((np.abs(x - y) <= scale * math.sqrt(np.finfo(np.float64).eps)).all())


def _arguments(bench: Bench, side: Side, event: int, own: set[int]) -> list[int]:
    """Return the events of which an array may be a function: those above it, in the region, the nearest first."""
    events, left = bench.recording(side).events, [event]
    found: list[int] = []
    while left and len(found) < _ABOVE:
        one = left.pop(0)
        if one in own:
            new = [i for i in events[one].inputs if i not in found]
            found += new
            left += new
    return found


_ABOVE = 16
"""How many arrays above one are looked at."""


def _is(formula: Formula, x: Bounded, y: Bounded) -> bool:
    """Whether an array is a function of another, by enough entries."""
    found = _fitting(formula, x, y.shape)
    if found is None:
        return False
    error = found.error + y.error
    distance = judged(found.value, y.value, error)
    informative = np.unique(np.abs(y.value)[(np.abs(y.value) > error)])
    enough = min(_FEW, y.size) if y.size < x.size else ENOUGH
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
