"""A model in PyTorch: a module, or a function of its parameters."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ...errors import InputError
from ...tracing.recording import INPUT, PARAMETER, Recording
from ...tracing.torch_recorder import TorchRecorder, to_numpy
from .model import (
    GRADIENTS,
    PROJECTION,
    Array,
    Mode,
    Task,
    mapped,
    moved,
    named,
    outputs_of,
    told,
)

_STATISTICS = ("running_mean", "running_var")
"""The buffers that training makes; all others belong to the program."""


class TorchModel:
    """A module, or a function and its parameters, which it is called with first."""

    framework = "torch"

    def __init__(self, function: Callable[..., Any], tree: Any = None) -> None:
        self._function = function
        self._module = function if isinstance(function, nn.Module) else None
        self._tree = tree
        floats = {p.dtype for p in self._parameters().values() if p.is_floating_point()}
        self.formats = ", ".join(sorted(str(one).removeprefix("torch.") for one in floats))

    @classmethod
    def of(cls, parts: tuple[Any, ...]) -> TorchModel:
        """Return the model of what the user returned."""
        if len(parts) == (1 if isinstance(parts[0], nn.Module) else 2):
            return cls(*parts)
        raise InputError("a model in PyTorch is a module, or (function, parameters)")

    def modes(self) -> bool:
        """Whether it is a module, or its function has an argument for the mode."""
        return self._module is not None or bool(told(self._function, "eval"))

    def parameters(self) -> dict[str, Array]:
        """Return copies of parameters and running statistics."""
        return {name: to_numpy(tensor) for name, tensor in self._learned().items()}

    def signature(self) -> Callable[..., Any]:
        """Return the module's `forward`, or the function."""
        return self._function if self._module is None else self._module.forward

    def perturb(self, rng: np.random.Generator) -> None:
        """Move the parameters in place; those that are not trained, such as a table of sines, are the program's own."""
        trained = self._trained() or self._parameters()
        with torch.no_grad():
            for name, tensor in (trained | self._statistics()).items():
                if tensor.is_floating_point():
                    value = moved(name, tensor.detach().double().numpy(), rng)
                    tensor.copy_(torch.from_numpy(value))

    def given(self, double: bool = False) -> Any:
        """Return the module, or the function and its parameters; if `double`, a copy in float64."""
        if double:
            wide = copy.deepcopy(self)
            wide._widen()
            return wide.given()
        return (self._function, self._tree) if self._module is None else self._module

    def run(self, task: Task) -> dict[str, Array]:
        """Run a copy of the model; in its own format, with the gradients."""
        one = copy.deepcopy(self)
        if not task.native:
            one._widen()
        one._set(task.mode)
        parameters = one._trained()
        with torch.set_grad_enabled(task.native), _one_thread(), _by_default(task.native):
            own = next((p.dtype for p in parameters.values()), None) if task.native else None
            inputs = {k: _tensor(v, own) for k, v in task.named_inputs()}
            found = one._call(inputs, task)
            outputs = outputs_of(found, _is_float)
            results = {name: to_numpy(tensor) for name, tensor in outputs.items()}
            if not task.native or not parameters:
                return results
            projections = {k: _tensor(v, own) for k, v in task.projections.items()}
            loss: Tensor = task.loss_of(found, outputs, projections, inputs)
            if loss.requires_grad:
                gradients = torch.autograd.grad(loss, list(parameters.values()), allow_unused=True)
                for name, gradient in zip(parameters, gradients, strict=True):
                    if gradient is not None:
                        results[f"gradient {name}"] = to_numpy(gradient)
        return results

    def record(self, task: Task) -> Recording:
        """Record one pass, and the updates."""
        one = copy.deepcopy(self)
        one._widen()
        one._set(task.mode)
        recorder = TorchRecorder(widened=True)
        parameters = one._trained()
        for name, tensor in one._learned().items():
            recorder.given(PARAMETER, name, tensor)
        inputs = {name: _tensor(value) for name, value in task.named_inputs()}
        for name, tensor in inputs.items():
            recorder.given(INPUT, name, tensor)
        projections = {k: _tensor(v) for k, v in task.projections.items()}
        for name, tensor in projections.items():
            recorder.given(INPUT, PROJECTION + name, tensor)
        with _one_thread(), _by_default(native=False), recorder:
            found = one._call(inputs, task)
            outputs = outputs_of(found, _is_float)
            loss: Tensor = task.loss_of(found, outputs, projections, inputs)
            results: dict[str, Tensor] = {**outputs, "loss": loss}
            if parameters and loss.requires_grad:
                gradients = torch.autograd.grad(loss, list(parameters.values()), allow_unused=True)
                pairs = zip(parameters.items(), gradients, strict=True)
                known = {name: gradient for (name, _), gradient in pairs if gradient is not None}
                results |= {f"gradient {name}": gradient for name, gradient in known.items()}
                if task.optimizer is not None:
                    recorder.phase = "update"
                    results |= one._updated(task.optimizer, known)
            if task.mode == "train":
                results |= {f"updated {name}": b for name, b in one._statistics().items()}
        return recorder.finished(results)

    def _updated(self, optimizer: Any, gradients: Mapping[str, Tensor]) -> dict[str, Tensor]:
        parameters = self._trained()
        made = optimizer(list(parameters.values()))
        if not isinstance(made, torch.optim.Optimizer):
            raise InputError(
                "the optimizer of a model in PyTorch is a function of the parameters that returns a "
                f"torch.optim.Optimizer; it returned {type(made).__name__}"
            )
        for parameter in parameters.values():
            parameter.requires_grad_(False)  # it is changed in place
        for group in made.param_groups:
            group["foreach"] = group["fused"] = False  # one parameter after the other can be seen
            if "differentiable" in group:
                group["differentiable"] = (
                    True  # what is computed of the number of steps can be seen
                )
        for factor in GRADIENTS:
            for name, parameter in parameters.items():
                gradient = gradients.get(name)
                parameter.grad = None if gradient is None else factor * gradient
            made.step()
        results = {f"updated {name}": parameter for name, parameter in parameters.items()}
        for name, parameter in parameters.items():
            for key, value in made.state.get(parameter, {}).items():
                if isinstance(value, Tensor) and value.shape == parameter.shape:
                    results[f"updated {key} {name}"] = value
        return results

    def _call(self, inputs: Mapping[str, Tensor], task: Task) -> Any:
        first = () if self._module is not None else (self._tree,)
        how = {} if self._module is not None else told(self._function, task.mode)
        given, by_name = task.given_to(self.signature(), inputs)
        return self._function(*first, *given, **by_name, **how)

    def _parameters(self) -> dict[str, Tensor]:
        if self._module is not None:
            return dict(self._module.named_parameters())
        return {k: v for k, v in named(self._tree).items() if isinstance(v, Tensor)}

    def _trained(self) -> dict[str, Tensor]:
        return {k: p for k, p in self._parameters().items() if p.requires_grad}

    def _statistics(self) -> dict[str, Tensor]:
        if self._module is None:
            return {}
        buffers = self._module.named_buffers()
        return {name: b for name, b in buffers if name.rpartition(".")[2] in _STATISTICS}

    def _learned(self) -> dict[str, Tensor]:
        return self._parameters() | self._statistics()

    def _widen(self) -> None:
        if self._module is not None:
            self._module.double()
            return
        known: dict[int, Tensor] = {}

        def wide(tensor: Any) -> Any:
            if not isinstance(tensor, Tensor) or not tensor.is_floating_point():
                return tensor
            if id(tensor) not in known:
                known[id(tensor)] = tensor.detach().double().requires_grad_(True)
            return known[id(tensor)]

        self._tree = mapped(wide, self._tree)

    def _set(self, mode: Mode | None) -> None:
        if self._module is None:
            if not any(p.requires_grad for p in self._parameters().values()):
                for tensor in self._parameters().values():
                    if tensor.is_floating_point():
                        tensor.requires_grad_(True)
            return
        self._module.train(mode == "train")
        for module in self._module.modules():
            _without_dropout(module)


def _without_dropout(module: nn.Module) -> None:
    """What is drawn at random in two frameworks cannot be compared: nothing is dropped."""
    if isinstance(module, nn.modules.dropout._DropoutNd):
        module.p = 0.0
    elif isinstance(vars(module).get("dropout"), float):
        vars(module)["dropout"] = 0.0  # a plain number, of which torch's annotations know nothing


def _tensor(value: Array, dtype: torch.dtype | None = None) -> Tensor:
    tensor = torch.from_numpy(np.array(value))
    if not tensor.is_floating_point():
        return tensor
    return tensor.to(dtype or torch.float64)


def _is_float(value: Any) -> bool:
    return isinstance(value, Tensor) and value.is_floating_point()


@contextmanager
def _one_thread() -> Iterator[None]:
    """Compute on one thread: sums are then made in the same order every time."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def _by_default(native: bool) -> Iterator[None]:
    """Make in float64 what the program makes without saying in which format, as it has it in float32 otherwise.

    The lowest number of float64, say, which masks, is no number of float32.
    """
    before = torch.get_default_dtype()
    torch.set_default_dtype(before if native else torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(before)
