"""A campaign: a long run whose result is stored in a file, for the report."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from ..files import read_record, replace_files
from ..processes import stamp


class Stored(BaseModel):
    """A part of a campaign's file: no field may be missing, unknown, or of another type."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Record(Stored):
    """The fields that the file of every campaign has."""

    format: int
    date: str
    machine: dict[str, str]
    versions: dict[str, str]
    minutes: float
    command: str


@dataclass(frozen=True)
class Campaign:
    """A campaign and its file.

    Attributes:
        name: the stem of its file, and the name of its command if that has only one file.
        title: the title in the report.
        format: the version of the file's format. It grows when a field is renamed, added or removed, or changes its
            meaning.
        command: the command that renews the file.
        schema: the file's fields.
    """

    name: str
    title: str
    format: int
    command: str
    schema: type[Record]

    @property
    def file(self) -> str:
        """The file's name."""
        return f"{self.name}.json"

    def record(self, begin: float, command: str, **result: Any) -> dict[str, Any]:
        """Return the record that is stored for a result.

        Args:
            begin: `time.perf_counter()` at its start.
            command: the command that was run.
            result: the campaign's own fields, in addition to those of `Record`.
        """
        minutes = round((time.perf_counter() - begin) / 60, 1)
        common = {"format": self.format} | stamp() | {"minutes": minutes, "command": command}
        return common | result

    def write(self, path: Path, record: dict[str, Any]) -> None:
        """Store a result of `record`."""
        replace_files(path.parent, {path.name: (json.dumps(record, indent=1) + "\n").encode()})

    def read(self, folder: Path) -> dict[str, Any] | None:
        """Return the result that is stored in this folder; None if there is none.

        Raises:
            InputError: the file has another format, or is damaged.
        """
        path = folder / self.file
        if not path.exists():
            return None
        renew = f"renew it with '{self.command}', or remove it"
        return read_record(path, self.schema, self.format, renew)
