"""Planted faults: mistakes written into the source of a correct implementation, as a programmer would make them.

They share no code with `mistakes`, which names them. Each is a change of one or two lines of the NumPy
implementation; `{here}` in a new line stands for the condition that this is the layer to make it in.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from .. import registry
from ..boundary import Guarded

FILES = ("__init__", "model", "gradients", "optimizers", "train", "ensemble")

_ACTIVATIONS = "activations = forward(network, params, inputs)"
_D_A = "d_a = LOSS_GRADIENTS[network.loss](predictions, targets)"
_D_Z = "d_z = d_a * DERIVATIVES[layer.activation](a_out)"
_WEIGHT = "weight_grad = (rows.mT @ d_z).reshape(weight.shape)"
_BIAS = "bias_grad = None if bias is None else d_z.sum(-2)"
_DOWN = "d_a = fold(layer, d_z @ matrix(layer, weight).mT, shape)"
_LOSS = "return np.mean((predictions - targets) ** 2, axis=(-2, -1))"
_Z = "z = unfold(layer, shape_in, a) @ matrix(layer, weight)"
_Z_BIAS = "z = z + bias[..., None, :]"
_A = "a = ACTIVATIONS[layer.activation](z).reshape(*z.shape[:-2], -1, *shape_out)"
_BATCH = "batch = schedule.batch(state.updates)"
_CALL = "loss, grads = loss_and_grads(network, params, inputs[batch], targets[batch])"
_UPDATE = "state = update(schedule, params, grads, state)"
_SGD = "case SGD(momentum=0.0):\n            w -= rate * g"
_RECORD = "losses.append(loss)"


@dataclass(frozen=True)
class Patch:
    """A line of one of the files, and what stands there instead."""

    file: str
    old: str
    new: str


@dataclass(frozen=True)
class Fault:
    """A planted fault and what it should be called.

    Attributes:
        name: what it is, in words.
        patches: the lines changed.
        mistake: the name in the catalogue; empty for a mere factor, or for what has no algebra.
        factor: the name of the factor on top.
        layer: where it was planted: None for everywhere, or for a fault that is not made by layer.
        reduced: whether the class "reduced precision" is the right answer.
    """

    name: str
    patches: tuple[Patch, ...]
    mistake: str = ""
    factor: str = "1"
    layer: int | None = None
    reduced: bool = False

    def __str__(self) -> str:
        return self.name if self.layer is None else f"{self.name}, layer {self.layer}"

    def with_factor(self, other: Fault) -> Fault:
        """This fault with a factor on top."""
        return Fault(
            f"{self.name} × {other.name}",
            (*self.patches, *other.patches),
            self.mistake,
            other.factor,
            self.layer,
        )


def _gradient(old: str, new: str) -> Patch:
    return Patch("gradients", old, new)


FACTORS = (
    Fault("missing 2/(N·outputs)", (_gradient(_D_A, "d_a = predictions - targets"),), factor="N·outputs/2"),
    Fault("missing 2", (_gradient(_D_A, "d_a = (predictions - targets) / predictions.size"),), factor="½"),
    Fault("missing ½", (_gradient(_D_A, "d_a = 4.0 * (predictions - targets) / predictions.size"),), factor="2"),
    Fault("missing 1/N", (_gradient(_D_A, "d_a = 2.0 * (predictions - targets) / targets.shape[1]"),), factor="N"),
    Fault("sum for mean", (_gradient(_D_A, "d_a = 2.0 * (predictions - targets)"),), factor="N·outputs"),
    Fault("mean over the batch, not over outputs", (_gradient(_D_A, "d_a = 2.0 * (predictions - targets) / len(targets)"),), factor="outputs"),
    Fault("wrong sign", (_gradient(_D_A, "d_a = 2.0 * (targets - predictions) / predictions.size"),), factor="-1"),
)  # fmt: skip

_IF = "{new} if {here} else {right}"


def _by_layer(
    name: str, old: str, new: str, mistake: str, *, lowest: int = 0, highest: int = 2
) -> list[Fault]:
    """The fault in every layer, in each single one, and in the output layer (-1)."""
    target, _, right = old.partition(" = ")
    everywhere = Fault(name, (_gradient(old, f"{target} = {new}"),), mistake)
    single = [
        Fault(
            name,
            (
                _gradient(
                    old, f"{target} = ({new}) if {_here('weight', k, '.weight')} else ({right})"
                ),
            ),
            mistake,
            layer=k,
        )
        for k in (*range(lowest, highest + 1), -1)
    ]
    return [everywhere, *single]


def _here(variable: str, layer: int, field: str = "") -> str:
    return f"any({variable} is p{field} for p in params[{layer}:][:1])"


def _forward(
    name: str, old: str, new: str, mistake: str, *, reduced: bool = False, backward: str = ""
) -> list[Fault]:
    """The fault in the forward pass, in every layer and in single ones; `backward` replaces σ' to match."""
    target, _, right = old.partition(" = ")
    faults = []
    for layer in (None, 0, 1, -1):
        here = "True" if layer is None else _here("weight", layer, ".weight")
        patches = [Patch("model", old, f"{target} = ({new}) if {here} else ({right})")]
        if backward:
            patches.append(
                _gradient(_D_Z, f"d_z = d_a * ({backward} if {here} else a_out * (1.0 - a_out))")
            )
        faults.append(Fault(name, tuple(patches), mistake, layer=layer, reduced=reduced))
    return faults


