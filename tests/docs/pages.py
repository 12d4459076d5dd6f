"""The project's Markdown: its links, and its blocks, which are run as a reader would.

A fenced block is one of these:

- `console`: lines that begin with `$ ` are given to a shell, the rest is what they print; `...` stands for what varies.
  A command may fail only if `$ echo $?` follows. All blocks of a page are one session, in a copy of the project.
- `console parsed`: not run, as it takes minutes, needs a network or a device, or opens a window; its commands must
  exist and its arguments be valid.
- `python FILE`: quoted from that file of the project; not run. Docstrings are left out, and empty lines do not count.
- `python` and `toml`: a first line such as `# mine.py` names the file that it is written to, in the session. Without
  a name Python is run there, and TOML has to be TOML.
- `text`: nothing to run.
"""

from __future__ import annotations

import ast
import os
import re
import shlex
import shutil
import subprocess
import sys
import textwrap
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from doctest import ELLIPSIS, NORMALIZE_WHITESPACE, OutputChecker
from functools import cache
from pathlib import Path
from typing import Any

import typer.main
from markdown_it import MarkdownIt
from markdown_it.token import Token
from mdit_py_plugins.anchors import anchors_plugin
from typer.exceptions import TyperException

from gradparity.cli.app import app

from ..helpers import ROOT

WRITTEN = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")],
    key=lambda page: page.relative_to(ROOT).as_posix(),
)
"""Every page that is written by hand, or held to what it is generated from."""

KINDS = {"console", "console parsed", "python", "toml", "text"}
SECONDS = 240
"""For the session of one page."""

_END = "--- end of command"
_NOT_OURS = {"git", "cd", "."}
"""What `console parsed` may give beside gradparity and make: to fetch the project and to enter its environment."""

_markdown = MarkdownIt("commonmark").enable("table").use(anchors_plugin, max_level=6)


@dataclass(frozen=True)
class Block:
    """A fenced block, with the line of the page that it begins on."""

    kind: str
    text: str
    line: int

    @property
    def file(self) -> str:
        """The name in its first line; empty if it has none."""
        named = re.match(r"# ([\w./-]+\.(?:py|toml))\n", self.text)
        return named[1] if named else ""

    @property
    def commands(self) -> list[tuple[str, str]]:
        """Each command of a console block, with what it prints."""
        parts = re.split(r"^\$ ", self.text, flags=re.MULTILINE)
        found = (part.partition("\n") for part in parts[1:])
        return [(command, expected) for command, _, expected in found]

    @property
    def source(self) -> str:
        """The file that it quotes, from the project's root; empty if it quotes none."""
        language, _, file = self.kind.partition(" ")
        return file if language == "python" else ""


@cache
def tokens(text: str) -> list[Token]:
    return _markdown.parse(text)


def blocks(text: str) -> list[Block]:
    return [
        Block(token.info.strip(), token.content, (token.map or [0])[0] + 1)
        for token in tokens(text)
        if token.type in {"fence", "code_block"}
    ]


def inline(text: str) -> Iterator[Token]:
    for token in tokens(text):
        yield from token.children or ()


def links(text: str) -> list[str]:
    """Where links and images lead."""
    return [
        str(token.attrs[key])
        for token in inline(text)
        for key in ("href", "src")
        if key in token.attrs
    ]


def anchors(text: str) -> set[str]:
    """What can be linked to: headings by GitHub's rule, and explicit ids."""
    headings = {str(t.attrs["id"]) for t in tokens(text) if t.type == "heading_open"}
    return headings | set(re.findall(r'<a id="([^"]+)">', text))


def misquoted(block: Block) -> str:
    """What is wrong with a block that quotes a file; empty if it stands there, line after line."""
    file = ROOT / block.source
    if not file.is_file():
        return f"no file {block.source}"
    quoted = [line for line in textwrap.dedent(block.text).splitlines() if line.strip()]
    lines = _without_docstrings(file.read_text())
    for at in range(len(lines) - len(quoted) + 1):
        if textwrap.dedent("\n".join(lines[at : at + len(quoted)])).splitlines() == quoted:
            return ""
    return f"these lines do not stand in {block.source}, one after the other"


