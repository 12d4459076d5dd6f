"""The study: carried out, resumed and shown; and its conventions are those of the libraries that it names."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gradparity.campaigns.study import conventions, run
from gradparity.campaigns.study.measurements import Convention, curves, digits, least_squares
from gradparity.campaigns.study.record import STUDY
from gradparity.campaigns.study.sweeps import ASSIGNMENT, TABLES, Row
from gradparity.experiments import experiment
from gradparity.reference.updates import zero_state
from gradparity.report.sections.study import show
from gradparity.sweep.grid import change
from gradparity.sweep.run import train

from .helpers import ROOT, implementation


def short(row: Row) -> Row:
    return replace(row, values={**row.values, "training.epochs": 20})


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every row and curve, for few epochs."""
    monkeypatch.setattr(run, "curves", partial(curves, epochs=50))
    monkeypatch.setattr(run, "ASSIGNMENT", tuple(map(short, ASSIGNMENT)))
    monkeypatch.setattr(run, "TABLES", {k: tuple(map(short, rows)) for k, rows in TABLES.items()})
    monkeypatch.setattr(run, "digits", partial(digits, epochs=1))


@pytest.mark.usefixtures("small")
def test_a_study_is_carried_out_goes_on_and_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    run.study(["numpy"], tmp_path, 2, tmp_path / "sweeps", told.append)
    assert len(told) == run.steps(["numpy"])
    stored = STUDY.read(tmp_path)
    assert stored
    parts = show(stored).values["parts"]
    assert [part.number for part in parts] == [
        *("2-3", "4-1, 4-2", "4-3", "5-1", "5-1", "5-2", "5-2", "5-3", "")
    ]
    for part in parts:
        assert part.text
        assert all(len(row) == len(part.headings) for row in part.rows), part.name
        assert part.drawing.png.startswith(b"\x89PNG")

    trained = []

    def watched(plan: Any, folder: Path) -> Any:
        def engine(jobs: Any) -> Iterator[Any]:
            trained.extend(jobs)
            return iter(())

        return train(plan, folder, engine)

    monkeypatch.setattr(run, "train", watched)
    run.study(["numpy"], tmp_path, 2, tmp_path / "sweeps")
    again = STUDY.read(tmp_path)
    assert again
    assert not trained
    assert again["tables"] == stored["tables"]


def test_the_stored_study_is_of_these_rows() -> None:
    """What is committed was made by this command: all rows, with their settings, and no others."""
    stored = STUDY.read(ROOT / "reports" / "campaigns")
    assert stored
    tables = {"assignment": ASSIGNMENT, **TABLES}
    assert list(stored["tables"]) == list(tables)
    for name, rows in tables.items():
        found = stored["tables"][name]
        assert [row["label"] for row in found] == [row.label for row in rows]
        for row, one in zip(rows, found, strict=True):
            assert one["changed"] == {path: json.dumps(value) for path, value in row.values.items()}
            assert {r["members"] for r in one["results"].values()} == {row.seeds or stored["seeds"]}
    assert stored["implementations"] == ["jax", "numpy", "torch"]


def test_no_linear_map_is_better_than_least_squares() -> None:
    rng = np.random.default_rng(0)
    for name in ("linear-no-activation", "xor-no-activation"):
        limit = least_squares(name, 1, fresh_data=False)
        problem = experiment.load(name).problem()
        for scale in (1e-3, 1.0):
            weight = np.linalg.lstsq(problem.inputs, problem.targets)[0]
            weight = weight + scale * rng.standard_normal(weight.shape)
            assert np.mean((problem.inputs @ weight - problem.targets) ** 2) > limit
    median = least_squares("linear-no-activation", 9, fresh_data=True)
    assert median != limit


# --- conventions -------------------------------------------------------------------------------------------------

UPDATES, FALLS = 6, 3
"""The learning rate falls after the third update, where it is the learning rate that the row is about."""
START = np.array([1.0, -0.5, 0.3])
SLOPES = np.array([[2.0, 0.3, 0.0], [0.3, 1.0, 0.1], [0.0, 0.1, 0.5]])


def by_torch(name: str, *, falls: bool = False, **options: Any) -> Callable[[], np.ndarray]:
    def train() -> np.ndarray:
        import torch

        w = torch.tensor(START)
        optimizer = getattr(torch.optim, name)([w], **options)
        for t in range(1, UPDATES + 1):
            if falls and t == FALLS + 1:
                optimizer.param_groups[0]["lr"] *= 0.1
            w.grad = torch.tensor(SLOPES) @ w
            optimizer.step()
        return w.numpy()

    return train


def by_optax(name: str, *arguments: float, **options: Any) -> Callable[[], np.ndarray]:
    def train() -> np.ndarray:
        implementation("jax")  # which turns float64 on
        import optax

        rule = getattr(optax, name)(*arguments, **options)
        w, state = START, rule.init(START)
        for _ in range(UPDATES):
            updates, state = rule.update(SLOPES @ w, state, w)
            w = np.asarray(optax.apply_updates(w, updates))
        return w

    return train


# Ours and theirs, as a library has them; None where it is in no library at hand.
LIBRARIES: dict[str, tuple[Any, Any]] = {
    "momentum: dampening": (
        by_torch("SGD", lr=1.0, momentum=0.9),
        by_torch("SGD", lr=1.0, momentum=0.9, dampening=0.9),
    ),
    "momentum: where the learning rate stands": (
        by_torch("SGD", lr=1.0, momentum=0.9, falls=True),
        None,
    ),
    "RMSProp: ε and the root": (
        by_torch("RMSprop", lr=0.01, eps=1e-3),
        by_optax("rmsprop", 0.01, decay=0.99, eps=1e-3),
    ),
    "RMSProp: how long it remembers": (
        by_torch("RMSprop", lr=0.01),
        by_optax("rmsprop", 0.01, eps_in_sqrt=False),
    ),
    "Adagrad: the start of the sum": (by_torch("Adagrad", lr=1.0), by_optax("adagrad", 1.0)),
    "Adam: bias correction": (by_torch("Adam", lr=0.01), None),
    "Adam: weight decay": (
        by_torch("AdamW", lr=0.01, weight_decay=0.01),
        by_torch("Adam", lr=0.01, weight_decay=0.01),
    ),
}


def by_reference(convention: Convention, step: Callable[..., Any]) -> np.ndarray:
    problem = change(experiment.load("xor"), convention.values).problem()
    w, arrays = START, tuple(np.zeros(3) for _ in zero_state(problem.schedule, problem.params))
    for t in range(1, UPDATES + 1):
        update = step(problem.schedule, w, SLOPES @ w, arrays, t)
        w, arrays = update.weight, update.arrays
    return w


@pytest.mark.parametrize("convention", conventions.CONVENTIONS, ids=lambda c: c.subject)
def test_conventions_are_the_libraries_own(
    convention: Convention, monkeypatch: pytest.MonkeyPatch
) -> None:
    ((ours, theirs),) = (
        pair for name, pair in LIBRARIES.items() if convention.subject.startswith(name)
    )
    monkeypatch.setattr(conventions, "_HALF", FALLS)
    found = by_reference(convention, convention.plain)
    np.testing.assert_allclose(found, ours(), rtol=1e-12)
    other = by_reference(convention, convention.update)
    assert not np.allclose(other, found, rtol=1e-6)
    if theirs is not None:
        np.testing.assert_allclose(other, theirs(), rtol=1e-12)
