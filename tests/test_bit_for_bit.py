"""Bit for bit: bits are compared rightly, each cause is a cause, and without any of them no bit differs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch

from gradparity.campaigns.bit_for_bit import attribution, run
from gradparity.campaigns.bit_for_bit import exact_variants as exact
from gradparity.campaigns.bit_for_bit.attribution import CAUSES, VARIANTS
from gradparity.campaigns.bit_for_bit.exact_variants import compare_exact
from gradparity.campaigns.bit_for_bit.record import BIT_FOR_BIT
from gradparity.campaigns.bit_for_bit.recording import Recording, distance, first_difference
from gradparity.campaigns.bit_for_bit.tables import attribution_table, differences
from gradparity.campaigns.bit_for_bit.worker import Task, record
from gradparity.cli import app
from gradparity.contract import DType
from gradparity.errors import InputError
from gradparity.experiments import experiment
from gradparity.experiments.experiment import Experiment
from gradparity.report.sections.bit_for_bit import show

from .helpers import implementation, submodule

EPOCHS = 40
_load = experiment.load
# An exact variant, but for one bit of one weight before update 17.
OFF_BY_A_BIT = """
import numpy as np
from gradparity.implementations.impl_numpy.exact import forward, loss_and_grads, train as right

def train(network, params, inputs, targets, schedule, state=None):
    run = right(network, params, inputs, targets, schedule, state)
    for update, kept in run.kept.items():
        if update >= 17:
            weight = kept.params[1].weight
            weight[2, 3] = np.nextafter(weight[2, 3], np.float32(np.inf))
    return run
"""


def short(name: str, dtype: str = "float64", epochs: int = EPOCHS) -> Experiment:
    one = _load(name)
    training = one.training.model_copy(update={"epochs": epochs})
    return one.model_copy(update={"training": training, "dtype": dtype})


def here(
    tasks: Sequence[Task], folder: Path, progress: Callable[[str], None] = lambda _: None
) -> list[tuple[Recording, float]]:
    """In this process, where XLA fuses: in JAX's stead, NumPy."""
    for task in tasks:
        progress(task.target)
    numpy = [replace(task, target=task.target.replace("jax", "numpy")) for task in tasks]
    return [(task.recording(), 0.25) for task in numpy]


def trained(target: str, alike: Sequence[Any] | None, dtype: str = "float64") -> Recording:
    one = short("xor", dtype).model_dump(mode="json")
    return Task(target, one, tuple(range(EPOCHS + 1)), alike).recording()


@pytest.mark.parametrize("dtype", get_args(DType))
def test_own_exponential(dtype: str) -> None:
    """Right to about one unit in the last place, and of the same bits in torch; JAX follows below."""
    z = -np.geomspace(1e-8, -submodule("impl_numpy.exact.causes").LOWEST[dtype], 5001).astype(dtype)
    z = np.concatenate([z, np.zeros(1, dtype), np.array([-np.inf, -1e4], dtype)])
    found = submodule("impl_numpy.exact.causes").exp(z)
    right = np.exp(
        np.maximum(z.astype(np.longdouble), submodule("impl_numpy.exact.causes").LOWEST[dtype])
    )
    assert np.max(np.abs(found - right) / right) < 1.5 * np.finfo(dtype).eps
    assert np.array_equal(
        submodule("impl_torch.exact.causes").exp(torch.from_numpy(z)).numpy(), found
    )


def test_what_is_made_alike_is_still_the_same_training() -> None:
    plain = trained("numpy", None)
    for target in ("numpy", "torch"):
        assert distance(trained(target, CAUSES), plain) < 1e-14
        assert first_difference(trained(target, ()), trained(target, None)) is None


@pytest.mark.parametrize("dtype", get_args(DType))
def test_with_all_causes_gone_no_bit_differs_and_with_any_some_does(dtype: str) -> None:
    for alike in VARIANTS[:-1]:
        assert alike is not None
        difference = first_difference(
            trained("numpy", alike, dtype), trained("torch", alike, dtype)
        )
        assert (difference is None) == (set(alike) == set(CAUSES)), alike


def test_jax_in_a_process_that_does_not_fuse(tmp_path: Path) -> None:
    one = short("xor").model_dump(mode="json")
    told: list[str] = []
    tasks = [Task("jax", one, tuple(range(EPOCHS + 1)), CAUSES)]
    ((recording, _),) = record(tasks, tmp_path, told.append)
    assert first_difference(recording, trained("numpy", CAUSES)) is None
    assert told == ["xor in jax"]
    with pytest.raises(
        ValueError, match=r"fuses multiply-adds in this process: start it with --xla"
    ):
        trained("jax", CAUSES)


def test_a_process_that_fails_is_named(tmp_path: Path) -> None:
    tasks = [Task("numpy-exact", short("xor").model_dump(mode="json"), (0, 1))]
    with pytest.raises(InputError, match=r"ended with status 1: .*found float64"):
        record(tasks, tmp_path)


