"""Import and judge one target, in the process that `process` starts for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .. import blame
from ..errors import InputError, TargetImportError
from .examine import examine
from .loading import load
from .report import Report
from .supervise import answer

_PATIENCE = 5.0
"""Seconds of CPU time for a statement at import; less if the whole target may not take six times as many."""


def patience(timeout: float) -> float:
    """Return the seconds of CPU time for a statement at import, for a target's limit."""
    return min(_PATIENCE, timeout / 6)


def work(question: Any, say: Callable[[str], None]) -> Mapping[str, Any]:
    """Judge a target; return its report, or why it is no target."""
    name, adapter = question["target"], question["adapter"]
    asked = {key: question[key] for key in ("kind", "level", "strict")}
    say("it was being imported")
    try:
        target = load(name, adapter or None, patience(question["timeout"]))
        say("it was being judged")
        return examine(target, **asked).as_json()
    except TargetImportError as error:
        return Report(name, headline=f"not judged: {error}").as_json()
    except InputError as error:
        return {"input_error": str(error)}
    except Exception as error:  # a result that the judge cannot digest must not end it
        why = f"not judged: the judge failed on its results: {blame.described(error)}"
        return Report(name, headline=why, traceback=blame.shown(error)).as_json()


if __name__ == "__main__":
    answer(work)
