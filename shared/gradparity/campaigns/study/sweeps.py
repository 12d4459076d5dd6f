"""The sweeps of the study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...experiments import experiment
from ...sweep.plan import Plan, make_plan

SEEDS = 512
FEW = 64
"""The number of members of the one row that needs half a million epochs."""


@dataclass(frozen=True)
class Row:
    """One setting of one experiment, in many members.

    Attributes:
        label: the setting in words.
        experiment: the experiment's name.
        values: the changes to it, by path in its file.
        fresh_data: True if each member has its own points.
        seeds: a smaller number of members than in the other rows; None for the same number.
        known: earlier measurements, from before this program: `success`, `losses` by epoch, `epochs` (the median
            to success).
    """

    label: str
    experiment: str
    values: Mapping[str, Any] = field(default_factory=dict)
    fresh_data: bool = False
    seeds: int | None = None
    known: Mapping[str, Any] = field(default_factory=dict)

    def plan(self, implementation: str, seeds: int) -> Plan:
        """Return the sweep of this row."""
        grid = {path: [value] for path, value in self.values.items()}
        members = min(seeds, self.seeds or seeds)
        return make_plan(
            experiment.load(self.experiment),
            implementation,
            members,
            grid,
            fresh_data=self.fresh_data,
        )


def _losses(*values: float) -> dict[str, Any]:
    return dict(zip(("1000", "2000", "5000", "10000"), values, strict=True))


ASSIGNMENT = (
    Row(
        "linear, rate 0.1",
        "linear",
        {},
        True,
        None,
        {"success": 0.705, "losses": _losses(3.9e-3, 1.6e-3, 3.7e-4, 1.2e-4)},
    ),
    Row(
        "XOR, rate 0.1",
        "xor",
        {},
        False,
        None,
        {"success": 0.984, "losses": _losses(0.229, 0.058, 1.4e-3, 3.0e-4)},
    ),
    Row(
        "linear, rate 0.05",
        "linear-half-rate",
        {},
        True,
        None,
        {"success": 0.773, "losses": _losses(7.2e-3, 3.6e-3, 1.1e-3, 3.7e-4)},
    ),
    Row(
        "XOR, rate 0.05",
        "xor-half-rate",
        {},
        False,
        None,
        {"success": 0.979, "losses": _losses(0.247, 0.229, 0.024, 1.4e-3)},
    ),
    Row(
        "linear, 10/10 hidden units",
        "linear-wide",
        {},
        True,
        None,
        {"success": 0.867, "losses": _losses(3.5e-3, 1.4e-3, 3.3e-4, 1.1e-4)},
    ),
    Row(
        "XOR, 10/10 hidden units",
        "xor-wide",
        {},
        False,
        None,
        {"success": 1.0, "losses": _losses(0.039, 4.4e-3, 6e-4, 2e-4)},
    ),
    Row(
        "linear, no activation",
        "linear-no-activation",
        {"training.epochs": 10000},
        True,
        None,
        {"success": 0.0},
    ),
    Row(
        "XOR, no activation",
        "xor-no-activation",
        {"training.epochs": 10000},
        False,
        None,
        {"success": 0.0},
    ),
)
"""Sections 4-1 to 4-3, in every implementation."""


def _rule(rate: float, epochs: int, **optimizer: Any) -> dict[str, Any]:
    return {
        "training.optimizer": optimizer,
        "training.learning_rate": rate,
        "training.epochs": epochs,
    }


OPTIMIZERS = (
    Row("gradient descent, rate 1", "xor", _rule(1.0, 12000, name="sgd"), known={"epochs": 4900}),
    Row(
        "momentum 0.9, rate 0.1",
        "xor",
        _rule(0.1, 12000, name="sgd", momentum=0.9),
        known={"epochs": 5000},
    ),
    Row(
        "momentum 0.9, rate 1",
        "xor",
        _rule(1.0, 4000, name="sgd", momentum=0.9),
        known={"epochs": 600},
    ),
    Row(
        "Nesterov 0.9, rate 0.1",
        "xor",
        _rule(0.1, 12000, name="sgd", momentum=0.9, nesterov=True),
        known={"epochs": 5000},
    ),
    Row(
        "Nesterov 0.9, rate 1",
        "xor",
        _rule(1.0, 4000, name="sgd", momentum=0.9, nesterov=True),
        known={"epochs": 600},
    ),
    Row("Adagrad, rate 1", "xor", _rule(1.0, 4000, name="adagrad"), known={"epochs": 400}),
    Row("RMSProp, rate 0.01", "xor", _rule(0.01, 4000, name="rmsprop"), known={"epochs": 900}),
    Row("Adam, rate 0.01", "xor", _rule(0.01, 4000, name="adam"), known={"epochs": 1200}),
    Row("Adam, rate 0.1", "xor", _rule(0.1, 4000, name="adam"), known={"epochs": 200}),
)
"""Section 5-1."""

SCALES = (
    *(
        Row(f"{scheme.replace('_', ' ')}", "xor", {"initial.scheme": scheme}, known=known)
        for scheme, known in (
            ("standard_normal", {"success": 0.984}),
            ("uniform", {"success": 0.94}),
            ("xavier", {"success": 0.91}),
            ("he", {}),
            ("torch_default", {"success": 0.40}),
        )
    ),
    *(
        Row(f"standard normal × {scale:g}", "xor", {"initial.scale": scale})
        for scale in (0.25, 0.5, 2.0, 4.0)
    ),
)
"""The size of the initial weights."""

GRADIENT = (
    Row("XOR, N/2 times the true gradient, rate 0.1", "xor"),
    Row(
        "XOR, the true gradient, rate 0.1",
        "xor",
        {"training.learning_rate": 0.1, "training.epochs": 120000},
        known={"epochs": 48800},
    ),
    Row("linear, N/2 times the true gradient, rate 0.1", "linear", {}, True),
    Row(
        "linear, the true gradient, rate 0.1",
        "linear",
        {"training.learning_rate": 0.1, "training.epochs": 600000},
        True,
        FEW,
        {"epochs": 348500},
    ),
)
"""The effect of leaving out the factor 2/N of the mean, at the same learning rate."""

_OUTPUT = {"network.layers[2].activation": "sigmoid"}
_BIASES = {f"network.layers[{k}].bias": True for k in range(3)}

RELU = (
    Row("ReLU on every layer, rate 0.1", "xor-relu", {"training.epochs": 4000}),
    Row("He's initial weights", "xor-relu", {"initial.scheme": "he", "training.epochs": 4000}),
    Row("rate 0.01", "xor-relu", {"training.learning_rate": 0.105, "training.epochs": 12000}),
    Row("sigmoid on the output", "xor-relu", _OUTPUT | {"training.epochs": 4000}),
    Row("sigmoid on the output, biases", "xor-relu", _OUTPUT | _BIASES | {"training.epochs": 4000}),
    Row(
        "sigmoid on the output, biases, width 10",
        "xor-relu-mended",
        {"initial.scheme": "standard_normal", "training.epochs": 4000},
    ),
    Row(
        "all of these and He's initial weights",
        "xor-relu-mended",
        {"training.epochs": 4000},
        known={"success": 0.996},
    ),
    Row("the same with leaky ReLU", "xor-leaky-relu", {"training.epochs": 4000}),
    Row("tanh, sigmoid on the output, biases, width 4", "xor-tanh", {"training.epochs": 4000}),
)
"""Section 5-2: one thing fixed after another."""

TABLES: Mapping[str, Sequence[Row]] = {
    "optimizers": OPTIMIZERS,
    "initial_scale": SCALES,
    "gradient": GRADIENT,
    "relu": RELU,
}
"""The tables that are computed in the first implementation only."""
