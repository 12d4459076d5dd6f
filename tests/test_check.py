"""`gradparity check`: right homework in any shape is right, wrong homework is named, nasty homework harms nobody."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from gradparity.check import process, seeking
from gradparity.check.answer import answer
from gradparity.check.conclusion import Conclusion, conclude
from gradparity.check.examine import examine
from gradparity.check.judging import judge
from gradparity.check.loading import load, wrap
from gradparity.check.observed import Observed
from gradparity.check.process import check
from gradparity.check.report import Report
from gradparity.check.target import Limits
from gradparity.contract import Params, Schedule, Trajectory, map_params
from gradparity.diagnosis.diagnose import Diagnosis
from gradparity.errors import InputError
from gradparity.reference.step import StepValues
from gradparity.verdict.case import Case
from gradparity.verdict.judge import PHASES
from gradparity.verdict.observation import Observation

from .helpers import CommandLine, informative_case
from .support.conventions import (
    Program,
    all_42,
    cross_entropy,
    fourth_powers,
    half_squares,
    in_one_layer,
    of_labels,
    one_entry_off,
)
from .support.submissions import ADAPTERS, NO_SLOPE, submission


def verdict(target: str, adapter: str | None = None) -> Report:
    found = load(target, None if adapter is None else str(ADAPTERS / adapter))
    return examine(found, level="quick")


def homework(folder: Path, *changes: tuple[str, str]) -> Report:
    return verdict(submission(folder, "class_homework.py", *changes), "class_adapter.py")


# --- the worked adapters -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "adapter", "headline"),
    [
        ("class_homework.py", "class_adapter.py", "a correct gradient of N/2 times the MSE"),
        ("script_homework.py", "script_adapter.py", "right: "),
        ("torch_module.py:Net", None, "right: "),
        ("jax_loss.py:loss", None, "right: "),
    ],
)
def test_worked_adapters(target: str, adapter: str | None, headline: str) -> None:
    report = verdict(str(ADAPTERS / target), adapter)
    assert (report.verdict, list(report.diagnosis)) == ("agree", [])
    assert report.headline.startswith(headline)
    assert all(p["verdict"] == "agree" for d in report.phases.values() for p in d.values())


@pytest.mark.parametrize("adapter", sorted(ADAPTERS.glob("*_adapter.py")), ids=lambda p: p.stem)
def test_adapters_are_short(adapter: Path) -> None:
    code = [line for line in adapter.read_text().splitlines() if line.strip()]
    assert len(code) <= 15


# --- the whole contract -------------------------------------------------------------------------------------------

COUPLED = """
from dataclasses import replace

from gradparity.implementations import impl_numpy
from gradparity.implementations.impl_numpy import forward, loss_and_grads


def train(network, params, inputs, targets, schedule, state=None):
    return impl_numpy.train(network, params, inputs, targets, replace(schedule, decoupled=False), state)
"""


@pytest.mark.parametrize("name", ["numpy", "torch"])
def test_an_implementation_of_the_whole_contract(name: str) -> None:
    core, full = examine(load(name), level="quick"), examine(load(name), "full", level="quick")
    assert (full.verdict, list(full.not_judged)) == ("agree", [])
    for dtype, phases in full.phases.items():
        for phase, found in phases.items():
            assert found["verdict"] == "agree"
            assert found["tensors"] > core.phases[dtype][phase]["tensors"]


def test_what_only_the_whole_contract_shows(tmp_path: Path) -> None:
    """Decoupled weight decay coupled: the core networks have none, and show nothing of it."""
    path = tmp_path / "coupled.py"
    path.write_text(COUPLED)
    assert verdict(str(path)).verdict == "agree"
    report = examine(load(str(path)), "full", level="quick")
    assert report.verdict == "disagree"
    shown = "\n".join((report.title, *report.details()))
    assert "the weight decay is coupled, not decoupled: it computes g ← g + λ w" in shown
    assert "decoupled weight decay: 3-4-2, update" in shown


PART = """
from gradparity.implementations import impl_numpy
from gradparity.implementations.impl_numpy import forward, train


def loss_and_grads(network, *arguments):
    if any(layer.activation == "relu" for layer in network.layers):
        raise ValueError("no ReLU here")
    return impl_numpy.loss_and_grads(network, *arguments)
