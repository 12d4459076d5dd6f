"""Record both sides of a pair: each in a process of its own, or both here."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ..check.supervise import Supervisor
from ..errors import InputError
from . import recorded
from .pair import Pair
from .recorded import Recorded
from .result import Side

SIDES: tuple[Side, Side] = ("original", "port")


def in_processes(
    path: str, timeout: float, progress: Callable[[str], None] = lambda _: None
) -> tuple[Recorded, Recorded]:
    """Record both sides of a pair's file, at the same time, in two processes.

    Args:
        path: the file.
        timeout: seconds of CPU time for each, and seconds that it may wait.
        progress: called with each side before it is awaited.

    Raises:
        InputError: a side cannot be recorded, was ended, or has other weights than the other side's.
    """
    if not Path(path).is_file():
        raise InputError(f"no file '{path}'")
    supervisor = Supervisor(timeout)
    with tempfile.TemporaryDirectory(prefix="gradparity-port-") as folder:
        pool = ThreadPoolExecutor(len(SIDES))
        try:
            futures = {
                side: pool.submit(_asked, supervisor, path, side, Path(folder) / side)
                for side in SIDES
            }
            found = []
            for side, future in futures.items():
                progress(f"{Path(path).name}: record the {side}")
                found.append(future.result())
        finally:
            supervisor.stop()
            pool.shutdown(cancel_futures=True)
    return _of_one_model(*found)


def in_this_process(pair: Pair) -> tuple[Recorded, Recorded]:
    """Record both sides of a pair here.

    Raises:
        InputError: as for `in_processes`.
    """
    return _of_one_model(*(recorded.record(pair, side) for side in SIDES))


def _asked(supervisor: Supervisor, path: str, side: Side, folder: Path) -> Recorded:
    folder.mkdir()
    question = {"target": str(Path(path).resolve()), "side": side, "folder": str(folder)}
    found, ended, output = supervisor.run("gradparity.porting.worker", question)
    if found is None:
        last = f"; it printed last: {output.strip().splitlines()[-1]}" if output.strip() else ""
        raise InputError(f"the {side} cannot be recorded: {ended}{last}")
    if "input_error" in found:
        raise InputError(found["input_error"])
    return recorded.read(found, folder)


def _of_one_model(original: Recorded, port: Recorded) -> tuple[Recorded, Recorded]:
    if original.weights != port.weights:
        raise InputError(
            "original() makes other weights each time it is called, so the two sides cannot be compared: draw them "
            "from a generator with a fixed seed"
        )
    return original, port
