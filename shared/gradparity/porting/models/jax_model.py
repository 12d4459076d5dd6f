"""A model in JAX: of Flax, equinox or haiku, or a function of its parameters. All become one pure function."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ...errors import InputError
from ...tracing.jax_recorder import Argument, record
from ...tracing.recording import INPUT, PARAMETER, Recording
from .model import GRADIENTS, PROJECTION, Array, Mode, Task, moved, outputs_of, told

_STATES = {"mu": "exp_avg", "nu": "exp_avg_sq", "trace": "momentum_buffer"}
"""Optax's names of an optimizer's state, and PyTorch's."""

Apply = Callable[..., Any]
"""`apply(params, state, mode, arguments, keywords)` returns (outputs, the new state)."""


class JaxModel:
    """A pure function, its parameters, and its state: what training changes besides."""

    def __init__(
        self,
        framework: str,
        function: Callable[..., Any],
        apply: Apply,
        params: Any,
        state: Any,
        rebuilt: Callable[[Any, Any], Any],
    ) -> None:
        self.framework, self._function = framework, function
        self._apply, self._params, self._state, self._rebuilt = apply, params, state, rebuilt
        floats = {jnp.asarray(one).dtype.name for one in jax.tree.leaves(params) if _is_float(one)}
        self.formats = ", ".join(sorted(floats))

    @classmethod
    def of(cls, parts: tuple[Any, ...]) -> JaxModel:
        """Return the model of what the user returned."""
        kind = type(parts[0]).__mro__
        of = {one.__module__.partition(".")[0]: one.__module__ for one in reversed(kind)}
        if "flax" in of and of["flax"].startswith("flax.nnx"):
            return cls(*_nnx(*parts))
        if "flax" in of and len(parts) == 2:
            return cls(*_linen(*parts))
        if "haiku" in of and len(parts) in {2, 3}:
            return cls(*_haiku(*parts))
        if "equinox" in of and len(parts) in {1, 2}:
            return cls(*_equinox(*parts))
        if callable(parts[0]) and len(parts) in {2, 3}:
            return cls(*_plain(*parts))
        raise InputError(
            "a model in JAX is an nnx.Module, an equinox module (and its state), (linen module, variables), "
            "(haiku transform, params[, state]), or (function, params[, state])"
        )

    def modes(self) -> bool:
        """Whether its function has an argument for the mode, or itself a method."""
        return self.framework in {"flax.nnx", "equinox"} or bool(told(self._function, "eval"))

    def parameters(self) -> dict[str, Array]:
        """Return copies of parameters and running statistics."""
        return {name: np.array(one) for name, one in self._learned().items()}

    def signature(self) -> Callable[..., Any]:
        """Return the function, or the module's `__call__`."""
        return self._function

    def perturb(self, rng: np.random.Generator) -> None:
        """Move the parameters and running statistics, in copies."""

        def move(path: Any, leaf: Any) -> Any:
            if not _is_float(leaf):
                return leaf
            return jnp.asarray(moved(_name(path), np.asarray(leaf), rng), leaf.dtype)

        self._params = jax.tree_util.tree_map_with_path(move, self._params)
        self._state = jax.tree_util.tree_map_with_path(move, self._state)

    def given(self, double: bool = False) -> Any:
        """Return the model in its framework's own form; if `double`, in float64."""
        trees = self._params, self._state
        return self._rebuilt(*(jax.tree.map(_wide, trees) if double else trees))

    def run(self, task: Task) -> dict[str, Array]:
        """Run the function under `jit`; in its own format, with 64 bits disabled and with the gradients."""
        with jax.enable_x64(not task.native), _on_cpu():
            cast = _short if task.native else _wide
            params, state = jax.tree.map(cast, self._params), jax.tree.map(cast, self._state)
            inputs = {name: cast(jnp.asarray(value)) for name, value in task.named_inputs()}
            projections = {n: cast(jnp.asarray(v)) for n, v in task.projections.items()}
            if not task.native:

                def forward(params: Any) -> Any:
                    found, _ = self._called(task, params, state, inputs)
                    return outputs_of(found, _is_float)

                return _copied(jax.jit(forward)(params))

            def loss(params: Any) -> Any:
                found, _ = self._called(task, params, state, inputs)
                outputs = outputs_of(found, _is_float)
                return task.loss_of(found, outputs, projections, inputs), outputs

            gradients, outputs = jax.jit(jax.grad(loss, has_aux=True))(params)
            return _copied(outputs) | _copied(
                {f"gradient {name}": one for name, one in _leaves(gradients)}
            )

    def record(self, task: Task) -> Recording:
        """Record one pass, and the updates."""
        with jax.enable_x64(True), _on_cpu():
            params, state = jax.tree.map(_wide, self._params), jax.tree.map(_wide, self._state)
            inputs = {name: _wide(jnp.asarray(value)) for name, value in task.named_inputs()}
            projections = {n: _wide(jnp.asarray(v)) for n, v in task.projections.items()}
            names: list[Any] = []

            def loss(params: Any, state: Any, inputs: Any, projections: Any) -> Any:
                found, new = self._called(task, params, state, inputs)
                outputs = outputs_of(found, _is_float)
                return task.loss_of(found, outputs, projections, inputs), (outputs, new)

            def program(params: Any, state: Any, inputs: Any, projections: Any) -> Any:
                (value, (outputs, new)), gradients = jax.value_and_grad(loss, has_aux=True)(
                    params, state, inputs, projections
                )
                results = [value, *outputs.values(), gradients]
                names[:] = ["loss", *outputs, "gradient"]
                if task.mode == "train":
                    results.append(new)
                    names.append("updated")
                if task.optimizer is not None:
                    made = _updated(task.optimizer, params, gradients)
                    results += made.values()
                    names.extend(made)
                return tuple(results)

            arguments = [
                Argument(PARAMETER, params),
                Argument(PARAMETER, state),
                Argument(INPUT, inputs),
                Argument(INPUT, projections, PROJECTION.strip()),
            ]
            jax.eval_shape(program, params, state, inputs, projections)  # the names are then known
            return _renamed(record(program, arguments, tuple(names), widened=True))

    def _called(self, task: Task, params: Any, state: Any, inputs: Mapping[str, Any]) -> Any:
        return self._apply(params, state, task.mode, *task.given_to(self._function, inputs))

    def _learned(self) -> dict[str, Any]:
        both = [*_leaves(self._params), *_leaves(self._state)]
        return {name: leaf for name, leaf in both if _is_float(leaf)}


