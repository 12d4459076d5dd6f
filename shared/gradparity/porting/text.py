"""A result in words: the verdict in one line, and the whole report for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from rich.cells import cell_len

from . import words
from .result import Difference, Judged, Place, Result
from .words import TOGETHER, several, together

WIDTH = 80
"""Columns of the terminal; a line is longer only if one of its words is."""

_NAMED = 10
"""Of what was not reached, so many are named; the rest is counted."""

_LINES = 5
"""Of the lines of a region, so many are shown; the rest is counted."""


def headline(result: Result) -> str:
    """Return the verdict in one line.

    What has to be mended first comes first: wrong conversions, then the first difference, then what was not judged.
    """
    tell = {"agree": _agree, "disagree": _disagree, "abstain": _abstain}[result.verdict]
    return tell(words.cleaned(result)).replace(TOGETHER, " ")


def _agree(result: Result) -> str:
    islands = [island for island, _ in words.islands(result)]
    if islands:
        more = len(islands) - 1
        others = f", and {several(more, 'more island')}" if more else ""
        return f"agree, with {words.islet(islands[0])}{others}"
    same: dict[str, set[str]] = {}
    zero: set[str] = set()
    for mode in result.modes:
        for kind, judged in words.kinds(mode).items():
            same.setdefault(kind, set()).update(one.name for one in judged if words.equal(one))
            zero.update(one.name for one in judged if words.zero(one))
    zero.difference_update(*same.values())
    counts = [words.counted(kind, len(names)) for kind, names in same.items() if names]
    verb = "is" if sum(map(len, same.values())) == 1 else "are"
    zeros = f" ({several(len(zero), 'more is', 'more are')} 0 on both sides)" if zero else ""
    expected = words.expected(result)
    rounding = f"; {expected}" if expected else ""
    return f"agree: {words.listed(counts)} {verb} equal to within rounding{zeros}{rounding}"


def _disagree(result: Result) -> str:
    conversions, differences = words.conversions(result), words.differences(result)
    if conversions:
        more = f"; and {several(len(differences), 'difference')}" if differences else ""
        return f"disagree: {words.converted([one for one, _ in conversions])}{more}"
    if differences:
        (first, where), *others = differences
        more = f"; and {several(len(others), 'more difference')}" if others else ""
        return f"{_first(first, where)}{more}"
    (judged, where), *_ = [*words.not_equal(result), (None, "")]
    if judged is None:
        return "disagree"
    return f"disagree{where}: {judged.name}{f': {judged.why}' if judged.why else ''}"


def _first(difference: Difference, where: str) -> str:
    """Return the verdict on the first difference."""
    cause = difference.cause
    lines = words.known(difference.port) or words.known(difference.original)
    if cause is not None:
        own = words.known(cause.places)
        lines = [one for one in own if one.side == "port"] or own or lines
        at = ", ".join([words.where(one) for one in lines[:1]] + _times(difference))
        return f"disagree{where}: {words.contrast(cause)}{f' ({at})' if at else ''}"
    if lines:
        side = "" if lines[0].side == "port" else " (original)"
        what = f", {difference.what}" if difference.what else ""
        return f"disagree{where} at {words.where(lines[0])}{side}{what}: cause unknown"
    what = difference.what or f"the {words.PARTS[difference.part]}"
    return f"disagree{where} in {what}: cause unknown"


def _times(difference: Difference) -> list[str]:
    return [f"at {several(difference.times, 'place')}"] if difference.times > 1 else []


def _abstain(result: Result) -> str:
    reasons = [
        (one.why, where)
        for one, where in words.not_equal(result)
        if one.verdict == "abstain" and one.why
    ]
    reason, where = next(iter([*reasons, *words.notes(result)]), ("nothing was judged", ""))
    return f"abstain{where}: {reason}"


# --- The report -----------------------------------------------------------------------------------


def lines(result: Result) -> Iterator[str]:
    """Yield the lines of the report; none is longer than `WIDTH` columns, if its words allow."""
    result = words.cleaned(result)
    yield from _wrapped("", f"{together(result.pair)}: {headline(result)}")
    yield from _wrapped("", _models(result))
    yield from _conversions(result)
    found = words.differences(result)
    for count, (difference, where) in enumerate(found, start=1):
        of = f" {count} of {len(found)}" if len(found) > 1 else ""
        yield from ("", *_wrapped("", f"difference{of}, {words.PARTS[difference.part]}{where}"))
        yield from _difference(difference)
    yield from _islands(result)
    yield from _judged(result)
    yield from _listed("precision", words.told(words.precision(result)))
    yield from _listed("notes", words.told(words.notes(result)))


def _models(result: Result) -> str:
    original, port = map(together, result.frameworks)
    modes = words.in_modes([mode.name for mode in result.modes])
    return f"{original} (original), {port} (port){modes and f',{modes}'}; {result.seconds:.3g} s"


def _conversions(result: Result) -> Iterator[str]:
    found = words.conversions(result)
    yield from _listed(
        "wrong conversions", [f"{one.kind}{where}: {one.text}" for one, where in found]
    )


def _difference(difference: Difference) -> Iterator[str]:
    if difference.what:
        yield from _wrapped("  ", difference.what)
    yield from _lines("original:", difference.original)
    yield from _lines("port:", difference.port)
    inputs = words.lines_of(difference.inputs)
    if inputs:
        yield from _wrapped("  ", f"from equal arrays of: {inputs}")
    original, port = words.both(difference.values)
    at = words.index(difference.index)
    yield from _wrapped(
        "  ",
        f"worst entry: {f'{at} of ' if at else ''}{words.shape(difference.shape)}: {original} in "
        f"the original, {port} in the port",
    )
    yield from _wrapped("  ", f"beyond rounding: {words.beyond(difference)}")
    if difference.cause is None:
        yield "  cause: unknown"
        return
    cause = ", ".join([words.contrast(difference.cause), *_times(difference)])
    places = words.where_caused(difference)
    yield from _wrapped("  ", f"cause: {cause}{f' ({places})' if places else ''}")
    yield from _wrapped("  ", f"remedy: {difference.cause.remedy} (tried)")


def _lines(label: str, places: Sequence[Place]) -> Iterator[str]:
    """Yield a side's lines with their text and what runs there."""
    shown = words.known(places)
    if not shown:
        ran = ", ".join(operation for place in places for operation in place.operations)
        yield from _wrapped("  ", f"{label} no line of the program{f' ({ran})' if ran else ''}")
    for place in shown[:_LINES]:
        yield from _wrapped("  ", f"{label} {words.where(place)}  {place.text}")
        if place.operations:
            yield from _wrapped("    ", f"runs {', '.join(place.operations)}")
        label = "and"
    if len(shown) > _LINES:
        yield from _wrapped("  ", f"and {several(len(shown) - _LINES, 'more line')}")


