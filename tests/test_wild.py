"""Small programs as people hand them in: each has the verdict that is true of it, and the words that help."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from gradparity.check.process import check
from gradparity.check.report import Report
from gradparity.suites.core import Kind

from .helpers import ROOT

WILD = ROOT / "tests" / "wild"


class Truth(NamedTuple):
    """What is true of a program.

    `says`: words of the report, in any case; of several separated by a bar, one is enough. `never`: words that would
    mislead.
    """

    folder: str
    verdict: str
    says: tuple[str, ...] = ()
    never: tuple[str, ...] = ()
    target: str = "program.py"
    adapter: str | None = "adapter.py"
    kind: Kind = "core"
    change: tuple[str, str] | None = None
    environment: dict[str, str] | None = None

    def __str__(self) -> str:
        parts = (self.folder, self.target, self.adapter, self.change and self.change[1])
        return " ".join(filter(None, (*parts, *(self.environment or {}))))


BCE = "binary cross-entropy"
UNKNOWN = ("unknown reason", "no known mistake")
TRUTHS = (
    Truth(
        "01-slope-missing-at-the-output",
        "disagree",
        ("σ' is missing in the weight gradient only in the output layer", "after every sample"),
        (*UNKNOWN, "every layer"),
    ),
    Truth("02-guarded-cross-entropy", "agree", (BCE,), ("σ' is missing",)),
    Truth("03-cross-entropy-sample-by-sample", "agree", (BCE, "after every sample"), ("σ' is missing",)),
    Truth("04-loss-and-gradient-apart", "agree", (BCE,), ("σ' is missing",)),
    Truth(
        "05-weights-summed-biases-averaged",
        "disagree",
        ("bias", "averaged|summed|sum over the samples"),
        UNKNOWN,
    ),
    Truth(
        "06-mean-forgotten-in-the-first-layer",
        "disagree",
        ("in layer 1", "1/n|sum"),
        (*UNKNOWN, "every layer but the first", "averaged in every layer"),
    ),
    Truth(
        "07-slope-of-the-layer-above",
        "disagree",
        ("σ' of the layer above", "in layer 1"),
        (*UNKNOWN, "in every layer"),
    ),
    Truth("08-labels-zero-or-one", "agree", (BCE, "0 and 1|0 or 1"), ("σ' is missing",)),
    Truth(
        "09-sign-slip-in-the-told-cost",
        "disagree",
        ("loss", "gradient of the binary cross-entropy|binary cross-entropy"),
        ("σ' is missing",),
    ),
    Truth(
        "10-slope-of-tanh-under-cross-entropy",
        "disagree",
        ("tanh' in place of σ'", BCE),
        UNKNOWN,
    ),
    Truth(
        "10-slope-of-tanh-under-cross-entropy",
        "agree",
        (BCE, "penalty|l2"),
        ("tanh",),
        change=('"tanh"\n', '"sigmoid"\n'),
    ),
    Truth(
        "11-train-refuses-what-it-does-not-know",
        "agree",
        ("two layers only",),
        ("disagree",),
        adapter=None,
    ),
    Truth("12-trainer-without-biases", "agree", ("right",)),
    Truth(
        "13-softmax-under-squared-error", "agree", ("softmax",), target="program.py:Whole"
    ),
    Truth(
        "13-softmax-under-squared-error",
        "disagree",
        ("softmax", "diagonal"),
        UNKNOWN,
        target="program.py:Diagonal",
    ),
    Truth(
        "14-relu-module-and-a-lost-axis",
        "agree",
        ("relu",),
        ("in place of",),
        target="program.py:Net",
        adapter=None,
    ),
    Truth(
        "14-relu-module-and-a-lost-axis",
        "disagree",
        ("(n, n)|broadcast",),
        UNKNOWN,
        change=("program.Squashed()", "program.Net()"),
    ),
    Truth("14-relu-module-and-a-lost-axis", "disagree", ("(n, n)|broadcast",), UNKNOWN),
    Truth(
        "15-adam-keeps-corrected-moments",
        "disagree",
        ("adam", "corrected moments|moments are corrected|corrected ones"),
        UNKNOWN,
        adapter=None,
        kind="full",
    ),
    Truth(
        "15-adam-keeps-corrected-moments",
        "disagree",
        ("adam", "corrected moments|moments are corrected|corrected ones", "there is adam only"),
        UNKNOWN,
        adapter=None,
        kind="full",
        environment={"RAISE": "1"},
    ),
    Truth(
        "16-all-weights-start-at-zero",
        "agree",
        ("does not learn|start", "zero|alike|equal"),
        ("disagree",),
    ),
)  # fmt: skip


def judged(truth: Truth, folder: Path) -> Report:
    """Check a copy of the program, with its change."""
    texts = {source.name: source.read_text() for source in (WILD / truth.folder).glob("*.py")}
    if truth.change:
        (changed,) = (name for name, text in texts.items() if truth.change[0] in text)
        assert texts[changed].count(truth.change[0]) == 1
        texts[changed] = texts[changed].replace(*truth.change)
    for name, text in texts.items():
        (folder / name).write_text(text)
    adapter = None if truth.adapter is None else str(folder / truth.adapter)
    (report,) = check([str(folder / truth.target)], adapter, kind=truth.kind, level="quick")
    return report


@pytest.mark.parametrize("truth", TRUTHS, ids=str)
def test_a_program_as_it_is_met(
    truth: Truth, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (truth.environment or {}).items():
        monkeypatch.setenv(name, value)
    report = judged(truth, tmp_path)
    text = "\n".join((f"{report.verdict}: {report.headline}", *report.details()))
    assert report.verdict == truth.verdict, text
    for words in truth.says:
        assert any(word in text.lower() for word in words.split("|")), f"{words} is not in:\n{text}"
    for words in truth.never:
        assert words not in text.lower(), text


def test_every_program_has_its_truth() -> None:
    folders = {path.name for path in WILD.iterdir() if path.is_dir()}
    assert folders == {truth.folder for truth in TRUTHS}