# --- The kinds of models --------------------------------------------------------------------------


def _plain(function: Any, params: Any, state: Any = None) -> tuple[Any, ...]:
    arrays, fixed = _parted(params)

    def apply(arrays: Any, state: Any, mode: Mode | None, given: Any, named: Any) -> Any:
        how = told(function, mode)
        whole = _joined(arrays, fixed)
        if state is None:
            return function(whole, *given, **named, **how), None
        return function(whole, state, *given, **named, **how)

    def rebuilt(arrays: Any, state: Any) -> Any:
        whole = (function, _joined(arrays, fixed))
        return whole if state is None else (*whole, state)

    return "jax", function, apply, arrays, state, rebuilt


def _linen(module: Any, variables: Any) -> tuple[Any, ...]:
    import flax.linen as nn

    params = variables["params"]
    state = {name: value for name, value in variables.items() if name != "params"}

    def apply(params: Any, state: Any, mode: Mode | None, given: Any, named: Any) -> Any:
        how = told(module.__call__, mode)
        whole = {"params": params, **state}
        with nn.intercept_methods(_undropped(nn.Dropout)):
            return module.apply(whole, *given, **named, **how, mutable=list(state))

    return (
        "flax.linen",
        module.__call__,
        apply,
        params,
        state,
        lambda params, state: (module, {"params": params, **state}),
    )


def _undropped(dropout: Any) -> Callable[..., Any]:
    """What is drawn at random in two frameworks cannot be compared: nothing is dropped."""

    def interceptor(call: Any, arguments: Any, keywords: Any, context: Any) -> Any:
        if isinstance(context.module, dropout) and context.method_name == "__call__":
            return arguments[0] if arguments else keywords["inputs"]
        return call(*arguments, **keywords)

    return interceptor


def _nnx(module: Any) -> tuple[Any, ...]:
    from flax import nnx

    split: Any = nnx.split  # its annotations do not allow for four parts
    graph, params, state, others = split(module, nnx.Param, nnx.BatchStat, ...)

    def merged(params: Any, state: Any) -> Any:
        return nnx.merge(graph, params, state, others, copy=True)

    def apply(params: Any, state: Any, mode: Mode | None, given: Any, named: Any) -> Any:
        whole = merged(params, state)
        for _, one in nnx.iter_graph(whole):
            if isinstance(one, nnx.Dropout):
                one.rate = 0.0
        whole.train() if mode == "train" else whole.eval()
        found = whole(*given, **named, **told(type(whole).__call__, mode))
        return found, nnx.state(whole, nnx.BatchStat)

    return "flax.nnx", module.__call__, apply, params, state, merged


def _haiku(transform: Any, params: Any, state: Any = None) -> tuple[Any, ...]:
    function = transform.apply
    told_by = _transformed(function)

    def apply(params: Any, state: Any, mode: Mode | None, given: Any, named: Any) -> Any:
        how = told(told_by, mode)
        key = jax.random.key(0)
        if state is None:
            return transform.apply(params, key, *given, **named, **how), None
        return transform.apply(params, state, key, *given, **named, **how)

    def rebuilt(params: Any, state: Any) -> Any:
        return (transform, params) if state is None else (transform, params, state)

    return "haiku", told_by, apply, params, state, rebuilt


