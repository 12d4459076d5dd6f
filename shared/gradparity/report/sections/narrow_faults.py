"""The narrow faults: what was said of right programs by form, and of wrong ones by property."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...campaigns.narrow_faults.run import total
from .section import Content

RIGHT_COUNTS = ("programs", "agree", "disagree", "abstain", "worded")
WRONG_COUNTS = ("programs", "caught", "abstain", "missed", "relevant", "relevant_missed")


def show(stored: Mapping[str, Any]) -> Content:
    """Return a board of the right programs and one of the wrong ones, each with its sums."""
    return Content(
        {
            "stored": stored,
            "right": total(stored["right"]),
            "wrong": total(stored["wrong"]),
            "right_counts": RIGHT_COUNTS,
            "wrong_counts": WRONG_COUNTS,
            "left": [one for one in stored["left"] if one["relevant"]],
        }
    )
