"""The suite that `pytest --gradparity TARGET` runs: a test for each configuration, and one for the whole."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from ..check.loading import load
from ..check.observing import configurations, observations
from ..check.target import Target, TargetRaisedError
from ..verdict.judge import Verdict
from .parity import assert_parity

_load = cache(load)


def pytest_generate_tests(metafunc: Any) -> None:
    """Every target with every configuration that it can run."""
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
    """Activations, loss, gradients and updates lie within the bound."""
    with threadpool_limits(limits=1), np.errstate(all="ignore"):
        try:
            seen = observations(target, case)
        except TargetRaisedError as error:
            pytest.fail(f"not judged: {error}", pytrace=False)
        wrong = [
            f"{target.name}: update {one.case.update}: {finding}"
            for one in seen
            for finding in one.findings
            if finding.verdict is Verdict.DISAGREE
        ]
    if wrong:
        pytest.fail("\n".join(wrong), pytrace=False)


def test_verdict(target: str, adapter: str | None) -> None:
    """The verdict of `gradparity check`: everything together, training runs too, with the diagnosis."""
    try:
        assert_parity(target, adapter=adapter)
    except AssertionError as error:
        pytest.fail(str(error), pytrace=False)
