"""Read the Python code of a Jupyter notebook, cell by cell."""

from __future__ import annotations

import json
import linecache
import re
import tokenize
from pathlib import Path
from typing import NamedTuple

from .errors import TargetImportError

_MAGIC = re.compile(r"^(\s*)(?:[%!?].*|[\w., ]+=\s*[!%].*|[\w.]+\?{1,2})\s*$")
"""A line for IPython, not for Python: `%matplotlib inline`, `!pip install …`, `files = !ls`, `np.dot?`."""

_RUNS_THE_CELL = re.compile(r"^%%(?:time|capture)\b.*")
"""Cell magics whose cell is ordinary Python that runs as it stands."""


class Piece(NamedTuple):
    """Code that is compiled in one go: a file, or a cell of a notebook.

    Attributes:
        filename: what tracebacks show; for a cell `…/work.ipynb, cell 3`.
        text: the code.
    """

    filename: str
    text: str


def cells(path: Path) -> list[Piece]:
    """Return the code cells in order, numbered among all cells from 1, without what is not Python.

    Lines of magics and shell commands are dropped; a cell with a cell magic (`%%bash`) is left out, but for `%%time`
    and `%%capture`. The code is put into `linecache`, so that tracebacks and `inspect` show it.

    Raises:
        TargetImportError: the file is not a notebook.
    """
    try:
        book = json.loads(path.read_text(encoding="utf-8"))
        found = [
            (number, "".join(cell["source"]))
            for number, cell in enumerate(_all_cells(book), start=1)
            if cell["cell_type"] == "code"
        ]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise TargetImportError(
            f"'{path}' cannot be imported: it is not a notebook ({type(error).__name__}: {error})"
        ) from None
    pieces = [
        Piece(f"{path.resolve()}, cell {number}", code)
        for number, text in found
        if (code := _python(text)) is not None
    ]
    for filename, text in pieces:
        linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
    return pieces


def _all_cells(book: dict[str, list[dict[str, str]]]) -> list[dict[str, str]]:
    found = book["cells"]
    if not isinstance(found, list):
        raise TypeError("its cells are not a list")
    return found


def _python(text: str) -> str | None:
    """Return a cell's Python code, with the same numbers of lines; None if the cell is for another program."""
    text = _RUNS_THE_CELL.sub("", text.lstrip("\n") if text.lstrip().startswith("%%") else text)
    if text.lstrip().startswith("%%"):
        return None
    lines: list[str] = []
    for line in text.split("\n"):
        magic = _MAGIC.match(line) if _is_complete(lines) else None
        lines.append(f"{magic[1]}pass" if magic else line)
    return "\n".join(lines)


def _is_complete(lines: list[str]) -> bool:
    """Return True if the next line begins a statement: one that begins with % may be the rest of an expression."""
    try:
        list(tokenize.generate_tokens(iter([f"{line}\n" for line in lines]).__next__))
    except tokenize.TokenError:  # the end, within brackets or a string
        return False
    except SyntaxError:  # it will be noted when the cell is run
        return True
    return not (lines and lines[-1].endswith("\\"))
