"""A target's own functions: which of their statements ran, on which arrays; and how to change one while it runs."""

from __future__ import annotations

import ast
import contextlib
import gc
import linecache
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from types import CodeType, FrameType, FunctionType
from typing import Any

import numpy as np

from ...blame import is_own

Shape = tuple[int, ...]
Edits = Mapping[Any, ast.AST]
"""For nodes of a tree, what is to stand in their place."""


@dataclass(eq=False)
class Function:
    """An outermost function or method of the program, which ran.

    Attributes:
        file: as its code names it.
        node: its definition.
        around: the classes around it, the outermost first.
        objects: the function objects that have its code.
        lines: its lines that ran.
        frames: globals and locals of its calls when they returned, of each of its codes the last.
    """

    file: str
    node: ast.FunctionDef | ast.Lambda
    around: Sequence[ast.ClassDef]
    objects: Sequence[FunctionType]
    lines: set[int] = field(default_factory=set)
    frames: list[tuple[Mapping[str, Any], Mapping[str, Any]]] = field(default_factory=list)

    def value(self, text: str) -> Any:
        """Return the value of an expression when the function returned; None if it has none there."""
        if text not in self._values:
            self._values[text] = None
            for outer, inner in self.frames:
                with contextlib.suppress(
                    Exception
                ):  # it is of another function, or no longer there
                    self._values[text] = eval(text, dict(outer), dict(inner))  # the program's own
                    break
        return self._values[text]

    @cached_property
    def _values(self) -> dict[str, Any]:
        return {}

    def shape(self, node: ast.expr) -> Shape | None:
        """Return the shape of what an expression made, () for a number; None if that is not known."""
        called = {ast.unparse(n.func) for n in ast.walk(node) if isinstance(n, ast.Call)}
        if not all(name.startswith(("np.", "numpy.")) or name == "len" for name in called):
            return None  # the program's own functions may change something
        return shape_of(self.value(ast.unparse(node)))

    def before(self, statement: ast.AST) -> list[ast.stmt]:
        """Return the statements before one in its block."""
        parent, name, index = self._places.get(statement, (statement, "", None))
        return [] if index is None else getattr(parent, name)[:index]

    @cached_property
    def _places(self) -> dict[ast.AST, tuple[ast.AST, str, int | None]]:
        """For each node, where it stands: its parent, the parent's field, and its index there."""
        found: dict[ast.AST, tuple[ast.AST, str, int | None]] = {}
        for node in ast.walk(self.node):
            for name, value in ast.iter_fields(node):
                if isinstance(value, ast.AST):
                    found[value] = node, name, None
                elif isinstance(value, list):
                    found |= {
                        v: (node, name, i) for i, v in enumerate(value) if isinstance(v, ast.AST)
                    }
        return found

    def _put(self, edits: Edits) -> None:
        for old, new in edits.items():
            parent, name, index = self._places[old]
            if index is None:
                setattr(parent, name, new)
            else:
                getattr(parent, name)[index] = new

    def compiled(self, edits: Edits) -> CodeType:
        """Return its code with these edits.

        Raises:
            SyntaxError, ValueError, TypeError: it cannot be compiled with them.
        """
        self._put(edits)
        try:
            if isinstance(self.node, ast.Lambda):
                whole = compile(ast.Expression(self.node), self.file, "eval", dont_inherit=True)
            else:
                node: ast.stmt = self.node
                for outer in reversed(self.around):  # for names like __this and for super()
                    node = ast.ClassDef(outer.name, [], [], [node], [], **_OF_CLASSES)
                    ast.copy_location(node, outer)
                whole = compile(ast.Module([node], []), self.file, "exec", dont_inherit=True)
        finally:
            self._put({old: old for old in edits})
        return _within(whole, self.objects[0].__code__)

    @contextmanager
    def running(self, code: CodeType) -> Iterator[None]:
        """Within, the program runs with this code in the function's place."""
        before = self.objects[0].__code__
        for one in self.objects:
            one.__code__ = code
        try:
            yield
        finally:
            for one in self.objects:
                one.__code__ = before

    @contextmanager
    def chosen(self) -> Iterator[Callable[[int], None]]:
        """Within, `choose(k)`, which is given, makes code of `with_choice` run its k-th statement."""
        outer = self.objects[0].__globals__
        try:
            yield lambda k: outer.__setitem__(_CHOICE, k)
        finally:
            outer.pop(_CHOICE, None)


_CHOICE = "__gradparity_choice__"


def with_choice(statement: ast.stmt, instead: Sequence[ast.stmt]) -> ast.stmt:
    """Return a statement that runs one of several: a function is compiled once for many changes of one statement."""
    if len(instead) == 1:
        return instead[0]
    half = len(instead) // 2
    return _choice(statement, instead, 0, half, len(instead))


