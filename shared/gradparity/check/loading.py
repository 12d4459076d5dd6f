"""Turn a name, module, object or function into a Target."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from inspect import isclass, ismodule
from types import SimpleNamespace
from typing import Any

import numpy as np

from .. import registry
from ..contract import Network, Params
from ..errors import InputError, TargetImportError
from .importing import StandIn, import_file
from .target import FUNCTIONS, OWN_CONSTANTS, Limits, Target


def load(name: str, adapter: str | None = None, patience: float | None = None) -> Target:
    """Find a target and the functions that it offers.

    A file is imported statement by statement; the target's notes tell what failed.

    Args:
        name: as `registry.find` takes it.
        adapter: the path of a file that wraps the target.
        patience: seconds of CPU time for a statement of a file that is imported; None: no limit.

    Raises:
        InputError: the target does not exist, or offers nothing that can be checked.
        TargetImportError: importing it failed, and what it has defined before and after cannot be checked.
    """
    wrapper = None
    if adapter is not None:
        try:
            wrapper, failures = _find(adapter, patience)
        except TargetImportError as error:  # the user's own mistake, not the target's
            raise InputError(f"the adapter {error}") from error
        if failures:
            raise InputError(f"the adapter '{adapter}' cannot be imported: {failures[0]}")
    found, failures = _find(name, patience)
    try:
        target = wrap(name, found, wrapper)
    except InputError as error:
        if failures:
            raise TargetImportError(f"{error}; {'; '.join(failures)}") from error
        raise
    notes = tuple(f"{line}: judged with what the file defines" for line in failures)
    registered = adapter is None and name.partition(":")[0] in registry.installed()
    return replace(target, notes=notes, registered=registered)


def _find(name: str, patience: float | None) -> tuple[Any, list[str]]:
    """Find what `name` names, and a line about each statement of its file that failed."""
    failures: list[str] = []

    def load_file(path: str) -> Any:
        module, failed = import_file(path, patience)
        failures.extend(failed)
        return module

    try:
        found = registry.find(name, load_file)
    except InputError as error:
        if failures:
            raise TargetImportError(f"{error}; {'; '.join(failures)}") from error
        raise
    if isinstance(found, StandIn):
        raise TargetImportError(f"'{name}' is not defined; {'; '.join(failures)}")
    return found, failures


def wrap(name: str, found: Any, adapter: Any = None) -> Target:
    """Turn an object into a target, by the functions that it or its adapter offers.

    Raises:
        InputError: it offers nothing that can be checked.
    """
    return replace(_offering(name, found, adapter), program=found, adapter=adapter)


def _offering(name: str, found: Any, adapter: Any) -> Target:
    if adapter is not None:
        functions = {f: partial(getattr(adapter, f), found) for f in _offered(adapter)}
        if not functions:
            raise InputError(f"the adapter of '{name}' defines none of {', '.join(FUNCTIONS)}")
        return Target(name, "a target with an adapter", functions, Limits.stated(adapter))
    if _is_module(found):
        return _torch_module(name, found)
    functions = {f: getattr(found, f) for f in _offered(found)}
    if functions:
        contract = "loss_and_grads" in functions
        kind = "an implementation" if contract else "a part of an implementation"
        return Target(name, kind, functions, _stated(found), contract)
    if callable(found) and not isclass(found):
        return _jax_loss(name, found)
    what = "module" if ismodule(found) else type(found).__name__
    raise InputError(
        f"'{name}' ({what}) offers none of {', '.join(FUNCTIONS)}: "
        "name an object in it (file.py:object), or write an adapter"
    )


def _stated(found: Any) -> Limits:
    """Return what a module or class states of itself; its own constants may have the same names, and other values."""
    try:
        return Limits.stated(
            SimpleNamespace(
                **{
                    constant: getattr(found, constant)
                    for constant in OWN_CONSTANTS
                    if hasattr(found, constant)
                }
            )
        )
    except (InputError, TypeError, ValueError):
        return Limits()


def _offered(found: Any) -> Sequence[str]:
    return [f for f in FUNCTIONS if callable(getattr(found, f, None))]


def _is_module(found: Any) -> bool:
    """Return True for a `torch.nn.Module`, class or instance, without importing torch."""
    kinds = found.__mro__ if isclass(found) else type(found).__mro__
    return any(
        f"{k.__module__}.{k.__qualname__}" == "torch.nn.modules.module.Module" for k in kinds
    )


def _torch_module(name: str, found: Any) -> Target:
    """Make a target of an `nn.Module` of 2-D weights (outputs, inputs), each followed by its bias or none."""
    import torch

    try:
        model: Any = found() if isclass(found) else found
    except TypeError as error:
        raise InputError(
            f"'{name}' cannot be constructed without arguments ({error}): write an adapter"
        ) from None
    layers: list[list[Any]] = []
    for parameter in model.parameters():
        if parameter.ndim == 2:
            layers.append([parameter, None])
        elif parameter.ndim == 1 and layers and layers[-1][1] is None:
            layers[-1][1] = parameter
        else:
            raise InputError(
                f"'{name}' has a parameter of shape {tuple(parameter.shape)}: write an adapter"
            )
    if not layers:
        raise InputError(f"'{name}' has no parameters")
    widths = (layers[0][0].shape[1], *(weight.shape[0] for weight, _ in layers))

    def put(params: Params, dtype: Any) -> None:
        model.to(dtype)
        with torch.no_grad():
            for (weight, bias), layer in zip(layers, params, strict=True):
                weight.copy_(torch.from_numpy(layer.weight).T)
                if bias is not None:
                    bias.copy_(torch.from_numpy(layer.bias))

    def forward(_: Network, params: Params, inputs: np.ndarray) -> Any:
        x = torch.from_numpy(inputs)
        put(params, x.dtype)
        with torch.no_grad():
            return model(x)

    def loss_and_grads(_: Network, params: Params, inputs: np.ndarray, targets: np.ndarray) -> Any:
        x, y = torch.from_numpy(inputs), torch.from_numpy(targets)
        put(params, x.dtype)
        model.zero_grad()
        loss = _torch_losses()[stated.loss or ""](model(x), y)
        loss.backward()
        grads = [
            torch.zeros_like(p) if p.grad is None else p.grad
            for layer in layers
            for p in layer
            if p is not None
        ]
        return loss, [grad.T if grad.ndim == 2 else grad for grad in grads]

    stated = _stated(sys.modules.get(type(model).__module__))
    biases = tuple(bias is not None for _, bias in layers)
    limits = replace(stated, widths=tuple(widths), biases=biases)
    functions: dict[str, Callable[..., Any]] = {
        "forward": forward,
        "loss_and_grads": loss_and_grads,
    }
    loss_name = "loss" if stated.loss else "MSE"
    return Target(name, f"a torch.nn.Module, with torch's own {loss_name}", functions, limits)


def _torch_losses() -> Mapping[str, Callable[[Any, Any], Any]]:
    """Return torch's own losses of (outputs, targets), by the judge's names."""
    from torch.nn import functional

    return {
        "": functional.mse_loss,
        "binary_cross_entropy": functional.binary_cross_entropy_with_logits,
        "binary_cross_entropy_of_probabilities": functional.binary_cross_entropy,
        "softmax_cross_entropy": functional.cross_entropy,
        "cross_entropy_of_probabilities": lambda p, y: -(y * p.log()).sum(1).mean(),
    }


def _jax_loss(name: str, loss: Callable[..., Any]) -> Target:
    """Make a target of a JAX loss of (params, inputs, targets); params are pairs (weight, bias)."""
    try:
        import jax
    except ModuleNotFoundError:
        raise InputError(
            f"'{name}' is a function; if it is a JAX loss, install jax (pip install jax), otherwise write an adapter"
        ) from None

    def loss_and_grads(_: Network, params: Params, inputs: np.ndarray, targets: np.ndarray) -> Any:
        return jax.value_and_grad(loss)([tuple(layer) for layer in params], inputs, targets)

    return Target(name, "a JAX loss function", {"loss_and_grads": loss_and_grads})
