"""Write files completely or not at all, and check records when they are read."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from .errors import InputError

LATEST = Path("reports/latest")
CAMPAIGNS = Path("reports/campaigns")
RUNS = Path("reports/runs")
SWEEPS = Path("reports/sweeps")
"""The folders of the report, the campaigns' results, runs and sweeps, relative to the current folder."""


def write_folder(parent: Path, name: str, contents: Mapping[str, bytes]) -> Path:
    """Create the folder `parent/name` (if taken, `name-2`, and so on) with these files, at once; return its path."""
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
    """Write these files into `folder`, replacing those of the same name, after all have been written elsewhere."""
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


def read_record(path: Path, schema: type[BaseModel], wanted: int, renew: str) -> dict[str, Any]:
    """Read a JSON file, and check its `format` and its fields.

    Args:
        path: the file.
        schema: the file's fields.
        wanted: the format that this version of gradparity reads.
        renew: what the user must do if the file cannot be used, for the message.

    Raises:
        InputError: the file cannot be read, has another format or none, or does not fit `schema`.
    """
    try:
        text = path.read_bytes()
        found = json.loads(text)
    except OSError as error:
        raise InputError(f"cannot read '{path}': {error.strerror}") from None
    except ValueError as error:
        raise InputError(f"'{path}' is damaged: it is not JSON ({error}); {renew}") from None
    if not isinstance(found, dict):
        raise InputError(f"'{path}' is damaged: it is not a JSON object; {renew}")
    if (format_ := found.get("format")) != wanted:
        has = "no format" if format_ is None else f"format {format_!r}"
        raise InputError(
            f"'{path}' has {has}; this version of gradparity reads format {wanted}: {renew}"
        )
    try:
        schema.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise InputError(f"'{path}' is damaged: {where}: {first['msg']}; {renew}") from None
    return found


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
