"""The docs hold: links land, every command exists, and the reference pages say what the code says.

Their sessions are run by `make docs` (tests/docs); here is what that checker itself must find.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest

import gradparity

from .docs import reference
from .docs.pages import (
    KINDS,
    WRITTEN,
    blocks,
    broken_links,
    commands,
    inline,
    invalid,
    misquoted,
    run,
)
from .helpers import ROOT

PAGES = pytest.mark.parametrize("page", WRITTEN, ids=lambda p: p.relative_to(ROOT).as_posix())


@PAGES
def test_links_land(page: Path) -> None:
    assert not broken_links(page, page.read_text())


def test_links_of_the_reference_report_land() -> None:
    page = ROOT / "reports" / "reference" / "README.md"
    assert not broken_links(page, page.read_text())


@PAGES
def test_blocks_are_of_a_kind_that_is_checked(page: Path) -> None:
    for block in blocks(page.read_text()):
        assert block.source or block.kind in KINDS, f"line {block.line}: {block.kind or 'no kind'}"
        assert "console" not in block.kind or block.text.startswith("$ "), f"line {block.line}"
        assert block.kind != "console parsed" or not any(said for _, said in block.commands)


@PAGES
def test_quoted_source_is_the_source(page: Path) -> None:
    for block in blocks(page.read_text()):
        assert not block.source or not (wrong := misquoted(block)), f"line {block.line}: {wrong}"


@PAGES
def test_commands_are_valid(page: Path) -> None:
    for block in blocks(page.read_text()):
        for command, _ in block.commands if block.kind == "console parsed" else []:
            assert not invalid(command), f"line {block.line}: {command}"


def _parameters(name: str) -> list[Any]:
    command = commands()[name]
    return list(command.get_params(command.make_context(name, [], resilient_parsing=True)))


@PAGES
def test_commands_in_the_text_exist(page: Path) -> None:
    """A sentence may leave arguments out, but its commands and options are there."""
    for token in inline(page.read_text()):
        words = token.content.split()
        if token.type != "code_inline" or len(words) < 2 or words[0] not in {"gradparity", "make"}:
            continue
        if words[0] == "make":
            assert not invalid(token.content)
        elif words[1] != "--help":
            known = {option for p in _parameters(words[1]) for option in p.opts}
            assert {word for word in words if word.startswith("--")} <= known, token.content


# --- what is said is what the code says -----------------------------------------------------------------------------

REFERENCE = ROOT / "docs" / "reference"


def test_the_command_line_is_as_its_help_says() -> None:
    assert reference.CLI.read_text() == reference.cli_page(), "python -m tests.docs.reference"


def test_every_key_of_an_experiment_is_documented() -> None:
    """Each section's rows stand together; nothing else is a row."""
    text = (REFERENCE / "experiment-file.md").read_text()
    sections = [
        "".join(f"| `{key}` | {allowed} | {default} | \0\n" for key, allowed, default in rows)
        for rows in reference.experiment_rows().values()
    ]
    tables = re.sub(r"^(\| `.*? \| .*? \| .*? \| )[^|\n]+\|$", "\\1\0", text, flags=re.MULTILINE)
    missing = [rows for rows in sections if rows not in tables]
    assert not missing, "\n".join(missing)
    assert tables.count("\n| `") == sum(rows.count("\n") for rows in sections)


def test_every_field_of_the_contract_is_documented() -> None:
    text = (REFERENCE / "contract.md").read_text()
    for name, rows in reference.contract_rows().items():
        _, _, below = text.partition(f"\n### {name}\n")
        table = re.findall(r"^\| `.*?` \|", below.partition("\n### ")[0], flags=re.MULTILINE)
        assert table == rows, name
    named = re.findall(r"\n### (\w+)\n", text)
    assert sorted(named) == sorted(reference.contract_rows())
    for signature in reference.contract_signatures():
        assert f"| `{signature}` |" in text


