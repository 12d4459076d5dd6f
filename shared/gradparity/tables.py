"""A table in words, for the terminal and the report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Table(NamedTuple):
    """Headings and rows."""

    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
