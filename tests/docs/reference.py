"""What the reference pages must say, taken from the code. `python -m tests.docs.reference` renews docs/reference/cli.md."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any

import typer.main

from gradparity import contract
from gradparity.cli import app
from gradparity.experiment import Experiment

from ..helpers import ROOT
from .pages import commands

CLI = ROOT / "docs" / "reference" / "cli.md"
_CLI_HEAD = """# The command line

Held to `gradparity --help` by a test. Results and errors go to standard output and standard error; on a terminal there are colours and a
progress bar, elsewhere plain lines.

"""


def cli_page() -> str:
    """The command line as its own help has it."""
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
    told = inspect.cleandoc(command.help)
    return f"## gradparity {name}\n\n{told}\n\n`{usage}`\n\n| argument or option | meaning |\n|---|---|\n{rows}\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def experiment_rows() -> dict[str, list[tuple[str, str, str]]]:
    """Each section of an experiment's file: key, what it may be, default."""
    schema = Experiment.model_json_schema()
    found: dict[str, list[tuple[str, str, str]]] = {"the file": []}
    for key, node in schema["properties"].items():
        if key != "name":  # the file's own
            found["the file"].append((key, _allowed(node, schema), _default(schema, key)))
    for name, section in schema["$defs"].items():
        found[name] = [
            (key, _allowed(node, schema), _default(section, key))
            for key, node in section["properties"].items()
        ]
    return found


def _default(section: Any, key: str) -> str:
    if key in section.get("required", ()):
        return "required"
    default = section["properties"][key].get("default")
    return "none" if default is None else f"`{json.dumps(default)}`"


def _allowed(node: Any, schema: Any) -> str:
    if "$ref" in node or "oneOf" in node:
        return "a table"
    if "anyOf" in node:
        kinds = [one for one in node["anyOf"] if one.get("type") != "null"]
        return _allowed(kinds[0], schema)
    if "const" in node:
        return f'`"{node["const"]}"`'
    if "enum" in node:
        return ", ".join(f'`"{value}"`' for value in node["enum"])
    if "prefixItems" in node:
        kinds = [_allowed(one, schema) for one in node["prefixItems"]]
        return f"[{', '.join(kinds)}]"
    if node["type"] == "array":
        return "a list of tables"
    limits = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    told = [f"{sign} {node[key]:g}" for key, sign in limits.items() if key in node]
    kind = {"string": "text", "boolean": "true or false", "object": "a table"}
    return " ".join([kind.get(node["type"], node["type"]), ", ".join(told)]).strip()


def contract_rows() -> dict[str, list[str]]:
    """Each record of the contract: its fields, with their defaults."""
    found = {}
    for name, record in vars(contract).items():
        if not inspect.isclass(record) or record.__module__ != contract.__name__:
            continue
        if is_dataclass(record):
            found[name] = [_field(one.name, _default_of(one)) for one in fields(record)]
        elif hasattr(record, "_fields"):
            defaults = record._field_defaults
            found[name] = [_field(one, defaults.get(one, MISSING)) for one in record._fields]
    return found


def _default_of(one: Field[Any]) -> Any:
    return one.default if one.default_factory is MISSING else one.default_factory()


def _field(name: str, default: Any) -> str:
    return f"| `{name}` |" if default is MISSING else f"| `{name} = {default!r}` |"


def contract_signatures() -> list[str]:
    """The functions of the contract, without types."""
    return [
        f"{name}({', '.join(_parameters(getattr(contract.Implementation, name)))})"
        for name in ("forward", "loss_and_grads", "train")
    ]


def _parameters(function: Any) -> Iterator[str]:
    for name, parameter in inspect.signature(function).parameters.items():
        if name != "self":
            default = parameter.default
            yield name if default is parameter.empty else f"{name}={default}"


if __name__ == "__main__":
    CLI.write_text(cli_page())
