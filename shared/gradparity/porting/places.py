"""Where events of a recording stand in a program."""

from __future__ import annotations

from collections.abc import Iterable

from ..tracing.recording import Recording, Source
from .result import Place, Side


def places(side: Side, recording: Recording, events: Iterable[int]) -> tuple[Place, ...]:
    """Return the lines of events, the one of the last event first, each line once, with all that runs there.

    What the user's program has no line for (the update that a framework's optimizer makes) is one place without a line.
    """
    found: dict[tuple[str, int], tuple[Source | None, int, list[str]]] = {}
    for index in sorted(events, reverse=True):
        event = recording.events[index]
        source = event.source
        at = (source.file, source.line) if source else ("", 0)
        end = max(source.line, source.span[0]) if source and source.span else at[1]
        first, last, operations = found.setdefault(at, (source, end, []))
        if event.operation not in operations:
            operations.insert(0, event.operation)
        found[at] = first, max(end, last), operations
    return tuple(
        Place(side, file, line, last, source.text if source else "", tuple(operations))
        for (file, line), (source, last, operations) in found.items()
    )
