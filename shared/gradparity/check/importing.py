"""Import a program statement by statement, so that one that fails, trains or hangs is judged by what it defines.

A homework ends in plots, reads data that are not there, or trains for an hour when it is imported; the functions to be
judged stand above that. So each top-level statement runs alone: what it raises is noted, and the next one runs.
"""

from __future__ import annotations
import __future__

import ast
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

from .. import registry
from ..blame import described, line_in, place
from ..border import CtrlC, interruptible
from ..notebook import Piece, cells
from .stopping import Stopped, Stopwatch
from .target import FUNCTIONS

_MOST = 5
"""Statements that are told one by one; a file can have hundreds that fail."""


class NotImportedError(ImportError):
    """A name is used whose import failed."""


class StandIn:
    """What a failed import binds: any use of it raises a NotImportedError."""

    def __init__(self, why: str) -> None:
        self.__dict__["_why"] = why

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # what Python itself and `inspect` ask for
            raise AttributeError(name)
        raise NotImportedError(self.__dict__["_why"])

    def _used(self, *_: Any, **__: Any) -> Any:
        raise NotImportedError(self.__dict__["_why"])

    __call__ = __getitem__ = __iter__ = __enter__ = __mro_entries__ = _used


def import_file(path: str, patience: float | None = None) -> tuple[ModuleType, list[str]]:
    """Import a .py file or a notebook, statement by statement.

    Modules next to the file are found after everything that is installed, and are imported in the same way.

    Args:
        path: the file.
        patience: seconds of CPU time for a statement; None: no limit. After each statement that was stopped, half as
            many.

    Returns:
        The module, and a line about each statement that failed.

    Raises:
        InputError: there is no such file.
        TargetImportError: it is not Python.
    """
    module = registry.new_module(path)
    file = Path(path)
    pieces = cells(file) if path.endswith(".ipynb") else [_whole(path, module.__name__)]
    statements = _Statements(Stopwatch(patience), str(file))
    # It stays: functions may import when they are called.
    sys.meta_path.append(_Finder(file.resolve().parent, statements))
    for piece in pieces:
        statements.run(piece, module)
    for name in FUNCTIONS:
        if isinstance(vars(module).get(name), StandIn):
            delattr(module, name)
    return module, statements.failures


def _whole(path: str, name: str) -> Piece:
    try:
        text = SourceFileLoader(name, path).get_source(name) or ""
        ast.parse(text, path)
    except (SyntaxError, ValueError, RecursionError, ImportError) as error:
        raise registry.not_imported(path, error) from error
    return Piece(path, text)


