"""What `gradparity check` says to one whose program is right and does not learn: only what is shown."""

from __future__ import annotations

import os
import re
import shlex
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradparity import registry
from gradparity.check import advice as advising
from gradparity.check import looking
from gradparity.check.advice import advice
from gradparity.check.convention import PLAIN, Convention
from gradparity.check.examine import examine
from gradparity.check.loading import load, wrap
from gradparity.check.looking import Data, Number, Seen, Start, look
from gradparity.check.report import Report
from gradparity.check.target import Limits, Target
from gradparity.contract import Dense, Layer, Network, Params, map_params
from gradparity.diagnosis.mistakes import FACTORS
from gradparity.experiments import experiment
from gradparity.experiments.initial import initial_params
from gradparity.reference.passes import evaluate

from .helpers import CommandLine

PROGRAM = """
import numpy as np


class Net:
    def __init__(self, sizes=(2, 3, 1), rate=5.0):
        self.rate = rate
        pairs = list(zip(sizes, sizes[1:]))
        self.w = [np.zeros(pair) for pair in pairs]
        self.b = [np.zeros((1, o)) for _, o in pairs]

    def predict(self, x):
        self.a = [x]
        for w, b in zip(self.w, self.b):
            self.a.append(1 / (1 + np.exp(-(self.a[-1] @ w + b))))
        return self.a[-1]

    def fit(self, x, y, epochs=3000):
        for _ in range(epochs):
            out = self.predict(x)
            d = (out - y) * out * (1 - out) * 2 / y.size
            for k in reversed(range(len(self.w))):
                gw, gb = self.a[k].T @ d, d.sum(axis=0, keepdims=True)
                d = d @ self.w[k].T * self.a[k] * (1 - self.a[k])
                self.w[k] -= self.rate * gw
                self.b[k] -= self.rate * gb
"""
ZEROS = "np.zeros(pair)"
RANDOM = "np.random.default_rng(1).standard_normal(pair)"


def step(program: Any, _: Network, params: Params, x: Any, y: Any, learning_rate: float) -> Any:
    net = program.Net((2, 3, 1), learning_rate)
    net.w, net.b = [np.array(w) for w, _ in params], [np.array(b)[None] for _, b in params]
    net.fit(x, y, 1)
    return [tensor for pair in zip(net.w, net.b, strict=True) for tensor in pair]


def target(folder: Path, *changes: tuple[str, str], text: str = PROGRAM, **adapter: Any) -> Target:
    """The program with lines changed, each of which must be there."""
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    path = folder / "program.py"
    path.write_text(text)
    return wrap("program", registry.find(str(path)), SimpleNamespace(**{"step": step} | adapter))


def said(folder: Path, *changes: tuple[str, str], **adapter: Any) -> str:
    found = target(folder, *changes, **adapter)
    return "\n".join(advice(look(found), found.limits, PLAIN))


# --- what a program says of itself ----------------------------------------------------------------------------------


def test_the_weights_rate_and_epochs_are_found(tmp_path: Path) -> None:
    seen = look(target(tmp_path, (ZEROS, RANDOM)))
    assert seen.start is not None
    assert seen.start.where == ("Net().w[0]", "Net().w[1]")
    assert (seen.start.widths, seen.start.biased) == ((2, 3, 1), (True, True))
    expected = np.random.default_rng(1).standard_normal((2, 3))
    assert np.array_equal(seen.start.params[0].weight, expected)
    assert seen.rate == Number(5.0, "Net().rate")
    assert seen.epochs == Number(3000.0, "Net.fit(epochs=3000)")


@pytest.mark.parametrize(
    ("main", "rate", "epochs"),
    [
        ("net = Net(rate=0.25); net.fit(X, Y, 70)", 0.25, 70),
        ("net = Net((2, 4, 1), 0.125); net.fit(X, Y, epochs=80)", 0.125, 80),
        ("net = Net((2, 4, 1), RATE); net.fit(X, Y, EPOCHS)", None, None),
        ("Net(rate=1.0).fit(X, Y, 5); Net(rate=2.0).fit(X, Y, 6)", None, None),
    ],
)
def test_the_arguments_of_its_own_calls_count(
    tmp_path: Path, main: str, rate: float | None, epochs: int | None
) -> None:
    text = f"{PROGRAM}\n\nif __name__ == '__main__':\n    {main}\n"
    seen = look(target(tmp_path, text=text))
    assert (seen.rate and seen.rate.value, seen.epochs and seen.epochs.value) == (rate, epochs)


