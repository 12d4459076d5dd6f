"""Say where an exception was raised in a target's own files, in one line and in a short traceback."""

from __future__ import annotations

import re
import sysconfig
import traceback
from collections.abc import Sequence
from pathlib import Path
from traceback import FrameSummary

_LONGEST = 300
"""Characters of an exception's message; a target can raise one of ten million."""

_FRAMES = 5

_CORE = Path(__file__).parent
_IMPLEMENTATIONS = _CORE / "implementations"
_STANDARD = Path(sysconfig.get_path("stdlib"))


def described(error: BaseException) -> str:
    """Return an exception's type and message in one short line."""
    try:
        message = str(error)
    except BaseException as worse:  # even this is the target's code
        message = f"its message cannot be shown ({type(worse).__name__})"
    message = printable(message[: 4 * _LONGEST])
    if len(message) > _LONGEST:
        message = message[: _LONGEST - 1] + "…"
    return f"{type(error).__name__}: {message}" if message else type(error).__name__


def printable(text: str) -> str:
    """Return text in one line, without characters that a terminal or a file cannot take."""
    return "".join(c if c.isprintable() else "�" for c in " ".join(text.split()))


def place(error: BaseException) -> str:
    """Return where the target raised, as `program.py:12, in train`; empty if no frame is the target's."""
    frames = _own_frames(error)
    return _named(frames[-1]) if frames else ""


def told(error: BaseException) -> str:
    """Return place, type and message: `program.py:12, in train: ValueError: …`."""
    where = place(error)
    return f"{where}: {described(error)}" if where else described(error)


def raised(function: str, error: BaseException) -> str:
    """Return the sentence on a function that raised."""
    return f"{function} raised {'at ' if place(error) else ''}{told(error)}"


def shown(error: BaseException) -> str:
    """Return a traceback of the target's own frames only: the last few, each with its line of code."""
    lines = [f"{_named(frame)}: {frame.line or ''}".rstrip() for frame in _own_frames(error)]
    return "\n".join([*lines[-_FRAMES:], described(error)])


def line_in(filename: str, error: BaseException) -> int | None:
    """Return the line of this file that was running, at its outermost; None if none of it was."""
    frames = traceback.extract_tb(error.__traceback__)
    return next((frame.lineno for frame in frames if frame.filename == filename), None)


def grouped(lines: Sequence[str]) -> list[str]:
    """Join the lines that tell one error: `8 configurations, first float64: 3-5-4-2 …: …`.

    Each line is a configuration and, after a colon, what happened. Sizes differ from one configuration to the next, so
    errors that differ only in numbers are one.
    """
    groups: dict[str, list[str]] = {}
    for line in lines:
        groups.setdefault(re.sub(r"\d+", "#", _happened(line)), []).append(line)
    return [
        line if len(same) == 1 else f"{len(same)} configurations, first {line}"
        for same in groups.values()
        for line in same[:1]
    ]


def _happened(line: str) -> str:
    """Return what follows the configuration, which may have colons of its own."""
    found = re.search(r": (?=(?:[\w.]+: )?\w+ (?:raised|must return|returned) )", line)
    return line[found.end() :] if found else line.rpartition(": ")[2]


def _own_frames(error: BaseException) -> list[FrameSummary]:
    """Return the frames in the target's files; of an installed target, all that are not the judge's own."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if not _is_ours(f.filename)]
    return [f for f in frames if not _is_installed(f.filename)] or frames


def _is_ours(filename: str) -> bool:
    path = Path(filename)
    return path.is_relative_to(_CORE) and not path.is_relative_to(_IMPLEMENTATIONS)


def _is_installed(filename: str) -> bool:
    path = Path(filename)
    if filename.startswith("<") or path.is_relative_to(_STANDARD):
        return True
    return bool({"site-packages", "dist-packages"} & set(path.parts))


def _named(frame: FrameSummary) -> str:
    """Return a frame as `program.py:12, in train`, or `work.ipynb, cell 3, line 5, in train`."""
    name = Path(frame.filename).name
    line = f"{name}, line {frame.lineno}" if ", cell " in name else f"{name}:{frame.lineno}"
    return line if frame.name == "<module>" else f"{line}, in {frame.name}"


def is_own(filename: str) -> bool:
    """Return True for a file of the target: neither the judge's, nor installed."""
    return not _is_ours(filename) and not _is_installed(filename)
