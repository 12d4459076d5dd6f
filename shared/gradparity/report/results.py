"""The report's results as plain numbers: one dictionary for the page, the Markdown edition and `results.json`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from typing import Any

import numpy as np

from .. import __version__, registry
from ..contract import LOSS_KINDS
from ..experiments.accuracy import accuracy, predictions
from ..experiments.experiment import Experiment
from ..experiments.runner import Run, run
from ..experiments.schema import TrainingSection
from ..plotting import Drawing
from ..verdict.agreement import Agreement, judge_all
from ..verdict.case import sampled_updates, teacher_forced
from ..verdict.compare_runs import PARTED, loss_differences, weight_distances
from ..verdict.judge import Verdict, combine
from ..verdict.kept_run import RunVerdict, judge_run, surroundings
from .figures import drawings, epoch_losses

SCHEMA = 2
DTYPES = ("float64", "float32")
"""Every experiment's steps are judged in both dtypes, also in the one that it does not train in."""

_TABLE_STRIDE = 1000


@dataclass(frozen=True, eq=False)
class Result:
    """One experiment, trained and judged."""

    experiment: Experiment
    runs: Sequence[Run]
    run_verdicts: Sequence[RunVerdict]
    agreement: Agreement
    figures: dict[str, Drawing]

    @property
    def verdict(self) -> Verdict:
        """The verdict on the steps from the reference's weights and on those from each run's own weights."""
        return combine([self.agreement.verdict, *(one.verdict for one in self.run_verdicts)])


_load = cache(registry.load)


def work_out(experiment: Experiment, targets: Sequence[str]) -> Result:
    """Train `experiment` in each implementation, and judge the steps and the runs."""
    implementations = {target.name: target for target in map(_load, targets)}
    dtypes = sorted(DTYPES, key=lambda dtype: dtype != experiment.dtype)
    problems = [experiment.model_copy(update={"dtype": dtype}).problem() for dtype in dtypes]
    runs = [run(target, experiment, problems[0]) for target in implementations.values()]
    envelope = surroundings(problems[0])
    snapshots = {
        update: envelope.reference[update]
        for update in sampled_updates(problems[0].schedule.updates)
    }
    cases = ((f"step {case.update}", case) for case in teacher_forced(problems, snapshots))
    agreement = judge_all(implementations, cases)
    run_verdicts = [judge_run(run, envelope) for run in runs]
    return Result(experiment, runs, run_verdicts, agreement, drawings(runs))


def summarise(results: Sequence[Result], implementations: Sequence[str]) -> dict[str, Any]:
    """Return everything that is the same on every machine apart from rounding. Losses have six digits."""
    return {
        "schema": SCHEMA,
        "gradparity": __version__,
        "verdict": combine(result.verdict for result in results).value,
        "implementations": list(implementations),
        "largest_shares": _largest_shares(results),
        "experiments": [_experiment(result) for result in results],
    }


def _experiment(result: Result) -> dict[str, Any]:
    experiment, runs = result.experiment, result.runs
    problem = runs[0].problem
    assignment = experiment.assignment
    return {
        "name": experiment.name,
        "title": experiment.title,
        "about": experiment.about,
        "fingerprint": experiment.fingerprint_of(problem),
        "settings": {
            "dataset": f"{experiment.dataset.name}, {len(problem.inputs)} points",
            "network": str(problem.network),
            "loss": LOSS_KINDS[experiment.network.loss].title,
            "dtype": experiment.dtype,
            "optimizer": _rule(experiment.training),
            "learning_rate": experiment.training.learning_rate,
            "epochs": experiment.training.epochs,
            "batch_size": experiment.training.batch_size,
        },
        "assignment": None if assignment is None else assignment.model_dump(mode="json"),
        "verdict": result.verdict.value,
        "runs": [
            {
                "implementation": run.implementation,
                "final_loss": _digits(run.trajectory.final_loss),
                "accuracy": accuracy(
                    predictions(problem.network, run.predictions), problem.targets
                ),
                "verdict": judged.verdict.value,
                "judged_tensors": len(judged.findings),
                "free_run": {
                    "verdict": judged.free_run.verdict.value,
                    "in_words": judged.free_run.in_words,
                    "share": _digits(judged.free_run.share, 2),
                    "chaotic_from_update": judged.free_run.chaotic_from,
                },
            }
            for run, judged in zip(runs, result.run_verdicts, strict=True)
        ],
        "losses": _loss_table(result),
        "free_run": [_apart(a, b) for a, b in combinations(runs, 2)],
        "parity": result.agreement.summary(),
    }


def _rule(training: TrainingSection) -> str:
    """Return optimizer and weight decay in words, such as "adam, decoupled weight decay 0.01"."""
    optimizer = training.optimizer
    given = optimizer.model_dump(exclude={"name"}, exclude_defaults=True)
    words = [name if value is True else f"{name} {value:g}" for name, value in given.items()]
    rule = f"{optimizer.name} ({', '.join(words)})" if words else optimizer.name
    if training.weight_decay:
        kind = "decoupled" if training.decoupled else "coupled"
        rule += f", {kind} weight decay {training.weight_decay:g}"
    return rule


def _loss_table(result: Result) -> list[dict[str, Any]]:
    """Return a row for every 1000 epochs, or ten rows if there are fewer than 2000."""
    epochs = result.experiment.training.epochs
    stride = _TABLE_STRIDE if epochs >= 2 * _TABLE_STRIDE else max(epochs // 10, 1)
    assignment = result.experiment.assignment
    curves = {run.implementation: epoch_losses(run)[1] for run in result.runs}
    return [
        {
            "epoch": epoch,
            "losses": {name: _digits(curve[epoch - 1]) for name, curve in curves.items()},
            "assignment": assignment.losses.get(str(epoch)) if assignment else None,
        }
        for epoch in range(stride, epochs + 1, stride)
    ]


def _apart(a: Run, b: Run) -> dict[str, Any]:
    """Return the differences between two free runs."""
    differences = loss_differences(a, b)
    differing, parted = np.flatnonzero(differences != 0), np.flatnonzero(differences > PARTED)
    u = float(np.finfo(a.experiment.dtype).eps) / 2
    return {
        "runs": [a.implementation, b.implementation],
        "first_differing_update": int(differing[0]) if len(differing) else None,
        "largest_loss_difference": _digits(differences.max(), 2),
        "parted_at_update": int(parted[0]) if len(parted) else None,
        "final_weight_distance_in_u": _digits(list(weight_distances(a, b).values())[-1] / u, 2),
    }


def _largest_shares(results: Sequence[Result]) -> dict[str, dict[str, float | None]]:
    """Return the largest share of the bound over all experiments and comparisons, by dtype and phase."""
    largest: dict[str, dict[str, float]] = {}
    for result in results:
        for (_, _, dtype), phases in result.agreement.tallies.items():
            row = largest.setdefault(dtype, {})
            for phase, tally in phases.items():
                row[phase] = max(row.get(phase, 0.0), *tally.shares)
    return {
        dtype: {phase: _digits(share, 2) for phase, share in row.items()}
        for dtype, row in largest.items()
    }


def _digits(value: float, digits: int = 6) -> float | None:
    """Round to so many significant digits; return None for what is not finite, which JSON cannot express."""
    return float(f"{value:.{digits}g}") if np.isfinite(value) else None
