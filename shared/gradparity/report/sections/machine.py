"""The machine, the commands and the times."""

from __future__ import annotations

from ...processes import stamp
from .section import Content, Trained


def show(trained: Trained) -> Content:
    """Return what `results.json` lacks: the machine, the command of each section, and the seconds of each run."""
    seconds = [
        {
            "experiment": result.experiment.name,
            "updates": len(run.trajectory.losses),
            "implementation": run.implementation,
            **run.seconds,
        }
        for result in trained.results
        for run in result.runs
    ]
    return Content(
        {
            "here": stamp(),
            "seconds": seconds,
            "command": trained.commands["page"],
            "campaigns": [(campaign.title, stored) for campaign, stored in trained.campaigns],
        },
        files={"machine.md": "machine_file.md.j2"},
    )
