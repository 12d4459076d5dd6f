"""One update of one implementation, recorded as it is written, through the contract's `train`."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import contract
from ..blame import raised
from ..border import CtrlC, interruptible, private
from ..contract import Layer, Params, Schedule, State, map_params
from ..errors import InputError
from ..guarded import Guarded
from ..problem import Problem
from ..processes import one_quiet_thread
from .moves import computes
from .numpy_recorder import NumpyRecorder
from .recording import CONSTANT, INPUT, PARAMETER, Event, Recording

LATER = 3
"""The updates before the one in general position."""


@dataclass(frozen=True)
class Start:
    """A problem with a schedule of one update, and the optimizer's state before it."""

    problem: Problem
    state: State

    @property
    def batch(self) -> Any:
        """The samples of the update, as an index into the data."""
        return self.problem.schedule.batch(self.state.updates)


def first_update(problem: Problem) -> Start:
    """Return the first update of a problem, with a state that is all zero: with none, some programs go another way."""
    arrays = {
        name: map_params(np.zeros_like, problem.params)
        for name in problem.schedule.optimizer.arrays
    }
    return Start(replace(problem, schedule=_one_update(problem.schedule, 0)), State(0, arrays))


def in_general_position(start: Start) -> Start:
    """Return a later update of the same network with random weights, data and state, in which nothing coincides."""
    problem, rng = start.problem, np.random.default_rng(0)

    def normal(array: NDArray[Any]) -> NDArray[Any]:
        drawn = 3 * rng.standard_normal(array.shape)
        if array.ndim > 1 and array.size > array.shape[-1]:
            # The sum of each unit's weights is 0: with activations that are all positive, z has both signs.
            drawn -= drawn.mean(tuple(range(array.ndim - 1)))
        return drawn.astype(array.dtype)

    def positive(array: NDArray[Any]) -> NDArray[Any]:
        return rng.uniform(0.1, 1.0, array.shape).astype(array.dtype)

    arrays = {name: map_params(positive, params) for name, params in start.state.arrays.items()}
    return Start(
        replace(
            problem,
            params=map_params(normal, problem.params),
            inputs=normal(problem.inputs),
            targets=positive(problem.targets),
            schedule=_one_update(problem.schedule, LATER),
        ),
        State(LATER, arrays),
    )


def _one_update(schedule: Schedule, before: int) -> Schedule:
    """Return a schedule that ends one update after `before`; every update has the samples of the first."""
    order = schedule.order
    if order is not None and schedule.batch_size is not None:
        order = np.repeat(order[:1, : schedule.batch_size], before + 1, axis=0)
    return replace(schedule, epochs=before + 1, order=order, keep=())


def record_like(other: Recording, implementation: Guarded, start: Start) -> Recording:
    """Return another recording of the same program, whose events are those of the other, one by one."""
    events = _record(implementation, start)[0].events[: len(other.events)]
    if [one.operation for one in events] != [one.operation for one in other.events]:
        raise InputError(
            f"'{implementation.name}' cannot be aligned: which operations it runs depends on the data"
        )
    return replace(other, events=events)


def record(implementation: Guarded, start: Start) -> Recording:
    """Record one update, through the contract's `train`; in general position, where each result is found by its value.

    Returns:
        The recording up to the last of its outputs: `loss`, and `gradient 0.weight` and `updated 0.weight` of each
        parameter.

    Raises:
        InputError: it cannot be recorded.
    """
    recording, updated = _record(implementation, start)
    problem, batch = start.problem, start.batch
    with one_quiet_thread():
        loss, gradient = implementation.loss_and_grads(
            problem.network, problem.params, problem.inputs[batch], problem.targets[batch]
        )
    results = {"loss": np.asarray(loss)} | _named("gradient", gradient) | _named("updated", updated)
    return _up_to(implementation.name, recording, results)


def _record(implementation: Guarded, start: Start) -> tuple[Recording, Params]:
    """Return everything that `train` computes, and the new weights."""
    recorders = {"numpy": _of_numpy, "torch": _of_torch, "jax": _of_jax}
    target = implementation.implementation
    try:
        with one_quiet_thread(), interruptible():
            return recorders[_framework(target)](target, start)
    except CtrlC:
        raise
    except InputError as error:
        raise InputError(f"'{implementation.name}' cannot be recorded: {error}") from None
    except BaseException as error:  # even an exit of its own
        why = raised("train", error)
        raise InputError(f"'{implementation.name}' cannot be recorded: {why}") from error


def _framework(target: Any) -> str:
    """Return the framework in which `train` is written: the one that its module, or one of its package's, imports."""
    module = inspect.getmodule(inspect.unwrap(target.train))
    if module is None:
        return "numpy"
    package = module.__name__.rpartition(".")[0] or module.__name__
    left, seen = [module], {module.__name__}
    while left:
        for value in vars(left.pop()).values():
            name = value.__name__ if inspect.ismodule(value) else getattr(value, "__module__", None)
            root = str(name).partition(".")[0]
            if root in {"jax", "torch"}:
                return root
            if str(name).startswith(package) and name not in seen and name in sys.modules:
                seen.add(name)
                left.append(sys.modules[name])
    return "numpy"


