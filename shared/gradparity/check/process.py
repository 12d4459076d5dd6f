"""Judge each target in a separate process, so that one that prints, plots, hangs or exits does no harm to others."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..registry import absolute, is_file
from ..suites.core import Kind, Level
from .report import Report
from .supervise import Supervisor

PATIENCE: dict[Kind, float] = {"core": 60.0, "full": 300.0}
"""Default seconds of CPU time for each target; JAX needs many, since it compiles every network."""

_LONGER: dict[Level, float] = {"quick": 1.0, "default": 1.0, "thorough": 10.0}
"""Factors on them."""


def check(
    targets: Sequence[str],
    adapter: str | None = None,
    *,
    kind: Kind = "core",
    level: Level = "default",
    strict: bool = False,
    timeout: float | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Iterator[Report]:
    """Judge the targets, as many at once as there are cores; yield their reports in the given order.

    Args:
        targets: names or paths, as `registry.find` takes them.
        adapter: the path of a file that wraps every target.
        kind: the kind of networks to judge on.
        level: how much to ask of it.
        strict: only the assignment's own network, loss and gradient are right.
        timeout: seconds of CPU time for each target, and seconds that it may wait; None for `PATIENCE`.
        progress: called with each target before its report is awaited.

    Raises:
        InputError: a file does not exist, or the only target cannot be judged as requested.
    """
    must_exist([*targets, *([adapter] if adapter else [])])
    supervisor = Supervisor(timeout or PATIENCE[kind] * _LONGER[level])
    asked = {"adapter": absolute(adapter or ""), "kind": kind, "level": level, "strict": strict}
    pool = ThreadPoolExecutor(os.cpu_count())
    try:
        futures = [pool.submit(_run, supervisor, target, asked) for target in targets]
        for target, future in zip(targets, futures, strict=True):
            progress(target)
            try:
                yield future.result()
            except InputError as error:
                if len(targets) == 1:
                    raise
                # The other targets are still judged.
                yield Report(target, headline=f"not judged: {error}")
    finally:
        supervisor.stop()
        pool.shutdown(cancel_futures=True)


def must_exist(names: Sequence[str]) -> None:
    """Check that all files among these names exist.

    Raises:
        InputError: one does not.
    """
    for name in names:
        file = name.partition(":")[0]
        if is_file(file) and not Path(file).is_file():
            raise InputError(f"no file '{file}'")


def _run(supervisor: Supervisor, name: str, asked: Mapping[str, Any]) -> Report:
    found, ended, output = supervisor.run(
        "gradparity.check.worker", {"target": absolute(name), **asked}
    )
    if found is None:
        return Report(name, headline=f"not judged: {ended}", output=output)
    if "input_error" in found:
        raise InputError(found["input_error"])
    try:
        return replace(Report.from_json(found), target=name, output=output)
    except (TypeError, ValueError, KeyError):  # the target has written it
        return Report(name, headline="not judged: its process gave no report", output=output)