FORMS = {
    "globals": "W1, b1 = np.ones((2, 3)), np.zeros(3)\nW2, b2 = np.ones((3, 1)), np.zeros(1)",
    "outputs first": "W1, b1 = np.ones((3, 2)), np.zeros((3, 1))\nW2, b2 = np.ones((1, 3)), np.zeros((1, 1))",
    "lists": "w1, b1 = [[1, 1, 1], [1, 1, 1]], [0, 0, 0]\nw2, b2 = [[1.0]] * 3, [0.0]",
    "a dictionary": "params = {'W1': np.ones((2, 3)), 'b1': np.zeros(3), 'W2': np.ones((3, 1)), 'b2': np.zeros(1)}",
    "pairs": "params = [(np.ones((2, 3)), np.zeros(3)), (np.ones((3, 1)), np.zeros(1))]",
    "a function": "def init_params():\n    return np.ones((2, 3)), np.zeros(3), np.ones((3, 1)), np.zeros(1)",
    "layers": """
class Dense:
    def __init__(self, i, o):
        self.weight, self.bias = np.ones((i, o)), np.zeros(o)
        self.grad_weight = np.zeros((i, o))


class Net:
    def __init__(self):
        self.layers = [Dense(2, 3), Dense(3, 1)]
""",
    "torch": """
import torch


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.two = torch.nn.Linear(2, 3), torch.nn.Linear(3, 1)
        for p in (self.one, self.two):
            torch.nn.init.ones_(p.weight)
            torch.nn.init.zeros_(p.bias)
""",
}


@pytest.mark.parametrize("form", FORMS)
def test_weights_are_found_in_any_usual_form(tmp_path: Path, form: str) -> None:
    start = look(target(tmp_path, text=f"import numpy as np\n\n{FORMS[form]}")).start
    assert start is not None
    assert [w.tolist() for w, _ in start.params] == [
        np.ones((2, 3)).tolist(),
        np.ones((3, 1)).tolist(),
    ]
    assert [b is not None and b.tolist() for _, b in start.params] == [[0, 0, 0], [0]]


@pytest.mark.parametrize(
    "text",
    [
        "dW1, dW2 = np.zeros((2, 3)), np.zeros((3, 1))",  # gradients
        "velocity_w1, velocity_w2 = np.zeros((2, 3)), np.zeros((3, 1))",
        "W1, W2 = np.zeros((2, 3)), np.zeros((4, 1))",  # they are no chain
        "W1, W2, b1 = np.zeros((2, 3)), np.zeros((3, 1)), np.zeros(3)",  # a bias is missing, or elsewhere
        "W1, W2 = np.zeros((2, 2)), np.zeros((2, 2))",  # inputs first, or outputs first?
        "W1, W2 = np.zeros((2, 3)), np.zeros((3, 1))\ndef main():\n    global W1\n    W1 = np.random.randn(2, 3)",
    ],
)
def test_what_is_not_clear_is_not_found(tmp_path: Path, text: str) -> None:
    assert look(target(tmp_path, text=f"import numpy as np\n\n{text}")).start is None


def test_the_adapter_may_tell_the_first_weights(tmp_path: Path) -> None:
    params = ((np.full((2, 3), 0.5), None), (np.full((3, 1), 0.25), None))
    start = look(target(tmp_path, initial=lambda program: params)).start
    assert start is not None
    assert [float(w[0, 0]) for w, _ in start.params] == [0.5, 0.25]
    assert start.where[0] == "initial(program)[0][0]"


def test_a_program_in_jax_is_only_read(tmp_path: Path) -> None:
    """Its threads are missing in a copy of the process, which would wait for them."""
    text = """
import jax.numpy as jnp

LR = 0.25
W1, W2 = jnp.ones((2, 3)), jnp.ones((3, 1))


class Net:
    def __init__(self):
        raise SystemExit
"""
    begin = time.perf_counter()
    seen = look(target(tmp_path, text=text))
    assert time.perf_counter() - begin < looking.PATIENCE
    assert seen.start is not None
    assert (seen.start.where, seen.rate) == (("W1", "W2"), Number(0.25, "LR"))