"""


def test_a_part_of_the_contract_is_not_the_whole(tmp_path: Path) -> None:
    (tmp_path / "part.py").write_text(PART)
    report = examine(load(str(tmp_path / "part.py")), "full", level="quick")
    assert report.verdict == "abstain"
    assert "this is not the whole contract" in report.headline
    assert "ReLU, the kink met" in report.headline
    assert verdict(str(tmp_path / "part.py")).verdict == "agree"
    (tmp_path / "untrained.py").write_text(
        "from gradparity.implementations.impl_numpy import forward, loss_and_grads"
    )
    report = examine(load(str(tmp_path / "untrained.py")), "full", level="quick")
    assert report.verdict == "abstain"
    assert "it has no train, so no optimizer was judged" in report.headline


def test_adapters_and_modules_are_judged_on_the_whole_contract_too() -> None:
    """As far as their widths allow."""
    module = load(str(ADAPTERS / "torch_module.py:Net"))
    adapted = load(str(ADAPTERS / "class_homework.py"), str(ADAPTERS / "class_adapter.py"))
    for target in (module, adapted):
        assert examine(target, "full", level="quick").verdict == "agree"


# --- conventions -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "headline"),
    [
        ("2 * (self.forward(x) - y) / len(x)", "right: "),
        ("(self.forward(x) - y) / len(x)", "a correct gradient of ½ times the MSE"),
        ("2 * (self.forward(x) - y)", "a correct gradient of N times the MSE"),
    ],
)
def test_other_multiples_of_the_mse_are_conventions(
    tmp_path: Path, error: str, headline: str
) -> None:
    report = homework(tmp_path, ("self.forward(x) - y", error))
    assert (report.verdict, list(report.diagnosis)) == ("agree", [])
    assert report.headline.startswith(headline)


def test_an_update_after_every_sample_is_a_convention(tmp_path: Path) -> None:
    steps = """for one, target in zip(x, y):
                error = self.forward(one[None]) - target
                g1, g2, g3 = self.backward(error)
                self.w1 -= self.lr * g1
                self.w2 -= self.lr * g2
                self.w3 -= self.lr * g3
            error = self.forward(x) - y
            g1, g2, g3 = 0, 0, 0"""
    report = homework(
        tmp_path,
        ("error = self.forward(x) - y\n            g1, g2, g3 = self.backward(error)", steps),
    )
    assert report.verdict == "agree"
    assert report.headline.startswith("correct updates, one after every sample")


CROSS_ENTROPY = (
    "return np.mean((y - Y) ** 2)",
    "return -np.mean(Y * np.log(y) + (1 - Y) * np.log(1 - y))",
)


def test_cross_entropy_is_a_convention_if_it_is_what_is_told(tmp_path: Path) -> None:
    told = submission(tmp_path, "script_homework.py", CROSS_ENTROPY, NO_SLOPE)
    report = verdict(told, "script_adapter.py")
    assert (report.verdict, report.headline) == (
        "agree",
        "a correct gradient of the binary cross-entropy",
    )
    # The same gradient, with the MSE told, is a gradient without σ'.
    report = verdict(submission(tmp_path, "script_homework.py", NO_SLOPE), "script_adapter.py")
    assert report.verdict == "disagree"
    assert "σ' is missing in the output layer" in " ".join(report.diagnosis)
    # And the cross-entropy's value with the gradient of the MSE is neither.
    report = verdict(submission(tmp_path, "script_homework.py", CROSS_ENTROPY), "script_adapter.py")
    assert report.verdict == "disagree"
    assert "the binary cross-entropy" in report.headline


# --- mistakes ----------------------------------------------------------------------------------------------------

D3, D2, D1 = (
    "d3 = error * derivative_sigmoid(self.y)",
    "d2 = d3 @ self.w3.T * derivative_sigmoid(self.a2)",
    "d1 = d2 @ self.w2.T * derivative_sigmoid(self.a1)",
)
UPDATE = "            self.w3 -= self.lr * g3\n"


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ((D3, "d3 = error"), "σ' is missing in the output layer"),
        ((D2, "d2 = d3 @ self.w3.T"), "σ' is missing in layer 2"),
        ((D1, "d1 = d2 @ self.w2.T"), "σ' is missing in layer 1"),
        ((D1, "d1 = d2 @ self.w2 * derivative_sigmoid(self.a1)"), "transposed"),
        ((D1, "d1 = d2 @ self.w2.T * derivative_sigmoid(self.a2)"), "σ' of the layer above"),
        (("return y * (1.0 - y)", "return sigmoid(y) * (1.0 - sigmoid(y))"), "σ'(z) is given a for z"),
        (("return y * (1.0 - y)", "return 1.0 - y**2"), "tanh' in place of σ'"),
        (("self.forward(x) - y", "y - self.forward(x)"), "the sign is wrong"),
        (("self.forward(x) - y", "(self.forward(x) - y) * 0.37"), "no factor that is known here"),
        (("return 1.0 / (1.0 + np.exp(-x))", "return np.tanh(x)"), "σ' in place of tanh'"),
        (("self.a2 = sigmoid(self.a1 @ self.w2)", "self.a2 = sigmoid(self.a1 @ self.w2.T)"), "transposed"),
        (
            ("return self.x.T @ d1, self.a1.T @ d2", "return self.x[1:].T @ d1[1:], self.a1.T @ d2"),
            "the weight gradient leaves out the first sample in layer 1",
        ),
    ],
)  # fmt: skip
def test_mistakes_in_homework_are_named(
    tmp_path: Path, change: tuple[str, str], named: str
) -> None:
    report = homework(tmp_path, change)
    assert report.verdict == "disagree"
    assert report.first is not None
    assert named in " ".join(report.diagnosis)


def test_updating_too_early_is_named(tmp_path: Path) -> None:
    report = homework(
        tmp_path, (D2, "self.w3 -= self.lr * self.a2.T @ d3\n        " + D2), (UPDATE, "")
    )
    assert report.verdict == "disagree"
    assert "after the layer above was updated in the output layer" in report.headline


def test_where_it_first_goes_wrong(tmp_path: Path) -> None:
    report = homework(
        tmp_path, ("self.a2 = sigmoid(self.a1 @ self.w2)", "self.a2 = sigmoid(self.a1 @ self.w2.T)")
    )
    assert report.first is not None
    assert (report.first["dtype"], report.first["phase"], report.first["layer"]) == (
        "float64",
        "forward",
        2,
    )
    assert report.first["difference"] > report.first["allowed"]


# --- torch and jax -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (("torch.sigmoid(self.hidden(x))", "torch.sigmoid(self.hidden(x)).detach()"), "detached"),
        (("self.hidden(x)", "self.hidden(x.half().to(x.dtype))"), "reduced precision"),
    ],
)  # fmt: skip
def test_modules(tmp_path: Path, change: tuple[str, str], named: str) -> None:
    report = verdict(submission(tmp_path, "torch_module.py", change) + ":Net")
    assert report.verdict == "disagree"
    assert named in " ".join(report.diagnosis)


def test_another_network_is_no_mistake(tmp_path: Path) -> None:
    change = ("torch.sigmoid(self.hidden(x))", "torch.relu(self.hidden(x))")
    module = load(submission(tmp_path, "torch_module.py", change) + ":Net")
    report = examine(module, level="quick")
    assert report.verdict == "agree"
    assert "not the assignment's network: ReLU in the hidden layers" in report.headline
    assert examine(module, level="quick", strict=True).verdict == "abstain"


def test_a_module_that_draws_at_random(tmp_path: Path) -> None:
    change = (
        "torch.sigmoid(self.hidden(x))",
        "nn.functional.dropout(torch.sigmoid(self.hidden(x)))",
    )
    report = verdict(submission(tmp_path, "torch_module.py", change) + ":Net")
    assert report.verdict == "disagree"
    assert "draws random numbers" in report.headline


def test_a_jax_loss_that_is_detached(tmp_path: Path) -> None:
    """And that is not compiled; a right one, which is, is among the worked adapters."""
    wrong = submission(
        tmp_path,
        "jax_loss.py",
        ("@jax.jit\n", ""),
        ("a = jax.nn.sigmoid(z)", "a = jax.nn.sigmoid(jax.lax.stop_gradient(z))"),
    )
    limits = Limits(widths=(3, 4, 2))  # JAX compiles every network
    target = replace(load(wrong + ":loss"), limits=limits)
    assert examine(target, level="quick").verdict == "disagree"


# --- the contract is strict ------------------------------------------------------------------------------------


PARTIAL = """
import numpy as np
def forward(network, params, inputs):
    activations = []
    for weight, bias in params:
        z = inputs @ weight + (0 if bias is None else bias)
        inputs = SIGMOID
        activations.append(inputs)
    return activations
