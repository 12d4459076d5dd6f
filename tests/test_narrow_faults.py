"""The corpora of right programs and of narrow faults: each program is what it says, and a sample is judged truly."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gradparity.campaigns.narrow_faults import relevance as relevance_module
from gradparity.campaigns.narrow_faults import run as run_module
from gradparity.campaigns.narrow_faults.faults import narrow_faults
from gradparity.campaigns.narrow_faults.faults.patched import after, patched
from gradparity.campaigns.narrow_faults.program import Program, imported
from gradparity.campaigns.narrow_faults.record import NARROW_FAULTS
from gradparity.campaigns.narrow_faults.relevance import relevance
from gradparity.campaigns.narrow_faults.right import right_programs
from gradparity.campaigns.narrow_faults.run import judge_programs, worded
from gradparity.campaigns.planted_faults.faults.base import Patch
from gradparity.check.answer import answer
from gradparity.check.examine import examine
from gradparity.check.loading import load
from gradparity.check.report import Report
from gradparity.check.target import Target
from gradparity.contract import Trajectory
from gradparity.errors import ContractError
from gradparity.processes import one_quiet_thread
from gradparity.reference.step import StepValues

from .helpers import InThisProcess
from .support.witnesses import witnesses

RIGHT, WRONG = right_programs(), narrow_faults()
SAMPLE = (*RIGHT[::37], *WRONG[::61])
"""Every so many of a corpus, whatever is said of them."""


def judged(program: Program, folder: Path) -> Report:
    with imported(folder):
        return examine(load(*program.write(folder)), program.kind)


def test_the_corpora_are_large_and_no_two_programs_are_the_same() -> None:
    assert len(RIGHT) >= 200
    assert len(WRONG) >= 300
    for corpus in (RIGHT, WRONG):
        assert len({program.name for program in corpus}) == len(corpus)
        assert len({repr(sorted(program.files.items())) for program in corpus}) == len(corpus)


@pytest.mark.parametrize("program", SAMPLE, ids=lambda program: program.name)
def test_a_sample_is_judged_truly(program: Program, tmp_path: Path) -> None:
    report = judged(program, tmp_path)
    assert report.verdict == ("agree" if program.right else "disagree"), report.headline
    assert worded(program, report)


# --- the truth of the corpora, without the check ------------------------------------------------------------------


def numbers(value: Any) -> Any:
    """The same structure with every array as its bytes, so that two can be compared, NaN or not."""
    if isinstance(value, np.ndarray | float):
        return np.asarray(value).tobytes()
    if isinstance(value, Mapping):
        return {key: numbers(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [numbers(item) for item in value]
    if isinstance(value, Trajectory | StepValues):
        return numbers({**vars(value), "compile_seconds": None})
    return value


def results(target: Target) -> Iterator[Any]:
    """What a target returns on the witnesses, in turn; the message of a call that raises."""
    for case in witnesses(target.limits):
        try:
            yield numbers(answer(target, case).first)
            if target.trains:
                problem = case.network, case.params, case.inputs, case.targets, case.schedule
                yield numbers(target.trainer.train(*problem))
        except ContractError as error:
            yield str(error)


@pytest.mark.parametrize("program", WRONG[::9], ids=lambda program: program.name)
def test_a_fault_changes_what_the_program_returns(program: Program, tmp_path: Path) -> None:
    """Somewhere: under its condition. Elsewhere both return the same bits."""
    targets = []
    for base in (False, True):
        folder = tmp_path / str(base)
        with imported(folder):
            targets.append(load(*program.write(folder, base=base)))
    with one_quiet_thread():
        both = zip(*map(results, targets), strict=True)
        assert any(wrong != right for wrong, right in both)


# --- the campaign -------------------------------------------------------------------------------------------------


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Experiments of a few updates."""
    whole = relevance_module._problem

    def problem(name: str) -> Any:
        found = whole(name)
        schedule = found.schedule.until(1, 20)
        return replace(found, schedule=schedule)

    relevance_module._around.cache_clear()
    monkeypatch.setattr(relevance_module, "_problem", problem)


LATE = Patch("train", "train", "w", after("update == 3", "params[0].weight[0, 0] += 1e-9"))
NEVER = Patch("train", "train", "w", after("update == 30_000", "params[0].weight[0, 0] += 1e-9"))


@pytest.mark.usefixtures("short")
def test_a_fault_is_relevant_if_it_moves_a_weight_by_more_than_rounding() -> None:
    late, never = relevance([patched("late", "one", [LATE]), patched("never", "one", [NEVER])])
    assert late["relevant"] is True
    assert isinstance(late["xor"], float)
    assert 1e-10 < late["xor"] < 1e-8
    assert never == {"relevant": False, "xor": 0.0, "linear": 0.0}
    relevance_module._around.cache_clear()


@pytest.mark.usefixtures("short")
def test_the_campaign_counts_what_is_called_right_and_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right, wrong = RIGHT[0], patched("late", "one", [NEVER])
    liar = Program("liar", "liar", wrong.files, right=True, words=("no such words",))
    halved = patched(
        "always", "half", [Patch("losses", "mse", "dL/da", "d_a = 0.3 * errors / elements")]
    )
    monkeypatch.setattr(run_module, "right_programs", lambda: (right, liar))
    monkeypatch.setattr(run_module, "narrow_faults", lambda: (wrong, halved))
    told: list[str] = []
    judge_programs(tmp_path, told.append, executor=InThisProcess)
    relevance_module._around.cache_clear()
    found = NARROW_FAULTS.read(tmp_path)
    assert found is not None
    assert len(told) == run_module.steps() == 6
    one = {"programs": 1, "agree": 1, "disagree": 0, "abstain": 0}
    assert found["right"] == {right.group: {**one, "worded": 1}, "liar": {**one, "worded": 0}}
    assert found["wrong"]["late"] == {
        "programs": 1, "caught": 0, "abstain": 0, "missed": 1, "relevant": 0, "relevant_missed": 0,
    }  # fmt: skip
    assert found["wrong"]["always"]["caught"] == found["wrong"]["always"]["relevant"] == 1
    assert [one["program"] for one in found["left"]] == [wrong.name]
    assert not found["alarms"]
    assert run_module.verdict(found) == "disagree"
    first, second = run_module.tables(found)
    assert first.rows[-1] == ("all", "2", "2", "0", "0", "1")
    assert second.rows[-1] == ("all", "2", "1", "0", "1", "1", "0")
