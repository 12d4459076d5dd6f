"""The small changes of a statement that are tried: another array, factor, operand, operator, index, axis or order."""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterator, Sequence
from functools import cached_property

import numpy as np

from .changes import Change
from .program import Shape, atoms, edited, shape_of
from .scope import Scope
from .slices import calls_its_own
from .trees import (
    anonymous,
    called,
    copied,
    expression,
    factors_of,
    instead,
    is_product,
    renamed,
    short,
    simplified,
    stored,
    without_keyword,
)

_SWAPPED: dict[type[ast.operator], tuple[type[ast.operator], ...]] = {
    ast.Add: (ast.Sub, ast.Mult),
    ast.Sub: (ast.Add, ast.Mult),
    ast.Mult: (ast.Div, ast.MatMult, ast.Add),
    ast.Div: (ast.Mult,),
    ast.MatMult: (ast.Mult,),
    ast.Pow: (ast.Mult,),
}
_COMPARED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Gt: ast.Lt,
    ast.Lt: ast.Gt,
    ast.GtE: ast.LtE,
    ast.LtE: ast.GtE,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
}
_REDUCTIONS = {"sum": "mean", "mean": "sum"}
_MOST_RENAMED = 24


def changes(statement: ast.stmt | ast.expr, scope: Scope) -> Iterator[Change]:
    """Yield the small changes of a statement, the smallest first."""
    made = _Kinds(statement, scope)
    for kind in (
        made.renamed,
        made.computed,
        made.swapped,
        made.copied,
        made.later,
        made.indices,
        made.operators,
        made.assigned,
        made.transposed,
        made.reduced,
        made.numbers,
        made.branches,
        made.dropped,
        made.applied,
        made.factors,
        made.addends,
        made.products,
        made.calls,
    ):
        yield from kind()


