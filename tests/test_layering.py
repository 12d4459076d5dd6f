"""The package's rooms lie on floors: a module imports from its own room and from floors below."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from .helpers import ROOT, command

PACKAGE = ROOT / "shared" / "gradparity"
FLOORS = (
    {"reference"},
    {"experiments"},
    {"verdict", "tracing"},
    {"suites", "diagnosis"},
    {"check", "sweep"},
    {"porting"},
    {"testing", "campaigns"},
    {"report"},
    {"cli"},
)
"""From the bottom up; below them are the single files, which import no room."""

EXPORTS = {"__init__", "__main__"}
"""They only name what is public, and start the command line."""

JUDGING = "gradparity.verdict.case, gradparity.suites.extended, gradparity.diagnosis.diagnose"


def imports_of(file: Path, package: Path) -> Iterator[str]:
    """The first parts of the names, within the package, of the modules that a file imports."""
    here = file.relative_to(package).parts[:-1]
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = here[: len(here) - node.level + 1]
            names = [node.module] if node.module else [alias.name for alias in node.names]
            yield from ((*base, *name.split("."))[0] for name in names)


def upwards(package: Path) -> list[str]:
    """Every import of a room that is not below."""
    floor = {room: height for height, rooms in enumerate(FLOORS) for room in rooms}
    found = []
    for file in sorted(package.rglob("*.py")):
        own = file.relative_to(package).with_suffix("").parts[0]
        if own not in EXPORTS:
            found += [
                f"{file.relative_to(package)} imports {other}"
                for other in imports_of(file, package)
                if other != own and floor.get(other, -1) >= floor.get(own, 0)
            ]
    return found


def test_every_room_has_its_floor() -> None:
    rooms = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert rooms == {room for floor in FLOORS for room in floor} | {"implementations"}


def test_no_import_runs_up() -> None:
    assert not upwards(PACKAGE)


@pytest.mark.parametrize(
    ("file", "line", "found"),
    [
        ("verdict/judge.py", "from ..report.page import build", "report"),
        ("suites/core.py", "from ..diagnosis import names", "diagnosis"),
        ("files.py", "from . import experiments", "experiments"),
        ("sweep/run.py", "def f():\n    from ..cli import app", "cli"),
    ],
)
def test_an_import_that_runs_up_is_found(tmp_path: Path, file: str, line: str, found: str) -> None:
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text(line)
    assert upwards(tmp_path) == [f"{file} imports {found}"]


def test_judging_needs_neither_pydantic_nor_toml() -> None:
    asked = f"import sys, {JUDGING}; print({{'pydantic', 'tomli_w', 'tomllib'}} & set(sys.modules))"
    done = command("-c", asked)
    assert done.stdout == "set()\n", done.stderr
