"""Files written whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from .errors import InputError

LATEST = Path("reports/latest")
CAMPAIGNS = Path("reports/campaigns")
RUNS = Path("reports/runs")
SWEEPS = Path("reports/sweeps")
"""Where the report, campaigns' results, runs and sweeps are, from the folder that a command is given in."""


def write_folder(parent: Path, name: str, contents: Mapping[str, bytes]) -> Path:
    """Create the folder `parent/name` with these files; it appears complete, as `name` or, if taken, `name-2`."""
    staging = _staging(parent)
    try:
        _fill(staging, contents)
        staging.chmod(0o755)
        number = 1
        while True:
            folder = parent / (name if number == 1 else f"{name}-{number}")
            try:
                staging.rename(folder)
            except OSError:
                if not folder.exists():
                    raise
                number += 1
            else:
                return folder
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def replace_files(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Write these files into `folder`, replacing those of the same name; none is touched before all are written."""
    staging = _staging(folder)
    try:
        _fill(staging, contents)
        for name in contents:
            if (folder / name).is_dir():
                raise InputError(f"cannot write '{folder / name}': it is a folder")
        for name in contents:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            os.replace(staging / name, folder / name)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _staging(parent: Path) -> Path:
    try:
        parent.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(prefix=".writing-", dir=parent))
    except OSError as error:
        raise InputError(f"cannot write to '{parent}': {error.strerror}") from None


def _fill(folder: Path, contents: Mapping[str, bytes]) -> None:
    for name, content in contents.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