def test_an_installed_implementation_is_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fork", lambda: pytest.fail("it was looked at"))
    assert look(load("numpy")) == Seen()


HARMFUL = """
import numpy as np

calls = 0


class Net:
    def __init__(self):
        global calls
        calls += 1
        np.random.seed(3)
        print("constructed")
        {harm}
        self.w = [np.zeros((2, 3)), np.zeros((3, 1))]
"""


def test_what_is_seen_comes_back_as_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The copy runs the program, so what it sends is read as text; what is no such text shows nothing."""
    module = target(tmp_path)
    seen = look(module)
    assert seen.start is not None
    text = seen.as_json()
    assert Seen.from_json(text).as_json() == text
    for garbage in (b"\x80\x04N.", b"{}", b"[1, 2]", b"[[[1]], null, null, null, null]"):
        monkeypatch.setattr(looking, "in_a_copy", lambda *_, sent=garbage: sent)
        assert look(module) == Seen()


def legacy_generator() -> tuple[int, list[int]]:
    """The state of NumPy's legacy generator, from which homework draws: looking must leave it as it is."""
    # Ruff would have nobody use it; what is looked at is whether the homework's own draws stay what they were.
    state = np.random.get_state(legacy=False)["state"]  # noqa: NPY002
    return state["pos"], state["key"].tolist()


@pytest.mark.parametrize(
    ("harm", "found"),
    [
        ("pass", True),
        ("raise SystemExit", False),
        ("1 / 0", False),
        ("import os; os._exit(0)", False),
        ("import time; time.sleep(60)", False),
        ("open({file!r}, 'w').write('harm')", False),
        ("np.save({file!r}, np.zeros(3))", False),
        ("import os; os.remove({file!r})", False),
        ("import os; os.system('echo harm > {file}')", False),
        ("import pathlib, shutil; shutil.rmtree(pathlib.Path.cwd().parent)", False),
    ],
)
def test_looking_does_no_harm(
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    harm: str,
    found: bool,
) -> None:
    monkeypatch.setattr(looking, "PATIENCE", 1.0)
    file = tmp_path / "file.npy"
    file.write_text("mine")
    module = target(tmp_path, text=HARMFUL.format(harm=harm.format(file=str(file))))
    before, folder = legacy_generator(), Path.cwd()
    begin = time.perf_counter()
    assert (look(module).start is not None) is found
    assert time.perf_counter() - begin < 10
    assert module.program.calls == 0
    assert legacy_generator() == before
    assert Path.cwd() == folder
    assert capfd.readouterr() == ("", "")
    assert file.read_text() == "mine"


# --- the first weights ----------------------------------------------------------------------------------------------


@given(st.integers(0, 2**32 - 1), st.integers(2, 5), st.integers(1, 3), st.booleans())
def test_units_that_start_alike_stay_alike(seed: int, units: int, outputs: int, bias: bool) -> None:
    """The theorem that the advice states, for any inputs, labels, and equal weights."""
    rng = np.random.default_rng(seed)
    network = Network((2,), (Dense(units, bias=bias), Dense(outputs, bias=bias)))
    one = initial_params(
        Network((2,), (Dense(1, bias=bias), Dense(outputs, bias=bias))), "uniform", seed, "float64"
    )
    first, last = one
    params: Params = (
        Layer(
            np.repeat(first.weight, units, axis=1),
            None if first.bias is None else np.repeat(first.bias, units),
        ),
        Layer(np.repeat(last.weight, units, axis=0), last.bias),
    )
    assert Start(params, ("a", "b"), "").alike == (0,)
    inputs, targets = rng.uniform(size=(7, 2)), rng.uniform(size=(7, outputs))
    for _ in range(3):
        grads = evaluate(network, params, inputs, targets).grads
        params = map_params(lambda w, g: w - 0.5 * g, params, grads)
    columns, rows = params[0].weight, params[1].weight
    np.testing.assert_allclose(
        columns, np.repeat(columns[:, :1], units, axis=1), rtol=1e-12, atol=1e-14
    )
    np.testing.assert_allclose(rows, np.repeat(rows[:1], units, axis=0), rtol=1e-12, atol=1e-14)


