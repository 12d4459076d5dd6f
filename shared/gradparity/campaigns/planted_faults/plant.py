"""Programs with a fault, ready to be judged."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ... import registry
from ...guarded import Guarded
from .faults.base import Fault

FILES = ("__init__", "model", "gradients", "optimizers", "train", "ensemble")


class Plant:
    """A folder of faulty programs: copies of the NumPy implementation with lines changed. Use it in a `with`."""

    def __enter__(self) -> Plant:
        self._folder = TemporaryDirectory(prefix="gradparity_fault_")
        self._number = 0
        module = registry.installed()["numpy"].module
        spec = importlib.util.find_spec(module)
        assert spec is not None
        assert spec.origin is not None
        source = Path(spec.origin).parent
        self._sources = {name: (source / f"{name}.py").read_text() for name in FILES}
        sys.path.insert(0, self._folder.name)
        return self

    def __exit__(self, *_: Any) -> None:
        sys.path.remove(self._folder.name)
        for name in [name for name in sys.modules if name.startswith(self._prefix)]:
            del sys.modules[name]
        self._folder.cleanup()

    @property
    def _prefix(self) -> str:
        """What the names of this folder's programs begin with, and no other's."""
        return Path(self._folder.name).name

    def plant(self, fault: Fault) -> Guarded:
        """The implementation with this fault.

        Raises:
            ValueError: a line to be changed is not there, exactly once.
        """
        sources = dict(self._sources)
        for patch in fault.patches:
            if sources[patch.file].count(patch.old) != 1:
                raise ValueError(f"{fault}: {patch.file}.py does not hold '{patch.old}' once")
            sources[patch.file] = sources[patch.file].replace(patch.old, patch.new)
        self._number += 1
        name = f"{self._prefix}_{self._number}"
        folder = Path(self._folder.name) / name
        folder.mkdir()
        for file, text in sources.items():
            (folder / f"{file}.py").write_text(text)
        importlib.invalidate_caches()
        return Guarded(str(fault), importlib.import_module(name))
