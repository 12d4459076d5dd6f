"""`check` names the wrong line of NumPy programs in other people's styles, and none that is right."""

from __future__ import annotations

import ast
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from gradparity.check.at_the_line import Line, wrong_lines
from gradparity.check.at_the_line.kinds import changes
from gradparity.check.at_the_line.program import Function, edited, functions_that_run
from gradparity.check.at_the_line.scope import scope_of
from gradparity.check.at_the_line.search import statements
from gradparity.check.convention import Convention
from gradparity.check.judgement import Judged, Judgement, under
from gradparity.check.judging import judge
from gradparity.check.loading import load
from gradparity.check.observed import Observed
from gradparity.check.observing import vetted
from gradparity.check.own_loss import against_its_own_loss
from gradparity.check.report import Report
from gradparity.check.target import Target
from gradparity.processes import one_quiet_thread

from .lines.mistakes import MISTAKES

LINES = Path(__file__).parent / "lines"

QUICK = [0, 16, 33, 42, 48]
"""Mistakes of which the line is found in less than a second; `python -m tests.lines.measure` tries all."""


def loaded(folder: Path, name: str, right: str = "", wrong: str = "") -> Target:
    source = (LINES / f"{name}.py").read_text()
    assert not right or source.count(right) == 1
    changed = folder / f"{name}.py"
    changed.write_text(source.replace(right, wrong) if right else source)
    return load(str(changed), str(LINES / f"{name}_adapter.py"))


def lines_of(wrong: Target, right: Target) -> tuple[Line, ...]:
    """Judge the program in float64 on the vetted networks alone, under the right one's convention."""
    with one_quiet_thread():
        known = judge(right, {"float64": vetted(right, "float64")})
        assert known.explanation is None
        observed: dict[str, Observed] = {"float64": vetted(wrong, "float64")}
        return wrong_lines(wrong, under(known.convention, observed))


@pytest.mark.parametrize("at", QUICK, ids=lambda at: f"{MISTAKES[at][0]}-{at}")
def test_the_wrong_line(tmp_path: Path, at: int) -> None:
    name, right, wrong = MISTAKES[at]
    found = lines_of(loaded(tmp_path, name, right, wrong), load_right(name))
    source = (LINES / f"{name}.py").read_text()
    assert {line.line for line in found} == {source[: source.index(right)].count("\n") + 1}
    assert found[0].source == wrong
    ast.parse(found[0].change.rstrip(","))


def test_the_wrong_line_where_the_loss_is_its_own(tmp_path: Path) -> None:
    name, right, wrong = MISTAKES[6]
    changed = loaded(tmp_path, name, right, wrong)
    with one_quiet_thread():
        own = against_its_own_loss(changed, {"float64": vetted(changed, "float64")}, None, [])
        assert own is not None
        factor, observed = own
        judged = tuple(Judged(dtype, one) for dtype, one in observed.items())
        found = wrong_lines(changed, Judgement(Convention(factor=factor), judged, own_loss=True))
    assert [(line.source, line.change) for line in found] == [(wrong, right)]


def load_right(name: str) -> Target:
    return load(str(LINES / f"{name}.py"), str(LINES / f"{name}_adapter.py"))


@pytest.mark.parametrize(
    "name", sorted(path.stem.removesuffix("_adapter") for path in LINES.glob("*_adapter.py"))
)
def test_a_right_program_agrees_and_has_no_wrong_line(name: str) -> None:
    right = load_right(name)
    with one_quiet_thread():
        judgement = judge(right, {dtype: vetted(right, dtype) for dtype in ("float64", "float32")})
        assert judgement.findings
        assert judgement.right
        assert wrong_lines(right, judgement) == ()


@pytest.mark.parametrize("at", range(len(MISTAKES)))
def test_a_mistake_is_made_in_one_place_of_a_program(at: int) -> None:
    name, right, wrong = MISTAKES[at]
    source = (LINES / f"{name}.py").read_text()
    assert source.count(right) == 1
    ast.parse(changed := source.replace(right, wrong))
    assert ast.dump(ast.parse(changed)) != ast.dump(ast.parse(source))


def test_the_report_tells_the_line(tmp_path: Path) -> None:
    name, right, wrong = MISTAKES[0]
    found = lines_of(loaded(tmp_path, name, right, wrong), load_right(name))
    report = Report("blog.py", lines=[asdict(line) for line in found])
    assert list(report.details()) == [
        "the line (the change was tried: with it, all results are right):",
        "  blog.py:19: delta2 = delta3 @ w3.T * z2 * (1 - z2)",
        "    delta3, w3 right; z2 where a2 belongs",
        "    change: delta2 = delta3 @ w3.T * a2 * (1 - a2)",
    ]
    assert Report.from_json(report.as_json()).lines[0]["choice"] == 0


UPDATED_EARLY = (
    ("inplace", "        d_hidden = d_out @ self.W2.T\n", "        self.W2 -= lr * dW2\n"),
    ("eleven", "        l1_error = l2_delta.dot(syn1.T)\n", "        syn1 += l1.T.dot(l2_delta)\n"),
)


@pytest.mark.parametrize(("name", "use", "update"), UPDATED_EARLY)
def test_a_weight_that_is_updated_before_it_is_used(
    tmp_path: Path, name: str, use: str, update: str
) -> None:
    """The update and the use are to change places."""
    source = (LINES / f"{name}.py").read_text()
    early = source.replace(update, "").replace(use, update + use)
    found = lines_of(loaded(tmp_path, name, source, early), load_right(name))
    assert [(one.source, one.change) for one in found] == [
        (update.strip(), use.strip()),
        (use.strip(), update.strip()),
    ]
    assert {one.choice for one in found} == {0}
    assert all("is changed before it is used" in one.why for one in found)


