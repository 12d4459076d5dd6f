"""Homework to be checked: the worked examples of the documentation, with lines changed."""

from __future__ import annotations

from pathlib import Path

from ..helpers import ROOT

ADAPTERS = ROOT / "docs" / "adapters"
NO_SLOPE = ("d3 = 2 * (y - Y) / len(Y) * y * (1 - y)", "d3 = (y - Y) / len(Y)")
"""In `script_homework.py`: a gradient without σ'."""


def submission(folder: Path, source: str, *changes: tuple[str, str]) -> str:
    """A submission with lines changed, each of which must be there."""
    text = (ADAPTERS / source).read_text()
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    path = folder / source
    path.write_text(text)
    return str(path)
