"""`gradparity check`: right homework in any shape is right, wrong homework is named, nasty homework harms nobody."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gradparity.check import process
from gradparity.check.answer import answer
from gradparity.check.examine import examine
from gradparity.check.judging import conclude, judge
from gradparity.check.loading import load
from gradparity.check.observing import Observed
from gradparity.check.process import check
from gradparity.check.report import Report
from gradparity.check.target import Limits
from gradparity.contract import Params, Schedule, map_params
from gradparity.errors import InputError
from gradparity.reference.step import StepValues
from gradparity.verdict.case import Case
from gradparity.verdict.judge import PHASES
from gradparity.verdict.observation import Observation

from .helpers import CommandLine, informative_case
from .support.submissions import ADAPTERS, NO_SLOPE, submission


def verdict(target: str, adapter: str | None = None) -> Report:
    return examine(load(target, None if adapter is None else str(ADAPTERS / adapter)))


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
    core, full = examine(load(name)), examine(load(name), "full")
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
    report = examine(load(str(path)), "full")
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
    report = examine(load(str(tmp_path / "part.py")), "full")
    assert report.verdict == "abstain"
    assert "this is not the whole contract: float64: ReLU, the kink met" in report.headline
    assert examine(load(str(tmp_path / "part.py"))).verdict == "agree"
    (tmp_path / "untrained.py").write_text(
        "from gradparity.implementations.impl_numpy import forward, loss_and_grads"
    )
    report = examine(load(str(tmp_path / "untrained.py")), "full")
    assert report.verdict == "abstain"
    assert "it has no train, so no optimizer was judged" in report.headline


def test_the_whole_contract_is_for_implementations_of_it(cli: CommandLine) -> None:
    says = "only an implementation of the contract can be checked with other activations"
    with pytest.raises(InputError, match=says):
        examine(load(str(ADAPTERS / "torch_module.py:Net")), "full")
    homework, adapter = (ADAPTERS / f"class_{kind}.py" for kind in ("homework", "adapter"))
    done = cli("check", homework, "--adapter", adapter, "--kind", "full")
    assert done.returncode == 2
    assert says in done.stderr


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
    assert "σ' is missing in the output layer" in report.diagnosis[0]
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
        ((D2, "d2 = d3 @ self.w3.T"), "σ' is missing in layer 1"),
        ((D1, "d1 = d2 @ self.w2.T"), "σ' is missing in layer 0"),
        ((D1, "d1 = d2 @ self.w2 * derivative_sigmoid(self.a1)"), "transposed"),
        ((D1, "d1 = d2 @ self.w2.T * derivative_sigmoid(self.a2)"), "σ' of the layer above"),
        (("return y * (1.0 - y)", "return sigmoid(y) * (1.0 - sigmoid(y))"), "σ'(z) is given a for z"),
        (("return y * (1.0 - y)", "return 1.0 - y**2"), "tanh' in place of σ'"),
        (("self.forward(x) - y", "y - self.forward(x)"), "the sign is wrong"),
        (("self.forward(x) - y", "(self.forward(x) - y) * 0.37"), "no factor that is known here"),
        (("return 1.0 / (1.0 + np.exp(-x))", "return np.tanh(x)"), "tanh in place of the sigmoid"),
        (("self.a2 = sigmoid(self.a1 @ self.w2)", "self.a2 = sigmoid(self.a1 @ self.w2.T)"), "transposed"),
        (
            ("return self.x.T @ d1, self.a1.T @ d2", "return self.x[1:].T @ d1[1:], self.a1.T @ d2"),
            "it matches no known mistake",
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
        tmp_path, ("self.a2 = sigmoid(self.a1 @ self.w2)", "self.a2 = self.a1 @ self.w2")
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
        (("torch.sigmoid(self.hidden(x))", "torch.relu(self.hidden(x))"), "ReLU in place of the sigmoid"),
        (("self.hidden(x)", "self.hidden(x.half().to(x.dtype))"), "reduced precision"),
    ],
)  # fmt: skip
def test_modules(tmp_path: Path, change: tuple[str, str], named: str) -> None:
    report = verdict(submission(tmp_path, "torch_module.py", change) + ":Net")
    assert report.verdict == "disagree"
    assert named in " ".join(report.diagnosis)


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
    assert examine(target).verdict == "disagree"


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
    report = verdict(partial(tmp_path, factor="1"))
    assert report.verdict == "disagree"
    assert "½" in report.headline
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
    (judged,) = judge(target, {"float64": observed})
    assert judged.accepted
    assert conclude(target, "core", [judged]).headline.startswith("right, but its sigmoid")
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
        ("narrow = loss_and_grads\ndef loss_and_grads(n, p, x, y):\n    l, g = narrow(n, p, x, y)\n    return l, [(a.astype('f4'), None if b is None else b.astype('f4')) for a, b in g]", "disagree", "float32"),
        ("total = None\nonce = loss_and_grads\ndef loss_and_grads(n, p, x, y):\n    global total\n    l, g = once(n, p, x, y)\n    same = total is not None and [a.shape for a, _ in total] == [a.shape for a, _ in g]\n    total = [(a + c, None if b is None else b + d) for (a, b), (c, d) in zip(total, g)] if same else g\n    return l, total", "disagree", "keeps something between calls"),
    ],
)  # fmt: skip
def test_what_a_target_may_do_wrong(tmp_path: Path, extra: str, verdict_: str, says: str) -> None:
    report = verdict(partial(tmp_path, extra=extra))
    assert report.verdict == verdict_, report.headline
    assert re.search(says, report.headline), report.headline


def test_a_target_that_knows_float32_only_is_judged_in_it(tmp_path: Path) -> None:
    """The contract wants both dtypes (above); anybody else's program need not know the wider one."""
    activation = "return 1.0 / (1.0 + np.exp(-x))"
    report = homework(
        tmp_path, (activation, "return (1.0 / (1.0 + np.exp(-x))).astype(np.float32)")
    )
    assert report.verdict == "agree", report.headline
    assert list(report.phases) == ["float32"]
    assert "it returns float32 for float64, so it is judged in float32 only" in report.notes


