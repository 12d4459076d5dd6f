"""Turn a name, module, object or function into a Target."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from inspect import isclass, ismodule
from typing import Any

import numpy as np

from .. import registry
from ..contract import Network, Params
from ..errors import InputError, TargetImportError
from .target import FUNCTIONS, Limits, Target


def load(name: str, adapter: str | None = None) -> Target:
    """Find a target and the functions that it offers.

    Raises:
        InputError: the target does not exist, or offers nothing that can be checked.
    """
    if adapter is None:
        return wrap(name, registry.find(name))
    try:
        wrapper = registry.find(adapter)
    except TargetImportError as error:  # the user's own mistake, not the target's
        raise InputError(f"the adapter {error}") from error
    return wrap(name, registry.find(name), wrapper)


def wrap(name: str, found: Any, adapter: Any = None) -> Target:
    """Turn an object into a target, by the functions that it or its adapter offers.

    Raises:
        InputError: it offers nothing that can be checked.
    """
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
        return Target(name, kind, functions, contract=contract)
    if callable(found) and not isclass(found):
        return _jax_loss(name, found)
    what = "module" if ismodule(found) else type(found).__name__
    raise InputError(
        f"'{name}' ({what}) offers none of {', '.join(FUNCTIONS)}: "
        "name an object in it (file.py:object), or write an adapter"
    )


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
        loss = torch.nn.functional.mse_loss(model(x), y)
        loss.backward()
        grads = [
            torch.zeros_like(p) if p.grad is None else p.grad
            for layer in layers
            for p in layer
            if p is not None
        ]
        return loss, [grad.T if grad.ndim == 2 else grad for grad in grads]

    limits = Limits(tuple(widths), tuple(bias is not None for _, bias in layers))
    functions: dict[str, Callable[..., Any]] = {
        "forward": forward,
        "loss_and_grads": loss_and_grads,
    }
    return Target(name, "a torch.nn.Module, with torch's own MSE", functions, limits)


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