class _Kinds:
    def __init__(self, statement: ast.stmt | ast.expr, scope: Scope) -> None:
        self.statement, self.scope = statement, scope
        self.body = _body(statement)
        self.parents = {
            child: node
            for root in self.body
            for node in ast.walk(root)
            for child in ast.iter_child_nodes(node)
        }
        self.nodes = [node for root in self.body for node in ast.walk(root)]

    def change(
        self, old: ast.AST, new: ast.AST, why: str = "", cost: int = 1, key: str = ""
    ) -> Change:
        if not key:
            key = anonymous(f"{ast.unparse(old)} > {ast.unparse(new)}")
        return Change({old: new}, (self.statement,), why or instead(old, new), cost, key)

    @cached_property
    def _first_number(self) -> int:
        numbers = re.findall(r"(?<=[A-Za-z_])\d+", ast.unparse(self.statement))
        return int(numbers[0]) if numbers else 0

    def relative(self, text: str) -> str:
        """Return the text with the numbers in its names counted from the first one in the statement."""
        first = self._first_number
        return re.sub(r"(?<=[A-Za-z_])\d+", lambda m: f"<{int(m[0]) - first}>", text)

    def renamed(self) -> Iterator[Change]:
        """Another array or number of the same shape: everywhere in the statement, or in one place."""
        found: dict[str, list[ast.expr]] = {}
        for root in self.body:
            for atom in atoms(root):
                found.setdefault(ast.unparse(atom), []).append(atom)
        values = self.scope.values
        for old, nodes in found.items():
            if old in self.scope.functions:
                others = [f for f in self.scope.functions if f != old and _alike(f, old)]
            elif old in values:
                shape = values[old]
                others = [
                    t
                    for t, s in values.items()
                    if t != old and (sorted(s) == sorted(shape) or _numbered_alike(t, old))
                ]
            elif old in self.scope.containers:
                kinds = self.scope.containers
                others = [t for t, kind in kinds.items() if t != old and kind is kinds[old]]
            else:
                continue
            for new in others[:_MOST_RENAMED]:
                whole = {node: expression(new, node) for node in nodes}
                key = self.relative(f"{old} > {new}")
                yield Change(whole, (self.statement,), f"{old} where {new} belongs", 1, key)
                if len(nodes) > 1:
                    for node in nodes:
                        yield self.change(node, expression(new, node), key=f"one {key}")

    def computed(self) -> Iterator[Change]:
        """An array that there is, in place of one that is computed."""
        for node in self.nodes:
            if isinstance(node, ast.BinOp):
                shape = self.scope.function.shape(node)
                for name in self._of_shape(shape) if shape else ():
                    yield self.change(node, expression(name, node))

    def swapped(self) -> Iterator[Change]:
        """Two arrays in each other's place."""
        texts: dict[str, list[ast.expr]] = {}
        for root in self.body:
            for atom in atoms(root):
                if ast.unparse(atom) in self.scope.values:
                    texts.setdefault(ast.unparse(atom), []).append(atom)
        names = list(texts)
        for i, one in enumerate(names):
            for other in names[i + 1 :]:
                edits = {n: expression(other, n) for n in texts[one]}
                edits |= {n: expression(one, n) for n in texts[other]}
                yield Change(
                    edits, (self.statement,), f"{one} and {other} in each other's place", 2
                )
        for node in self.nodes:
            if isinstance(node, ast.Tuple | ast.List) and isinstance(node.ctx, ast.Load):
                for i, a in enumerate(node.elts):
                    for b in node.elts[i + 1 :]:
                        why = f"{ast.unparse(a)} and {ast.unparse(b)} in each other's place"
                        yield Change({a: b, b: a}, (self.statement,), why, 2)

    def copied(self) -> Iterator[Change]:
        """A copy of an array, which something changes in place."""
        if isinstance(self.statement, ast.Assign) and self.scope.values.get(
            text := ast.unparse(self.statement.value)
        ):
            new = expression(f"{text}.copy()", self.statement.value)
            why = f"{text} itself is changed in place later, where a copy belongs"
            yield self.change(self.statement.value, new, why)

    def later(self) -> Iterator[Change]:
        """A statement before this one that changes what this one reads: the two in each other's place."""
        if not _is_short_assignment(self.statement):
            return
        reads = {ast.unparse(atom) for root in self.body for atom in atoms(root)}
        for other in filter(_is_short_assignment, self.scope.function.before(self.statement)):
            for changed in reads & set(_targets(other)):
                edits: dict[ast.AST, ast.AST] = {other: self.statement, self.statement: other}
                why = f"{changed} is changed before it is used: the two lines in each other's place"
                yield Change(edits, (other, self.statement), why, 2)

    def indices(self) -> Iterator[Change]:
        """An index one further, or one less; another key of a table of functions."""
        for node in self.nodes:
            if isinstance(node, ast.Subscript):
                for index in ast.walk(node.slice):
                    for text in [*_next_to(index), *self._other_indices(index)]:
                        yield self._index(node, index, text)
                for text in self._other_keys(node):
                    yield self._index(node, node.slice, text)

    def _other_keys(self, node: ast.Subscript) -> list[str]:
        table = self.scope.function.value(ast.unparse(node.value))
        if not isinstance(table, dict) or not isinstance(node.slice, ast.Constant):
            return []
        others = [
            key for key, value in table.items() if shape_of(value) is None
        ]  # of arrays, see `renamed`
        return [repr(key) for key in others[:_MOST_RENAMED] if key != node.slice.value]

    def _index(self, node: ast.Subscript, index: ast.AST, text: str) -> Change:
        new = simplified(expression(text, index))
        whole = edited(node, {index: new})
        cost = 2 if isinstance(node.ctx, ast.Store) else 1  # likelier is a wrong one that is read
        return self.change(index, new, instead(node, whole), cost)

    def _other_indices(self, index: ast.AST) -> Iterator[str]:
        """Yield other integers, and those next to them: `l + 1` for `L - 1`."""
        if _is_stepped(index):
            for name in self.scope.values:
                if name.isidentifier() and isinstance(self.scope.function.value(name), int):
                    yield from (name, f"{name} + 1", f"{name} - 1")

    def operators(self) -> Iterator[Change]:
        """Another operator, the operands exchanged, or a sign."""
        for node in self.nodes:
            if isinstance(node, ast.BinOp):
                for op in _SWAPPED.get(type(node.op), ()):
                    new = ast.BinOp(node.left, op(), node.right)
                    yield self.change(node, ast.copy_location(new, node))
                if isinstance(node.op, ast.Sub | ast.MatMult | ast.Div):
                    new = ast.BinOp(node.right, node.op, node.left)
                    yield self.change(node, ast.copy_location(new, node))
            elif isinstance(node, ast.Compare) and len(node.ops) == 1:
                if type(node.ops[0]) in _COMPARED:
                    flipped = _COMPARED[type(node.ops[0])]()
                    new_compare = ast.Compare(node.left, [flipped], node.comparators)
                    yield self.change(node, ast.copy_location(new_compare, node))
            elif isinstance(node, ast.Call) and len(node.args) >= 2:
                exchanged = [node.args[1], node.args[0], *node.args[2:]]
                yield self.change(node, called(node, node.func, exchanged))
        for place in self._places():
            negative = ast.UnaryOp(ast.USub(), place)
            parent = self.parents.get(place)
            given = isinstance(parent, ast.Call) and calls_its_own(
                parent
            )  # likelier within what is called
            why = f"the sign of {short(place)} is wrong"
            yield self.change(place, ast.copy_location(negative, place), why, 2 if given else 1)

    def assigned(self) -> Iterator[Change]:
        """Another operator of an assignment: `+=` for `=`, `=` for `+=`, `-=` for `+=`."""
        statement = self.statement
        if isinstance(statement, ast.AugAssign):
            for op in (ast.Add, ast.Sub, ast.Mult, ast.Div):
                if not isinstance(statement.op, op):
                    aug = ast.AugAssign(statement.target, op(), statement.value)
                    yield self.change(statement, ast.copy_location(aug, statement))
            target = copied(statement.target, statement.target)
            stored(target)
            plain = ast.Assign([target], statement.value)
            yield self.change(statement, ast.copy_location(plain, statement))
        elif isinstance(statement, ast.Assign) and len(statement.targets) == 1:
            (place,) = statement.targets
            if isinstance(place, ast.Name | ast.Attribute | ast.Subscript):
                added = ast.AugAssign(place, ast.Add(), statement.value)
                yield self.change(statement, ast.copy_location(added, statement))

    def transposed(self) -> Iterator[Change]:
        """A transpose put in or left out."""
        for node in self.nodes:
            parent = self.parents.get(node)
            if isinstance(node, ast.Attribute) and node.attr == "T":
                yield self.change(node, node.value)
                continue
            if isinstance(parent, ast.Attribute) and parent.attr == "T":
                continue
            if not isinstance(node, ast.expr):
                continue
            read = isinstance(getattr(node, "ctx", _READ), ast.Load)
            if read and self.scope.values.get(ast.unparse(node)):
                new = ast.Attribute(node, "T", ast.Load())
                yield self.change(node, ast.copy_location(new, node))

    def reduced(self) -> Iterator[Change]:
        """A sum for a mean, another axis, with or without `keepdims`."""
        for node in self.nodes:
            if not isinstance(node, ast.Call):
                continue
            if isinstance(node.func, ast.Attribute) and node.func.attr in _REDUCTIONS:
                other = ast.Attribute(node.func.value, _REDUCTIONS[node.func.attr], ast.Load())
                ast.copy_location(other, node.func)
                yield self.change(node, called(node, other, node.args))
            name = ast.unparse(node.func).rpartition(".")[2]
            given = {keyword.arg for keyword in node.keywords}
            if name in _REDUCTIONS and "axis" not in given:
                of_numpy = ast.unparse(node.func).startswith(("np.", "numpy."))
                if len(node.args) == (1 if of_numpy else 0):
                    for axis in (0, 1):
                        text = f"{ast.unparse(node.func)}(axis={axis})"
                        with_axis = expression(text, node)
                        assert isinstance(with_axis, ast.Call)
                        new = ast.Call(node.func, node.args, [*with_axis.keywords, *node.keywords])
                        yield self.change(
                            node, ast.copy_location(new, node), f"axis={axis} is missing"
                        )
            for keyword in node.keywords:
                value = keyword.value
                if keyword.arg == "keepdims":
                    yield self.change(node, without_keyword(node, "keepdims"))
                elif keyword.arg == "axis" and isinstance(value, ast.Constant):
                    yield self.change(
                        value,
                        ast.copy_location(
                            ast.Constant(1 - value.value if value.value in (0, 1) else 0), value
                        ),
                        f"{ast.unparse(keyword)} is the wrong axis",
                    )
                    yield self.change(node, without_keyword(node, "axis"))
                elif isinstance(value, ast.Constant) and isinstance(value.value, bool):
                    yield self.change(
                        value,
                        ast.copy_location(ast.Constant(not value.value), value),
                        f"{keyword.arg}={value.value} is wrong",
                    )

    def numbers(self) -> Iterator[Change]:
        """Another constant."""
        for node in self.nodes:
            if not isinstance(node, ast.Constant):
                continue
            if isinstance(node.value, bool):
                yield self.change(node, ast.copy_location(ast.Constant(not node.value), node))
            elif isinstance(node.value, int | float):
                parent = self.parents.get(node)
                if isinstance(parent, ast.Subscript):
                    continue
                c = node.value
                for new in dict.fromkeys((1, 2, c + 1, c - 1, 2 * c, c / 2, 0, -c)):
                    if new != c:
                        value = expression(repr(new), node)
                        yield self.change(node, value)

    def branches(self) -> Iterator[Change]:
        """The other branch of a conditional expression."""
        for node in self.nodes:
            if isinstance(node, ast.IfExp):
                for branch, other in ((node.body, node.orelse), (node.orelse, node.body)):
                    yield self.change(node, branch, f"{short(other)} where {short(branch)} belongs")

    def dropped(self) -> Iterator[Change]:
        """An operand, or what is done with it, left out."""
        for node in self.nodes:
            if isinstance(node, ast.BinOp):
                sides = [(node.left, node.right), (node.right, node.left)]
                if isinstance(node.op, ast.Div | ast.Pow):
                    sides = sides[:1]
                for kept, left_out in sides:
                    if isinstance(node.op, ast.Sub) and kept is node.right:
                        continue
                    yield self.change(node, kept, f"{short(left_out)} does not belong there")
            elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
                yield self.change(node, node.operand)
            elif isinstance(node, ast.Call) and len(node.args) == 1:
                yield self.change(node, node.args[0])
        if isinstance(self.statement, ast.Assign | ast.AugAssign | ast.Expr):
            nothing = ast.copy_location(ast.Pass(), self.statement)
            yield self.change(self.statement, nothing, "it does not belong there", 2)

    def applied(self) -> Iterator[Change]:
        """A function of the program applied to an array."""
        for root in self.body:
            names = {t for t in map(ast.unparse, atoms(root)) if self.scope.values.get(t)}
            for name in names:
                nodes = [n for n in atoms(root) if ast.unparse(n) == name]
                for function in self.scope.functions:
                    if function.startswith(("np.", "numpy.")) or function in dir(builtins):
                        continue
                    text = f"{function}({name})"
                    edits = {node: expression(text, node) for node in nodes}
                    why = f"{name} where {text} belongs"
                    yield Change(edits, (self.statement,), why, 2, self.relative(why))

    def products(self) -> Iterator[Change]:
        """One or two factors of a product left out, or a slope in their place."""
        for node in self.nodes:
            parent = self.parents.get(node)
            if not isinstance(node, ast.expr) or not is_product(node) or is_product(parent):
                continue
            factors = factors_of(node)
            for k in (1, 2):
                for at in range(len(factors) - k + 1):
                    some, rest = factors[at : at + k], factors[:at] + factors[at + k :]
                    shown = short(self._product(some, node))
                    if k == 2 and rest:
                        why = f"{shown} does not belong there"
                        yield self.change(node, self._product(rest, node), why)
                    shape = self.scope.function.shape(some[0])
                    for slope in _SLOPES:
                        for name in self._of_shape(shape):
                            new = expression(slope.format(a=name), node)
                            whole = self._product([*factors[:at], new, *factors[at + k :]], node)
                            why = f"{shown} where {short(new)} belongs"
                            yield self.change(node, whole, why, 2)

    def _product(self, factors: Sequence[ast.expr], at: ast.AST) -> ast.expr:
        whole = factors[0]
        for factor in factors[1:]:
            whole = ast.copy_location(ast.BinOp(whole, ast.Mult(), factor), at)
        return whole

    def calls(self) -> Iterator[Change]:
        """A function applied, or what it stands for put in its place."""
        for node in self.nodes:
            if isinstance(node, ast.Call) and len(node.args) == 1:
                for slope in _SLOPES:
                    for text in self._same_shape(node.args[0]):
                        factor = slope.format(a=text)
                        new = expression(f"({ast.unparse(node.args[0])}) * {factor}", node)
                        yield self.change(node, new, cost=3)
                        new = expression(factor, node)
                        yield self.change(node, new, cost=2)

    def factors(self) -> Iterator[Change]:
        """A factor that is missing."""
        for place in self._places():
            text = ast.unparse(place)
            shape = self.scope.function.shape(place)
            for scalar in self.scope.scalars:
                for op in "*/":
                    word = "factor" if op == "*" else "division by"
                    yield self.change(
                        place,
                        expression(f"({text}) {op} {scalar}", place),
                        f"the {word} {scalar} is missing",
                        2,
                        f"{anonymous(text)} {op} {scalar}",
                    )
            for name, other in self.scope.values.items():
                if not other or name == text or not _fits(other, shape):
                    continue
                for slope in ("{a}", *_SLOPES):
                    factor = slope.format(a=name)
                    yield self._factor(place, text, factor)
            for factor, name in self.scope.slopes.items():
                for another in self._renamings(name):
                    if _fits(self.scope.values[another], shape):
                        yield self._factor(place, text, f"({renamed(factor, name, another)})")

    def _factor(self, place: ast.expr, text: str, factor: str) -> Change:
        new = expression(f"({text}) * {factor}", place)
        shown = ast.unparse(ast.parse(factor))
        key = f"{anonymous(text)} * {self.relative(factor)}"
        return self.change(place, new, f"the factor {shown} is missing", 2, key)

    def addends(self) -> Iterator[Change]:
        """A term that is missing."""
        for place in self._places():
            text, shape = ast.unparse(place), self.scope.function.shape(place)
            for addend in self.scope.addends:
                names = [
                    t
                    for t in map(ast.unparse, atoms(expression(addend, place)))
                    if self.scope.values.get(t)
                ]
                for name in names[:1]:
                    for other in self._renamings(name):
                        if shape is not None and self.scope.values[other] != shape:
                            continue
                        term = renamed(addend, name, other)
                        new = expression(f"{ast.unparse(place)} + {term}", place)
                        key = f"{anonymous(text)} + {self.relative(term)}"
                        yield self.change(place, new, f"the term {term} is missing", 2, key)

    def _renamings(self, name: str) -> list[str]:
        """Return the arrays of which a factor or a term of `name` can be as well."""
        dims = len(self.scope.values.get(name, ()))
        return [t for t, s in self.scope.values.items() if s and len(s) == dims][:_MOST_RENAMED]

    def _same_shape(self, node: ast.expr) -> list[str]:
        return self._of_shape(self.scope.function.shape(node))

    def _of_shape(self, shape: Shape | None) -> list[str]:
        return [t for t, s in self.scope.values.items() if s and shape in {None, s}]

    def _places(self) -> Iterator[ast.expr]:
        """Yield the expressions that can have a factor, a product only once."""
        for node in self.nodes:
            if not isinstance(node, ast.expr) or isinstance(node, _NO_PLACES):
                continue
            if isinstance(getattr(node, "ctx", ast.Load()), ast.Store):
                continue
            parent = self.parents.get(node)
            if isinstance(parent, ast.BinOp) and isinstance(parent.op, ast.Mult | ast.Div):
                continue
            if isinstance(parent, ast.Call) and node is parent.func:
                continue
            of_a_sum = isinstance(parent, ast.Attribute) and isinstance(node, ast.BinOp)
            if isinstance(parent, _NO_PARENTS) and not of_a_sum:
                continue
            if isinstance(parent, ast.UnaryOp | ast.Starred):
                continue
            yield node


