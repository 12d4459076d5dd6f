"""Write programs with a fault, ready to be judged."""

from __future__ import annotations

import ast
import importlib.util
import re
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from textwrap import indent
from typing import Any

from ... import registry
from ...guarded import Guarded
from ...markers import find_line
from .faults.base import LINE, Fault, Patch

CHAIN_RULE = "gradients"
"""The file that loops over the layers; it knows their numbers, but not their kinds."""

TABLES = {"layers": "LAYERS", "activations": "ACTIVATIONS"}
"""By file: the table in which the chain rule looks up a layer's functions or its activation."""

NUMBER = {"forward": "len(activations)", "value_and_grad": "k"}
"""By function of the chain rule: the expression for the current layer's number."""


class Plant:
    """A folder of faulty programs: copies of the NumPy implementation with changed lines. A context manager."""

    def __enter__(self) -> Plant:
        self._folder = TemporaryDirectory(prefix="gradparity_fault_")
        self._number = 0
        module = registry.installed()["numpy"].module
        spec = importlib.util.find_spec(module)
        assert spec is not None
        assert spec.origin is not None
        source = Path(spec.origin).parent
        self._sources = {path.stem: path.read_text() for path in source.glob("*.py")}
        sys.path.insert(0, self._folder.name)
        return self

    def __exit__(self, *_: Any) -> None:
        sys.path.remove(self._folder.name)
        for name in [name for name in sys.modules if name.startswith(self._prefix)]:
            del sys.modules[name]
        self._folder.cleanup()

    @property
    def _prefix(self) -> str:
        """The prefix of the names of this folder's programs, and of no others."""
        return Path(self._folder.name).name

    def plant(self, fault: Fault) -> Guarded:
        """Write and import the implementation with this fault.

        Raises:
            ValueError: a line to be changed is missing, or is there more than once.
        """
        self._number += 1
        name = f"{self._prefix}_{self._number}"
        folder = Path(self._folder.name) / name
        folder.mkdir()
        for file, text in faulty_sources(self._sources, fault).items():
            (folder / f"{file}.py").write_text(text)
        importlib.invalidate_caches()
        return Guarded(str(fault), importlib.import_module(name))


def faulty_sources(sources: dict[str, str], fault: Fault) -> dict[str, str]:
    """Return the source of each file of the implementation, with this fault.

    A fault in one layer changes copies of `layers` and `activations`, which the chain rule uses for that layer only;
    lines of the chain rule itself are changed under the condition that it is at that layer.

    Raises:
        ValueError: a line to be changed is missing, or is there more than once.
    """
    changed = dict(sources)
    if fault.layer is None:
        for patch in fault.patches:
            changed[patch.file] = _replaced(changed[patch.file], patch, patch.new)
        return changed
    for patch in fault.patches:
        file, new = patch.file, patch.new
        if file in TABLES:
            file = f"faulty_{patch.file}"
            changed.setdefault(file, sources[patch.file])
        elif file == CHAIN_RULE:
            here = _is_layer(fault.layer, NUMBER[patch.definition])
            new = f"if {here}:\n{indent(new, '    ')}\nelse:\n    {LINE}"
        changed[file] = _replaced(changed[file], patch, new)
    for file, table in TABLES.items():
        if f"faulty_{file}" in changed:
            changed[CHAIN_RULE] = _choosing(changed[CHAIN_RULE], file, table, fault.layer)
    return changed


def _replaced(source: str, patch: Patch, new: str) -> str:
    """Return the source with the patch's line replaced."""
    line = find_line(patch.file, source, patch.definition, patch.marker)
    lines = source.split("\n")
    old = lines[line.row]
    lines[line.row] = indent(new.replace(LINE, line.code), old[: len(old) - len(old.lstrip())])
    return "\n".join(lines)


def _is_layer(layer: int, number: str) -> str:
    """Return the condition that the number is this layer's; negative layers count from the output."""
    return f"{number} == {layer if layer >= 0 else f'len(params) - {-layer}'}"


def _choosing(source: str, file: str, table: str, layer: int) -> str:
    """Return the chain rule with this layer looked up in the faulty copy of a file's table."""
    lines = source.split("\n")
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef) and node.name in NUMBER:
            faulty = (
                f"(faulty_{file}.{table} if {_is_layer(layer, NUMBER[node.name])} else {table})["
            )
            for row in range(node.lineno - 1, node.end_lineno or node.lineno):
                lines[row] = re.sub(rf"\b{table}\[", faulty, lines[row])
    chosen = "\n".join(lines)
    if chosen == source:
        raise ValueError(f"{CHAIN_RULE}.py: {' and '.join(NUMBER)} look up nothing in {table}")
    return f"{chosen}\nfrom . import faulty_{file}\n"
