"""Find lines of source by their marker: the comment behind the code, such as `# dL/dW`.

A line keeps its marker when its code changes. Markers are unique within a top-level function, class or table.
"""

from __future__ import annotations

import ast
import tokenize
from collections.abc import Iterator
from functools import lru_cache
from io import StringIO
from typing import NamedTuple


class Marked(NamedTuple):
    """A line with a marker.

    Attributes:
        definition: the top-level function, class or table that the line belongs to.
        marker: the comment without its `#`.
        row: the line's number in its file, counted from 0.
        code: the line without its indentation and its comment.
    """

    definition: str
    marker: str
    row: int
    code: str


def marked_lines(source: str) -> Iterator[Marked]:
    """Yield every line of the source's top-level definitions that has a comment behind its code."""
    lines = source.split("\n")
    definitions = {
        row: name
        for node in ast.parse(source).body
        if (name := defined_name(node))
        for row in range(node.lineno - 1, node.end_lineno or node.lineno)
    }
    for token in tokenize.generate_tokens(StringIO(source).readline):
        row, column = token.start[0] - 1, token.start[1]
        code = lines[row][:column].strip()
        if token.type == tokenize.COMMENT and code and row in definitions:
            yield Marked(definitions[row], token.string.lstrip("# "), row, code)


def defined_name(node: ast.stmt) -> str:
    """Return the name of the function, class or variable that a statement defines; empty if it defines none."""
    match node:
        case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
            return name
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
            return name
        case _:
            return ""


def find_line(file: str, source: str, definition: str, marker: str) -> Marked:
    """Return the line of `definition` with this marker. `file` is the source's name, for the message.

    Raises:
        ValueError: there is no such line, or more than one.
    """
    wanted = (definition, marker)
    found = [line for line in _marked(source) if (line.definition, line.marker) == wanted]
    if len(found) != 1:
        count = len(found) or "no"
        raise ValueError(
            f"{file}.py: {definition} has {count} line{'s' * (len(found) != 1)} with the comment '# {marker}'"
        )
    return found[0]


@lru_cache(maxsize=32)  # a corpus of faults changes the same few files hundreds of times
def _marked(source: str) -> tuple[Marked, ...]:
    return tuple(marked_lines(source))
