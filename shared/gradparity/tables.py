"""A table of text, for the terminal and the report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Table(NamedTuple):
    """The headings and the rows of a table."""

    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
