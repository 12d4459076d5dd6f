"""Which differences among the cotangents follow from one in the forward pass.

If a forward region differs, its derivative differs, too, and so do cotangents in the backward pass. Such a difference
is no mistake of its own: the backward pass is still the derivative of the forward pass. So the second's forward pass is
differentiated, each stretch of it from the first's cotangents, and compared with what its backward pass makes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress

import numpy as np

from ..alignment import Alignment, Index, Pair
from ..bounded import Bounded, cotangents, exact
from ..recording import CONSTANT, PARAMETER, Event, Recorder, Recording
from ..rules import NoRuleError, as_recorded, evaluate
from .recorded import Replay, is_given, results_of
from .results import Array, Region
from .structure import Structure

_STOPS = frozenset({"aten.detach", "stop_gradient"})
"""Operations through which no cotangent goes, if the first program has them: there, it is meant so."""


class Derivative:
    """Tells which of the second recording's cotangents are the derivative of its own forward pass.

    Args:
        alignment: with the first's arrays in the place of those that differ.
        structure: of the second recording.
        forward: the regions of the forward pass that disagree.
    """

    def __init__(
        self, alignment: Alignment, structure: Structure, forward: Sequence[Region]
    ) -> None:
        self._b, self._structure, self._forward = alignment.b, structure, forward
        ours = differentiated(alignment.a, {}, _STOPS)
        given = {
            pair.b: pair.layout.apply(ours[pair.a])
            for pair in self._pairs(alignment)
            if pair.a in ours
        }
        theirs = differentiated(alignment.b, given) if given else {}
        recorder = Recorder(alignment.b.framework)
        for value in theirs.values():
            recorder.leaf(CONSTANT, "", value)
        self._cotangents, self._of = recorder.finished({}), list(theirs)
        tolerance = alignment.tolerances["float64"]
        differing = [
            index
            for index, event in enumerate(self._of)
            if event not in given or not _same(given[event], theirs[event], tolerance)
        ]
        self._index = Index(self._cotangents, differing, tolerance)
        self._unused, self._tolerance = _unused(alignment.b), tolerance

    def _pairs(self, alignment: Alignment) -> list[Pair]:
        """Return the arrays that each side computes once: their cotangents have to be the same."""
        pairs = [region.pair for region in self._forward]
        placed = {pair.b for pair in pairs}
        for quantity in alignment.quantities:
            made = alignment.origins("a", quantity), alignment.origins("b", quantity)
            if (len(made[0]), len(made[1])) == (1, 1) and made[1][0] not in placed:
                pairs.append(alignment.pair(made[0][0], made[1][0]))
        return pairs

    def followed(self, differing: Sequence[Region], kept: frozenset[int]) -> dict[int, Region]:
        """Return what regions of the backward pass follow from, by their event of the second.

        Each is put back to what the second makes of the first's arrays, from the last one on, together with those
        behind it that follow, too. One follows if a cotangent comes out that is the derivative of the forward pass.

        Args:
            differing: regions of the backward pass that disagree.
            kept: the events of the second that have the first's arrays.
        """
        found: dict[int, Region] = {}
        left = sorted((region.pair.b for region in differing), reverse=True)
        while True:
            before = len(found)
            for v in [v for v in left if v not in found]:
                above = [w for w in found if w < v and self._structure.depends(v, w)]
                for again in ([v], [v, *above], [v, *found])[: 1 + 2 * bool(found)]:
                    of = self._put_back(again, kept - found.keys() - {v})
                    if of is not None:
                        found[v] = self._cause(of)
                        break
            # One may only come out right together with others that follow, too.
            if len(found) in {before, len(left)}:
                return found

    def _put_back(self, again: Sequence[int], kept: frozenset[int]) -> int | None:
        """Compute these again; return the array whose cotangent comes out of it, None if there is none."""
        replay = Replay(self._b, {}, kept=kept, again=again)
        return next((of for event in replay for of in self._derivative_of(event)), None)

    def _derivative_of(self, event: Event) -> Iterator[int]:
        """Yield the arrays of the forward pass of which this is the cotangent, if it is not the first's."""
        now = self._b.events[event.index].value
        if _same(now, event.value, self._tolerance):
            return
        for which in self._index.holding(event):
            yield self._of[which]
        if event.index in self._unused and not event.value.any():
            yield self._unused[event.index]

    def _cause(self, event: int) -> Region:
        """Return the first region that differs behind an event of the forward pass, or else around it."""
        inside = [r for r in self._forward if event in r.events_b]
        behind = [r for r in self._forward if self._structure.depends(r.pair.b, event)]
        return min(behind or inside or self._forward, key=lambda r: r.pair.b)


def _same(x: Array, y: Array, tolerance: float) -> bool:
    if x.dtype.kind != "f":
        return np.array_equal(x, y)
    return bool((np.abs(x - y) <= tolerance * np.abs(x).max(initial=0.0)).all())


def _unused(recording: Recording) -> dict[int, int]:
    """Return the parameters on which the loss does not depend, by the event that is their gradient."""
    used = recording.needed_for([recording.outputs["loss"]] if "loss" in recording.outputs else [])
    return {
        recording.outputs[name]: event.index
        for event in recording.events
        for name in [f"gradient {event.name}"]
        if event.operation == PARAMETER and event.index not in used and name in recording.outputs
    }


def differentiated(
    recording: Recording, given: Mapping[int, Array], stops: Collection[str] = ()
) -> dict[int, Array]:
    """Differentiate the loss with respect to every array on the way to it.

    Args:
        recording: a program whose output `loss` is a number; if there is none, nothing is found.
        given: cotangents, by event, that the events above are computed from, instead of those found.
        stops: operations through which no cotangent goes.

    Returns:
        What was found, by event; NaN where it is not known, for want of a rule.
    """
    loss = recording.outputs.get("loss")
    if loss is None or recording.events[loss].value.size != 1:
        return {}
    found: dict[int, Array] = {loss: np.ones(recording.events[loss].value.shape)}
    calls = {recording.events[i].call for i in recording.needed_for([loss])}
    for call in sorted(calls, reverse=True):
        event = recording.events[call]
        seeds = {i: given.get(i, found[i]) for i in results_of(call, recording) if i in found}
        if seeds and not is_given(event) and event.operation not in stops:
            for i, value in _pulled_back(recording, call, seeds).items():
                found[i] = found[i] + value if i in found else value
    return found


def _pulled_back(recording: Recording, call: int, seeds: Mapping[int, Array]) -> dict[int, Array]:
    """Return the cotangents of a call's operands, from those of its results."""
    events = recording.events
    operands = {
        i: as_recorded(events[i].value)
        for i in events[call].inputs
        if events[i].value.dtype.kind == "f"
    }

    def operand(index: int) -> Bounded:
        return operands[index] if index in operands else as_recorded(events[index].value)

    found = {i: np.zeros(one.shape) for i, one in operands.items()}
    results: tuple[Bounded, ...] = ()
    with suppress(NoRuleError):
        results = evaluate(recording, call, operand)
    if any(index - call >= len(results) for index in seeds):  # no rule, or none for this result
        return {i: np.full(one.shape, np.nan) for i, one in operands.items()}
    for index, seed in seeds.items():
        result = results[index - call]
        if result.floating:
            pulled = cotangents(result, exact(seed, result.precision), list(operands.values()))
            for i, one in zip(operands, pulled, strict=True):
                found[i] = found[i] + one.value
    return found
