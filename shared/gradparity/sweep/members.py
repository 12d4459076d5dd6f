"""Train the members of one chunk at once, judge them by the reference, and keep a few numbers of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod
from operator import itemgetter
from typing import NamedTuple

import numpy as np

from .. import registry
from ..contract import Batch, Network, Params, map_params, tensors
from ..errors import InputError
from ..experiments.accuracy import predictions, succeeded
from ..experiments.experiment import Experiment
from ..experiments.initial import initial_params
from ..guarded import Guarded
from ..problem import Problem
from ..processes import one_quiet_thread
from ..reference.passes import evaluate

_ROUND = (1000, 2000, 5000, 10_000)
_STRIDE, _FEWEST, _MOST = 100, 20, 500
_KEPT = 2**24  # numbers in all check points of one chunk, to limit memory
_JUDGED = 2**22  # numbers in one layer, for the members that are judged at once


@dataclass(frozen=True)
class Job:
    """All that is needed to train one chunk; sent to the worker that does it.

    Attributes:
        experiment: the experiment in the chunk's setting.
        implementation: the implementation's name, or its absolute path.
        source: the implementation's `registry.source`.
        seeds: the members' seeds.
        chunk_size: members of a full chunk; the last one may have fewer.
        fresh_data: each member's dataset is drawn from its seed, too.
    """

    experiment: Experiment
    implementation: str
    source: str
    seeds: range
    chunk_size: int
    fresh_data: bool


@dataclass(frozen=True)
class Member:
    """The result of one training run. Losses are on all data, by the reference; None if not finite.

    Attributes:
        succeeded: at the end, every sample is within 0.1 of its label.
        epochs_to_success: the first checked epoch at which that is so; None if there is none.
        diverged: at the end, a weight or the loss is not finite.
        dead: at the end, the outputs are the same for every sample; never set if there is only one sample.
        losses: the losses at the epochs of `loss_epochs`.
    """

    seed: int
    succeeded: bool
    epochs_to_success: int | None
    diverged: bool
    dead: bool
    final_loss: float | None
    losses: tuple[float | None, ...]


def loss_epochs(experiment: Experiment) -> tuple[int, ...]:
    """Return the epochs whose losses are kept: start, end, `_ROUND`, and the assignment's or 7 at equal distances."""
    epochs = experiment.training.epochs
    table = experiment.assignment.losses if experiment.assignment else {}
    chosen = {int(epoch) for epoch in table if int(epoch) <= epochs}
    chosen = chosen or {epochs * part // 8 for part in range(1, 8)}
    return tuple(sorted({0, *chosen, *(epoch for epoch in _ROUND if epoch < epochs), epochs}))


def check_epochs(experiment: Experiment, numbers: int) -> tuple[int, ...]:
    """Return the epochs at which members are judged: every 100, but at least 20 times and at most 500.

    They are fewer if `numbers`, the count of weights and state numbers in a whole chunk, is large.
    """
    epochs = experiment.training.epochs
    most = min(max(_KEPT // numbers, _FEWEST), _MOST)
    count = min(max(epochs // _STRIDE, _FEWEST), most, epochs)
    even = np.linspace(0, epochs, count + 1).round().astype(int).tolist()
    return tuple(sorted({*even, *loss_epochs(experiment)}))


def train_chunk(job: Job) -> list[Member]:
    """Train and judge the members of one chunk, on one thread."""
    target = _load(job)  # loaded before threads are limited, as its framework brings its own
    problem = _stacked(job)
    schedule = problem.schedule
    copies = (1 + len(schedule.optimizer.arrays)) * job.chunk_size
    numbers = copies * sum(tensor[0].size for tensor in tensors(problem.params))
    updates = {
        epoch: epoch * schedule.updates_per_epoch for epoch in check_epochs(job.experiment, numbers)
    }
    with one_quiet_thread():
        ensemble = target.train_ensemble(
            problem.network,
            problem.params,
            problem.inputs,
            problem.targets,
            replace(schedule, keep=tuple(updates.values())),
        )
        judged = {
            epoch: _judge(problem, ensemble.kept[update].params)
            for epoch, update in updates.items()
        }
    return [_member(job, at, judged) for at in range(len(job.seeds))]


_loaded: dict[str, tuple[str, Guarded]] = {}


def _load(job: Job) -> Guarded:
    """Load the implementation once; again if its file changes while the worker lives.

    Raises:
        InputError: the implementation's source here is not that of the job.
    """
    name, source = job.implementation, job.source
    if name not in _loaded or (
        name.partition(":")[0].endswith(".py") and _loaded[name][0] != source
    ):
        _loaded[name] = registry.source(name), registry.load(name)
    found, target = _loaded[name]
    if found != source:
        raise InputError(
            f"a worker has another version of '{name}' than this sweep: update it there, and restart the worker"
        )
    return target


def _stacked(job: Job) -> Problem:
    """Combine the members' problems: params, and data if each member has its own, get a leading member axis."""
    one, initial = job.experiment.problem(), job.experiment.initial
    params = [
        initial_params(one.network, initial.scheme, seed, job.experiment.dtype, scale=initial.scale)
        for seed in job.seeds
    ]
    inputs, targets = one.inputs, one.targets
    if job.fresh_data:
        dataset = job.experiment.dataset
        drawn = [dataset.model_copy(update={"seed": seed}).load() for seed in job.seeds]
        inputs, targets = (
            np.stack(arrays).astype(inputs.dtype) for arrays in zip(*drawn, strict=True)
        )
    stacked = map_params(lambda *members: np.stack(members), *params)
    return replace(one, params=stacked, inputs=inputs, targets=targets)


class _Judged(NamedTuple):
    """The judgement of each member at one epoch; all arrays are `(members,)`."""

    loss: np.ndarray
    succeeded: np.ndarray
    diverged: np.ndarray
    dead: np.ndarray


def _judge(problem: Problem, params: Params) -> _Judged:
    """Judge the members of any framework in the same way; as many at once as memory allows."""
    network, inputs, targets = problem.network, problem.inputs, problem.targets
    samples = problem.targets.shape[-2]
    at_once = max(_JUDGED // (samples * max(map(prod, network.shapes))), 1)
    parts = []
    for first in range(0, len(params[0].weight), at_once):
        some = itemgetter(slice(first, first + at_once))
        data = (some(inputs), some(targets)) if targets.ndim > 2 else (inputs, targets)
        parts.append(_judge_some(network, map_params(some, params), *data))
    return _Judged(*map(np.concatenate, zip(*parts, strict=True)))


def _judge_some(network: Network, params: Params, inputs: Batch, targets: Batch) -> _Judged:
    done = evaluate(network, params, inputs, targets)
    outputs = done.activations[-1]
    finite = np.isfinite(done.loss)
    for tensor in tensors(params):
        finite &= np.isfinite(tensor).reshape(len(tensor), -1).all(axis=1)
    return _Judged(
        loss=np.where(finite, done.loss, np.nan),
        succeeded=finite & succeeded(predictions(network, outputs), targets),
        diverged=~finite,
        dead=finite & (outputs.shape[1] > 1) & (outputs == outputs[:, :1]).all(axis=(-2, -1)),
    )


def _member(job: Job, at: int, judged: Mapping[int, _Judged]) -> Member:
    end = judged[job.experiment.training.epochs]
    losses = {epoch: float(one.loss[at]) for epoch, one in judged.items()}
    finite = {epoch: loss if np.isfinite(loss) else None for epoch, loss in losses.items()}
    return Member(
        seed=job.seeds[at],
        succeeded=bool(end.succeeded[at]),
        epochs_to_success=next((epoch for epoch, one in judged.items() if one.succeeded[at]), None),
        diverged=bool(end.diverged[at]),
        dead=bool(end.dead[at]),
        final_loss=finite[job.experiment.training.epochs],
        losses=tuple(finite[epoch] for epoch in loss_epochs(job.experiment)),
    )
