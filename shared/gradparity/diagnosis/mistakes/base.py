"""What a mistake is, and where it may sit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ...contract import SGD, Activation, Conv, Network, Params, Schedule, tensors
from ...reference.layers import Array, Place, places
from ...reference.passes import Equations, Pass, cast, evaluate
from ...reference.updates import Update
from ...verdict.case import Case, oracle_dtype

Layers = frozenset[int]

Predict = Callable[[Case, Equations, Layers, float], Pass | None]

WrongStep = Callable[[Schedule, Array, Array, tuple[Array, ...], int], Update | None]
"""As `optimizing.Step`; None where the schedule has nothing that the mistake could be made in."""

Applies = Callable[[Place], bool]
"""Whether a layer is of the kind that a mistake can be made in."""


def every(_: Place) -> bool:
    """Any layer."""
    return True


def of(activation: Activation) -> Applies:
    """Layers with this activation."""
    return lambda at: at.layer.activation == activation


def convolution(at: Place) -> bool:
    """Convolutions."""
    return isinstance(at.layer, Conv)


def after_image(at: Place) -> bool:
    """Dense layers that take an image."""
    return not isinstance(at.layer, Conv) and len(at.shape_in) > 1


def layers_where(network: Network, applies: Applies) -> Layers:
    """The layers of a network that are of a kind."""
    return frozenset(at.index for at in places(network) if applies(at))


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
        applies: the kind of layers that it can be made in.
        step: the optimizer's update of a tensor, where that is what is wrong.
        initial: what the optimizer's arrays start at.
    """

    name: str
    wrong: str
    right: str
    predict: Predict
    by_layer: bool = True
    linear: bool = True
    roundings: Callable[[Case], int] = lambda _: 1
    applies: Applies = every
    step: WrongStep | None = None
    initial: float = 0.0


def plain(schedule: Schedule) -> bool:
    """Whether an update is w - learning_rate · g, and nothing else."""
    return schedule.optimizer == SGD() and not schedule.weight_decay


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


def patched(
    equations: Equations, layers: Layers, applies: Applies = every, **changes: Callable[..., Any]
) -> Equations:
    """`equations`, with others in these layers; each takes the arguments of the one that it replaces."""

    def switch(right: Callable[..., Any], wrong: Callable[..., Any]) -> Callable[..., Any]:
        def either(*arguments: Any) -> Any:
            at = arguments[-1]
            return (wrong if at.index in layers and applies(at) else right)(*arguments)

        return either

    fields = {name: switch(getattr(equations, name), wrong) for name, wrong in changes.items()}
    return replace(equations, **fields)


def by(applies: Applies = every, **changes: Callable[..., Any]) -> Predict:
    """Predict by replacing equations in the mistaken layers."""

    def predict(case: Case, equations: Equations, layers: Layers, _: float) -> Pass | None:
        if not layers & layers_where(case.network, applies):
            return None
        try:
            found = run(case, patched(equations, layers, applies, **changes))
        except ValueError:  # shapes that do not fit
            return None
        fits = zip(tensors(found.grads), tensors(case.params), strict=True)
        return found if all(grad.shape == tensor.shape for grad, tensor in fits) else None

    return predict


def mistake(
    name: str, wrong: str, right: str, applies: Applies = every, **changes: Callable[..., Any]
) -> Mistake:
    """One that is made by replacing equations, in layers of a kind."""
    return Mistake(name, wrong, right, by(applies, **changes), applies=applies)


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
