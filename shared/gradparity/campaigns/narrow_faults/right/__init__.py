"""Correct programs in unusual forms, each with the words that its report must have."""

from __future__ import annotations

from functools import cache

from ..program import Program
from .combining import combined
from .networks import models, other_networks


@cache
def right_programs() -> tuple[Program, ...]:
    """Return the whole corpus, always the same and in the same order."""
    return (*combined(), *models(), *other_networks())
