"""What a mistake is, and where it may be made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from ...contract import SGD, Activation, Loss, Network, Params, Schedule, map_params, tensors
from ...reference.layers import Array, ConvLayer, DenseLayer, LinearLayer, layers_of
from ...reference.passes import Equations, Pass
from ...reference.updates import UpdateRule
from ...verdict.case import Case

Layers = frozenset[int]

Applies = Callable[[LinearLayer], bool]
"""Whether a layer is of the kind that a mistake can be made in."""


def every(_: LinearLayer) -> bool:
    """Any layer."""
    return True


def of(activation: Activation) -> Applies:
    """Layers with this activation."""
    return lambda layer: layer.activation == activation


def convolution(layer: LinearLayer) -> bool:
    """Convolutions."""
    return isinstance(layer, ConvLayer)


def after_image(layer: LinearLayer) -> bool:
    """Dense layers that take an image."""
    return isinstance(layer, DenseLayer) and len(layer.shape_in) > 1


def layers_where(network: Network, applies: Applies) -> Layers:
    """The layers of a network that are of a kind."""
    return frozenset(layer.index for layer in layers_of(network) if applies(layer))


@dataclass(frozen=True, eq=False)
class Program:
    """A program with a mistake, at work on one case.

    Attributes:
        case: the update that it computes.
        equations: its equations but for the mistake: right ones, or those of a mistake in the forward pass.
        layers: that the mistake is made in; empty for one that is not made by layer.
        scale: the factor by which the program multiplies its gradients.
    """

    case: Case
    equations: Equations
    layers: Layers = frozenset()
    scale: float = 1.0

    @property
    def rows(self) -> Array:
        """The numbers of the batch's samples."""
        return np.arange(len(self.case.inputs))[self.case.schedule.batch(self.case.update)]

    def run(
        self, equations: Equations | None = None, params: Params | None = None, rows: Any = None
    ) -> Pass:
        """Its pass without the mistake, or with other equations, weights or rows of the data."""
        return self.case.evaluate_exactly(equations or self.equations, params, rows)


Predict = Callable[[Program], Pass | None]
"""The pass of a program with the mistake; None where the mistake cannot be made."""


def once(_: Case) -> int:
    """The roundings of one update."""
    return 1


@dataclass(frozen=True)
class LayerMistake:
    """A mistake in back-propagation that can be made in some layers and not in others.

    Attributes:
        name: in words.
        wrong: the line of algebra with the mistake.
        right: the line as it should be.
        predict: the pass with this mistake in the program's layers.
        applies: the kind of layers that it can be made in.
        linear: its gradients do not depend on the program's `scale`.
    """

    name: str
    wrong: str
    right: str
    predict: Predict
    applies: Applies = every
    linear: bool = True
    roundings: ClassVar = staticmethod(once)


@dataclass(frozen=True)
class StepMistake:
    """A mistake of a whole training step: in the loss, the samples, or the weights that it is computed on.

    Attributes:
        name: in words.
        wrong: the line of algebra with the mistake.
        right: the line as it should be.
        predict: the pass with this mistake.
        linear: its gradients do not depend on the program's `scale`.
        roundings: how many times the roundings of one update it takes, by case.
    """

    name: str
    wrong: str
    right: str
    predict: Predict
    linear: bool = True
    roundings: Callable[[Case], int] = once


@dataclass(frozen=True)
class OptimizerMistake:
    """A mistake in the optimizer's update; the gradient is right.

    Attributes:
        name: in words.
        wrong: the line of algebra with the mistake.
        right: the line as it should be.
        rule: the wrong update of a tensor.
        applies: whether a schedule has what the mistake is made in.
        roundings: how many times the roundings of one right update it takes, by case.
        initial: what the optimizer's arrays start at.
    """

    name: str
    wrong: str
    right: str
    rule: UpdateRule
    applies: Callable[[Schedule], bool]
    roundings: Callable[[Case], int]
    initial: float = 0.0
    linear: ClassVar = True

    def predict(self, program: Program) -> Pass | None:
        """The right pass; None where the mistake cannot be made.

        Updates by plain SGD are judged by the gradients that they amount to, so there the gradients are the rule's.
        """
        case = program.case
        if not self.applies(case.schedule):
            return None
        found = program.run()
        if not plain(case.schedule):
            return found

        def direction(w: Array, g: Array) -> Array:
            return self.rule(case.schedule, w.astype(g.dtype), g, (), case.update + 1).direction

        return replace(found, grads=map_params(direction, case.params, found.grads))


Mistake = LayerMistake | StepMistake | OptimizerMistake


def plain(schedule: Schedule) -> bool:
    """Whether an update is w - learning_rate · g, and nothing else."""
    return schedule.optimizer == SGD() and not schedule.weight_decay


def patched(
    equations: Equations, layers: Layers, applies: Applies = every, **changes: Callable[..., Any]
) -> Equations:
    """`equations`, with others in these layers; each takes the arguments of the one that it replaces."""

    def switch(right: Callable[..., Any], wrong: Callable[..., Any]) -> Callable[..., Any]:
        def either(*arguments: Any) -> Any:
            layer = arguments[-1]
            return (wrong if layer.index in layers and applies(layer) else right)(*arguments)

        return either

    fields = {name: switch(getattr(equations, name), wrong) for name, wrong in changes.items()}
    return replace(equations, **fields)


def by(applies: Applies = every, **changes: Callable[..., Any]) -> Predict:
    """Predict by replacing equations in the mistaken layers."""

    def predict(program: Program) -> Pass | None:
        case = program.case
        if not program.layers & layers_where(case.network, applies):
            return None
        try:
            found = program.run(patched(program.equations, program.layers, applies, **changes))
        except ValueError:  # shapes that do not fit
            return None
        fits = zip(tensors(found.grads), tensors(case.params), strict=True)
        return found if all(grad.shape == tensor.shape for grad, tensor in fits) else None

    return predict


def mistake(
    name: str, wrong: str, right: str, applies: Applies = every, **changes: Callable[..., Any]
) -> LayerMistake:
    """A mistake that is made by replacing equations, in layers of a kind."""
    return LayerMistake(name, wrong, right, by(applies, **changes), applies)


LossFormula = Callable[[Array, Array], Any]
"""(outputs, targets) → a loss, or its derivative by the outputs."""


def instead(kind: Loss, output: LossFormula, loss: LossFormula) -> Predict:
    """Predict by another loss and derivative by the outputs, `output`, in place of those of this kind of loss."""

    def predict(program: Program) -> Pass | None:
        if program.case.network.loss != kind:
            return None
        return program.run(
            replace(
                program.equations,
                output=lambda a, y, _: output(a, y),
                loss=lambda a, y, _: loss(a, y),
            )
        )

    return predict


def scopes(depth: int) -> Sequence[tuple[str, Callable[[int], Layers]]]:
    """Where a mistake by layer may be made in networks of up to `depth` layers: in words, and the layers by depth."""
    every = frozenset(range(depth))
    return (
        ("in every layer", lambda n: frozenset(range(n))),
        ("in every hidden layer", lambda n: frozenset(range(n - 1))),
        ("in the output layer", lambda n: frozenset({n - 1})),
        *((f"in layer {k}", lambda n, k=k: frozenset({k} if k < n else ())) for k in sorted(every)),
        ("in the layer before the output", lambda n: frozenset({n - 2} if n > 1 else ())),
        ("in every layer but the first", lambda n: frozenset(range(1, n))),
    )
