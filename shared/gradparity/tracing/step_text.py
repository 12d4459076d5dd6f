"""A step in words: for each line what it makes, and what makes the same elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .recording import Source
from .step import Maker, Partner, Row, Step


@dataclass(frozen=True)
class Entry:
    """Arrays that a line makes, for which the others have the same.

    Attributes:
        part: forward, gradient or update.
        source: the line; None if none is known.
        operations: what it runs: `negative, exp, add`.
        shapes: of the arrays: `(21, 4), (21, 1)`.
        needed: False if neither the loss nor the new weights depend on them.
        partners: for each of the others what it has in their place.
    """

    part: str
    source: Source | None
    operations: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]
    needed: bool
    partners: Mapping[str, Partner]


TOGETHER = "\N{NO-BREAK SPACE}"
"""It holds a shape together where a line is broken."""


def makes(entry: Entry) -> str:
    """Say what a line runs and makes: `negative, exp: (21, 4)`."""
    shapes = (str(shape).replace(" ", TOGETHER) if shape else "a number" for shape in entry.shapes)
    needed = "" if entry.needed else "; nothing needs it"
    return f"{', '.join(entry.operations)}: {', '.join(shapes)}{needed}"


def entries(rows: Iterable[Row]) -> list[Entry]:
    """Return the rows in order; neighbours on a line that are inner results of the same operations become one."""
    found: list[Entry] = []
    for row in rows:
        maker = row.maker
        entry = Entry(
            row.part, maker.source, (maker.operation,), row.shapes, row.needed, row.partners
        )
        if found and _same_but_operations(found[-1], entry):
            operations = dict.fromkeys((*found[-1].operations, maker.operation))
            found[-1] = replace(found[-1], operations=tuple(operations))
        else:
            found.append(entry)
    return found


def _same_but_operations(one: Entry, other: Entry) -> bool:
    inner = all(partner.kind == "inside" for partner in one.partners.values())
    return inner and replace(other, operations=one.operations) == one


def alone(rows: Iterable[Row]) -> list[Entry]:
    """Return what only one implementation makes, one entry for each line and part."""
    found: dict[Any, Entry] = {}
    for row in rows:
        key = row.part, row.maker.source, row.needed
        old = found.get(key)
        if old is None:
            found[key] = entries([row])[0]
            continue
        partners = {
            name: Partner("inside", tuple(dict.fromkeys((*one.makers, *row.partners[name].makers))))
            for name, one in old.partners.items()
        }
        found[key] = replace(
            old,
            operations=tuple(dict.fromkeys((*old.operations, row.maker.operation))),
            shapes=tuple(dict.fromkeys((*old.shapes, *row.shapes))),
            partners=partners,
        )
    return list(found.values())


def in_words(partner: Partner) -> str:
    """Return what an implementation has in place of an array, in a phrase: `aten.mm, backward of layers.py:27`."""
    if not partner.makers:
        return "no counterpart"
    by_place: dict[str, list[str]] = {}
    for maker in partner.makers:
        by_place.setdefault(_place(maker), []).append(maker.operation)
    phrases = [f"{', '.join(dict.fromkeys(ran))}, {place}" for place, ran in by_place.items()]
    words = "; ".join(phrases)
    if partner.kind == "inside":
        return f"inside {words}"
    return f"{words}, with the other sign" if partner.kind == "negated" else words


def _place(maker: Maker) -> str:
    where = str(maker.source) if maker.source else "no line of the program"
    return f"backward of {where}" if maker.backward else where


def lines(step: Step) -> dict[str, list[Source]]:
    """Return the lines that take part, by implementation, in the order of their files and in the files."""
    found: dict[str, set[Source]] = {name: set() for name in step.implementations}
    for owner, rows in ((step.implementations[0], step.rows), *step.alone.items()):
        for row in rows:
            for name, makers in ((owner, (row.maker,)), *_makers(row)):
                found[name].update(maker.source for maker in makers if maker.source)
    return {name: _once(sources) for name, sources in found.items()}


def _makers(row: Row) -> list[tuple[str, Sequence[Maker]]]:
    return [(name, partner.makers) for name, partner in row.partners.items()]


def _once(sources: Iterable[Source]) -> list[Source]:
    """Return one source for each line."""
    first = {(one.file, one.line): one for one in sources}
    return [first[at] for at in sorted(first)]


def summary(step: Step) -> str:
    """Return two sentences: how many arrays the others make, too, and how far apart they are."""
    first, *others = step.implementations
    total = sum(row.arrays for row in step.rows)
    made = {
        name: sum(r.arrays for r in step.rows if r.partners[name].kind == "aligned")
        for name in others
    }
    counts = ", ".join(f"{count} by {name}" for name, count in made.items())
    shares = [
        partner.distance.share
        for row in step.rows
        for partner in row.partners.values()
        if partner.distance is not None and partner.distance.share is not None
    ]
    largest = f"{max(shares, default=0.0):.2g}"
    return (
        f"Of {total} arrays that {first} computes, the same are computed: {counts}. "
        f"The largest distance is {largest} of what rounding can do."
    )


def as_json(step: Step) -> dict[str, Any]:
    """Return the step as plain numbers and texts."""
    return {
        "experiment": step.experiment,
        "implementations": list(step.implementations),
        "rows": [_row(row) for row in step.rows],
        "alone": {name: [_row(row) for row in rows] for name, rows in step.alone.items()},
    }


def _row(row: Row) -> dict[str, Any]:
    return {
        "part": row.part,
        **_maker(row.maker),
        "arrays": row.arrays,
        "shapes": [list(shape) for shape in row.shapes],
        "needed": row.needed,
        "partners": {
            name: {
                "kind": partner.kind,
                "makers": [_maker(maker) for maker in partner.makers],
                "share": partner.distance.share if partner.distance else None,
                "same_bits": partner.distance.same_bits if partner.distance else None,
            }
            for name, partner in row.partners.items()
        },
    }


def _maker(maker: Maker) -> dict[str, Any]:
    source = maker.source
    return {
        "operation": maker.operation,
        "file": Path(source.file).name if source else None,
        "line": source.line if source else None,
        "code": source.text if source else None,
        "backward": maker.backward,
    }