_ZS = "(a_in @ weight + (0.0 if bias is None else bias))"
_SIG = "1.0 / (1.0 + np.exp(-{}))"

BY_LAYER: tuple[Fault, ...] = (
    *_by_layer("missing σ'", _D_Z, "d_a", "σ' is missing"),
    *_by_layer("doubled σ'", _D_Z, "d_a * (a_out * (1.0 - a_out)) ** 2", "σ' is applied twice"),
    *_by_layer("σ' on z", _D_Z, f"d_a * {_ZS} * (1.0 - {_ZS})", "σ' = a (1 - a) is given z for a"),
    *_by_layer("σ' on a", _D_Z, f"d_a * {_SIG.format('a_out')} * (1.0 - {_SIG.format('a_out')})", "σ'(z) is given a for z"),
    *_by_layer("tanh' for σ'", _D_Z, "d_a * (1.0 - a_out**2)", "tanh' in place of σ'"),
    *_by_layer("σ' of the wrong layer", _D_Z, "d_a * (a_in * (1.0 - a_in) if a_in.shape == a_out.shape else a_out * (1.0 - a_out))", "σ' of the layer below", lowest=1),
    *_by_layer("σ' missing in the weight gradient", _WEIGHT, "a_in.T @ d_a", "σ' is missing in the weight gradient only"),
    *_by_layer("σ' missing in what is passed down", _DOWN, "d_a @ weight.T", "σ' is missing in what is passed down", lowest=1),
    *_by_layer("transposed weight", _DOWN, "d_z @ (weight if weight.shape[0] == weight.shape[1] else weight.T)", "the weight is transposed in back-propagation", lowest=1),
    *_by_layer("bias gradient missing", _BIAS, "None if bias is None else 0.0 * d_z.sum(0)", "the bias gradient is missing"),
    *_by_layer("bias gradient averaged", _BIAS, "None if bias is None else d_z.mean(0)", "the bias gradient is averaged over the samples"),
    *_by_layer("bias gradient of the last sample", _BIAS, "None if bias is None else d_z[-1]", "the bias gradient is the last sample's"),
    *_by_layer("detached layer", _DOWN, "0.0 * (d_z @ weight.T)", "the layer is detached: no gradient reaches the layers below", lowest=1)[1:],
)  # fmt: skip

_RATE = (
    Patch("gradients", "from .model import forward, matrix, sigmoid, unfold", "from .model import forward, matrix, sigmoid, unfold\n\nrate = 0.0"),
    Patch("train", _CALL, f"from . import gradients\n\n        gradients.rate = schedule.learning_rate\n        {_CALL}\n        gradients.rate = 0.0"),
)  # fmt: skip

WHOLE: tuple[Fault, ...] = (
    Fault(
        "gradient after the update above",
        (*_RATE, _gradient(_DOWN, "d_a = d_z @ (weight - rate * weight_grad).T")),
        "the gradient is computed after the layer above was updated",
    ),
    Fault(
        "dropped sample",
        (_gradient(_D_A, _D_A + "; d_a[-1] = 0.0"),),
        "the last sample is dropped, the mean still divides by N",
    ),
    Fault(
        "dropped sample, counted out",
        (_gradient(_ACTIVATIONS, "if len(inputs) > 1:\n        inputs, targets = inputs[:-1], targets[:-1]\n    " + _ACTIVATIONS),),
        "the last sample is dropped",
    ),
    Fault(
        "broadcast (N,) against (N, 1)",
        (
            _gradient(_D_A, "d_a = 2.0 * ((predictions - targets.ravel()).mean(1, keepdims=True) if targets.shape[1] == 1 else (predictions - targets) / targets.shape[1]) / len(targets)"),
            _gradient(_LOSS, "return np.mean((predictions - (targets.ravel() if targets.shape[1] == 1 else targets)) ** 2)"),
        ),
        "predictions (N, 1) and targets (N,) broadcast to (N, N)",
    ),
)  # fmt: skip

