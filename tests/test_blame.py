"""Exceptions are told with the target's own line, and one error is told once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gradparity import blame
from gradparity.check.examine import examine
from gradparity.check.loading import load


def caught(folder: Path, text: str) -> BaseException:
    path = folder / "program.py"
    path.write_text(text)
    try:
        exec(compile(text, str(path), "exec"), {"np": np})
    except BaseException as error:
        return error
    pytest.fail("it raises nothing")


def test_the_innermost_line_of_the_target_is_told(tmp_path: Path) -> None:
    text = "def inner(a):\n    return np.linalg.solve(a, a)\ndef train():\n    inner(np.ones((2, 3)))\ntrain()"
    error = caught(tmp_path, text)
    assert blame.place(error) == "program.py:2, in inner"
    assert blame.told(error).startswith("program.py:2, in inner: LinAlgError: Last 2 dim")
    lines = blame.shown(error).splitlines()
    assert lines[-3:-1] == [
        "program.py:4, in train: inner(np.ones((2, 3)))",
        "program.py:2, in inner: return np.linalg.solve(a, a)",
    ]


def test_what_a_message_holds_harms_nobody(tmp_path: Path) -> None:
    huge = blame.described(ValueError("x" * 10_000_000))
    assert len(huge) < 400
    assert blame.described(ValueError("a\n\x1b[2Jb \udc80")) == "ValueError: a �[2Jb �"
    hidden = caught(
        tmp_path, "class E(Exception):\n    def __str__(self): raise SystemExit\nraise E"
    )
    assert blame.described(hidden) == "E: its message cannot be shown (SystemExit)"
    deep = caught(tmp_path, "def f(): f()\nf()")
    assert len(blame.shown(deep).splitlines()) == 6


LINES = [
    "float64: 3-5-4-2, 13 samples: train raised at p.py:1, in f: ValueError: shapes (13, 3) and (3, 5)",
    "float64: ReLU, the kink met: 4-6-3: train raised at p.py:1, in f: ValueError: shapes (4, 6) and (1, 2)",
    "float32: 3-5-4-2, 13 samples: train must return a Trajectory; it returned NoneType None",
]


def test_one_error_is_one_line() -> None:
    assert blame.grouped(LINES) == [f"2 configurations, first {LINES[0]}", LINES[2]]
    assert blame.grouped(LINES[1:]) == LINES[1:]
    assert blame.grouped([]) == []


def test_the_report_has_one_traceback_of_the_targets_own_frames(tmp_path: Path) -> None:
    path = tmp_path / "program.py"
    path.write_text(
        "from gradparity.implementations.impl_numpy import forward, train\n"
        "def helper(x):\n    return {}[x]\n"
        "def loss_and_grads(*a):\n    return helper('w')\n"
    )
    report = examine(load(str(path)), level="quick")
    assert "loss_and_grads raised at program.py:3, in helper: KeyError: 'w'" in report.headline
    assert report.traceback == (
        "program.py:5, in loss_and_grads: return helper('w')\n"
        "program.py:3, in helper: return {}[x]\n"
        "KeyError: 'w'"
    )
