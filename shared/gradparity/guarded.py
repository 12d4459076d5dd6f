"""The border between `gradparity` and an implementation: arguments are copied, results are checked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from operator import itemgetter
from typing import Any

import numpy as np

from .border import Check, call_privately, reading
from .contract import (
    Batch,
    Ensemble,
    Implementation,
    Network,
    Params,
    Schedule,
    Snapshot,
    State,
    Trajectory,
    map_params,
)
from .errors import InputError, TargetRaisedError


@dataclass(frozen=True, eq=False)
class Guarded:
    """An implementation behind the border; itself an implementation.

    Arguments are validated here, before any framework gets them: with `(N,)` targets and `(N, 1)`
    outputs, all frameworks would agree on a wrong loss. Each call gets its own writable copies; a function that
    changes them is recorded in `mutations`. Results are checked for shape and dtype, and copied.

    Raises:
        InputError: the arguments do not fit each other.
        TargetRaisedError: the implementation raised.
        ContractError: its result does not fit the contract.
    """

    name: str
    implementation: Implementation
    mutations: set[str] = field(default_factory=set)

    def forward(self, network: Network, params: Params, inputs: Batch) -> Sequence[Batch]:
        """Return the activations of every layer."""
        _check_arguments(network, params, inputs)
        check = Check(self.name, "forward")
        result = self._call(check, network, params, inputs)
        with reading(check.what):
            check.require(isinstance(result, list | tuple), "a list of arrays", result)
            check.require(
                len(result) == len(network.layers),
                f"{len(network.layers)} activations, one for each layer",
                f"{len(result)} of them",
            )
            return [
                check.array(f"activation {index}", array, (len(inputs), *shape), inputs.dtype)
                for index, (array, shape) in enumerate(zip(result, network.shapes[1:], strict=True))
            ]

    def loss_and_grads(
        self, network: Network, params: Params, inputs: Batch, targets: Batch
    ) -> tuple[float, Params]:
        """Return the loss, and its gradient with respect to every parameter."""
        _check_arguments(network, params, inputs, targets)
        check = Check(self.name, "loss_and_grads")
        result = self._call(check, network, params, inputs, targets)
        with reading(check.what):
            pair = isinstance(result, tuple) and len(result) == 2
            check.require(pair, "a pair (loss, grads)", result)
            loss, grads = result
            return check.scalar("loss", loss), check.params("gradient", grads, params)

    def train(
        self,
        network: Network,
        params: Params,
        inputs: Batch,
        targets: Batch,
        schedule: Schedule,
        state: State | None = None,
    ) -> Trajectory:
        """Train by `schedule`, from update count `state.updates` to its end."""
        _check_arguments(network, params, inputs, targets)
        check = Check(self.name, "train")
        start = 0 if state is None else state.updates
        result = self._call(check, network, params, inputs, targets, schedule, state=state)
        with reading(check.what):
            check.require(isinstance(result, Trajectory), "a Trajectory", result)
            check.counts(result.kept, _kept_counts(schedule, start))
            losses = np.array(result.losses)
            check.require(
                losses.shape == (schedule.updates - start,) and losses.dtype == np.float64,
                f"{schedule.updates - start} losses in float64",
                f"shape {losses.shape}, {losses.dtype}"
                + _hint(losses, schedule, schedule.updates - start),
            )
            return Trajectory(
                losses,
                check.scalar("final_loss", result.final_loss),
                check.snapshot("final", result.final, params, schedule.updates),
                check.snapshots(result.kept, params),
                check.seconds("compile_seconds", result.compile_seconds),
            )

    def train_ensemble(
        self, network: Network, params: Params, inputs: Batch, targets: Batch, schedule: Schedule
    ) -> Ensemble:
        """Train many members: at once if the implementation can, else one after the other."""
        members = len(params[0].weight)
        together = network, params, inputs, targets, schedule
        if not hasattr(self.implementation, "train_ensemble"):
            return stack(self.train(network, *_member(k, *together)) for k in range(members))
        _check_arguments(network, *_member(0, *together)[:3])
        check = Check(self.name, "train_ensemble")
        result = self._call(check, *together)
        with reading(check.what):
            check.require(isinstance(result, Ensemble), "an Ensemble", result)
            losses, shape = result.losses, (members, schedule.updates)
            fits = isinstance(losses, np.ndarray) and losses.shape == shape
            check.require(fits and losses.dtype == np.float64, f"losses {shape} in float64", losses)
            check.counts(result.kept, _kept_counts(schedule))
            return Ensemble(
                np.array(losses),
                check.snapshot("final", result.final, params, schedule.updates),
                check.snapshots(result.kept, params),
            )

    def _call(self, check: Check, network: Network, *arguments: Any, **keywords: Any) -> Any:
        try:
            function = getattr(self.implementation, check.function)
            result, changed, _ = call_privately(
                check.function, function, network, *arguments, **keywords
            )
        except TargetRaisedError as error:
            raise TargetRaisedError(f"{self.name}: {error}") from error.__cause__
        if changed:
            self.mutations.add(check.function)
        return result


def stack(members: Iterable[Trajectory]) -> Ensemble:
    """Combine members that were trained one by one into an ensemble."""
    runs = list(members)

    def stacked(snapshots: list[Snapshot]) -> Snapshot:
        def join(params: list[Params]) -> Params:
            return map_params(lambda *tensors: np.stack(tensors), *params)

        state = snapshots[0].state
        arrays = {name: join([s.state.arrays[name] for s in snapshots]) for name in state.arrays}
        return Snapshot(join([s.params for s in snapshots]), State(state.updates, arrays))

    return Ensemble(
        np.stack([run.losses for run in runs]),
        stacked([run.final for run in runs]),
        {count: stacked([run.kept[count] for run in runs]) for count in runs[0].kept},
    )


def _check_arguments(
    network: Network, params: Params, inputs: Batch, targets: Batch | None = None
) -> None:
    """Check params and data against the network, and all dtypes against the inputs'."""
    shapes, weights, dtype = network.shapes, network.weight_shapes, inputs.dtype
    wanted: dict[str, tuple[np.ndarray, tuple[int, ...]]] = {
        "inputs": (inputs, (len(inputs), *shapes[0]))
    }
    if targets is not None:
        wanted["targets"] = (targets, (len(inputs), *shapes[-1]))
    if len(params) != len(network.layers):
        raise InputError(f"params have {len(params)} layers, the network {len(network.layers)}")
    for index, (layer, description) in enumerate(zip(params, network.layers, strict=True)):
        wanted[f"params[{index}].weight"] = (layer.weight, weights[index])
        if (layer.bias is not None) != description.bias:
            given = "none" if layer.bias is None else "one"
            raise InputError(
                f"params[{index}].bias: the network has bias={description.bias}, but the params have {given}"
            )
        if layer.bias is not None:
            wanted[f"params[{index}].bias"] = (layer.bias, weights[index][-1:])
    for name, (array, shape) in wanted.items():
        if array.shape != shape or array.dtype != dtype:
            raise InputError(
                f"{name} must have shape {shape} and dtype {dtype}, found {array.shape} {array.dtype}"
            )


def _member(
    k: int, network: Network, params: Params, inputs: Batch, targets: Batch, schedule: Schedule
) -> tuple[Params, Batch, Batch, Schedule]:
    """Return the weights, data and schedule of member `k`. All members share data without a member axis."""
    own_data = inputs.ndim > len(network.input_shape) + 1
    rates = np.broadcast_to(schedule.learning_rate, len(params[0].weight))
    return (
        map_params(itemgetter(k), params),
        inputs[k] if own_data else inputs,
        targets[k] if own_data else targets,
        replace(schedule, learning_rate=float(rates[k])),
    )


def _kept_counts(schedule: Schedule, start: int = 0) -> set[int]:
    """Return the update counts that a run of `schedule`, starting at `start`, keeps."""
    return {count for count in schedule.keep if start <= count <= schedule.updates}


def _hint(losses: np.ndarray, schedule: Schedule, expected: int) -> str:
    ragged = schedule.order is not None and schedule.batch_size is not None
    if ragged and losses.ndim == 1 and losses.size < expected:
        return " (is the ragged last batch dropped?)"
    return ""
