"""Which settings of an experiment vary: `--set learning_rate=0.5,1.05`, and what an experiment is with them."""

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
"""The values that each path of the experiment's file takes."""


def parse(experiment: Experiment, options: Sequence[str]) -> Grid:
    """Read options `path=value,value`; a path may be cut short in front, as long as it is the only one to end so.

    Values are TOML's: numbers, true, "text", [3, 3], {name = "sgd", momentum = 0.9}; or bare text.

    Raises:
        InputError: an option is no such thing, or names no setting, or several, or one twice.
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
            raise InputError(f"--set {option}: {repeated[0]!r} is there twice")
        grid[path] = values
    return grid


def change(experiment: Experiment, values: Mapping[str, Any]) -> Experiment:
    """The experiment with these values at these paths; text in place of a table is the table's `name`.

    Raises:
        InputError: there is no such path, or the experiment has mistakes then.
    """
    tree = experiment.model_dump(mode="json", exclude={"name"}, exclude_none=True)
    split = {path: re.findall(r"[^.\[\]]+", path) for path in values}
    # A whole table before what is in it, whatever the order.
    for path, value in sorted(values.items(), key=lambda item: len(split[item[0]])):
        try:
            _put(tree, split[path], value)
        except (LookupError, TypeError, ValueError, AttributeError):
            raise InputError(f"experiment '{experiment.name}' has no place for '{path}'") from None
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
        raise InputError(f"--set {name}: which one? {', '.join(found)}")
    if name.partition(".")[0] in _SECTIONS:
        return name  # perhaps of another optimizer: the experiment knows
    raise InputError(
        f"--set {name}: experiment '{experiment.name}' has no such setting; it has {', '.join(known)}"
    )


def _paths(tree: Any, prefix: str) -> Iterator[str]:
    """Every path of the file, tables and lists as well as what is in them."""
    if prefix:
        yield prefix
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield from _paths(value, f"{prefix}.{key}" if prefix else key)
    if isinstance(tree, list):
        for index, value in enumerate(tree):
            yield from _paths(value, f"{prefix}[{index}]")


def _split(text: str) -> list[str]:
    """At the commas that are in no quotes and no brackets."""
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
