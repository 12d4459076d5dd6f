"""One step, three ways: an update recorded in each implementation, its lines beside each other."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from ...errors import InputError
from ...tracing.recording import Source
from ...tracing.step import Maker, Step, trace
from ...tracing.step_text import Entry, alone, entries, in_words, lines, makes, summary
from ..environment import highlighted
from .section import Content, Trained

SHOWN = "xor"
"""The experiment that is shown, if the report has it; else its first one."""


@dataclass(frozen=True)
class Line:
    """A line of source that takes part.

    Attributes:
        place: the file's name and the line's number.
        html: the line, highlighted.
        rows: the numbers of the table's rows in which it stands.
        runs: the operations that run there; for a framework that differentiates, those of its backward pass, too.
    """

    place: str
    html: Markup
    rows: Sequence[int]
    runs: Sequence[str]


@dataclass(frozen=True)
class Row:
    """A row of the table.

    Attributes:
        owner: the implementation whose line it is.
        line: the line, with its place.
        makes: operations and shapes.
        partners: for each other implementation, what it has in place of the arrays, and their distance.
    """

    number: int
    owner: str
    part: str
    place: str
    html: Markup
    makes: str
    partners: Mapping[str, tuple[str, str]]


def show(trained: Trained) -> Content | None:
    """Return the lines of each implementation and the table; None if there are not two that can be recorded."""
    experiments = [result.experiment for result in trained.results]
    chosen = next((one for one in experiments if one.name == SHOWN), experiments[0])
    try:
        step = trace(chosen, trained.implementations)
    except InputError:
        return None
    first = step.implementations[0]
    found = [(first, entry) for entry in entries(step.rows)]
    for name, rows in step.alone.items():
        found += [(name, entry) for entry in alone(rows) if entry.needed]
    values = {
        "first": first,
        "others": step.implementations[1:],
        "left_out": step.left_out.values(),
        "title": chosen.title,
        "columns": {
            name: sorted(_lines(name, sources, found), key=lambda line: list(line.rows))
            for name, sources in lines(step).items()
        },
        "rows": [_row(number, owner, entry) for number, (owner, entry) in enumerate(found)],
        "summary": summary(step),
        "command": _command(step, trained, chosen.name),
    }
    return Content(values)


def _command(step: Step, trained: Trained, experiment: str) -> str:
    report = trained.commands[experiment]
    return report.replace("gradparity report", "gradparity trace", 1)


def _lines(
    name: str, sources: Sequence[Source], found: Sequence[tuple[str, Entry]]
) -> Iterator[Line]:
    for source in sources:
        rows, runs = [], {}
        for number, (owner, entry) in enumerate(found):
            own = [Maker(one, entry.source) for one in entry.operations] if owner == name else []
            there = entry.partners[name].makers if name in entry.partners else ()
            here = [one for one in (*own, *there) if one.source and _at(one.source) == _at(source)]
            if here:
                rows.append(number)
            runs.update(dict.fromkeys((one.backward, one.operation) for one in here))
        forward, backward = ([op for turned, op in runs if turned == b] for b in (False, True))
        words = [", ".join(forward), f"backward: {', '.join(backward)}" if backward else ""]
        yield Line(str(source), _html(source), rows, [one for one in words if one])


def _at(source: Source) -> tuple[str, int]:
    return source.file, source.line


def _html(source: Source | None) -> Markup:
    text = source.text if source else ""
    html = highlighted(text).rstrip()
    # A long line may be broken behind a bracket or a dot, rather than in a name.
    return Markup(re.sub(r"([(\[.])</span>", r"\1</span><wbr>", html))


def _row(number: int, owner: str, entry: Entry) -> Row:
    return Row(
        number,
        owner,
        entry.part,
        str(entry.source) if entry.source else "",
        _html(entry.source),
        makes(entry),
        {
            name: (in_words(partner), str(partner.distance) if partner.distance else "")
            for name, partner in entry.partners.items()
        },
    )
