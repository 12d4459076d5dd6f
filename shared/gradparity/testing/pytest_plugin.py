"""`pytest --gradparity TARGET`: run the conformance suite on an implementation.

Every pytest run in an environment with gradparity loads this plugin, so it imports only the standard library, and does
nothing without the option.
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
        help="a .py file with functions that call the target; used for every target",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Run the suite instead of the tests collected by default, or in addition to tests that were named."""
    if config.getoption("gradparity"):
        suite = str(Path(__file__).with_name("conformance.py"))
        named = config.args_source is config.ArgsSource.ARGS
        config.args[:] = [*config.args, suite] if named else [suite]
