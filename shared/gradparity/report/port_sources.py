"""The programs of a port beside each other: lines that make the same array in one row, what takes no part folded."""

from __future__ import annotations

import ast
import tokenize
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby, zip_longest
from pathlib import Path

from markupsafe import Markup

from ..blame import printable
from ..porting import words
from ..porting.result import Difference, Line, Place, Result, Side
from ..tracing.regions import Verdict, worst
from .align import align
from .environment import highlighted

SIDES: Sequence[Side] = ("original", "port")

_SHORT = 40
"""Lines of a function that is shown whole."""

_CONTEXT = 3
"""Lines around one that takes part, in a longer function or outside of any."""

_FOLDED = 4
"""Lines that are folded; fewer would gain nothing."""

_At = tuple[str, int]
"""A file and a line."""


@dataclass(frozen=True)
class Row:
    """A pair of lines that make the same arrays.

    Attributes:
        number: by which the lines refer to it.
        shapes: of the arrays.
        verdict: the worst of the regions that make them.
        share: the largest, in units of what rounding can do.
    """

    number: int
    original: Place
    port: Place
    shapes: tuple[str, ...]
    verdict: Verdict
    share: float


@dataclass(frozen=True)
class Mark:
    """What is said of a line: a difference (its number, from 1), or something else (0)."""

    kind: str
    text: str
    difference: int = 0


@dataclass
class Source:
    """A line of source.

    Attributes:
        number: counted from 1.
        rows: the numbers of the rows in which it stands.
        differs: whether it takes part in making an array that differs.
        differs: whether it takes part in making an array that differs.
        marks: what is said of it.
    """

    number: int
    html: Markup
    indent: int
    rows: list[int] = field(default_factory=list)
    differs: bool = False
    marks: list[Mark] = field(default_factory=list)

    @property
    def takes_part(self) -> bool:
        """Whether something is said of it."""
        return bool(self.rows or self.differs or self.marks)


@dataclass(frozen=True)
class Heading:
    """The name of the file that follows; `missing` if it could not be read as it ran."""

    name: str
    missing: bool


@dataclass(frozen=True)
class Fold:
    """Lines that take no part."""

    lines: Sequence[Source]


Entry = Heading | Fold | Source


@dataclass(frozen=True)
class Sources:
    """The programs: entries by side, equally many; None where the other side has something."""

    columns: Mapping[Side, Sequence[Entry | None]]
    rows: Sequence[Row]


def sources(result: Result) -> Sources | None:
    """Return the two programs; None if no line of them is known. A file is read if it is there, and as it ran."""
    rows = list(_rows(line for mode in result.modes for line in mode.lines))
    files = {side: _files(side, result, rows) for side in SIDES}
    if not any(files.values()):
        return None
    entries = {side: list(_entries(files[side])) for side in SIDES}
    beside = _beside(entries["original"], entries["port"])
    columns = {side: [pair[n] for pair in beside] for n, side in enumerate(SIDES)}
    return Sources(columns, rows)


def code(text: str) -> Markup:
    """Return a line of a program, highlighted."""
    return Markup(highlighted(text).rstrip("\n"))


# --- What is said of the lines --------------------------------------------------------------------


def _rows(lines: Iterable[Line]) -> Iterator[Row]:
    """Yield a row for each pair of lines, whatever they make and in how many modes."""
    found: dict[tuple[_At, _At], list[Line]] = {}
    for line in lines:
        if words.known((line.original, line.port))[1:]:
            found.setdefault((_at(line.original), _at(line.port)), []).append(line)
    for number, same in enumerate(found.values()):
        yield Row(
            number,
            same[0].original,
            same[0].port,
            tuple(dict.fromkeys(words.shape(one.shape) for one in same)),
            worst(one.verdict for one in same),
            max(one.share for one in same),
        )


def _at(place: Place) -> _At:
    return place.file, place.line


@dataclass
class _Said:
    """What is said of a file's lines: the places in it, and of each line its rows and marks."""

    places: list[Place] = field(default_factory=list)
    rows: dict[int, list[int]] = field(default_factory=dict)
    differs: set[int] = field(default_factory=set)
    marks: dict[int, list[Mark]] = field(default_factory=dict)


def _files(side: Side, result: Result, rows: Sequence[Row]) -> dict[str, _Said]:
    """Return what is said of each file of a side, in the order in which the programs come to them."""
    files: dict[str, _Said] = {}

    def said(place: Place) -> _Said:
        found = files.setdefault(place.file, _Said())
        found.places.append(place)
        return found

    for row in rows:
        place = row.original if side == "original" else row.port
        said(place).rows.setdefault(place.line, []).append(row.number)
    for number, (difference, _) in enumerate(words.differences(result), start=1):
        places = words.known(difference.original if side == "original" else difference.port)
        for nth, place in enumerate(places):
            found = said(place)
            found.differs.add(place.line)
            if nth == 0:
                mark = Mark("difference", _told(side, difference), number)
                found.marks.setdefault(place.line, []).append(mark)
        for place in words.known(difference.cause.places if difference.cause else ()):
            if place.side == side and _at(place) not in set(map(_at, places)):
                mark = Mark("cause", "its cause", number)
                said(place).marks.setdefault(place.line, []).append(mark)
    for island, where in words.islands(result):
        for place in words.known(island.places):
            if place.side == side:
                mark = Mark("island", f"{island.format} island{where}")
                said(place).marks.setdefault(place.line, []).append(mark)
    for mode in result.modes:
        because = mode.precision.because if mode.precision else None
        if mode.precision and because and words.known([because]) and because.side == side:
            mark = Mark("growth", f"rounding grows {words.number(mode.precision.growth)} times")
            marks = said(because).marks.setdefault(because.line, [])
            if mark not in marks:
                marks.append(mark)
    return files


