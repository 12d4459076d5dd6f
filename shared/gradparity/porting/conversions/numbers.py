"""Whose numbers stand in which parameter, whatever their layout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...tracing.alignment import Side, is_evidence
from ...tracing.recording import PARAMETER, Event, Recording

Array = NDArray[Any]


def key(value: Array) -> bytes:
    """Return the same for arrays that hold the same numbers, up to float32's rounding."""
    return np.sort(value, axis=None).astype(np.float32).tobytes()


class Numbers:
    """The parameters of an original and of its port.

    Args:
        a: the original's recording.
        b: the port's, as it was.
    """

    def __init__(self, a: Recording, b: Recording) -> None:
        self.events: Mapping[Side, Sequence[Event]] = {"a": a.events, "b": b.events}
        self.leaves: Mapping[Side, tuple[int, ...]] = {
            "a": _parameters(a),
            "b": _parameters(b),
        }

    def value(self, side: Side, leaf: int) -> Array:
        """Return a parameter's value."""
        return self.events[side][leaf].value

    def name(self, side: Side, leaf: int) -> str:
        """Return a parameter's name."""
        return self.events[side][leaf].name

    def module(self, side: Side, leaf: int) -> str:
        """Return what a parameter's name begins with: `rnn` of `rnn.w_i`."""
        return self.name(side, leaf).rpartition(".")[0]

    def says(self, side: Side, leaf: int) -> bool:
        """Whether a parameter's numbers do not coincide by chance."""
        return is_evidence(self.events[side][leaf])

    def same(self, value: Array, side: Side) -> tuple[int, ...]:
        """Return a side's parameters that hold the numbers of an array, and no others."""
        return self._by_key[side].get(key(value), ())

    def share(self, value: Array, side: Side) -> float:
        """Return how many of an array's numbers stand in a side's parameters, from 0 to 1; 0 and ±1 do not count."""
        sought = np.ravel(value).astype(np.float32)
        sought = sought[(sought != 0) & (np.abs(sought) != 1)]
        if not sought.size:
            return 0.0
        return float(np.isin(sought, self._all[side]).mean())

    def held_in(self, leaf: int, value: Array) -> bool:
        """Whether all numbers of a parameter of the original stand in an array."""
        sought = np.ravel(self.value("a", leaf)).astype(np.float32)
        return bool(np.isin(sought, np.ravel(value).astype(np.float32)).all())

    def lost(self, leaf: int) -> bool:
        """Whether a parameter of the original stands in none of the port's, not in parts either."""
        if not self.says("a", leaf):
            return not self.same(self.value("a", leaf), "b")
        return self.share(self.value("a", leaf), "b") < 1

    def foreign(self, leaf: int) -> bool:
        """Whether a parameter of the port has numbers that none of the original's has."""
        if not self.says("b", leaf):
            return True
        return self.share(self.value("b", leaf), "a") < 1

    @cached_property
    def _by_key(self) -> Mapping[Side, Mapping[bytes, tuple[int, ...]]]:
        return {"a": self._keys("a"), "b": self._keys("b")}

    def _keys(self, side: Side) -> Mapping[bytes, tuple[int, ...]]:
        found: dict[bytes, tuple[int, ...]] = {}
        for leaf in self.leaves[side]:
            if self.says(side, leaf):
                one = key(self.value(side, leaf))
                found[one] = (*found.get(one, ()), leaf)
        return found

    @cached_property
    def _all(self) -> Mapping[Side, Array]:
        return {"a": self._gathered("a"), "b": self._gathered("b")}

    def _gathered(self, side: Side) -> Array:
        values = [np.ravel(self.value(side, leaf)) for leaf in self.leaves[side]]
        return np.unique(np.concatenate(values).astype(np.float32)) if values else np.empty(0)


def _parameters(recording: Recording) -> tuple[int, ...]:
    return tuple(
        event.index
        for event in recording.events
        if event.operation == PARAMETER and event.value.size and event.value.dtype.kind == "f"
    )
