"""The benchmark: that it times the same training in everybody, sums up rightly, and is shown. Not how fast it is."""

from __future__ import annotations

import sys
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args

import pytest

from gradparity.campaigns.bench import run
from gradparity.campaigns.bench.limit import c_loop
from gradparity.campaigns.bench.measure import C_LOOP, MATMULS, candidates, measure
from gradparity.campaigns.bench.record import BENCH
from gradparity.campaigns.bench.run import summary
from gradparity.campaigns.bench.workloads import (
    GROWTH,
    LARGE,
    MEDIUM,
    SEEDS,
    TINY,
    with_keras,
    workloads,
)
from gradparity.cli import app
from gradparity.contract import DType
from gradparity.errors import InputError
from gradparity.processes import ask
from gradparity.report.sections.bench import parts

from .helpers import implementation

SHORT = replace(TINY, updates=60, dtype="float64")


def test_everybody_does_the_same_training() -> None:
    implementation("jax")  # which turns float64 on
    rows = measure(SHORT, ["numpy", "numpy-tuned", "torch", "jax"], rounds=1)
    assert [row["candidate"] for row in rows][:2] == [C_LOOP, "numpy"]
    assert len(rows) == 1 + 4 + 4
    *others, regressor = rows
    assert regressor["candidate"].startswith("scikit-learn")
    assert "deviation" not in regressor  # its output is linear
    assert all(row["deviation"] < 1e-12 for row in others)
    assert all(len(row["wall"]) == len(row["cpu"]) == 1 for row in rows)


def test_another_training_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The check of the losses, on a learning rate that is off."""
    right: Any = implementation("numpy").implementation

    class Other:
        @staticmethod
        def train(*problem: Any) -> Any:
            *data, schedule = problem
            return right.train(*data, replace(schedule, learning_rate=0.2))

    monkeypatch.setattr("gradparity.registry.find", lambda _: Other)
    rows = {row["candidate"]: row for row in measure(SHORT, ["other"], rounds=1)}
    assert rows["other"]["deviation"] > 1e-3


def test_the_biased_network_of_peers_is_that_of_numpy() -> None:
    small = replace(SHORT, widths=(5, 4, 3), samples=7, biases=True, updates=20)
    rows = measure(small, ["numpy"], rounds=1)
    limits = [row["candidate"] for row in rows if row["candidate"].startswith(MATMULS)]
    assert limits == [f"{MATMULS}, {library}" for library in ("numpy", "torch", "jax")]
    assert all(row["deviation"] < 1e-12 for row in rows if "deviation" in row)
    assert sum("deviation" in row for row in rows) == 4


def test_seeds_are_trained_at_once() -> None:
    two = replace(SHORT, members=2)
    rows = measure(two, ["numpy", "torch"], rounds=1)
    assert [row["candidate"] for row in rows] == [C_LOOP, "numpy", "torch"]
    assert rows[2]["deviation"] < 1e-12


def test_keras_does_the_same_training_where_it_is_installed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The tests do not install it: a stand-in shows what it is asked for, and that its losses are checked."""
    _, params, inputs, targets, schedule = SHORT.problem()
    right = implementation("numpy").train(SHORT.network, params, inputs, targets, schedule)

    class Model:
        def __init__(self, _: Any) -> None:
            self.units: list[Any] = []

        def add(self, layer: Any) -> None:
            self.units.append(layer)

        def set_weights(self, weights: Any) -> None:
            assert [weight.shape for weight in weights] == [(2, 4), (4, 4), (4, 1)]

        def compile(self, *, optimizer: Any, loss: str) -> None:
            assert (optimizer, loss) == (0.1, "mse")

        def fit(self, x: Any, y: Any, *, batch_size: int, epochs: int, **_: Any) -> Any:
            assert (len(x), len(y), batch_size, epochs) == (100, 100, 100, SHORT.updates)
            assert self.units == [(units, "sigmoid", False, "float64") for units in (4, 4, 1)]
            return SimpleNamespace(history={"loss": list(right.losses)})

    def dense(units: int, activation: str, *, use_bias: bool, dtype: str) -> Any:
        return units, activation, use_bias, dtype

    stand_in = SimpleNamespace(
        Sequential=Model,
        Input=lambda shape, dtype: (shape, dtype),
        layers=SimpleNamespace(Dense=dense),
        optimizers=SimpleNamespace(SGD=lambda rate: rate),
    )
    monkeypatch.setitem(sys.modules, "keras", stand_in)
    rows = measure(SHORT, [], rounds=1, keras="jax")
    assert [row["candidate"] for row in rows] == [C_LOOP, "Keras, model.fit, on jax"]
    assert rows[1]["deviation"] < 1e-12