def test_every_public_name_is_documented_with_an_example() -> None:
    text = (REFERENCE / "python.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \|", text, flags=re.MULTILINE)
    assert sorted(rows) == sorted(gradparity.__all__)
    imported = {
        alias.name
        for block in blocks(text)
        if block.kind == "python"
        for node in ast.walk(ast.parse(block.text))
        if isinstance(node, ast.ImportFrom) and node.module == "gradparity"
        for alias in node.names
    }
    assert imported == set(gradparity.__all__)


def test_figures_are_those_of_the_campaigns() -> None:
    for name, paragraphs in reference.figures().items():
        said = reference.FIGURES.findall((reference.EXPLANATION / name).read_text())
        assert said == paragraphs, "python -m tests.docs.reference"


@pytest.mark.parametrize("name", reference.quoted())
def test_constants_are_those_of_the_code(name: str) -> None:
    """Of the report's texts they are variables: see test_report."""
    text = " ".join((ROOT / name).read_text().split())
    for phrase in reference.quoted()[name]:
        assert phrase in text, phrase


# --- the checker ---------------------------------------------------------------------------------------------------

RIGHT = """
```python
# mine.py
print("loss", 0.125)
```

```console
$ python mine.py
loss 0.1...
$ cat nothing
cat: nothing: No such file or directory
$ echo $?
1
```
"""


def test_what_holds_is_passed(tmp_path: Path) -> None:
    assert not run(RIGHT, tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ("loss 0.1...", "loss 0.2...", "it prints:\nloss 0.125"),
        ("loss 0.1...\n", "", "it prints:\nloss 0.125"),
        ("$ python mine.py", "$ python yours.py", "failed (2)"),
        ("$ python mine.py", "$ gradparity bench --slow", "No such option: --slow"),
        ("$ python mine.py", "$ exit 0", "the session ended early"),
        ("$ echo $?\n1", "$ echo", "failed (1)"),
        ("$ echo $?\n1", "$ echo $?\n2", "it prints:\n1"),
        ("# mine.py\nprint", "raise SystemExit", "failed (1)"),
    ],
)
def test_what_is_stale_is_found(tmp_path: Path, old: str, new: str, found: str) -> None:
    assert RIGHT.count(old) == 1
    assert found in "\n".join(run(RIGHT.replace(old, new), tmp_path))


@pytest.mark.parametrize(
    ("command", "found"),
    [
        ("gradparity study --seeds 64", ""),
        ("EXACT=1 .venv/bin/gradparity run xor --impl numpy  # fast", ""),
        ("make report", ""),
        ("gradparity study --seeds many", "Invalid value for '--seeds'"),
        ("gradparity study --quick", "No such option: --quick"),
        ("gradparity compare a", "Missing argument 'RUN_B'"),
        ("gradparity prove", "no command"),
        ("make reports", "no target reports"),
        ("curl example.org", "cannot be checked"),
    ],
)
def test_arguments_are_checked_without_a_run(command: str, found: str) -> None:
    assert found in invalid(command)
    assert bool(found) == bool(invalid(command))


QUOTE = """
def quoted(
    block: str,
) -> int:
    length = len(block)  # a comment
    return length
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("return length", "return length + 1"),
        ("  # a comment", ""),
        ("    length = len(block)  # a comment\n", ""),
        ("tests/quoted.py", "tests/missing.py"),
    ],
)
def test_a_quote_that_differs_is_found(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, old: str, new: str
) -> None:
    source = f'"""A module."""\n{QUOTE}'.replace("-> int:", '-> int:\n    """Count."""\n')
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "quoted.py").write_text(source)
    monkeypatch.setattr("tests.docs.pages.ROOT", tmp_path)
    page = f"```python tests/quoted.py{QUOTE}```"
    ((right,), (wrong,)) = blocks(page), blocks(page.replace(old, new))
    assert not misquoted(right)
    assert misquoted(wrong)


def test_links_that_lead_nowhere_are_found() -> None:
    text = "# A title\n[a](#a-title) [b](#b) [c](README.md) [d](none.md) ![e](none.png) [f](README.md#none)"
    found = broken_links(ROOT / "docs" / "page.md", text)
    assert found == ["#b", "none.md", "none.png", "README.md#none"]
