"""The parts of the study that are not sweeps: limits, dead networks, digits, chaos and libraries' defaults."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...contract import Params, map_params, tensors
from ...experiments import datasets, experiment
from ...experiments.accuracy import accuracy, predictions
from ...experiments.experiment import Experiment
from ...experiments.initial import initial_params
from ...guarded import Guarded
from ...problem import Problem
from ...processes import one_quiet_thread
from ...reference.passes import evaluate
from ...reference.updates import apply_update, update_tensor, zero_state
from ...sweep.grid import change
from ...verdict.compare_runs import PARTED

_STEPS = (0, 1, 2, 5)
_CHAOS_EPOCHS = (200, 500, 1000)


def least_squares(name: str, seeds: int, *, fresh_data: bool) -> float:
    """Return the smallest MSE that any linear map without a bias can reach on an experiment's data.

    With `fresh_data`, return the median over the seeds, each with its own points.
    """
    problem = _members(experiment.load(name), seeds, fresh_data=fresh_data)
    inputs, targets = problem.inputs, problem.targets
    weight = np.linalg.pinv(inputs) @ targets
    return float(np.median(np.mean((inputs @ weight - targets) ** 2, axis=(-2, -1))))


def _members(one: Experiment, seeds: int, *, fresh_data: bool = False) -> Problem:
    """Return the problem with a member for each initial seed; with `fresh_data`, each member has its own data."""
    problem, initial = one.problem(), one.initial
    drawn = [
        initial_params(problem.network, initial.scheme, seed, one.dtype, scale=initial.scale)
        for seed in range(seeds)
    ]
    params = map_params(lambda *parts: np.stack(parts), *drawn)
    inputs, targets = problem.inputs, problem.targets
    if fresh_data:
        data = [one.dataset.model_copy(update={"seed": seed}).load() for seed in range(seeds)]
        inputs, targets = (np.stack(arrays) for arrays in zip(*data, strict=True))
    return replace(problem, params=params, inputs=inputs, targets=targets)


def dead_after_steps(implementation: Guarded, name: str, seeds: int) -> dict[str, float]:
    """Return the share of ReLU networks whose output and gradient are exactly zero, by the number of updates."""
    layers = {f"network.layers[{k}].activation": "relu" for k in range(3)}
    one = change(experiment.load(name), layers | {"training.epochs": max(_STEPS)})
    problem = _members(one, seeds, fresh_data=name == "linear")
    with one_quiet_thread():
        found = implementation.train_ensemble(
            problem.network,
            problem.params,
            problem.inputs,
            problem.targets,
            replace(problem.schedule, keep=_STEPS),
        )
        return {str(step): _dead(problem, found.kept[step].params) for step in _STEPS}


def _dead(problem: Problem, params: Params) -> float:
    done = evaluate(problem.network, params, problem.inputs, problem.targets)
    silent = np.all(done.activations[-1] == 0, axis=(-2, -1))
    still = [np.all(g == 0, axis=tuple(range(1, g.ndim))) for g in tensors(done.grads)]
    return float(np.mean(silent & np.all(still, axis=0)))


def digits(implementation: Guarded, seeds: int, epochs: int = 300) -> list[dict[str, Any]]:
    """Return the test accuracy on handwritten digits: convolution and MLP, cross-entropy and MSE; full batch."""
    conv, dense = (
        [{"channels": 8, "kernel": [3, 3], "stride": 2, "activation": "relu"}],
        [{"units": 20, "activation": "relu"}],
    )
    rows = []
    for label, hidden, loss, last, rate, known in (
        ("convolution, cross-entropy", conv, "softmax_cross_entropy", "identity", 0.5, 0.98),
        ("MLP, cross-entropy", dense, "softmax_cross_entropy", "identity", 0.5, 0.97),
        ("convolution, MSE", conv, "mse", "sigmoid", 5.0, 0.95),
        ("MLP, MSE", dense, "mse", "sigmoid", 5.0, 0.95),
    ):
        one = change(
            experiment.load("digits-conv"),
            {
                "network.layers": [*hidden, {"units": 10, "activation": last}],
                "network.loss": loss,
                "training.learning_rate": rate,
                "training.epochs": epochs,
                "training.batch_size": 1200,
            },
        )
        rates = [_test_accuracy(implementation, one, seed) for seed in range(seeds)]
        weights = sum(tensor.size for tensor in tensors(one.problem().params))
        rows.append(
            {
                "label": label,
                "parameters": weights,
                "rate": rate,
                "accuracy": rates,
                "known": {"accuracy": known},
            }
        )
    return rows


def _test_accuracy(implementation: Guarded, one: Experiment, seed: int) -> float:
    problem = replace(
        (given := one.problem()),
        params=initial_params(given.network, one.initial.scheme, seed, one.dtype),
    )
    _, (inputs, targets) = datasets.digits(len(problem.inputs), 0)
    schedule = replace(problem.schedule, batch_size=None, order=None)
    with one_quiet_thread():
        run = implementation.train(
            problem.network, problem.params, problem.inputs, problem.targets, schedule
        )
        outputs = implementation.forward(problem.network, run.final.params, inputs)[-1]
    return accuracy(predictions(problem.network, outputs), targets)["threshold_0.5"]


def chaos(pair: Sequence[Guarded], seeds: int) -> list[dict[str, Any]]:
    """Return the share of seeds whose losses differ by more than 1e-3 between two correct implementations."""
    rows = []
    for label, name, rate in (
        ("linear, rate 0.1", "linear", 5.0),
        ("linear, rate 0.05", "linear", 2.5),
        ("linear, rate 0.02", "linear", 1.0),
        ("XOR, rate 0.1", "xor", 1.05),
    ):
        settings = {"training.learning_rate": rate, "training.epochs": max(_CHAOS_EPOCHS)}
        one = change(experiment.load(name), settings)
        problem = _members(one, seeds, fresh_data=name == "linear")
        with one_quiet_thread():
            a, b = (
                target.train_ensemble(
                    problem.network,
                    problem.params,
                    problem.inputs,
                    problem.targets,
                    problem.schedule,
                ).losses
                for target in pair
            )
        apart = np.abs(a - b) / np.abs(b) > PARTED
        parted = np.maximum.accumulate(apart, axis=1)
        rows.append(
            {
                "label": label,
                "implementations": [target.name for target in pair],
                "parted": {str(n): float(np.mean(parted[:, n - 1])) for n in _CHAOS_EPOCHS},
                "example": _example(a, b, parted),
            }
        )
    return rows


def _example(a: np.ndarray, b: np.ndarray, parted: np.ndarray) -> dict[str, Any]:
    """Return the relative difference of losses, at some epochs, for the member that diverges first."""
    member = int(np.argmax(parted.sum(axis=1)))
    epochs = np.unique(np.geomspace(1, a.shape[1], 120).astype(int))
    difference = (np.abs(a - b) / np.abs(b))[member, epochs - 1]
    return {
        "seed": member,
        "epochs": epochs.tolist(),
        "difference": [float(f"{d:.3g}") for d in difference],
    }


@dataclass(frozen=True)
class Convention:
    """A difference between libraries' defaults, as two updates that train from the same start.

    Attributes:
        subject: the difference.
        ours: the contract's convention, and the libraries that use it by default.
        theirs: the other convention, and the libraries that use it.
        values: changes to the experiment that make the difference show.
        update: the other convention, as an update of one tensor.
        plain: the contract's convention, as an update of one tensor.
    """

    subject: str
    ours: str
    theirs: str
    values: dict[str, Any]
    update: Callable[..., Any]
    plain: Callable[..., Any] = update_tensor


def curves(convention: Convention, epochs: int = 1000) -> dict[str, Any]:
    """Return the reference's losses on XOR under both conventions, from the same start."""
    one = change(experiment.load("xor"), convention.values | {"training.epochs": epochs})
    problem = one.problem()
    chosen = np.unique(np.geomspace(1, epochs, 100).astype(int))

    def losses(step: Callable[..., Any]) -> list[float]:
        params, schedule = problem.params, problem.schedule
        arrays = zero_state(schedule, params)
        found = []
        with one_quiet_thread():
            for t in range(1, epochs + 1):
                done = evaluate(problem.network, params, problem.inputs, problem.targets)
                found.append(float(done.loss))
                params, arrays = apply_update(schedule, params, done.grads, arrays, t, step)
        return [float(f"{found[epoch - 1]:.6g}") for epoch in chosen]

    return {
        "epochs": chosen.tolist(),
        "ours": losses(convention.plain),
        "theirs": losses(convention.update),
    }
