"""A planted fault: lines of the NumPy implementation, and the code that replaces them."""

from __future__ import annotations

from dataclasses import dataclass

LINE = "LINE"
"""The placeholder for the line's own code in the code that replaces it."""


@dataclass(frozen=True)
class Patch:
    """A line, and the code that replaces it.

    Attributes:
        file: the file of the implementation, without `.py`.
        definition: the top-level function or table that the line belongs to.
        marker: the comment behind the line's code.
        new: one line or more; `LINE` in it stands for the original code.
    """

    file: str
    definition: str
    marker: str
    new: str


@dataclass(frozen=True)
class Fault:
    """A planted fault and what it should be called.

    Attributes:
        name: a description of the fault.
        patches: the changed lines.
        mistake: the name in the catalogue; empty for a factor alone, and for a fault without algebra.
        factor: the name of the additional factor.
        layer: the layer that has it; None for all layers, or for a fault outside of the layers.
        reduced: True if the class "reduced precision" is the right answer.
    """

    name: str
    patches: tuple[Patch, ...]
    mistake: str = ""
    factor: str = "1"
    layer: int | None = None
    reduced: bool = False

    def __str__(self) -> str:
        return self.name if self.layer is None else f"{self.name}, layer {self.layer}"

    def with_factor(self, other: Fault) -> Fault:
        """Return this fault with an additional factor."""
        return Fault(
            f"{self.name} × {other.name}",
            (*self.patches, *other.patches),
            self.mistake,
            other.factor,
            self.layer,
        )


def chain_rule(marker: str, new: str) -> Patch:
    """Patch a line of `value_and_grad`, where `k` is the layer's number, from 0."""
    return Patch("gradients", "value_and_grad", marker, new)


def activation(marker: str, new: str) -> Patch:
    """Patch an entry of the table of activations and their derivatives."""
    return Patch("activations", "ACTIVATIONS", marker, f"{new},")
