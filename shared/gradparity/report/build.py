"""Write the report: `index.html`, its Markdown edition `README.md` with PNG figures, and `results.json`."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from matplotlib.figure import Figure

from ..boundary import Guarded
from ..errors import InputError
from ..experiment import Experiment
from ..files import replace_files
from ..machine import machine, versions
from ..parity.campaign import AGREEMENT, FAULTS
from ..parity.judge import PHASES, Verdict
from ..parity.witness import surroundings
from . import figures
from .results import Result, summarise, work_out
from .scoreboard import scoreboard

LATEST = Path("reports/latest")
CAMPAIGNS = Path("reports/campaigns")


def build(
    experiments: Sequence[Experiment],
    implementations: Mapping[str, Guarded],
    out: Path = LATEST,
    campaigns: Path = CAMPAIGNS,
    progress: Callable[[str], None] = lambda _: None,
) -> Verdict:
    """Train every experiment in every implementation, judge, and write the report to `out`."""
    # The envelopes take as long as a training; on another core they take no time.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        around = [pool.submit(surroundings, experiment) for experiment in experiments]
        results = [
            work_out(experiment, implementations, future.result, progress)
            for experiment, future in zip(experiments, around, strict=True)
        ]
    progress("write the report")
    summary = summarise(results, list(implementations))
    drawn = {f"{r.experiment.name}-{kind}": f for r in results for kind, f in _figures(r)}
    page = {
        "results": summary,
        "place": _place(results),
        "campaign": _campaign(campaigns / AGREEMENT),
        "faults": scoreboard(_campaign(campaigns / FAULTS)),
        "phases": PHASES,
    }
    templates = _environment()
    files = {
        "index.html": templates.get_template("index.html.j2")
        .render(page, figures={name: _data_uri(figure) for name, figure in drawn.items()})
        .encode(),
        "README.md": templates.get_template("README.md.j2").render(page, figures=drawn).encode(),
        "machine.md": templates.get_template("machine.md.j2").render(page).encode(),
        "results.json": (json.dumps(summary, indent=1, allow_nan=False) + "\n").encode(),
    }
    files |= {f"figures/{name}.png": figures.png(figure) for name, figure in drawn.items()}
    replace_files(out, files)
    return Verdict(summary["verdict"])


def _figures(result: Result) -> list[tuple[str, Figure]]:
    found = [("losses", figures.losses(result.runs))]
    if len(result.runs) > 1:
        found.append(("differences", figures.differences(result.runs)))
    problem = result.experiment.problem()
    if problem.network.input_shape == (2,) and problem.targets.shape[1] == 1:
        found.insert(0, ("predictions", figures.predictions(result.runs)))
    return found


def _place(results: Sequence[Result]) -> dict[str, Any]:
    """What depends on the machine, and is kept apart from the results."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": machine(),
        "versions": versions(),
        "seconds": [
            {
                "experiment": result.experiment.name,
                "updates": len(run.trajectory.losses),
                "implementation": run.implementation,
                **run.seconds,
            }
            for result in results
            for run in result.runs
        ],
    }


def _campaign(path: Path) -> dict[str, Any] | None:
    if not path.exists():
        return None
    try:
        campaign: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(
            f"'{path}' is not a campaign's result ({error}); renew or remove it"
        ) from None
    return campaign


def _data_uri(figure: Figure) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(figures.svg(figure)).decode()


def _plain(text: str) -> Markup:
    """Text that Markdown shows as it is, in a table too; quotes need no escape outside an attribute."""
    return Markup("".join(f"&#{ord(c)};" if c in "|*_`[]~<>&" else c for c in text))


def _environment() -> Environment:
    # Markdown is escaped as HTML too: a name such as <script> is shown as text in either edition.
    environment = Environment(
        loader=PackageLoader(__package__),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["plain"] = _plain
    environment.filters["share"] = lambda value: "∞" if value is None else f"{value:.2g}"
    environment.filters["loss"] = lambda value: "–" if value is None else f"{value:.6g}"
    environment.filters["percent"] = lambda value: f"{100 * value:.4g} %"
    return environment
