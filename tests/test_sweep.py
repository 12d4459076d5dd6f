"""Sweeps: what they plan, what they count, and what is left of them when they are stopped."""

from __future__ import annotations

import csv
import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradparity import registry
from gradparity.contract import Dense, Network
from gradparity.errors import InputError
from gradparity.experiments import experiment
from gradparity.experiments.accuracy import accuracy, predictions, succeeded
from gradparity.experiments.experiment import Experiment
from gradparity.sweep import members
from gradparity.sweep.engines import in_this_process, on_dask
from gradparity.sweep.grid import parse
from gradparity.sweep.members import Job, Member, check_epochs, loss_epochs
from gradparity.sweep.plan import Chunk, Plan, make_plan
from gradparity.sweep.run import sweep
from gradparity.sweep.summary import SettingResult, difference, quantiles, wilson

from .helpers import command, gradparity, implementation, small_experiment

EASY = """
title = "Easy"
[dataset]
name = "linear"
samples = 6
seed = 1
[network]
layers = [{ units = 3 }, { units = 1 }]
[initial]
seed = 0
[training]
learning_rate = 9.0
epochs = 200
"""


def easy() -> Experiment:
    return experiment.parse(EASY, name="easy")


def small_plan(impl: str = "numpy", **options: Any) -> Plan:
    return make_plan(
        easy(), impl, 7, {"training.learning_rate": [4.0, 0.5]}, chunk_size=3, **options
    )


