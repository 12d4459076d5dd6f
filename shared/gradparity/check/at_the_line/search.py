"""Try small changes of the program's statements until its results are right; say which line that is."""

from __future__ import annotations

import ast
import contextlib
import io
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ...diagnosis.mistakes import Factor
from .changes import Change, together, within_statements
from .examples import Example
from .kinds import changes
from .program import Function, edited, with_choice
from .scope import scope_of
from .slices import Slices, calls_its_own

PATIENCE = 8.0
"""Seconds of CPU time for all changes."""

_AT_ONCE = 256
"""Changes of one statement that are compiled together."""


@dataclass(frozen=True, eq=False)
class Repair:
    """A change after which the program is right."""

    function: Function
    change: Change
    factor: Factor | None


def statements(function: Function) -> Iterator[ast.stmt | ast.expr]:
    """Yield the statements of a function that ran, of loops and conditions their heads."""
    if isinstance(function.node, ast.Lambda):
        yield function.node.body
        return
    for node in ast.walk(function.node):
        if isinstance(
            node,
            ast.Assign | ast.AugAssign | ast.AnnAssign | ast.Return | ast.Expr | ast.For | ast.If,
        ):
            last = node.lineno if isinstance(node, ast.For | ast.If) else node.end_lineno
            if function.lines & set(range(node.lineno, (last or node.lineno) + 1)):
                yield node


def repairs(
    functions: Sequence[Function], examples: Sequence[Example], seen: Slices
) -> list[Repair]:
    """Return the changes after which the program is right on all examples, in the order of its lines.

    Empty if it takes too long to try all: the right one may be among those that are left.
    """
    end = time.process_time() + PATIENCE
    with (
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        if _right(
            examples
        ):  # up to a factor it is right as it is: then every change that does nothing would do
            return []
        found: list[Repair] = []
        for some in _statements(functions, seen):
            found += _smallest(functions, examples, some, end)
            if time.process_time() > end:
                return []
            if found and all(_makes_arrays(one, seen) for one in found):
                break  # what only calls may call the forward pass: then that is to be changed as well
    return found


def _smallest(
    functions: Sequence[Function],
    examples: Sequence[Example],
    some: Mapping[Function, Sequence[ast.stmt | ast.expr]],
    end: float,
) -> list[Repair]:
    """Return the smallest changes of some statements after which the program is right; of one statement first."""
    single = {f: list(_changes(f, functions, chosen)) for f, chosen in some.items()}
    in_one = {f: [*all_, *within_statements(all_)] for f, all_ in single.items()}
    in_several = {f: [c for c in together(all_) if _in_several(c)] for f, all_ in single.items()}
    for tried in (in_one, in_several):
        for cost in (1, 2, 3, 4):  # what is larger explains less
            found = _that_repair(tried, cost, examples, end)
            if found or time.process_time() > end:
                return found
    return []


def _makes_arrays(repair: Repair, seen: Slices) -> bool:
    """Return True if what is changed makes arrays itself, not only in functions that it calls."""
    return all(seen.made_by(repair.function, one) for one in repair.change.statements)


def _statements(
    functions: Sequence[Function], seen: Slices
) -> Iterator[dict[Function, list[ast.stmt | ast.expr]]]:
    """Yield the statements to change: first those of the backward pass, then those of the forward pass."""
    possible = {f: [s for s in statements(f) if seen.possible(f, s)] for f in functions}
    for forward in (False, True):
        yield {
            f: [s for s in some if seen.is_forward(f, s) is forward] for f, some in possible.items()
        }


def _in_several(change: Change) -> bool:
    """Return True for a change of several statements that leaves out no call of the program's own functions."""
    if len(change.statements) < 2:
        return False
    calls = {
        ast.unparse(node)
        for old in change.edits
        for node in ast.walk(old)
        if isinstance(node, ast.Call) and calls_its_own(node)
    }
    kept = {ast.unparse(node) for new in change.edits.values() for node in ast.walk(new)}
    return calls <= kept


def _changes(
    function: Function, functions: Sequence[Function], chosen: Sequence[ast.stmt | ast.expr]
) -> Iterator[Change]:
    scope = scope_of(function, functions)
    for statement in chosen:
        yield from changes(statement, scope)


def _that_repair(
    tried: Mapping[Function, Sequence[Change]], cost: int, examples: Sequence[Example], end: float
) -> list[Repair]:
    found: list[Repair] = []
    for function, some in tried.items():
        for group in _groups([change for change in some if change.cost == cost]):
            if time.process_time() > end:
                return []
            found += _all_tried(function, group, examples, end)
    return found


def _groups(changes: Sequence[Change]) -> Iterator[list[Change]]:
    """Yield changes of one statement together, others alone."""
    by_statement: dict[ast.AST, list[Change]] = {}
    for change in changes:
        alone = len(change.statements) > 1 or not isinstance(change.statements[0], ast.stmt)
        if alone:
            yield [change]
        else:
            by_statement.setdefault(change.statements[0], []).append(change)
    for group in by_statement.values():
        yield from (group[at : at + _AT_ONCE] for at in range(0, len(group), _AT_ONCE))


def _all_tried(
    function: Function, group: Sequence[Change], examples: Sequence[Example], end: float
) -> list[Repair]:
    edits = group[0].edits
    if len(group) > 1:
        (statement,) = group[0].statements
        assert isinstance(statement, ast.stmt)
        edits = {statement: with_choice(statement, [edited(statement, c.edits) for c in group])}
    try:
        code = function.compiled(edits)
    except (SyntaxError, ValueError, TypeError, RecursionError):  # one of them is not Python
        alone = group if len(group) > 1 else []
        return [repair for one in alone for repair in _all_tried(function, [one], examples, end)]
    found: list[Repair] = []
    with function.running(code), function.chosen() as choose:
        for k, change in enumerate(group):
            if time.process_time() > end:
                break
            choose(k)
            factor = _right(examples)
            if factor:
                found.append(Repair(function, change, factor[0]))
    return found


def _right(examples: Sequence[Example]) -> list[Factor | None]:
    """Return the factor with which the program is right now, on all examples; empty if it is not right."""
    first = examples[0]
    result = first.run()
    for factor in first.candidates(result):
        if first.right(result, factor) and all(
            one.right(one.run(whole=True), factor) for one in examples
        ):
            return [factor]
    return []
