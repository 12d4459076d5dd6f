"""The text that pages must contain, taken from the code and from the results of long runs.

`python -m tests.docs.reference` rewrites docs/reference/cli.md and the paragraphs of figures in docs/explanation/.
Sentences that quote a constant of the judgement are edited by hand; `quoted` lists the phrases that they must contain.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any, get_args

import typer.main

from gradparity import contract
from gradparity.campaigns.bit_for_bit.record import BIT_FOR_BIT
from gradparity.campaigns.bit_for_bit.worker import Cause
from gradparity.campaigns.campaign import Campaign
from gradparity.campaigns.planted_faults.record import PLANTED_FAULTS
from gradparity.campaigns.random_networks.record import CORE, FULL
from gradparity.campaigns.study.record import STUDY
from gradparity.check.homework import EPOCHS
from gradparity.check.process import PATIENCE
from gradparity.check.report import Report
from gradparity.check.target import CONSTANTS, Limits
from gradparity.cli.app import app
from gradparity.diagnosis.mistakes import FORWARD, GRADIENT, UPDATE
from gradparity.experiments.accuracy import CLOSE, THRESHOLD
from gradparity.experiments.experiment import Experiment
from gradparity.reference.bound_functions import SIGMOID_ULP
from gradparity.report.constants import spelled
from gradparity.report.sections import bit_for_bit, planted_faults
from gradparity.suites.core import CORE_SUITE, Level
from gradparity.suites.drawn import drawn
from gradparity.sweep.plan import CHUNK
from gradparity.verdict.compare_runs import PARTED
from gradparity.verdict.free_run import CHAOTIC, MARGIN, MEMBERS
from gradparity.verdict.judge import RESOLUTION

from ..helpers import ROOT
from .pages import commands

CLI = ROOT / "docs" / "reference" / "cli.md"
_CLI_HEAD = """# The command line

A test checks this page against `gradparity --help`. Results go to standard output, errors to standard error. On a
terminal there are colours and a progress bar, elsewhere plain lines.

"""


def cli_page() -> str:
    """Return the page on the command line, made of its help."""
    group: Any = typer.main.get_command(app)
    return _CLI_HEAD + "\n".join([f"{group.epilog}\n", *_of_group(group), *map(_of, commands())])


def _of_group(group: Any) -> Iterator[str]:
    yield "| command | |\n|---|---|"
    for name, command in commands().items():
        first = command.help.partition("\n\n")[0]
        yield f"| [`gradparity {name}`](#gradparity-{name}) | {first} |"
    yield ""


def _of(name: str) -> str:
    command = commands()[name]
    context = command.make_context(f"gradparity {name}", [], resilient_parsing=True)
    usage = command.get_usage(context).removeprefix("Usage: ")
    records = [param.get_help_record(context) for param in command.get_params(context)]
    rows = "\n".join(f"| `{_cell(what)}` | {_cell(says)} |" for what, says in records)
    text = inspect.cleandoc(command.help)
    return f"## gradparity {name}\n\n{text}\n\n`{usage}`\n\n| argument or option | meaning |\n|---|---|\n{rows}\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def experiment_rows() -> dict[str, list[tuple[str, str, str]]]:
    """Return the rows of each section of an experiment's file: key, allowed values, default."""
    schema = Experiment.model_json_schema()
    found: dict[str, list[tuple[str, str, str]]] = {"the file": []}
    for key, node in schema["properties"].items():
        if key != "name":  # the file's own
            found["the file"].append((key, _allowed(node), _default(schema, key)))
    for name, part in schema["$defs"].items():
        found[name] = [
            (key, _allowed(node), _default(part, key)) for key, node in part["properties"].items()
        ]
    return found


def _default(section: Any, key: str) -> str:
    if key in section.get("required", ()):
        return "required"
    default = section["properties"][key].get("default")
    return "none" if default is None else f"`{json.dumps(default)}`"


_KINDS = {
    "string": "text",
    "boolean": "true or false",
    "object": "a table",
    "array": "a list of tables",
}


def _allowed(node: Any) -> str:
    if "anyOf" in node:
        node = next(one for one in node["anyOf"] if one.get("type") != "null")
    if "$ref" in node or "oneOf" in node:
        return "a table"
    if values := node.get("enum") or ([node["const"]] if "const" in node else []):
        return ", ".join(f'`"{value}"`' for value in values)
    if "prefixItems" in node:
        return f"[{', '.join(map(_allowed, node['prefixItems']))}]"
    limits = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    bounds = [f"{sign} {node[key]:g}" for key, sign in limits.items() if key in node]
    return " ".join([_KINDS.get(node["type"], node["type"]), ", ".join(bounds)]).strip()


def contract_rows() -> dict[str, list[str]]:
    """Return the first cells of each record's table: its fields, with their defaults.

    The optimizers' fields are those of the experiment file, which has tables of them.
    """
    found = {}
    for name, record in vars(contract).items():
        if not inspect.isclass(record) or record.__module__ != contract.__name__:
            continue
        if record in get_args(contract.Optimizer):
            continue
        if is_dataclass(record):
            found[name] = [_field(one.name, _default_of(one)) for one in fields(record)]
        elif (named := vars(record)).get("_fields"):
            defaults = named["_field_defaults"]
            found[name] = [_field(one, defaults.get(one, MISSING)) for one in named["_fields"]]
    return found


