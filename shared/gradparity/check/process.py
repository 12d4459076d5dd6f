"""Judge each target in a separate process, so that one that prints, plots, hangs or exits does no harm to others."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from ..errors import InputError
from ..processes import ONE_THREAD
from ..registry import absolute
from ..suites.core import Kind
from .report import Report

PATIENCE: dict[Kind, float] = {"core": 60.0, "full": 300.0}
"""Default seconds for each target; JAX needs many, since it compiles every network."""

_OUTPUT = 2000
"""The number of characters that are kept from the end of a target's output."""

_ENVIRONMENT = {
    **ONE_THREAD,
    "MPLBACKEND": "Agg",  # plots are not shown
    "JAX_ENABLE_X64": "1",
}


def check(
    targets: Sequence[str],
    adapter: str | None = None,
    *,
    kind: Kind = "core",
    timeout: float | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Iterator[Report]:
    """Judge the targets, as many at once as there are cores; yield their reports in the given order.

    Args:
        targets: names or paths, as `registry.find` takes them.
        adapter: the path of a file that wraps every target.
        kind: the kind of networks to judge on.
        timeout: seconds for each target; None for `PATIENCE`.
        progress: called with each target before its report is awaited.

    Raises:
        InputError: a file does not exist, or the only target cannot be judged as requested.
    """
    for path in [*targets, *([adapter] if adapter else [])]:
        file = path.partition(":")[0]
        if file.endswith(".py") and not Path(file).is_file():
            raise InputError(f"no file '{file}'")
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        futures = [
            pool.submit(_run, target, adapter, kind, timeout or PATIENCE[kind])
            for target in targets
        ]
        for target, future in zip(targets, futures, strict=True):
            progress(target)
            try:
                yield future.result()
            except InputError as error:
                if len(targets) == 1:
                    raise
                # The other targets are still judged.
                yield Report(target, headline=f"not judged: {error}")


def _run(name: str, adapter: str | None, kind: Kind, timeout: float) -> Report:
    with tempfile.TemporaryDirectory(prefix="gradparity-check-") as folder:
        output = Path(folder) / "output.txt"
        # A separate folder, so that the target does not write files into the user's.
        work = Path(folder) / "work"
        work.mkdir()
        search = os.pathsep.join(filter(None, [str(Path.cwd()), os.environ.get("PYTHONPATH")]))
        command = [sys.executable, "-m", "gradparity.check.worker"]
        with output.open("wb") as stream:
            process = subprocess.Popen(
                [*command, absolute(name), absolute(adapter or ""), kind, folder],
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                cwd=work,
                env={**os.environ, **_ENVIRONMENT, "PYTHONPATH": search},
                start_new_session=True,
            )
            try:
                status = process.wait(timeout)
                ended = f"its process ended (status {status})"
            except subprocess.TimeoutExpired:
                ended = f"it did not finish within {timeout:g} s"
            finally:
                _kill(process)
        printed = output.read_text(encoding="utf-8", errors="replace")[-_OUTPUT:]
        result = Path(folder) / "result.json"
        if not result.exists():
            stage = Path(folder) / "stage.txt"
            doing = stage.read_text() if stage.exists() else "it was being started"
            return Report(name, headline=f"not judged: {ended} while {doing}", output=printed)
        found = json.loads(result.read_text())
    if "input_error" in found:
        raise InputError(found["input_error"])
    return replace(Report.from_json(found), target=name, output=printed)


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill the process and all that it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
