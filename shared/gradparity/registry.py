"""Find implementations by the name of an entry point, the name of a module, or the path of a file."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterable
from importlib.machinery import SourceFileLoader
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from . import implementations
from .blame import described, place
from .border import CtrlC, interruptible
from .errors import InputError, TargetImportError
from .guarded import Guarded
from .notebook import cells

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
    """Load an implementation: an entry point's name, `package.module` or a .py or .ipynb file, each `[:object]`.

    Raises:
        MissingFrameworkError: its framework is not installed.
        InputError: the implementation does not exist, or lacks a function of the contract.
    """
    path, _, attribute = target.partition(":")
    name = Path(path).stem + (f":{attribute}" if attribute else "") if is_file(path) else target
    return _guard(name, target, find(target))


def distinct(named: Iterable[tuple[str, str]]) -> None:
    """Check that what was given in one command goes by different names: `(given, name)`; the same thing twice may.

    Raises:
        InputError: two go by one name, so that the results of one would replace the other's.
    """
    owner: dict[str, str] = {}
    for given, name in named:
        if owner.setdefault(name, given) != given:
            raise InputError(
                f"'{owner[name]}' and '{given}' are both called '{name}', so their results could not be told apart: "
                "rename one of them"
            )


def load_all(targets: Iterable[str]) -> dict[str, Guarded]:
    """Load several implementations, by their names.

    Raises:
        MissingFrameworkError: a framework is not installed.
        InputError: one of them cannot be loaded, or two go by one name.
    """
    loaded = [(target, load(target)) for target in dict.fromkeys(targets)]
    distinct((target, one.name) for target, one in loaded)
    return {one.name: one for _, one in loaded}


def find(target: str, load_file: Callable[[str], Any] | None = None) -> Any:
    """Return the module or object that `target` names, whether or not it has the contract's functions.

    Args:
        target: as for `load`.
        load_file: imports a file; by default in one go, and an error ends it.

    Raises:
        MissingFrameworkError: its framework is not installed.
        InputError: it does not exist.
    """
    path, _, attribute = target.partition(":")
    if is_file(path):
        module = (load_file or _load_file)(path)
    elif path in (known := installed()):
        module = _import(path, known[path].value, known[path].load)
    elif _importable(path):
        module = _import(path, path, lambda: importlib.import_module(path))
    else:
        raise InputError(
            f"no implementation '{target}'; installed: {', '.join(known)}; or give the path of a .py or .ipynb file"
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
    for file in [Path(path)] if is_file(path) else _files_of(path):
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
    return f"{Path(path).resolve()}{colon}{attribute}" if is_file(path) else target


def is_file(path: str) -> bool:
    """Return True if `path`, without an object's name, is meant to be a file: a program or a notebook."""
    return path.endswith((".py", ".ipynb"))


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


def new_module(path: str) -> ModuleType:
    """Return an empty module for a file, registered in `sys.modules`; its name is different for each path.

    Raises:
        InputError: there is no such file.
    """
    file = Path(path)
    if not file.is_file():
        raise InputError(f"no file '{path}'")
    key = hashlib.sha256(str(file.resolve()).encode()).hexdigest()[:8]
    name = f"gradparity_target_{file.stem}_{key}"
    spec = importlib.util.spec_from_file_location(
        name, file, loader=SourceFileLoader(name, str(file))
    )
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look up their module there
    return module


def not_imported(path: str, error: BaseException) -> TargetImportError:
    """Return the error for a file that raised `error` while it was imported."""
    relative = isinstance(error, ImportError) and "relative import" in str(error)
    remedy = (
        "; it uses relative imports, so it belongs to a package: give package.module instead of a path"
        if relative
        else ""
    )
    where = place(error)
    at = f"{where}: " if where and not isinstance(error, SyntaxError) else ""
    return TargetImportError(f"'{path}' cannot be imported: {at}{described(error)}{remedy}")


def _load_file(path: str) -> Any:
    module = new_module(path)
    assert module.__spec__ is not None
    try:
        with interruptible():
            if path.endswith(".ipynb"):
                for filename, text in cells(Path(path)):
                    exec(compile(text, filename, "exec", dont_inherit=True), module.__dict__)
            else:
                assert module.__spec__.loader is not None
                module.__spec__.loader.exec_module(module)
    except (CtrlC, TargetImportError):
        raise
    except BaseException as error:
        raise not_imported(path, error) from error
    return module


def _guard(name: str, target: str, implementation: Any) -> Guarded:
    lacking = [f for f in _FUNCTIONS if not callable(getattr(implementation, f, None))]
    if lacking:
        raise InputError(
            f"'{target}' is not an implementation: it lacks {', '.join(lacking)} "
            f"(the contract is {', '.join(_FUNCTIONS)}; see gradparity.contract)"
        )
    return Guarded(name, implementation)
