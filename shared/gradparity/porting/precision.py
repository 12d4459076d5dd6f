"""What the two sides do in the format in which they run, and where rounding grows most."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..tracing import layouts
from ..tracing.recording import LEAVES, Recording
from ..tracing.regions import Comparison
from ..tracing.rules import NoRuleError, as_recorded, evaluate
from .islands import distance
from .places import places
from .recorded import Array, Recorded, Run
from .result import Place, Precision

_MUCH = 10.0
"""From this growth of the relative error on, a line is named: a digit is lost."""


def precision(
    original: Recorded, port: Recorded, runs: tuple[Run, Run], comparison: Comparison
) -> Precision:
    """Compare the runs in the models' own formats."""
    a, b = runs
    outputs = [name for name in a.native if not name.startswith("gradient ") and name in b.native]
    partners = _gradients(comparison)
    gradients = [
        (name, partners[name])
        for name in a.native
        if partners.get(name) in b.native and _is_informative(comparison, name)
    ]
    place, growth = _grows_most(comparison.alignment.a)
    return Precision(
        {"original": original.formats, "port": port.formats},
        tuple(dict.fromkeys((*original.settings, *port.settings))),
        max((_apart(a.native[name], b.native[name]) for name in outputs), default=None),
        max((_apart(a.native[one], b.native[other]) for one, other in gradients), default=None),
        place,
        growth,
    )


def _gradients(comparison: Comparison) -> Mapping[str, str]:
    """Return the port's name of each of the original's gradients."""
    names = {event: name for name, event in comparison.alignment.b.outputs.items()}
    return {
        one.name: names[one.pair[1]]
        for one in comparison.outputs
        if one.name.startswith("gradient ") and one.pair[1] in names
    }


def _is_informative(comparison: Comparison, name: str) -> bool:
    return any(one.name == name and one.informative for one in comparison.outputs)


def _apart(x: Array, y: Array) -> float:
    near = layouts.nearest(x, y)  # a gradient may lie as its parameter does: transposed, if that is
    return np.inf if near is None else distance(near[0].apply(x), y)


def _grows_most(recording: Recording) -> tuple[Place | None, float]:
    """Return the line on the way to the outputs at which a float32 error grows most, and by how much.

    The forward pass is computed once more, each array rounded to float32; the error of an array is its largest
    difference, relative to its largest entry.
    """
    short: dict[int, Array] = {}
    errors: dict[int, float] = {}
    needed = recording.needed_for(
        [event for name, event in recording.outputs.items() if name.startswith("output")]
    )
    largest, at = 1.0, None
    for event in recording.events:
        if event.index not in needed or event.value.dtype.kind != "f":
            continue
        if event.operation in LEAVES:
            short[event.index] = event.value.astype(np.float32).astype(np.float64)
        elif event.index == event.call:
            try:
                results = evaluate(
                    recording,
                    event.call,
                    lambda i: as_recorded(short.get(i, recording.events[i].value)),
                )
            except NoRuleError:
                continue
            for n, result in enumerate(results):
                short[event.call + n] = np.asarray(result.value, np.float32).astype(np.float64)
        if event.index not in short:
            continue
        errors[event.index] = distance(event.value, short[event.index])
        before = max((errors.get(i, 0.0) for i in event.inputs), default=0.0)
        if before > 0 and np.isfinite(errors[event.index]):
            growth = errors[event.index] / max(before, float(np.finfo(np.float32).eps))
            if growth > largest:
                largest, at = growth, event.index
    if at is None or largest < _MUCH:
        return None, 1.0
    where = places("original", recording, [at])
    return (where[0] if where else None), largest
