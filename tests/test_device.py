"""Where arrays are kept. No GPU is needed: torch's meta device stands in, which has shapes and no numbers."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from gradparity import device
from gradparity.cli import app
from gradparity.contract import Adam, map_params
from gradparity.errors import InputError
from gradparity.suites.extended import extended_suite

from .helpers import informative_case, submodule


class OneDevice(TorchFunctionMode):
    """Every tensor that a function of torch's takes is on the meta device, but for single numbers."""

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        for tensor in tree_leaves((args, kwargs)):
            if isinstance(tensor, torch.Tensor) and tensor.ndim and not tensor.is_meta:
                raise RuntimeError(f"{func.__name__} takes a tensor on the CPU")
        return func(*args, **(kwargs or {}))


@pytest.fixture
def meta() -> Iterator[None]:
    torch.set_default_device("meta")
    with OneDevice():
        yield
    torch.set_default_device(None)


def calls() -> dict[str, Callable[[Any], Any]]:
    """What an implementation offers, on a dense network and, but for ensembles, a convolution; with Adam's state."""
    found: dict[str, Callable[[Any], Any]] = {}
    dense = informative_case("float64", update=0)
    conv = next(
        case for where, case in extended_suite("float64") if where.startswith("convolution")
    )
    for kind, case in (("dense", dense), ("conv", conv)):
        data = case.network, case.params, case.inputs, case.targets
        schedule = replace(case.schedule, optimizer=Adam())
        found[f"{kind} forward"] = partial(_call, "forward", data[:3])
        found[f"{kind} loss_and_grads"] = partial(_call, "loss_and_grads", data)
        found[f"{kind} train"] = partial(_call, "train", (*data, schedule))
    members = map_params(lambda w: np.stack([w, w]), dense.params)
    several = dense.network, members, dense.inputs, dense.targets, dense.schedule
    return found | {"train_ensemble": partial(_call, "train_ensemble", several)}


def _call(function: str, arguments: Any, target: Any) -> Any:
    return getattr(target, function)(*arguments)


@pytest.mark.parametrize(
    ("name", "target"),
    # What compiles cannot do so for arrays without numbers.
    [*((name, "impl_torch") for name in calls()), ("dense loss_and_grads", "impl_torch.tuned")],
)
@pytest.mark.usefixtures("meta")
def test_torch_keeps_its_arrays_on_the_default_device(name: str, target: str) -> None:
    """All of them. The only thing missing is the numbers."""
    # `.numpy` and `.item` of such a tensor, at the very end of each call.
    with pytest.raises(RuntimeError, match="meta tensor"):
        calls()[name](submodule(target))


@pytest.mark.usefixtures("meta")
def test_an_array_on_another_device_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test above, on targets that stay on the CPU."""
    right, targets = torch.tensor, informative_case("float64").targets.shape[1]

    def planted(array: Any, **options: Any) -> Any:
        other = np.shape(array)[1:] == (targets,)
        return right(array, **(options | ({"device": "cpu"} if other else {})))

    monkeypatch.setattr(torch, "tensor", planted)
    with pytest.raises(RuntimeError, match="takes a tensor on the CPU"):
        calls()["dense train"](submodule("impl_torch"))


def test_a_device_that_is_not_there() -> None:
    with pytest.raises(InputError, match="neither torch nor JAX has a device 'abacus' here"):
        device.use_device("abacus")


@pytest.mark.parametrize("command", [["run", "xor"], ["bench", "--quick"]])
def test_the_command_line_says_so(
    command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["gradparity", *command, "--device", "abacus"])
    with pytest.raises(SystemExit) as ended:
        app.run()
    assert ended.value.code == 2
    assert "a device 'abacus'" in capsys.readouterr().err


def test_tf32_is_off_on_a_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """With frameworks that are there by name only."""
    backends = SimpleNamespace(
        cuda=SimpleNamespace(matmul=SimpleNamespace(allow_tf32=True)),
        cudnn=SimpleNamespace(allow_tf32=True),
    )
    set_to: dict[str, Any] = {}
    fake_torch = SimpleNamespace(
        cuda=SimpleNamespace(is_available=lambda: True, get_device_name=lambda: "NVIDIA Abacus"),
        backends=backends,
        set_default_device=lambda to: set_to.update(torch=to),
    )
    there = SimpleNamespace(device_kind="Abacus")
    fake_jax = SimpleNamespace(
        devices=lambda _: [there],
        config=SimpleNamespace(update=lambda key, value: set_to.update({key: value})),
    )
    monkeypatch.setitem(sys.modules, "torch", fake_torch)
    monkeypatch.setitem(sys.modules, "jax", fake_jax)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: True)
    assert device.use_device("cuda") == "NVIDIA Abacus, Abacus, TF32 off"
    assert set_to == {
        "torch": "cuda",
        "jax_default_device": there,
        "jax_default_matmul_precision": "highest",
    }
    assert not backends.cuda.matmul.allow_tf32
    assert not backends.cudnn.allow_tf32
