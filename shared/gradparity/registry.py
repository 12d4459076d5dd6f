"""Find implementations by the name of an entry point, the name of a module, or the path of a file."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from . import implementations
from .errors import InputError, TargetImportError
from .guarded import Guarded

GROUP = "gradparity.implementations"
PLAIN = ("numpy", "torch", "jax")
"""The default of the commands: the three plain implementations."""

_FUNCTIONS = ("forward", "loss_and_grads", "train")


class MissingFrameworkError(InputError):
    """The implementation is installed, but its framework is not."""


def installed() -> dict[str, EntryPoint]:
    """Return the entry points of all installed implementations, by name."""
    return {point.name: point for point in sorted(entry_points(group=GROUP))}


def load(target: str) -> Guarded:
    """Load the implementation `target`: an entry point's name, `package.module` or `path/to/file.py`, each `[:object]`.

    Raises:
        MissingFrameworkError: its framework is not installed.
        InputError: the implementation does not exist, or lacks a function of the contract.
    """
    path, _, attribute = target.partition(":")
    name = Path(path).stem + (f":{attribute}" if attribute else "") if _is_file(path) else target
    return _guard(name, target, find(target))


def find(target: str) -> Any:
    """Return the module or object that `target` names, whether or not it has the contract's functions.

    Raises:
        MissingFrameworkError: its framework is not installed.
        InputError: it does not exist.
    """
    path, _, attribute = target.partition(":")
    if _is_file(path):
        module = _load_file(path)
    elif path in (known := installed()):
        module = _import(path, known[path].value, known[path].load)
    elif _importable(path):
        module = _import(path, path, lambda: importlib.import_module(path))
    else:
        raise InputError(
            f"no implementation '{target}'; installed: {', '.join(known)}; or give the path of a .py file"
        )
    if not attribute:
        return module
    if not hasattr(module, attribute):
        raise InputError(f"'{path}' defines no '{attribute}'")
    return getattr(module, attribute)


def source(target: str) -> str:
    """Return the SHA-256 of the source of `target`: its file, or all Python files of its package. Nothing is imported.

    Raises:
        InputError: a file cannot be read.
    """
    path = target.partition(":")[0]
    digest = hashlib.sha256()
    for file in [Path(path)] if _is_file(path) else _files_of(path):
        try:
            digest.update(file.read_bytes())
        except OSError as error:
            raise InputError(f"cannot read '{file}': {error.strerror}") from None
    return digest.hexdigest()


def _files_of(name: str) -> list[Path]:
    known = installed()
    module = known[name].module if name in known else name
    spec = importlib.util.find_spec(_package(module))
    if spec is None:
        return []
    folders = spec.submodule_search_locations
    files = [file for folder in folders or () for file in Path(folder).rglob("*.py")]
    return sorted(files) if folders else [Path(spec.origin or "")]


def _package(module: str) -> str:
    """Return the package of `module`: the top-level one, or for an implementation of ours the one of its framework."""
    inside = module.removeprefix(f"{implementations.__name__}.")
    return module[: len(module) - len(inside)] + inside.partition(".")[0]


def absolute(target: str) -> str:
    """Return the same target with an absolute path, so that it is found from any folder."""
    path, colon, attribute = target.partition(":")
    return f"{Path(path).resolve()}{colon}{attribute}" if _is_file(path) else target


def _is_file(path: str) -> bool:
    return path.endswith(".py")


def _importable(module: str) -> bool:
    if not all(part.isidentifier() for part in module.split(".")):
        return False
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def _import(target: str, module: str, load: Callable[[], Any]) -> Any:
    try:
        return load()
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing == module.partition(":")[0].partition(".")[0]:
            raise InputError(
                f"implementation '{target}' is registered as '{module}', which does not exist"
            ) from None
        raise MissingFrameworkError(
            f"implementation '{target}' is left out: it needs {missing}, which is not installed "
            f"(pip install {missing})"
        ) from None


def _load_file(path: str) -> Any:
    file = Path(path)
    if not file.is_file():
        raise InputError(f"no file '{path}'")
    spec = importlib.util.spec_from_file_location(f"gradparity_target_{file.stem}", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look up their module there
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        relative = isinstance(error, ImportError) and "relative import" in str(error)
        remedy = (
            "; it uses relative imports, so it belongs to a package: give package.module instead of a path"
            if relative
            else ""
        )
        raise TargetImportError(
            f"'{path}' cannot be imported: {type(error).__name__}: {error}{remedy}"
        ) from error
    return module


def _guard(name: str, target: str, implementation: Any) -> Guarded:
    lacking = [f for f in _FUNCTIONS if not callable(getattr(implementation, f, None))]
    if lacking:
        raise InputError(
            f"'{target}' is not an implementation: it lacks {', '.join(lacking)} "
            f"(the contract is {', '.join(_FUNCTIONS)}; see gradparity.contract)"
        )
    return Guarded(name, implementation)
