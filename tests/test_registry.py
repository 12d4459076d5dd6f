"""A fourth implementation, from another folder, by path and by entry point; a framework that is not there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gradparity import registry
from gradparity.errors import InputError
from gradparity.report.page import build
from gradparity.verdict.agreement import judge_all
from gradparity.verdict.judge import Verdict

from .helpers import (
    SMALL,
    CommandLine,
    InThisProcess,
    command,
    informative_case,
    small_experiment,
)

# Somebody else's: per-sample loops, no import of ours but for the result of `train`.
FOURTH = """
import math

import numpy as np


def forward(network, params, inputs):
    activations = []
    for weight, bias in params:
        z = np.einsum("ni,io->no", inputs, weight)
        if bias is not None:
            z = z + bias
        inputs = (1 / (1 + np.exp(-z))).astype(z.dtype)
        activations.append(inputs)
    return activations


def loss_and_grads(network, params, inputs, targets):
    layers = [inputs, *forward(network, params, inputs)]
    error = layers[-1] - targets
    grads, d = [], 2 * error / error.size
    for (weight, bias), below, above in zip(params[::-1], layers[-2::-1], layers[:0:-1]):
        d = d * above * (1 - above)
        grads.insert(0, (np.einsum("ni,no->io", below, d), None if bias is None else d.sum(0)))
        d = np.einsum("no,io->ni", d, weight)
    return float((error**2).mean()), grads


def train(network, params, inputs, targets, schedule, state=None):
    from gradparity.contract import Snapshot, State, Trajectory
    first, losses, kept = state.updates if state else 0, [], {}
    for update in range(first, schedule.updates + 1):
        if update in schedule.keep:
            kept[update] = Snapshot(params, State(update))
        if update < schedule.updates:
            rows = schedule.batch(update)
            loss, grads = loss_and_grads(network, params, inputs[rows], targets[rows])
            losses.append(loss)
            rate = schedule.learning_rate
            params = [
                (w - rate * gw, None if b is None else b - rate * gb)
                for (w, b), (gw, gb) in zip(params, grads)
            ]
    final_loss = loss_and_grads(network, params, inputs, targets)[0]
    return Trajectory(np.array(losses), final_loss, Snapshot(params, State(schedule.updates)), kept)


class Holder:
    forward = staticmethod(forward)
    loss_and_grads = staticmethod(loss_and_grads)
    train = staticmethod(train)
"""
WITHOUT = """
import sys

from gradparity.cli.app import run as main

missing, *report = sys.argv[1:]
sys.modules[missing] = None
for command in (report, ["run", report[1], "--impl", missing]):
    sys.argv = ["gradparity", *command]
    try:
        main()
    except SystemExit as ended:
        print("ended:", ended.code)
"""


@pytest.fixture
def fourth(tmp_path: Path) -> Path:
    (tmp_path / "fourth.py").write_text(FOURTH)
    return tmp_path / "fourth.py"


@pytest.mark.parametrize("suffix", ["", ":Holder"])
def test_by_path(fourth: Path, suffix: str) -> None:
    target = registry.load(f"{fourth}{suffix}")
    assert target.name == f"fourth{suffix}"
    for dtype in ("float64", "float32"):
        agreement = judge_all({target.name: target}, [("", informative_case(dtype))])
        assert agreement.verdict is Verdict.AGREE, agreement.first


def test_by_entry_point(
    fourth: Path, tmp_path: Path, cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another distribution on the path, as pip would lay it down; `gradparity` is not changed."""
    monkeypatch.syspath_prepend(str(tmp_path))
    info = tmp_path / "fourth-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: fourth\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[gradparity.implementations]\nfourth = fourth\n")
    listed = cli("list")
    assert ["fourth", "fourth", "ready"] in [line.split() for line in listed.stdout.splitlines()]
    out = tmp_path / "report"
    targets = ["numpy", "fourth"]
    found = build([small_experiment()], targets, out, campaigns=out, executor=InThisProcess)
    assert found is Verdict.AGREE
    assert "fourth" in (out / "README.md").read_text()


def test_what_is_no_implementation(tmp_path: Path) -> None:
    half = tmp_path / "half.py"
    half.write_text("def forward(network, params, inputs): ...")
    with pytest.raises(InputError, match=r"half.py' is not .* lacks loss_and_grads, train"):
        registry.load(str(half))
    with pytest.raises(InputError, match="defines no 'Model'"):
        registry.load(f"{half}:Model")
    with pytest.raises(InputError, match=r"no file '.*none\.py'"):
        registry.load(str(tmp_path / "none.py"))
    with pytest.raises(
        InputError,
        match="no implementation 'tensorflow'; installed: jax, jax-exact, jax-tuned, numpy, numpy-exact, ",
    ):
        registry.load("tensorflow")
    broken = tmp_path / "broken.py"
    broken.write_text("x = 1 / 0")
    with pytest.raises(
        InputError, match=r"broken.py' cannot be imported: broken.py:1: ZeroDivisionError.*zero$"
    ):
        registry.load(str(broken))
    part = tmp_path / "part.py"
    part.write_text("from . import other")
    with pytest.raises(
        InputError, match=r"belongs to a package: give package\.module instead of a path$"
    ):
        registry.load(str(part))


def test_an_entry_point_to_nowhere(
    tmp_path: Path, cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    info = tmp_path / "gone-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: gone\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[gradparity.implementations]\ngone = not_there\n")
    failed = cli("run", "xor", "--impl", "gone")
    assert failed.returncode == 2
    assert "registered as 'not_there', which does not exist" in failed.stderr


@pytest.mark.parametrize(
    ("missing", "left"), [("torch", ("numpy", "jax")), ("jax", ("numpy", "torch"))]
)
def test_without_a_framework_the_others_work(
    missing: str, left: tuple[str, str], tmp_path: Path
) -> None:
    small = tmp_path / "small.toml"
    small.write_text(SMALL.replace("23", "20").replace("30", "2"))  # JAX compiles less
    out = tmp_path / "out"
    done = command("-c", WITHOUT, missing, "report", small, "--out", out, "--campaigns", out)
    assert re.findall("^ended: (.*)$", done.stdout, flags=re.MULTILINE) == ["0", "2"], done.stderr
    note, asked = done.stderr.splitlines()
    assert note == (
        f"note: implementation '{missing}' is left out: it needs {missing}, which is not installed "
        f"(pip install {missing})"
    )
    assert f"**{', '.join(left)}: agree.**" in (out / "README.md").read_text()
    assert f"needs {missing}, which is not installed" in asked
