"""What a comparison of two recordings finds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..alignment import Alignment, Pair, Side

Verdict = Literal["agree", "disagree", "abstain"]
Array = NDArray[Any]


@dataclass(frozen=True)
class Distance:
    """Two arrays that should be equal, judged by the rounding bound.

    Attributes:
        verdict: abstain if no entry says anything, or if an operation has no rule.
        share: the largest |difference| / E; above 1 they differ.
        worst: the index of that entry, in the second array.
        uninformative: how many entries have E ≥ |value|: 0 as far as rounding goes, or no bound at all.
        unknown: operations without a rule.
    """

    verdict: Verdict
    share: float = 0.0
    worst: tuple[int, ...] = ()
    uninformative: int = 0
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True)
class Region:
    """What both sides compute between a pair of arrays and the nearest pairs above.

    Attributes:
        pair: the arrays that it makes.
        inputs: the pairs from which it starts.
        events_a: the first side's operations in it, in order, the last makes the pair's array.
        events_b: those of the second side.
        by_place: True if the numbers differ, and the two are a pair because with the first's numbers in the second's
            place what follows is the same, or because they are outputs of one name.
        only_a: if `by_place`, the first side's arrays in the region, its own apart, of which the second has neither the
            numbers nor those of anything that follows.
        only_b: likewise the second side's.
        follows: the earlier region of whose difference this one is a consequence; None if it disagrees by itself.
    """

    pair: Pair
    inputs: tuple[Pair, ...]
    events_a: tuple[int, ...]
    events_b: tuple[int, ...]
    distance: Distance
    by_place: bool = False
    only_a: tuple[int, ...] = ()
    only_b: tuple[int, ...] = ()
    follows: Region | None = None

    @property
    def verdict(self) -> Verdict:
        """Whether both sides compute the same."""
        return self.distance.verdict

    @property
    def at_a(self) -> int:
        """Where the first side's way begins that the second does not go."""
        return self.only_a[0] if self.only_a else self.pair.a


@dataclass(frozen=True)
class Own:
    """A recorded array against the operation that made it, evaluated from its recorded operands."""

    side: Side
    event: int
    distance: Distance


@dataclass(frozen=True)
class Output:
    """A result of both programs.

    Attributes:
        name: the first's name for it.
        pair: its events.
        verdict: agree if all the way from the inputs every region agrees; disagree if one does not; else abstain.
        informative: False if the numbers are 0 as far as rounding goes.
    """

    name: str
    pair: tuple[int, int]
    verdict: Verdict
    informative: bool


@dataclass(frozen=True)
class Comparison:
    """Everything that two recordings have in common, judged.

    Attributes:
        alignment: of the first and of the second, with the first's arrays in the place of those that differ.
        regions: in the order of the first.
        own: recorded arrays that are not what their operation makes of its operands.
        outputs: what both programs return.
        unpaired: inputs and parameters of each side that have no partner.
        missing: outputs of each side that the other has not.
    """

    alignment: Alignment
    regions: Sequence[Region]
    own: Sequence[Own]
    outputs: Sequence[Output]
    unpaired: Mapping[Side, tuple[int, ...]]
    missing: Mapping[Side, tuple[str, ...]]
    forward: frozenset[int] = field(repr=False, default=frozenset())

    @cached_property
    def divergences(self) -> Sequence[Region]:
        """The regions that disagree by themselves: on the way to the forward outputs first, each part in order."""
        found = [r for r in self.regions if r.verdict == "disagree" and r.follows is None]
        return sorted(found, key=lambda r: (r.pair.a not in self.forward, r.pair.a))

    @property
    def first(self) -> Region | None:
        """The first divergence: on the way to the outputs, or else among the gradients."""
        return self.divergences[0] if self.divergences else None

    @cached_property
    def unknown(self) -> tuple[str, ...]:
        """The operations without a rule that the verdict would need."""
        found = (name for region in self.regions for name in region.distance.unknown)
        return tuple(dict.fromkeys(found))

    @property
    def verdict(self) -> Verdict:
        """Agree only if every output of both is reached by regions that agree, and something in it is informative."""
        if self.divergences or self.own:
            return "disagree"
        whole = not any((*self.unpaired.values(), *self.missing.values()))
        reached = bool(self.outputs) and all(o.verdict == "agree" for o in self.outputs)
        informative = any(output.informative for output in self.outputs)
        return "agree" if whole and reached and informative else "abstain"


_WORST: Sequence[Verdict] = ("disagree", "abstain", "agree")


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """Return disagree if one is, else abstain if one is or there is none, else agree."""
    found = set(verdicts)
    return next((one for one in _WORST if one in found), "abstain")


def shares(x: Array, y: Array, error: Array) -> Array:
    """Return how far apart two results are, entry by entry, in units of the sum of their bounds."""
    same = (x == y) | (np.isnan(x) & np.isnan(y))
    with np.errstate(all="ignore"):
        found = np.where(same | np.isinf(error), 0.0, np.abs(x - y) / error)
    return np.where(np.isnan(found), np.inf, found)  # a number here, none there


def judged(x: Array, y: Array, error: Array) -> Distance:
    """Judge two results by the sum of their bounds."""
    if not x.size:
        return Distance("agree")
    x, y = x.astype(np.float64), y.astype(np.float64)
    found = shares(x, y, error)
    blind = (error > 0) & (error >= np.maximum(np.abs(x), np.abs(y)))
    at = np.unravel_index(int(found.argmax()), found.shape)
    share = float(found[at])
    verdict: Verdict = "disagree" if share > 1 else "abstain" if blind.all() else "agree"
    return Distance(verdict, share, tuple(int(i) for i in at), int(blind.sum()))