def _islands(result: Result) -> Iterator[str]:
    found = words.islands(result)
    if found:
        yield from ("", "islands: parts that compute in a shorter format than they are given")
    for island, where in found:
        yield from _wrapped("  ", f"{words.islet(island)}{where}: {island.text}")
        for place in words.known(island.places)[:_LINES]:
            yield from _wrapped("    ", f"{words.where(place)}  {place.text}")
        if moved := words.moved(island):
            yield from _wrapped("    ", moved)


def _judged(result: Result) -> Iterator[str]:
    yield from _listed("judged", words.told(words.gathered(result, words.summary)))
    share = words.largest_share(result)
    if share is not None:
        yield from _wrapped(
            "  ", f"the largest difference is {words.number(share)} of what rounding can do"
        )
    for verdict, title in (("disagree", "beyond rounding"), ("abstain", "not judged")):
        found = [one for one in words.not_equal(result) if one[0].verdict == verdict]
        yield from _named(title, found)
    zero = words.uninformative(result)
    if zero:
        names = _names([one for one, _ in zero[:_NAMED]])
        more = f", and {len(zero) - _NAMED:,} more" if len(zero) > _NAMED else ""
        yield from _wrapped("  ", f"0 as far as rounding goes, which shows nothing: {names}{more}")


def _named(title: str, found: Sequence[tuple[Judged, str]]) -> Iterator[str]:
    """Yield names, those with one reason together; at most ten in all."""
    if not found:
        return
    yield f"  {title}:"
    shown = found[:_NAMED]
    for (why, where), same in groupby(shown, key=lambda one: (one[0].why, one[1])):
        yield from _wrapped(
            "    ", f"{_names([judged for judged, _ in same])}{where}{f': {why}' if why else ''}"
        )
    if len(found) > _NAMED:
        yield f"    and {len(found) - _NAMED:,} more"


def _names(found: Sequence[Judged]) -> str:
    """Return `output, loss, gradients of norm.weight (norm.scale in the port), norm.bias`."""
    others = [_name(one, "") for one in found if not one.name.startswith(words.GRADIENT)]
    gradients = [_name(one, words.GRADIENT) for one in found if one.name.startswith(words.GRADIENT)]
    if gradients:
        word = "gradient" if len(gradients) == 1 else "gradients"
        others.append(f"{word} of {', '.join(gradients)}")
    return ", ".join(others)


def _name(judged: Judged, prefix: str) -> str:
    own, other = judged.name.removeprefix(prefix), judged.port.removeprefix(prefix)
    renamed = other not in ("", own)
    return f"{together(own)} ({together(other)} in the port)" if renamed else together(own)


def _listed(title: str, found: Sequence[str]) -> Iterator[str]:
    if found:
        yield from ("", title)
    for one in found:
        yield from _wrapped("  ", one)


def _wrapped(indent: str, text: str) -> Iterator[str]:
    """Yield the text in lines that are broken at blanks alone."""
    line, filled = indent, False
    for word in text.split(" "):
        if filled and cell_len(line) + 1 + cell_len(word) > WIDTH:
            yield line.rstrip(" ").replace(TOGETHER, " ")
            line, filled = f"{indent}    ", False
        if filled:
            line = f"{line} {word}"
        elif word:
            line = line[: max(0, WIDTH - cell_len(word))] + word  # less indent, if it fits then
            filled = True
    yield line.rstrip(" ").replace(TOGETHER, " ")
