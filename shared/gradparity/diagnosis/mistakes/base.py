"""The kinds of mistakes, and the layers in which they may be made."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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
"""A condition on a layer: True if a mistake can be made in it."""


def every(_: LinearLayer) -> bool:
    """Select any layer."""
    return True


def of(activation: Activation) -> Applies:
    """Select layers with this activation."""
    return lambda layer: layer.activation == activation


def convolution(layer: LinearLayer) -> bool:
    """Select convolutions."""
    return isinstance(layer, ConvLayer)


def after_image(layer: LinearLayer) -> bool:
    """Select dense layers that take an image."""
    return isinstance(layer, DenseLayer) and len(layer.shape_in) > 1


def layers_where(network: Network, applies: Applies) -> Layers:
    """Return the layers of a network that fulfil the condition."""
    return frozenset(layer.index for layer in layers_of(network) if applies(layer))


@dataclass(frozen=True, eq=False)
class Program:
    """A program with a mistake that computes one case.

    Attributes:
        case: the update that the program computes.
        equations: its equations apart from the mistake: the right ones, or those with a mistake in the forward pass.
        layers: the layers in which the mistake is made; empty for a mistake that is not made by layer.
        scale: the factor by which the program multiplies its gradients.
    """

    case: Case
    equations: Equations
    layers: Layers = frozenset()
    scale: float = 1.0

    @property
    def rows(self) -> Array:
        """The indices of the batch's samples."""
        return np.arange(len(self.case.inputs))[self.case.schedule.batch(self.case.update)]

    def run(
        self, equations: Equations | None = None, params: Params | None = None, rows: Any = None
    ) -> Pass:
        """Carry out the pass without the mistake, or with other equations, weights or rows of the data."""
        return self.case.evaluate_exactly(equations or self.equations, params, rows)


Predict = Callable[[Program], Pass | None]
"""A function that carries out a program's pass with the mistake; None if the mistake cannot be made there."""


def once(_: Case) -> int:
    """Allow the rounding of one update."""
    return 1


Changes = Callable[[Program], Mapping[str, Callable[..., Any]] | None]
"""(program) → the equations that a mistake puts in place of others, by field; None if it cannot be made there."""

Possible = Callable[[Network], Layers]
"""(network) → the layers in which a mistake can be made."""


def anywhere(network: Network) -> Layers:
    """Select all layers of a network."""
    return frozenset(range(len(network.layers)))


def not_first(network: Network) -> Layers:
    """Select the layers that pass a gradient down."""
    return frozenset(range(1, len(network.layers)))


def biased(network: Network) -> Layers:
    """Select the layers that have a bias."""
    return frozenset(k for k, layer in enumerate(network.layers) if layer.bias)


@dataclass(frozen=True, eq=False)
class LayerMistake:
    """A mistake in back-propagation that can be made in some layers and not in others.

    Attributes:
        name: the mistake in words.
        wrong: the equation with the mistake.
        right: the right equation.
        changes: the equations that it replaces in the program's layers.
        possible: selects the layers in which it can be made.
        linear: True if its gradients do not depend on the program's `scale`.
    """

    name: str
    wrong: str
    right: str
    changes: Changes
    possible: Possible = anywhere
    linear: bool = True
    roundings: ClassVar = staticmethod(once)

    def equations(self, program: Program) -> Equations | None:
        """Return the program's equations with this mistake in its layers; None if it cannot be made there."""
        layers = program.layers & self.possible(program.case.network)
        changes = self.changes(replace(program, layers=layers)) if layers else None
        return None if changes is None else patched(program.equations, layers, **changes)

    def predict(self, program: Program) -> Pass | None:
        """Carry out the pass with this mistake in the program's layers; None if it cannot be made there."""
        equations = self.equations(program)
        if equations is None:
            return None
        try:
            found = program.run(equations)
        except ValueError:  # shapes that do not fit
            return None
        fits = zip(tensors(found.grads), tensors(program.case.params), strict=True)
        return found if all(grad.shape == tensor.shape for grad, tensor in fits) else None


@dataclass(frozen=True)
class StepMistake:
    """A mistake of a whole training step: in the loss, the samples, or the weights with which it is computed.

    Attributes:
        name: the mistake in words.
        wrong: the equation with the mistake.
        right: the right equation.
        predict: carries out the pass with this mistake.
        linear: True if its gradients do not depend on the program's `scale`.
        roundings: the allowed rounding of a case, in multiples of that of one update.
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
        name: the mistake in words.
        wrong: the equation with the mistake.
        right: the right equation.
        rule: the wrong update of a tensor.
        applies: a condition on a schedule: True if the mistake can be made with it.
        roundings: the allowed rounding of a case, in multiples of that of one right update.
        initial: the value with which the optimizer's arrays start.
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
        """Carry out the right pass; return None if the mistake cannot be made.

        Updates by plain SGD are judged by the gradients recovered from them, so there the gradients follow the rule.
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
    """Return True if an update is w - learning_rate · g, and nothing else."""
    return schedule.optimizer == SGD() and not schedule.weight_decay


def patched(
    equations: Equations, layers: Layers, applies: Applies = every, **changes: Callable[..., Any]
) -> Equations:
    """Replace some of the `equations` in these layers. Each change takes the arguments of the equation it replaces."""

    def switch(right: Callable[..., Any], wrong: Callable[..., Any]) -> Callable[..., Any]:
        def either(*arguments: Any) -> Any:
            layer = arguments[-1]
            return (wrong if layer.index in layers and applies(layer) else right)(*arguments)

        return either

    fields = {name: switch(getattr(equations, name), wrong) for name, wrong in changes.items()}
    return replace(equations, **fields)


def mistake(
    name: str, wrong: str, right: str, applies: Applies = every, **changes: Callable[..., Any]
) -> LayerMistake:
    """Make a mistake that replaces equations in the layers that `applies` selects, where that shows."""

    def possible(network: Network) -> Layers:
        layers = layers_where(network, applies)
        if set(changes) == {"passed_down"}:
            return layers & not_first(network)
        if set(changes) == {"bias_grad"}:
            return layers & biased(network)
        return layers

    return LayerMistake(name, wrong, right, lambda _: changes, possible)


LossFormula = Callable[[Array, Array], Any]
"""(outputs, targets) → a loss, or its derivative with respect to the outputs."""


def instead(kind: Loss, output: LossFormula, loss: LossFormula) -> Predict:
    """Predict by replacing this kind of loss by another, and its derivative with respect to the outputs by `output`."""

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
    """List where a mistake may be made in networks of up to `depth` layers: in words, and as layers by depth."""
    every = frozenset(range(depth))
    return (
        ("in every layer", lambda n: frozenset(range(n))),
        ("in every hidden layer", lambda n: frozenset(range(n - 1))),
        ("in the output layer", lambda n: frozenset({n - 1})),
        *(
            (f"in layer {k + 1}", lambda n, k=k: frozenset({k} if k < n else ()))
            for k in sorted(every)
        ),
        ("in the layer before the output", lambda n: frozenset({n - 2} if n > 1 else ())),
        ("in every layer but the first", lambda n: frozenset(range(1, n))),
    )
