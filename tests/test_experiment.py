"""Experiment files, datasets, initial weights."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradparity.contract import Activation, Dense, Loss, Network, Optimizer, tensors
from gradparity.errors import InputError
from gradparity.experiments import datasets, experiment, initial

from .helpers import SMALL, same_bits, small_experiment

# The core. Name: hidden units, the original assignment's learning rate, epochs.
CORE = {
    "linear": (4, 0.1, 10_000),
    "xor": (4, 0.1, 12_000),
    "linear-half-rate": (4, 0.05, 22_000),
    "xor-half-rate": (4, 0.05, 20_000),
    "linear-wide": (10, 0.1, 13_000),
    "xor-wide": (10, 0.1, 12_000),
}


def test_every_section_of_the_assignment_has_its_experiments() -> None:
    """From 3-1 on; those before are about what all experiments share, and 3-3 is a figure."""
    assert set(experiment.names()) > set(CORE)
    loaded = experiment.in_order()
    assert [one.name for one in loaded[:2]] == ["linear", "xor"]
    assert sorted(one.name for one in loaded) == experiment.names()
    assert {one.assignment.section for one in loaded if one.assignment} >= {
        *("3-1", "4-1", "4-2", "4-3", "5-1", "5-2", "5-3")
    }
    kinds = {layer.activation for one in loaded for layer in one.network.layers}
    assert kinds == set(get_args(Activation))
    assert {one.network.loss for one in loaded} == set(get_args(Loss))
    optimizers = [one.training.optimizer.optimizer() for one in loaded]
    assert {type(optimizer) for optimizer in optimizers} == set(get_args(Optimizer))
    assert {one.training.decoupled for one in loaded if one.training.weight_decay} == {True, False}


@pytest.mark.parametrize("name", CORE)
def test_core_experiments_are_the_original_assignments(name: str) -> None:
    hidden, rate, epochs = CORE[name]
    problem = experiment.load(name).problem()
    assert str(problem.network) == f"2-{hidden}-{hidden}-1"
    assert len(tensors(problem.params)) == 3  # no biases
    assert problem.schedule.epochs == epochs
    # The original assignment's step is N/2 times the true MSE's.
    assert problem.schedule.learning_rate == pytest.approx(
        rate * len(problem.inputs) / 2, rel=1e-15
    )
    assert problem.schedule.batch_size is None
    assert problem.inputs.dtype == np.float64


@pytest.mark.parametrize("name", CORE)
def test_toml_out_is_toml_in(name: str) -> None:
    one = experiment.load(name)
    again = experiment.parse(one.to_toml(), name=name)
    assert again == one
    assert again.fingerprint == one.fingerprint


def test_the_fingerprint_is_of_what_determines_the_numbers() -> None:
    one = experiment.load("xor")
    same = one.model_copy(update={"title": "Another", "about": "", "assignment": None, "name": "x"})
    assert same.fingerprint == one.fingerprint
    others = [
        one.model_copy(update={"dtype": "float32"}),
        one.model_copy(update={"initial": one.initial.model_copy(update={"seed": 1})}),
        one.model_copy(update={"training": one.training.model_copy(update={"epochs": 1})}),
        experiment.load("linear"),
    ]
    assert len({one.fingerprint, *(other.fingerprint for other in others)}) == 5


LAYER, DATA = "{ units = 5 }", 'name = "linear"\nsamples = 23\nseed = 1'

MISTAKES = """
title = 3
colour = "red"
dtype = "float16"
[dataset]
name = "linear"
seed = -1
[network]
layers = [{ units = 0 }, { units = 1, activation = "swish", bias = "no" }]
[initial]
scheme = "lecun"
[training]
learning_rate = nan
epochs = 10.5
batch_size = "all"
"""


def test_every_mistake_at_once_with_its_path() -> None:
    with pytest.raises(InputError) as caught:
        experiment.parse(MISTAKES, name="bad", source="bad.toml")
    lines = str(caught.value).splitlines()
    assert lines[0] == "bad.toml has 12 mistakes:"
    assert [line.split(":")[0].strip() for line in lines[1:]] == [
        "title",
        "dtype",
        "dataset.seed",
        "network.layers[0].units",
        "network.layers[1].activation",
        "network.layers[1].bias",
        "initial.scheme",
        "initial.seed",
        "training.learning_rate",
        "training.epochs",
        "training.batch_size",
        "colour",
    ]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("learning_rate = 0.5", "learning_rate = inf", "training.learning_rate: .*finite"),
        ("learning_rate = 0.5", "learning_rate = -1", "training.learning_rate: .*greater than 0"),
        ("batch_size = 5", "batch_size = 24", "training.batch_size: 24 is more than the 23"),
        ("units = 1,", "units = 2,", r"network.layers\[1\].units: the last layer has 2 units"),
        (
            'name = "linear"',
            'name = "moons"',
            "dataset: .*'moons'.*'linear', 'xor', 'bars', 'digits'",
        ),
        ("[training]", "[trainning]", "training: field required"),
        (LAYER, "3", r"network.layers\[0\]: .*found 3"),
        (LAYER, "{ channels = 5 }", r"network.layers\[0\]: a convolution needs images, .*\(2,\)"),
        (LAYER, "{ channels = 5, units = 3 }", r"network.layers\[0\].units: extra"),
        (
            LAYER,
            "{ channels = 5, kernel = [3] }",
            r"network.layers\[0\].kernel\[1\]: field required",
        ),
        (
            "layers = [",
            'loss = "binary_cross_entropy"\nlayers = [',
            r"layers\[1\].activation: .*identity",
        ),
        (
            "layers = [{ units = 5 }, { units = 1, bias = false }]",
            'loss = "softmax_cross_entropy"\nlayers = [{ units = 1, activation = "identity" }]',
            r"layers\[0\].units: softmax_cross_entropy needs at least two classes",
        ),
        (
            "epochs = 30",
            'epochs = 30\noptimizer = "adm"',
            "training.optimizer: .*'adm'.*'adagrad', 'rmsprop'",
        ),
        ("epochs = 30", "epochs = 30\noptimizer = 3", "training.optimizer: .*found 3"),
        (
            "epochs = 30",
            'epochs = 30\noptimizer = { name = "adam", beta1 = 1.0 }',
            "training.optimizer.beta1: .*less than 1",
        ),
        (
            "epochs = 30",
            'epochs = 30\noptimizer = { name = "sgd", nesterov = true }',
            "training.optimizer.nesterov: .*momentum",
        ),
        ("epochs = 30", "epochs = 30\nweight_decay = -1", "training.weight_decay: .*greater"),
        (DATA, 'name = "bars"\nsize = 9', "dataset.size: .*less than or equal to 8"),
        (
            DATA,
            'name = "digits"',
            r"network.layers\[1\].units: the last layer has 1 units.*10 target",
        ),
        ("seed = 1", "seed = 1\nseed = 2", "not valid TOML"),
        ("layers = [{ units = 5 }, { units = 1, bias = false }]", "layers = []", "network.layers"),
        ('title = "Small"', 'title = "Small"\nname = "other"', "name: leave it out"),
    ],
)
def test_one_mistake(old: str, new: str, message: str) -> None:
    assert old in SMALL
    with pytest.raises(InputError, match=message):
        experiment.parse(SMALL.replace(old, new, 1), name="bad")


def test_unknown_or_unreadable(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no experiment 'nor'; known: .*linear, .*xor-wide"):
        experiment.load("nor")
    with pytest.raises(InputError, match=r"cannot read .*none\.toml': No such file"):
        experiment.load(str(tmp_path / "none.toml"))
    (tmp_path / "latin.toml").write_bytes(b'title = "\xe9"')
    with pytest.raises(InputError, match="not UTF-8"):
        experiment.load(str(tmp_path / "latin.toml"))
    (tmp_path / "folder.toml").mkdir()
    with pytest.raises(InputError, match="Is a directory"):
        experiment.load(str(tmp_path / "folder.toml"))


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(SMALL)
    one = experiment.load(str(tmp_path / "mine.toml"))
    assert one.name == "mine"
    assert one.problem().schedule.updates_per_epoch == 5


def test_rounding_to_the_dtype_comes_last() -> None:
    wide, narrow = (
        small_experiment().model_copy(update={"dtype": d}).problem() for d in ("float64", "float32")
    )
    assert narrow.inputs.dtype == narrow.params[0].weight.dtype == np.float32
    assert np.array_equal(narrow.inputs, wide.inputs.astype(np.float32))
    assert np.array_equal(narrow.params[0].weight, wide.params[0].weight.astype(np.float32))


@given(st.integers(1, 300), st.integers(0, 2**64))
def test_linear(samples: int, seed: int) -> None:
    inputs, targets = datasets.linear(samples, seed)
    assert inputs.shape == (samples, 2)
    assert np.all((inputs >= 0) & (inputs < 1))
    assert np.array_equal(targets[:, 0] == 0, inputs[:, 0] > inputs[:, 1])
    assert np.array_equal(inputs, datasets.linear(samples, seed)[0])


def test_xor() -> None:
    inputs, targets = datasets.xor()
    assert inputs.shape == (21, 2)
    assert targets.sum() == 10
    rising, falling = inputs[targets[:, 0] == 0], inputs[targets[:, 0] == 1]
    assert np.array_equal(rising[:, 0], rising[:, 1])
    np.testing.assert_allclose(falling.sum(axis=1), 1, rtol=1e-15)
    assert len(rising) == 11
    assert not np.any(np.all(falling == 0.5, axis=1))


@given(st.integers(1, 50), st.integers(1, 20), st.integers(0, 2**32))
def test_batch_order_is_a_permutation_of_each_epoch(samples: int, epochs: int, seed: int) -> None:
    order = initial.batch_order(samples, epochs, seed)
    assert order.shape == (epochs, samples)
    assert np.array_equal(np.sort(order, axis=1), np.tile(np.arange(samples), (epochs, 1)))


@pytest.mark.parametrize(
    ("scheme", "deviation", "bias_deviation"),
    [
        ("standard_normal", 1.0, 1.0),
        ("uniform", 3**-0.5, 3**-0.5),
        ("xavier", (2 / 500) ** 0.5, 0.0),
        ("torch_default", (1 / 600) ** 0.5, (1 / 600) ** 0.5),
    ],
)
def test_initial_weights(scheme: initial.Scheme, deviation: float, bias_deviation: float) -> None:
    network = Network((200,), (Dense(300), Dense(10, bias=False)))
    params = initial.initial_params(network, scheme, 0, "float64")
    weight, bias = params[0]
    assert weight.shape == (200, 300)
    assert bias is not None
    assert params[1].bias is None
    assert weight.std() == pytest.approx(deviation, rel=0.02)
    assert bias.std() == pytest.approx(bias_deviation, rel=0.2)
    assert same_bits(params, initial.initial_params(network, scheme, 0, "float64"))
    assert not same_bits(params, initial.initial_params(network, scheme, 1, "float64"))
