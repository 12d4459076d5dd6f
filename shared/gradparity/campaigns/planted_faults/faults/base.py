"""What a planted fault is: lines of the NumPy implementation, and what stands there instead."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Patch:
    """A line of one of the files, and what stands there instead."""

    file: str
    old: str
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


def gradient(old: str, new: str) -> Patch:
    """Of the file where most mistakes are made."""
    return Patch("gradients", old, new)
