"""Say what is wrong with a parameter, from its numbers and those that it should have."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...tracing import layouts
from .moves import TRANSFORMS, Move, moves, plain, transformed
from .numbers import Numbers

Array = NDArray[Any]

_GATES = {
    ("weight_ih", 4): ("i", "f", "g", "o"),
    ("weight_hh", 4): ("i", "f", "g", "o"),
    ("bias_ih", 4): ("i", "f", "g", "o"),
    ("bias_hh", 4): ("i", "f", "g", "o"),
    ("weight_ih", 3): ("r", "z", "n"),
    ("weight_hh", 3): ("r", "z", "n"),
    ("bias_ih", 3): ("r", "z", "n"),
    ("bias_hh", 3): ("r", "z", "n"),
}
"""The gates of torch's recurrent layers, by the parameter's name and how many there are."""

_SHORT = (np.float32, np.float16)


@dataclass(frozen=True)
class Said:
    """What is wrong with one parameter.

    Attributes:
        kind: in a few words.
        text: a sentence.
        order: which blocks of the right value stand in the port's, one after the other; empty if it is no such mistake.
        named: whether the text has the names of these blocks.
        holds: parameters of the original whose numbers the port's has in their place.
    """

    kind: str
    text: str
    order: tuple[int, ...] = ()
    named: bool = False
    holds: tuple[int, ...] = ()


class Words:
    """Describes parameters of the port.

    Args:
        numbers: all parameters.
        tolerance: how far apart the same numbers may be, relative to the largest.
    """

    def __init__(self, numbers: Numbers, tolerance: float) -> None:
        self._numbers, self._tolerance = numbers, tolerance

    def describe(
        self, leaf: int, own: Array, right: Array, sources: Sequence[int], context: str
    ) -> Said:
        """Say what is wrong with a parameter.

        Args:
            leaf: the port's parameter.
            own: its value.
            right: the value with which the two agree.
            sources: the original's parameters of whose numbers the right value consists.
            context: `gates` or `attention` if what uses it is a recurrent cell or computes attention; else empty.
        """
        name = f"`{self._numbers.name('b', leaf)}`"
        wanted = self._wanted(right, sources)
        if own.min() == own.max():
            return Said(
                "not loaded",
                f"{name} is all {own.flat[0]:.4g}, as it was initialised; it should hold {wanted}.",
            )
        for short in _SHORT:
            if np.array_equal(own, right.astype(short).astype(own.dtype)):
                return Said(
                    "rounded",
                    f"{name} holds {wanted} rounded to {np.dtype(short).name}.",
                )
        if self._same(np.sort(own, axis=None), np.sort(right, axis=None)):
            return self._moved(name, own, right, sources, context)
        return self._valued(name, leaf, own, right, sources, wanted)

    def _valued(
        self,
        name: str,
        leaf: int,
        own: Array,
        right: Array,
        sources: Sequence[int],
        wanted: str,
    ) -> Said:
        held = self._numbers.same(own, "a")
        if held:
            others = [
                f"`{self._numbers.name('b', other)}`"
                for other in self._numbers.same(own, "b")
                if other != leaf
            ]
            twice = f", as {' and '.join(others)} does" if others else ""
            return Said(
                "loaded at two places" if others else "another parameter's numbers",
                f"{name} holds the numbers of {self._names(held)}{twice}; it should hold {wanted}.",
                holds=held,
            )
        for transform in TRANSFORMS:
            made = transformed(transform, right)
            if made is not None and self._same(made, own):
                return Said(
                    "transformed",
                    f"{name} holds {transform.words.format(wanted)}; what uses it needs {wanted} itself.",
                )
        factor = _factor(own, right)
        if factor is not None and self._same(own, factor * right):
            return Said(
                "scaled",
                f"{name} holds {factor:.6g} times what it should: {wanted}.",
            )
        part = self._part(own, right)
        if part:
            return Said("half-loaded", f"{name} should hold {wanted}; it does only in {part}.")
        if self._numbers.share(own, "a") == 0:
            return Said(
                "not loaded",
                f"{name} holds none of the original's numbers: it should hold {wanted}.",
            )
        return Said(
            "other numbers",
            f"{name} holds other numbers than {wanted}, which it should hold.",
        )

    def _moved(
        self, name: str, own: Array, right: Array, sources: Sequence[int], context: str
    ) -> Said:
        of = self._names(sources)
        found = next((m for m in moves(right.shape) if self._same(m.apply(right), own)), None)
        if found is None:
            return Said(
                "in another order",
                f"{name} has the numbers of {of} in another order than what uses it needs.",
            )
        if found.kind == "blocks":
            return self._blocks(name, own, right, sources, found, context)
        if found.kind == "interleaved":
            return Said(
                "heads interleaved" if context == "attention" else "interleaved",
                f"{name} has the numbers of {of} interleaved otherwise than what uses it needs: "
                f"{found.words}.",
            )
        kind = {"transposed": "transposed", "flipped": "flipped"}.get(found.kind, found.kind)
        return Said(
            kind,
            f"{name} has the numbers of {of} in another layout than what uses it needs: {found.words}.",
        )

    def _blocks(
        self,
        name: str,
        own: Array,
        right: Array,
        sources: Sequence[int],
        move: Move,
        context: str,
    ) -> Said:
        blocks = move.order.blocks if move.order else ()
        parts = len(blocks)
        kind = (
            "gates in another order"
            if context == "gates" and parts > 2
            else "q, k, v in another order"
            if context == "attention" and parts == 3
            else "blocks in another order"
        )
        has, needs = (
            self._named(np.split(value, parts, move.axis), sources) for value in (own, right)
        )
        named = bool(has and needs)
        if not named:
            needs = tuple(map(str, range(parts)))
            has = tuple(map(str, blocks))
        what = "gates" if kind.startswith("gates") else f"{parts} blocks of axis {move.axis}"
        return Said(
            kind,
            f"{name} has its {what} in the order {', '.join(has)}; what uses it needs {', '.join(needs)}.",
            blocks,
            named,
        )

    def _named(self, blocks: Sequence[Array], sources: Sequence[int]) -> tuple[str, ...]:
        """Return which of the original's blocks these are."""
        names: list[str] = []
        for block in blocks:
            found = [
                self._numbers.name("a", leaf)
                for leaf in sources
                if np.array_equal(
                    np.sort(self._numbers.value("a", leaf), None), np.sort(block, None)
                )
            ]
            for leaf in sources:
                value = self._numbers.value("a", leaf)
                if value.size == block.size * len(blocks) and value.shape[0] % len(blocks) == 0:
                    for n, one in enumerate(np.split(value, len(blocks))):
                        if np.array_equal(np.sort(one, None), np.sort(block, None)):
                            found.append(self._gate(leaf, len(blocks), n))
            if not found:
                return ()
            names.append(found[0])
        return tuple(names)

    def _gate(self, leaf: int, parts: int, n: int) -> str:
        name = self._numbers.name("a", leaf)
        for (own, count), gates in _GATES.items():
            if own in name and count == parts:
                return gates[n]
        return str(n)

    def _wanted(self, right: Array, sources: Sequence[int]) -> str:
        names = self._names(sources)
        if len(sources) == 1:
            value = self._numbers.value("a", sources[0])
            if right.size <= value.size:
                layout = layouts.find(value, right, self._tolerance * float(np.abs(value).max()))
                if layout is not None and not layout.identity:
                    return f"{names} ({layout})"
        return names

    def _names(self, leaves: Sequence[int]) -> str:
        names = [f"`{self._numbers.name('a', leaf)}`" for leaf in leaves]
        if not names:
            return "the original's numbers"
        return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"

    def _same(self, x: Array, y: Array) -> bool:
        largest = float(np.abs(y).max(initial=0.0))
        return x.shape == y.shape and bool((np.abs(x - y) <= self._tolerance * largest).all())

    def _part(self, own: Array, right: Array) -> str:
        """Return where an array is right, if it is in whole slices along an axis; else empty."""
        same = own == right
        if not same.any():
            return ""
        for axis in range(own.ndim):
            others = tuple(n for n in range(own.ndim) if n != axis)
            whole = same.all(axis=others)
            if whole.any() and not same[np.nonzero(~whole)[0].take([0])].all():
                at = np.nonzero(whole)[0]
                if (same.any(axis=others) == whole).all():
                    return f"{_which(axis, own.ndim, at)} of {own.shape[axis]}"
        return f"{int(same.sum())} of {same.size} entries"


