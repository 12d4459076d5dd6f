"""The pytest plugin and `assert_parity`: what they say, and that they leave other suites alone."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gradparity import assert_parity
from gradparity.errors import InputError

from .helpers import Faulty, command, implementation, scaled
from .support.submissions import ADAPTERS, NO_SLOPE, submission


def run_pytest(folder: Path, *arguments: str | Path) -> Any:
    return command("-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments, cwd=folder)


def test_the_conformance_suite_passes_a_right_target(tmp_path: Path) -> None:
    result = run_pytest(tmp_path, "--gradparity", "numpy")
    assert result.returncode == 0, result.stdout
    assert "17 passed" in result.stdout  # eight configurations in two dtypes, and the verdict


def test_the_conformance_suite_fails_a_wrong_one(tmp_path: Path) -> None:
    wrong = submission(tmp_path, "script_homework.py", NO_SLOPE)
    adapter = ADAPTERS / "script_adapter.py"
    result = run_pytest(tmp_path, "--gradparity", wrong, "--gradparity-adapter", adapter)
    assert result.returncode == 1
    assert "σ' is missing in the output layer" in result.stdout
    assert "of the bound)" in result.stdout


def test_other_suites_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "test_theirs.py").write_text(
        "import sys\n"
        "def test_nothing_is_imported():\n"
        "    loaded = {'torch', 'jax', 'numpy', 'gradparity.contract'} & set(sys.modules)\n"
        "    assert not loaded\n"
    )
    result = run_pytest(tmp_path, "-p", "no:jaxtyping", "-p", "no:hypothesispytest")
    assert result.returncode == 0, result.stdout
    assert "1 passed" in result.stdout


def test_assert_parity_returns_quietly_or_says_all() -> None:
    numpy = implementation("numpy").implementation
    assert assert_parity(numpy).verdict == "agree"
    with pytest.raises(AssertionError) as error:
        assert_parity(Faulty(numpy, grads=scaled(0, "weight", 1.001)), name="mine")
    text = str(error.value)
    for part in ("mine: disagree", "float64", "update 1", "gradient: weight[", "allowed"):
        assert part in text


def test_assert_parity_with_an_adapter() -> None:
    homework = ADAPTERS / "class_homework.py"
    report = assert_parity(str(homework), adapter=str(ADAPTERS / "class_adapter.py"))
    assert report.headline == "a correct gradient of N/2 times the MSE"
    with pytest.raises(AssertionError, match="not judged"):
        assert_parity(SimpleNamespace(), adapter=SimpleNamespace(step=lambda *_, **__: 1 / 0))
    with pytest.raises(InputError, match="offers none of"):
        assert_parity(SimpleNamespace())