def _default_of(one: Field[Any]) -> Any:
    return one.default if one.default_factory is MISSING else one.default_factory()


def _field(name: str, default: Any) -> str:
    return f"| `{name}` |" if default is MISSING else f"| `{name} = {default!r}` |"


def contract_signatures() -> list[str]:
    """Return the signatures of the contract's functions, without types."""
    return [
        f"{name}({', '.join(_parameters(getattr(contract.Implementation, name)))})"
        for name in ("forward", "loss_and_grads", "train")
    ]


def _parameters(function: Any) -> Iterator[str]:
    for name, parameter in inspect.signature(function).parameters.items():
        if name != "self":
            default = parameter.default
            yield name if default is parameter.empty else f"{name}={default}"


EXPLANATION = ROOT / "docs" / "explanation"
FIGURES = re.compile(r"^\*In figures\*: .*$", flags=re.MULTILINE)
"""A paragraph of figures: a single line."""


def figures() -> dict[str, list[str]]:
    """Return the paragraphs of figures, by page."""
    boards = planted_faults.boards(_campaign(PLANTED_FAULTS))
    exact = bit_for_bit.summary(_campaign(BIT_FOR_BIT)["exact"])
    return {
        "how-agreement-is-judged.md": [f"*In figures*: {_random_networks()} {_planted(boards)}"],
        "why-correct-programs-diverge.md": [
            f"*In figures*: {exact}",
            f"*In figures*: {_parted(_campaign(STUDY))}",
        ],
    }


def _random_networks() -> str:
    campaigns = [_campaign(CORE), _campaign(FULL)]
    networks = sum(one["networks"] for one in campaigns)
    found = [
        phase
        for one in campaigns
        for pair in one["agreement"]["pairs"]
        for phase in pair["phases"].values()
    ]
    return (
        f"in {networks} random networks, {sum(phase['tensors'] for phase in found)} comparisons of tensors, "
        f"{sum(phase['disagreeing'] for phase in found)} were outside the bound; "
        f"the largest share was {max(phase['largest_share'] for phase in found):.2f}."
    )


def _planted(boards: Any) -> str:
    planted, caught, misnamed = (
        sum(board["suite"][key] for board in boards) for key in ("planted", "caught", "misnamed")
    )
    return f"Of {planted} faults planted on the suite {caught} were caught and {misnamed} misnamed."


def _parted(study: Any) -> str:
    one, two = study["chaos"][0]["implementations"]
    told = ", ".join(f"{row['parted']['1000']:.0%} ({row['label']})" for row in study["chaos"])
    return (
        f"the losses of {one} and {two} differ by more than {spelled(PARTED)} within 1000 epochs for this "
        f"share of {study['seeds']} seeds: {told}. The rates are the original assignment's."
    )


def _campaign(campaign: Campaign) -> Any:
    return campaign.read(ROOT / "reports" / "campaigns")


_LEVELS: tuple[Level, ...] = ("default", "quick", "thorough")


def quoted() -> dict[str, list[str]]:
    """Return the phrases that quote constants of the code, by page."""
    everything: list[Any] = [*FORWARD, *GRADIENT, *UPDATE]
    mistakes = len({mistake.name for mistake in everything})
    known = f"more than {'a hundred' if mistakes > 100 else mistakes}"
    return {
        "README.md": [f"{known} known mistakes"],
        "docs/explanation/how-agreement-is-judged.md": [
            f"more than {spelled(RESOLUTION)} of what is judged",
            f"{100 * RESOLUTION:g} %",
            f"{spelled(MEMBERS)} copies",
            f"{spelled(MARGIN)} times",
            f"{spelled(CHAOTIC)} of the weights",
            f"{known} known mistakes",
            f"{SIGMOID_ULP:g} units in the last place",
        ],
        "docs/explanation/why-correct-programs-diverge.md": [
            f"{spelled(len(get_args(Cause)))} causes"
        ],
        "docs/how-to/check-your-homework.md": [f"{known} that are known"],
        "docs/reference/check.md": [
            f"| {' | '.join([f'{len(CORE_SUITE)}, twice'] * 3)} |",
            f"| {' | '.join(str(len(list(drawn(Limits(), 'float64', level)))) for level in _LEVELS)} |",
            f"| {' | '.join(', '.join(map(str, EPOCHS[level].values())) for level in _LEVELS)} |".replace(
                "|  |", "| |"
            ),
            f"`--timeout` ({PATIENCE['core']:g} s, {PATIENCE['full']:g} s with `--kind full`",
            *(f"| `{name} = " for name in CONSTANTS),
            *(f"`{field.name}`" for field in fields(Report)),
        ],
        "docs/reference/python.md": [f"`{field.name}`" for field in fields(Report)],
        "docs/how-to/write-an-experiment.md": [
            f"within {CLOSE:g} of its label",
            f"{CHUNK} at once",
        ],
        "docs/reference/results.md": [
            f"Within {CLOSE:g} of the target",
            f"right side of {THRESHOLD:g}",
            f"differ by more than {spelled(PARTED)}",
        ],
    }


def _renew() -> None:
    CLI.write_text(cli_page())
    for name, paragraphs in figures().items():
        text = (EXPLANATION / name).read_text()
        for old, new in zip(FIGURES.findall(text), paragraphs, strict=True):
            text = text.replace(old, new)
        (EXPLANATION / name).write_text(text)


if __name__ == "__main__":
    _renew()
