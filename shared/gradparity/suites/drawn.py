"""Draws over the whole domain of a target, beside the vetted configurations: fixed edges, numbers by seed.

A vetted configuration is chosen to tell mistakes apart; its numbers are tame. Here they are not: a program that clips,
that assumes a size, or that is right for one learning rate only is wrong in one of these draws.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

import numpy as np

from ..contract import Batch, Layer, Params
from ..experiments.initial import initial_params
from ..verdict.case import Case
from .core import Configuration, Level

_GAIN = 4.0
"""Weights of deviation 4/√fan_in: σ' is at most 1/4, so this keeps the signal of a deep network of sigmoids."""

_SATURATED = 12.0
"""Factor on the weights of a saturated unit: its |z| reaches about 40."""


_REACH = 40.0
"""The largest |z|. In float32 e^89 overflows, and the square of e^-44, of which autograd makes the slope of a quotient,
loses its digits: programs written like that are not wrong."""


class Domain(Protocol):
    """The networks and data that a target claims to run; None: no limit."""

    @property
    def widths(self) -> tuple[int, ...] | None:
        """The number of inputs, then the units of each layer."""

    @property
    def biases(self) -> tuple[bool, ...] | None:
        """True for each layer with a bias; a single value holds for all layers."""

    @property
    def samples(self) -> int | None:
        """The number of samples."""

    @property
    def learning_rate(self) -> float | None:
        """The learning rate."""