_F32 = "(a.astype(np.float32) @ weight.astype(np.float32)).astype(a.dtype)"

FORWARD: tuple[Fault, ...] = (
    *_forward("tanh for σ", _A, "np.tanh(z)", "tanh in place of the sigmoid", backward="(1.0 - a_out**2)"),
    *_forward("tanh for σ, σ' kept", _A, "np.tanh(z)", "tanh in place of the sigmoid, the sigmoid's derivative kept"),
    *_forward("ReLU for σ", _A, "np.maximum(z, 0.0)", "ReLU in place of the sigmoid", backward="(a_out > 0.0)"),
    *_forward("no activation", _A, "z", "no activation in place of the sigmoid", backward="1.0"),
    *_forward("bias forgotten", _Z_BIAS, "z", "the bias is left out"),
    *_forward("float32 matmul", _Z, _F32, "", reduced=True),
    *_forward("float16 matmul", _Z, _F32.replace("float32", "float16"), "", reduced=True),
)  # fmt: skip

REDUCED: tuple[Fault, ...] = (
    *(
        Fault(fault.name, fault.patches, layer=fault.layer, reduced=True)
        for fault in (
            *_by_layer("float32 weight gradient", _WEIGHT, "(a_in.astype(np.float32).T @ d_z.astype(np.float32)).astype(d_z.dtype)", ""),
            *_by_layer("float32 passed down", _DOWN, "(d_z.astype(np.float32) @ weight.T.astype(np.float32)).astype(d_z.dtype)", "", lowest=1),
        )
    ),
)  # fmt: skip

TRAINING: tuple[Fault, ...] = (
    Fault(
        "accumulated gradient",
        (Patch("train", _CALL, f"{_CALL}\n        kept_grads = grads if not losses else map_params(np.add, grads, kept_grads)\n        grads = kept_grads"),),
        "the gradient is accumulated: it is not set to zero between updates",
    ),
    Fault(
        "stale gradient",
        (Patch("train", _CALL, f"{_CALL}\n        grads, stale = (grads if not losses else stale), grads"),),
        "the gradient is stale: that of the update before",
    ),
    Fault(
        "unshuffled batches",
        (Patch("train", _BATCH, f"{_BATCH}\n        if schedule.batch_size is not None:\n            batch = slice(state.updates % schedule.updates_per_epoch * schedule.batch_size, (state.updates % schedule.updates_per_epoch + 1) * schedule.batch_size)"),),
        "the batches are not shuffled",
    ),
    Fault(
        "the first epoch's order throughout",
        (Patch("train", _BATCH, "batch = schedule.batch(state.updates % schedule.updates_per_epoch)"),),
        "the first epoch's batches are used in every epoch",
    ),
    Fault(
        "all data in each step",
        (Patch("train", _BATCH, "batch = slice(None)"),),
        "all samples in place of the batch",
    ),
    Fault(
        "skipped update",
        (Patch("optimizers", _SGD, f"{_SGD} * 0.0"),),
        "the update is skipped",
    ),
    Fault(
        "one sample at a time",
        (Patch("train", _CALL, f"{_CALL}\n        for row in np.arange(len(inputs))[batch][:-1]:\n            update(schedule, params, loss_and_grads(network, params, inputs[[row]], targets[[row]])[1], state)\n        grads = loss_and_grads(network, params, inputs[batch][-1:], targets[batch][-1:])[1]"),),
        "an update after every sample",
    ),
    Fault(
        "loss recorded after the update",
        (Patch("train", _RECORD, "pass"), Patch("train", _UPDATE, f"{_UPDATE}\n        losses.append(float(LOSSES[network.loss](forward(network, params, inputs[batch])[-1], targets[batch])))")),
        "the loss after the update, not before it",
    ),
    Fault(
        "learning rate halved",
        (Patch("optimizers", _SGD, _SGD.replace("rate * g", "0.5 * rate * g")),),
        factor="½",
    ),
)  # fmt: skip

STRUCTURES = (*BY_LAYER, *WHOLE)
FAULTS = (*FACTORS, *STRUCTURES, *FORWARD, *REDUCED, *TRAINING)


def pairs() -> Iterator[Fault]:
    """Each structural fault of the gradient with each factor on top."""
    for fault in BY_LAYER:
        for factor in FACTORS:
            yield fault.with_factor(factor)


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
