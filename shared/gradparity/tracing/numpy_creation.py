"""While a program is recorded, functions that make arrays of lists and numbers make recorded ones."""

from __future__ import annotations

import contextlib
import functools
import math
import sys
import sysconfig
from collections.abc import Callable, Iterator, Mapping
from importlib.machinery import EXTENSION_SUFFIXES
from types import ModuleType
from typing import Any

import numpy as np
from numpy.lib import stride_tricks

from .numpy_arrays import Listener, Recorded, Tracked, called, numeric, plain
from .numpy_memory import Place

CREATORS = (
    *("array", "asarray", "asanyarray", "ascontiguousarray", "asfortranarray", "fromiter"),
    *("zeros", "ones", "empty", "full", "eye", "identity", "arange", "linspace"),
)
"""Functions of NumPy that do not ask their arguments whether they are recorded."""

_MATH = {
    **{"acos": "arccos", "acosh": "arccosh", "asin": "arcsin", "asinh": "arcsinh"},
    **{"atan": "arctan", "atan2": "arctan2", "atanh": "arctanh", "pow": "power"},
    **{name: name for name in ("cbrt", "copysign", "cos", "cosh", "exp", "exp2", "expm1", "fabs")},
    **{name: name for name in ("fmod", "hypot", "log10", "log1p", "log2", "sin", "sinh", "sqrt")},
    **{name: name for name in ("tan", "tanh")},
    **{name: name for name in ("log", "erf", "erfc")},
    **{name: f"math.{name}" for name in ("dist", "fsum", "prod", "sumprod")},
}
"""Functions of `math`, and their names in a recording: NumPy's or SciPy's, where they have the same function."""


_STANDARD = sysconfig.get_path("stdlib")


@contextlib.contextmanager
def replaced(listener: Listener) -> Iterator[None]:
    """Within, functions are replaced in NumPy and `math`, and where the program's modules imported them by name."""
    replacements = {
        **{getattr(np, name): _creating(listener, getattr(np, name)) for name in CREATORS},
        **{
            getattr(math, name): _noticing(listener, getattr(math, name), operation)
            for name, operation in _MATH.items()
            if hasattr(math, name)
        },
        stride_tricks.as_strided: _noticing(listener, stride_tricks.as_strided, "as_strided"),
    }
    for module in (np, np.linalg, np.fft):
        for function in vars(module).values():
            if isinstance(function, _ASKING) and function not in replacements:
                replacements[function] = _asking(listener, function)
    before = ModuleType(np.__name__)
    vars(before).update(vars(np))
    original = np.vectorize.__call__
    try:
        _replace(replacements, np, before)
        setattr(np.vectorize, _CALL, _vectorized(listener, original))
        yield
    finally:
        setattr(np.vectorize, _CALL, original)
        _replace({new: old for old, new in replacements.items()}, before, np)


_CALL = "__call__"

_ASKING = type(np.sum)
"""The type of functions that ask their arguments whether they are recorded, but not what is in a list."""


def _replace(replacements: Mapping[Any, Any], old: Any, new: Any) -> None:
    """Replace functions, and what compiled modules take for NumPy: no line of theirs is seen, only who calls them."""
    for module in list(sys.modules.values()):
        if not isinstance(module, ModuleType) or module.__name__.startswith(str(__package__)):
            continue
        file = getattr(module, "__file__", None) or ""
        if file.endswith(_COMPILED) and vars(module).get("np") is old:
            vars(module)["np"] = new
        if module in _WHERE or not (installed(file) or standard(file)):
            for name, value in list(vars(module).items()):
                if type(value) in _FUNCTION_TYPES and value in replacements:
                    setattr(module, name, replacements[value])


_WHERE = {np, np.linalg, np.fft, math, stride_tricks}
_COMPILED = tuple(EXTENSION_SUFFIXES)
_FUNCTION_TYPES: set[type] = {type(math.exp), type(np.ones), _ASKING}


def _creating(listener: Listener, function: Any) -> Any:
    @functools.wraps(function)
    def create(*arguments: Any, **keywords: Any) -> Any:
        if not listener.listens_to(sys._getframe(1).f_code.co_filename):
            return function(*arguments, **keywords)
        arguments, keywords = listener.wide(function.__name__, arguments, keywords)
        if tracked((arguments, keywords)):
            result = function(*plain(arguments), **plain(keywords))
            first = arguments[0] if arguments else None
            if isinstance(first, Recorded) and Place.of(result) == Place.of(plain(first)):
                return first  # no copy was needed: it is the same array
            name = function.__name__
            return listener.run(name, lambda *_, **__: result, arguments, keywords)
        result = function(*arguments, **keywords)
        return listener.new(result) if type(result) is np.ndarray and numeric(result) else result

    return create


def _asking(listener: Listener, function: Any) -> Any:
    @functools.wraps(function)
    def call(*arguments: Any, **keywords: Any) -> Any:
        if tracked((arguments, keywords)):
            return called(listener, function, arguments, keywords)
        return function(*arguments, **keywords)

    return call


def _noticing(listener: Listener, function: Any, operation: str) -> Any:
    @functools.wraps(function)
    def call(*arguments: Any, **keywords: Any) -> Any:
        if tracked((arguments, keywords)):
            of_a_base = operation == "log" and len(arguments) > 1
            name = "math.log" if of_a_base else operation
            return listener.run(name, function, arguments, keywords)
        return function(*arguments, **keywords)

    return call


def _vectorized(listener: Listener, original: Callable[..., Any]) -> Any:
    @functools.wraps(original)
    def call(self: Any, *arguments: Any, **keywords: Any) -> Any:
        if not tracked((arguments, keywords)):
            return original(self, *arguments, **keywords)
        function = functools.partial(original, self)
        noted = (self.pyfunc, *arguments)
        return listener.run("vectorize", function, arguments, keywords, noted=noted)

    return call


def tracked(value: Any) -> bool:
    """Return True if something recorded is in an argument."""
    if isinstance(value, list | tuple):
        return any(map(tracked, value))
    if isinstance(value, dict):
        return any(map(tracked, value.values()))
    return isinstance(value, Tracked)


def installed(file: str) -> bool:
    """Return True for a file of an installed package."""
    return "site-packages" in file or "dist-packages" in file


def standard(file: str) -> bool:
    """Return True for a file of Python's own library."""
    return file.startswith(_STANDARD) and not installed(file)
