"""`results.json` is what its schema says, and docs/reference/results.md says the same of every field."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import cache
from importlib import resources
from typing import Any

import jsonschema
import pytest

from gradparity.experiments import experiment
from gradparity.report.results import SCHEMA, summarise, work_out

from .helpers import ROOT, small_experiment


@cache
def schema() -> dict[str, Any]:
    file = resources.files("gradparity") / "report" / "results.schema.json"
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


@cache
def validator() -> jsonschema.Draft202012Validator:
    jsonschema.Draft202012Validator.check_schema(schema())
    return jsonschema.Draft202012Validator(schema())


@cache
def results() -> str:
    done = work_out(small_experiment(), ("numpy",))
    return json.dumps(summarise([done], ["numpy"]))


def test_a_report_is_as_the_schema_says() -> None:
    validator().validate(json.loads(results()))


def test_a_run_that_diverges_is_too() -> None:
    linear = experiment.load("linear-no-activation")
    wild = linear.training.model_copy(update={"learning_rate": 1e9, "epochs": 40})
    done = work_out(linear.model_copy(update={"training": wild}), ("numpy",))
    found = summarise([done], ["numpy"])
    assert found["experiments"][0]["runs"][0]["final_loss"] is None
    validator().validate(json.loads(json.dumps(found)))


def test_the_reference_report_is_too() -> None:
    found = json.loads((ROOT / "reports" / "reference" / "results.json").read_text())
    validator().validate(found)
    assert found["schema"] == SCHEMA


@pytest.mark.parametrize(
    "spoil",
    [
        lambda found: found.update(schema=SCHEMA + 1),
        lambda found: found.update(more=1),
        lambda found: found["experiments"][0].pop("parity"),
        lambda found: found["experiments"][0]["runs"][0].update(verdict="fine"),
        lambda found: found["experiments"][0]["runs"][0]["accuracy"].update(within=1.0),
        lambda found: found["experiments"][0]["parity"]["pairs"][0]["phases"].pop("loss"),
        lambda found: found["largest_shares"]["float64"].update(forward="0.1"),
    ],
)
def test_what_it_does_not_say_is_found(spoil: Callable[[Any], Any]) -> None:
    found = json.loads(results())
    spoil(found)
    assert not validator().is_valid(found)


def test_every_field_is_documented() -> None:
    text = (ROOT / "docs" / "reference" / "results.md").read_text()
    missing = [row for row in _rows(schema()) if row not in text]
    assert not missing, "docs/reference/results.md lacks:\n" + "\n".join(missing)
    assert text.count("\n| `") == len(list(_rows(schema())))


def _rows(node: dict[str, Any], path: str = "") -> Iterator[str]:
    """A row of the table for every field: path, type, meaning."""
    if "$ref" in node:
        node = schema()["$defs"][node["$ref"].rpartition("/")[2]] | node
    if path and not path.endswith(("[]", "*")):
        yield f"| `{path}` | {_type(node)} | {node['description']} |"
    for name, inner in node.get("properties", {}).items():
        yield from _rows(inner, f"{path}.{name}" if path else name)
    if "items" in node:
        yield from _rows(node["items"], f"{path}[]")
    if "$ref" in (others := node.get("additionalProperties") or {}):
        yield from _rows(others, f"{path}.*")


def _type(node: dict[str, Any]) -> str:
    if "const" in node:
        return str(node["const"])
    if "enum" in node:
        return ", ".join(node["enum"])
    kinds = node["type"] if isinstance(node["type"], list) else [node["type"]]
    return " or ".join(kinds)
