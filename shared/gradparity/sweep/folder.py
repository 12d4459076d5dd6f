"""A sweep on disk: `plan.json`, and a file for each finished chunk, written completely and verified when read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..files import replace_files
from .members import Member
from .plan import FORMAT, Chunk, Plan

_PLAN = "plan.json"
_DELETE = "delete it, and run the command again to compute it"


@dataclass(frozen=True)
class Folder:
    """The folder with the chunks of one plan."""

    path: Path
    plan: Plan

    def claim(self) -> None:
        """Write the plan, or check that the folder already has it.

        Raises:
            InputError: the folder holds another sweep.
        """
        path = self.path / _PLAN
        if not path.exists():
            plan = self.plan
            record = {
                "format": FORMAT,
                "fingerprint": plan.fingerprint,
                "experiment": plan.experiment.name,
                "implementation": plan.implementation,
                "seeds": plan.seeds,
                "fresh_data": plan.fresh_data,
                "chunk_size": plan.chunk_size,
                "settings": [dict(setting.values) for setting in plan.settings],
            }
            replace_files(self.path, {_PLAN: as_json(record, indent=2)})
            return
        if _read(path).get("fingerprint") != self.plan.fingerprint:
            raise InputError(
                f"'{self.path}' holds another sweep; choose another folder for this one"
            )

    def write(self, chunk: Chunk, members: Sequence[Member]) -> None:
        """Write a chunk's members."""
        body = {
            "plan": self.plan.fingerprint,
            "setting": chunk.setting,
            "members": [asdict(member) for member in members],
        }
        replace_files(self.path, {chunk.name: as_json({"sha256": _digest(body), "chunk": body})})

    def read(self, chunk: Chunk) -> list[Member] | None:
        """Read a chunk's members; None if it is not done yet.

        Raises:
            InputError: its file is damaged, or belongs to another plan or chunk.
        """
        path = self.path / chunk.name
        if not path.exists():
            return None
        file = _read(path)
        body: Any = file.get("chunk")
        if file.get("sha256") != _digest(body):
            raise InputError(f"'{path}' is damaged: {_DELETE}")
        seeds = [member["seed"] for member in body["members"]]
        found = (body["plan"], body["setting"], seeds)
        if found != (self.plan.fingerprint, chunk.setting, list(chunk.seeds)):
            raise InputError(f"'{path}' belongs to another sweep: {_DELETE}")
        return [
            Member(**member | {"losses": tuple(member["losses"])}) for member in body["members"]
        ]


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot read '{path}': {error.strerror}") from None
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise InputError(f"'{path}' is damaged: {_DELETE}")
    return found


def _digest(body: Any) -> str:
    return hashlib.sha256(as_json(body)).hexdigest()


def as_json(value: Any, indent: int | None = None) -> bytes:
    """Return JSON, always the same bytes for the same value; raise ValueError for a number that is not finite."""
    text = json.dumps(value, indent=indent, sort_keys=True, allow_nan=False, default=str)
    return f"{text}\n".encode()