_NO_PLACES = (
    ast.Constant | ast.Tuple | ast.List | ast.Slice | ast.Dict | ast.JoinedStr | ast.Starred
)
_READ = ast.Load()
_NO_PARENTS = ast.Attribute | ast.Subscript | ast.keyword | ast.FormattedValue | ast.Slice
_SLOPES = ("{a} * (1 - {a})", "(1 - {a} ** 2)", "({a} > 0)", "(1 - {a})")


def _body(statement: ast.stmt | ast.expr) -> list[ast.AST]:
    """Return the parts of a statement that are its own: of a loop or a condition, the head."""
    if isinstance(statement, ast.For):
        return [statement.iter]
    if isinstance(statement, ast.If | ast.While):
        return [statement.test]
    return [statement]


def _is_short_assignment(statement: ast.AST) -> bool:
    return (
        isinstance(statement, ast.Assign | ast.AugAssign)
        and statement.lineno == statement.end_lineno
    )


def _targets(statement: ast.AST) -> list[str]:
    """Return what an assignment sets."""
    one = [statement.target] if isinstance(statement, ast.AugAssign) else []
    return [ast.unparse(target) for target in (one or getattr(statement, "targets", []))]


def _is_stepped(index: ast.AST) -> bool:
    """Return True for `k + 1` and the like."""
    return (
        isinstance(index, ast.BinOp)
        and isinstance(index.op, ast.Add | ast.Sub)
        and isinstance(index.right, ast.Constant)
    )


