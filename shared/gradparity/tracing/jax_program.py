"""A jaxpr as steps to run: calls are opened, and each step has the program's line.

JAX keeps the traceback of each equation, as far as the function that it traced, also for equations that it derives.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import CodeType
from typing import Any

import jax
import jaxlib
import numpy as np
from jax.extend import core

from .recording import CALLER, OURS, Source

CALLS = frozenset(
    {
        "jit",
        "pjit",
        "closed_call",
        "core_call",
        "checkpoint",
        "remat",
        "remat2",
        "custom_jvp_call",
        "custom_vjp_call",
        "custom_vjp_call_jaxpr",
        "custom_vmap_call",
        "composite",
    }
)
"""The primitives that only call: their equations are recorded in their place."""

LOOPS = frozenset({"scan", "while", "cond"})
"""The primitives whose equations run as often as the values say."""

FRAMEWORKS = ("jax", "jaxlib", "flax", "optax", "equinox", "haiku", "chex", "jaxtyping", "beartype")
"""The packages whose lines are never the program's."""


@dataclass(frozen=True, eq=False)
class Made:
    """An array that a step makes, or that a program is given."""


@dataclass(frozen=True, eq=False)
class Given:
    """A number or an array that stands in the program."""

    value: Any


Atom = Made | Given


@dataclass(frozen=True, eq=False)
class Step:
    """An equation, after all calls around it were opened."""

    equation: Any
    operands: Sequence[Atom]
    results: Sequence[Made]
    source: Source | None
    backward: bool

    @property
    def name(self) -> str:
        """The primitive's name."""
        return str(self.equation.primitive.name)


@dataclass(frozen=True, eq=False)
class Program:
    """A jaxpr as groups of steps: either a loop, or steps that are compiled together."""

    inputs: Sequence[Made]
    groups: Sequence[Sequence[Step]]
    outputs: Sequence[Atom]


def program_of(
    jaxpr: core.ClosedJaxpr, source: Source | None = None, backward: bool = False
) -> Program:
    """Return the program of a jaxpr; `source` and `backward` are those of the equation that it belongs to."""
    steps: list[Step] = []
    inputs = [Made() for _ in jaxpr.jaxpr.invars]
    outputs = _opened(jaxpr, inputs, source, backward, steps)
    groups: list[list[Step]] = []
    for step in steps:
        if step.name in LOOPS or not groups or groups[-1][0].name in LOOPS:
            groups.append([])
        groups[-1].append(step)
    return Program(inputs, groups, outputs)


def _opened(
    jaxpr: core.ClosedJaxpr,
    inputs: Sequence[Atom],
    source: Source | None,
    backward: bool,
    steps: list[Step],
) -> Sequence[Atom]:
    """Append the steps of a jaxpr to `steps`; return its outputs."""
    atoms: dict[Any, Atom] = dict(zip(jaxpr.jaxpr.invars, inputs, strict=True))
    atoms.update(zip(jaxpr.jaxpr.constvars, map(Given, jaxpr.consts), strict=True))

    def read(variable: Any) -> Atom:
        if isinstance(variable, core.Literal):
            return Given(number(variable))
        return atoms[variable]

    for equation in jaxpr.jaxpr.eqns:
        operands = [read(variable) for variable in equation.invars]
        line = _source(equation) or source
        # JAX marks what it transposed, so what flows back; the primitives inside of a marked call are not marked.
        turned = backward or "transpose(" in str(equation.source_info.name_stack)
        results: Sequence[Atom]
        if equation.primitive.name in CALLS:
            results = _opened(_called(equation), operands, line, turned, steps)
        else:
            made = [Made() for _ in equation.outvars]
            results = made
            steps.append(Step(equation, operands, made, line, turned))
        atoms.update(zip(equation.outvars, results, strict=True))
    return [read(variable) for variable in jaxpr.jaxpr.outvars]


def number(literal: Any) -> Any:
    """Return the number of a literal, in its dtype."""
    return np.asarray(literal.val, literal.aval.dtype)[()]


def _called(equation: Any) -> core.ClosedJaxpr:
    found = next(
        equation.params[name]
        for name in ("jaxpr", "call_jaxpr", "fun_jaxpr", "call")
        if name in equation.params
    )
    return found if isinstance(found, core.ClosedJaxpr) else core.ClosedJaxpr(found, ())


_OWN = (
    *(str(Path(module.__file__ or "").parent) for module in (jax, jaxlib)),
    *OURS,
    "<frozen",
    "<@beartype",
)


@lru_cache(maxsize=4096)
def _is_own(file: str) -> bool:
    if file.startswith(_OWN):
        return True
    parts = Path(file).parts
    return "site-packages" in parts and parts[parts.index("site-packages") + 1] in FRAMEWORKS


def _source(equation: Any) -> Source | None:
    """Return the innermost line that is the program's, as far as the function that JAX traced."""
    # A backward equation has the traceback of the forward equation that it comes from.
    if equation.source_info.traceback is None:
        return None
    for code, instruction in zip(*equation.source_info.traceback.raw_frames(), strict=True):
        if code.co_filename == CALLER:
            return None
        if not _is_own(code.co_filename):
            return _line(code, instruction)
    return None


@lru_cache(maxsize=4096)
def _line(code: CodeType, instruction: int) -> Source:
    return Source.at(code, instruction)
