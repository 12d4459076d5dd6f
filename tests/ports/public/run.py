"""Run pairs of public models through `gradparity port`, and print a table of what is found.

    python -m tests.ports.public.run [PART OF A FILE'S NAME ...]

The packages that the pairs need are in `requirements.txt`; `make public-models` installs them beside the project's own.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
_NO_PAIRS = {"__init__", "run", "table", "layers", "optimizers", "hugging_face"}


def main(words: list[str]) -> None:
    """Print a row for each pair whose file's name has one of the words; without words, for all."""
    print("| pair | verdict | agree | islands | lines | s, wall | s, CPU | found |")
    print("|---|---|---|---|---|---|---|---|")
    for path in sorted(HERE.glob("*.py")):
        if path.stem not in _NO_PAIRS and (not words or any(word in path.stem for word in words)):
            print(f"| {' | '.join(row(path))} |", flush=True)


def row(path: Path) -> tuple[str, ...]:
    """Judge a pair in a process of its own; return its row."""
    wall, before = time.perf_counter(), _cpu()
    command = [sys.executable, "-m", "gradparity", "port", str(path), "--json"]
    environment = {**os.environ, "USE_TF": "0", "JAX_PLATFORMS": "cpu"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    seconds = f"{time.perf_counter() - wall:.0f}", f"{_cpu() - before:.0f}"
    try:
        found = json.loads(done.stdout)
    except json.JSONDecodeError:
        told = " ".join(done.stderr.split())[-300:]
        return path.stem, "error", "", "", "", *seconds, told
    judged = [one for mode in found["modes"] for one in mode["judged"] if one["informative"]]
    agree = sum(one["verdict"] == "agree" for one in judged)
    islands = {
        f"{one['side']} {one['format']}" for mode in found["modes"] for one in mode["islands"]
    }
    lines = sum(len(mode["lines"]) for mode in found["modes"])
    return (
        path.stem,
        found["verdict"],
        f"{agree} of {len(judged)}",
        ", ".join(sorted(islands)) or "none",
        str(lines),
        *seconds,
        "; ".join(dict.fromkeys(said(found))) or "-",
    )


def said(found: dict[str, Any]) -> list[str]:
    """Return what a result says besides its verdict, in short."""
    told = []
    for mode in found["modes"]:
        for one in mode["differences"]:
            cause = (
                f"{one['cause']['name']}, {one['cause']['remedy']}" if one["cause"] else "unknown"
            )
            told.append(f"{mode['name']} {one['part']} {one['what']}: {cause}".strip())
        told += [one["text"] for one in mode["conversions"]]
        told += mode["notes"] if mode["verdict"] == "abstain" else []
    return told


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main(sys.argv[1:])