def test_the_first_difference_is_found_to_the_bit(tmp_path: Path) -> None:
    a = trained("numpy", None)
    a.save(tmp_path / "a.npz")
    b = Recording.load(tmp_path / "a.npz")
    assert first_difference(a, b) is None
    assert a.digests() == b.digests()
    assert distance(a, b) == 0.0
    weight = b.tensors["1.weight"]
    before = weight[23, 2, 1]
    weight[23, 2, 1] = np.nextafter(before, np.inf)
    values = [float(before).hex(), float(weight[23, 2, 1]).hex()]
    found = {"update": 23, "tensor": "1.weight", "index": [2, 1], "values": values}
    assert first_difference(a, b) == found
    assert [p for p, d in b.digests()["weights"].items() if d != a.digests()["weights"][p]] == [
        "23"
    ]
    b.losses[22] = np.nextafter(b.losses[22], 0.0)
    assert (first_difference(a, b) or {})["tensor"] == "loss"
    assert a.digests()["losses"] != b.digests()["losses"]
    # Bits, not values: zeros of either sign differ, and the same NaN does not.
    losses = [np.array([0.0, np.nan]), np.array([-0.0, np.nan])]
    one, other = (Recording(array, np.array([0]), {}) for array in losses)
    assert first_difference(one, one) is None
    assert (first_difference(one, other) or {})["update"] == 0
    with pytest.raises(ValueError, match="different runs"):
        first_difference(a, one)


def test_exact_variants_and_one_that_is_off_by_a_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It keeps weights at every fourth update; where the bit first differs is found between them."""
    monkeypatch.setattr(exact, "record", here)
    wrong = tmp_path / "off_by_a_bit.py"
    wrong.write_text(OFF_BY_A_BIT)
    targets = ("numpy-exact", str(wrong))
    first, second = compare_exact([short("xor")], 2, targets)
    assert first["sha256"]["numpy-exact"] != second["sha256"]["numpy-exact"]
    digests = first["sha256"]
    assert list(digests["numpy-exact"]["weights"]) == [str(4 * n) for n in range(11)]
    assert digests["numpy-exact"]["weights"]["16"] == digests[str(wrong)]["weights"]["16"]
    assert not first["identical"]
    (found,) = first["differences"]
    assert (found["update"], found["tensor"], found["index"]) == (17, "1.weight", [2, 3])
    kept = implementation("numpy-exact").train
    problem = short("xor", "float32").problem()
    arguments = problem.network, problem.params, problem.inputs, problem.targets
    weights = kept(*arguments, problem.schedule.until(17)).kept[17].params[1].weight
    assert found["values"][0] == float(weights[2, 3]).hex()
    (sentence, _) = differences([first, second])
    assert "first differ at epoch 17: layer 1 weight[2, 3]: " in sentence


def test_where_a_difference_does_not_come_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """JAX may round otherwise when it trains update by update: then what lies between is said."""
    wrong = tmp_path / "off_by_a_bit.py"
    wrong.write_text(
        OFF_BY_A_BIT.replace("if update >= 17:", "if len(run.kept) > 10 and update >= 17:")
    )
    monkeypatch.setattr(exact, "record", here)
    (one,) = compare_exact([short("xor")], 1, ("numpy-exact", str(wrong)))
    (found,) = one["differences"]
    assert (found["after"], found["update"]) == (16, 20)
    assert "first differ at epoch 20, not before epoch 17: " in next(differences([one]))


def test_the_command_and_its_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for module in (exact, attribution):
        monkeypatch.setattr(module, "record", here)
    monkeypatch.setattr(experiment, "load", short_ones())
    monkeypatch.setattr(
        "sys.argv", ["gradparity", "bit-for-bit", "--seeds", "1", "--campaigns", str(tmp_path)]
    )
    with pytest.raises(SystemExit) as ended:
        app.run()
    assert not ended.value.code
    assert "the same bits" in capsys.readouterr().out
    stored = BIT_FOR_BIT.read(tmp_path)
    assert stored
    assert stored["command"] == "gradparity bit-for-bit --seeds 1"
    assert {one["experiment"] for one in stored["exact"]} == set(run.CORE)
    assert len(stored["attribution"]) == 2 * len(run.ATTRIBUTED)
    shown = show(stored).values
    assert shown["summary"].startswith(f"{len(run.CORE)} of {len(run.CORE)} runs")
    assert "not a bit differs" in shown["part"].text
    assert all(len(line) == len(shown["part"].headings) for line in shown["part"].rows)
    # The words follow the figures: with another outcome they are others.
    (pair, *_) = stored["attribution"][0]["variants"][len(CAUSES)]["pairs"]
    entry = {"update": 3, "tensor": "0.weight", "index": [0, 1], "values": ["0x1p+0", "0x1p+1"]}
    pair |= {"first_difference": entry, "distance": 0.5}
    changed = show(stored).values["part"]
    assert "numpy and torch first differ at epoch 3: layer 0 weight[0, 1]" in changed.text
    assert "epoch 3; 0.5" in {cell for line in changed.rows for cell in line}
    assert attribution_table(stored["attribution"]).headings == changed.headings


def short_ones() -> Callable[[str], Experiment]:
    known = {name: short(name, epochs=10) for name in run.CORE}
    return known.__getitem__


def test_progress_counts_every_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (exact, attribution):
        monkeypatch.setattr(module, "record", here)
    monkeypatch.setattr(experiment, "load", short_ones())
    told: list[str] = []
    run.bit_for_bit(tmp_path, 1, told.append, core=("xor",), attributed=("linear",))
    assert len(told) == run.steps(1, ("xor",), ("linear",))