def test_without_a_compiler_there_is_no_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "no-such-compiler")
    assert c_loop(TINY) is None
    assert C_LOOP not in candidates(SHORT, ["numpy"])
    (row,) = summary([{"candidate": "numpy", "first": 1.0, "wall": [2.0], "cpu": [2.0]}], 10)
    assert row["times_limit"] is None


def test_ratios_are_taken_in_each_round() -> None:
    rows = [
        {"candidate": C_LOOP, "first": 0.1, "wall": [1.0, 2.0, 1.0], "cpu": [1.0, 1.0, 1.0]},
        {"candidate": "numpy", "first": 0.5, "wall": [3.0, 8.0, 5.0], "cpu": [2.0, 4.0, 3.0]},
    ]
    limit, numpy = summary(rows, steps=10**6)
    assert limit["times_limit"] == 1.0
    assert numpy["times_limit"] == 4.0  # 3, 4 and 5; of the medians it would be 5
    assert numpy["us_per_step"] == [4.0, 5.0, 6.5]
    assert numpy["cpu_us_per_step"] == 3.0


def test_a_process_of_its_own() -> None:
    """Its memory is its own, too: NumPy's, and not that of the frameworks that are imported here."""
    implementation("torch")
    assert 10 < _ask({"start_up": "numpy", "device": "cpu"})["peak_mb"] < 150
    tiny = asdict(replace(SHORT, widths=(2, 2, 1), detailed=False))
    asked = {"workload": tiny, "targets": ["numpy"], "rounds": 1, "keras": None, "device": "cpu"}
    found = _ask(asked)
    assert any("openblas" in kernel for kernel in found["kernels"])
    with pytest.raises(InputError, match=r"process of \S*bench.measure ended with status 1: .*nor"):
        _ask({"start_up": "nor", "device": "cpu"})


def _ask(question: dict[str, Any]) -> Any:
    return ask("gradparity.campaigns.bench.measure", question)


def test_sizes() -> None:
    found = list(workloads(quick=False))
    assert len({str(one) for one in found if one.detailed}) == 16
    assert (
        len(set(found)) == len(found) == 16 + 2 * (5 + 5 + 4 - 2)
    )  # the tiny network is on three curves
    assert len(list(workloads(quick=True))) == 2
    assert [one.members for one in SEEDS] == [1, 10, 100, 1000]
    for what, curve in GROWTH.items():
        places = [one.curves[what] for one in curve]
        assert places == sorted(set(places))
        assert len({(one.widths, one.samples, one.members) for one in curve}) == len(curve)
    assert not MEDIUM.curves
    fewer = [with_keras(one) for one in found]
    assert [one.updates for one in fewer if one] == [2000] * 4 + [200] * 2
    network, params, *_ = LARGE.problem()
    assert [layer.weight.shape for layer in params] == list(network.weight_shapes)


def test_the_command_and_its_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each workload has a process of its own; here, for a few updates, this one."""
    points = [replace(point, updates=60) for point in GROWTH["depth"][:3]]
    monkeypatch.setitem(GROWTH, "depth", tuple(points))
    short = [replace(one, dtype=dtype) for one in (SHORT, *points) for dtype in get_args(DType)]
    monkeypatch.setattr(run, "workloads", lambda quick: short)
    rows = measure(SHORT, ["numpy-tuned"], rounds=1)

    def answered(_: str, question: Any) -> Any:
        if "start_up" in question:
            return {"peak_mb": 43.2}
        return {"rows": rows, "kernels": ["some BLAS"]}

    monkeypatch.setattr(run, "ask", answered)
    place = tmp_path / "new" / "bench.json"
    options = ["--quick", "--rounds", "1", "--impl", "numpy-tuned", "--out", str(place)]
    monkeypatch.setattr("sys.argv", ["gradparity", "bench", *options])
    with pytest.raises(SystemExit) as ended:
        app.run()
    assert not ended.value.code
    assert "2-4-4-1, 100 samples, float64" in capsys.readouterr().out
    stored = BENCH.read(place.parent)
    assert stored
    assert stored["start_up"]["numpy-tuned"]["peak_mb"] == 43.2
    assert stored["command"] == "gradparity bench --rounds 1 --quick --impl numpy-tuned"
    part, growth = parts(stored)
    every = [["depth", dtype, row["candidate"]] for dtype in get_args(DType) for row in rows]
    assert sorted(list(row[:3]) for row in growth.rows) == sorted(every)
    assert {row[1] for row in part.rows} == {"float32", "float64"}
    assert all(len(row) == len(part.headings) for row in part.rows)
    monkeypatch.setattr("sys.argv", ["gradparity", "bench", "--impl", "nor"])
    with pytest.raises(SystemExit) as ended:
        app.run()
    assert ended.value.code == 2
    assert "no implementation 'nor'" in capsys.readouterr().err