def test_who_changes_its_arguments_is_noted_once(tmp_path: Path) -> None:
    extra = "\nright = loss_and_grads\ndef loss_and_grads(n, p, x, y):\n    result = right(n, p, x, y)\n    p[0].weight[:] = 0\n    return result"
    report = verdict(partial(tmp_path, extra=extra))
    assert report.verdict == "agree"
    assert report.notes == ("loss_and_grads changes the arrays that it gets",)


# --- nasty targets, in their own process -----------------------------------------------------------------------


NASTY = [
    ("import sys; print('bye'); sys.exit(1)", "SystemExit"),
    ("import os; os._exit(7)", "its process ended (status 7) while it was being imported"),
    ("raise RuntimeError('out of chalk')", "out of chalk"),
    ("def broken(:", "SyntaxError"),
    ("import time\nwhile True: time.sleep(1)", "it did not finish within 4 s while it was being imported"),
    ("name = input('your name? ')", "EOFError"),
    (PARTIAL.replace("SIGMOID", "z") + "\nimport time\nforward = lambda *a: time.sleep(60)", "it did not finish within 4 s while it was being judged"),
]  # fmt: skip


@pytest.fixture(scope="module")
def nasty(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Report]:
    """The reports on all of them, judged together, as those that hang take their time."""
    folder = tmp_path_factory.mktemp("nasty")
    paths = [folder / f"nasty_{at}.py" for at in range(len(NASTY))]
    for path, (source, _) in zip(paths, NASTY, strict=True):
        path.write_text(source)
    reports = check([str(path) for path in paths], timeout=4)
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
    judged = list(check(paths, adapter))
    here = examine(load(paths[0], adapter))
    for field in ("target", "kind", "verdict", "headline", "phases", "first", "notes"):
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
    nothing, right = check([str(tmp_path / "empty.py"), partial(tmp_path)])
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