def test_all_weights_zero(tmp_path: Path) -> None:
    text = said(tmp_path)
    assert "the 3 units of hidden layer 1 start alike (Net().w[0] and Net().w[1] are all 0)" in text
    assert (
        "at rate 5 (Net().rate) the loss on the 21 points of XOR goes from 0.25 to 0.25 in 3,000 epochs"
        in text
    )
    assert re.search(
        r"from random weights, N\(0, 1\), at rate 5 it goes to 0\.\d+ in \d,000 epochs", text
    )


def test_what_learns_needs_no_advice(tmp_path: Path) -> None:
    """Its biases are all zero, as they may be."""
    assert not said(tmp_path, (ZEROS, RANDOM))


@pytest.mark.parametrize("layer", [1, 2])
def test_zeros_in_one_layer_are_not_alike(tmp_path: Path, layer: int) -> None:
    """The units' gradients differ by the weights of the other layer."""
    zeros = f"{ZEROS} if pair[0] == {layer + 1} else {RANDOM}"
    assert "alike" not in said(tmp_path, (ZEROS, zeros))


def test_one_hidden_unit_is_not_alike(tmp_path: Path) -> None:
    assert "alike" not in said(tmp_path, ("sizes=(2, 3, 1)", "sizes=(2, 1, 1)"))


@pytest.mark.parametrize(
    ("scale", "says"),
    [
        ("1e-4 *", "(the largest weight is 0.00013 in Net().w[0]"),
        ("60 *", "are so large that"),
    ],
)
def test_first_weights_that_are_too_small_or_too_large(
    tmp_path: Path, scale: str, says: str
) -> None:
    text = said(
        tmp_path,
        (ZEROS, f"{scale} {RANDOM}"),
        ("rate=5.0", "rate=2.0"),
        ("epochs=3000", "epochs=5000"),
    )
    assert says in text


# --- the rate -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rate", "says"), [("0.001", None), ("0.05", "larger"), ("5.0", None), ("900.0", "smaller")]
)
def test_the_rate(tmp_path: Path, rate: str, says: str | None) -> None:
    """A rate so small that no tenfold or hundredfold one learns gets no advice: nothing is shown."""
    text = said(tmp_path, (ZEROS, RANDOM), ("rate=5.0", f"rate={rate}"))
    assert (
        text.startswith(f"a {says} rate learns: from Net().w[0], Net().w[1] at rate")
        if says
        else not text
    )


def test_what_comes_out_is_what_the_program_computes(tmp_path: Path) -> None:
    """The losses told are those of the program itself, trained from its weights at its rate on the same data."""
    found = target(
        tmp_path, (ZEROS, RANDOM), ("rate=5.0", "rate=0.05"), ("epochs=3000", "epochs=400")
    )
    points = registry.find("gradparity.experiments.datasets").xor()
    net = found.program.Net()
    losses = [np.mean((net.predict(points[0]) - points[1]) ** 2)]
    net.fit(*points, 400)
    losses.append(np.mean((net.predict(points[0]) - points[1]) ** 2))
    setting = advising._setting(look(found), found.limits, PLAIN)
    assert setting is not None
    trial = advising._try(setting)
    np.testing.assert_allclose(trial.losses[:, 0], losses, rtol=1e-9)


def test_a_convention_changes_the_step(tmp_path: Path) -> None:
    """N/2 times the gradient on 21 points: a rate that is too small for the mean's gradient is not too small here."""
    factor = next(one for one in FACTORS if one.name == "N/2")
    found = target(
        tmp_path, (ZEROS, RANDOM), ("rate=5.0", "rate=0.4"), WIDTHS=(2, 3, 1), SAMPLES=21
    )
    seen = look(found)
    assert advice(seen, found.limits, PLAIN)
    assert not advice(seen, found.limits, Convention(factor=factor))
    unknown = Limits(
        widths=(2, 3, 1)
    )  # how many samples it has, and so how far a step goes, is not known
    assert not advice(seen, unknown, Convention(factor=factor))


def test_more_epochs_than_are_trained_here_say_nothing(tmp_path: Path) -> None:
    assert not said(
        tmp_path, (ZEROS, RANDOM), ("rate=5.0", "rate=0.05"), ("epochs=3000", "epochs=300000")
    )


# --- the data -------------------------------------------------------------------------------------------------------

CORNERS = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]])
XOR = np.array([[0.0], [1], [1], [0]])


