"""An experiment: dataset, network, initial weights and training, in one TOML file."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import tomli_w
from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from . import datasets, initial
from .contract import (
    Activation,
    Batch,
    Dense,
    DType,
    Loss,
    Network,
    Optimizer,
    Params,
    Schedule,
    tensors,
)
from .errors import InputError

Count = Annotated[int, Field(strict=True, ge=1)]
Seed = Annotated[int, Field(strict=True, ge=0)]
Positive = Annotated[float, Field(strict=True, gt=0, allow_inf_nan=False)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LinearDataset(_Section):
    """Points in the unit square, split by its rising diagonal."""

    name: Literal["linear"]
    samples: Count = 100
    seed: Seed

    def load(self) -> tuple[datasets.Inputs, datasets.Targets]:
        """Inputs and targets, in float64."""
        return datasets.linear(self.samples, self.seed)


class XorDataset(_Section):
    """The 21 points of the homework."""

    name: Literal["xor"]

    def load(self) -> tuple[datasets.Inputs, datasets.Targets]:
        """Inputs and targets, in float64."""
        return datasets.xor()


class DenseLayer(_Section):
    """One dense layer."""

    units: Count
    activation: Activation = "sigmoid"
    bias: Annotated[bool, Field(strict=True)] = True


class NetworkSection(_Section):
    """The layers, output last."""

    layers: tuple[DenseLayer, ...]
    loss: Loss = "mse"

    @field_validator("layers")
    @classmethod
    def _at_least_one(cls, layers: tuple[DenseLayer, ...]) -> tuple[DenseLayer, ...]:
        if not layers:
            raise _mistake("network.layers", "a network needs at least one layer")
        return layers


class InitialSection(_Section):
    """How the initial weights are drawn."""

    scheme: initial.Scheme = "standard_normal"
    seed: Seed


class TrainingSection(_Section):
    """The schedule."""

    optimizer: Optimizer = "sgd"
    learning_rate: Positive
    epochs: Count
    batch_size: Count | None = None
    order_seed: Seed = 0


class HomeworkSection(_Section):
    """What the homework's report says of this experiment; shown beside ours, never used in it."""

    section: str
    learning_rate: Positive | None = None
    losses: dict[Annotated[str, Field(pattern=r"^[1-9][0-9]*$")], Positive] = {}


@dataclass(frozen=True, eq=False)
class Problem:
    """An experiment made concrete: the arrays and the schedule that every implementation is given."""

    network: Network
    params: Params
    inputs: Batch
    targets: Batch
    schedule: Schedule


class Experiment(_Section):
    """One experiment, frozen and validated. `name` is the file's."""

    name: str
    title: str
    about: str = ""
    dtype: DType = "float64"
    dataset: Annotated[LinearDataset | XorDataset, Field(discriminator="name")]
    network: NetworkSection
    initial: InitialSection
    training: TrainingSection
    homework: HomeworkSection | None = None

    @field_validator("network")
    @classmethod
    def _outputs_fit(cls, network: NetworkSection, info: ValidationInfo) -> NetworkSection:
        if dataset := info.data.get("dataset"):
            outputs, units = dataset.load()[1].shape[1], network.layers[-1].units
            if units != outputs:
                last = len(network.layers) - 1
                raise _mistake(
                    f"network.layers[{last}].units",
                    f"the last layer has {units} units, but a sample of '{dataset.name}' has {outputs} target(s)",
                )
        return network

    @field_validator("training")
    @classmethod
    def _batch_fits(cls, training: TrainingSection, info: ValidationInfo) -> TrainingSection:
        if (dataset := info.data.get("dataset")) and training.batch_size is not None:
            samples = len(dataset.load()[0])
            if training.batch_size > samples:
                raise _mistake(
                    "training.batch_size",
                    f"{training.batch_size} is more than the {samples} samples of '{dataset.name}'; "
                    "leave it out for the full batch",
                )
        return training

    def problem(self) -> Problem:
        """Draw data, weights and batch order; round them to the experiment's dtype."""
        inputs, targets = (array.astype(self.dtype) for array in self.dataset.load())
        network = Network(
            input_shape=inputs.shape[1:],
            layers=tuple(
                Dense(layer.units, layer.activation, layer.bias) for layer in self.network.layers
            ),
            loss=self.network.loss,
        )
        training = self.training
        schedule = Schedule(
            learning_rate=training.learning_rate,
            epochs=training.epochs,
            batch_size=training.batch_size,
            order=None
            if training.batch_size is None
            else initial.batch_order(len(inputs), training.epochs, training.order_seed),
            optimizer=training.optimizer,
        )
        params = initial.initial_params(network, self.initial.scheme, self.initial.seed, self.dtype)
        return Problem(network, params, inputs, targets, schedule)

    @property
    def fingerprint(self) -> str:
        """SHA-256 over all that determines the numbers: the settings, and the arrays drawn from the seeds.

        Title, text and the homework's figures do not count. The arrays do, so that a machine whose
        generator drew other points is not taken for one that trained wrongly.
        """
        settings = self.model_dump(mode="json", exclude={"name", "title", "about", "homework"})
        digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
        problem = self.problem()
        arrays = [problem.inputs, problem.targets, *tensors(problem.params)]
        arrays += [] if problem.schedule.order is None else [problem.schedule.order]
        for array in arrays:
            digest.update(f"{array.shape}{array.dtype.str}".encode())
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    def to_toml(self) -> str:
        """The experiment as a file that `load` reads back to an equal experiment."""
        return tomli_w.dumps(self.model_dump(mode="json", exclude={"name"}, exclude_none=True))


def load(name_or_path: str) -> Experiment:
    """The experiment of that name, or the one in that `.toml` file.

    Raises:
        InputError: there is none, or it has mistakes; every mistake is named with its path in the file.
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
    """Read an experiment from TOML text; `source` is what error messages call it."""
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
    """The experiments that come with the package, in alphabetical order."""
    return sorted(
        Path(file.name).stem for file in _folder().iterdir() if file.name.endswith(".toml")
    )


def _folder() -> Any:
    return resources.files(__package__) / "experiments"


def _mistake(path: str, message: str) -> PydanticCustomError:
    return PydanticCustomError("mistake", "{message}", {"path": path, "message": message})


def _describe(mistake: Mapping[str, Any], table: Any) -> str:
    """One line for one mistake: its path as the file spells it, what is wrong, and what stands there."""
    path, here = "", table
    for part in mistake["loc"]:
        if isinstance(part, int):
            path += f"[{part}]"
            here = here[part]
        elif isinstance(here, dict) and part in here:
            path, here = f"{path}.{part}", here[part]
        elif (
            part == mistake["loc"][-1]
        ):  # a missing key; pydantic's own tags inside a path are left out
            path = f"{path}.{part}"
    path = mistake.get("ctx", {}).get("path") or path.lstrip(".") or "the file"
    message = mistake["msg"][0].lower() + mistake["msg"][1:]
    found = "" if mistake["type"] in {"missing", "mistake"} else f", found {mistake['input']!r}"
    return f"  {path}: {message}{found}"
