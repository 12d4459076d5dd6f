"""The sections of an experiment's file, each validated separately."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationInfo,
    field_validator,
)
from pydantic_core import PydanticCustomError

from ..contract import (
    LOSS_KINDS,
    SGD,
    Activation,
    Adagrad,
    Adam,
    Conv,
    Dense,
    Loss,
    Optimizer,
    RMSProp,
)
from . import datasets, initial

Count = Annotated[int, Field(strict=True, ge=1)]
Seed = Annotated[int, Field(strict=True, ge=0)]
Positive = Annotated[float, Field(strict=True, gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False)]
BelowOne = Annotated[float, Field(strict=True, ge=0, lt=1)]
Flag = Annotated[bool, Field(strict=True)]


def invalid(path: str, message: str) -> PydanticCustomError:
    """Return the error for a mistake at this path of the file."""
    return PydanticCustomError("mistake", "{message}", {"path": path, "message": message})


class Section(BaseModel):
    """Base of all sections: frozen, and unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class _Dataset(Section):
    def load(self) -> tuple[datasets.Inputs, datasets.Targets]:
        """Return inputs and targets, in float64."""
        raise TypeError(type(self).__name__)

    @property
    def sizes(self) -> tuple[int, tuple[int, ...], int]:
        """The number of samples, the shape of a sample, and the number of its targets."""
        inputs, targets = self.load()
        return len(inputs), inputs.shape[1:], targets.shape[1]


class LinearDataset(_Dataset):
    """Points in the unit square, split by its rising diagonal."""

    name: Literal["linear"]
    samples: Count = 100
    seed: Seed

    def load(self) -> tuple[datasets.Inputs, datasets.Targets]:
        """Return inputs and targets, in float64."""
        return datasets.linear(self.samples, self.seed)


class XorDataset(_Dataset):
    """21 points on the diagonals of the unit square."""

    name: Literal["xor"]

    def load(self) -> tuple[datasets.Inputs, datasets.Targets]:
        """Return inputs and targets, in float64."""
        return datasets.xor()


class BarsDataset(_Dataset):
    """Bars and stripes: images of whole columns, or of whole rows."""

    name: Literal["bars"]
    size: Annotated[int, Field(strict=True, ge=2, le=8)] = 4

    def load(self) -> tuple[datasets.Inputs, datasets.Targets]:
        """Return inputs and targets, in float64."""
        return datasets.bars(self.size)


class DigitsDataset(_Dataset):
    """scikit-learn's handwritten digits; those not drawn for training are left for a test."""

    name: Literal["digits"]
    samples: Annotated[int, Field(strict=True, ge=1, le=datasets.DIGITS)] = 1200
    seed: Seed = 0

    def load(self) -> tuple[datasets.Inputs, datasets.Targets]:
        """Return inputs and targets, in float64."""
        return datasets.digits(self.samples, self.seed)[0]

    @property
    def sizes(self) -> tuple[int, tuple[int, ...], int]:
        """The same numbers, known without scikit-learn, which contains the images."""
        return self.samples, (8, 8, 1), 10


Dataset = LinearDataset | XorDataset | BarsDataset | DigitsDataset


class DenseSection(Section):
    """One dense layer."""

    units: Count
    activation: Activation = "sigmoid"
    bias: Flag = True

    def layer(self) -> Dense:
        """Return the contract's `Dense`."""
        return Dense(self.units, self.activation, self.bias)


class ConvSection(Section):
    """One convolution."""

    channels: Count
    kernel: tuple[Count, Count] = (3, 3)
    stride: Count = 1
    padding: Annotated[int, Field(strict=True, ge=0)] = 0
    activation: Activation = "relu"
    bias: Flag = True

    def layer(self) -> Conv:
        """Return the contract's `Conv`."""
        return Conv(
            self.channels, self.kernel, self.stride, self.padding, self.activation, self.bias
        )


def _kind_of_layer(layer: Any) -> str:
    conv = isinstance(layer, ConvSection) or (isinstance(layer, dict) and "channels" in layer)
    return "conv" if conv else "dense"


