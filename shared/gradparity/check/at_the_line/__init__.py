"""Find the line of a wrong program: the one expression whose change makes everything right."""

from __future__ import annotations

import ast
import contextlib
import linecache
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ...diagnosis.mistakes.slopes import OF_NONE
from ..judgement import Judgement
from ..target import Target
from .examples import examples
from .program import Function, atoms, edited, functions_that_run, shape_of
from .search import Repair, repairs
from .slices import slices


@dataclass(frozen=True)
class Line:
    """A line that is wrong, and how it is right.

    Attributes:
        file: its file, as its code names it.
        line: counted from 1.
        source: the line as written.
        operands: the arrays in it that are right.
        why: what is wrong in it: `z2 where a2 belongs`.
        change: the line with the change after which all results are right.
        choice: lines of one number are changed together; if there are several numbers, each of these changes is enough.
    """

    file: str
    line: int
    source: str
    operands: tuple[str, ...]
    why: str
    change: str
    choice: int = 0


def wrong_lines(target: Target, judgement: Judgement) -> tuple[Line, ...]:
    """Find the lines of a wrong NumPy program that are wrong; empty if none is found, or it is no such program.

    A run is recorded. Of the statements that can be the wrong one, small changes are tried: each is made in the
    program's own code, which is run again. A change counts if all results are right within their bounds, in several
    networks of different sizes, on data of different numbers of samples.
    """
    if _may_lack_an_activation(target, judgement):
        return ()
    cases = examples(target, judgement)
    if not cases:
        return ()
    file = getattr(target.adapter, "__file__", None)
    adapter = [file] if file else []
    seen = slices(cases[0], adapter)
    if seen is None:
        return ()
    functions = functions_that_run(cases[0].run, adapter)
    found = _likeliest(repairs(functions, cases, seen))
    return tuple(line for at, repair in enumerate(found) for line in _lines(repair, at))


def _may_lack_an_activation(target: Target, judgement: Judgement) -> bool:
    """Return True if its forward pass was found to have no activation somewhere, or hidden layers of several kinds.

    Unless that is stated, the line of the forward pass may be the wrong one, and not that of the derivative: the
    results do not tell.
    """
    if target.limits.activations is not None:
        return False
    *hidden, _ = judgement.convention.activations or ("",)
    why = "" if judgement.explanation is None else judgement.explanation.headline
    return "identity" in hidden or len(set(hidden)) > 1 or OF_NONE in why


def _likeliest(found: Sequence[Repair]) -> list[Repair]:
    """Return for each place the smallest change, of the places with the smallest."""
    by_place: dict[tuple[int, ...], Repair] = {}
    for repair in sorted(found, key=_size):
        by_place.setdefault(_places(repair), repair)
    least = min(map(_size, by_place.values()), default=0)
    return [repair for repair in by_place.values() if _size(repair) == least]


def _places(repair: Repair) -> tuple[int, ...]:
    return tuple(dict.fromkeys(getattr(node, "lineno", 0) for node in repair.change.edits))


def _size(repair: Repair) -> float:
    return repair.change.cost - _resembles_another(repair)


def _resembles_another(repair: Repair) -> float:
    """Return how much what is changed resembles something else in the function.

    1 if the changed statement, or the expression in it, is like another one, but for the names; half of that if all
    that is new in it stands in the others that set a variable of the same kind.
    """
    function, change = repair.function, repair.change
    others = [
        node
        for node in ast.walk(function.node)
        if isinstance(node, ast.stmt) and node not in change.statements
    ]
    telling = [
        node for node in others if any(isinstance(n, _LONG) for n in ast.walk(node))
    ]  # not `v = v`
    patterns = {_pattern(node) for node in telling}
    if any(_pattern(edited(node, change.edits)) in patterns for node in change.statements):
        return 1.0
    expressions = {_pattern(node) for node in ast.walk(function.node) if isinstance(node, _LONG)}
    if all(
        isinstance(new, _LONG) and _pattern(new) in expressions for new in change.edits.values()
    ):
        return 1.0
    for node in change.statements:
        new = _words(edited(node, change.edits)) - _words(node)
        kin = [other for other in others if _kind(other) == _kind(node)]
        if kin and all(new <= _words(other) for other in kin):
            return 0.5
    return 0.0


_LONG = ast.BinOp | ast.Call


def _pattern(node: ast.AST) -> str:
    """Return what is written, with all names alike."""
    return re.sub(r"[A-Za-z_]\w*", "v", ast.unparse(node))


def _kind(node: ast.AST) -> str:
    """Return what a statement does to what: `v[v] =`."""
    target = next(iter(getattr(node, "targets", ())), None) or getattr(node, "target", None)
    return type(node).__name__ + ("" if target is None else _pattern(target))


def _words(node: ast.AST) -> set[str]:
    return set(re.findall(r"\w+|[^\w\s()]", ast.unparse(node)))


def _lines(repair: Repair, choice: int) -> Iterator[Line]:
    function, change = repair.function, repair.change
    by_line: dict[int, dict[ast.AST, ast.AST]] = {}
    for old, new in change.edits.items():
        by_line.setdefault(getattr(old, "lineno", 0), {})[old] = new
    for number, edits in by_line.items():
        source = linecache.getline(function.file, number).rstrip()
        statement = next(s for s in change.statements if _stands_in(number, s))
        right = _rewritten(source, statement, edits)
        operands = _arrays(statement, function) & _arrays(edited(statement, edits), function)
        yield Line(
            function.file,
            number,
            source.strip(),
            tuple(sorted(operands)),
            change.why,
            right.strip(),
            choice,
        )


def _stands_in(number: int, node: ast.stmt | ast.expr) -> bool:
    return node.lineno <= number <= (node.end_lineno or node.lineno)


def _arrays(node: ast.AST, function: Function) -> set[str]:
    """Return the names, attributes and elements in a tree that are arrays."""
    return {t for t in map(ast.unparse, atoms(node)) if shape_of(function.value(t))}


def _rewritten(line: str, statement: ast.AST, edits: dict[ast.AST, ast.AST]) -> str:
    """Return the line with the edits; the rest stands as it is written, and brackets stand where they must."""
    right = ast.unparse(edited(statement, edits))
    plain, bracketed = (_spliced(line, edits, brackets) for brackets in ("{}", "({})"))
    for text in (re.sub(r"(?<![\w\])])\(([\w.]+)\)", r"\1", plain), plain, bracketed):
        with contextlib.suppress(SyntaxError):
            if ast.unparse(ast.parse(text.strip())) == right:
                return text
    whole = isinstance(statement, ast.stmt) and statement.lineno == statement.end_lineno
    return right if whole else bracketed  # it cannot be read alone, so brackets are safe


def _spliced(line: str, edits: dict[ast.AST, ast.AST], brackets: str) -> str:
    text = line.encode()
    for old, new in sorted(edits.items(), key=lambda one: -getattr(one[0], "col_offset", 0)):
        first, last = getattr(old, "col_offset", 0), getattr(old, "end_col_offset", 0)
        several = getattr(old, "lineno", 0) != getattr(old, "end_lineno", 0)
        compound = isinstance(new, ast.BinOp | ast.UnaryOp | ast.IfExp | ast.Compare)
        written = (brackets if compound else "{}").format(ast.unparse(new))
        text = text[:first] + written.encode() + (b"" if several else text[last:])
    return text.decode()