def loss_and_grads(network, params, inputs, targets):
    layers = [inputs, *forward(network, params, inputs)]
    error, grads = layers[-1] - targets, []
    d = FACTOR * error / error.size
    for (weight, bias), below, above in zip(params[::-1], layers[-2::-1], layers[:0:-1]):
        d = d * above * (1 - above)
        grads.insert(0, (below.T @ d, None if bias is None else d.sum(0)))
        d = d @ weight.T
    return LOSS * np.mean(error**2), grads
"""


def partial(
    folder: Path,
    sigmoid: str = "1 / (1 + np.exp(-z))",
    factor: str = "2",
    loss: str = "1",
    extra: str = "",
) -> str:
    path = folder / "partial.py"
    text = PARTIAL.replace("SIGMOID", sigmoid).replace("FACTOR", factor).replace("LOSS", loss)
    path.write_text(text + extra)
    return str(path)


def test_in_the_contract_the_gradient_is_that_of_the_loss(tmp_path: Path) -> None:
    assert verdict(partial(tmp_path)).headline.startswith("right")
    half = load(partial(tmp_path, factor="1"))
    report = examine(half, level="quick")
    assert report.verdict == "agree"
    assert report.headline == (
        "a correct gradient of ½ times the MSE; the loss that it tells is the MSE"
    )
    assert examine(half, level="quick", strict=True).verdict == "disagree"
    registered = examine(replace(half, registered=True), level="quick")
    assert registered.verdict == "disagree"
    assert "½" in registered.headline
    # Half the MSE with its own gradient is right, and told.
    report = verdict(partial(tmp_path, factor="1", loss="0.5"))
    assert (report.verdict, report.headline) == ("agree", "a correct gradient of ½ times the MSE")


def test_a_sigmoid_inaccurate_in_its_tail_is_right_with_a_note(tmp_path: Path) -> None:
    """½ (1 + tanh(z/2)) has an absolute error of an eps: far below zero, where σ is small, that is too much."""
    target = load(partial(tmp_path, sigmoid="0.5 * (1 + np.tanh(z / 2))"))
    case = replace(informative_case("float64"), params=scaled_all(informative_case("float64"), 6.0))
    case = replace(case, schedule=Schedule(0.3, 1))
    ((case, step),) = answer(target, case).steps
    strict = Observation(case, step)
    assert strict.wrong("forward")
    assert not replace(strict, absolute_sigmoid=True).wrong(*PHASES)
    wrong = StepValues([a if a is None else a * (1 + 1e-9) for a in step.activations or ()])
    assert Observation(case, wrong, absolute_sigmoid=True).wrong("forward")


def test_an_accepted_convention_is_judged_again(tmp_path: Path) -> None:
    """The phases are those of the second judgement, by the wider bound; nothing of the first is left in them."""
    target = load(partial(tmp_path, sigmoid="0.5 * (1 + np.tanh(z / 2))"))
    case = replace(informative_case("float64"), params=scaled_all(informative_case("float64"), 6.0))
    observed = Observed(
        tuple(("", Observation(one, step)) for one, step in answer(target, case).steps)
    )
    assert observed.verdict == "disagree"
    judgement = judge(target, {"float64": observed})
    assert judgement.convention.absolute_sigmoid
    assert conclude(target, "core", judgement).headline.startswith("right, but its sigmoid")
    (judged,) = judgement.judged
    for phase in judged.phases.values():
        assert phase["disagreeing"] == 0
        assert 0 < phase["largest_share"] <= 1


def scaled_all(case: Case, factor: float) -> Params:
    return map_params(lambda tensor: tensor * factor, case.params)


@pytest.mark.parametrize(
    ("extra", "verdict_", "says"),
    [
        ("def loss_and_grads(*a): return 1.0", "disagree", r"a pair \(loss, grads\)"),
        ("def loss_and_grads(n, p, x, y): return 1.0, [w.T for w, b in p]", "disagree", "tensors"),
        ("def loss_and_grads(n, p, x, y): return 1.0, [(w[:1], b) for w, b in p]", "disagree", "of shape"),
        ("def loss_and_grads(n, p, x, y): return 'low', p", "disagree", "numbers for the loss"),
        ("def forward(*a): raise KeyError('w9')", "abstain", "KeyError"),
        ("def forward(*a): raise SystemExit(3)", "abstain", "SystemExit"),
        ("del loss_and_grads", "abstain", "no gradient and no step"),
        ("def loss_and_grads(n, p, x, y): return float('nan'), [(w * np.nan, None if b is None else b * np.nan) for w, b in p]", "disagree", ""),
        ("def loss_and_grads(n, p, x, y): return 0.0, [(w * 0, None if b is None else b * 0) for w, b in p]", "disagree", ""),
        ("narrow = loss_and_grads\ndef loss_and_grads(n, p, x, y):\n    l, g = narrow(n, p, x, y)\n    return l, [(a.astype('f4'), None if b is None else b.astype('f4')) for a, b in g]", "agree", "right"),
        ("total = None\nonce = loss_and_grads\ndef loss_and_grads(n, p, x, y):\n    global total\n    l, g = once(n, p, x, y)\n    same = total is not None and [a.shape for a, _ in total] == [a.shape for a, _ in g]\n    total = [(a + c, None if b is None else b + d) for (a, b), (c, d) in zip(total, g)] if same else g\n    return l, total", "disagree", "keeps something between calls"),
    ],
)  # fmt: skip
def test_what_a_target_may_do_wrong(tmp_path: Path, extra: str, verdict_: str, says: str) -> None:
    report = verdict(partial(tmp_path, extra=extra))
    assert report.verdict == verdict_, report.headline
    assert re.search(says, report.headline), report.headline


def test_a_target_that_knows_float32_only_is_judged_in_it(tmp_path: Path) -> None:
    """What it computes in float32 is judged as such, also where float64 was asked for."""
    activation = "return 1.0 / (1.0 + np.exp(-x))"
    report = homework(
        tmp_path, (activation, "return (1.0 / (1.0 + np.exp(-x))).astype(np.float32)")
    )
    assert report.verdict == "agree", report.headline
    assert (
        "it returns float32 for float64, so these are judged in float32 only: activations"
        in report.notes
    )


def test_who_changes_its_arguments_is_noted_once(tmp_path: Path) -> None:
    extra = "\nright = loss_and_grads\ndef loss_and_grads(n, p, x, y):\n    result = right(n, p, x, y)\n    p[0].weight[:] = 0\n    return result"
    report = verdict(partial(tmp_path, extra=extra))
    assert report.verdict == "agree"
    assert report.notes.count("loss_and_grads changes the arrays that it gets") == 1


# --- nasty targets, in their own process -----------------------------------------------------------------------


NASTY = [
    ("import sys; print('bye'); sys.exit(1)", "SystemExit"),
    ("import os; os._exit(7)", "its process ended (status 7) while it was being imported"),
    ("raise RuntimeError('out of chalk')", "out of chalk"),
    ("def broken(:", "SyntaxError"),
    ("import time\nwhile True: time.sleep(1)", "line 2, a loop, was stopped after it had waited too long"),
    ("name = input('your name? ')", "EOFError"),
    (PARTIAL.replace("SIGMOID", "z") + "\nimport time\nforward = lambda *a: time.sleep(60)", "it waited for more than 4 s (--timeout) while it was being judged"),
]  # fmt: skip


@pytest.fixture(scope="module")
def nasty(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Report]:
    """The reports on all of them, judged together, as those that hang take their time."""
    folder = tmp_path_factory.mktemp("nasty")
    paths = [folder / f"nasty_{at}.py" for at in range(len(NASTY))]
    for path, (source, _) in zip(paths, NASTY, strict=True):
        path.write_text(source)
    reports = check([str(path) for path in paths], level="quick", timeout=4)
    return {source: report for (source, _), report in zip(NASTY, reports, strict=True)}


@pytest.mark.parametrize(("source", "says"), NASTY)
def test_nasty_targets_get_a_verdict(nasty: dict[str, Report], source: str, says: str) -> None:
    assert nasty[source].verdict == "abstain"
    assert says in nasty[source].headline


def test_many_targets_one_table(
    tmp_path: Path, cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = {"right.py": (), "wrong.py": ((D3, "d3 = error"),), "broken.py": ((D3, "d3 = eror"),)}
    for name, changes in names.items():
        path = Path(submission(tmp_path, "class_homework.py", *changes))
        path.rename(tmp_path / name)
    paths = [str(tmp_path / name) for name in names]
    adapter = str(ADAPTERS / "class_adapter.py")
    judged = list(check(paths, adapter, level="quick"))
    here = examine(load(paths[0], adapter), level="quick")
    for field in ("target", "kind", "verdict", "first", "notes"):
        assert json.dumps(getattr(judged[0], field)) == json.dumps(getattr(here, field)), field

    def already(*asked: Any, **options: Any) -> list[Report]:
        assert (*asked, options["kind"], options["timeout"]) == (paths, adapter, "core", None)
        return judged

    monkeypatch.setattr(process, "check", already)
    table = cli("check", *paths, "--adapter", adapter)
    assert table.returncode == 1
    assert not table.stderr
    rows = [line for line in table.stdout.splitlines() if ".py" in line]
    assert [row.split()[1] for row in rows] == ["agree", "disagree", "abstain"]
    as_json = cli("check", *paths, "--adapter", adapter, "--json")
    reports: list[dict[str, Any]] = json.loads(as_json.stdout)
    assert [r["verdict"] for r in reports] == ["agree", "disagree", "abstain"]
    assert "NameError" in reports[2]["headline"]


def test_one_that_raises_more_often_than_not_is_not_called_right(tmp_path: Path) -> None:
    extra = "\nright = forward\ndef forward(n, p, x):\n    assert len(p) == 2, 'too deep'\n    return right(n, p, x)"
    report = verdict(partial(tmp_path, extra=extra))
    assert report.verdict == "abstain"
    assert "too deep" in report.headline


def test_rounding_that_differs_from_call_to_call_is_no_fault(tmp_path: Path) -> None:
    """A full batch in a random order: the same sum, rounded otherwise."""
    shuffled = (
        "error = self.forward(x) - y",
        "order = np.random.permutation(len(x)); x, y = x[order], y[order]\n            error = self.forward(x) - y",
    )
    assert homework(tmp_path, shuffled).verdict == "agree"


def test_lists_of_numpy_numbers_are_tensors(tmp_path: Path) -> None:
    extra = "\nright = loss_and_grads\ndef loss_and_grads(n, p, x, y):\n    l, g = right(n, p, x, y)\n    return l, [([list(r) for r in w], None if b is None else list(b)) for w, b in g]"
    assert verdict(partial(tmp_path, extra=extra)).verdict == "agree"
    rows = "\nactivate = forward\ndef forward(n, p, x): return [list(row) for row in activate(n, p, x)[-1]]\ndel loss_and_grads"
    assert verdict(partial(tmp_path, extra=rows)).headline.startswith(
        "what it offers (forward) is right"
    )


def test_an_adapter_with_a_mistake_is_bad_input(tmp_path: Path, cli: CommandLine) -> None:
    (tmp_path / "teacher.py").write_text("def step(:")
    result = cli("check", "numpy", "--adapter", tmp_path / "teacher.py")
    assert result.returncode == 2
    assert "the adapter" in result.stderr
    assert "SyntaxError" in result.stderr


def test_one_that_offers_nothing_does_not_lose_the_others(tmp_path: Path) -> None:
    (tmp_path / "empty.py").write_text("")
    nothing, right = check([str(tmp_path / "empty.py"), partial(tmp_path)], level="quick")
    assert (nothing.verdict, right.verdict) == ("abstain", "agree")
    assert "offers none of" in nothing.headline


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["no_such.py"], "no file 'no_such.py'"),
        (["no_such_name"], "no implementation 'no_such_name'"),
        (["gradparity.errors"], "offers none of forward"),
        (["numpy", "--adapter", "nowhere.py"], "no file 'nowhere.py'"),
    ],
)
def test_bad_input(
    tmp_path: Path,
    arguments: list[str],
    says: str,
    cli: CommandLine,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    result = cli("check", *arguments)
    assert result.returncode == 2
    assert says in result.stderr
    assert "Traceback" not in result.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "constants",
    [
        {"WIDTHS": (2,)},
        {"WIDTHS": (2, "4", 1)},
        {"WIDTHS": (2, 4, 1), "BIASES": (True, True, True)},
        {"SAMPLES": 0},
        {"LEARNING_RATE": -1},
    ],
)
def test_an_adapters_constants_are_checked(constants: dict[str, Any]) -> None:
    class Adapter:
        pass

    for name, value in constants.items():
        setattr(Adapter, name, value)
    with pytest.raises(InputError, match=f"the adapter's {list(constants)[-1]} must be"):
        Limits.stated(Adapter)


# --- under a convention everything is judged -----------------------------------------------------------------------

SMALL_ONE: dict[str, Any] = {"WIDTHS": (3, 4, 2)}
WHOLE = ("forward", "loss_and_grads", "train")
CONVENTIONS = {
    "half": (Program(half_squares), WHOLE),
    "cross-entropy": (Program(cross_entropy), WHOLE),
    "penalty": (Program(penalty=0.1), WHOLE),
    "per sample": (Program(per_sample=True), ("forward", "told", "train")),
}


def seen(program: Program, *offers: str, strict: bool = False, **constants: Any) -> Report:
    target = wrap("program", program, program.adapter(*offers, **constants))
    return examine(target, level="quick", strict=strict)


@pytest.fixture
def nameless(monkeypatch: pytest.MonkeyPatch) -> None:
    """No name is sought for a mistake: the verdict does not depend on it, and the search is long."""
    monkeypatch.setattr(seeking, "diagnose", lambda *_: Diagnosis(unknown=["update"]))


def other_final(run: Trajectory) -> Trajectory:
    return replace(run, final=run.final._replace(params=one_entry_off(1e-9)(run.final.params)))


TAMPERED: dict[str, dict[str, Any]] = {
    "weights of 42": {"after": all_42},
    "half an update in one layer": {"change": in_one_layer(0.5)},
    "other final weights": {"end": other_final},
    "another final loss": {"end": lambda run: replace(run, final_loss=run.final_loss * (1 + 1e-9))},
}


@pytest.mark.usefixtures("nameless")
@pytest.mark.parametrize("convention", CONVENTIONS)
def test_a_convention_excuses_nothing_else(convention: str) -> None:
    program, offers = CONVENTIONS[convention]
    right = seen(program, *offers, **SMALL_ONE)
    assert right.verdict == "agree", right.headline
    assert not right.headline.startswith("right: ")
    for name, change in TAMPERED.items():
        wrong = seen(replace(program, **change), *offers, **SMALL_ONE)
        assert wrong.verdict == "disagree", name


@pytest.mark.usefixtures("nameless")
@pytest.mark.parametrize("convention", CONVENTIONS)
def test_a_convention_excuses_nothing_in_a_step(convention: str) -> None:
    program, _ = CONVENTIONS[convention]
    offers = ("forward", "told", "step")
    right = seen(program, *offers, **SMALL_ONE)
    assert right.verdict == "agree", right.headline
    for name in ("weights of 42", "half an update in one layer"):
        wrong = seen(replace(program, **TAMPERED[name]), *offers, **SMALL_ONE)
        assert wrong.verdict == "disagree", name


# --- an agreement needs evidence -----------------------------------------------------------------------------------


def no_gradient_below(layer: int) -> Callable[[Params], Params]:
    return lambda grads: (*map_params(np.zeros_like, grads[:layer]), *grads[layer:])


def test_what_never_shows_enough_is_not_called_right(tmp_path: Path) -> None:
    """Inputs of zero give the first layer's weights a gradient of zero, whatever the program does with it."""
    target = load(partial(tmp_path))
    case = informative_case("float64")
    silent = replace(case, inputs=np.zeros_like(case.inputs))

    def concluded(*cases: Case) -> Conclusion:
        steps = [(one, answer(target, one).first) for one in cases]
        observed = Observed(tuple(("", Observation(*step)) for step in steps))
        return conclude(target, "core", judge(target, {"float64": observed}))

    found = concluded(silent)
    assert found.verdict == "abstain"
    assert "the gradients of the weight in layer 1 never showed enough" in found.headline
    assert concluded(silent, case).verdict == "agree"


