"""What tests of several frameworks ask of a recording."""

from __future__ import annotations

import numpy as np

from gradparity.reference.precision import Precision
from gradparity.tracing.bounded import Bounded, exact
from gradparity.tracing.recording import Event, Recording
from gradparity.tracing.rules import precision_of


def format_of(event: Event) -> Precision:
    """Return the floating-point format in which the program has an array; float64 for integers and bools."""
    floating = event.value.dtype.kind == "f"
    return precision_of(event.format or event.value.dtype if floating else np.float64)


def as_given(recording: Recording, index: int) -> Bounded:
    """Return an event's value as an operand without error."""
    event = recording.events[index]
    return exact(event.value, format_of(event))
