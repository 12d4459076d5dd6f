"""Read the settings that vary, such as `--set learning_rate=0.5,1.05`, and change an experiment by them."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import tomli_w

from ..errors import InputError
from ..experiments import experiment as experiments
from ..experiments.experiment import Experiment

_SECTIONS = ("dataset", "network", "initial", "training")

Grid = Mapping[str, Sequence[Any]]
"""The values to try, by path in the experiment's file."""


def parse(experiment: Experiment, options: Sequence[str]) -> Grid:
    """Read options `path=value,value`; the beginning of a path may be omitted if the rest is unambiguous.

    Values are written as in TOML: numbers, true, "text", [3, 3], {name = "sgd", momentum = 0.9}; or bare text.

    Raises:
        InputError: an option is malformed, or names no setting, several settings, or one that is already set.
    """
    grid: dict[str, list[Any]] = {}
    for option in options:
        name, _, text = option.partition("=")
        values = [_value(part) for part in _split(text)]
        if not name.strip() or "" in values:
            raise InputError(f"--set {option}: write path=value, or path=value,value,...")
        path = _resolve(experiment, name.strip())
        if path in grid:
            raise InputError(f"--set {option}: {path} is set twice")
        if repeated := [value for at, value in enumerate(values) if value in values[:at]]:
            raise InputError(f"--set {option}: {repeated[0]!r} is given twice")
        grid[path] = values
    return grid


def change(experiment: Experiment, values: Mapping[str, Any]) -> Experiment:
    """Return the experiment with these values at these paths; a text value for a table sets the table's `name`.

    Raises:
        InputError: there is no such path, or the changed experiment is invalid.
    """
    tree = experiment.model_dump(mode="json", exclude={"name"}, exclude_none=True)
    split = {path: re.findall(r"[^.\[\]]+", path) for path in values}
    # A whole table is set before its entries, in any order of the options.
    for path, value in sorted(values.items(), key=lambda item: len(split[item[0]])):
        try:
            _put(tree, split[path], value)
        except (LookupError, TypeError, ValueError, AttributeError):
            raise InputError(f"experiment '{experiment.name}' cannot have '{path}'") from None
    given = ", ".join(f"{path} = {value!r}" for path, value in values.items())
    source = f"experiment '{experiment.name}' with {given}"
    return experiments.parse(tomli_w.dumps(tree), name=experiment.name, source=source)


def _put(tree: Any, keys: Sequence[str], value: Any) -> None:
    for key in keys[:-1]:
        tree = tree[int(key)] if isinstance(tree, list) else tree.setdefault(key, {})
    if isinstance(tree, list):
        tree[int(keys[-1])] = value
    else:
        of_table = isinstance(value, str) and isinstance(tree.get(keys[-1]), dict)
        tree[keys[-1]] = {"name": value} if of_table else value


def _resolve(experiment: Experiment, name: str) -> str:
    known = list(
        _paths(experiment.model_dump(mode="json", include={"dtype", *_SECTIONS}), prefix="")
    )
    found = [path for path in known if path == name or path.endswith(f".{name}")]
    if name in found:
        return name
    if len(found) == 1:
        return found[0]
    if found:
        raise InputError(f"--set {name}: ambiguous; write one of {', '.join(found)}")
    if name.partition(".")[0] in _SECTIONS:
        return name  # perhaps of another optimizer; `change` finds out
    raise InputError(
        f"--set {name}: experiment '{experiment.name}' has no such setting; it has {', '.join(known)}"
    )


def _paths(tree: Any, prefix: str) -> Iterator[str]:
    """Yield every path of the file: tables and lists, and their entries."""
    if prefix:
        yield prefix
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield from _paths(value, f"{prefix}.{key}" if prefix else key)
    if isinstance(tree, list):
        for index, value in enumerate(tree):
            yield from _paths(value, f"{prefix}[{index}]")


def _split(text: str) -> list[str]:
    """Split at the commas outside quotes and brackets."""
    parts, depth, quote = [""], 0, ""
    for char in text:
        if quote:
            quote = "" if char == quote else quote
        elif char in "\"'":
            quote = char
        else:
            depth += (char in "[{") - (char in "]}")
        if char == "," and not depth and not quote:
            parts.append("")
        else:
            parts[-1] += char
    return [part.strip() for part in parts]


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
