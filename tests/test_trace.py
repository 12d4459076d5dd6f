"""One update of several implementations, side by side: everything is aligned or explained, nothing wrong is aligned."""

from __future__ import annotations

import json
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gradparity.cli.trace import _page
from gradparity.contract import tensors
from gradparity.errors import InputError
from gradparity.experiments import experiment
from gradparity.guarded import Guarded
from gradparity.tracing.step import Row, Step, bounds, trace
from gradparity.tracing.step_text import as_json
from gradparity.tracing.update import first_update, in_general_position, record, record_like

from .helpers import CommandLine, implementation, small_experiment

THREE = ("numpy", "torch", "jax")
EXPERIMENTS = {
    "xor": {"torch": 8, "jax": 14},
    "small": {"torch": 10, "jax": 17},
    "xor-cross-entropy": {"torch": 11, "jax": 21},
    "bars-conv": {"torch": 14, "jax": 22},
    "xor-adam": {"torch": 13, "jax": 24},
}
"""Experiments, with how many rows have the same arrays in torch and in JAX; the others lie inside of kernels.

Among them mini-batches (small), and everything that differs most between the three.
"""


def chosen(name: str) -> experiment.Experiment:
    return small_experiment() if name == "small" else experiment.load(name)


@cache
def traced(name: str, *implementations: str) -> Step:
    return trace(chosen(name), [implementation(one) for one in implementations or THREE])


def made_at(step: Step, marker: str) -> Row:
    """The last row of the lines with this marker."""
    return [
        row
        for row in step.rows
        if row.maker.source and row.maker.source.text.endswith(f"# {marker}")
    ][-1]


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_array_is_aligned_or_explained(name: str) -> None:
    step = traced(name)
    assert step.implementations == THREE
    assert not step.left_out
    for row in step.rows:
        assert row.needed, row
        for partner in row.partners.values():
            assert partner.makers, row
            assert (partner.distance is not None) == (partner.kind == "aligned")
    kinds = Counter((one, row.partners[one].kind) for row in step.rows for one in row.partners)
    assert {one: kinds[one, "aligned"] for one in THREE[1:]} == EXPERIMENTS[name]


@pytest.mark.parametrize(
    ("name", "aligned"), [("xor-leaky-relu", 11), ("xor-relu", 8), ("xor-adamw", 14)]
)
def test_kinks_and_decay_are_explained(name: str, aligned: int) -> None:
    step = traced(name, "numpy", "torch")
    assert all(row.partners["torch"].makers for row in step.rows)
    assert [row.partners["torch"].kind for row in step.rows].count("aligned") == aligned
    distances = [row.partners["torch"].distance for row in step.rows]
    assert all(one.share is not None and one.share <= 1 for one in distances if one)
    assert [row for row in step.rows if row.part == "update"][-1].partners[
        "torch"
    ].kind == "aligned"


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_no_distance_is_beyond_what_rounding_can_do(name: str) -> None:
    distances = [
        p.distance for row in traced(name).rows for p in row.partners.values() if p.distance
    ]
    shares = [one.share for one in distances if one.share is not None]
    assert len(shares) == len(distances)
    assert 0.0 < max(shares) <= 1.0
    assert all(one.share == 0.0 for one in distances if one.same_bits)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_losses_gradients_and_new_weights_are_aligned(name: str) -> None:
    step = traced(name)
    loss = [row for row in step.rows if row.part == "forward"][-1]
    new = [row for row in step.rows if row.part == "update" and row.maker.operation == "subtract"]
    for row in (loss, made_at(step, "dL/dW"), *new):
        assert {partner.kind for partner in row.partners.values()} == {"aligned"}, row


ON_XOR = {
    # marker: what NumPy, torch and JAX run, and whether the two differentiate there
    "a W": ("matmul", "aten.mm", "dot_general", False),
    "σ": ("divide", "aten.sigmoid", "logistic", False),
    "L": ("divide", "aten.mse_loss", "div", False),
    "dL/dz": ("multiply", "aten.sigmoid_backward", "mul", True),
    "dL/dW": ("matmul", "aten.mm", "dot_general", True),
    "SGD": ("subtract", "aten.add_", "add", False),
}


@pytest.mark.parametrize("marker", ON_XOR)
def test_the_lines_of_xor(marker: str) -> None:
    row = made_at(traced("xor"), marker)
    (torch,), (jax,) = (row.partners[name].makers for name in ("torch", "jax"))
    found = row.maker.operation, torch.operation, jax.operation, torch.backward
    assert found == ON_XOR[marker]
    assert jax.backward == torch.backward


def test_what_is_inside_of_a_kernel() -> None:
    inner = [row for row in traced("xor").rows if row.maker.operation == "exp"]
    assert [[m.operation for m in row.partners["torch"].makers] for row in inner] == [
        ["aten.sigmoid"]
    ]
    assert [[m.operation for m in row.partners["jax"].makers] for row in inner] == [["logistic"]]
    (step,) = [
        r for r in traced("xor").rows if r.part == "update" and r.maker.operation == "multiply"
    ]
    assert step.partners["jax"].kind == "negated"  # optax adds -rate · g
    assert step.partners["torch"].kind == "inside"


