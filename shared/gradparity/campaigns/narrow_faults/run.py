"""Judge right programs and narrow faults by `check`, and store for the report what it called them."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ...check.process import check
from ...check.report import Report
from ...processes import in_chunks, spawned_for_each
from ...tables import Table
from ...verdict.judge import Verdict
from .faults import narrow_faults
from .program import Program
from .record import NARROW_FAULTS
from .relevance import relevance
from .right import right_programs

_PATIENCE = 600.0
"""Seconds for a program: the campaign is not about speed, and compiling takes long on a busy machine."""


def steps(every: int = 1) -> int:
    """Return how often the campaign reports progress: once for each program, and again for each wrong one."""
    return len(right_programs()[::every]) + 2 * len(narrow_faults()[::every])


def judge_programs(
    folder: Path,
    progress: Callable[[str], None] = lambda _: None,
    every: int = 1,
    executor: Callable[[], Executor] = spawned_for_each,
) -> dict[str, Any]:
    """Judge the corpora, or every so many-th program of each; store the result in the folder, and return it."""
    begin = time.perf_counter()
    right, wrong = right_programs()[::every], narrow_faults()[::every]
    reports = dict(judged([*right, *wrong], progress))
    matters: dict[str, Mapping[str, Any]] = {}
    for numbers, found in in_chunks(relevances, len(wrong), every, chunk=50, executor=executor):
        for number, one in zip(numbers, found, strict=True):
            progress(f"training: {wrong[number].name}")
            matters[wrong[number].name] = one
    record = NARROW_FAULTS.record(
        begin,
        NARROW_FAULTS.command + (f" --every {every}" if every > 1 else ""),
        every=every,
        right=right_counts((one, reports[one.name]) for one in right),
        wrong=wrong_counts(((one, reports[one.name]) for one in wrong), matters),
        alarms=[
            {"program": one.name, **_found(reports[one.name])}
            for one in right
            if reports[one.name].verdict is not Verdict.AGREE
        ],
        left=[
            {"program": one.name, **_found(reports[one.name]), **matters[one.name]}
            for one in wrong
            if reports[one.name].verdict is not Verdict.DISAGREE
        ],
    )
    NARROW_FAULTS.write(folder / NARROW_FAULTS.file, record)
    return record


def relevances(every: int, numbers: Sequence[int]) -> list[dict[str, float | bool | None]]:
    """Return the relevance of some wrong programs, by their numbers among every so many-th."""
    wrong = narrow_faults()[::every]
    return relevance([wrong[number] for number in numbers])


def judged(
    programs: Sequence[Program], progress: Callable[[str], None] = lambda _: None
) -> Iterator[tuple[str, Report]]:
    """Check programs, each in a process of its own; yield the name and the report of each."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for program, report in zip(programs, pool.map(_judge, programs), strict=True):
            progress(program.name)
            yield program.name, report


def _judge(program: Program) -> Report:
    with TemporaryDirectory(prefix="gradparity-narrow-") as folder:
        target, adapter = program.write(Path(folder))
        (report,) = check([target], adapter, kind=program.kind, timeout=_PATIENCE)
    return report


def worded(program: Program, report: Report) -> bool:
    """Return True if the report has the words that it must have, in any case."""
    text = " ".join((report.headline, *report.details())).lower()
    return all(word in text for word in program.words)


def right_counts(found: Iterable[tuple[Program, Report]]) -> dict[str, dict[str, int]]:
    """Count the verdicts on right programs, by form."""
    counts: dict[str, Counter[str]] = {}
    for program, report in found:
        row = counts.setdefault(program.group, Counter())
        row.update(("programs", report.verdict.value))
        row["worded"] += worded(program, report)
    keys = ("programs", "agree", "disagree", "abstain", "worded")
    return {group: {key: row[key] for key in keys} for group, row in counts.items()}


def wrong_counts(
    found: Iterable[tuple[Program, Report]], matters: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, int]]:
    """Count the verdicts on wrong programs, by property."""
    counts: dict[str, Counter[str]] = {}
    for program, report in found:
        row = counts.setdefault(program.group, Counter())
        left, relevant = (
            report.verdict is not Verdict.DISAGREE,
            bool(matters[program.name]["relevant"]),
        )
        row["programs"] += 1
        row["caught"] += not left
        row["abstain"] += report.verdict is Verdict.ABSTAIN
        row["missed"] += report.verdict is Verdict.AGREE
        row["relevant"] += relevant
        row["relevant_missed"] += relevant and left
    keys = ("programs", "caught", "abstain", "missed", "relevant", "relevant_missed")
    return {group: {key: row[key] for key in keys} for group, row in counts.items()}


def _found(report: Report) -> dict[str, str]:
    return {"verdict": report.verdict.value, "headline": report.headline}


def total(table: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    """Return the sums of a table's columns."""
    sums: Counter[str] = Counter()
    for row in table.values():
        sums.update(row)
    return dict(sums)


def tables(record: Mapping[str, Any]) -> Iterator[Table]:
    """Yield the result as text: right programs by form, wrong ones by property, each with the sums."""
    for title, key in (("right, by form", "right"), ("wrong, by property", "wrong")):
        rows = {**record[key], "all": total(record[key])}
        columns = list(rows["all"])
        yield Table(
            (title, *(column.replace("_", " ") for column in columns)),
            [(name, *(str(row[column]) for column in columns)) for name, row in rows.items()],
        )


def verdict(record: Mapping[str, Any]) -> Verdict:
    """Return agree if every right program was called right and every wrong one wrong."""
    return Verdict.DISAGREE if record["alarms"] or record["left"] else Verdict.AGREE
