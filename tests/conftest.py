"""Threads are pinned, as tiny networks want it; shapes in signatures are checked while tests run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

# Before NumPy is imported: its BLAS reads them then.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ["MKL_NUM_THREADS"] = "1"

from jaxtyping import install_import_hook

install_import_hook(
    [
        "gradparity.implementations.impl_numpy",
        # Not impl_torch.tuned: torch compiles what it traces, and checks in between it cannot trace.
        *(
            f"gradparity.implementations.impl_torch.{file}"
            for file in (
                *("activations", "losses", "layers", "gradients"),
                *("optimizers", "train", "ensemble"),
            )
        ),
        "gradparity.implementations.impl_jax",
        "gradparity.experiments.datasets",
        "gradparity.experiments.initial",
    ],
    "beartype.beartype",
)

from gradparity.campaigns.planted_faults.plant import Plant
from gradparity.cli.app import run as main

from .helpers import CommandLine, Ended


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    """The command line in this process, which has everything imported already."""

    def run(*arguments: str | Path) -> Ended:
        monkeypatch.setattr("sys.argv", ["gradparity", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        return Ended(int(ended.value.code or 0), printed.out, printed.err)

    return run


@pytest.fixture(scope="session")
def plant() -> Iterator[Plant]:
    """Where faulty copies of the NumPy implementation are made."""
    with Plant() as opened:
        yield opened
