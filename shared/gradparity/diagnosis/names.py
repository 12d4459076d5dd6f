"""The name of a mistake: the mistake, the layers in which it is made, and the factor on the gradient."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..reference.passes import RIGHT, Equations
from ..verdict.observation import Observation
from .mistakes import UNIT, Factor, ForwardMistake, Layers, Mistake, Program

LayersByDepth = Callable[[int], Layers]
"""The layers in which a mistake is made, given the number of layers of the network."""


def nowhere(_: int) -> Layers:
    """Return no layers, for a mistake that is not made by layer."""
    return frozenset()


@dataclass(frozen=True)
class ForwardName:
    """A mistake in the forward pass, and where it is made: in words, and as layers by the network's depth."""

    mistake: ForwardMistake
    where: str
    layers: LayersByDepth

    def equations(self, depth: int) -> Equations:
        """Return the equations of a network of this depth with this mistake."""
        return self.mistake.equations(self.layers(depth))

    def __str__(self) -> str:
        return f"{self.mistake.name} {self.where}"


@dataclass(frozen=True)
class Name:
    """An explanation of the gradients.

    Attributes:
        mistake: the mistake; None if there is only a factor.
        where: the layers, in words; empty for a mistake that is not made by layer.
        layers: the layers, by the network's depth.
        factor: the factor by which the gradient is multiplied as well.
        forward: the mistake in the forward pass that is made as well, if any.
        share: the largest remaining difference, as a share of the bound.
    """

    mistake: Mistake | None
    where: str
    layers: LayersByDepth
    factor: Factor
    forward: ForwardName | None
    share: float

    def predicted_loss(self, observation: Observation) -> Any:
        """Compute the loss that a program with this mistake would report; None if the mistake cannot be made here."""
        equations = RIGHT if self.forward is None else self.forward.equations(observation.depth)
        layers, scale = self.layers(observation.depth), self.factor.value(*observation.elements)
        program = Program(observation.case, equations, layers, scale)
        found = program.run() if self.mistake is None else self.mistake.predict(program)
        return None if found is None else found.loss

    def __str__(self) -> str:
        parts = [] if self.forward is None else [str(self.forward)]
        if self.mistake is not None:
            parts.append(f"{self.mistake.name} {self.where}".strip())
        if self.factor is not UNIT:
            parts.append(f"the gradient is multiplied by {self.factor.name}: {self.factor.meaning}")
        return "; ".join(parts)
