"""How an array of one side follows from that of the other: another order, a factor, a term that is missing."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from ...tracing import layouts
from ...tracing.alignment import Side
from ...tracing.bounded import Array, Bounded
from ...tracing.layouts import Layout
from ...tracing.regions import judged
from ..counterfactual import Change
from ..result import Cause
from .bench import ENOUGH, MOVES_ONLY, Bench, Found, Spot

_FEW = 3
"""A term in which nothing is fitted needs so many distinct entries."""

_TIMES = (1.0, -1.0, 2.0, -2.0, 0.5, -0.5)
"""How often a term may be missing: it is left out, subtracted for added, counted twice, ..."""


def find(bench: Bench) -> Found | None:
    """Return how the arrays of the earliest place where the two part follow from one another."""
    for spot in bench.spots:
        if not spot.x.floating or not spot.y.floating or not _finite(spot):
            continue
        for how in (_in_another_order, _with_a_factor, _with_a_term, _times_an_array):
            found = how(bench, spot)
            if found is not None:
                return found
    return None


def _finite(spot: Spot) -> bool:
    return bool(np.isfinite(spot.x.value).all() and np.isfinite(spot.y.value).all())


def _change(spot: Spot, value: Array) -> tuple[Change, ...]:
    return (Change("b", values={spot.b: value}),)


def distinct(x: Bounded) -> int:
    """Return how many entries of an array say something: different sizes, above rounding."""
    size = np.abs(x.value)
    return len(np.unique(size[size > x.error]))


# --- Another order --------------------------------------------------------------------------------


def _in_another_order(bench: Bench, spot: Spot) -> Found | None:
    x, y = np.sort(spot.x.value, axis=None), np.sort(spot.y.value, axis=None)
    error = np.sort((spot.x.error + spot.y.error), axis=None)[-1]
    if not (np.abs(x - y) <= error).all() or distinct(spot.y) < min(ENOUGH, spot.y.size):
        return None
    layout = layouts.find(spot.y.value, spot.x.value, float(error))
    if layout is None or layout.identity:
        return None
    name, port = named(layout, spot)
    cause = Cause(
        name,
        "",
        port,
        "in the original's order the two agree",
        bench.places([spot.a], [spot.b]),
    )
    return Found(cause, _change(spot, layout.apply(spot.y.value)))


def named(layout: Layout, spot: Spot) -> tuple[str, str]:
    """Return what moved, and how the port's must be moved to be the original's."""
    x, y = spot.x.value, spot.y.value
    error = spot.x.error + spot.y.error
    for axis in range(x.ndim):
        for step in range(1, x.shape[axis]):
            if (np.abs(np.roll(y, step, axis) - x) <= error).all():
                last = x.shape[axis] - step
                by = step if step <= last else -last
                if by in (1, -1) and x.shape[axis] > 2:
                    return "positions off by one", f"axis {axis} rolled by {-by}"
                return "the same numbers in another order", f"axis {axis} rolled by {-by}"
    if not layout.explained:
        return (
            "the same numbers in another order",
            "in an order that no permutation of axes explains",
        )
    whole = all(
        index == range(size) for index, size in zip(layout.index, layout.shape, strict=True)
    )
    if not whole:
        reversed_ = any(
            index == range(size - 1, -1, -1)
            for index, size in zip(layout.index, layout.shape, strict=True)
        )
        name = "an axis is reversed" if reversed_ else "the same numbers in another order"
        return name, f"its order, undone by: {layout}"
    if layout.shape == layout.source and layout.target == tuple(
        layout.source[axis] for axis in layout.axes
    ):
        return "axes are exchanged", f"undone by: {layout}"
    return "an axis is split in another order", f"undone by: {layout}"


# --- A factor -------------------------------------------------------------------------------------


def _with_a_factor(bench: Bench, spot: Spot) -> Found | None:
    x, y = spot.x, spot.y
    at = np.unravel_index(int(np.abs(y.value).argmax()), y.shape)
    if not y.value[at] or not x.value[at]:
        return None
    fitted = float(x.value[at] / y.value[at])
    words = None
    for value, told in explained(bench.sizes, bench.counts):
        if math.isclose(value, fitted, rel_tol=_DIGITS) and _is_times(x, y, value):
            fitted, words = value, told
            break
    enough = distinct(y) >= ENOUGH or (words is not None and y.size == 1)
    if fitted == 1 or not enough or (words is None and not _is_times(x, y, fitted)):
        return None
    original = words or repr(fitted)
    if y.size == 1 and words and words.removeprefix("1/").isdigit():
        return _told_reduction(bench, spot, fitted, words)
    name = "a factor" if fitted != -1 else "the sign"
    cause = Cause(
        name,
        f"{original} times the port's",
        "",
        f"with a factor {original}{'' if words is None or _is_plain(words) else f' = {fitted:.6g}'} "
        "the two agree",
        bench.places([spot.a], [spot.b]),
    )
    return Found(cause, _change(spot, fitted * y.value))


def _told_reduction(bench: Bench, spot: Spot, factor: float, words: str) -> Found:
    original, port = f"{words} times the port's", ""
    if int(words.removeprefix("1/")) > 4:
        original, port = ("the mean", "the sum") if factor < 1 else ("the sum", "the mean")
        original += f", {words} of the port's" if factor < 1 else f", {words} times the port's"
    remedy = (
        f"{'divided' if factor < 1 else 'multiplied'} by {words.removeprefix('1/')} the two agree"
    )
    cause = Cause("the reduction", original, port, remedy, bench.places([spot.a], [spot.b]))
    return Found(cause, _change(spot, factor * spot.y.value))


_DIGITS = 1e-12
"""Numbers of the text agree to so many digits."""


def _is_plain(words: str) -> bool:
    return words.lstrip("-").replace(".", "").isdigit()


def _is_times(x: Bounded, y: Bounded, factor: float) -> bool:
    scaled = factor * y.value
    error = x.error + abs(factor) * y.error + 4 * y.precision.eps * np.abs(scaled)
    return judged(x.value, scaled, error).verdict == "agree"


def explained(sizes: Sequence[int], counts: Sequence[int]) -> Iterator[tuple[float, str]]:
    """Yield the numbers that a program has for a reason, and their words.

    Args:
        sizes: of the axes.
        counts: of the entries along some of them.
    """
    for n in (1, 2, 3, 4):
        yield from _powers(n)
    for n in counts:
        yield from _powers(n)
        yield n / (n - 1), f"{n}/{n - 1}"
        yield (n - 1) / n, f"{n - 1}/{n}"
        yield math.sqrt(n / (n - 1)), f"√({n}/{n - 1})"
        yield math.sqrt((n - 1) / n), f"√({n - 1}/{n})"
    for m in sizes:
        for n in sizes:
            if m != n:
                yield m / n, f"{m}/{n}"
                yield math.sqrt(m / n), f"√({m}/{n})"


def _powers(n: int) -> Iterator[tuple[float, str]]:
    for sign, minus in ((1, ""), (-1, "-")):
        yield sign * float(n), f"{minus}{n}"
        yield sign / n, f"{minus}1/{n}"
        yield sign * math.sqrt(n), f"{minus}√{n}"
        yield sign / math.sqrt(n), f"{minus}1/√{n}"


# --- A term, or an array as a factor --------------------------------------------------------------


def _with_a_term(bench: Bench, spot: Spot) -> Found | None:
    missing = spot.x.value - spot.y.value
    own_rounding = 2 * spot.y.precision.eps * (np.abs(spot.x.value) + np.abs(spot.y.value))
    error = spot.x.error + spot.y.error + own_rounding
    for side, event, term in _terms(bench, spot):
        for times in _TIMES:
            scaled = times * term.value
            own = error + abs(times) * term.error
            if distinct(term) >= _FEW and _agree(missing, scaled, own):
                return _told_term(bench, spot, side, event, times)
    return None


def _told_term(bench: Bench, spot: Spot, side: Side, event: int, times: float) -> Found:
    one = bench.recording(side).events[event]
    backward = bench.phase == "backward"
    what = "a gradient" if backward else "a term"
    if one.name:
        what = f"{what}, {one.name}," if backward else f"the term {one.name}"
    original, port, remedy = {
        1.0: ("added", "missing", "with it the two agree"),
        -1.0: ("missing", "added", "without it the two agree"),
        2.0: ("added", "subtracted", "added, the two agree"),
        -2.0: ("subtracted", "added", "subtracted, the two agree"),
        0.5: ("added", "added by half", "with all of it the two agree"),
        -0.5: ("added by half", "added", "with half of it the two agree"),
    }[times]
    events: dict[Side, list[int]] = {"a": [spot.a], "b": [spot.b]}
    events[side].insert(0, event)
    name = f"{what} that does not flow back" if backward and times == 1 else what
    cause = Cause(name, original, port, remedy, bench.places(events["a"], events["b"]))
    return Found(cause, _change(spot, spot.x.value))


def _times_an_array(bench: Bench, spot: Spot) -> Found | None:
    if distinct(spot.y) < ENOUGH:
        return None
    for side, event, factor in _terms(bench, spot):
        if distinct(factor) < _FEW or not factor.value.all():
            continue
        size = np.abs(factor.value)
        own = size * spot.y.error + factor.error * np.abs(spot.y.value) + spot.x.error
        own = own + 4 * spot.y.precision.eps * np.abs(spot.x.value)
        multiplied = _agree(spot.x.value, spot.y.value * factor.value, own)
        own = size * spot.x.error + factor.error * np.abs(spot.x.value) + spot.y.error
        own = own + 4 * spot.y.precision.eps * np.abs(spot.y.value)
        divided = _agree(spot.x.value * factor.value, spot.y.value, own)
        if multiplied or divided:
            one = bench.recording(side).events[event]
            events: dict[Side, list[int]] = {"a": [spot.a], "b": [spot.b]}
            events[side].insert(0, event)
            cause = Cause(
                f"the factor {one.name}" if one.name else "a factor, an array",
                "multiplied by it" if multiplied else "not multiplied by it",
                "not multiplied by it" if multiplied else "multiplied by it",
                f"{'with' if multiplied else 'without'} it the two agree",
                bench.places(events["a"], events["b"]),
            )
            return Found(cause, _change(spot, spot.x.value))
    return None


def _agree(x: Array, y: Array, error: Array) -> bool:
    """Whether two arrays agree; where the difference is mostly 0, that says little."""
    if judged(x, y, error).verdict != "agree":
        return False
    says = np.abs(y) > error
    return bool(says.any() and len(np.unique(np.abs(y[says]))) >= _FEW)


def _terms(bench: Bench, spot: Spot) -> Iterator[tuple[Side, int, Bounded]]:
    """Yield the arrays of both regions that are not made of the place's, as they are added to the second's."""
    target = spot.y.shape
    for side, at in (("a", spot.a), ("b", spot.b)):
        recording = bench.recording("a" if side == "a" else "b")
        made = {at}
        for event in recording.events[at + 1 :]:
            if not made.isdisjoint(event.inputs):
                made.add(event.index)
        for event_, value in _by_size(bench.values("a" if side == "a" else "b")):
            if event_ in made or not value.floating or value.size < _FEW:
                continue
            if recording.events[event_].operation in MOVES_ONLY:
                source = recording.events[event_].inputs
                if source and source[0] in bench.values("a" if side == "a" else "b"):
                    continue
            for laid_out in _laid_out(bench, "a" if side == "a" else "b", value, target):
                yield ("a" if side == "a" else "b"), event_, laid_out


def _by_size(values: object) -> list[tuple[int, Bounded]]:
    """Return the arrays, the smaller ones first: what is broadcast is no coincidence either."""
    assert isinstance(values, dict)
    return sorted(values.items(), key=lambda item: (item[1].size, item[0]))


def _laid_out(
    bench: Bench, side: Side, value: Bounded, target: tuple[int, ...]
) -> Iterator[Bounded]:
    """Yield an array as it could be added to the second's result."""
    pair = bench.region.pair
    seen: set[bytes] = set()
    for new in _shapes(value, side, pair.layout, target):
        key = new.value.tobytes()
        if key not in seen:
            seen.add(key)
            yield new