@pytest.mark.usefixtures("nameless")
def test_layers_without_a_gradient_are_not_called_right() -> None:
    """Gradients of zero in the lowest eight of twenty layers."""
    widths = (3, *[4] * 19, 2)
    silent = Program(grads=no_gradient_below(8))
    report = seen(silent, "forward", "loss_and_grads", WIDTHS=widths)
    assert report.verdict != "agree"


@pytest.mark.usefixtures("nameless")
def test_a_narrow_loss_hides_no_wrong_gradient() -> None:
    class Narrow(Program):
        def loss_and_grads(self, *arguments: Any) -> Any:
            loss, grads = super().loss_and_grads(*arguments)
            return np.float32(loss), grads

    assert seen(Narrow(), "forward", "loss_and_grads", **SMALL_ONE).verdict == "agree"
    wrong = Narrow(grads=one_entry_off(1e-9))
    report = seen(wrong, "forward", "loss_and_grads", **SMALL_ONE)
    assert report.verdict == "disagree"
    assert report.first is not None
    assert report.first["dtype"] == "float64"


def test_who_raises_on_all_of_float64_is_not_right() -> None:
    class Float32Only(Program):
        def loss_and_grads(self, _: Any, params: Params, *data: Any) -> Any:
            if params[0].weight.dtype != np.float32:
                raise TypeError("float32 only")
            return super().loss_and_grads(_, params, *data)

    functions = Float32Only().offering("forward", "loss_and_grads")
    vars(functions).update(SMALL_ONE)
    report = examine(wrap("program", functions), level="quick")
    assert report.verdict == "abstain"
    assert "float32 only" in report.headline