def _told(side: Side, difference: Difference) -> str:
    """Say what a side has at the worst entry; for the port, if it has a line, what that means, too."""
    value = words.both(difference.values)[SIDES.index(side)]
    at = words.index(difference.index)
    entry = f"{value}{f' at {at}' if at else ''} of {words.shape(difference.shape)}"
    if side == "original" and words.known(difference.port):
        return entry
    cause = words.contrast(difference.cause) if difference.cause else "cause: unknown"
    return f"{entry}; beyond rounding: {words.beyond(difference)}; {cause}"


# --- The lines ------------------------------------------------------------------------------------


def _entries(files: Mapping[str, _Said]) -> Iterator[Entry]:
    for file, said in files.items():
        text = _text(file, said.places)
        yield Heading(printable(Path(file).name), missing=text is None)
        if text is None:
            known = {place.line: place.text for place in reversed(said.places)}
            yield from (_source(said, number, code(known[number]), 0) for number in sorted(known))
            continue
        html = highlighted("\n".join(text)).split("\n")
        lines = [
            _source(said, number, Markup(html[number - 1]), len(line) - len(line.lstrip()))
            for number, line in enumerate(text, start=1)
        ]
        _continue(lines, said.places)
        shown = _shown(text, {one.number for one in lines if one.takes_part})
        for wanted, run in groupby(lines, key=lambda one: one.number in shown):
            same = tuple(run)
            yield from same if wanted or len(same) < _FOLDED else (Fold(same),)


def _source(said: _Said, number: int, html: Markup, indent: int) -> Source:
    return Source(
        number,
        html,
        indent,
        said.rows.get(number, []),
        number in said.differs,
        said.marks.get(number, []),
    )


def _continue(lines: Sequence[Source], places: Iterable[Place]) -> None:
    """Give the further lines of an expression what its first has, unless something else starts there.

    What is said of it stands below its last line then.
    """
    last: dict[int, int] = {}
    for place in places:
        last[place.line] = max(place.last, last.get(place.line, 0))
    for start in sorted(last):
        first = end = lines[start - 1]
        for line in lines[start : last[start]]:
            if line.number in last:
                break
            line.rows, line.differs = first.rows, first.differs
            end = line
        first.marks, end.marks = [], first.marks


def _text(file: str, places: Iterable[Place]) -> list[str] | None:
    """Return the lines of a file, without characters that act; None if it cannot be read or has changed."""
    try:
        with tokenize.open(file) as opened:
            lines = opened.read().rstrip().split("\n")
    except (OSError, ValueError, SyntaxError):
        return None
    clean = ["".join(c if c.isprintable() else "�" for c in line.expandtabs()) for line in lines]
    for place in places:
        if not 0 < place.line <= len(lines) or printable(lines[place.line - 1]) != place.text:
            return None
    return clean


def _shown(text: Sequence[str], parts: set[int]) -> set[int]:
    """Return the lines to show: functions that take part, whole if they are short, and where they stand."""
    shown: set[int] = set()
    definitions = list(_definitions("\n".join(text)))
    for part in parts:
        around = [lines for lines in definitions if part in lines]
        shown.update(lines.start for lines in around)
        inner = min(around, key=len, default=range(1, len(text) + 1))
        near = range(part - _CONTEXT, part + _CONTEXT + 1)
        shown.update(line for line in inner if len(inner) <= _SHORT or line in near)
    return shown


def _definitions(text: str) -> Iterator[range]:
    """Yield the lines of each function and class."""
    try:
        nodes = list(ast.walk(ast.parse(text)))
    except (SyntaxError, ValueError, RecursionError):
        return
    for node in nodes:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield range(node.lineno, (node.end_lineno or node.lineno) + 1)


# --- Beside each other ----------------------------------------------------------------------------


def _beside(
    original: Sequence[Entry], port: Sequence[Entry]
) -> list[tuple[Entry | None, Entry | None]]:
    """Put lines that make the same array into one row, as far as the order of both allows."""
    found: list[tuple[Entry | None, Entry | None]] = []
    begin = (0, 0)
    for one, other in _anchors(original, port):
        found += zip_longest(original[begin[0] : one], port[begin[1] : other])
        found.append((original[one], port[other]))
        begin = (one + 1, other + 1)
    return [*found, *zip_longest(original[begin[0] :], port[begin[1] :])]


def _anchors(original: Sequence[Entry], port: Sequence[Entry]) -> Iterator[tuple[int, int]]:
    """Yield the places of two lines that make the same array, in the order of both."""
    ours, theirs = (
        [
            (at, frozenset(entry.rows))
            for at, entry in enumerate(side)
            if isinstance(entry, Source) and entry.rows
        ]
        for side in (original, port)
    )
    if ours and theirs:
        for one, other in align([ours, theirs], lambda a, b: float(not a[1].isdisjoint(b[1]))):
            if one and other:
                yield one[0], other[0]
