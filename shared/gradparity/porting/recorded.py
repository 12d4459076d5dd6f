"""What one process finds out about its side of a pair: its recordings, and how it runs in its own format."""

from __future__ import annotations

import hashlib
import io
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..border import seed_generators
from ..errors import InputError
from ..tracing import layouts, packing
from ..tracing.recording import Recording
from .models import model
from .models.model import Mode, Model, Task, parameters_of
from .pair import Pair, called
from .result import Side

Array = NDArray[Any]

_SEED = 0


@dataclass(frozen=True)
class Run:
    """A side in one mode.

    Attributes:
        recording: in float64, casts to shorter formats included.
        double: the outputs in float64, with the program's own casts; empty if that cannot be run.
        native: outputs and gradients in the format of the model's parameters; empty if that cannot be run.
    """

    recording: Recording
    double: Mapping[str, Array]
    native: Mapping[str, Array]


@dataclass(frozen=True)
class Recorded:
    """A side of a pair.

    Attributes:
        framework: as `Model.framework`.
        formats: as `Model.formats`.
        weights: a digest of the original's weights, which must be the same for both sides.
        settings: what lowers the precision of products.
        defaults: the default arguments of its function, as text, by name.
        runs: by mode; the mode is empty for a model that knows none.
    """

    framework: str
    formats: str
    weights: str
    settings: tuple[str, ...]
    defaults: Mapping[str, str]
    runs: Mapping[str, Run]


def record(pair: Pair, side: Side) -> Recorded:
    """Build the models, and record one of them.

    Raises:
        InputError: a function of the pair or the model itself raised, or is not what it must be.
    """
    seed_generators(_SEED)  # whatever `original()` draws, it draws in both processes
    with _double_in_jax():
        original = model(called("original()", pair.original))
        if pair.perturb:
            original.perturb(np.random.default_rng(_SEED))
        weights = _digest(original.parameters())
        own, native = (original, original) if side == "original" else _ports(pair, original)
        task = Task(
            pair.batch(np.random.default_rng(_SEED)),
            None,
            {},
            pair.loss(side),
            pair.optimizer(side),
        )
        modes: tuple[Mode | None, ...] = ("eval", "train") if own.modes() else (None,)
        runs: dict[str, Run] = {}
        for mode in modes:
            runs[mode or ""] = _run(side, original, own, native, replace(task, mode=mode))
    settings, defaults = tuple(_settings()), _defaults(own)
    return Recorded(own.framework, native.formats, weights, settings, defaults, runs)


def _ports(pair: Pair, original: Model) -> tuple[Model, Model]:
    """Return the port of the original in float64, and of the original as it is.

    What a port computes of weights before it is called, or keeps beside them, is then in float64 as well: the sum of
    two biases, a table, an array in a closure. Where a port refuses one of the two, the other one stands for both.
    """
    found: list[Model] = []
    errors: list[InputError] = []
    for double in (True, False):
        try:
            found.append(model(called("port(original)", pair.port, original.given(double))))
        except InputError as error:
            errors.append(error)
    if not found:
        raise errors[-1]
    return found[0], found[-1]


def _run(side: Side, original: Model, own: Model, native: Model, task: Task) -> Run:
    """Run and record a side in one mode."""
    first = replace(task, mode=task.mode if original.modes() else None)
    expected = called("the original", original.run, first)
    found = expected if side == "original" else _in_double(own, native, task)
    if not found or not expected:
        which = side if not found else "original"
        raise InputError(f"the {which} returns no array of floating-point numbers")
    names = _names(expected, found)
    task = replace(task, projections=_projections(expected, found, names))
    recording = called(f"the {side}", own.record, task)
    outputs = {names.get(name, name): event for name, event in recording.outputs.items()}
    try:
        short = called(f"the {side}", native.run, replace(task, native=True))
    except InputError:  # a program that runs in float64 alone
        short = {}
    return Run(replace(recording, outputs=outputs), _by(found, names), _by(short, names))


def _in_double(port: Model, native: Model, task: Task) -> dict[str, Array]:
    """Return the port's outputs in float64."""
    try:
        return _outputs("the port", port, task)
    except InputError as error:
        try:
            _outputs("the port", native, replace(task, native=True))
        except InputError:
            raise error from None
        raise InputError(
            f"{error}; it is judged in float64, and there it does not run, though it does in {native.formats}: let it "
            "make what it makes, such as the first state of a loop, in the format of its inputs"
        ) from None


def _outputs(name: str, one: Model, task: Task) -> dict[str, Array]:
    found: dict[str, Array] = called(name, one.run, task)
    return found


