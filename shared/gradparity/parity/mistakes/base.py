"""What a mistake is, and where it may sit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ...contract import Params
from ..case import Case, oracle_dtype
from ..reference import Equations, Pass, cast, evaluate

Layers = frozenset[int]


Predict = Callable[[Case, Equations, Layers, float], Pass | None]


@dataclass(frozen=True)
class Mistake:
    """One kind of mistake.

    Attributes:
        name: in words.
        wrong: the line of algebra as the mistake has it.
        right: the line as it should be.
        predict: (case, equations, layers, scale) → the pass with this mistake in these layers, on top of `equations`;
            None where it cannot be made. `scale` is the factor by which the program multiplies the gradients
            of this pass.
        by_layer: it can be made in some layers and not in others.
        linear: its gradients do not depend on `scale`.
        roundings: how many times the roundings of one update it takes, by case.
    """

    name: str
    wrong: str
    right: str
    predict: Predict
    by_layer: bool = True
    linear: bool = True
    roundings: Callable[[Case], int] = lambda _: 1


def run(case: Case, equations: Equations, params: Params | None = None, rows: Any = None) -> Pass:
    """A pass over the case's batch, or other rows, in the oracle's precision."""
    wide = oracle_dtype()
    rows = case.schedule.batch(case.update) if rows is None else rows
    return evaluate(
        case.network,
        cast(case.params if params is None else params, wide),
        case.inputs[rows].astype(wide),
        case.targets[rows].astype(wide),
        equations,
    )


def patched(equations: Equations, layers: Layers, **changes: Callable[..., Any]) -> Equations:
    """`equations`, with others in these layers; each takes the arguments of the one that it replaces."""

    def switch(right: Callable[..., Any], wrong: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *arguments: (wrong if arguments[-1].index in layers else right)(*arguments)

    fields = {name: switch(getattr(equations, name), wrong) for name, wrong in changes.items()}
    return replace(equations, **fields)


def by(**changes: Callable[..., Any]) -> Predict:
    """Predict by replacing equations in the mistaken layers."""

    def predict(case: Case, equations: Equations, layers: Layers, _: float) -> Pass | None:
        try:
            return run(case, patched(equations, layers, **changes))
        except ValueError:  # shapes that do not fit
            return None

    return predict


def scopes(depth: int) -> Sequence[tuple[str, Callable[[int], Layers]]]:
    """Where a mistake by layer may sit in networks of up to `depth` layers: in words, and the layers by depth."""
    every = frozenset(range(depth))
    return (
        ("in every layer", lambda n: frozenset(range(n))),
        ("in every hidden layer", lambda n: frozenset(range(n - 1))),
        ("in the output layer", lambda n: frozenset({n - 1})),
        *((f"in layer {k}", lambda n, k=k: frozenset({k} if k < n else ())) for k in sorted(every)),
        ("in the layer before the output", lambda n: frozenset({n - 2} if n > 1 else ())),
        ("in every layer but the first", lambda n: frozenset(range(1, n))),
    )
