"""The implementations' source, side by side: functions aligned by name, lines by similarity."""

from __future__ import annotations

import ast
import inspect
import re
import sys
import tokenize
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cache
from pathlib import Path
from typing import Any

from latex2mathml.converter import convert
from markupsafe import Markup

from ..guarded import Guarded
from ..markers import defined_name, marked_lines
from .align import align
from .environment import highlighted
from .equations import EQUATIONS, PACKAGE

_FUNCTIONS = ("forward", "loss_and_grads", "train")
"""The functions of the contract whose files are shown."""

_SECTIONS = {
    "activations": "The activations",
    "losses": "The losses",
    "layers": "The layers",
    "forward": "The forward pass and the gradient",
    "loss_and_grads": "The loss and its gradient",
    "optimizers": "The optimizers",
    "train": "The training loop",
}
"""The sections in reading order: each shows the files that define this function, or the files of this name."""

_HEADS = 0.3
"""The likeness of two first lines with different text: definitions of one name begin in one row."""

_BLANK = 0.05
"""The likeness of two empty lines: they share a row where nothing else decides."""


@dataclass(frozen=True)
class Line:
    """A line of source.

    Attributes:
        html: the line, highlighted.
        indent: the number of leading spaces.
        equation: the equation of `EQUATIONS` that it computes, as MathML; empty if there is none.
        first: True for the first line of a definition.
    """

    html: Markup
    indent: int
    equation: Markup
    first: bool
    text: str


@dataclass(frozen=True)
class Exhibit:
    """One file of each implementation, aligned.

    Attributes:
        name: the section's name.
        files: the files' names, by implementation.
        columns: the entries by implementation, equally many: a line, or None where there is no counterpart.
    """

    name: str
    title: str
    files: Mapping[str, str]
    columns: Mapping[str, Sequence[Line | None]]

    @property
    def lines(self) -> int:
        """The number of rows."""
        return len(next(iter(self.columns.values())))

    @property
    def explained(self) -> set[str]:
        """The implementations that have lines with equations."""
        return {
            key
            for key, lines in self.columns.items()
            if any(line and line.equation for line in lines)
        }


def exhibits(implementations: Sequence[Guarded]) -> list[Exhibit]:
    """Return the implementations' files by section, each file once; functions without source are left out."""
    shown: set[Path] = set()
    found = []
    for name, title in _SECTIONS.items():
        files = {one.name: _file_of(one, name) for one in implementations}
        new = {key: path for key, path in files.items() if path is not None and path not in shown}
        if new:
            shown.update(new.values())
            found.append(_exhibit(name, title, new))
    return found


def _file_of(implementation: Guarded, section: str) -> Path | None:
    """Return the file that defines this function; for other sections, the file of that name in `forward`'s package."""
    if section in _FUNCTIONS:
        return _source_file(inspect.unwrap(getattr(implementation.implementation, section)))
    forward = inspect.unwrap(implementation.implementation.forward)
    module = sys.modules.get(getattr(forward, "__module__", None) or "")
    package = module.__package__ if module else None
    other = sys.modules.get(f"{package}.{section}")  # only if it was imported, too
    return _source_file(other) if package and other else None


def _source_file(defined: Any) -> Path | None:
    try:
        file = inspect.getsourcefile(defined)
    except TypeError:  # compiled, or an object that is called
        return None
    return Path(file) if file and Path(file).is_file() else None


def _exhibit(name: str, title: str, files: Mapping[str, Path]) -> Exhibit:
    blocks = [_blocks(file) for file in files.values()]
    rows: list[list[Line | None]] = []
    for names in align([list(column) for column in blocks], lambda a, b: float(a == b)):
        sides = [
            () if key is None else column[key] for key, column in zip(names, blocks, strict=True)
        ]
        rows += align(sides, _likeness)
    columns = dict(zip(files, zip(*rows, strict=True), strict=True))
    return Exhibit(name, title, {key: _shown_as(file) for key, file in files.items()}, columns)


def _shown_as(file: Path) -> str:
    """Return the file's name; for `__init__.py`, with its package."""
    return f"{file.parent.name}/{file.name}" if file.name == "__init__.py" else file.name


def _read(file: Path) -> str:
    with tokenize.open(file) as opened:  # in the encoding that the file declares
        return opened.read()


def _blocks(file: Path) -> dict[str, list[Line]]:
    """Return the lines of each top-level definition, with the comments above it, by its name in lower case."""
    source = _read(file)
    lines = source.rstrip().split("\n")
    html = highlighted(source).split("\n")
    equations = _equations(file, source)
    nodes = ast.parse(source).body
    ends = [node.end_lineno or 0 for node in nodes]
    ends[-1] = len(lines)  # comments at the end are shown, too
    blocks: dict[str, list[Line]] = {}
    begin, block = 0, ""
    for node, end in zip(nodes, ends, strict=True):
        name = _name(node)
        if name != block:
            block = name if name not in blocks else f"{name} {begin}"
            while not lines[begin].strip():
                begin += 1
        first = begin if block not in blocks else None
        blocks.setdefault(block, []).extend(
            _line(lines[at], html[at], equations.get(at, ""), first=at == first)
            for at in range(begin, end)
        )
        begin = end
    return blocks


def _equations(file: Path, source: str) -> dict[int, str]:
    """Return the equations of the file's lines, in LaTeX, by row; none for files outside of `PACKAGE`."""
    if file.parent.name != PACKAGE:
        return {}
    return {
        line.row: EQUATIONS.get((file.stem, line.definition, line.marker), "")
        for line in marked_lines(source)
    }


def _name(node: ast.stmt) -> str:
    """Return the name that aligns a statement: its definition's, in lower case; all imports share one."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        return "import"
    return defined_name(node).lower() or type(node).__name__


def _line(text: str, html: str, latex: str, *, first: bool) -> Line:
    equation = Markup(convert(latex)) if latex else Markup()
    return Line(Markup(html), len(text) - len(text.lstrip()), equation, first, text)


def _likeness(a: Line, b: Line) -> float:
    """Return 0 to 1, more for longer lines; 0 unless the lines begin alike or share half of their words."""
    words_a, words_b = _words(a.text), _words(b.text)
    if not words_a or not words_b:
        return _BLANK if words_a == words_b else 0.0
    ratio = SequenceMatcher(None, words_a, words_b, autojunk=False).ratio()
    weight = min(len(words_a), len(words_b), 5) / 5
    if ratio >= 0.5 or words_a[0] == words_b[0]:
        return ratio * weight
    return _HEADS if a.first and b.first else 0.0


@cache
def _words(text: str) -> tuple[str, ...]:
    return tuple(re.findall(r"\w+|[^\w\s]", text))
