"""An experiment: dataset, network, initial weights and training, in one TOML file."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tomli_w
from pydantic import Field, ValidationError, ValidationInfo, field_validator

from ..contract import DType, Network, Schedule, tensors
from ..errors import InputError
from ..problem import Problem
from . import initial
from .schema import (
    AssignmentSection,
    ConvSection,
    Dataset,
    InitialSection,
    NetworkSection,
    Section,
    TrainingSection,
    invalid,
)


class Experiment(Section):
    """One experiment, frozen and validated. `name` is the stem of its file."""

    name: str
    title: str
    about: str = ""
    dtype: DType = "float64"
    dataset: Annotated[Dataset, Field(discriminator="name")]
    network: NetworkSection
    initial: InitialSection
    training: TrainingSection
    assignment: AssignmentSection | None = None

    @field_validator("network")
    @classmethod
    def _shapes_fit(cls, network: NetworkSection, info: ValidationInfo) -> NetworkSection:
        if dataset := info.data.get("dataset"):
            _, shape, outputs = dataset.sizes
            for at, layer in enumerate(network.layers):
                if isinstance(layer, ConvSection):
                    if len(shape) != 3:
                        raise invalid(
                            f"network.layers[{at}]",
                            f"a convolution needs images, but what reaches it has the shape {shape}",
                        )
                    if any(
                        k > n + 2 * layer.padding
                        for k, n in zip(layer.kernel, shape[:2], strict=True)
                    ):
                        raise invalid(
                            f"network.layers[{at}].kernel",
                            f"{layer.kernel} is larger than the padded image {shape[:2]}",
                        )
                shape = Network(shape, (layer.layer(),)).shapes[-1]
            last = len(network.layers) - 1
            if isinstance(network.layers[last], ConvSection):
                raise invalid(f"network.layers[{last}]", "the last layer must be a dense one")
            if shape != (outputs,):
                raise invalid(
                    f"network.layers[{last}].units",
                    f"the last layer has {shape[0]} units, but a sample of '{dataset.name}' has {outputs} target(s)",
                )
        return network

    @field_validator("training")
    @classmethod
    def _batch_fits(cls, training: TrainingSection, info: ValidationInfo) -> TrainingSection:
        if (dataset := info.data.get("dataset")) and training.batch_size is not None:
            samples = dataset.sizes[0]
            if training.batch_size > samples:
                raise invalid(
                    "training.batch_size",
                    f"{training.batch_size} is more than the {samples} samples of '{dataset.name}'; "
                    "leave it out for the full batch",
                )
        return training

    @property
    def architecture(self) -> Network:
        """The contract's `Network`; needs no data."""
        layers = tuple(layer.layer() for layer in self.network.layers)
        return Network(self.dataset.sizes[1], layers, self.network.loss)

    def problem(self) -> Problem:
        """Draw data, weights and batch order; round them to the experiment's dtype."""
        inputs, targets = (array.astype(self.dtype) for array in self.dataset.load())
        network = self.architecture
        training = self.training
        schedule = Schedule(
            learning_rate=training.learning_rate,
            epochs=training.epochs,
            batch_size=training.batch_size,
            order=None
            if training.batch_size is None
            else initial.batch_order(len(inputs), training.epochs, training.order_seed),
            optimizer=training.optimizer.optimizer(),
            weight_decay=training.weight_decay,
            decoupled=training.decoupled,
        )
        params = initial.initial_params(
            network, self.initial.scheme, self.initial.seed, self.dtype, scale=self.initial.scale
        )
        return Problem(network, params, inputs, targets, schedule)

    @property
    def fingerprint(self) -> str:
        """The fingerprint of the experiment and the problem that it draws; see `fingerprint_of`."""
        return self.fingerprint_of(self.problem())

    def fingerprint_of(self, problem: Problem) -> str:
        """Return the SHA-256 of everything that determines the numbers: the settings, and the arrays of `problem`.

        Title, text and the original assignment's figures do not count. The arrays do, so that a machine
        whose generator drew other points is not mistaken for one that trained wrongly.
        """
        settings = self.model_dump(mode="json", exclude={"name", "title", "about", "assignment"})
        digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
        arrays = [problem.inputs, problem.targets, *tensors(problem.params)]
        arrays += [] if problem.schedule.order is None else [problem.schedule.order]
        for array in arrays:
            digest.update(f"{array.shape}{array.dtype.str}".encode())
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    def to_toml(self) -> str:
        """Return TOML text that `load` reads back to an equal experiment."""
        return tomli_w.dumps(self.model_dump(mode="json", exclude={"name"}, exclude_none=True))


def load(name_or_path: str) -> Experiment:
    """Load the experiment of that name, or the one in that `.toml` file.

    Raises:
        InputError: there is none, or it has mistakes; the message lists every mistake with its path in the file.
    """
    if name_or_path.endswith(".toml"):
        path = Path(name_or_path)
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
            raise InputError(f"cannot read the experiment '{path}': {reason}") from None
        return parse(text, name=path.stem, source=str(path))
    if name_or_path not in (known := names()):
        raise InputError(
            f"no experiment '{name_or_path}'; known: {', '.join(known)}; or give the path of a .toml file"
        )
    return parse(
        (_folder() / f"{name_or_path}.toml").read_text(encoding="utf-8"), name=name_or_path
    )


def parse(text: str, *, name: str, source: str | None = None) -> Experiment:
    """Read an experiment from TOML text; error messages call it `source`."""
    source = source or f"experiment '{name}'"
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{source} is not valid TOML: {error}") from None
    if "name" in table:
        raise InputError(f"{source} has a mistake:\n  name: leave it out, the file's name is used")
    try:
        return Experiment(name=name, **table)
    except ValidationError as error:
        mistakes = [_describe(mistake, table) for mistake in error.errors()]
        count = "a mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
        raise InputError(f"{source} has {count}:\n" + "\n".join(mistakes)) from None


def names() -> list[str]:
    """Return the names of the experiments that come with the package, in alphabetical order."""
    return sorted(
        Path(file.name).stem for file in _folder().iterdir() if file.name.endswith(".toml")
    )


def in_order() -> list[Experiment]:
    """Load the package's experiments in the order of the original assignment's sections; the others come last."""

    def position(one: Experiment) -> tuple[bool, str, str]:
        section = one.assignment.section if one.assignment else ""
        return one.assignment is None, section, one.name

    return sorted(map(load, names()), key=position)


def _folder() -> Any:
    return resources.files(__package__)


def _describe(mistake: Mapping[str, Any], table: Any) -> str:
    """Return a line for one mistake: its path in the file, the error, and the value found."""
    path, here = "", table
    for part in mistake["loc"]:
        if isinstance(part, int):
            path += f"[{part}]"
            here = here[part] if part < len(here) else None
        elif isinstance(here, dict) and part in here:
            path, here = f"{path}.{part}", here[part]
        elif part == mistake["loc"][-1] and isinstance(here, dict):
            path = f"{path}.{part}"  # a missing key; pydantic's own tags are left out
    path = mistake.get("ctx", {}).get("path") or path.lstrip(".") or "the file"
    message = mistake["msg"][0].lower() + mistake["msg"][1:]
    found = "" if mistake["type"] in {"missing", "mistake"} else f", found {mistake['input']!r}"
    return f"  {path}: {message}{found}"
