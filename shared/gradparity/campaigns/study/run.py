"""Run the study, or resume it, and store its result."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ... import registry
from ...experiments import datasets
from ...files import SWEEPS
from ...sweep.run import train
from ...sweep.summary import SettingResult
from .conventions import CONVENTIONS
from .measurements import chaos, curves, dead_after_steps, digits, least_squares
from .record import STUDY
from .sweeps import ASSIGNMENT, SEEDS, TABLES, Row

PARTS = 4
_CURVE = 60
_DIGIT_SEEDS = 8

Progress = Callable[[str], None]


def steps(targets: Sequence[str]) -> int:
    """Return the number of progress messages of a study with these implementations."""
    return len(ASSIGNMENT) * len(targets) + sum(map(len, TABLES.values())) + PARTS


def study(
    targets: Sequence[str],
    folder: Path,
    seeds: int = SEEDS,
    sweeps: Path = SWEEPS,
    progress: Progress = lambda _: None,
) -> None:
    """Run every sweep and every other part, and store all of it as `study.json` in `folder`.

    The original assignment's table is computed in all `targets`, everything else in the first. Sweeps are kept in
    `sweeps`, chunk by chunk, so that a stopped study resumes where it stopped.
    """
    begin = time.perf_counter()
    first = registry.load(targets[0])
    datasets.digits(1, 0)  # report errors before the work begins

    def made(rows: Iterable[Row], of: Sequence[str]) -> list[dict[str, Any]]:
        return [_row(row, of, seeds, sweeps, progress) for row in rows]

    tables = {"assignment": made(ASSIGNMENT, targets)}
    tables |= {name: made(rows, targets[:1]) for name, rows in TABLES.items()}
    progress("ReLU networks that die")
    dead = {name: dead_after_steps(first, name, seeds) for name in ("linear", "xor")}
    progress("handwritten digits")
    images = digits(first, min(_DIGIT_SEEDS, seeds))
    progress("how two correct implementations diverge")
    pair = [registry.load(target) for target in targets[:2]]
    parted = chaos(pair, seeds) if len(pair) == 2 else []
    progress("where libraries' defaults differ")
    conventions = [
        {"subject": c.subject, "ours": c.ours, "theirs": c.theirs, "losses": curves(c)}
        for c in CONVENTIONS
    ]
    limits = {
        row.experiment: least_squares(row.experiment, seeds, fresh_data=row.fresh_data)
        for row in ASSIGNMENT[6:]
    }
    chosen = "".join(f" --impl {target}" for target in targets)
    record = STUDY.record(
        begin,
        f"gradparity study{chosen} --seeds {seeds}",
        seeds=seeds,
        implementations=list(targets),
        tables=tables,
        least_squares=limits,
        dead=dead,
        digits=images,
        chaos=parted,
        conventions=conventions,
    )
    STUDY.write(folder / STUDY.file, record)


def _row(
    row: Row, targets: Sequence[str], seeds: int, sweeps: Path, progress: Progress
) -> dict[str, Any]:
    found = {}
    for target in targets:
        progress(f"{row.label} in {target}")
        plan = row.plan(target, seeds)
        name = re.sub(r"[^\w.-]+", "-", f"{row.label}-{target}".lower())
        (result,) = train(plan, sweeps / "study" / f"{name}-{plan.fingerprint[:8]}")
        found[target] = _summary(result)
    return {
        "label": row.label,
        "experiment": row.experiment,
        "changed": {path: json.dumps(value) for path, value in row.values.items()},
        "fresh_data": row.fresh_data,
        "known": dict(row.known),
        "results": found,
    }


def _summary(result: SettingResult) -> dict[str, Any]:
    """Return a sweep's summary, and its success at a few dozen epochs."""
    epochs = result.setting.experiment.training.epochs
    points = np.unique(np.linspace(0, epochs, _CURVE + 1).round())
    reached = np.sort(result.epochs_to_success)
    shares = np.searchsorted(reached, points, side="right") / len(reached)
    return {
        **{key: value for key, value in result.summary().items() if key != "setting"},
        "epochs": epochs,
        "success_by_epoch": {
            "epochs": [int(point) for point in points],
            "share": [round(float(share), 6) for share in shares],
        },
    }