class _Statements:
    """Runs the statements of a program's files."""

    def __init__(self, stopwatch: Stopwatch, main: str) -> None:
        self._stopwatch, self._main = stopwatch, main
        self._failures: dict[str, None] = {}
        self._lost: set[str] = set()
        """Names that a statement would have bound, had it not failed."""

    @property
    def failures(self) -> list[str]:
        """A line about each statement that failed, but for those that failed only because of an earlier one."""
        lines = list(self._failures)
        more = len(lines) - _MOST
        return [*lines[:_MOST], *([f"{more} more statements failed"] if more > 0 else [])]

    def run(self, piece: Piece, module: ModuleType) -> None:
        """Run the statements of a file or cell in a module; one that cannot be parsed is noted."""
        try:
            tree = ast.parse(piece.text, piece.filename)
        except (SyntaxError, ValueError, RecursionError) as error:
            line = getattr(error, "lineno", None) or 1
            self._note(f"{self._at(piece, line)} raised {described(error)}")
            return
        flags = _future_flags(tree)
        for statement in tree.body:
            self._run_one(piece, statement, module, flags)

    def _run_one(self, piece: Piece, statement: ast.stmt, module: ModuleType, flags: int) -> None:
        is_import = isinstance(statement, ast.Import | ast.ImportFrom)
        try:
            alone = ast.Module([statement], [])
            code = compile(alone, piece.filename, "exec", flags, dont_inherit=True)
            with interruptible():
                self._stopwatch.run(code, module.__dict__, limited=not is_import)
        except CtrlC:
            raise
        except Stopped as stopped:
            what = _in_words(piece, statement)
            self._note(f"{self._at(piece, statement.lineno)}, {what}, was stopped after {stopped}")
            self._lost |= _bound_by(statement)
        except BaseException as error:
            if not self._follows(error):
                self._note(self._told(piece, statement, error))
            self._lost |= _bound_by(statement)
            if isinstance(statement, ast.Import | ast.ImportFrom):
                _bind_stand_ins(statement, module, error)

    def _follows(self, error: BaseException) -> bool:
        """Return True if a statement failed only because an earlier one did."""
        if isinstance(error, NameError):
            return error.name in self._lost
        return isinstance(error, NotImportedError)

    def _told(self, piece: Piece, statement: ast.stmt, error: BaseException) -> str:
        line = line_in(piece.filename, error) or statement.lineno
        where = place(error)
        inside = f" ({where})" if ", in " in where else ""
        return f"{self._at(piece, line)} raised {described(error)}{inside}"

    def _at(self, piece: Piece, line: int) -> str:
        name = Path(piece.filename).name
        if ", cell " in name:
            return f"cell {name.rpartition(', cell ')[2]}, line {line}"
        return f"line {line}" if piece.filename == self._main else f"{name}, line {line}"

    def _note(self, line: str) -> None:
        self._failures[line] = None


def _future_flags(tree: ast.Module) -> int:
    """Return the compiler's flags for a file's `from __future__` imports, which hold for all of its statements."""
    flags = 0
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module == "__future__":
            for alias in node.names:
                feature = getattr(__future__, alias.name, None)
                flags |= 0 if feature is None else feature.compiler_flag
    return flags


def _in_words(piece: Piece, statement: ast.stmt) -> str:
    if isinstance(statement, ast.For | ast.While):
        return "a loop"
    first = (ast.get_source_segment(piece.text, statement) or "a statement").splitlines()[0]
    return first if len(first) <= 60 else first[:59] + "…"


def _bound_by(statement: ast.stmt) -> set[str]:
    """Return the names that a statement binds, wherever in it."""
    names = set()
    for node in ast.walk(statement):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.alias):
            names.add(node.asname or node.name.partition(".")[0])
    return names


def _bind_stand_ins(
    statement: ast.Import | ast.ImportFrom, module: ModuleType, error: BaseException
) -> None:
    why = f"its import in line {statement.lineno} failed: {described(error)}"
    for name in _bound_by(statement) - {"*"}:
        if name not in vars(module):
            setattr(module, name, StandIn(f"{name} cannot be used: {why}"))


class _Finder(MetaPathFinder):
    """Finds modules in a folder, after all other finders: a `random.py` there must not replace Python's own."""

    def __init__(self, folder: Path, statements: _Statements) -> None:
        self._folder, self._statements = folder, statements

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find a module or package; a single file is imported statement by statement."""
        if path is not None:
            return None
        spec = PathFinder.find_spec(fullname, [str(self._folder)])
        single = spec is not None and not spec.submodule_search_locations
        if spec is not None and single and type(spec.loader) is SourceFileLoader:
            spec.loader = _SiblingLoader(spec.loader, self._statements)
        return spec


class _SiblingLoader(Loader):
    def __init__(self, loader: SourceFileLoader, statements: _Statements) -> None:
        self._loader, self._statements = loader, statements

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """Leave it to Python."""
        return None

    def exec_module(self, module: ModuleType) -> None:
        """Run the statements one by one."""
        text = self._loader.get_source(module.__name__)
        self._statements.run(Piece(self._loader.path, text or ""), module)

    def get_source(self, fullname: str) -> str | None:
        """Return the text, for `linecache` and `inspect`."""
        return self._loader.get_source(fullname)
