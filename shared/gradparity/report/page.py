"""Write the report: `index.html`, its Markdown edition `README.md` with PNG figures, and `results.json`."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, as_completed
from pathlib import Path
from typing import Any

from .. import registry
from ..campaigns.campaign import Campaign
from ..experiments.experiment import Experiment, names
from ..files import CAMPAIGNS, LATEST, replace_files
from ..processes import spawned
from ..verdict.judge import Verdict
from .rendering import render
from .results import Result, summarise, work_out
from .sections import SECTIONS
from .sections.section import Content, Section, Trained


def build(
    experiments: Sequence[Experiment],
    targets: Sequence[str],
    out: Path = LATEST,
    campaigns: Path = CAMPAIGNS,
    progress: Callable[[str], None] = lambda _: None,
    executor: Callable[[], Executor] = spawned,
) -> Verdict:
    """Train every experiment in every implementation, judge, and write the report to `out`.

    Args:
        experiments: in the order in which the report shows them.
        targets: names or paths of implementations, as the registry accepts them.
        out: the folder of the report.
        campaigns: the folder of the campaigns' files.
        progress: called with a message at the beginning, after each experiment, and at the end.
        executor: makes the pool that trains the experiments and draws the figures.

    Raises:
        InputError: two implementations or two experiments go by one name, a campaign's file cannot be used, or `out`
            cannot be written to.
    """
    implementations = list(registry.load_all(targets).values())
    registry.distinct((f"experiment {at}", e.name) for at, e in enumerate(experiments, start=1))
    stored = dict(_stored(campaigns))
    progress("train and judge")
    with executor() as pool:
        drawing = {
            section: pool.submit(section.show, *map(stored.get, section.campaigns))
            for section in SECTIONS
            if any(campaign in stored for campaign in section.campaigns)
        }
        results = _work_out_all(pool, experiments, targets, progress)
        progress("write the report")
        summary = summarise(results, [run.implementation for run in results[0].runs])
        trained = Trained(
            implementations=implementations,
            results=results,
            summary=summary,
            commands=_commands(experiments, targets),
            campaigns=list(stored.items()),
        )
        files = render(list(_shown(trained, drawing)), summary)
    files["results.json"] = (json.dumps(summary, indent=1, allow_nan=False) + "\n").encode()
    replace_files(out, files)
    return Verdict(summary["verdict"])


def _stored(folder: Path) -> Iterator[tuple[Campaign, dict[str, Any]]]:
    for section in SECTIONS:
        for campaign in section.campaigns:
            if (found := campaign.read(folder)) is not None:
                yield campaign, found


def _shown(
    trained: Trained, drawing: Mapping[Section, Future[Content | None]]
) -> Iterator[tuple[Section, Content]]:
    """Yield the sections that have content."""
    for section in SECTIONS:
        if not section.campaigns:
            content = section.show(trained)
        else:
            content = drawing[section].result() if section in drawing else None
        if content is not None:
            yield section, content


def _work_out_all(
    pool: Executor,
    experiments: Sequence[Experiment],
    targets: Sequence[str],
    progress: Callable[[str], None],
) -> list[Result]:
    """Train and judge every experiment; those that train longest start first."""
    longest = sorted(experiments, key=lambda one: -one.training.epochs)
    futures = {pool.submit(work_out, one, tuple(targets)): one.name for one in longest}
    found = {}
    for future in as_completed(futures):
        found[futures[future]] = future.result()
        progress(f"{futures[future]}: done")
    return [found[one.name] for one in experiments]


def _commands(experiments: Sequence[Experiment], targets: Sequence[str]) -> dict[str, str]:
    """Return the command that reproduces each experiment's figures, by its name, and the whole page, as `page`."""
    chosen = [] if tuple(targets) == registry.PLAIN else [f"--impl={target}" for target in targets]
    known = names()
    given = [e.name if e.name in known else f"{e.name}.toml" for e in experiments]
    commands = {
        one.name: shlex.join(["gradparity", "report", name, *chosen])
        for one, name in zip(experiments, given, strict=True)
    }
    everything = [] if sorted(given) == sorted(known) else given
    return commands | {"page": shlex.join(["gradparity", "report", *everything, *chosen])}