class Wrong:
    """NumPy's implementation, its targets changed by a thousandth: all that follows from them is wrong."""

    def __init__(self) -> None:
        self._right: Any = implementation("numpy").implementation
        self.forward = self._right.forward

    def loss_and_grads(self, network: Any, params: Any, inputs: Any, targets: Any) -> Any:
        return self._right.loss_and_grads(network, params, inputs, targets * 1.001)

    def train(self, network: Any, params: Any, inputs: Any, targets: Any, *plan: Any) -> Any:
        return self._right.train(network, params, inputs, targets * 1.001, *plan)


def test_what_is_wrong_is_not_aligned() -> None:
    step = trace(chosen("xor"), [implementation("torch"), Guarded("wrong", Wrong())])
    kinds = {row.maker.operation: row.partners["wrong"].kind for row in step.rows}
    assert kinds["aten.sigmoid"] == "aligned"  # it does not depend on the targets
    assert (
        kinds["aten.mse_loss"] == kinds["aten.mse_loss_backward"] == kinds["aten.add_"] == "inside"
    )


def test_other_implementations_are_recorded_through_the_contract() -> None:
    step = traced("xor", "numpy", "torch-tuned")
    new = [row for row in step.rows if row.part == "update"][-1]
    assert new.partners["torch-tuned"].kind == "aligned"


def test_a_first_update_is_aligned_where_nothing_coincides() -> None:
    """The first moment's mean is the gradient, then: by its own numbers one could not tell which is which."""
    problem = chosen("xor-adam").problem()
    start = first_update(problem)
    random = in_general_position(start)
    numpy = implementation("numpy")
    found = record(numpy, random)
    own = record_like(found, numpy, start)
    gradient = own.events[own.outputs["gradient 0.weight"]].value
    mean = made_at(traced("xor-adam"), "corrected moments")
    same = [
        e for e in own.events if e.value.shape == gradient.shape if np.allclose(e.value, gradient)
    ]
    assert "divide" in [event.operation for event in same]
    assert mean.partners["jax"].makers[0].operation == "div"
    drawn = zip(tensors(start.problem.params), tensors(random.problem.params), strict=True)
    assert all((a != b).all() for a, b in drawn)


def test_the_recorded_update_is_the_one_that_train_makes() -> None:
    start = first_update(chosen("xor-adam").problem())
    problem = start.problem
    for name in THREE:
        target = implementation(name)
        recording = record_like(record(target, in_general_position(start)), target, start)
        data = problem.network, problem.params, problem.inputs, problem.targets
        done = target.train(*data, problem.schedule)
        bound = bounds(recording)
        updated = {key for key in recording.outputs if key.startswith("updated")}
        assert len(updated) == len(list(tensors(problem.params)))
        for key, event in recording.outputs.items():
            if key in updated:
                layer, tensor = key.removeprefix("updated ").split(".")
                new = getattr(done.final.params[int(layer)], tensor)
                recorded = recording.events[event].value
                apart = np.abs(np.sort(new, axis=None) - np.sort(recorded, axis=None))
                assert apart.max() <= 2 * bound[event].error.max() <= 1e-3 * np.abs(new).max()


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_the_text_fits_a_terminal(name: str) -> None:
    text = list(_page(traced(name)))
    assert max(map(len, text)) <= 80
    assert not [line for line in text if line != line.rstrip()]


def test_the_same_is_said_each_time() -> None:
    again = trace(chosen("xor"), [implementation("numpy"), implementation("torch")])
    assert again == traced("xor", "numpy", "torch")


def test_json_has_the_same_content() -> None:
    found = json.loads(json.dumps(as_json(traced("xor")), allow_nan=False))
    assert found["implementations"] == list(THREE)
    assert len(found["rows"]) == len(traced("xor").rows)
    first = found["rows"][0]
    assert (first["code"], first["operation"]) == ("z = flat(a, weight) @ weight  # a W", "matmul")
    assert first["partners"]["torch"]["makers"][0]["operation"] == "aten.mm"


EXITS = """
from gradparity.implementations.impl_numpy import forward, loss_and_grads
def train(*_, **__): raise SystemExit(0)
"""


def test_what_cannot_be_recorded_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cli: CommandLine
) -> None:
    (tmp_path / "odd.py").write_text(EXITS)
    monkeypatch.chdir(tmp_path)
    done = cli("trace", "xor", "--impl", "numpy", "--impl", "odd.py")
    assert done.returncode == 2, done.stdout
    assert (
        "'odd' cannot be recorded: train raised at odd.py:3, in train: SystemExit: 0" in done.stderr
    )
    assert "Traceback" not in done.stderr


def test_jax_needs_one_function_for_an_update() -> None:
    with pytest.raises(
        InputError, match="'jax-tuned' cannot be recorded: of a program in JAX, the update must be"
    ):
        traced("xor", "numpy", "jax-tuned")
    step = traced("xor", "numpy", "torch", "jax-tuned")
    assert step.implementations == ("numpy", "torch")
    assert list(step.left_out) == ["jax-tuned"]
