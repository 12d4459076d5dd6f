"""What several test modules need: the three implementations, an informative case, planted faults."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Collection
from concurrent.futures import Executor, Future
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from gradparity import implementations, registry
from gradparity.contract import (
    Dense,
    Layer,
    Network,
    Params,
    Schedule,
    Snapshot,
    State,
    map_params,
    tensors,
)
from gradparity.experiments import experiment
from gradparity.experiments.initial import batch_order, initial_params
from gradparity.guarded import Guarded
from gradparity.problem import Problem
from gradparity.reference.passes import evaluate
from gradparity.reference.updates import apply_update, zero_state
from gradparity.verdict.case import Case
from gradparity.verdict.judge import Finding, judge

ROOT = Path(__file__).parent.parent
SMALL = """
title = "Small"
[dataset]
name = "linear"
samples = 23
seed = 1
[network]
layers = [{ units = 5 }, { units = 1, bias = false }]
[initial]
seed = 3
[training]
learning_rate = 0.5
epochs = 30
batch_size = 5
"""


@cache
def implementation(name: str) -> Guarded:
    return registry.load(name)


def submodule(name: str) -> Any:
    """A module of the three, such as `impl_numpy.exact`."""
    return import_module(f"{implementations.__name__}.{name}")


def small_experiment(**training: Any) -> experiment.Experiment:
    """A mini-batch experiment with a ragged last batch, whose training settings can be replaced."""
    settings = experiment.parse(SMALL, name="small").model_dump()
    settings["training"] |= training
    return experiment.Experiment(**settings)


def informative_case(dtype: str, update: int = 1) -> Case:
    """Nothing square, nothing equal, nothing saturated: widths 3-5-4-2, 13 samples in batches of 4 (update 3: of 1)."""
    network = Network((3,), (Dense(5), Dense(4, bias=False), Dense(2)))
    rng = np.random.default_rng(5)
    return Case(
        network,
        initial_params(network, "standard_normal", 7, dtype),
        rng.uniform(-1, 1, (13, 3)).astype(dtype),
        rng.uniform(0, 1, (13, 2)).astype(dtype),
        Schedule(0.3, 2, 4, batch_order(13, 2, 9)),
        update,
    )


def findings(case: Case, target: Any) -> list[Finding]:
    expected, bound = case.expect()
    return judge(case.params, case.observe(target), expected, bound, slack=case.oracle_slack)


class Faulty:
    """A correct implementation with a fault planted into its gradients, or into anything else it returns."""

    def __init__(
        self,
        correct: Any,
        *,
        grads: Callable[[Params], Params] = lambda grads: grads,
        train: Callable[..., Any] | None = None,
    ) -> None:
        self.forward = correct.forward
        self.train = train or correct.train
        self.correct = correct
        self.change = grads

    def loss_and_grads(self, *arguments: Any) -> tuple[float, Params]:
        loss, grads = self.correct.loss_and_grads(*arguments)
        return loss, self.change(grads)


def scaled(layer: int, tensor: str, factor: float) -> Callable[[Params], Params]:
    """Multiply one tensor of some params."""

    def change(params: Params) -> Params:
        changed: list[Layer] = list(params)
        array = getattr(changed[layer], tensor)
        changed[layer] = changed[layer]._replace(**{tensor: array * array.dtype.type(factor)})
        return tuple(changed)

    return change


def copied(params: Params) -> Params:
    return map_params(np.array, params)


def same_bits(a: Params, b: Params) -> bool:
    return all(
        np.array_equal(one, other, equal_nan=True)
        for one, other in zip(tensors(a), tensors(b), strict=True)
    )


def command(*arguments: str | Path, cwd: Path = ROOT, **environment: str) -> Any:
    """Run `python arguments…` in a fresh process."""
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )


def gradparity(*arguments: str | Path, cwd: Path = ROOT, **environment: str) -> Any:
    """Run the command line in a fresh process."""
    return command("-m", "gradparity", *arguments, cwd=cwd, **environment)


class Ended(NamedTuple):
    """How a command ended, as `subprocess.CompletedProcess` has it."""

    returncode: int
    stdout: str
    stderr: str


CommandLine = Callable[..., Ended]
"""The fixture `cli`: the command line with these arguments, in this process."""


def snapshots_along(problem: Problem, wanted: Collection[int]) -> dict[int, Snapshot]:
    """The reference's own weights and state at these update counts, trained alone."""
    found, params, schedule = {}, problem.params, problem.schedule
    arrays = zero_state(schedule, params)
    for update in range(max(wanted) + 1):
        if update in wanted:
            found[update] = Snapshot(params, State(update, arrays))
        if update < schedule.updates:
            batch = schedule.batch(update)
            inputs, targets = problem.inputs[batch], problem.targets[batch]
            grads = evaluate(problem.network, params, inputs, targets).grads
            params, arrays = apply_update(schedule, params, grads, arrays, update + 1)
    return found


class InThisProcess(Executor):
    """An executor that does the work at once and here, where monkeypatches hold."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        done: Future[Any] = Future()
        try:
            done.set_result(fn(*args, **kwargs))
        except Exception as error:  # raised by `result`, as in any other executor
            done.set_exception(error)
        return done