def written(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


# What is planned.


def test_values_are_tomls_or_bare_text() -> None:
    grid = parse(
        small_experiment(),
        [
            "learning_rate=0.5, 1",
            "scheme=he,xavier",
            'optimizer={name = "sgd", momentum = 0.9},adam',
            "network.layers[0].units=4",
            "layers[1].bias=true",
        ],
    )
    assert grid == {
        "training.learning_rate": [0.5, 1],
        "initial.scheme": ["he", "xavier"],
        "training.optimizer": [{"name": "sgd", "momentum": 0.9}, "adam"],
        "network.layers[0].units": [4],
        "network.layers[1].bias": [True],
    }


def test_every_combination_is_an_experiment() -> None:
    grid = parse(small_experiment(), ["epochs=2,3", "optimizer=sgd,adam", "layers[0].units=4"])
    plan = make_plan(small_experiment(), "numpy", 2, grid)
    found = [
        (one.experiment.training.epochs, one.experiment.training.optimizer.name)
        for one in plan.settings
    ]
    assert found == [(2, "sgd"), (2, "adam"), (3, "sgd"), (3, "adam")]
    assert {str(one.experiment.problem().network) for one in plan.settings} == {"2-4-1"}
    assert plan.settings[1].label == "epochs=2, optimizer=adam"
    assert make_plan(small_experiment(), "numpy", 2).settings[0].label == "small"


def test_another_optimizers_settings() -> None:
    options = ["optimizer=adam", "training.optimizer.beta1=0.5,0.8"]
    plan = make_plan(small_experiment(), "numpy", 1, parse(small_experiment(), options))
    found = [one.experiment.training.optimizer.model_dump()["beta1"] for one in plan.settings]
    assert found == [0.5, 0.8]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["learning_rate"], "write path=value"),
        (["=3"], "write path=value"),
        (["learning_rate=1,"], "write path=value"),
        (["learnin_rate=1"], "no such setting; it has dtype, dataset"),
        (
            ["units=3"],
            r"ambiguous; write one of network.layers\[0\].units, network.layers\[1\].units",
        ),
        (["learning_rate=1", "training.learning_rate=2"], "training.learning_rate is set twice"),
        (["learning_rate=1,2,1.0"], "1.0 is given twice"),
        (["initial.seed=1,2"], "initial.seed differs for each member"),
        (["network.layers[7].units=1"], r"cannot have 'network.layers\[7\].units'"),
        (["training.optimizer.beta1=0.5"], "training.optimizer.beta1: extra inputs"),
        (
            ["learning_rate=0.5,0"],
            r"training.learning_rate: input should be greater than 0, found 0",
        ),
        (["learning_rate=fast"], "training.learning_rate: input should be a valid number"),
        (["batch_size=24"], "training.batch_size: 24 is more than the 23 samples"),
        (["loss=binary_cross_entropy"], r"network.layers\[1\].activation: "),
    ],
)
def test_mistakes_are_named(options: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        make_plan(small_experiment(), "numpy", 2, parse(small_experiment(), options))


def test_fresh_data_needs_data_from_a_seed() -> None:
    with pytest.raises(InputError, match="'xor' is not drawn from a seed"):
        make_plan(experiment.load("xor"), "numpy", 2, fresh_data=True)
    grid = {"dataset.seed": [1, 2]}
    assert len(make_plan(easy(), "numpy", 2, grid).settings) == 2
    with pytest.raises(InputError, match=r"dataset\.seed differs for each member"):
        make_plan(easy(), "numpy", 2, grid, fresh_data=True)


@given(st.integers(1, 300), st.integers(1, 300), st.integers(1, 3))
def test_chunks_hold_every_member_once(seeds: int, size: int, settings: int) -> None:
    plan = replace(small_plan(), seeds=seeds, chunk_size=size)
    plan = replace(plan, settings=plan.settings[:1] * settings)
    found = [(chunk.setting, seed) for chunk in plan.chunks for seed in chunk.seeds]
    assert found == [(setting, seed) for setting in range(settings) for seed in range(seeds)]
    assert len({chunk.name for chunk in plan.chunks}) == len(plan.chunks)


def test_the_fingerprint_knows_what_decides(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text("from gradparity.implementations.impl_numpy import *\n")
    plans = [
        small_plan(),
        small_plan(fresh_data=True),
        replace(small_plan(), seeds=8),
        replace(small_plan(), chunk_size=4),
        replace(small_plan(), settings=small_plan().settings[:1]),
        small_plan("torch"),
        small_plan(str(file)),
    ]
    prints = [plan.fingerprint for plan in plans]
    file.write_text("from gradparity.implementations.impl_numpy import *  # changed\n")
    prints.append(small_plan(str(file)).fingerprint)
    assert len(set(prints)) == len(prints)
    assert small_plan().fingerprint == prints[0]


@given(st.integers(1, 10**6), st.integers(1, 10**8))
def test_check_points(epochs: int, numbers: int) -> None:
    one = small_experiment(epochs=epochs)
    found = check_epochs(one, numbers)
    extra = loss_epochs(one)
    assert found[0] == 0
    assert found[-1] == epochs
    assert set(extra) <= set(found)
    assert min(epochs, 20) <= len(found) <= 500 + len(extra)
    assert len(extra) <= 13


def test_a_table_comes_before_what_is_in_it_in_any_order() -> None:
    options = ["training.optimizer.beta1=0.5", "optimizer=adam"]
    for given_options in (options, options[::-1]):
        plan = make_plan(small_experiment(), "numpy", 1, parse(small_experiment(), given_options))
        (setting,) = plan.settings
        assert setting.experiment.training.optimizer.model_dump()["beta1"] == 0.5


def test_fresh_data_is_asked_of_every_setting() -> None:
    xor = parse(small_experiment(), ["dataset=xor"])
    with pytest.raises(InputError, match="the dataset 'xor' is not drawn from a seed"):
        make_plan(small_experiment(), "numpy", 1, xor, fresh_data=True)
    linear = parse(experiment.load("xor"), ['dataset={name = "linear", seed = 1}'])
    assert make_plan(experiment.load("xor"), "numpy", 1, linear, fresh_data=True).fresh_data


def test_the_last_chunk_has_the_check_points_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def watched(one: Experiment, numbers: int) -> tuple[int, ...]:
        asked.append(numbers)
        return check_epochs(one, numbers)

    monkeypatch.setattr(members, "check_epochs", watched)
    list(in_this_process({chunk: job(small_plan(), chunk) for chunk in small_plan().chunks[1:3]}))
    assert len(asked) == 2
    assert asked[0] == asked[1]


def job(plan: Plan, chunk: Chunk) -> Job:
    one = plan.settings[chunk.setting].experiment
    source = registry.source(plan.implementation)
    return Job(one, plan.implementation, source, chunk.seeds, plan.chunk_size, fresh_data=False)


def test_another_text_is_another_sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a file and of a module; and what a worker once imported is not taken for it."""
    monkeypatch.syspath_prepend(str(tmp_path))
    for name, path in ((str(tmp_path / "mine.py"), "mine.py"), ("mymodule", "mymodule.py")):
        (tmp_path / path).write_text("from gradparity.implementations.impl_numpy import *\n")
        before = make_plan(easy(), name, 2)
        first = before.fingerprint
        old = job(before, before.chunks[0])
        assert len(members.train_chunk(old)) == 2
        (tmp_path / path).write_text(
            "from gradparity.implementations.impl_numpy import *\nTEXT = 1\n"
        )
        after = make_plan(easy(), name, 2)
        assert after.fingerprint != first
        new = job(after, after.chunks[0])
        if name == "mymodule":  # a module is imported once
            with pytest.raises(InputError, match="another version of 'mymodule'"):
                members.train_chunk(new)
        else:
            assert len(members.train_chunk(new)) == 2
            with pytest.raises(InputError, match="another version of"):
                members.train_chunk(old)


# What is counted.


def plainly(one: Experiment, seed: int, *, fresh: bool) -> tuple[bool, int | None, float]:
    """Success, epochs to success and the final loss of one member, trained alone."""
    changed: dict[str, Any] = {"initial": one.initial.model_copy(update={"seed": seed})}
    if fresh:
        changed["dataset"] = one.dataset.model_copy(update={"seed": seed})
    problem = one.model_copy(update=changed).problem()
    schedule, target = problem.schedule, implementation("numpy")
    keep = check_epochs(one, 1)
    schedule = replace(schedule, keep=tuple(epoch * schedule.updates_per_epoch for epoch in keep))
    data = problem.inputs, problem.targets
    trained = target.train(problem.network, problem.params, *data, schedule)
    good = []
    for epoch in keep:
        params = trained.kept[epoch * schedule.updates_per_epoch].params
        outputs = target.forward(problem.network, params, problem.inputs)[-1]
        good.append(float(np.abs(outputs - problem.targets).max()) < 0.1)
    first = next((epoch for epoch, ok in zip(keep, good, strict=True) if ok), None)
    return good[-1], first, trained.final_loss


@cache
def in_a_plain_loop(*, fresh: bool) -> list[list[tuple[bool, int | None, float]]]:
    """The members of each setting of the small plan, trained one by one."""
    settings = small_plan().settings
    return [[plainly(one.experiment, seed, fresh=fresh) for seed in range(7)] for one in settings]


@pytest.mark.parametrize(
    ("impl", "fresh"), [("numpy", False), ("numpy", True), ("torch", True), ("jax", True)]
)
def test_every_framework_counts_what_a_plain_loop_counts(
    impl: str, fresh: bool, tmp_path: Path
) -> None:
    plan = small_plan(impl, fresh_data=fresh)
    results = sweep(plan, tmp_path)
    for result, expected in zip(results, in_a_plain_loop(fresh=fresh), strict=True):
        members = result.members
        assert [(m.succeeded, m.epochs_to_success) for m in members] == [e[:2] for e in expected]
        losses = np.array([m.final_loss for m in members], float)
        assert np.allclose(losses, [e[2] for e in expected], rtol=1e-9)
        assert result.summary()["successes"] == sum(e[0] for e in expected)
    fast, slow = results
    assert 0 < fast.summary()["successes"] < 7  # neither none nor all: it can be wrong
    assert slow.summary()["epochs_to_success"]["90%"] is None


def test_divergence_and_death_are_counted(tmp_path: Path) -> None:
    text = EASY.replace("{ units = 3 }", '{ units = 3, activation = "relu" }').replace(
        "{ units = 1 }", '{ units = 1, activation = "identity" }'
    )
    one = experiment.parse(text, name="relu")
    grid = {"training.learning_rate": [0.01, 3.0, 1e6]}
    results = sweep(make_plan(one, "numpy", 20, grid), tmp_path)
    calm, high, wild = (result.summary() for result in results)
    assert calm["diverged"] == 0
    assert high["dead"] > 0
    assert wild["diverged"] > 0
    for member in results[2].members:
        if member.diverged:
            assert (member.succeeded, member.final_loss, member.dead) == (False, None, False)
    assert wild["median_loss"]["200"] is None or wild["diverged"] < 10


def test_success_is_judged_after_the_link() -> None:
    binary = Network((2,), (Dense(1, "identity"),), "binary_cross_entropy")
    logits, labels = np.array([[-9.0], [9.0], [1.0]]), np.array([[0.0], [1.0], [1.0]])
    found = accuracy(predictions(binary, logits), labels)
    assert found == {"within_0.1": 2 / 3, "threshold_0.5": 1.0}
    several = replace(binary, layers=(Dense(3, "identity"),), loss="softmax_cross_entropy")
    logits = np.array([[0.4, 0.3, 0.3], [9.0, 0.0, 0.0]])
    found = accuracy(predictions(several, logits), np.eye(3)[[0, 0]])
    assert found == {
        "within_0.1": 0.5,
        "threshold_0.5": 1.0,
    }  # no output above 0.5, the largest is right
    assert predictions(replace(binary, loss="mse"), logits) is logits
    stacked = np.array([[[0.05], [0.95]], [[0.05], [0.85]], [[np.nan], [1.0]]])
    assert succeeded(stacked, np.array([[0.0], [1.0]])).tolist() == [True, False, False]


@given(st.integers(1, 10**5).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilsons_law(counts: tuple[int, int]) -> None:
    successes, members = counts
    low, high = wilson(successes, members)
    rate = successes / members
    assert 0 <= low <= rate <= high <= 1
    # Its ends are the p whose own standard deviation is 1.96 times smaller than the distance from the rate.
    for p in (low, high):
        if 0 < p < 1:
            assert np.isclose((rate - p) ** 2, 1.959964**2 * p * (1 - p) / members, rtol=1e-4)
    mirrored = wilson(members - successes, members)
    assert np.allclose((low, high), (1 - mirrored[1], 1 - mirrored[0]), atol=1e-12)


def test_newcombes_example() -> None:
    """Interval estimation for the difference between independent proportions, Statistics in Medicine 17, table II a."""
    assert difference((56, 70), (48, 80)) == pytest.approx((0.0524, 0.3339), abs=5e-5)
    low, high = difference((48, 80), (56, 70))
    assert (-high, -low) == pytest.approx((0.0524, 0.3339), abs=5e-5)
    assert difference((7, 9), (7, 9))[0] < 0 < difference((7, 9), (7, 9))[1]


def test_quantiles_are_over_all_members() -> None:
    epochs = np.array([np.inf, 300.0, 100.0, np.inf, 200.0, np.inf, np.inf, 400.0, 500.0, 600.0])
    assert quantiles(epochs) == {0.1: 100.0, 0.5: 500.0, 0.9: None}


# What is kept.


class Swept(NamedTuple):
    """The small plan, carried out: its folder, its results, and the progress that was reported."""

    folder: Path
    results: list[SettingResult]
    progress: list[str]


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Swept:
    folder, calls = tmp_path_factory.mktemp("swept"), list[str]()
    return Swept(folder, sweep(small_plan(), folder, progress=calls.append), calls)


@pytest.fixture
def copy(swept: Swept, tmp_path: Path) -> Path:
    """A copy of the swept folder, to be changed."""
    return Path(shutil.copytree(swept.folder, tmp_path / "copy"))


def test_what_is_written(swept: Swept) -> None:
    folder, results, calls = swept
    assert len(calls) == 1 + 6
    assert set(written(folder)) == {
        *(f"chunks/{s:04d}-{k:08d}.json" for s in (0, 1) for k in (0, 3, 6)),
        *("plan.json", "results.json", "results.csv", "figures/success.png", "figures/losses.png"),
    }
    kept = json.loads((folder / "results.json").read_text())
    assert [one["summary"] for one in kept["settings"]] == json.loads(
        json.dumps([one.summary() for one in results])
    )
    with (folder / "results.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(float(row["training.learning_rate"]), int(row["seed"])) for row in rows] == [
        (rate, seed) for rate in (4.0, 0.5) for seed in range(7)
    ]
    assert sum(row["succeeded"] == "True" for row in rows) == sum(
        one.summary()["successes"] for one in results
    )
    assert float(rows[3]["loss_100"]) == results[0].losses[100][3]


def test_only_what_is_missing_is_trained(copy: Path) -> None:
    plan = small_plan()
    whole = written(copy)
    gone = plan.chunks[4]
    (copy / gone.name).unlink()
    trained: list[Chunk] = []

    def watched(jobs: Mapping[Chunk, Job]) -> Iterator[tuple[Chunk, list[Member]]]:
        trained.extend(jobs)
        yield from in_this_process(jobs)

    sweep(plan, copy, engine=watched)
    assert trained == [gone]
    assert written(copy) == whole


def test_damage_and_strangers_are_noticed(copy: Path, tmp_path: Path) -> None:
    plan = small_plan()
    place = copy / plan.chunks[1].name
    whole = place.read_bytes()
    # A member's fate changed; the file cut short; another chunk's file; another plan's.
    other = replace(plan, seeds=4)
    sweep(other, tmp_path / "other")
    planted = {
        whole.replace(b'"seed": 4', b'"seed": 3'): "is damaged: delete it",
        whole[:-9]: "is damaged: delete it",
        b"": "is damaged: delete it",
        (copy / plan.chunks[2].name).read_bytes(): "belongs to another sweep",
        (tmp_path / "other" / other.chunks[1].name).read_bytes(): "belongs to another sweep",
    }
    for content, message in planted.items():
        place.write_bytes(content)
        with pytest.raises(InputError, match=f"{plan.chunks[1].name}' {message}"):
            sweep(plan, copy)
    place.write_bytes(whole)
    sweep(plan, copy)
    with pytest.raises(InputError, match="holds another sweep; choose another folder"):
        sweep(other, copy)


CLIENT = """
import os, signal
from pathlib import Path
from gradparity.experiments import experiment
from gradparity.sweep.engines import in_this_process, on_dask
from gradparity.sweep.plan import make_plan
from gradparity.sweep.run import sweep

def stop(what, done=[]):
    done.append(what)
    if len(done) == 1 + {stop_after}:
        os.kill(os.getpid(), signal.SIGKILL)

if __name__ == "__main__":
    plan = make_plan(
        experiment.load("easy.toml"), "numpy", 7, {{"training.learning_rate": [4.0, 0.5]}}, chunk_size=3
    )
    sweep(plan, Path("here"), {engine}, stop)
"""


@pytest.mark.parametrize("engine", ["in_this_process", "on_dask('local')"])
def test_a_killed_client_goes_on_where_it_was(engine: str, swept: Swept, tmp_path: Path) -> None:
    (tmp_path / "easy.toml").write_text(EASY)
    script = tmp_path / "client.py"
    script.write_text(CLIENT.format(stop_after=2, engine=engine))
    killed = command(script, cwd=tmp_path)
    assert killed.returncode == -9, killed.stderr
    plan = small_plan()
    done = [chunk for chunk in plan.chunks if (tmp_path / "here" / chunk.name).exists()]
    assert len(done) == 2
    trained: list[Chunk] = []

    def watched(jobs: Mapping[Chunk, Job]) -> Iterator[tuple[Chunk, list[Member]]]:
        trained.extend(jobs)
        yield from in_this_process(jobs)

    results = sweep(plan, tmp_path / "here", watched)
    assert sorted(one.name for one in trained + done) == [one.name for one in plan.chunks]
    assert [[m.seed for m in one.members] for one in results] == [list(range(7))] * 2
    for name in ("results.json", "results.csv"):
        assert (tmp_path / "here" / name).read_bytes() == (swept.folder / name).read_bytes()


DEADLY = """
import os, signal
from pathlib import Path
from gradparity.implementations.impl_numpy import forward, loss_and_grads, train
from gradparity.implementations import impl_numpy

def train_ensemble(network, params, inputs, targets, schedule):
    try:
        Path({marker!r}).touch(exist_ok=False)
    except FileExistsError:
        return impl_numpy.train_ensemble(network, params, inputs, targets, schedule)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_worker_costs_nothing(tmp_path: Path) -> None:
    (tmp_path / "easy.toml").write_text(EASY)
    (tmp_path / "deadly.py").write_text(DEADLY.format(marker=str(tmp_path / "killed")))
    grid = ("--set", "learning_rate=9,0.5", "--set", "layers[0].units=2,3")
    arguments = ("sweep", "easy.toml", "--impl", "deadly.py", "--seeds", "3", *grid)
    on_workers = gradparity(*arguments, "--out", "a", "--dask", "local", "--json", cwd=tmp_path)
    assert on_workers.returncode == 0, on_workers.stderr
    assert (tmp_path / "killed").exists()
    alone = gradparity(*arguments, "--out", "b", "--json", cwd=tmp_path)
    assert alone.returncode == 0, alone.stderr
    assert json.loads(alone.stdout) == json.loads(on_workers.stdout)
    assert [one["members"] for one in json.loads(alone.stdout)] == [3, 3, 3, 3]
    # The same to the bit; the figures, too.
    assert written(tmp_path / "a") == written(tmp_path / "b")


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """A scheduler and two workers, each a process of its own: the address, and the workers."""
    file = tmp_path / "scheduler.json"
    common = ("--scheduler-file", str(file))

    def start(module: str, *arguments: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", f"distributed.cli.{module}", *common, *arguments],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    local = ("--host", "127.0.0.1")
    processes = [start("dask_scheduler", *local, "--port", "0", "--no-dashboard")]
    try:
        deadline = time.monotonic() + 30
        while not file.exists() or not file.read_text():
            assert time.monotonic() < deadline, "the scheduler did not start"
            time.sleep(0.1)
        processes += [
            start("dask_worker", *local, "--nthreads", "1", "--no-nanny", "--no-dashboard")
            for _ in range(2)
        ]
        yield json.loads(file.read_text())["address"], processes[1:]
    finally:
        for process in processes:
            process.kill()
            process.wait()


def test_a_cluster_that_is_there_and_loses_a_worker(
    cluster: tuple[str, list[subprocess.Popen[bytes]]], tmp_path: Path
) -> None:
    address, workers = cluster
    assert address.startswith("tcp://127.0.0.1:")
    plan = make_plan(easy(), "numpy", 12, {"training.learning_rate": [9.0, 0.5]}, chunk_size=2)
    killed, calls = [], count(1)

    def kill_after_three(_: str) -> None:
        if next(calls) == 4:
            workers[0].kill()
            killed.append(workers[0].wait())

    sweep(plan, tmp_path / "a", on_dask(address), kill_after_three)
    assert killed == [-signal.SIGKILL]
    sweep(plan, tmp_path / "b")
    assert written(tmp_path / "a") == written(tmp_path / "b")


def test_without_dask_or_a_scheduler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="no Dask scheduler at 'nonsense://nowhere'"):
        sweep(small_plan(), tmp_path, on_dask("nonsense://nowhere"))
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(InputError, match=r"pip install 'gradparity\[cluster\]'"):
        on_dask("local")


# The command.


def test_the_command(tmp_path: Path) -> None:
    (tmp_path / "easy.toml").write_text(EASY)
    done = gradparity(
        *("sweep", "easy.toml", "--seeds", "5", "--set", "learning_rate=9,0.5"), cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines[1:3]] == ["learning_rate=9", "learning_rate=0.5"]
    folder = tmp_path / lines[-1].removeprefix("written to ")
    assert folder.parent == tmp_path / "reports" / "sweeps"
    assert (folder / "results.json").is_file()
    wrong = gradparity("sweep", "easy.toml", "--set", "learning_rate=0", cwd=tmp_path)
    assert wrong.returncode == 2
    assert "training.learning_rate: input should be greater than 0" in wrong.stderr
    assert "Traceback" not in wrong.stderr
