"""The command line `gradparity`. It imports almost nothing before it has started the process that does the work."""

from __future__ import annotations

from .guard import guarded


def main() -> None:
    """Run the command line, in a process whose end is not success unless the command has finished."""
    guarded(_run)


def _run() -> None:
    from .app import run

    run()
