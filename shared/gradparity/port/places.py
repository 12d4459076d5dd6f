"""Where events of a recording stand in a program."""

from __future__ import annotations

from collections.abc import Iterable

from ..tracing.recording import Recording
from .result import Place, Side


def places(side: Side, recording: Recording, events: Iterable[int]) -> tuple[Place, ...]:
    """Return the lines of events, the one of the last event first, each line once, with all that runs there."""
    found: dict[tuple[str, int], tuple[str, int, list[str]]] = {}
    for index in sorted(events, reverse=True):
        event = recording.events[index]
        if event.source is not None:
            at = (event.source.file, event.source.line)
            last = event.source.span[0] if event.source.span else event.source.line
            text, end, operations = found.setdefault(at, (event.source.text, last, []))
            if event.operation not in operations:
                operations.insert(0, event.operation)
            found[at] = text, max(end, last), operations
    return tuple(
        Place(side, file, line, last, text, tuple(operations))
        for (file, line), (text, last, operations) in found.items()
    )