# --- own losses ----------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("nameless")
def test_a_loss_of_its_own_is_the_judge_of_its_gradient() -> None:
    offers = ("forward", "loss_and_grads")
    right = seen(Program(fourth_powers), *offers, **SMALL_ONE)
    assert right.verdict == "agree", right.headline
    assert "its own loss, which is none that is known here" in right.headline
    wrong = seen(Program(fourth_powers, grads=one_entry_off(1e-6)), *offers, **SMALL_ONE)
    assert wrong.verdict == "disagree"


# --- statements ----------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("nameless")
@pytest.mark.parametrize(
    ("program", "stated", "otherwise"),
    [
        (Program(tanh=True), {"ACTIVATIONS": ("tanh", "sigmoid")}, {"ACTIVATIONS": "sigmoid"}),
        (Program(cross_entropy), {"LOSS": "binary_cross_entropy"}, {"LOSS": "mse"}),
        (Program(penalty=0.1), {"PENALTY": 0.1}, {"PENALTY": 0.2}),
        (Program(per_sample=True), {"PER_SAMPLE": True}, {"PER_SAMPLE": True, "PENALTY": 0.2}),
    ],
    ids=["activations", "loss", "penalty", "per sample"],
)
def test_what_an_adapter_states(
    program: Program, stated: dict[str, Any], otherwise: dict[str, Any]
) -> None:
    """It tells no activations and no loss, so nothing but the statement says what is right."""
    report = seen(program, "step", **SMALL_ONE, **stated)
    assert report.verdict == "agree", report.headline
    assert seen(program, "step", **SMALL_ONE, **otherwise).verdict == "disagree"


