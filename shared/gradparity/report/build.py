"""Write the report: `index.html`, its Markdown edition `README.md` with PNG figures, and `results.json`."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from datetime import UTC, datetime
from functools import partial
from importlib import resources
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from latex2mathml.converter import convert
from markupsafe import Markup

from .. import registry
from ..campaigns.bench.run import BENCH
from ..campaigns.bit_for_bit.run import LADDER
from ..campaigns.planted_faults.run import FAULTS
from ..campaigns.random_networks.run import KINDS
from ..campaigns.study.run import STUDY
from ..errors import InputError
from ..experiments.experiment import Experiment, names
from ..files import CAMPAIGNS, LATEST, replace_files
from ..machine import machine, versions
from ..plotting import Drawing
from ..verdict.judge import PHASES, Verdict
from .code import exhibits
from .inline_svg import inline
from .ladder import section as bits_section
from .results import Result, summarise, work_out
from .scoreboard import RANDOM_COUNTS, SUITE_COUNTS, scoreboard
from .speed import parts as speed_parts
from .study import parts as study_parts

_AGREEMENTS = [name for name, _ in KINDS.values()]
_CAMPAIGNS = {
    STUDY: "The study",
    **dict(
        zip(
            _AGREEMENTS,
            ("Random networks of the homework’s kind", "Random networks of any kind"),
            strict=True,
        )
    ),
    FAULTS: "Planted faults",
    LADDER: "Bit for bit",
    BENCH: "Speed",
}


def build(
    experiments: Sequence[Experiment],
    targets: Sequence[str],
    out: Path = LATEST,
    campaigns: Path = CAMPAIGNS,
    progress: Callable[[str], None] = lambda _: None,
) -> Verdict:
    """Train every experiment in every implementation, judge, and write the report to `out`.

    `targets` are names or paths of implementations, as the registry knows them.
    """
    stored = {name: _campaign(campaigns / name) for name in _CAMPAIGNS}
    faults = _shown(campaigns / FAULTS, lambda: scoreboard(stored[FAULTS]))
    agreements = [
        _shown(campaigns / name, partial(_agreement, stored[name])) for name in _AGREEMENTS
    ]
    progress("train and judge")
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        drawing = pool.submit(study_parts, stored[STUDY])
        bars = pool.submit(speed_parts, stored[BENCH])
        rungs = pool.submit(bits_section, stored[LADDER])
        results = _work_out_all(pool, experiments, targets, progress)
        study = _shown(campaigns / STUDY, drawing.result)
        speed = _shown(campaigns / BENCH, bars.result)
        bits = _shown(campaigns / LADDER, rungs.result)
    progress("write the report")
    summary = summarise(results, [run.implementation for run in results[0].runs])
    drawn = {f"{r.experiment.name}-{kind}": f for r in results for kind, f in r.figures.items()}
    drawn |= {part.name: part.drawing for part in (*study, *speed, *([bits.part] if bits else ()))}
    page = {
        "study": study,
        "study_place": stored[STUDY],
        "speed": speed,
        "bench": stored[BENCH],
        "bits": bits,
        "ladder": stored[LADDER],
        "results": summary,
        "place": _place(results),
        **dict(zip(("campaign", "any_kind"), agreements, strict=True)),
        "faults": faults,
        "suite_counts": SUITE_COUNTS,
        "random_counts": RANDOM_COUNTS,
        "phases": PHASES,
        "commands": _commands(experiments, targets),
        "campaigns": [(title, stored[name]) for name, title in _CAMPAIGNS.items() if stored[name]],
        "figures": drawn,
    }
    script = (resources.files(__package__) / "templates" / "page.js").read_text(encoding="utf-8")
    templates = _environment()
    files = {
        "index.html": templates.get_template("index.html.j2")
        .render(
            page,
            code=exhibits([registry.load(target) for target in targets]),
            draw=partial(_draw, drawn),
            script=Markup(script),
            script_hash=b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        )
        .encode(),
        "README.md": templates.get_template("README.md.j2").render(page).encode(),
        "machine.md": templates.get_template("machine.md.j2").render(page).encode(),
        "results.json": (json.dumps(summary, indent=1, allow_nan=False) + "\n").encode(),
    }
    files |= {f"figures/{name}.png": figure.png for name, figure in drawn.items()}
    replace_files(out, files)
    return Verdict(summary["verdict"])


def _work_out_all(
    pool: Executor,
    experiments: Sequence[Experiment],
    targets: Sequence[str],
    progress: Callable[[str], None],
) -> list[Result]:
    """Every experiment by itself; those that train longest begin first."""
    longest = sorted(experiments, key=lambda one: -one.training.epochs)
    futures = {pool.submit(work_out, one, tuple(targets)): one.name for one in longest}
    found = {}
    for future in as_completed(futures):
        found[futures[future]] = future.result()
        progress(f"{futures[future]}: done")
    return [found[one.name] for one in experiments]


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


def _agreement(stored: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """What the pages show of random networks."""
    if stored is None:
        return None
    common = ("command", "date", "machine", "versions", "minutes", "networks", "seed", "features")
    return {key: stored[key] for key in common} | {
        "agreement": {key: stored["agreement"][key] for key in ("verdict", "steps", "pairs")}
    }


def _shown(path: Path, show: Callable[[], Any]) -> Any:
    """What `show` makes of the campaign's result that is stored here."""
    try:
        return show()
    except (LookupError, TypeError) as error:
        raise InputError(
            f"'{path}' was made by another version of gradparity ({error!r}); renew or remove it"
        ) from None


def _draw(drawn: Mapping[str, Drawing], name: str, label: str) -> Markup:
    return inline(drawn[name].svg, f"f{list(drawn).index(name)}", label)


def _commands(experiments: Sequence[Experiment], targets: Sequence[str]) -> dict[str, str]:
    """What makes the figures of each experiment again, by its name; and the whole, as `page`."""
    chosen = [] if tuple(targets) == registry.PLAIN else [f"--impl={target}" for target in targets]
    known = names()
    given = [e.name if e.name in known else f"{e.name}.toml" for e in experiments]
    commands = {
        one.name: shlex.join(["gradparity", "report", name, *chosen])
        for one, name in zip(experiments, given, strict=True)
    }
    everything = [] if sorted(given) == sorted(known) else given
    return commands | {"page": shlex.join(["gradparity", "report", *everything, *chosen])}


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
    environment.filters["math"] = lambda latex: Markup(convert(latex))
    environment.filters["display_math"] = lambda latex: Markup(convert(latex, display="block"))
    environment.filters["share"] = lambda value: "∞" if value is None else f"{value:.2g}"
    environment.filters["loss"] = lambda value: "–" if value is None else f"{value:.6g}"
    environment.filters["percent"] = lambda value: f"{100 * value:.4g} %"
    return environment