def _which(axis: int, axes: int, at: Array) -> str:
    name = ("row", "column")[axis] if axes == 2 else "entry" if axes == 1 else f"axis {axis}, entry"
    many = f"{name[:-1]}ies" if name.endswith("y") else f"{name}s"
    if len(at) == 1:
        return f"{name} {at[0]}"
    if (np.diff(at) == 1).all():
        return f"{many} {at[0]}..{at[-1]}"
    return f"{many} {', '.join(map(str, at[:8]))}{', …' if len(at) > 8 else ''}"


def _factor(own: Array, right: Array) -> float | None:
    at = int(np.abs(right).argmax())
    return float(own.flat[at] / right.flat[at]) if right.flat[at] else None


def pieces(numbers: Numbers, value: Array) -> Iterator[int]:
    """Yield the original's parameters of which an array consists, or which holds the array."""
    whole = numbers.same(value, "a")
    if whole:
        yield from whole
        return
    for leaf in numbers.leaves["a"]:
        if numbers.says("a", leaf):
            other = numbers.value("a", leaf)
            if other.size < value.size and numbers.held_in(leaf, value):
                yield leaf
    sought = np.ravel(value).astype(np.float32)
    for leaf in numbers.leaves["a"]:
        other = numbers.value("a", leaf)
        if other.size > value.size and np.isin(sought, np.ravel(other).astype(np.float32)).all():
            yield leaf


__all__ = ["Said", "Words", "pieces", "plain"]
