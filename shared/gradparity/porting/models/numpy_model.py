"""A model in NumPy: a function of its parameters, with a gradient of its own or without."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from ...errors import InputError
from ...tracing.numpy_recorder import NumpyRecorder
from ...tracing.recording import INPUT, PARAMETER, Recording
from .model import (
    GRADIENTS,
    PROJECTION,
    Array,
    Task,
    mapped,
    moved,
    named,
    outputs_of,
    told,
)


class NumpyModel:
    """A function `function(params, **inputs)` that returns its outputs, or (outputs, backward).

    `backward(d_outputs)` returns the gradients of the loss, in the form of `params`, from those of the outputs.
    """

    framework = "numpy"

    def __init__(self, function: Callable[..., Any], tree: Any) -> None:
        self._function = function
        self._tree = tree
        floats = {one.dtype.name for one in self._arrays().values() if one.dtype.kind == "f"}
        self.formats = ", ".join(sorted(floats))

    @classmethod
    def of(cls, parts: tuple[Any, ...]) -> NumpyModel:
        """Return the model of what the user returned."""
        if len(parts) != 2:
            raise InputError("a model in NumPy is (function, params)")
        return cls(*parts)

    def modes(self) -> bool:
        """Whether its function has an argument for the mode."""
        return bool(told(self._function, "eval"))

    def parameters(self) -> dict[str, Array]:
        """Return copies of its parameters."""
        return {name: np.array(one) for name, one in self._arrays().items()}

    def signature(self) -> Callable[..., Any]:
        """Return the function."""
        return self._function

    def perturb(self, rng: np.random.Generator) -> None:
        """Move the parameters, in copies."""
        names = iter(named(self._tree))

        def move(leaf: Any) -> Any:
            name = next(names)
            return moved(name, leaf, rng) if _is_float(leaf) else leaf

        self._tree = mapped(move, self._tree)

    def given(self, double: bool = False) -> Any:
        """Return the function and its parameters; if `double`, in float64."""
        return self._function, mapped(_wide, self._tree) if double else self._tree

    def run(self, task: Task) -> dict[str, Array]:
        """Run the function on copies."""
        kind = (
            np.float64
            if not task.native
            else next(
                (one.dtype for one in self._arrays().values() if one.dtype.kind == "f"), np.float64
            )
        )
        tree = mapped(lambda leaf: leaf.astype(kind) if _is_float(leaf) else leaf, self._tree)
        inputs = {n: one.astype(kind) if _is_float(one) else one for n, one in task.named_inputs()}
        found = self._call(tree, inputs, task)
        outputs = found[0] if _has_backward(found) else found
        results = {n: np.array(one) for n, one in outputs_of(outputs, _is_float).items()}
        if task.native and _has_backward(found) and task.loss is None:
            projections = {n: p.astype(kind) for n, p in task.projections.items()}
            gradients = found[1](_like(outputs, projections))
            results |= {f"gradient {n}": np.array(g) for n, g in named(gradients).items()}
        return results

    def record(self, task: Task) -> Recording:
        """Record one pass, and the updates."""
        recorder = NumpyRecorder(widened=True)
        names = iter(named(self._tree))

        def given(leaf: Any) -> Any:
            name = next(names)
            return recorder.given(PARAMETER, name, _wide(leaf)) if _is_array(leaf) else leaf

        tree = mapped(given, self._tree)
        inputs = {n: recorder.given(INPUT, n, _wide(copy.copy(v))) for n, v in task.named_inputs()}
        projections = {
            name: recorder.given(INPUT, PROJECTION + name, _wide(value))
            for name, value in task.projections.items()
        }
        with recorder:
            found = self._call(tree, inputs, task)
            has_backward = _has_backward(found)
            outputs = found[0] if has_backward else found
            arrays = outputs_of(outputs, _is_float)
            loss = task.loss_of(outputs, arrays, projections, inputs)
            if task.loss is None:
                d_outputs = _like(outputs, projections)
            elif isinstance(loss, tuple) and len(loss) == 2:
                loss, d_outputs = loss
            else:
                raise InputError("the loss of a model in NumPy returns (loss, d_outputs)")
            results = {**arrays, "loss": loss}
            if has_backward:
                recorder.phase = "backward"
                gradients = found[1](d_outputs)
                results |= {f"gradient {n}": g for n, g in named(gradients).items() if _is_float(g)}
                if task.optimizer is not None:
                    recorder.phase = "update"
                    results |= _updated(task.optimizer, tree, gradients)
        return recorder.finished(results)

    def _call(self, tree: Any, inputs: Mapping[str, Any], task: Task) -> Any:
        given, by_name = task.given_to(self._function, inputs)
        return self._function(tree, *given, **by_name, **told(self._function, task.mode))

    def _arrays(self) -> dict[str, Array]:
        return {name: one for name, one in named(self._tree).items() if _is_array(one)}


def _updated(optimizer: Any, tree: Any, gradients: Any) -> dict[str, Any]:
    params, state = tree, None
    for factor in GRADIENTS:
        scaled = mapped(partial(np.multiply, factor), gradients)
        params, state = optimizer(params, scaled, state)
    given = {id(one) for one in named(tree).values()}
    results = {
        f"updated {name}": one
        for name, one in named(params).items()
        if _is_float(one) and id(one) not in given
    }
    for name, one in named(state).items():
        if _is_float(one) and one.ndim:
            kind, _, leaf = name.partition(".")
            results[f"updated {kind} {leaf}"] = one
    return results


def _like(outputs: Any, projections: Mapping[str, Any]) -> Any:
    """Return the projections in the structure of the outputs; what is not weighted gets None."""
    names = iter(named(outputs))
    return mapped(lambda _: projections.get(f"output {next(names)}".strip()), outputs)


def _has_backward(found: Any) -> bool:
    return isinstance(found, tuple) and len(found) == 2 and callable(found[1])


def _is_array(value: Any) -> bool:
    return isinstance(value, np.ndarray)


def _is_float(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind == "f"


def _wide(value: Any) -> Any:
    return value.astype(np.float64) if _is_float(value) else value
