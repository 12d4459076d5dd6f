"""Run a sweep, or resume a stopped one, and write its results."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, fields
from pathlib import Path

from .. import registry
from ..files import SWEEPS, replace_files
from .engines import Engine, in_this_process
from .folder import Folder, as_json
from .members import Job, Member, loss_epochs
from .plan import FORMAT, Chunk, Plan
from .summary import SettingResult


def default_folder(plan: Plan, parent: Path = SWEEPS) -> Path:
    """Return the folder named after the plan."""
    implementation = re.sub(r"[^\w.-]", "_", plan.implementation)
    return parent / f"{plan.experiment.name}-{implementation}-{plan.fingerprint[:8]}"


def sweep(
    plan: Plan,
    folder: Path | None = None,
    engine: Engine = in_this_process,
    progress: Callable[[str], None] = lambda _: None,
) -> list[SettingResult]:
    """Train a plan, by default in a folder named after it, and write results and figures next to the chunks."""
    folder = folder or default_folder(plan)
    results = train(plan, folder, engine, progress)
    replace_files(folder, _files(plan, results))
    return results


def train(
    plan: Plan,
    folder: Path,
    engine: Engine = in_this_process,
    progress: Callable[[str], None] = lambda _: None,
) -> list[SettingResult]:
    """Train the chunks that `folder` does not have yet, keep them there, and return the settings' results in order.

    Args:
        plan: what to compute.
        folder: the folder of the chunks.
        engine: trains the chunks.
        progress: called with a description at the beginning and after every chunk.

    Raises:
        InputError: the folder holds another sweep, or a damaged file.
    """
    store = Folder(folder, plan)
    store.claim()
    what = f"{plan.experiment.name} in {plan.implementation}: chunks of members"
    progress(what)
    done: dict[Chunk, list[Member]] = {}
    for chunk in plan.chunks:
        if (members := store.read(chunk)) is not None:
            done[chunk] = members
            progress(what)
    source = registry.source(plan.implementation)
    missing = {
        chunk: Job(
            plan.settings[chunk.setting].experiment,
            registry.absolute(plan.implementation),
            source,
            chunk.seeds,
            plan.chunk_size,
            plan.fresh_data,
        )
        for chunk in plan.chunks
        if chunk not in done
    }
    for chunk, members in engine(missing):
        store.write(chunk, members)
        done[chunk] = members
        progress(what)
    return [
        SettingResult(
            setting,
            [member for chunk in plan.chunks if chunk.setting == at for member in done[chunk]],
        )
        for at, setting in enumerate(plan.settings)
    ]


def _files(plan: Plan, results: Sequence[SettingResult]) -> dict[str, bytes]:
    # Imported here, since Matplotlib would take a third of the time in which every command starts.
    from ..plotting import png
    from . import figures

    table = {
        "format": FORMAT,
        "experiment": plan.experiment.name,
        "implementation": plan.implementation,
        "seeds": plan.seeds,
        "fresh_data": plan.fresh_data,
        "settings": [
            {
                "summary": one.summary(),
                "loss_epochs": loss_epochs(one.setting.experiment),
                "members": [asdict(member) for member in one.members],
            }
            for one in results
        ],
    }
    return {
        "results.json": as_json(table),
        "results.csv": _csv(results).encode(),
        "figures/success.png": png(figures.success(results)),
        "figures/losses.png": png(figures.losses(results)),
    }


def _csv(results: Sequence[SettingResult]) -> str:
    """Return a table with a row for each member; settings may keep losses at different epochs."""
    paths = list(results[0].setting.values)
    kept = [loss_epochs(one.setting.experiment) for one in results]
    epochs = sorted(set().union(*kept))
    single = [field.name for field in fields(Member) if field.name != "losses"]
    text = io.StringIO()
    writer = csv.DictWriter(
        text, [*paths, *single, *(f"loss_{epoch}" for epoch in epochs)], lineterminator="\n"
    )
    writer.writeheader()
    for result, at in zip(results, kept, strict=True):
        for member in result.members:
            losses = {f"loss_{e}": loss for e, loss in zip(at, member.losses, strict=True)}
            rest = {name: getattr(member, name) for name in single}
            writer.writerow({**result.setting.values, **rest, **losses})
    return text.getvalue()
