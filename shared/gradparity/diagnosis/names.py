"""What a mistake is called: the mistake, the layers it is made in, and the factor on the gradient."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..reference.passes import RIGHT, Equations
from ..verdict.observation import Observation
from .mistakes import UNIT, Factor, ForwardMistake, Layers, Mistake, Program

LayersByDepth = Callable[[int], Layers]
"""The layers that a mistake is made in, given how many layers the network has."""


def nowhere(_: int) -> Layers:
    """No layers, for what is not made by layer."""
    return frozenset()


@dataclass(frozen=True)
class ForwardName:
    """A mistake in the forward pass, and where: in words, and the layers by the network's depth."""

    mistake: ForwardMistake
    where: str
    layers: LayersByDepth

    def equations(self, depth: int) -> Equations:
        """The equations of a network of this depth with this mistake."""
        return self.mistake.equations(self.layers(depth))

    def __str__(self) -> str:
        return f"{self.mistake.name} {self.where}"


@dataclass(frozen=True)
class Name:
    """What explains the gradients.

    Attributes:
        mistake: None for a mere factor.
        where: the layers, in words; empty for a mistake that is not made by layer.
        layers: the same, by the network's depth.
        factor: on top of it.
        forward: the mistake in the forward pass that it comes on top of.
        share: of the bound, left over when all this is undone.
    """

    mistake: Mistake | None
    where: str
    layers: LayersByDepth
    factor: Factor
    forward: ForwardName | None
    share: float

    def predicted_loss(self, observation: Observation) -> Any:
        """The loss that a program with this mistake would report; None where it cannot be made."""
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
