"""`gradparity.port`, for notebooks and tests."""

from __future__ import annotations

import copy
import inspect
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ..errors import InputError
from .judge import judge
from .pair import Pair
from .result import Result
from .sides import in_this_process

Losses = Callable[..., Any] | tuple[Callable[..., Any], Callable[..., Any]]


def port(
    original: Any,
    port: Any,
    inputs: Any,
    *,
    loss: Losses | None = None,
    optimizers: tuple[Any, Any] | None = None,
    perturb: bool = True,
    name: str = "the pair",
) -> Result:
    """Judge whether a port computes what its original does; as `gradparity port` does, but in this process.

    Args:
        original: a function that returns the model, or the model.
        port: a function that is given the model and returns its port, weights converted; or the port, which then must
            have the original's weights already.
        inputs: a function of a random generator that returns the inputs, or the inputs: a dictionary of arrays, a
            tuple, or one array.
        loss: of the outputs and the inputs, for both or one for each; by default a random projection of the outputs.
        optimizers: of the original and the port, to judge updates, too.
        perturb: move the original's weights a little before they are converted, if `port` is a function.
        name: what the pair is called in messages.

    Raises:
        InputError: a model cannot be built, run or recorded.
    """
    begun = time.perf_counter()
    builds, converts = _is_function(original), _is_function(port)
    if builds and not converts:
        raise InputError(
            "a port that does not convert the original's weights needs the original with its weights: give two models, "
            "or port(original)"
        )
    pair = Pair(
        name,
        inputs if _is_function(inputs) else lambda _: inputs,
        original if builds else lambda: copy.deepcopy(original),
        port if converts else lambda _: port,
        loss if isinstance(loss, tuple) else (loss, loss),
        None if optimizers is None else lambda: optimizers,
        perturb and converts,
    )
    found = judge(name, *in_this_process(pair))
    return replace(found, seconds=time.perf_counter() - begun)


def _is_function(value: Any) -> bool:
    return inspect.isfunction(value) or inspect.ismethod(value) or inspect.isclass(value)
