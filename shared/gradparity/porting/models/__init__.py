"""A model of any framework as one thing: it has named parameters, can be run, and can be recorded.

Only what the user's own program has imported is imported here: whoever does not port from Flax needs no Flax.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import numpy as np

from ...errors import InputError
from .model import Model, named

_FORMS = """\
a torch.nn.Module, an nnx.Module, an equinox module, (linen module, variables), (haiku transform, params[, state]), or \
(function, params[, state]), where params are a tree of arrays of PyTorch, JAX or NumPy\
"""


def model(value: Any) -> Model:
    """Return what a user's `original()` or `port(original)` returned as a model.

    Raises:
        InputError: it is none.
    """
    parts = value if isinstance(value, tuple) else (value,)
    first = parts[0] if parts else None
    if len(parts) > 3 or not callable(getattr(first, "apply", first)):
        raise InputError(f"a model must be {_FORMS}; it is {_brief(value)}")
    torch, jax = sys.modules.get("torch"), sys.modules.get("jax")
    if torch is not None and (isinstance(first, torch.nn.Module) or _has(parts[1:], torch.Tensor)):
        return _of("torch_model", "TorchModel", parts)
    if jax is not None and (_is_of_jax(first) or _has(parts[1:], jax.Array)):
        return _of("jax_model", "JaxModel", parts)
    if len(parts) in {2, 3} and _has(parts[1:], np.ndarray):
        return _of("numpy_model", "NumpyModel", parts)
    raise InputError(f"a model must be {_FORMS}; it is {_brief(value)}")


def _of(module: str, name: str, parts: tuple[Any, ...]) -> Model:
    """Return the model that a module makes of what the user returned: a framework is imported only if it is used."""
    made: Model = getattr(import_module(f"{__name__}.{module}"), name).of(parts)
    return made


def _has(trees: Sequence[Any], kind: type) -> bool:
    return any(isinstance(leaf, kind) for leaf in named(list(trees)).values())


def _is_of_jax(value: Any) -> bool:
    kinds = {kind.__module__.partition(".")[0] for kind in type(value).__mro__}
    return bool(kinds & {"flax", "equinox", "haiku"})


def _brief(value: Any) -> str:
    if isinstance(value, tuple):
        return f"({', '.join(type(one).__name__ for one in value)})"
    return type(value).__name__
