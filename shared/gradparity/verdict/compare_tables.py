"""A comparison of two runs as tables and sentences, for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..experiments.runner import Run
from ..tables import Table
from .compare_runs import Comparison
from .judge import Verdict
from .kept_run import RunVerdict


def verdicts(result: Comparison, names: Sequence[str], runs: Sequence[Run]) -> Table:
    """Make a table with the verdict on each run."""
    rows = [
        _verdict(name, run, one)
        for name, run, one in zip(names, runs, result.run_verdicts, strict=True)
    ]
    return Table(("run", "implementation", "judged", "share", "free run", "verdict"), rows)


def _verdict(name: str, run: Run, judged: RunVerdict) -> tuple[str, ...]:
    largest = max((finding.share for _, finding in judged.findings), default=0.0)
    return (
        name,
        run.implementation,
        f"{len(judged.findings)} tensors",
        f"{largest:.2g}",
        judged.free_run.in_words,
        judged.verdict.value,
    )


def faults(result: Comparison, names: Sequence[str]) -> Iterator[str]:
    """Yield sentences that say where a run is wrong; none for a run that is right."""
    for name, judged in zip(names, result.run_verdicts, strict=True):
        yield from (f"{name}: {line}" for line in _faults(judged))


def _faults(judged: RunVerdict) -> Iterator[str]:
    if not judged.same_start:
        yield "it does not start from the experiment's initial weights"
    wrong = [(at, f) for at, f in judged.findings if f.verdict is Verdict.DISAGREE]
    if wrong:
        update, finding = wrong[0]
        yield f"first wrong at update {update}: {finding}"
    if judged.free_run.outside_at is not None:
        at = judged.free_run.outside_at
        yield f"further from the reference than rounding can explain, from update {at} on"


def first_difference(result: Comparison) -> str:
    """Say in a sentence where the recorded losses first differ."""
    if result.first_difference is None:
        return "the recorded losses are the same to the last bit"
    return f"the recorded losses first differ at update {result.first_difference}"


def distances(result: Comparison) -> Table:
    """Make a table of how far apart weights and losses are, at each update count that both runs kept."""
    rows = []
    for update, distance in result.distances.items():
        inside = update < len(result.loss_differences)
        loss = f"{result.loss_differences[update]:.2g}" if inside else ""
        rows.append((str(update), f"{distance:.2g}", loss))
    return Table(("update", "weights apart", "losses apart"), rows)
