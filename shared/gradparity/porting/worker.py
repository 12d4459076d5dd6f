"""Record one side of a pair, in the process that `sides` starts for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from .. import blame
from ..check.supervise import answer
from ..errors import InputError
from . import pair, recorded


def work(question: Any, say: Callable[[str], None]) -> Mapping[str, Any]:
    """Record a side; return what it found out, or why it could not."""
    say("the pair was being imported")
    try:
        chosen = pair.load(question["target"])
        say(f"the {question['side']} was being recorded")
        found = recorded.record(chosen, question["side"])
        return recorded.write(found, Path(question["folder"]))
    except InputError as error:
        return {"input_error": str(error)}
    except Exception as error:  # a model that the recorder cannot digest
        return {"input_error": f"the {question['side']} cannot be recorded: {blame.told(error)}"}


if __name__ == "__main__":
    answer(work)