def _shapes(
    value: Bounded, side: Side, layout: Layout, target: tuple[int, ...]
) -> Iterator[Bounded]:
    def put(values: NDArray[np.float64], errors: NDArray[np.float64]) -> Bounded:
        return Bounded(values, errors, value.precision)

    if side == "a" and layout.source != layout.target and value.shape == layout.source:
        yield put(layout.apply(value.value), layout.apply(value.error))
    if value.size == math.prod(target):
        yield put(value.value.reshape(target), value.error.reshape(target))
        for axes in ((0, 2, 1, 3), (0, 2, 3, 1), (0, 3, 1, 2), (0, 2, 1), (1, 0)):
            if len(axes) == value.ndim and tuple(value.shape[i] for i in axes) == target:
                yield put(value.value.transpose(axes), value.error.transpose(axes))
        return
    for axis in range(len(target)) if value.ndim == 1 else ():
        if target[axis] == value.size:
            shape = [1] * len(target)
            shape[axis] = value.size
            yield put(
                np.broadcast_to(value.value.reshape(shape), target),
                np.broadcast_to(value.error.reshape(shape), target),
            )
    if value.ndim > 1:
        try:
            yield put(np.broadcast_to(value.value, target), np.broadcast_to(value.error, target))
        except ValueError:
            return
