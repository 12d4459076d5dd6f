"""The suite that `pytest --gradparity TARGET` runs: a test for each configuration, and one for the whole verdict.

The target runs in processes of its own: one that exits must not end the tests as if they had passed.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import pytest

from ..check.process import PATIENCE, must_exist
from ..check.supervise import Supervisor
from ..errors import InputError
from ..registry import absolute
from . import assert_parity


@cache
def _steps(target: str, adapter: str | None) -> Sequence[tuple[str, Sequence[str]]]:
    """Return the name of each configuration, and what is wrong there.

    Raises:
        InputError: the target does not exist, or offers nothing that can be judged.
    """
    must_exist([target, *([adapter] if adapter else [])])
    found, ended, _ = Supervisor(PATIENCE["core"]).run(
        "gradparity.testing.worker",
        {"target": absolute(target), "adapter": absolute(adapter or "")},
    )
    if found is None:
        return [("every configuration", [f"not judged: {ended}"])]
    if "input_error" in found:
        raise InputError(found["input_error"])
    steps: Sequence[tuple[str, Sequence[str]]] = found["steps"]
    return steps


def pytest_generate_tests(metafunc: Any) -> None:
    """Parametrize with every target and every configuration that it can run."""
    adapter = metafunc.config.getoption("gradparity_adapter")
    targets = metafunc.config.getoption("gradparity")
    if "wrong" not in metafunc.fixturenames:
        metafunc.parametrize(("target", "adapter"), [(t, adapter) for t in targets], ids=targets)
        return
    rows = [
        pytest.param(wrong, id=f"{target}-{where}")
        for target in targets
        for where, wrong in _steps(target, adapter)
    ]
    metafunc.parametrize("wrong", rows)


def test_step(wrong: Sequence[str]) -> None:
    """Activations, loss, gradients and updates are within the bound."""
    if wrong:
        pytest.fail("\n".join(wrong), pytrace=False)


def test_verdict(target: str, adapter: str | None) -> None:
    """The verdict of `gradparity check` is agree; it includes training runs, and gives the diagnosis."""
    try:
        assert_parity(target, adapter=adapter)
    except AssertionError as error:
        pytest.fail(str(error), pytrace=False)