@pytest.mark.usefixtures("nameless")
def test_the_only_targets_that_it_knows() -> None:
    offers = ("forward", "loss_and_grads")
    report = seen(Program(of_labels), *offers, **SMALL_ONE, TARGETS=(0, 1))
    assert report.verdict == "agree", report.headline
    wrong = seen(
        Program(of_labels, grads=one_entry_off(1e-9)), *offers, **SMALL_ONE, TARGETS=(0, 1)
    )
    assert wrong.verdict == "disagree"


@pytest.mark.parametrize(
    ("written", "meant"),
    [("WIDTH", "WIDTHS"), ("BIAS", "BIASES"), ("LEARNINGRATE", "LEARNING_RATE"), ("PENALITY", "PENALTY")],
)  # fmt: skip
def test_a_misspelled_constant_is_not_ignored(written: str, meant: str) -> None:
    with pytest.raises(InputError, match=f"{written} is not a constant .*: is it {meant}"):
        Limits.stated(SimpleNamespace(**{written: 1}))
    assert Limits.stated(SimpleNamespace(EPOCHS=3, DATA="x")) == Limits()


# --- the same in every form ----------------------------------------------------------------------------------------


@pytest.mark.usefixtures("nameless")
@pytest.mark.parametrize(
    "program",
    [
        Program(),
        Program(half_squares),
        Program(tanh=True),
        Program(grads=in_one_layer(0.5)),
        Program(after=all_42),
    ],
    ids=["right", "half", "tanh", "wrong gradient", "wrong update"],
)
def test_an_adapter_changes_no_verdict(program: Program) -> None:
    alone = examine(wrap("program", program.offering(*WHOLE)), level="quick")
    adapted = seen(program, *WHOLE)
    for field in ("verdict", "headline", "first", "diagnosis", "notes"):
        assert getattr(alone, field) == getattr(adapted, field), field


# --- strict --------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("nameless")
@pytest.mark.parametrize(
    ("program", "code", "strictly"),
    [
        (Program(), 0, 0),
        (Program(grads=lambda g: map_params(lambda t: t / 2, g)), 0, 1),
        (Program(half_squares), 0, 3),
        (Program(tanh=True), 0, 3),
        (Program(fourth_powers), 0, 3),
        (Program(grads=in_one_layer(0.5)), 1, 1),
    ],
    ids=["right", "a factor", "another multiple", "another network", "another loss", "wrong"],
)
def test_strict_exit_codes(
    program: Program, code: int, strictly: int, cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def here(*_: Any, level: Any, strict: bool, **__: Any) -> list[Report]:
        assert level == "quick"
        return [seen(program, "forward", "loss_and_grads", strict=strict, **SMALL_ONE)]

    monkeypatch.setattr(process, "check", here)
    assert cli("check", "program.py", "--quick").returncode == code
    assert cli("check", "program.py", "--quick", "--strict").returncode == strictly
