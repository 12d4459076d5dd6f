"""What a result says, in phrases that the terminal and the page share."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from rich.cells import cell_len

from ..blame import printable
from .result import Cause, Conversion, Difference, Island, Judged, Mode, Place, Precision, Result

T = TypeVar("T")

TOGETHER = "\N{NO-BREAK SPACE}"
"""It holds a shape or a name together where a line is broken; `cleaned` leaves none in other people's texts."""

PARTS = {"forward": "forward pass", "backward": "backward pass", "update": "update"}

_CLAUSE = {"is", "are", "in", "off"}
"""One of these words is in a name that says by itself what is wrong: `parts of an array in another order`."""

_HELD = 40
"""Columns."""

GRADIENT, _UPDATED = "gradient ", "updated "

_KINDS = {
    "output": "outputs",
    "loss": "losses",
    "gradient": "gradients",
    "updated parameter": "updated parameters",
    "updated buffer or state": "updated buffers and states",
}
"""What is judged, in the order in which it is told, and the words for several."""


def cleaned(value: T) -> T:
    """Return a result with every text in one line that a terminal can take; names of files stay as they are."""
    return _cleaned(value)


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return printable(value)
    if is_dataclass(value) and not isinstance(value, type):
        names = [one.name for one in fields(value) if one.name != "file"]
        return replace(value, **{name: _cleaned(getattr(value, name)) for name in names})
    if isinstance(value, Mapping):
        return {_cleaned(key): _cleaned(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return tuple(map(_cleaned, value))
    return value


def together(text: str) -> str:
    """Return a name or a shape as a word that is not broken, if it is short."""
    return text.replace(" ", TOGETHER) if cell_len(text) <= _HELD else text


def several(count: int, one: str, more: str = "") -> str:
    """Return a count with its noun: `1 place`, `1,920 places`."""
    return f"{count:,} {one if count == 1 else more or f'{one}s'}"


def listed(parts: Sequence[str]) -> str:
    """Join parts as a sentence does: `a, b and c`."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


# --- Modes ----------------------------------------------------------------------------------------


def gathered(
    result: Result,
    pick: Callable[[Mode], Iterable[T]],
    key: Callable[[T], Hashable] = lambda one: one,
) -> list[tuple[T, str]]:
    """Return what the modes have, each once, and in which mode it is: ` in train mode`; empty if in all of them."""
    found: dict[Hashable, tuple[T, list[str]]] = {}
    for mode in result.modes:
        for one in pick(mode):
            names = found.setdefault(key(one), (one, []))[1]
            if mode.name not in names:
                names.append(mode.name)
    return [
        (one, "" if len(names) == len(result.modes) else in_modes(names))
        for one, names in found.values()
    ]


def told(found: Iterable[tuple[str, str]]) -> list[str]:
    """Return sentences, each with its mode in front: `in train mode: …`."""
    return [f"{mode.strip()}: {one}" if mode else one for one, mode in found]


def in_modes(names: Sequence[str]) -> str:
    """Return ` in eval and train mode`; empty for models without modes."""
    known = [together(name) for name in names if name]
    return f" in {listed(known)} mode" if known else ""


def differences(result: Result) -> list[tuple[Difference, str]]:
    """Return the differences of all modes. One that has the same lines and the same cause in two modes is one."""

    def key(one: Difference) -> Hashable:
        return one.part, one.what, _at(one.original), _at(one.port), one.cause

    return gathered(result, lambda mode: mode.differences, key)


def conversions(result: Result) -> list[tuple[Conversion, str]]:
    """Return the wrong conversions of all modes."""
    return gathered(result, lambda mode: mode.conversions)


def islands(result: Result) -> list[tuple[Island, str]]:
    """Return the islands of all modes; how far one moves the outputs is told for the first mode that has it."""
    return gathered(
        result, lambda mode: mode.islands, lambda one: (one.side, _at(one.places), one.format)
    )


def notes(result: Result) -> list[tuple[str, str]]:
    """Return the notes of all modes, why something was not judged, and then those of the result."""
    of_modes = list(gathered(result, lambda mode: mode.notes))
    told = {note for note, _ in of_modes}
    return of_modes + [(note, "") for note in result.notes if note not in told]


def _at(places: Iterable[Place]) -> Hashable:
    return tuple((one.file, one.line) for one in places)


# --- Places and numbers ---------------------------------------------------------------------------


def known(places: Iterable[Place]) -> list[Place]:
    """Return the places whose line is known."""
    return [one for one in places if one.file and one.line]


def where(place: Place) -> str:
    """Return `port.py:18`."""
    return f"{_name(place.file)}:{place.line}"


def _name(file: str) -> str:
    return together(printable(Path(file).name))


def number(value: float) -> str:
    """Return an estimate or a share, with the digits that it has: `1.2e+09`, `124`, `0.31`."""
    if value == math.inf:
        return "∞"
    return f"{value:,.0f}" if 10 <= abs(value) < 1e6 else f"{value:.2g}"


def both(values: tuple[float, float]) -> tuple[str, str]:
    """Return two numbers with as many digits as show how they differ."""
    for digits in range(4, 18):
        one, other = (f"{value:.{digits}g}" for value in values)
        if one != other:
            break
    digits = min(digits + 2, 17)
    return f"{values[0]:.{digits}g}", f"{values[1]:.{digits}g}"


def shape(axes: Sequence[int]) -> str:
    """Return `(3, 10, 64)`; `a number` for an array without axes."""
    return together(str(tuple(axes))) if axes else f"a{TOGETHER}number"


def index(at: Sequence[int]) -> str:
    """Return `[2, 3, 1]`; empty for an array without axes."""
    return together(str(list(at))) if at else ""


def beyond(difference: Difference) -> str:
    """Say how many entries differ, and how far: `1,912 of 1,920 entries, at most 1.2e+09 times as far as …`."""
    total = several(difference.size, "entry", "entries")
    if difference.share == math.inf:
        return f"{difference.entries:,} of {total}; no rounding explains it"
    share = number(difference.share)
    return f"{difference.entries:,} of {total}, at most {share} times what rounding can do"


def lines_of(places: Iterable[Place]) -> str:
    """Return all lines of one file in one phrase: `port.py:18, 31`; an empty text where no line is known."""
    found: dict[str, list[int]] = {}
    for place in known(places):
        numbers = found.setdefault(place.file, [])
        if place.line not in numbers:
            numbers.append(place.line)
    return ", ".join(
        f"{_name(file)}:{', '.join(map(str, sorted(numbers)))}" for file, numbers in found.items()
    )


# --- Causes, islands, conversions -----------------------------------------------------------------


def contrast(cause: Cause) -> str:
    """Say what differs, as a clause: `LayerNorm's ε is 1e-05 in the original and 1e-06 in the port`.

    A name that is a clause by itself, such as `axes are exchanged`, takes what the sides have behind a colon.
    """
    sides = [
        (together(value), side)
        for value, side in ((cause.original, "original"), (cause.port, "port"))
        if value
    ]
    if not sides:
        return cause.name
    if len(sides) == 1:
        return f"{cause.name}: in the {sides[0][1]} {sides[0][0]}"
    told = [f"{value} in the {side}" for value, side in sides]
    if _CLAUSE.isdisjoint(cause.name.split()):
        return f"{cause.name} is {listed(told)}"
    return f"{cause.name}: {', '.join(told)}"


def where_caused(difference: Difference) -> str:
    """Return the lines of a cause, each side's by name; empty where none is known."""
    places = difference.cause.places if difference.cause else ()
    sides = [
        (side, lines_of(one for one in places if one.side == side)) for side in ("original", "port")
    ]
    return "; ".join(f"{side}: {lines}" for side, lines in sides if lines)


def islet(island: Island) -> str:
    """Return `a float32 island at port.py:31 (port)`."""
    places = known(island.places)
    at = f" at {where(places[0])} ({island.side})" if places else f" in the {island.side}"
    return f"a {together(island.format)} island{at}"


def moved(island: Island) -> str:
    """Say how far an island moves the outputs; empty if that was not measured."""
    if island.difference is None:
        return ""
    return f"it moves the outputs by {number(island.difference)} of their largest entry"


def converted(found: Sequence[Conversion]) -> str:
    """Count wrong conversions, by kind: `2 parameters are not loaded; out.kernel is transposed`."""
    names: dict[str, list[str]] = {}
    for one in found:
        longer = one.original if len(one.original) > len(one.port) else one.port
        names.setdefault(one.kind, []).extend(longer)
    return "; ".join(_kind(kind, those) for kind, those in names.items())


def _kind(kind: str, names: Sequence[str]) -> str:
    which = together(names[0]) if len(names) == 1 else several(len(names), "parameter")
    if kind.partition(" ")[0].endswith(("s", ",")):  # a clause: gates in another order
        return f"{kind} ({which})"
    return f"{which} {'is' if len(names) == 1 else 'are'} {kind}"


# --- What was judged ------------------------------------------------------------------------------


def kinds(mode: Mode) -> dict[str, list[Judged]]:
    """Sort what was judged: outputs, loss, gradients, updated parameters, and the rest that an update leaves."""
    found: dict[str, list[Judged]] = {kind: [] for kind in _KINDS}
    names = {one.name.removeprefix(GRADIENT) for one in mode.judged if _is_gradient(one)}
    for one in mode.judged:
        if one.name == "loss":
            kind = "loss"
        elif _is_gradient(one):
            kind = "gradient"
        elif one.name.startswith(_UPDATED):
            parameter = one.name.removeprefix(_UPDATED) in names
            kind = "updated parameter" if parameter else "updated buffer or state"
        else:
            kind = "output"
        found[kind].append(one)
    return {kind: judged for kind, judged in found.items() if judged}


def _is_gradient(one: Judged) -> bool:
    return one.name.startswith(GRADIENT)


def counted(kind: str, count: int) -> str:
    """Return `24 gradients`; `output` or `loss` where there is one."""
    return kind if count == 1 and kind in ("output", "loss") else several(count, kind, _KINDS[kind])


def equal(one: Judged) -> bool:
    """Whether it was found equal: what is 0 as far as rounding goes proves nothing."""
    return one.verdict == "agree" and one.informative


def zero(one: Judged) -> bool:
    """Whether it is 0 on both sides, as far as rounding goes."""
    return one.verdict == "agree" and not one.informative


def summary(mode: Mode) -> Iterator[str]:
    """Yield a line for each kind: `gradients: 21 of 24 equal; 3 are 0 as far as rounding goes`."""
    for kind, judged in kinds(mode).items():
        same, nothing = sum(map(equal, judged)), sum(map(zero, judged))
        noun = kind if len(judged) == 1 else _KINDS[kind]
        zeros = f"; {nothing:,} {'is' if nothing == 1 else 'are'} 0 as far as rounding goes"
        yield f"{noun}: {same:,} of {len(judged):,} equal{zeros if nothing else ''}"


def largest_share(result: Result) -> float | None:
    """Return the largest share of rounding on the way to what is equal; None if nothing is."""
    shares = [one.share for mode in result.modes for one in mode.judged if equal(one)]
    return max(shares, default=None)


def not_equal(result: Result) -> list[tuple[Judged, str]]:
    """Return what is not equal in a mode, with the mode."""
    return gathered(
        result,
        lambda mode: (one for one in mode.judged if one.verdict != "agree"),
        lambda one: (one.name, one.verdict, one.why),
    )


def uninformative(result: Result) -> list[tuple[Judged, str]]:
    """Return what is 0 as far as rounding goes, with the mode."""
    return gathered(result, lambda mode: filter(zero, mode.judged), lambda one: one.name)


# --- Precision ------------------------------------------------------------------------------------


def formats(precision: Precision) -> str:
    """Return the format in which both run, `float32`; or each side's."""
    if len(set(precision.formats.values())) == 1:
        return next(iter(precision.formats.values()))
    return listed([f"{name} in the {side}" for side, name in precision.formats.items()])


def precision(result: Result) -> list[tuple[str, str]]:
    """Return sentences on what each side does in the format in which it runs, with their mode."""
    found = gathered(result, _precision)
    measured = any(one.precision and one.precision.difference is not None for one in result.modes)
    if measured and result.verdict == "agree":
        found.append(("that is rounding, no mistake", ""))
    return found


def _precision(mode: Mode) -> Iterator[str]:
    precision = mode.precision
    if precision is None:
        return
    if precision.formats:
        yield f"parameters as they came: {formats(precision)}"
    for setting in precision.settings:
        yield f"this lowers a format: {setting}"
    apart = [
        f"the {what} by up to {number(value)} of their largest entry"
        for what, value in (("outputs", precision.difference), ("gradients", precision.gradient))
        if value is not None
    ]
    if apart:
        yield f"run as they came, the two differ: {listed(apart)}"
    if precision.because is not None:
        place = known([precision.because])
        at = f"at {where(place[0])} " if place else ""
        yield (
            f"rounding grows most {at}({precision.because.side}), by a factor of "
            f"{number(precision.growth)}: {precision.because.text}"
        )


def expected(result: Result) -> str:
    """Return `in float32 expect differences up to 3e-06`; empty if that was not measured."""
    measured = [
        (mode.precision.difference, mode.precision)
        for mode in result.modes
        if mode.precision and mode.precision.difference is not None and mode.precision.formats
    ]
    if not measured:
        return ""
    worst, precision = max(measured, key=lambda one: one[0])
    return f"in {formats(precision)} expect differences up to {number(worst)}"
