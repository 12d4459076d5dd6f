"""The border between `gradparity` and an implementation: what goes in is private, what comes out is checked."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from operator import itemgetter
from typing import Any

import numpy as np

from .contract import (
    Batch,
    Ensemble,
    Implementation,
    Layer,
    Network,
    Params,
    Schedule,
    Snapshot,
    State,
    Trajectory,
    map_params,
)
from .errors import ContractError, InputError


@dataclass(frozen=True, eq=False)
class Guarded:
    """An implementation behind the border; itself an implementation.

    Arguments are validated once, here, before any framework sees them: with `(N,)` targets against `(N, 1)`
    outputs, frameworks agree on a wrong loss. Each call gets writable copies of its own; one that
    changes them is noted in `mutations`. Results are checked for shape and dtype, and copied.

    Raises:
        InputError: arguments that do not fit each other.
        ContractError: the implementation raised, or its result does not fit the contract.
    """

    name: str
    implementation: Implementation
    mutations: set[str] = field(default_factory=set)

    def forward(self, network: Network, params: Params, inputs: Batch) -> Sequence[Batch]:
        """The activations of every layer."""
        _check_arguments(network, params, inputs)
        result = self._call("forward", network, params, inputs)
        self._require(isinstance(result, list | tuple), "forward", "a list of arrays", result)
        self._require(
            len(result) == len(network.layers),
            "forward",
            f"{len(network.layers)} activations, one for each layer",
            f"{len(result)} of them",
        )
        return [
            self._array("forward", f"activation {index}", array, (len(inputs), *shape), inputs)
            for index, (array, shape) in enumerate(zip(result, network.shapes[1:], strict=True))
        ]

    def loss_and_grads(
        self, network: Network, params: Params, inputs: Batch, targets: Batch
    ) -> tuple[float, Params]:
        """The loss, and its gradient with respect to every parameter."""
        _check_arguments(network, params, inputs, targets)
        result = self._call("loss_and_grads", network, params, inputs, targets)
        self._require(
            isinstance(result, tuple) and len(result) == 2,
            "loss_and_grads",
            "a pair (loss, grads)",
            result,
        )
        loss, grads = result
        return self._scalar("loss_and_grads", "loss", loss), self._params(
            "loss_and_grads", "gradient", grads, params
        )

    def train(
        self,
        network: Network,
        params: Params,
        inputs: Batch,
        targets: Batch,
        schedule: Schedule,
        state: State | None = None,
    ) -> Trajectory:
        """Carry out `schedule` from update count `state.updates` to its end."""
        _check_arguments(network, params, inputs, targets)
        start = 0 if state is None else state.updates
        result = self._call("train", network, params, inputs, targets, schedule, state=state)
        self._require(isinstance(result, Trajectory), "train", "a Trajectory", result)
        expected = {count for count in schedule.keep if start <= count <= schedule.updates}
        self._require(
            set(result.kept) == expected,
            "train",
            f"params kept at update counts {sorted(expected)}",
            sorted(result.kept),
        )
        losses = np.array(result.losses)
        self._require(
            losses.shape == (schedule.updates - start,) and losses.dtype == np.float64,
            "train",
            f"{schedule.updates - start} losses in float64",
            f"shape {losses.shape}, {losses.dtype}" + _hint(losses, schedule),
        )
        return Trajectory(
            losses,
            self._scalar("train", "final_loss", result.final_loss),
            self._snapshot(result.final, params, schedule.updates),
            {n: self._snapshot(result.kept[n], params, n) for n in sorted(result.kept)},
            result.compile_seconds,
        )

    def train_ensemble(
        self, network: Network, params: Params, inputs: Batch, targets: Batch, schedule: Schedule
    ) -> Ensemble:
        """Train many members: at once where the implementation can, else one after the other."""
        members = len(params[0].weight)
        own_data = inputs.ndim > len(network.input_shape) + 1
        rates = np.broadcast_to(schedule.learning_rate, members)
        if not hasattr(self.implementation, "train_ensemble"):
            return stack(
                self.train(
                    network,
                    map_params(itemgetter(k), params),
                    inputs[k] if own_data else inputs,
                    targets[k] if own_data else targets,
                    replace(schedule, learning_rate=float(rates[k])),
                )
                for k in range(members)
            )
        first = map_params(lambda tensor: tensor[0], params)
        data = (inputs[0], targets[0]) if own_data else (inputs, targets)
        _check_arguments(network, first, *data)
        result = self._call("train_ensemble", network, params, inputs, targets, schedule)
        self._require(isinstance(result, Ensemble), "train_ensemble", "an Ensemble", result)
        shape = (members, schedule.updates)
        self._require(
            isinstance(result.losses, np.ndarray)
            and result.losses.shape == shape
            and result.losses.dtype == np.float64,
            "train_ensemble",
            f"losses {shape} in float64",
            result.losses,
        )
        expected = {count for count in schedule.keep if count <= schedule.updates}
        self._require(
            set(result.kept) == expected,
            "train_ensemble",
            f"params kept at update counts {sorted(expected)}",
            str(sorted(result.kept)),
        )
        return Ensemble(
            np.array(result.losses),
            self._snapshot(result.final, params, schedule.updates),
            {n: self._snapshot(result.kept[n], params, n) for n in sorted(result.kept)},
        )

    def _call(self, function: str, network: Network, *arguments: Any, **keywords: Any) -> Any:
        copies, keyword_copies = _private(arguments), _private(keywords)
        before = _digest((copies, keyword_copies))
        try:
            result = getattr(self.implementation, function)(network, *copies, **keyword_copies)
        except Exception as error:
            raise ContractError(
                f"{self.name}: {function} raised {type(error).__name__}: {error}"
            ) from error
        if _digest((copies, keyword_copies)) != before:
            self.mutations.add(function)
        return result

    def _snapshot(self, snapshot: Snapshot, params: Params, updates: int) -> Snapshot:
        kept, state = snapshot
        self._require(
            state.updates == updates, "train", f"a state at {updates} updates", state.updates
        )
        arrays = {
            name: self._params("train", f"state '{name}'", value, params)
            for name, value in state.arrays.items()
        }
        return Snapshot(self._params("train", "params", kept, params), State(updates, arrays))

    def _params(self, function: str, what: str, result: Any, like: Params) -> Params:
        self._require(
            isinstance(result, list | tuple) and len(result) == len(like),
            function,
            f"{what} as {len(like)} pairs (weight, bias)",
            f"{len(result)} of them" if isinstance(result, list | tuple) else result,
        )
        layers = []
        for index, (pair, layer) in enumerate(zip(result, like, strict=True)):
            weight, bias = pair
            if layer.bias is None:
                self._require(bias is None, function, f"None for {what} {index}'s bias", bias)
            layers.append(
                Layer(
                    self._array(
                        function, f"{what} {index}.weight", weight, layer.weight.shape, layer.weight
                    ),
                    None
                    if layer.bias is None
                    else self._array(
                        function, f"{what} {index}.bias", bias, layer.bias.shape, layer.bias
                    ),
                )
            )
        return tuple(layers)

    def _array(
        self, function: str, what: str, array: Any, shape: tuple[int, ...], like: np.ndarray
    ) -> np.ndarray:
        ok = isinstance(array, np.ndarray) and array.shape == shape and array.dtype == like.dtype
        self._require(ok, function, f"{what} as a NumPy array {shape}, {like.dtype}", array)
        return np.array(array)

    def _scalar(self, function: str, what: str, value: Any) -> float:
        self._require(isinstance(value, float), function, f"{what} as a float", value)
        return float(value)

    def _require(self, ok: bool, function: str, expected: str, received: Any) -> None:
        if ok:
            return
        if isinstance(received, np.ndarray):
            received = f"an array {received.shape}, {received.dtype}"
        elif not isinstance(received, str):
            received = f"{type(received).__name__} {received!r:.60}"
        raise ContractError(
            f"{self.name}: {function} must return {expected}; it returned {received}"
        )


def stack(members: Iterable[Trajectory]) -> Ensemble:
    """The members of an ensemble that were trained one by one."""
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
    """Hold params and data against the network, and all dtypes against the inputs'."""
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
                f"params[{index}].bias: the network says bias={description.bias}, there is {given}"
            )
        if layer.bias is not None:
            wanted[f"params[{index}].bias"] = (layer.bias, weights[index][-1:])
    for name, (array, shape) in wanted.items():
        if array.shape != shape or array.dtype != dtype:
            raise InputError(
                f"{name} must have shape {shape} and dtype {dtype}, found {array.shape} {array.dtype}"
            )


def _hint(losses: np.ndarray, schedule: Schedule) -> str:
    ragged = schedule.order is not None and schedule.batch_size is not None
    if ragged and losses.ndim == 1 and losses.size < schedule.updates:
        return " (is the ragged last batch dropped?)"
    return ""


def _private(value: Any) -> Any:
    """The same structure with every array copied."""
    return _walk(value, np.array)


def _digest(value: Any) -> str:
    digest = hashlib.sha256()
    _walk(value, lambda array: digest.update(np.ascontiguousarray(array).tobytes()))
    return digest.hexdigest()


def _walk(value: Any, visit: Callable[[np.ndarray], Any]) -> Any:
    if isinstance(value, np.ndarray):
        return visit(value)
    if isinstance(value, dict):
        return {key: _walk(item, visit) for key, item in value.items()}
    if isinstance(value, Schedule):
        rate, order = (_walk(item, visit) for item in (value.learning_rate, value.order))
        return replace(value, learning_rate=rate, order=order)
    if isinstance(value, tuple):
        items = [_walk(item, visit) for item in value]
        return type(value)(*items) if hasattr(value, "_fields") else tuple(items)
    return value