def _choice(
    at: ast.stmt, instead: Sequence[ast.stmt], first: int, middle: int, end: int
) -> ast.stmt:
    def one_of(first: int, end: int) -> ast.stmt:
        if end - first == 1:
            return instead[first]
        return _choice(at, instead, first, (first + end) // 2, end)

    test = ast.parse(f"{_CHOICE} < {middle}", mode="eval").body
    for node in ast.walk(test):
        ast.copy_location(node, at)
    found = ast.If(test, [one_of(first, middle)], [one_of(middle, end)])
    return ast.copy_location(found, at)


_OF_CLASSES: dict[str, Any] = {"type_params": []} if sys.version_info >= (3, 12) else {}


def _within(code: CodeType, like: CodeType) -> CodeType:
    """Return the code of the same function within a compiled module."""
    left = [code]
    while left:
        one = left.pop()
        if (one.co_name, one.co_firstlineno) == (like.co_name, like.co_firstlineno):
            return one
        left += [const for const in one.co_consts if isinstance(const, CodeType)]
    raise ValueError(like.co_name)


def edited(node: Any, edits: Edits) -> Any:
    """Return the tree with these nodes replaced; what does not change is shared."""
    if node in edits:
        return edits[node]
    changes: dict[str, Any] = {}
    for name, value in ast.iter_fields(node):
        if isinstance(value, ast.AST):
            new: Any = edited(value, edits)
        elif isinstance(value, list):
            new = [edited(one, edits) if isinstance(one, ast.AST) else one for one in value]
            new = value if all(a is b for a, b in zip(new, value, strict=True)) else new
        else:
            continue
        if new is not value:
            changes[name] = new
    if not changes:
        return node
    copy = type(node)(**{**dict(ast.iter_fields(node)), **changes})
    return ast.copy_location(copy, node)


def functions_that_run(run: Callable[[], Any], without: Iterable[str]) -> list[Function]:
    """Run the program once, and return its own outermost functions that ran, in the files' order.

    Args:
        run: runs it.
        without: files whose functions are not the program's.
    """
    lines: dict[CodeType, set[int]] = {}
    ended: dict[CodeType, list[tuple[Mapping[str, Any], Mapping[str, Any]]]] = {}
    excluded = set(without)
    own: dict[str, bool] = {}

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        file = frame.f_code.co_filename
        if file not in own:
            own[file] = is_own(file) and file not in excluded
        if not own[file]:
            return None
        lines.setdefault(frame.f_code, set()).add(frame.f_lineno)
        if event == "return":
            ended.setdefault(frame.f_code, []).append((frame.f_globals, dict(frame.f_locals)))
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        run()
    finally:
        sys.settrace(before)
    found: list[Function] = []
    for file in dict.fromkeys(code.co_filename for code in lines):
        for function in _defined_in(file):
            first, last = _extent(function.node)
            for code, seen in lines.items():
                within = code.co_filename == file and first <= code.co_firstlineno <= last
                if within and not _is_another_lambda(code, function):
                    function.lines |= seen
                    function.frames += ended.get(code, [])[-1:]
            if function.lines:
                found.append(function)
    return found


def _is_another_lambda(code: CodeType, function: Function) -> bool:
    """Return True for the code of a lambda that stands in the line of this function, a lambda, too."""
    both = isinstance(function.node, ast.Lambda) and code.co_name == "<lambda>"
    return both and all(code is not one.__code__ for one in function.objects)


def _extent(node: ast.FunctionDef | ast.Lambda) -> tuple[int, int]:
    decorators = node.decorator_list if isinstance(node, ast.FunctionDef) else []
    first = min([node.lineno, *(one.lineno for one in decorators)])
    return first, node.end_lineno or node.lineno


def _defined_in(file: str) -> list[Function]:
    """Return the outermost functions that a file defines, and that exist."""
    try:
        tree = ast.parse("".join(linecache.getlines(file)))
    except (SyntaxError, ValueError, RecursionError):
        return []
    objects: dict[tuple[str, int], list[FunctionType]] = {}
    for one in gc.get_objects():
        if type(one) is FunctionType and one.__code__.co_filename == file:
            code = one.__code__
            objects.setdefault((code.co_name, code.co_firstlineno), []).append(one)
    found: dict[tuple[str, int, int], list[Function]] = {}

    def visit(node: ast.AST, around: tuple[ast.ClassDef, ...]) -> None:
        if isinstance(node, ast.FunctionDef | ast.Lambda):
            name = node.name if isinstance(node, ast.FunctionDef) else "<lambda>"
            line, column = _extent(node)[0], 0
            own = objects.get((name, line), [])
            if isinstance(node, ast.Lambda):  # several may stand in a line
                own, column = [one for one in own if _is_code_of(one, node)], node.col_offset
            if own:
                found.setdefault((name, line, column), []).append(Function(file, node, around, own))
            return
        within = (*around, node) if isinstance(node, ast.ClassDef) else around
        for child in ast.iter_child_nodes(node):
            visit(child, within)

    visit(tree, ())
    # Two `def` of one name in one line cannot be told apart.
    return [same[0] for same in found.values() if len(same) == 1]


def _is_code_of(function: FunctionType, node: ast.Lambda) -> bool:
    body = node.body
    span = body.lineno, body.end_lineno, body.col_offset, body.end_col_offset
    return span in set(function.__code__.co_positions())


ATOMS = ast.Name | ast.Attribute | ast.Subscript


def atoms(node: ast.AST) -> Iterator[ast.expr]:
    """Yield the names, attributes and elements that are read in a tree, the largest first: `self.a[k]`, `w2`."""
    if isinstance(node, ATOMS) and isinstance(node.ctx, ast.Load) and _is_plain(node):
        yield node
    for child in ast.iter_child_nodes(node):
        yield from atoms(child)


def _is_plain(node: ast.AST) -> bool:
    """Return True for names, attributes, and elements by plain indices, however nested."""
    if isinstance(node, ast.Attribute):
        return node.attr != "T" and _is_plain(node.value)
    if isinstance(node, ast.Subscript):
        inner = [
            n for n in ast.walk(node.slice) if isinstance(n, ast.Call | ast.Lambda | ast.Slice)
        ]
        return not inner and _is_plain(node.value)
    return isinstance(node, ast.Name)


def shape_of(value: Any) -> Shape | None:
    """Return an array's shape, () for a number; None for anything else."""
    if isinstance(value, np.ndarray | np.generic | float | int) and not isinstance(value, bool):
        return np.shape(value)
    return None
