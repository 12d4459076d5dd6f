"""The implementations' source, side by side."""

from __future__ import annotations

from ..code import exhibits
from .section import Content, Trained


def show(trained: Trained) -> Content | None:
    """A part for each file that is compared; nothing where no implementation has source."""
    found = exhibits(trained.implementations)
    parts = [(f"code-{one.name}", one.title) for one in found]
    return Content({"code": found}, parts=parts) if found else None