def _transformed(function: Any) -> Any:
    """Return the user's function inside haiku's."""
    inside = inspect.getclosurevars(function).nonlocals.get("f")
    return function if inside is None else _transformed(getattr(inside, "apply", inside))


def _equinox(module: Any, state: Any = None) -> tuple[Any, ...]:
    import equinox as eqx

    arrays, fixed = eqx.partition(module, eqx.is_inexact_array)

    def apply(arrays: Any, state: Any, mode: Mode | None, given: Any, named: Any) -> Any:
        whole = eqx.nn.inference_mode(eqx.combine(arrays, fixed), value=mode != "train")
        drops = [
            one
            for one in jax.tree.leaves(whole, is_leaf=lambda one: isinstance(one, eqx.nn.Dropout))
            if isinstance(one, eqx.nn.Dropout)
        ]
        for one in drops:
            object.__setattr__(one, "inference", True)  # nothing is dropped
        if state is None:
            return whole(*given, **named), None
        return whole(*given, *named.values(), state)

    def rebuilt(arrays: Any, state: Any) -> Any:
        whole = eqx.combine(arrays, fixed)
        return whole if state is None else (whole, state)

    return "equinox", type(module).__call__, apply, arrays, state, rebuilt


# --- Trees ----------------------------------------------------------------------------------------


def _parted(tree: Any) -> tuple[Any, Any]:
    """Return a tree's floating-point arrays, None in the place of everything else; and everything else, likewise."""
    arrays = jax.tree.map(lambda leaf: jnp.asarray(leaf) if _is_float(leaf) else None, tree)
    fixed = jax.tree.map(lambda leaf: None if _is_float(leaf) else leaf, tree)
    return arrays, fixed


def _joined(arrays: Any, fixed: Any) -> Any:
    return jax.tree.map(
        lambda one, other: other if one is None else one,
        arrays,
        fixed,
        is_leaf=lambda leaf: leaf is None,
    )


def _leaves(tree: Any) -> Iterator[tuple[str, Any]]:
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        yield _name(path), leaf


def _name(path: Any) -> str:
    return jax.tree_util.keystr(path, simple=True, separator=".").removesuffix(".value")


def _is_float(value: Any) -> bool:
    return isinstance(value, jax.Array | np.ndarray) and bool(
        jnp.issubdtype(value.dtype, jnp.floating)
    )


def _wide(value: Any) -> Any:
    return jnp.asarray(value, np.float64) if _is_float(value) else value


def _short(value: Any) -> Any:
    """Return a float64 array as JAX has it by default: in float32."""
    return jnp.asarray(np.asarray(value, np.float32)) if _is_double(value) else value


def _is_double(value: Any) -> bool:
    return _is_float(value) and value.dtype == np.float64


def _copied(arrays: Mapping[str, Any]) -> dict[str, Array]:
    return {name: np.array(one) for name, one in arrays.items()}


# --- Updates --------------------------------------------------------------------------------------


def _updated(optimizer: Any, params: Any, gradients: Any) -> dict[str, Any]:
    """Return parameters and state after the updates."""
    import optax

    if not hasattr(optimizer, "init") or not hasattr(optimizer, "update"):
        raise InputError("the optimizer of a model in JAX is an optax.GradientTransformation")
    state = optimizer.init(params)
    for factor in GRADIENTS:
        scaled = jax.tree.map(partial(jnp.multiply, factor), gradients)
        changes, state = optimizer.update(scaled, state, params)
        params = optax.apply_updates(params, changes)
    results = {f"updated {name}": one for name, one in _leaves(params)}
    for name, leaf in _leaves(state):
        parts = name.split(".")
        at = next((n for n, part in enumerate(parts) if part in _STATES), None)
        if at is not None and _is_float(leaf):
            results[f"updated {_STATES[parts[at]]} {'.'.join(parts[at + 1 :])}"] = leaf
    return results


def _renamed(recording: Recording) -> Recording:
    """Return the recording with names of parameters as `parameters` gives them."""
    events = [
        replace(event, name=event.name.removesuffix(".value")) if event.name else event
        for event in recording.events
    ]
    outputs = {name.removesuffix(".value"): event for name, event in recording.outputs.items()}
    return replace(recording, events=tuple(events), outputs=outputs)


@contextmanager
def _on_cpu() -> Iterator[None]:
    """Compute on the CPU: an accelerator multiplies in shorter formats."""
    with jax.default_device(jax.local_devices(backend="cpu")[0]):
        yield
