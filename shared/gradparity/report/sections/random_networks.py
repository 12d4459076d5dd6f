"""Random networks: of the original assignment's kind (core), and of any kind (full)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .section import Content

Stored = Mapping[str, Any] | None


def show(core: Stored, full: Stored) -> Content:
    """Return the results of both campaigns; None for one that has no file."""
    return Content({"core": core, "full": full})
