"""The implementations' source, side by side."""

from __future__ import annotations

from ..code import exhibits
from .section import Content, Trained


def show(trained: Trained) -> Content | None:
    """Return a part for each file that is compared; None if no implementation has source."""
    found = exhibits(trained.implementations)
    parts = [(f"code-{one.name}", one.title) for one in found]
    return Content({"code": found}, parts=parts) if found else None
