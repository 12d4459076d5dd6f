"""The primitives of JAX: compute them as XLA does, one by one, in float64 if wanted; their parameters as plain data."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend import core

from .jax_program import Atom, Step, number

COMPILER = {
    "xla_backend_optimization_level": 0,
    "xla_allow_excess_precision": False,
    "xla_disable_hlo_passes": "fusion",
}
"""XLA computes each primitive by itself, as it is written."""


class Compiled:
    """Steps that are compiled together, as a function of the arrays that they do not make themselves."""

    def __init__(self, steps: Sequence[Step], widened: bool) -> None:
        made = {result for step in steps for result in step.results}
        operands = (operand for step in steps for operand in step.operands)
        self.steps = steps
        # Numbers are arguments, too: XLA would compute with constants while it compiles.
        self.given = [operand for operand in dict.fromkeys(operands) if operand not in made]
        self.widened = widened
        self.run = jax.jit(self._run, compiler_options=COMPILER)

    def _run(self, given: Sequence[Any]) -> list[list[Any]]:
        values: dict[Atom, Any] = dict(zip(self.given, given, strict=True))
        results = []
        for step in self.steps:
            operands = _apart([values[operand] for operand in step.operands])
            found = _bind(step.equation, operands, self.widened)
            values.update(zip(step.results, found, strict=True))
            results.append(found)
        return results


def _apart(operands: list[Any]) -> list[Any]:
    """Return the same arrays, of whose origin XLA knows nothing."""
    apart = iter(jax.lax.optimization_barrier([one for one in operands if not is_key(one)]))
    return [one if is_key(one) else next(apart) for one in operands]


def _bind(equation: Any, operands: Sequence[Any], widened: bool) -> list[Any]:
    """Compute an equation."""
    primitive = equation.primitive
    given = parameters_of(equation, widened)
    if widened:
        given = {name: _wide_jaxprs(value) for name, value in given.items()}
    found = primitive.bind(*operands, **primitive.get_bind_params(given))
    results = list(found) if primitive.multiple_results else [found]
    # Bits that are read as float32, and what is computed outside of JAX.
    return [wide(result) for result in results] if widened else results


_DTYPES = ("new_dtype", "preferred_element_type", "dtype", "out_dtype")
"""The parameters that state a dtype of a result."""


def parameters_of(equation: Any, widened: bool) -> dict[str, Any]:
    """Return the parameters with which an equation is computed, but for jaxprs in them."""
    given = dict(equation.params)
    if widened and equation.primitive.name != "bitcast_convert_type":
        for name in _DTYPES:
            if name in given and is_short(given[name]):
                given[name] = np.dtype(np.float64)
    return given


def narrowed(equation: Any) -> str:
    """Return the format shorter than float64 that an equation asks for; empty if it asks for none."""
    asked = [equation.params[name] for name in _DTYPES if name in equation.params]
    return next((np.dtype(dtype).name for dtype in asked if is_short(dtype)), "")


def is_short(dtype: Any) -> bool:
    """Whether it is a floating-point format that is taken in float64 when a recording is widened."""
    return any(dtype == short for short in _SHORTER)


_SHORTER = np.dtype(np.float32), np.dtype(np.float16), np.dtype(jnp.bfloat16)


def wide(value: Any) -> Any:
    """Return float32 and shorter formats as float64, and all else as it is."""
    return value.astype(np.float64) if is_short(getattr(value, "dtype", None)) else value


def _wide_jaxprs(value: Any) -> Any:
    """Return a parameter with the jaxprs in it, such as the sum in a scatter, computed in float64."""
    if isinstance(value, tuple) and any(isinstance(one, core.ClosedJaxpr) for one in value):
        parts = [_wide_jaxprs(one) for one in value]
        return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
    if isinstance(value, core.ClosedJaxpr):
        return _wide_jaxpr(value)
    if isinstance(value, core.Jaxpr):
        return _wide_jaxpr(core.ClosedJaxpr(value, ())).jaxpr
    return value


def _wide_jaxpr(jaxpr: core.ClosedJaxpr) -> core.ClosedJaxpr:
    def compute(*operands: Any) -> list[Any]:
        values = dict(zip(jaxpr.jaxpr.invars, operands, strict=True))
        values.update(zip(jaxpr.jaxpr.constvars, map(wide, jaxpr.consts), strict=True))

        def read(variable: Any) -> Any:
            return (
                wide(number(variable)) if isinstance(variable, core.Literal) else values[variable]
            )

        for equation in jaxpr.jaxpr.eqns:
            results = _bind(equation, [read(variable) for variable in equation.invars], True)
            values.update(zip(equation.outvars, results, strict=True))
        return [read(variable) for variable in jaxpr.jaxpr.outvars]

    avals: list[Any] = [variable.aval for variable in jaxpr.jaxpr.invars]
    shapes = [
        jax.ShapeDtypeStruct(aval.shape, np.float64 if is_short(aval.dtype) else aval.dtype)
        for aval in avals
    ]
    return jax.make_jaxpr(compute)(*shapes)


def plain_array(value: Any) -> Any:
    """Return an array that NumPy can hold: for random keys, their numbers."""
    return jax.random.key_data(value) if is_key(value) else value


def is_key(value: Any) -> bool:
    """Whether it is a random key, which only JAX can hold."""
    return bool(jnp.issubdtype(value.dtype, jax.dtypes.extended))


def is_plain(value: Any) -> bool:
    """Whether a parameter says what is computed, in plain data: not jaxprs, functions, shardings, or None."""
    return not (
        value is None
        or callable(value)
        or isinstance(value, core.Jaxpr | core.ClosedJaxpr | jax.sharding.Sharding)
        or (isinstance(value, tuple) and any(isinstance(one, core.ClosedJaxpr) for one in value))
    )


def plain(value: Any) -> Any:
    """Return a parameter as plain data: numbers, strings, tuples and dictionaries of them."""
    if isinstance(value, enum.Enum):
        return value.name
    if isinstance(value, bool | int | float | str) or value is None:
        return value
    if hasattr(value, "_asdict"):
        return {name: plain(one) for name, one in value._asdict().items()}
    if isinstance(value, tuple | list):
        return tuple(plain(one) for one in value)
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    return str(value)
