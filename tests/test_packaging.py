"""What a wheel holds: one top-level package, with the three implementations where their entry points are."""

from __future__ import annotations

import re
import shlex
import tomllib
from importlib.util import find_spec
from pathlib import Path, PurePosixPath

import pytest

from gradparity import __version__, implementations

from .docs.pages import invalid
from .helpers import ROOT, command

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
FOLDERS = ("impl_numpy", "impl_torch", "impl_jax")
GROUPS: dict[str, dict[str, str]] = PROJECT["project"]["entry-points"]
IMPLEMENTATIONS = sorted(
    {
        value.partition(":")[0]
        for group, points in GROUPS.items()
        if group != "pytest11"
        for value in points.values()
    }
)


def wheel() -> dict[str, Path]:
    """The Python files of a wheel, each with the file that it is made from."""
    target = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert set(target) == {"only-include", "sources"}  # nothing else decides about it
    found = {}
    for folder in target["only-include"]:
        for file in (ROOT / folder).rglob("*.py"):
            path = file.relative_to(ROOT)
            (moved,) = (
                PurePosixPath(new) / path.relative_to(old)
                for old, new in target["sources"].items()
                if path.is_relative_to(old)
            )
            found[str(moved)] = file
    return found


def test_a_wheel_has_one_top_level_package() -> None:
    assert {path.partition("/")[0] for path in wheel()} == {"gradparity"}


def test_a_wheel_has_every_file() -> None:
    folders = [ROOT / "shared", *(ROOT / folder for folder in FOLDERS)]
    assert set(wheel().values()) == {file for folder in folders for file in folder.rglob("*.py")}


@pytest.mark.parametrize("name", IMPLEMENTATIONS)
def test_an_implementation_has_one_name_in_a_wheel_and_here(name: str) -> None:
    """Here its file is in the folder at the top of the repository."""
    assert name.startswith(f"{implementations.__name__}.")
    spec = find_spec(name)
    assert spec is not None
    assert spec.origin is not None
    file = Path(spec.origin)
    assert file.relative_to(ROOT).parts[0] in FOLDERS
    path = name.replace(".", "/")
    assert [wheel().get(f"{path}.py"), wheel().get(f"{path}/__init__.py")].count(file) == 1


def test_entry_points_lead_to_all_three() -> None:
    assert {name.split(".")[2] for name in IMPLEMENTATIONS} == set(FOLDERS)


@pytest.mark.parametrize("name", FOLDERS)
def test_nothing_of_ours_is_at_the_top_level_of_an_environment(name: str, tmp_path: Path) -> None:
    """An editable installation behaves as a wheel does."""
    done = command("-c", f"import gradparity; import {name}", cwd=tmp_path)
    assert f"ModuleNotFoundError: No module named '{name}'" in done.stderr


def test_the_package_finds_the_implementations_beside_it(tmp_path: Path) -> None:
    """Laid out as in a wheel, which a folder further up with the same name does not change."""
    package = tmp_path / "gradparity" / "implementations"
    for folder in (package / "impl_numpy", tmp_path / "impl_numpy"):
        folder.mkdir(parents=True)
        (folder / "__init__.py").write_text("")
    (package.parent / "__init__.py").write_text("")
    (package / "__init__.py").write_text(Path(implementations.__file__).read_text())
    asked = "from gradparity.implementations import impl_numpy; print(impl_numpy.__file__)"
    done = command("-c", asked, cwd=tmp_path, PYTHONPATH=str(tmp_path))
    assert done.stdout.strip() == str(package / "impl_numpy" / "__init__.py"), done.stderr


# --- what states the same thing again --------------------------------------------------------------------------------


def test_the_workflow_runs_targets_of_the_makefile() -> None:
    workflow = (ROOT / ".github" / "workflows" / "ci.yml").read_text()
    calls = re.findall(r"run: make (.*)", workflow)
    targets = {word for call in calls for word in shlex.split(call) if "=" not in word}
    assert targets == {"check", "test", "docs", "browser", "wheel", "mutation"}
    assert not invalid(f"make {shlex.join(targets)}")


def test_versions_are_the_same_everywhere() -> None:
    citation = (ROOT / "CITATION.cff").read_text()
    assert f"\nversion: {__version__}\n" in citation
    pinned = dict(
        line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if line
    )
    assert f"rev: v{pinned['ruff']} " in (ROOT / ".pre-commit-config.yaml").read_text()


def test_there_is_one_address() -> None:
    addresses = PROJECT["project"]["urls"].values()
    home = PROJECT["project"]["urls"]["Homepage"]
    assert all(address.startswith(home) for address in addresses)
    assert f"\nrepository-code: {home}\n" in (ROOT / "CITATION.cff").read_text()
    assert f"<{home}/security/advisories/new>" in (ROOT / "SECURITY.md").read_text()
