"""Import and judge one target, in the process that `process` starts for it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, cast

from ..errors import InputError, TargetImportError
from ..files import replace_files
from ..suites.core import Kind
from .examine import examine
from .loading import load
from .report import Report


def main(name: str, adapter: str, kind: Kind, folder: str) -> None:
    """Judge a target; write `result.json` into `folder`, and the current stage into `stage.txt`."""
    stage = Path(folder) / "stage.txt"
    path = name.partition(":")[0]
    if path.endswith(".py"):
        sys.path.insert(0, str(Path(path).parent))  # a submission's own modules are next to it
    stage.write_text("it was being imported")
    result: dict[str, Any]
    try:
        target = load(name, adapter or None)
        stage.write_text("it was being judged")
        result = examine(target, kind).as_json()
    except TargetImportError as error:
        result = Report(name, headline=f"not judged: {error}").as_json()
    except InputError as error:
        result = {"input_error": str(error)}
    replace_files(Path(folder), {"result.json": json.dumps(result, allow_nan=False).encode()})


if __name__ == "__main__":
    name, adapter, kind, folder = sys.argv[1:]  # as `process` passes them
    main(name, adapter, cast(Kind, kind), folder)
