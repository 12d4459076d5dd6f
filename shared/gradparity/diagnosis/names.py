"""The name of a mistake: the mistake, the layers in which it is made, and the factor on the gradient."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..reference.passes import RIGHT, Equations, Pass
from ..verdict.observation import Observation
from .mistakes import (
    UNIT,
    Factor,
    ForwardMistake,
    LayerMistake,
    Layers,
    Mistake,
    OptimizerMistake,
    Program,
)

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
class Made:
    """A mistake, and where it is made: in words, and as layers by the network's depth.

    `where` is empty for a mistake that is not made by layer.
    """

    mistake: Mistake
    where: str = ""
    layers: LayersByDepth = nowhere

    def __str__(self) -> str:
        return f"{self.mistake.name} {self.where}".strip()

    def sentence(self) -> str:
        """Return the name, with what the program computes and what it should compute."""
        return f"{self}: it computes {self.mistake.wrong}, it should be {self.mistake.right}"


@dataclass(frozen=True)
class Name:
    """An explanation of the gradients.

    Attributes:
        made: the mistakes, one or two, or one of each optimizer; none if there is only a factor.
        factor: the factor by which the gradient is multiplied as well.
        forward: the mistake in the forward pass that is made as well, if any.
        share: the largest remaining difference, as a share of the bound.
    """

    made: tuple[Made, ...]
    factor: Factor
    forward: ForwardName | None
    share: float

    @property
    def mistake(self) -> Mistake | None:
        """The only mistake, or the first of two; None if there is only a factor."""
        return self.made[0].mistake if self.made else None

    def predicted_loss(self, observation: Observation) -> Any:
        """Compute the loss that a program with this mistake would report; None if the mistake cannot be made here."""
        scale = self.factor.value(*observation.elements)
        found = predicted(self.made, self.forward, observation, scale)
        return None if found is None else found.loss

    def __str__(self) -> str:
        parts = [] if self.forward is None else [str(self.forward)]
        parts += map(str, self.made)
        if self.factor is not UNIT:
            parts.append(f"the gradient is multiplied by {self.factor.name}: {self.factor.meaning}")
        return "; ".join(parts)


def predicted(
    made: Sequence[Made], forward: ForwardName | None, observation: Observation, scale: float
) -> Pass | None:
    """Carry out the pass of a program with these mistakes; None if none of them can be made in this case.

    The first of two mistakes must be one that is made by layer: it changes the equations in which the other is made.
    """
    equations = RIGHT if forward is None else forward.equations(observation.depth)
    program = Program(observation.case, equations, scale=scale)
    if made and all(isinstance(one.mistake, OptimizerMistake) for one in made):
        passes = (one.mistake.predict(program) for one in made)
        return next((one for one in passes if one is not None), None)
    if not made:
        return program.run()
    possible = False
    for one in made[:-1]:
        assert isinstance(one.mistake, LayerMistake)
        layers = one.layers(observation.depth)
        changed = one.mistake.equations(replace(program, layers=layers))
        if changed is not None:
            program, possible = replace(program, equations=changed), True
    try:
        last = replace(program, layers=made[-1].layers(observation.depth))
        found = made[-1].mistake.predict(last)
        return program.run() if found is None and possible else found
    except ValueError:  # shapes that do not fit
        return None
