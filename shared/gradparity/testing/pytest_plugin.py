"""`pytest --gradparity TARGET`: check an implementation by the conformance suite.

Loaded by every pytest run where gradparity is installed, so it imports nothing but the standard library, and does
nothing unless it is asked.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("gradparity")
    group.addoption(
        "--gradparity",
        action="append",
        default=[],
        metavar="TARGET",
        help="run gradparity's conformance suite on a name, package.module or path/to/file.py[:object]",
    )
    group.addoption(
        "--gradparity-adapter",
        metavar="FILE",
        help="a file that wraps every target in the same way",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Run the suite in place of what would be collected by default, or beside what was named."""
    if config.getoption("gradparity"):
        suite = str(Path(__file__).with_name("conformance.py"))
        named = config.args_source is config.ArgsSource.ARGS
        config.args[:] = [*config.args, suite] if named else [suite]
