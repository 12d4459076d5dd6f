"""A program with its truth: files that `gradparity check` can judge, and what it should find."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ...files import replace_files
from ...suites.core import Kind


@dataclass(frozen=True)
class Program:
    """A small program, and whether it is right.

    Attributes:
        name: what it is, in words; no two programs of a corpus have the same.
        group: the form of a right program; the property under which a wrong one is wrong.
        files: the text of each file, by its path.
        right: whether it computes what it tells.
        words: for a right program: each must occur in the report, in any case.
        target: the file that is checked, and the object in it if there is one: `program.py:Net`.
        adapter: the file of the adapter; empty if it needs none.
        kind: the kind of networks on which the fault can be seen.
        base: for a wrong program: the files that differ, without the fault.
    """

    name: str
    group: str
    files: Mapping[str, str]
    right: bool
    words: tuple[str, ...] = ()
    target: str = "program.py"
    adapter: str = ""
    kind: Kind = "core"
    base: Mapping[str, str] | None = None

    def write(self, folder: Path, *, base: bool = False) -> tuple[str, str | None]:
        """Write the program, or its `base`, into a folder; return target and adapter as `check` takes them."""
        files = {**self.files, **(self.base or {})} if base else self.files
        replace_files(folder, {name: text.encode() for name, text in files.items()})
        return str(folder / self.target), str(folder / self.adapter) if self.adapter else None


@contextmanager
def imported(folder: Path) -> Iterator[None]:
    """Import modules from this folder, and forget them afterwards."""
    before = set(sys.modules)
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        for name in set(sys.modules) - before:
            file = getattr(sys.modules[name], "__file__", None) or ""
            if file.startswith(str(folder)):
                del sys.modules[name]