def _without_docstrings(source: str) -> list[str]:
    """The lines of Python source that are not empty and belong to no docstring."""
    lines = source.splitlines()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(
            node
        ):
            text = node.body[0]
            for number in range(text.lineno, (text.end_lineno or text.lineno) + 1):
                lines[number - 1] = ""
    return [line for line in lines if line.strip()]


def broken_links(page: Path, text: str) -> list[str]:
    """Those that lead nowhere; other sites are not looked at."""
    broken = []
    for link in links(text):
        path, _, anchor = link.partition("#")
        target = page.parent / path
        if re.match(r"[a-z]+:", link):
            continue
        there = not path or target.exists()
        if not there or (anchor and anchor not in anchors(target.read_text() if path else text)):
            broken.append(link)
    return broken


def invalid(command: str) -> str:
    """What is wrong with a command line that is not run; empty if nothing is."""
    words = shlex.split(command, comments=True)
    while words and re.fullmatch(r"\w+=.*", words[0]):
        words.pop(0)
    name, *arguments = words
    if name in _NOT_OURS:
        return ""
    if name == "make":
        targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
        unknown = set(arguments) - set(targets)
        return f"no target {', '.join(unknown)}" if unknown else ""
    if Path(name).name != "gradparity":
        return f"{name} cannot be checked without running it"
    if not arguments or arguments[0] not in commands():
        return f"no command {arguments[:1]}"
    try:
        commands()[arguments[0]].make_context(arguments[0], arguments[1:])
    except TyperException as error:
        return error.format_message()
    return ""


@cache
def commands() -> dict[str, Any]:
    """The command line, by command."""
    found: Any = typer.main.get_command(app)
    return dict(found.commands)


def project(folder: Path) -> Path:
    """A copy of what a session may need: everything that is not made."""
    made = shutil.ignore_patterns(".*", "reports", "__pycache__")
    return Path(shutil.copytree(ROOT, folder / "project", ignore=made))


def run(text: str, folder: Path) -> list[str]:
    """Give the page's blocks to one shell; what differs from what is said there."""
    steps = list(_steps(text, folder))
    script = "".join(
        f"{command}\n{{ _s=$?; printf '\\n{_END} %s\\n' $_s; (exit $_s); }}\n"
        for _, command, _ in steps
    )
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        env=os.environ
        | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
        | {"COLUMNS": "100"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    outputs = re.findall(rf"(.*?)\n{_END} (\d+)\n", done.stdout, flags=re.DOTALL)
    problems = []
    if len(outputs) != len(steps):
        problems.append(f"the session ended early:\n{done.stdout}")
    told = [command.startswith("echo $?") for _, command, _ in steps[1:]] + [False]
    for (line, command, expected), (printed, status), fails in zip(
        steps, outputs, told, strict=False
    ):
        if status != "0" and not fails:
            problems.append(f"line {line}: $ {command}\nfailed ({status}):\n{printed}")
        elif expected is not None and (difference := _difference(expected, printed)):
            problems.append(f"line {line}: $ {command}\n{difference}")
    return problems


def _steps(text: str, folder: Path) -> Iterator[tuple[int, str, str | None]]:
    """Line, command, and what it has to print, if that matters."""
    staged = folder / ".blocks"
    staged.mkdir()
    for number, block in enumerate(blocks(text)):
        if block.kind == "console":
            for command, expected in block.commands:
                yield block.line, command, expected
        elif block.kind in {"python", "toml"}:
            place = staged / f"{number}.{block.kind}"
            place.write_text(block.text)
            if block.kind == "toml":
                tomllib.loads(block.text)
            if block.file:
                yield block.line, f"cp {shlex.quote(str(place))} {shlex.quote(block.file)}", ""
            elif block.kind == "python":
                yield block.line, f"python {shlex.quote(str(place))}", None


def _difference(expected: str, printed: str) -> str:
    """Blanks at the ends of lines and between columns do not count."""
    flags, checker = ELLIPSIS | NORMALIZE_WHITESPACE, OutputChecker()
    if checker.check_output(expected, printed, flags):
        return ""
    return f"should print:\n{expected}it prints:\n{printed}"