@contextmanager
def _double_in_jax() -> Iterator[None]:
    if "jax" not in sys.modules:
        yield
        return
    with sys.modules["jax"].enable_x64(True):
        yield


def _digest(parameters: Mapping[str, Array]) -> str:
    digest = hashlib.sha256()
    for name, value in sorted(parameters.items()):
        digest.update(f"{name} {value.dtype} {value.shape} ".encode())
        digest.update(np.ascontiguousarray(value).tobytes())
    return digest.hexdigest()


def _names(expected: Mapping[str, Array], found: Mapping[str, Array]) -> dict[str, str]:
    """Return the original's name of each of the port's outputs: the same, or else the next of as many numbers."""
    names = {name: name for name in found if name in expected}
    left = [name for name in expected if name not in names]
    for name, value in found.items():
        if name not in names:
            same = next((one for one in left if expected[one].size == value.size), None)
            if same is not None:
                left.remove(same)
                names[name] = same
    return names


def _projections(
    expected: Mapping[str, Array], found: Mapping[str, Array], names: Mapping[str, str]
) -> dict[str, Array]:
    """Return the weights of each output in the loss, those of the original in the layout of the port's."""
    rng = np.random.default_rng(_SEED + 1)
    drawn = {name: rng.standard_normal(value.shape) for name, value in expected.items()}
    projections = {}
    for name, value in found.items():
        partner = names.get(name)
        if partner is None:
            projections[name] = np.zeros(value.shape)
        elif expected[partner].shape == value.shape:
            projections[name] = drawn[partner]
        else:
            near = layouts.nearest(expected[partner], value)
            layout = near[0] if near else layouts.reshaped(expected[partner].shape, value.shape)
            projections[name] = layout.apply(drawn[partner])
    return projections


def _by(values: Mapping[str, Array], names: Mapping[str, str]) -> dict[str, Array]:
    return {names.get(name, name): value for name, value in values.items()}


def _settings() -> Iterator[str]:
    """Yield the settings of the frameworks in use that make products less precise than their formats."""
    torch, jax = sys.modules.get("torch"), sys.modules.get("jax")
    if torch is not None:
        if torch.backends.cuda.matmul.allow_tf32:
            yield "torch.backends.cuda.matmul.allow_tf32 = True"
        if (precision := torch.get_float32_matmul_precision()) != "highest":
            yield f'torch.set_float32_matmul_precision("{precision}")'
    if jax is not None and (chosen := jax.config.jax_default_matmul_precision):
        yield f"jax_default_matmul_precision = {chosen}"


def _defaults(own: Model) -> dict[str, str]:
    simple = (bool, int, float, str, type(None))
    return {
        one.name: repr(one.default)
        for one in parameters_of(own.signature()).values()
        if one.default is not one.empty and isinstance(one.default, simple)
    }


# --- From one process to the other ----------------------------------------------------------------

_KINDS = ("double", "native")
_WITHOUT_RUNS = ("framework", "formats", "weights", "settings", "defaults")


def write(recorded: Recorded, folder: Path) -> dict[str, Any]:
    """Write a side's runs to a folder; return everything else as plain data."""
    names = []
    for at, run in enumerate(recorded.runs.values()):
        text, arrays = packing.pack(run.recording)
        for kind in _KINDS:
            arrays |= {f"{kind}/{name}": one for name, one in getattr(run, kind).items()}
        file = io.BytesIO()
        np.savez(
            file, allow_pickle=False, **{f"a{n}": one for n, one in enumerate(arrays.values())}
        )
        (folder / f"{at}.npz").write_bytes(file.getvalue())
        (folder / f"{at}.json").write_text(text, encoding="utf-8")
        names.append(list(arrays))
    rest = {name: getattr(recorded, name) for name in _WITHOUT_RUNS}
    return {**rest, "modes": list(recorded.runs), "arrays": names}


def read(found: Mapping[str, Any], folder: Path) -> Recorded:
    """Return what `write` wrote.

    Raises:
        InputError: it is damaged.
    """
    runs = {}
    for at, (mode, names) in enumerate(zip(found["modes"], found["arrays"], strict=True)):
        with np.load(folder / f"{at}.npz", allow_pickle=False) as file:
            arrays = {name: file[f"a{n}"] for n, name in enumerate(names)}
        text = (folder / f"{at}.json").read_text(encoding="utf-8")
        double, native = (
            {
                name.removeprefix(f"{kind}/"): array
                for name, array in arrays.items()
                if name.startswith(f"{kind}/")
            }
            for kind in _KINDS
        )
        runs[mode] = Run(packing.unpack(text, arrays), double, native)
    rest = {name: found[name] for name in _WITHOUT_RUNS} | {"settings": tuple(found["settings"])}
    return Recorded(**rest, runs=runs)