AnyLayer = Annotated[
    Annotated[DenseSection, Tag("dense")] | Annotated[ConvSection, Tag("conv")],
    Discriminator(_kind_of_layer),
]


class NetworkSection(Section):
    """The layers, output last, and the loss."""

    layers: tuple[AnyLayer, ...]
    loss: Loss = "mse"

    @field_validator("layers")
    @classmethod
    def _at_least_one(cls, layers: tuple[AnyLayer, ...]) -> tuple[AnyLayer, ...]:
        if not layers:
            raise invalid("network.layers", "a network needs at least one layer")
        return layers

    @field_validator("loss")
    @classmethod
    def _logits(cls, loss: Loss, info: ValidationInfo) -> Loss:
        kind = LOSS_KINDS[loss]
        if kind.takes_logits and (layers := info.data.get("layers")):
            last = len(layers) - 1
            if layers[last].activation != "identity":
                raise invalid(
                    f"network.layers[{last}].activation",
                    f'{loss} takes the outputs before σ or softmax: set activation = "identity"',
                )
            if kind.link == "softmax" and getattr(layers[last], "units", 2) < 2:
                raise invalid(f"network.layers[{last}].units", f"{loss} needs at least two classes")
        return loss


class InitialSection(Section):
    """The random initial weights."""

    scheme: initial.Scheme = "standard_normal"
    scale: Positive = 1.0
    seed: Seed


class SGDSection(Section):
    """Gradient descent, with momentum if it is above 0."""

    name: Literal["sgd"]
    momentum: BelowOne = 0.0
    nesterov: Flag = False

    @field_validator("nesterov")
    @classmethod
    def _needs_momentum(cls, nesterov: bool, info: ValidationInfo) -> bool:
        if nesterov and not info.data.get("momentum"):
            raise invalid("training.optimizer.nesterov", "it needs a momentum above 0")
        return nesterov

    def optimizer(self) -> Optimizer:
        """Return the contract's `SGD`."""
        return SGD(self.momentum, self.nesterov)


class AdagradSection(Section):
    """Adagrad."""

    name: Literal["adagrad"]
    epsilon: Positive = Adagrad.epsilon

    def optimizer(self) -> Optimizer:
        """Return the contract's `Adagrad`."""
        return Adagrad(self.epsilon)


class RMSPropSection(Section):
    """RMSProp."""

    name: Literal["rmsprop"]
    decay: BelowOne = RMSProp.decay
    epsilon: Positive = RMSProp.epsilon

    def optimizer(self) -> Optimizer:
        """Return the contract's `RMSProp`."""
        return RMSProp(self.decay, self.epsilon)


class AdamSection(Section):
    """Adam."""

    name: Literal["adam"]
    beta1: BelowOne = Adam.beta1
    beta2: BelowOne = Adam.beta2
    epsilon: Positive = Adam.epsilon

    def optimizer(self) -> Optimizer:
        """Return the contract's `Adam`."""
        return Adam(self.beta1, self.beta2, self.epsilon)


OptimizerSection = Annotated[
    SGDSection | AdagradSection | RMSPropSection | AdamSection, Field(discriminator="name")
]


def _by_name(optimizer: Any) -> Any:
    return {"name": optimizer} if isinstance(optimizer, str) else optimizer


class TrainingSection(Section):
    """The schedule. An optimizer may be given by its name alone."""

    optimizer: Annotated[OptimizerSection, BeforeValidator(_by_name)] = SGDSection(name="sgd")
    learning_rate: Positive
    weight_decay: NotNegative = 0.0
    decoupled: Flag = False
    epochs: Count
    batch_size: Count | None = None
    order_seed: Seed = 0


class AssignmentSection(Section):
    """The original assignment's figures for this experiment: shown next to the results, never used."""

    section: str
    learning_rate: Positive | None = None
    losses: dict[Annotated[str, Field(pattern=r"^[1-9][0-9]*$")], Positive] = {}
