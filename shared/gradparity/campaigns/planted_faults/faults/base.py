"""A planted fault: lines of the NumPy implementation, and the code that replaces them."""

from __future__ import annotations

from dataclasses import dataclass

LINE = "LINE"
"""Stands for the line's own code in the code that replaces it."""


@dataclass(frozen=True)
class Patch:
    """A line, and the code that replaces its own.

    Attributes:
        file: of the implementation, without `.py`.
        definition: the top-level function or table that the line belongs to.
        marker: the comment behind the line's code.
        new: one line or more; `LINE` in it stands for the code as it is.
    """

    file: str
    definition: str
    marker: str
    new: str


@dataclass(frozen=True)
class Fault:
    """A planted fault and what it should be called.

    Attributes:
        name: what it is, in words.
        patches: the lines changed.
        mistake: the name in the catalogue; empty for a mere factor, or for what has no algebra.
        factor: the name of the factor on top.
        layer: where it was planted: None for everywhere, or for a fault that is not made by layer.
        reduced: whether the class "reduced precision" is the right answer.
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
        """This fault with a factor on top."""
        return Fault(
            f"{self.name} × {other.name}",
            (*self.patches, *other.patches),
            self.mistake,
            other.factor,
            self.layer,
        )


def chain_rule(marker: str, new: str) -> Patch:
    """A line of `value_and_grad`, which knows every layer's number, from 0, as `k`."""
    return Patch("gradients", "value_and_grad", marker, new)


def activation(marker: str, new: str) -> Patch:
    """An entry of the table of activations and their derivatives."""
    return Patch("activations", "ACTIVATIONS", marker, f"{new},")
