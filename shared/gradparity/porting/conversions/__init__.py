"""Find the parameters that were converted wrongly.

What a parameter should hold is guessed from the two models' numbers, and told only if it is tried: with that value in
its place, a region that disagreed agrees within the bound, from the same inputs.
"""

from __future__ import annotations

from .search import Found, find

__all__ = ["Found", "find"]
