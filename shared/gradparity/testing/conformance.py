"""The suite that `pytest --gradparity TARGET` runs: a test for each configuration, and one for the whole verdict."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from ..check.answer import TargetRaisedError, answer
from ..check.loading import load
from ..check.observing import configurations
from ..check.target import Target
from ..processes import one_quiet_thread
from ..verdict.judge import Verdict
from ..verdict.observation import Observation
from . import assert_parity

_load = cache(load)


def pytest_generate_tests(metafunc: Any) -> None:
    """Parametrize with every target and every configuration that it can run."""
    adapter = metafunc.config.getoption("gradparity_adapter")
    targets = metafunc.config.getoption("gradparity")
    if "case" not in metafunc.fixturenames:
        metafunc.parametrize(("target", "adapter"), [(t, adapter) for t in targets], ids=targets)
        return
    rows = [
        pytest.param(_load(t, adapter), case, id=f"{t}-{dtype}-{where}")
        for t in targets
        for dtype in ("float64", "float32")
        for where, case in configurations(_load(t, adapter).limits, dtype)
    ]
    metafunc.parametrize(("target", "case"), rows)


def test_step(target: Target, case: Any) -> None:
    """Activations, loss, gradients and updates are within the bound."""
    with one_quiet_thread():
        answered = answer(target, case)
        if isinstance(answered.error, TargetRaisedError):
            pytest.fail(f"not judged: {answered.error}", pytrace=False)
        if answered.error is not None:
            pytest.fail(str(answered.error), pytrace=False)
        wrong = [
            f"{target.name}: update {one.update}: {finding}"
            for one, step in answered.steps
            for finding in Observation(one, step).findings
            if finding.verdict is Verdict.DISAGREE
        ]
    if wrong:
        pytest.fail("\n".join(wrong), pytrace=False)


def test_verdict(target: str, adapter: str | None) -> None:
    """The verdict of `gradparity check` is agree; it includes training runs, and gives the diagnosis."""
    try:
        assert_parity(target, adapter=adapter)
    except AssertionError as error:
        pytest.fail(str(error), pytrace=False)