def _of_numpy(target: Any, start: Start) -> tuple[Recording, Params]:
    problem, recorder = start.problem, NumpyRecorder(own=(contract.__file__,))

    def given(name: str, params: Params) -> Params:
        named = iter(_named(name, params))
        return map_params(lambda array: recorder.given(PARAMETER, next(named), array), params)

    params = given("", problem.params)
    inputs = recorder.given(INPUT, "inputs", problem.inputs)
    targets = recorder.given(INPUT, "targets", problem.targets)
    arrays = {name: given(name, array) for name, array in start.state.arrays.items()}
    state = State(start.state.updates, arrays)
    with recorder:
        done = target.train(problem.network, params, inputs, targets, problem.schedule, state)
    return recorder.finished({}), map_params(np.array, done.final.params)


def _of_torch(target: Any, start: Start) -> tuple[Recording, Params]:
    from .torch_recorder import TorchRecorder

    problem, recorder = start.problem, TorchRecorder()
    arguments = problem.params, problem.inputs, problem.targets, problem.schedule, start.state
    with recorder:
        done = target.train(problem.network, *private(arguments))
    found = recorder.finished({})
    given = _named("", problem.params) | {"inputs": problem.inputs, "targets": problem.targets}
    for name, params in start.state.arrays.items():
        given |= _named(name, params)
    return replace(found, events=[_as_given(one, given) for one in found.events]), done.final.params


def _as_given(event: Event, given: Mapping[str, NDArray[Any]]) -> Event:
    """Return an array from outside as what the program was given, if it is that."""
    if event.operation != CONSTANT:
        return event
    for name, array in given.items():
        if event.value.shape == array.shape and np.array_equal(event.value, array):
            kind = INPUT if name in {"inputs", "targets"} else PARAMETER
            return replace(event, operation=kind, name=name)
    return event


def _of_jax(target: Any, start: Start) -> tuple[Recording, Params]:
    from .jax_recorder import Argument, record

    module = sys.modules[inspect.unwrap(target.train).__module__]
    if not all(callable(getattr(module, name, None)) for name in ("step", "Rule", "load_state")):
        raise InputError(
            "of a program in JAX, the update must be a function `step` beside `train`, with the arguments and the "
            "state of impl_jax/train.py"
        )
    problem, batch, rule = start.problem, start.batch, module.Rule.of(start.problem.schedule)
    chosen = None if isinstance(batch, slice) else batch

    def step(params: Any, state: Any, inputs: Any, targets: Any) -> Any:
        carry, rate = (params, state), problem.schedule.learning_rate
        (new, _), loss = module.step(problem.network, rule, carry, inputs, targets, rate, chosen)
        return new, loss

    arguments = [
        Argument(PARAMETER, problem.params),
        Argument(PARAMETER, module.load_state(rule, problem.params, start.state), "state"),
        Argument(INPUT, problem.inputs, "inputs"),
        Argument(INPUT, problem.targets, "targets"),
    ]
    found = record(step, arguments, ("updated", "loss"))
    new = iter(event for name, event in found.outputs.items() if name != "loss")
    return found, map_params(lambda _: found.events[next(new)].value, problem.params)


def _named(what: str, params: Params) -> dict[str, NDArray[Any]]:
    """Return each array of the parameters by its name: `gradient 0.weight`."""
    return {
        f"{what} {index}.{name}".strip(): np.asarray(array)
        for index, layer in enumerate(params)
        for name, array in zip(Layer._fields, layer, strict=True)
        if array is not None
    }


def _up_to(name: str, recording: Recording, results: Mapping[str, NDArray[Any]]) -> Recording:
    """Return the recording up to the last of these results, which become its outputs.

    Each is the computed array that holds its numbers, in any layout: what `train` computed last, the loss after the
    update, is not of the step.
    """
    computed = [event for event in recording.events if computes(event, recording.framework)]
    sorts = [np.sort(event.value, axis=None) for event in computed]
    found: dict[str, int] = {}
    for what, result in results.items():
        wanted = np.sort(result, axis=None)
        near = sqrt(np.finfo(wanted.dtype).eps) * np.abs(wanted).max(initial=0.0)
        distances = [
            float(np.abs(one - wanted).max(initial=0.0)) if one.size == wanted.size else np.inf
            for one in sorts
        ]
        nearest = int(np.nanargmin(distances))
        if not distances[nearest] <= near:
            raise InputError(
                f"'{name}' cannot be recorded: none of the arrays that were seen is its {what}"
            )
        found[what] = computed[nearest].index
    return replace(recording, events=recording.events[: max(found.values()) + 1], outputs=found)
