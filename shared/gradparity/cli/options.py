"""Options that several commands share, and the implementations that they name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from .. import registry
from ..guarded import Guarded
from ..suites.core import Kind
from . import terminal

Experiment = Annotated[
    str, typer.Argument(metavar="EXPERIMENT", help="The name of an experiment, or a .toml file.")
]
Impl = Annotated[str, typer.Option(help="An implementation: a name, or path/to/file.py[:object].")]
Impls = Annotated[
    list[str] | None,
    typer.Option(
        "--impl",
        help="An implementation, by name or path; repeatable.",
        show_default="numpy, torch, jax",
    ),
]
Kinds = Annotated[
    Kind,
    typer.Option(
        help="Networks to judge on. core: dense sigmoid networks, MSE, plain SGD; "
        "full: every activation, loss, optimizer and layer of the contract."
    ),
]
Seed = Annotated[int, typer.Option(min=0, help="Seed of the random networks.")]
Device = Annotated[
    str,
    typer.Option(
        help="Device of torch and JAX: cpu or cuda (without TF32). NumPy computes on the CPU."
    ),
]
Runs = Annotated[Path, typer.Option(help="Folder of kept runs.")]
Sweeps = Annotated[Path, typer.Option(help="Folder of sweeps.")]
Campaigns = Annotated[
    Path, typer.Option(help="Folder with the results of campaigns, the long runs.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def load_implementations(names: Sequence[str] | None) -> dict[str, Guarded]:
    """Load the named implementations, or else the three plain ones, with a note for each missing framework."""
    if names:
        return registry.load_all(names)
    found = {}
    for name in registry.PLAIN:
        try:
            found[name] = registry.load(name)
        except registry.MissingFrameworkError as error:
            terminal.note(str(error))
    return found


def chosen(names: Sequence[str] | None) -> list[str]:
    """Return the implementations to work with, as they were given; errors are reported before the work begins."""
    found = load_implementations(names)
    return list(dict.fromkeys(names)) if names else list(found)
