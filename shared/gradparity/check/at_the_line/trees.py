"""Make and read expressions of a program."""

from __future__ import annotations

import ast
import re

from .program import ATOMS


def expression(text: str, at: ast.AST) -> ast.expr:
    """Return the tree of an expression, placed where `at` stands."""
    return placed(ast.parse(text, mode="eval").body, at)


def placed(node: ast.expr, at: ast.AST) -> ast.expr:
    """Return the node, placed where `at` stands, with all parts that have no place."""
    for one in ast.walk(node):
        ast.copy_location(one, at)
    return node


def copied(node: ast.AST, at: ast.AST) -> ast.expr:
    """Return a copy of an expression, placed where `at` stands."""
    return expression(ast.unparse(node), at)


def is_product(node: ast.AST | None) -> bool:
    """Return True for a product; of `np.multiply` too."""
    if isinstance(node, ast.Call):
        return ast.unparse(node.func) == "np.multiply" and len(node.args) == 2
    return isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult)


def factors_of(node: ast.expr) -> list[ast.expr]:
    """Return the factors of a product, however nested; of anything else, itself."""
    if not is_product(node):
        return [node]
    if isinstance(node, ast.Call):
        return [*factors_of(node.args[0]), *factors_of(node.args[1])]
    assert isinstance(node, ast.BinOp)
    return [*factors_of(node.left), *factors_of(node.right)]


def short(node: ast.AST) -> str:
    """Return what is written, in one line of some forty characters."""
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= 40 else text[:39] + "…"


def anonymous(text: str) -> str:
    """Return the text with its names replaced by numbers in the order in which they appear."""
    names: dict[str, str] = {}
    return re.sub(
        r"[A-Za-z_][\w.]*?(?=\.\w+\(|(?![\w.(]))",
        lambda m: names.setdefault(m[0], f"v{len(names)}"),
        text,
    )


def instead(old: ast.AST, new: ast.AST) -> str:
    """Say that one thing belongs in another's place."""
    return f"{short(old)} where {short(new)} belongs"


def called(node: ast.Call, function: ast.expr, arguments: list[ast.expr]) -> ast.Call:
    """Return the call with another function and other arguments."""
    return ast.copy_location(ast.Call(function, arguments, node.keywords), node)


def without_keyword(node: ast.Call, name: str) -> ast.Call:
    """Return the call without a keyword argument."""
    left = [k for k in node.keywords if k.arg != name]
    return ast.copy_location(ast.Call(node.func, node.args, left), node)


def stored(node: ast.AST) -> None:
    """Make a name, attribute or element one that is assigned to."""
    if isinstance(node, ATOMS):
        node.ctx = ast.Store()


def renamed(text: str, old: str, new: str) -> str:
    """Return an expression with one name for another."""
    return re.sub(rf"(?<![\w.]){re.escape(old)}(?!\w)", new.replace("\\", r"\\"), text)


def simplified(node: ast.expr) -> ast.expr:
    """Return `k` for `k + 1 - 1`, and the like."""
    if isinstance(node, ast.BinOp) and isinstance(node.left, ast.BinOp):
        first, second = _step(node.left), _step(node)
        if first is not None and second is not None:
            total, start = first + second, node.left.left
            if total == 0:
                return start
            sign = "+" if total > 0 else "-"
            return expression(f"{ast.unparse(start)} {sign} {abs(total)}", node)
    return node


def _step(node: ast.BinOp) -> int | None:
    """Return what is added at the end of `k + 1`, or -1 for `k - 1`."""
    number = node.right.value if isinstance(node.right, ast.Constant) else None
    if not isinstance(number, int) or not isinstance(node.op, ast.Add | ast.Sub):
        return None
    return number if isinstance(node.op, ast.Add) else -number