def _next_to(index: ast.AST) -> list[str]:
    """Return what an index is that is one further, or one less: of `k`, `2`, `k - 1`, or "W2"."""
    if isinstance(index, ast.Constant) and isinstance(index.value, int):
        return [str(index.value + 1), str(index.value - 1)]
    if isinstance(index, ast.Constant) and isinstance(index.value, str):
        text = index.value
        return [
            repr(text.replace(digit, str(int(digit) + k), 1))
            for digit in re.findall(r"\d+", text)[:1]
            for k in (1, -1)
        ]
    if isinstance(index, ast.Name) or _is_stepped(index):
        return [f"{ast.unparse(index)} + 1", f"{ast.unparse(index)} - 1"]
    return []


def _fits(factor: Shape, shape: Shape | None) -> bool:
    """Return True if a factor of this shape may belong to an array of that shape."""
    if shape is None:
        return True
    try:
        return np.broadcast_shapes(factor, shape) == shape
    except ValueError:
        return False


def _numbered_alike(one: str, other: str) -> bool:
    """Return True for names that differ in their numbers alone: `db1`, `db2`."""
    return re.sub(r"\d", "", one) == re.sub(r"\d", "", other)


def _alike(one: str, other: str) -> bool:
    return one.rpartition(".")[0] == other.rpartition(".")[0]