def test_an_array_that_is_changed_in_place_under_another_name(tmp_path: Path) -> None:
    source = (LINES / "inplace.py").read_text()
    alias = source.replace("hidden.copy()", "hidden").replace("dW2 = hidden.T @ d_out", "pass")
    alias = alias.replace("        dW1 =", "        dW2 = hidden.T @ d_out\n        dW1 =")
    (line,) = lines_of(loaded(tmp_path, "inplace", source, alias), load_right("inplace"))
    assert (line.source, line.change) == ("slope = hidden", "slope = hidden.copy()")


def test_a_forgotten_activation_is_not_called_a_wrong_derivative(tmp_path: Path) -> None:
    """The line of the derivative is right: the activation may be missing in the forward pass, so none is named."""
    wrong = loaded(tmp_path, "helpers", "act(linear(cache[-1], w, b))", "linear(cache[-1], w, b)")
    with one_quiet_thread():
        judgement = judge(wrong, {"float64": vetted(wrong, "float64")})
        assert judgement.wrong is not None
        assert "identity" in judgement.convention.activations
        assert wrong_lines(wrong, judgement) == ()


def test_a_mistake_in_a_function_of_the_forward_pass_is_not_sought_in_its_calls(
    tmp_path: Path,
) -> None:
    wrong = loaded(tmp_path, "helpers", "return np.dot(x, w) + b", "return np.dot(x, w) - b")
    (line,) = lines_of(wrong, load_right("helpers"))
    assert (line.source, line.change) == ("return np.dot(x, w) - b", "return np.dot(x, w) + b")


def test_of_two_lambdas_in_a_line_the_wrong_one_is_changed(tmp_path: Path) -> None:
    right, wrong = "lambda a: a * (1 - a)", "lambda a: a * (1 - a) ** 2"
    (line,) = lines_of(loaded(tmp_path, "helpers", right, wrong), load_right("helpers"))
    assert wrong in line.source
    assert line.change == line.source.replace(wrong, right)


def test_a_change_that_runs_on_or_exits_is_a_change_that_is_not_right(tmp_path: Path) -> None:
    """With `n -= 1` the loop never ends, and in other shapes the program exits: neither ends the search."""
    wrong = loaded(tmp_path, "rows", "        n += 1", "        n += 2")
    (line,) = lines_of(wrong, load_right("rows"))
    assert (line.source, line.change) == ("n += 2", "n += 1")


def test_a_wrong_index_that_is_read_is_likelier_than_one_that_is_written(tmp_path: Path) -> None:
    right, wrong = 'dA = grads["dA" + str(l + 1)]', 'dA = grads["dA" + str(L - 1)]'
    (line,) = lines_of(loaded(tmp_path, "stacked", right, wrong), load_right("stacked"))
    assert (line.source, line.change) == (wrong, right)


def test_the_cache_and_what_reads_it_are_alternatives(tmp_path: Path) -> None:
    found = lines_of(loaded(tmp_path, "stacked", "cache = Z", "cache = A"), load_right("stacked"))
    assert [line.change for line in found] == ["cache = Z", "s = cache"]
    assert [line.choice for line in found] == [0, 1]


def test_several_changes_are_alternatives() -> None:
    line = {"file": "a.py", "line": 1, "source": "x", "operands": [], "why": "w", "change": "y"}
    one = Report("t", lines=[{**line, "choice": 0}, {**line, "choice": 0}])
    other = Report("t", lines=[{**line, "choice": 0}, {**line, "choice": 1}])
    assert next(one.details()).startswith("these lines")
    assert next(other.details()).startswith("one of these lines")


def test_a_mistake_that_no_small_change_undoes_has_no_line(tmp_path: Path) -> None:
    right = "delta2 = delta3 @ w3.T * a2 * (1 - a2)"
    wrong = "delta2 = np.cbrt(delta3 @ w3.T) * np.arctan(z2 + 0.3)"
    assert lines_of(loaded(tmp_path, "blog", right, wrong), load_right("blog")) == ()


def _step(x: np.ndarray, w: np.ndarray) -> np.ndarray:
    a = x @ w
    return a * (1 - a)


def the_function() -> Function:
    rng = np.random.default_rng(0)
    (found,) = [
        f
        for f in functions_that_run(lambda: _step(rng.random((3, 2)), rng.random((2, 4))), [])
        if isinstance(f.node, ast.FunctionDef) and f.node.name == "_step"
    ]
    return found


def test_a_changed_function_is_itself_again() -> None:
    function, x = the_function(), np.ones((1, 2))
    before = _step(x, np.ones((2, 2)))
    statement = list(statements(function))[-1]
    scope = scope_of(function, [function])
    drop = next(c for c in changes(statement, scope) if c.why == "a does not belong there")
    with function.running(function.compiled(drop.edits)):
        assert not np.array_equal(_step(x, np.ones((2, 2))), before)
    assert np.array_equal(_step(x, np.ones((2, 2))), before)
    assert ast.unparse(edited(statement, drop.edits)) != ast.unparse(statement)


def test_changes_do_not_touch_the_tree() -> None:
    function = the_function()
    before = ast.dump(function.node)
    scope = scope_of(function, [function])
    for statement in statements(function):
        tried = list(changes(statement, scope))
        for change in tried:
            function.compiled(change.edits)
        texts = {ast.unparse(edited(statement, change.edits)) for change in tried}
        assert texts - {ast.unparse(statement)}
    assert ast.dump(function.node) == before
