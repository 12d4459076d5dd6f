"""Every page's commands, given to a shell one after the other in a copy of the project."""

from __future__ import annotations

from pathlib import Path

import pytest

from ..helpers import ROOT
from .pages import WRITTEN, blocks, project, run

RUN = [
    page
    for page in WRITTEN
    if any(block.kind in {"console", "python", "toml"} for block in blocks(page.read_text()))
]


@pytest.mark.parametrize("page", RUN, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_the_page_says_what_happens(page: Path, tmp_path: Path) -> None:
    problems = run(page.read_text(), project(tmp_path))
    assert not problems, "\n\n".join(problems)
