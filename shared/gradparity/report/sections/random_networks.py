"""Random networks: the homework's, and those of any kind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .section import Content

Stored = Mapping[str, Any] | None


def show(core: Stored, full: Stored) -> Content:
    """The results of either, as far as there are any."""
    return Content({"core": core, "full": full})