@dataclass(frozen=True)
class Regime:
    """How the numbers of a draw are drawn.

    Attributes:
        learning_rate: the learning rate.
        inputs: uniform in [-1, 1]; the same with many zeros and a row of zeros; up to 100, for a first layer of small
            weights; whole numbers up to 5; or 0 and 1.
        labels: uniform in [0.05, 0.95]; 0 and 1; one 1 in each sample; or up to 1,000, so that errors are large.
        saturated: True if about a third of the units of each hidden layer are saturated, on either side.
    """

    learning_rate: float
    inputs: Literal["", "inputs partly 0", "inputs up to 100", "whole inputs", "binary inputs"] = ""
    labels: Literal["", "labels 0 and 1", "one-hot labels", "targets up to 1,000"] = ""
    saturated: bool = False

    def __str__(self) -> str:
        saturated = "saturated units" if self.saturated else ""
        rate = f"learning rate {self.learning_rate:.3g}"
        return ", ".join(filter(None, [self.inputs, self.labels, saturated, rate]))

    def case(self, configuration: Configuration, dtype: str, seed: int) -> Case:
        """Draw weights, data and order for a configuration."""
        rng = np.random.default_rng([seed, *configuration.widths, configuration.samples])
        inputs = self._inputs(rng, (configuration.samples, configuration.widths[0]))
        targets = self._targets(rng, (configuration.samples, configuration.widths[-1]))
        schedule = configuration.schedule(self.learning_rate, seed)
        params = _within_reach(self._params(rng, configuration), inputs)
        case = Case(configuration.network, params, inputs, targets, schedule, configuration.update)
        return case.astype(dtype)

    def _inputs(self, rng: np.random.Generator, shape: tuple[int, int]) -> Batch:
        inputs: Batch = rng.uniform(-1, 1, shape)
        match self.inputs:
            case "inputs partly 0":
                inputs[rng.random(shape) < 0.3] = 0.0
                if len(inputs) > 2:
                    inputs[1] = 0.0
            case "inputs up to 100":
                inputs *= 100.0
            case "whole inputs":
                inputs = np.round(5 * inputs) + 0.0  # without -0
                inputs[0, 0] = 1.0
            case "binary inputs":
                inputs = (inputs > 0) * 1.0
                inputs[0] = 1.0
        return inputs

    def _targets(self, rng: np.random.Generator, shape: tuple[int, int]) -> Batch:
        match self.labels:
            case "labels 0 and 1":
                return rng.integers(0, 2, shape) * 1.0
            case "one-hot labels":
                return np.eye(shape[1])[rng.integers(0, shape[1], shape[0])]
            case "targets up to 1,000":
                return rng.uniform(-1e3, 1e3, shape)
        return rng.uniform(0.05, 0.95, shape)

    def _params(self, rng: np.random.Generator, configuration: Configuration) -> Params:
        network = configuration.network
        drawn = initial_params(network, "standard_normal", int(rng.integers(2**32)), "float64")
        params: list[Layer] = []
        for index, (weight, bias) in enumerate(drawn):
            scale = np.full(weight.shape[1], _GAIN / np.sqrt(len(weight)))
            if index == 0 and self.inputs in ("inputs up to 100", "whole inputs"):
                scale /= 100.0 if self.inputs == "inputs up to 100" else 5.0
            if self.saturated and index < len(drawn) - 1 and len(scale) > 1:
                scale[rng.permutation(len(scale))[: -(-len(scale) // 3)]] *= _SATURATED
            start = bias is not None and self.inputs == "binary inputs"
            params.append(Layer(weight * scale, np.zeros_like(bias) if start else bias))
        return tuple(params)


def _within_reach(params: Params, inputs: Batch) -> Params:
    """Shrink layers in which a |z| is larger than `_REACH`."""
    a, within = inputs, []
    for layer in params:
        z = a @ layer.weight + (0 if layer.bias is None else layer.bias)
        by = min(1.0, _REACH / float(np.max(np.abs(z))))
        within.append(Layer(by * layer.weight, None if layer.bias is None else by * layer.bias))
        a = 1 / (1 + np.exp(-by * z))
    return tuple(within)


_REGIMES = (
    Regime(0.1, "binary inputs", "labels 0 and 1"),
    Regime(4.0, "inputs partly 0", saturated=True),
    Regime(0.01, "inputs up to 100", "one-hot labels"),
    Regime(1e-3, labels="targets up to 1,000"),
    Regime(1.0, "whole inputs", "labels 0 and 1", saturated=True),
    Regime(30.0, labels="one-hot labels"),
)
"""Every way to draw numbers; no learning rate occurs twice. Biases are 0 where inputs are binary, as at a start."""

_EDGES = (
    Configuration((3, 5, 2), (True,), samples=12, batch_size=4, update=1),
    Configuration((2, 2, 3, 1), (False,), samples=5, batch_size=1, update=1),
    Configuration((3, 4, 2), (True,), samples=1),
    Configuration((3, 1, 2), (True,), samples=8, batch_size=4, update=0),
    Configuration((4, 5, 4, 6, 3, 4, 5, 3, 2), (True,), samples=10),
    Configuration((7, 100, 12), (True,), samples=150),
    Configuration((2, 6, 3), (True,), samples=300, batch_size=64, update=3),
    Configuration((1, 1), (True,), samples=6, batch_size=6, update=1),
)
"""Batches that divide N or are 1; N of 1, 150, 300; one hidden unit, depth 8, 100 units, 12 outputs, one weight."""

_FEW_EDGES = (
    Configuration((3, 1, 2), (True,), samples=5, batch_size=1, update=1),
    Configuration((7, 100, 4), (True,), samples=1),
    Configuration((4, 5, 4, 6, 3, 4, 5, 3, 2), (True,), samples=10),
    Configuration((2, 6, 3), (True,), samples=300, batch_size=60, update=3),
    Configuration((1, 1), (True,), samples=6, batch_size=6, update=1),
)
"""The same edges in fewer shapes, for a program that compiles and pays for each shape: it meets each more often."""

_DRAWS: dict[Level, int] = {"quick": 1, "default": 2, "thorough": 20}
"""Draws of numbers for each edge."""

_OTHERS: dict[Level, int] = {"quick": 0, "default": 12, "thorough": 120}
"""Draws of configurations beside the edges."""


def drawn(
    domain: Domain, dtype: str, level: Level = "default", *, few_shapes: bool = False
) -> Iterator[tuple[str, Case]]:
    """Yield draws over the domain, each with its description in words.

    With `few_shapes` the edges share shapes, and there are no configurations beside them.
    """
    edges = _edges(domain, _FEW_EDGES if few_shapes else _EDGES)
    # One network with one number of samples has a single edge, and must meet every regime there.
    count = max(len(_EDGES) * _DRAWS[level], len(_REGIMES))
    for number in range(count):
        # Edge by edge, one regime after the other: in each round an edge meets the next regime.
        turn, edge = divmod(number, len(edges))
        regime = _REGIMES[(edge + turn) % len(_REGIMES)]
        yield _case(number, edges[edge], regime, domain, dtype)
    for number in range(count, count + (0 if few_shapes else _OTHERS[level])):
        yield draw(domain, dtype, number)


def draw(domain: Domain, dtype: str, seed: int) -> tuple[str, Case]:
    """Draw a configuration and its numbers: any widths up to 100, depths up to 8, batches, regimes and rates."""
    rng = np.random.default_rng([seed, 1])
    regime = _REGIMES[rng.integers(len(_REGIMES))]
    regime = replace(regime, learning_rate=float(10 ** rng.uniform(-3, 1.5)))
    return _case(seed, _configuration(rng, domain), regime, domain, dtype)


def _case(
    number: int, configuration: Configuration, regime: Regime, domain: Domain, dtype: str
) -> tuple[str, Case]:
    if domain.learning_rate is not None:
        regime = replace(regime, learning_rate=domain.learning_rate)
    where = f"drawn {number}: {configuration}, {regime}"
    return where, regime.case(configuration, dtype, seed=number)


def _edges(domain: Domain, edges: Sequence[Configuration]) -> Sequence[Configuration]:
    """Return the edges within the domain: a prescribed network leaves those of samples and batches."""
    if domain.samples is not None:
        edges = [replace(c, samples=domain.samples, batch_size=None, update=0) for c in edges]
    if domain.widths is not None:
        edges = [replace(c, widths=domain.widths, biases=_biases(domain)) for c in edges]
    elif domain.biases is not None:
        edges = [replace(c, biases=domain.biases) for c in edges]
    return list({(c.widths, c.samples, c.batch_size): c for c in edges}.values())


def _biases(domain: Domain) -> tuple[bool, ...]:
    return (True,) if domain.biases is None else domain.biases


def _configuration(rng: np.random.Generator, domain: Domain) -> Configuration:
    depth = int(rng.integers(1, 9))
    widths = tuple(round(10 ** rng.uniform(0, 2 if depth < 4 else 1)) for _ in range(depth + 1))
    biases = tuple(bool(b) for b in rng.random(depth) < 0.7)
    if domain.widths is not None:
        widths, biases = domain.widths, _biases(domain)
    elif domain.biases is not None:
        biases = domain.biases
    samples = domain.samples or int(rng.integers(1, 61))
    batch_size = None
    if domain.samples is None and samples > 1 and rng.random() < 0.5:
        batch_size = int(rng.integers(1, samples + 1))
    per_epoch = 1 if batch_size is None else -(-samples // batch_size)
    return Configuration(widths, biases, samples, batch_size, int(rng.integers(2 * per_epoch)))
