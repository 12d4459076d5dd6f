"""A sweep on disk: `plan.json`, and a file for each chunk that is done, written whole and verified on reading."""

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


@dataclass(frozen=True)
class Folder:
    """Where the chunks of one plan are kept."""

    path: Path
    plan: Plan

    def claim(self) -> None:
        """Write the plan down, or see that it is the one that is there.

        Raises:
            InputError: another sweep is kept here.
        """
        place = self.path / _PLAN
        if not place.exists():
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
        if _read(place).get("fingerprint") != self.plan.fingerprint:
            raise InputError(
                f"'{self.path}' holds another sweep; choose another folder for this one"
            )

    def write(self, chunk: Chunk, members: Sequence[Member]) -> None:
        """Keep a chunk's members."""
        body = {
            "plan": self.plan.fingerprint,
            "setting": chunk.setting,
            "members": [asdict(member) for member in members],
        }
        replace_files(self.path, {chunk.name: as_json({"sha256": _digest(body), "chunk": body})})

    def read(self, chunk: Chunk) -> list[Member] | None:
        """A chunk's members; None where it is not done yet.

        Raises:
            InputError: its file is damaged, or of another plan or chunk.
        """
        place = self.path / chunk.name
        if not place.exists():
            return None
        file = _read(place)
        body: Any = file.get("chunk")
        if file.get("sha256") != _digest(body):
            raise InputError(f"'{place}' is damaged: delete it, and it is computed again")
        seeds = [member["seed"] for member in body["members"]]
        found = (body["plan"], body["setting"], seeds)
        if found != (self.plan.fingerprint, chunk.setting, list(chunk.seeds)):
            raise InputError(f"'{place}' is of another sweep: delete it, and it is computed again")
        return [
            Member(**member | {"losses": tuple(member["losses"])}) for member in body["members"]
        ]


def _read(place: Path) -> dict[str, Any]:
    try:
        found = json.loads(place.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot read '{place}': {error.strerror}") from None
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise InputError(f"'{place}' is damaged: delete it, and it is computed again")
    return found


def _digest(body: Any) -> str:
    return hashlib.sha256(as_json(body)).hexdigest()


def as_json(value: Any, indent: int | None = None) -> bytes:
    """The same bytes for the same value, whatever it passed through; what is not finite is refused."""
    text = json.dumps(value, indent=indent, sort_keys=True, allow_nan=False, default=str)
    return f"{text}\n".encode()
