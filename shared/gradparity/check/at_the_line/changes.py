"""A small change of a program, and the same at several places."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from .program import Edits

_MOST_TOGETHER = 6
"""Places that are changed together."""


@dataclass(frozen=True, eq=False)
class Change:
    """A small change of one statement, or the same of several that are alike.

    Attributes:
        edits: for nodes of the function, what is to stand in their place.
        statements: the statements that are changed.
        why: what is wrong, in words: `z2 where a2 belongs`.
        cost: how large it is: 1 for something that stands in place of another, 2 for what is added.
        key: the same for the same change at another place that is alike.
    """

    edits: Edits
    statements: tuple[ast.stmt | ast.expr, ...]
    why: str
    cost: int = 1
    key: str = ""


def within_statements(found: Iterable[Change]) -> Iterator[Change]:
    """Yield the same change made at all places of a statement that are alike, where there are several."""
    by_statement: dict[ast.AST, list[Change]] = {}
    for change in found:
        by_statement.setdefault(change.statements[0], []).append(change)
    for some in by_statement.values():
        yield from together(some)


def together(found: Iterable[Change]) -> Iterator[Change]:
    """Yield the same change made at all places that are alike, where there are several.

    A call of a function of the program's own that all of them leave out is no such change: it may be wrong inside.
    """
    alike: dict[str, list[Change]] = {}
    for change in found:
        alike.setdefault(change.key, []).append(change)
    for key, same in alike.items():
        edits: dict[ast.AST, ast.AST] = {}
        for change in same:
            edits |= {old: new for old, new in change.edits.items() if old not in edits}
        places = tuple(dict.fromkeys(s for change in same for s in change.statements))
        if key and len(same) > 1 and len(edits) <= _MOST_TOGETHER:
            yield Change(edits, places, same[0].why, same[0].cost + 1)
