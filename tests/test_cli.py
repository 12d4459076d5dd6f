"""The command line, in processes of its own: exit codes, messages, and what is imported."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from gradparity.campaigns.random_networks.run import judge_networks
from gradparity.cli.report import with_data
from gradparity.experiments import datasets, experiment, store
from gradparity.suites.random_networks import OPTIMIZERS, OTHER_CONSTANTS

from .helpers import SMALL, CommandLine, command, gradparity

NUMPY = "gradparity.implementations.impl_numpy"
IMPORTED = """
import sys
try:
    {0}
except SystemExit:
    pass
MODULES = ("torch", "jax", "matplotlib", "gradparity.diagnosis", "{1}")
print([name for name in MODULES if name in sys.modules])
"""


@pytest.mark.parametrize(
    "statement",
    [
        "import gradparity",
        "import gradparity.cli, gradparity.verdict.agreement, gradparity.experiments.store",
        "from gradparity.cli.app import app; app(['--help'])",
        "from gradparity.cli.app import app; app(['report', '--help'])",
    ],
)
def test_no_framework_is_imported_before_it_is_needed(statement: str) -> None:
    done = command("-c", IMPORTED.format(statement, NUMPY))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"
    # The check itself sees an import.
    seen = command("-c", IMPORTED.format(f"import {NUMPY}", NUMPY))
    assert seen.stdout.splitlines()[-1] == f"['{NUMPY}']"


@pytest.fixture
def small(tmp_path: Path) -> Path:
    (tmp_path / "small.toml").write_text(SMALL)
    return tmp_path / "small.toml"


def test_list_is_plain_where_it_is_no_terminal(cli: CommandLine) -> None:
    done = cli("list")
    assert done.returncode == 0
    assert "\x1b" not in done.stdout
    rows = [line.split() for line in done.stdout.splitlines()]
    assert ["numpy", NUMPY, "ready"] in rows
    assert ["xor", "XOR", "2-4-4-1", "1.05", "12000"] in rows


def _run(cli: CommandLine, small: Path, implementation: str) -> Path:
    runs = small.parent / "runs"
    done = cli("run", small, "--impl", implementation, "--runs", runs)
    assert done.returncode == 0, done.stderr
    kept = done.stdout.splitlines()[-1].removeprefix("kept in ")
    assert Path(kept).is_dir()
    return Path(kept)


def test_run_and_compare(small: Path, cli: CommandLine) -> None:
    a, b = _run(cli, small, "numpy"), _run(cli, small, "torch")
    same = cli("compare", a, b)
    assert same.returncode == 0, same.stderr
    assert same.stdout.splitlines()[-1] == "verdict: agree"
    assert "first differ at update" in same.stdout
    by_name = cli("compare", a.name, b.name, "--runs", a.parent)
    assert by_name.returncode == 0

    # A run whose weights were computed by another rule: every SHA-256 is right, the mathematics is not.
    run = store.load(a)
    kept = dict(run.trajectory.kept)
    kept[61].params[1].weight[2, 0] *= 1 + 1e-9
    wrong = store.save(replace(run, trajectory=replace(run.trajectory, kept=kept)), a.parent)
    found = cli("compare", wrong, b)
    assert found.returncode == 1
    assert "first wrong at update 60: update: weight[2, 0] of the output layer: " in found.stdout
    assert " of the bound), 1 of 5 entries beyond it" in found.stdout
    assert found.stdout.splitlines()[-1] == "verdict: disagree"


def test_report_with_a_wrong_implementation(small: Path) -> None:
    wrong = small.parent / "wrong.py"
    wrong.write_text(
        "from gradparity.implementations.impl_numpy import forward, train, loss_and_grads as right\n"
        "def loss_and_grads(*args):\n"
        "    loss, grads = right(*args)\n"
        "    grads[1].weight[0, 0] *= 1.001\n"
        "    return loss, grads\n"
    )
    browser = small.parent / "browser"
    browser.write_text('#!/bin/sh\nprintf %s "$1" > "$0.opened"\n')
    browser.chmod(0o755)
    out = small.parent / "out"
    done = gradparity(
        *("report", small, "--impl", "numpy", "--impl", wrong),
        *("--out", out, "--campaigns", out, "--open"),
        BROWSER=f"{browser} %s",
    )
    assert done.returncode == 1
    opened = Path(f"{browser}.opened").read_text()
    assert opened == (out / "index.html").as_uri()
    assert done.stdout.splitlines()[-1] == "verdict: disagree"
    results = json.loads((out / "results.json").read_text())
    first = results["experiments"][0]["parity"]["first_divergence"]
    assert [(d["subject"], d["other"]) for d in first] == [("wrong", "oracle"), ("numpy", "wrong")]
    assert first[0]["where"].startswith("step 0: gradient: weight[0, 0] of the output layer: ")
    assert "weight[0, 0] of the output layer" in (out / "index.html").read_text()


BAD = {
    "unknown experiment": (["run", "nor"], "no experiment 'nor'"),
    "unknown implementation": (["run", "xor", "--impl", "caffe"], "no implementation 'caffe'"),
    "missing file": (["run", "none.toml"], "cannot read the experiment 'none.toml'"),
    "missing implementation": (["run", "xor", "--impl", "none.py"], "no file 'none.py'"),
    "malformed TOML": (["report", "malformed.toml"], "malformed.toml is not valid TOML"),
    "NaN": (["report", "nan.toml"], "training.learning_rate: input should be a finite number"),
    "missing run": (["compare", "a", "b"], "no run 'a'"),
    "unknown option": (["report", "--nonsense"], "No such option"),
    "no number": (["random-networks", "--networks", "0"], "Invalid value for '--networks'"),
    "out is a file": (
        ["report", "small.toml", "--impl", "numpy", "--out", "taken"],
        "cannot write",
    ),
    "raising": (
        ["run", "small.toml", "--impl", "raises.py"],
        "in train: ValueError: no",
    ),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_input(
    what: str, small: Path, monkeypatch: pytest.MonkeyPatch, cli: CommandLine
) -> None:
    folder = small.parent
    (folder / "malformed.toml").write_text("title = [")
    (folder / "nan.toml").write_text(SMALL.replace("0.5", "nan"))
    (folder / "taken").write_text("precious")
    (folder / "raises.py").write_text(
        "from gradparity.implementations.impl_numpy import forward, loss_and_grads\n"
        "def train(*_, **__): raise ValueError('no')\n"
    )
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    arguments, message = BAD[what]
    monkeypatch.chdir(folder)
    ended = cli(*arguments)
    assert ended.returncode == 2, ended.stderr
    assert message in ended.stderr
    assert "Traceback" not in ended.stderr
    after = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    assert after == before


def test_without_scikit_learn_its_digits_are_left_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    monkeypatch.setattr(datasets, "_images", datasets._images.__wrapped__)
    assert "digits-conv" in [one.name for one in experiment.in_order()]
    assert "digits-conv" not in [one.name for one in with_data()]
    assert "note: digits-conv is left out: the dataset 'digits' needs" in capsys.readouterr().err


def test_a_campaign_is_the_same_in_any_number_of_processes(tmp_path: Path) -> None:
    done = gradparity(
        *("random-networks", "--networks", "25", "--impl", "numpy", "--kind", "full"),
        *("--campaigns", tmp_path),
    )
    assert done.returncode == 0, done.stderr
    stored = json.loads((tmp_path / "random-networks-full.json").read_text())
    agreement, features = judge_networks(["numpy"], 0, "full", 3, range(25))
    assert json.loads(json.dumps(agreement.summary())) == stored["agreement"]
    assert json.loads(json.dumps(features.summary())) == stored["features"]
    assert stored["agreement"]["steps"] == 25 * 3 * 2
    optimizers = OPTIMIZERS | OTHER_CONSTANTS
    assert sum(f["configurations"] for f in stored["features"] if f["feature"] in optimizers) == 150