def of_data(limits: Limits, convention: Convention = PLAIN, **fields: Any) -> str:
    data = Data(CORNERS, XOR, ("X", "Y"), (4, 1))._replace(**fields)
    return "\n".join(advice(Seen(data=data), limits, convention))


def test_labels_without_their_axis(tmp_path: Path) -> None:
    loss = {
        "loss": lambda p, network, params, x, y: np.mean(
            (np.full((len(x), 1), 0.25) - y) ** 2 * len(y.shape)
        )
    }
    text = "import numpy as np\n\nX = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])\nY = np.array([0, 1, 1, 0])"
    found = target(tmp_path, text=text, WIDTHS=(2, 3, 1), **loss)
    seen = look(found)
    assert seen.data is not None
    assert seen.data.shape == (4,)
    assert any(
        line.startswith("Y has the shape (4,)") for line in advice(seen, found.limits, PLAIN)
    )
    tolerant = {
        "loss": lambda p, network, params, x, y: np.mean(
            (np.full((len(x), 1), 0.25) - y.reshape(-1, 1)) ** 2
        )
    }
    found = target(tmp_path, text=text, WIDTHS=(2, 3, 1), **tolerant)
    assert not advice(look(found), found.limits, PLAIN)


def test_labels_that_a_sigmoid_cannot_reach() -> None:
    limits = Limits(widths=(2, 3, 1))
    assert "the labels in Y go from -1 to 1" in of_data(limits, targets=2 * XOR - 1)
    assert not of_data(limits, targets=XOR)
    assert not of_data(limits, Convention(activations=("tanh", "tanh")), targets=2 * XOR - 1)


def test_without_a_hidden_layer() -> None:
    assert "there is no hidden layer" in of_data(Limits(widths=(2, 1)))
    assert not of_data(Limits(widths=(2, 3, 1)))
    assert not of_data(
        Limits(widths=(2, 1)), targets=np.array([[0.0], [0], [0], [1]])
    )  # AND needs none


def test_without_biases() -> None:
    """Only where 0 stays 0: sigmoid units turn it into one half."""
    limits, tanh = (
        Limits(widths=(2, 3, 1), biases=(False,)),
        Convention(activations=("tanh", "sigmoid")),
    )
    assert (
        "for X[0], which is all 0, the output is 0.5 whatever the weights are; its label is 0"
        in of_data(limits, tanh)
    )
    assert not of_data(limits)
    assert not of_data(Limits(widths=(2, 3, 1)), tanh)
    assert not of_data(limits, tanh, inputs=CORNERS + 1)


# --- the report -----------------------------------------------------------------------------------------------------


def test_it_follows_agree_alone(tmp_path: Path) -> None:
    report = examine(target(tmp_path, WIDTHS=(2, 3, 1)), level="quick")
    assert report.verdict == "agree"
    lines = list(report.details())
    assert lines[lines.index("if it does not learn:") + 1].startswith("  the 3 units")
    assert Report.from_json(report.as_json()).advice == report.advice
    wrong = examine(target(tmp_path, ("out * (1 - out) * 2", "2"), WIDTHS=(2, 3, 1)), level="quick")
    assert (wrong.verdict, wrong.advice) == ("disagree", ())


def test_an_error_is_no_advice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = target(tmp_path)
    seen = look(found)
    monkeypatch.setattr(advising, "evaluate", lambda *_: 1 / 0)
    assert advice(seen, found.limits, PLAIN) == ()


def test_the_experiment_is_the_one_in_its_file() -> None:
    xor = experiment.load(advising.SWEPT)
    assert tuple(n for (n,) in xor.architecture.shapes) == advising.WIDTHS
    assert xor.training.learning_rate == advising.RATE


def test_the_command_runs(tmp_path: Path, cli: CommandLine) -> None:
    (*_, line) = said(tmp_path, ("rate=5.0", "rate=0.5")).splitlines()
    name, *arguments = shlex.split(line.partition("random starts: ")[2])
    assert name == "gradparity"
    fewer = ["2" if one == "64" else one.replace("epochs=3000", "epochs=20") for one in arguments]
    done = cli(*fewer, "--out", str(tmp_path / "sweep"))
    assert done.returncode == 0, done.stderr
    assert "learning_rate=0.5" in done.stdout
    assert "learning_rate=5" in done.stdout
    assert "{units = 3, " in arguments[-1]
