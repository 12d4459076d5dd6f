"""Programs with a fault that shows under one condition only."""

from __future__ import annotations

from functools import cache

from ..program import Program
from .conventions import beside_conventions
from .features import in_features
from .homework import classes, modules
from .patched import clipped, in_layers, in_results, in_updates, remembering, saturated


@cache
def narrow_faults() -> tuple[Program, ...]:
    """Return the whole corpus, always the same and in the same order."""
    return (
        *in_layers(),
        *saturated(),
        *clipped(),
        *in_updates(),
        *in_results(),
        *remembering(),
        *in_features(),
        *classes(),
        *modules(),
        *beside_conventions(),
    )
