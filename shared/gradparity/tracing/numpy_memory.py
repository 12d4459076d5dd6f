"""Where NumPy's arrays lie in memory: which of them share it, element by element."""

from __future__ import annotations

import weakref
from bisect import bisect_right
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class Place(NamedTuple):
    """Where an array lies. Two arrays at one place are one array."""

    address: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: str

    @classmethod
    def of(cls, array: NDArray[Any]) -> Place:
        """Return an array's place."""
        return cls(array.ctypes.data, array.shape, array.strides, array.dtype.str)

    def addresses(self) -> NDArray[np.int64]:
        """Return the address of each element, in the array's shape."""
        found = np.full(self.shape, self.address, np.int64)
        for axis, (size, stride) in enumerate(zip(self.shape, self.strides, strict=True)):
            steps = stride * np.arange(size, dtype=np.int64)
            found += steps.reshape(-1, *[1] * (len(self.shape) - axis - 1))
        return found

    def bounds(self) -> tuple[int, int]:
        """Return the lowest and the highest address of an element."""
        ends = [(size - 1) * stride for size, stride in zip(self.shape, self.strides, strict=True)]
        low, high = (sum(pick(0, end) for end in ends) for pick in (min, max))
        return self.address + low, self.address + high

    def positions_in(self, other: Place) -> NDArray[np.int64] | None:
        """Return, for each element, its flat position in another array, or -1; None if none of them is there."""
        if self.dtype != other.dtype or 0 in self.shape or 0 in other.shape:
            return None
        (low, high), (other_low, other_high) = self.bounds(), other.bounds()
        if high < other_low or other_high < low:
            return None
        here, there = self.addresses(), other.addresses().reshape(-1)
        order = np.argsort(there, kind="stable")
        at = np.minimum(np.searchsorted(there, here, sorter=order), there.size - 1)
        found = np.where(there[order[at]] == here, order[at], -1)
        return found if (found >= 0).any() else None


@dataclass
class Block:
    """What is known of the memory that one object owns.

    Attributes:
        owner: the object.
        events: the event whose value lies at each place.
        writes: the events that changed what lies at a place, and that place, in order.
    """

    owner: weakref.ref[Any]
    events: dict[Place, int] = field(default_factory=dict)
    writes: list[tuple[int, Place]] = field(default_factory=list)

    def writes_after(self, event: int) -> list[tuple[int, Place]]:
        """Return the writes that came after an event."""
        return self.writes[bisect_right(self.writes, event, key=lambda write: write[0]) :]


class Blocks:
    """The blocks of memory in which recorded arrays lie, as long as these live."""

    def __init__(self) -> None:
        self._found: dict[int, Block] = {}

    def get(self, array: NDArray[Any]) -> Block | None:
        """Return what is known of the memory in which an array lies."""
        owner = _owner(array)
        block = self._found.get(id(owner))
        return block if block is not None and block.owner() is owner else None

    def remember(self, array: NDArray[Any], event: int, written: bool = False) -> None:
        """Note that the event's value lies where this array lies; `written`: it was changed to that value."""
        block = self.get(array)
        if block is None:
            owner = _owner(array)
            block = Block(weakref.ref(owner, partial(self._forget, id(owner))))
            self._found[id(owner)] = block
        place = Place.of(array)
        block.events[place] = event
        if written:
            block.writes.append((event, place))

    def _forget(self, key: int, owner: weakref.ref[Any]) -> None:
        block = self._found.get(key)
        if block is not None and block.owner is owner:
            del self._found[key]


def _owner(array: NDArray[Any]) -> Any:
    """Return the object that owns an array's memory: mostly the array of which it is a view."""
    owner: Any = array
    while (base := getattr(owner, "base", None)) is not None:
        if not type(base).__weakrefoffset__:  # bytes: it cannot be told when they go
            break
        owner = base
    return owner


def same(a: NDArray[Any], b: NDArray[Any]) -> bool:
    """Return True if two arrays hold the same numbers; one not-a-number is as good as another."""
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    equal = a == b
    return bool(equal.all() or (equal | (np.isnan(a) & np.isnan(b))).all())
