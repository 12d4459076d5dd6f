"""Record a program in JAX: its jaxpr, equation by equation, with the values that XLA computes.

`jax.make_jaxpr` gives the program as JAX sees it, derivative included: calls (`jit`, `custom_jvp_call`, `checkpoint`,
...) are opened, and of control flow what runs is recorded: each iteration of a loop, the branch that is taken.

How the values are computed was measured, on one update of a transformer of two layers with 126,000 weights (550
equations), on two cores. Each primitive on its own, as under `jax.disable_jit`: 11 s, since each is compiled for each
shape. One `jit` that returns every array: 5 to 7 s, and XLA fuses and simplifies, so that an array may be computed from
other numbers than those that are returned. One `jit` without optimisation and fusion, each operand behind an
`optimization_barrier`: 2 to 3 s, and every array is what its primitive makes of the recorded operands: done here. NumPy
computes nothing: all values are XLA's own. Under `jit` a program's values may differ from them by rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .jax_primitives import (
    Compiled,
    is_key,
    is_plain,
    narrowed,
    parameters_of,
    plain,
    plain_array,
    wide,
)
from .jax_program import LOOPS, Atom, Given, Program, Step, program_of
from .recording import CONSTANT, Recorder, Recording, Ref

OUTSIDE = frozenset({"pure_callback", "io_callback", "ffi_call", "pallas_call"})
"""The primitives that leave JAX: their results are recorded, and how they come about is not."""


@dataclass(frozen=True)
class Argument:
    """An argument of the program: a pytree of arrays, each of which becomes a leaf of the recording.

    Attributes:
        kind: `INPUT` or `PARAMETER`.
        value: the pytree.
        name: stands in front of each leaf's name, which is its path: `0.weight`.
    """

    kind: str
    value: Any
    name: str = ""


def record(
    function: Callable[..., Any],
    arguments: Sequence[Argument],
    outputs: Any = "output",
    *,
    widened: bool = False,
) -> Recording:
    """Record the program `function(*values)`, a pure function of pytrees of arrays.

    For a loss and its gradient, give `jax.value_and_grad(loss)` and the outputs `("loss", "gradient")`.

    Args:
        function: the program.
        arguments: what it is given.
        outputs: names of the results, a string for each part of what the function returns, in the same order; the path
            inside this part is added: `loss`, `gradient 0.weight`.
        widened: compute in float64 all that the program casts to float32 or shorter, or makes in it. This needs
            `jax_enable_x64`, and so do arguments in float64.
    """
    values = [argument.value for argument in arguments]
    has_x64 = jax.dtypes.canonicalize_dtype(np.float64) == np.float64
    if not has_x64 and (widened or _in_float64(values)):
        raise ValueError("JAX computes in float64 only with jax_enable_x64: enable it first")
    with jax.default_device(jax.local_devices(backend="cpu")[0]):
        jaxpr, shape = jax.make_jaxpr(function, return_shape=True)(*values)
        running = _Running(widened)
        leaves = [
            running.leaf(argument.kind, name, _array(value, variable.aval))
            for (argument, name, value), variable in zip(
                _leaves(arguments), jaxpr.jaxpr.invars, strict=True
            )
        ]
        results = running.program(program_of(jaxpr), leaves)
    found = [running.event(result) for result in results]
    return running.recorder.finished(dict(zip(_names(outputs, shape), found, strict=True)))


def _in_float64(values: Any) -> bool:
    return any(getattr(leaf, "dtype", None) == np.float64 for leaf in jax.tree.leaves(values))


def _leaves(arguments: Sequence[Argument]) -> Iterator[tuple[Argument, str, Any]]:
    for argument in arguments:
        for path, value in jax.tree_util.tree_leaves_with_path(argument.value):
            yield argument, _name(argument.name, path), value


def _array(value: Any, aval: Any) -> Any:
    return value if is_key(aval) else np.asarray(value, aval.dtype)


def _names(prefixes: Any, result: Any) -> Iterator[str]:
    if isinstance(prefixes, str):
        for path, _ in jax.tree_util.tree_leaves_with_path(result):
            yield _name(prefixes, path)
    else:
        for prefix, part in zip(prefixes, result, strict=True):
            yield from _names(prefix, part)


def _name(prefix: str, path: Any) -> str:
    inside = jax.tree_util.keystr(path, simple=True, separator=".")
    return " ".join(part for part in (prefix, inside) if part)


@dataclass(frozen=True)
class _Value:
    """An array while the program runs: its value, and its event, if it has one already."""

    value: Any
    event: int | None = None


class _Running:
    """Runs programs and records what they make."""

    def __init__(self, widened: bool) -> None:
        self.recorder = Recorder("jax")
        self.widened = widened
        self.constants: dict[int, _Value] = {}
        self.compiled: dict[tuple[Program, int], Compiled] = {}
        self.inner: dict[tuple[Step, str], Program] = {}
        self.after_backward: set[int] = set()

    def leaf(self, kind: str, name: str, value: Any) -> _Value:
        value = wide(value) if self.widened else value
        return _Value(value, self.recorder.leaf(kind, name, plain_array(value)))

    def event(self, value: _Value) -> int:
        """Return the event of a value, a new constant if it has none."""
        if value.event is None:
            return self.recorder.leaf(CONSTANT, "", plain_array(value.value))
        return value.event

    def program(self, program: Program, inputs: Sequence[_Value]) -> list[_Value]:
        """Run a program; return its outputs."""
        values: dict[Atom, _Value] = dict(zip(program.inputs, inputs, strict=True))

        def read(atom: Atom) -> _Value:
            return self._given(atom) if isinstance(atom, Given) else values[atom]

        for number, group in enumerate(program.groups):
            step = group[0]
            if step.name in LOOPS:
                loop = getattr(self, f"_{step.name}")
                results = loop(step, [read(operand) for operand in step.operands])
                values.update(zip(step.results, results, strict=True))
                continue
            key = program, number
            if key not in self.compiled:
                self.compiled[key] = Compiled(group, self.widened)
            compiled = self.compiled[key]
            made = compiled.run([read(atom).value for atom in compiled.given])
            for step, results in zip(group, made, strict=True):
                operands = [read(operand) for operand in step.operands]
                values.update(zip(step.results, self._record(step, operands, results), strict=True))
        return [read(atom) for atom in program.outputs]

    def _given(self, atom: Given) -> _Value:
        if isinstance(atom.value, np.generic):
            return _Value(wide(atom.value) if self.widened else atom.value)
        if id(atom.value) not in self.constants:
            value = _array(atom.value, atom.value)
            self.constants[id(atom.value)] = self.leaf(CONSTANT, "", value)
        return self.constants[id(atom.value)]

    def _record(
        self, step: Step, operands: Sequence[_Value], results: Sequence[Any]
    ) -> list[_Value]:
        arguments = tuple(_argument(operand) for operand in operands)
        attributes = {
            name: plain(value)
            for name, value in parameters_of(step.equation, self.widened).items()
            if is_plain(value)
        }
        found = self._call(step, step.name, arguments, attributes, results)
        if step.name in OUTSIDE:
            taken = next((one.event for one in operands if one.event is not None), None)
            self.recorder.end(step.source, taken, f"{step.name} computes outside of JAX")
        return found

    def _call(
        self,
        step: Step,
        operation: str,
        arguments: tuple[Any, ...],
        attributes: Mapping[str, Any],
        results: Sequence[Any],
    ) -> list[_Value]:
        inputs = {argument.event for argument in arguments if isinstance(argument, Ref)}
        is_after = not inputs.isdisjoint(self.after_backward)
        # What is made of cotangents and was not transposed is made of gradients.
        self.recorder.phase = "backward" if step.backward else "update" if is_after else "forward"
        arrays = [plain_array(result) for result in results]
        short = narrowed(step.equation) if self.widened else ""
        indices = self.recorder.call(
            operation, arguments, attributes, arrays, step.source, narrowed=short
        )
        if step.backward or is_after:
            self.after_backward.update(indices)
        return [_Value(*pair) for pair in zip(results, indices, strict=True)]

    def _inner(self, step: Step, name: str, jaxpr: Any) -> Program:
        key = step, name
        if key not in self.inner:
            self.inner[key] = program_of(jaxpr, step.source, step.backward)
        return self.inner[key]

    def _cond(self, step: Step, operands: list[_Value]) -> list[_Value]:
        branches = step.equation.params["branches"]
        taken = int(np.clip(int(operands[0].value), 0, len(branches) - 1))
        branch = self._inner(step, f"branch {taken}", branches[taken])
        return self.program(branch, operands[1:])

    def _while(self, step: Step, operands: list[_Value]) -> list[_Value]:
        parameters = step.equation.params
        first, second = parameters["cond_nconsts"], parameters["body_nconsts"]
        of_test, of_body = operands[:first], operands[first : first + second]
        carry = operands[first + second :]
        test = self._inner(step, "test", parameters["cond_jaxpr"])
        body = self._inner(step, "body", parameters["body_jaxpr"])
        while bool(self.program(test, of_test + carry)[0].value):
            carry = self.program(body, of_body + carry)
        return carry

    def _scan(self, step: Step, operands: list[_Value]) -> list[_Value]:
        parameters = step.equation.params
        fixed, end = parameters["num_consts"], parameters["num_consts"] + parameters["num_carry"]
        constants, carry, rows = operands[:fixed], operands[fixed:end], operands[end:]
        body = self._inner(step, "body", parameters["jaxpr"])
        length = parameters["length"]
        order = range(length)[::-1] if parameters["reverse"] else range(length)
        stacked: dict[int, list[_Value]] = {}
        for index in order:
            row = [self._row(step, array, index) for array in rows]
            results = self.program(body, constants + carry + row)
            carry, stacked[index] = results[: end - fixed], results[end - fixed :]
        shapes = step.equation.outvars[end - fixed :]
        made = []
        for number, variable in enumerate(shapes):
            parts = [stacked[index][number] for index in range(length)]
            made.append(self._stack(step, parts, variable.aval))
        return carry + made

    def _row(self, step: Step, array: _Value, index: int) -> _Value:
        """Record a step's row of an array over which a scan goes."""
        row = array.value[index] if is_key(array.value) else np.asarray(array.value)[index]
        arguments = (Ref(self.event(array)), index)
        attributes = {"axis": 0, "keepdims": False}
        return self._call(step, "index_in_dim", arguments, attributes, [row])[0]

    def _stack(self, step: Step, rows: Sequence[_Value], aval: Any) -> _Value:
        """Record the array that a scan makes of a result of all its steps."""
        arguments = tuple(_argument(row) for row in rows)
        stack = jnp.stack if is_key(aval) else np.stack
        value = stack([row.value for row in rows]) if rows else np.zeros(aval.shape, aval.dtype)
        return self._call(step, "stack", arguments, {"axis": 0}, [value])[0]


def _argument(value: _Value) -> Any:
    return value.value if value.event is None else Ref(value.event)
