"""What a normalisation takes from the data: a mean that is not subtracted, running statistics for the batch's."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import permutations

from ...tracing.alignment import Side
from ...tracing.bounded import Bounded, total
from ...tracing.recording import LEAVES
from ..result import Cause
from .bench import MOVES_ONLY, SIDES, Bench, Found


def find(bench: Bench) -> Found | None:
    """Return the moment that one side takes, and the other does not."""
    return _centred(bench) or _of_the_batch(bench)


def _axes(ndim: int) -> Iterator[tuple[int, ...]]:
    """Yield the axes over which programs normalise: the last ones; all but that of the channels."""
    for first in range(ndim - 1, -1, -1):
        yield tuple(range(first, ndim))
    for channels in range(1, ndim):
        others = tuple(axis for axis in range(ndim) if axis != channels)
        if others != tuple(range(ndim - 1)) or channels == ndim - 1:
            yield others


def _mean(x: Bounded, axes: Sequence[int]) -> Bounded:
    return total(x, list(axes), True) / math.prod(x.shape[axis] for axis in axes)


def _centred(bench: Bench) -> Found | None:
    for side in SIDES:
        events = bench.recording(side).events
        for event, x in sorted(bench.values(side).items()):
            leaf = events[event].operation in LEAVES
            if not x.floating or not x.ndim or (events[event].operation in MOVES_ONLY and not leaf):
                continue
            if event == bench.trial.result(side):
                continue
            for axes in _axes(x.ndim):
                if bench.agrees_with(side, {event: x - _mean(x, axes)}):
                    return _told_centred(bench, side, event)
    return None


def _told_centred(bench: Bench, side: Side, event: int) -> Found:
    done, not_done = "subtracted", "not subtracted"
    original, port = (done, not_done) if side == "b" else (not_done, done)
    other: Side = "a" if side == "b" else "b"
    line = [one.index for one in bench.inner(side) if event in one.inputs]
    cause = Cause(
        "the mean",
        original,
        port,
        f"with it {original if side == 'b' else port} the two agree",
        bench.at(side, line, [bench.trial.result(other)]),
    )
    return Found(cause)


def _of_the_batch(bench: Bench) -> Found | None:
    """Try the batch's moments in the place of two vectors that the program was given."""
    for side in SIDES:
        events, values = bench.recording(side).events, bench.values(side)
        leaves = [i for i, x in values.items() if events[i].operation in LEAVES and x.ndim == 1]
        data = [x for i, x in values.items() if x.ndim > 1 and x.floating]
        for m, v in permutations(leaves, 2):
            for x in data:
                for channels in range(1, x.ndim):
                    if not x.shape[channels] == len(values[m]) == len(values[v]):
                        continue
                    axes = [axis for axis in range(x.ndim) if axis != channels]
                    mean = _mean(x, axes)
                    var = _mean((x - mean) * (x - mean), axes)
                    put = {m: mean.reshape((-1,)), v: var.reshape((-1,))}
                    if bench.agrees_with(side, put):
                        return _told_batch(bench, side, m, v)
    return None


def _told_batch(bench: Bench, side: Side, m: int, v: int) -> Found:
    of_batch, running = "those of the batch", "the running ones"
    original, port = (of_batch, running) if side == "b" else (running, of_batch)
    other: Side = "a" if side == "b" else "b"
    own = [
        event.index for event in bench.inner(side) if m in event.inputs or v in event.inputs
    ] or [bench.trial.result(side)]
    cause = Cause(
        "BatchNorm's statistics",
        original,
        port,
        f"with {of_batch if side == 'b' else running} the two agree",
        bench.at(side, own, [bench.trial.result(other)]),
    )
    return Found(cause)
