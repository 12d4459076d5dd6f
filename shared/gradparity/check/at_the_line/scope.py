"""What the statements of a program can be made of."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from .program import Function, Shape, atoms, shape_of


@dataclass(eq=False)
class Scope:
    """What the statements of a program can be made of.

    Attributes:
        values: for each name, attribute or element, its shape: () for a number.
        slopes: factors of one array that stand somewhere, each with that array's text: `(1 - a2 ** 2)`, `slope(z1)`.
        scalars: numbers that stand somewhere: `len(x)`, `m`, `0.5`.
        addends: terms that stand somewhere: `lam * W2`.
    """

    function: Function
    values: dict[str, Shape] = field(default_factory=dict)
    functions: set[str] = field(default_factory=set)
    containers: dict[str, type] = field(default_factory=dict)
    slopes: dict[str, str] = field(default_factory=dict)
    scalars: dict[str, float] = field(default_factory=dict)
    addends: dict[str, None] = field(default_factory=dict)


def scope_of(function: Function, functions: Sequence[Function]) -> Scope:
    """Collect what a function's statements can be made of."""
    scope = Scope(function)
    read = map(ast.unparse, atoms(function.node))
    names = (node.id for node in ast.walk(function.node) if isinstance(node, ast.Name))
    texts = dict.fromkeys([*read, *names])  # also what is set, and then forgotten
    for text in sorted(texts, key=lambda text: not text.isidentifier()):
        value = function.value(text)
        shape = shape_of(value)
        if shape:
            scope.values[text] = shape
        elif shape == ():
            scope.values[text] = ()
            _add_number(text, scope)
        elif callable(value):
            scope.functions.add(text)
        elif isinstance(value, list | tuple | dict):
            scope.containers[text] = type(value)
    for text in ("2", "0.5"):
        _add_number(text, scope)
    for other in functions:
        for node in ast.walk(other.node):
            if not isinstance(node, ast.expr):
                continue
            _donate(node, scope)
    return scope


def _add_number(text: str, scope: Scope) -> None:
    """Add a number; one without a name only if none has the same value."""
    value = scope.function.value(text)
    if shape_of(value) != () or float(value) in {0.0, 1.0}:
        return
    if text.isidentifier() or float(value) not in scope.scalars.values():
        scope.scalars[text] = float(value)


def _donate(node: ast.expr, scope: Scope) -> None:
    arrays = {t for t in map(ast.unparse, atoms(node)) if scope.values.get(t)}
    text = ast.unparse(node)
    if len(text) > 60:
        return
    called = isinstance(node, ast.Call)
    if re.search(r"^len\(|\.(shape\[\d\]|size)$", text):
        _add_number(text, scope)
    elif isinstance(node, ast.BinOp | ast.Compare) or called:
        in_product = isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult | ast.MatMult)
        if len(arrays) == 1 and not in_product:
            scope.slopes.setdefault(text, next(iter(arrays)))
        if in_product and len(arrays) == 1 and len(text) < 30:
            scope.addends.setdefault(text, None)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div) and len(arrays) == 1:
            scope.addends.setdefault(text, None)
