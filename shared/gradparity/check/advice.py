"""Say why a right program may not learn: only what its own weights, rate and data show.

A statement is a theorem about them, or the outcome of training from them: the reference in NumPy is trained from the
very weights that the program starts from, at its rate and at others, and from weights drawn at random.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations_with_replacement
from typing import get_args

import numpy as np

from .. import registry
from ..contract import (
    LOSS_KINDS,
    Activation,
    Dense,
    Layer,
    Loss,
    Network,
    Params,
    Schedule,
    map_params,
)
from ..experiments import datasets
from ..experiments.accuracy import accuracy, predictions
from ..experiments.initial import initial_params
from ..reference.passes import evaluate
from .convention import Convention
from .looking import Data, Seen, Start
from .target import Limits

SWEPT = "xor"
"""The experiment with which a program without data of its own is compared."""
WIDTHS, RATE = (2, 4, 4, 1), 1.05
"""Of that experiment. They are not read from its file, since the modules that do are slow to import."""
SEEDS = 64
"""Members of the sweep that is proposed."""

_FAST, _OTHER = 12_000, 3000
"""The largest number of updates: of sigmoid networks under the MSE, and of all others, which take longer."""
_PIECE = 1000
"""Updates between two looks at who has learnt."""
_DRAWS = 3
"""Random starts at each rate."""
_FACTORS = (1, 10, 0.1, 100, 0.01)
"""The rates to train at, as multiples of the program's own; near ones first."""
_ALIKE = 1e-3
"""Outputs that differ by less over all samples are called alike."""
_SATURATED = 6.0
"""Beyond |z| of this size the slope of σ is below 1/400, that of tanh below 3e-5."""
_RIGHT = "every sample is on the right side of one half"


def advice(seen: Seen, limits: Limits, convention: Convention) -> tuple[str, ...]:
    """Return what keeps a program that is right under this convention from learning, a sentence each.

    Args:
        seen: what the program says of itself.
        limits: the networks and data that it can run.
        convention: the one under which it is right.
    """
    try:
        with np.errstate(all="ignore"):  # a rate may be too large
            return tuple(_advice(seen, limits, convention))
    except Exception:
        return ()


def _advice(seen: Seen, limits: Limits, convention: Convention) -> Iterator[str]:
    yield from _of_data(seen, limits, convention)
    setting = _setting(seen, limits, convention)
    trial = None if setting is None else _try(setting)
    said = list(_of_start(seen, trial))
    if trial is not None and trial.failed:
        said = said or list(_of_rate(trial)) or list(_of_biases(trial)) or list(_of_scale(trial))
    yield from said
    if trial is not None and trial.failed and said:
        yield from _command(trial)


# --- the data -------------------------------------------------------------------------------------------------------


def _of_data(seen: Seen, limits: Limits, convention: Convention) -> Iterator[str]:
    """Yield what is wrong with the program's own data, or with a network for them."""
    data, widths = seen.data, seen.start.widths if seen.start else limits.widths
    if data is None or widths is None:
        return
    (x_name, y_name), count = data.names, len(data.targets)
    if seen.told is not None and f"{seen.told[0]:.3g}" != f"{seen.told[1]:.3g}":
        flat, column = seen.told
        yield (
            f"{y_name} has the shape ({count},), the outputs have ({count}, 1), and their difference has "
            f"({count}, {count}): with {y_name} as it is the loss is {flat:.3g}, with {y_name}.reshape(-1, 1) "
            f"it is {column:.3g}"
        )
    biases = seen.start.biased if seen.start else limits.biases or (True,)
    network = _network(widths, biases, convention)
    if network is None:
        return
    hidden, output = network.layers[:-1], network.layers[-1].activation
    low, high = data.targets.min(), data.targets.max()
    if (
        output == "sigmoid" or network.loss == "binary_cross_entropy"
    ) and not 0 <= low <= high <= 1:
        yield f"the labels in {y_name} go from {low:g} to {high:g}, but a sigmoid's output is between 0 and 1"
    if limits.widths is not None and not hidden and (found := _inseparable(data)):
        (a, b), (c, d) = found
        yield (
            f"there is no hidden layer, and no weights can do: {x_name}[{a}] + {x_name}[{b}] = {x_name}[{c}] + "
            f"{x_name}[{d}], so the two sums of z are equal, but the labels are above one half at {a} and {b}, "
            f"and below it at {c} and {d}"
        )
    zero = np.flatnonzero(~data.inputs.any(axis=1))
    odd = all(
        layer.activation != "sigmoid" for layer in hidden
    )  # then 0 stays 0 up to the output layer
    if limits.biases is not None and not any(limits.biases) and odd and len(zero):
        at, z = int(zero[0]), np.zeros(1)
        answer = 0.5 if output == "sigmoid" else float(predictions(network, z)[0])
        if len(data.targets[at]) == 1 and data.targets[at][0] != answer:
            yield (
                f"there are no biases, so for {x_name}[{at}], which is all 0, the output is {answer:g} whatever the "
                f"weights are; its label is {data.targets[at][0]:g}"
            )


def _inseparable(data: Data) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """Return two samples above one half, and two below, with the same sum: no straight line separates them."""
    if data.targets.shape[1] != 1:
        return None
    above = data.targets[:, 0] > 0.5
    pairs = [
        {
            tuple(data.inputs[a] + data.inputs[b]): (int(a), int(b))
            for a, b in combinations_with_replacement(rows, 2)
        }
        for rows in (np.flatnonzero(above), np.flatnonzero(~above))
    ]
    common = next((key for key in pairs[0] if key in pairs[1]), None)
    return None if common is None else (pairs[0][common], pairs[1][common])


# --- the first weights ----------------------------------------------------------------------------------------------


def _of_start(seen: Seen, trial: _Trial | None) -> Iterator[str]:
    """Yield what is wrong with the first weights."""
    if seen.start is None:
        return
    failed = trial is not None and trial.failed
    if seen.start.alike:
        parts = [_alike(seen.start)]
        if trial is not None and failed:
            parts += [trial.words(trial.own), *trial.from_random]
        yield "; ".join([*parts, "draw them at random"])
    elif (
        trial is not None and failed and trial.only_draws_learn and (found := _weak(trial.setting))
    ):
        yield "; ".join([found, trial.words(trial.own), *trial.from_random])


def _alike(start: Start) -> str:
    """Say which hidden layers, counted from 1, have units that cannot be told from each other."""
    touched = sorted({k for at in start.alike for k in (at, at + 1)})
    values = {float(n) for k in touched for n in np.unique(start.params[k].weight)}
    names = " and ".join(start.where[k] for k in touched)
    weights = (
        f"{names} are all {values.pop():g}" if len(values) == 1 else f"by equal weights in {names}"
    )
    units = " and ".join(str(start.widths[at + 1]) for at in start.alike)
    layers = " and ".join(str(at + 1) for at in start.alike)
    return (
        f"the {units} units of hidden layer {layers} start alike ({weights}), so they get equal gradients and "
        "stay alike: a layer of them can do no more than one unit"
    )


def _weak(setting: _Setting) -> str | None:
    """Describe first weights that are too small or too large for the data."""
    assert setting.start is not None
    params, names = setting.start.params, _listed(setting.start.where)
    done = evaluate(setting.network, params, setting.inputs, setting.targets)
    outputs = predictions(setting.network, done.activations[-1])
    flat = [
        np.abs(z).ravel() > _SATURATED
        for z, layer in zip(done.pre_activations, setting.network.layers, strict=True)
        if layer.activation in ("sigmoid", "tanh")
    ]
    share = float(np.mean(np.concatenate(flat))) if flat else 0.0
    if share > 0:
        return (
            f"the first weights ({names}) are so large that {share:.0%} of the units' inputs z on {setting.of} are "
            f"beyond ±{_SATURATED:g}, where the slope is almost 0"
        )
    spread = float(np.max(np.ptp(outputs, axis=0)))
    if spread < _ALIKE:
        largest = ", ".join(
            f"{np.max(np.abs(layer.weight)):.2g} in {where}"
            for layer, where in zip(params, setting.start.where, strict=True)
        )
        return (
            f"the first weights hardly tell the samples apart: the outputs for {setting.of} lie within {spread:.1g} "
            f"(the largest weight is {largest})"
        )
    return None


# --- what training shows --------------------------------------------------------------------------------------------


def _of_rate(trial: _Trial) -> Iterator[str]:
    """Yield that another rate learns from the same weights."""
    own, other = trial.own, trial.other_rate
    if other is not None:
        size = "larger" if trial.rates[other] > trial.rates[own] else "smaller"
        yield f"a {size} rate learns: {trial.words(own)}; {trial.words(other)}"


def _of_biases(trial: _Trial) -> Iterator[str]:
    """Yield that biases make it learn, if it has none, and no rate does without them."""
    setting = trial.setting
    if any(trial.learnt) or setting.start is None or any(setting.start.biased):
        return
    layers = tuple(replace(layer, bias=True) for layer in setting.network.layers)
    params = tuple(Layer(w, np.zeros(w.shape[1])) for w, _ in setting.start.params)
    network, start = replace(setting.network, layers=layers), setting.start._replace(params=params)
    biased = _try(replace(setting, network=network, start=start))
    members = [k for k, random in enumerate(biased.random) if biased.learnt[k] and not random]
    if members:
        rates = ", ".join(f"{rate:g}" for rate in sorted(set(trial.rates)))
        yield (
            f"there are no biases: {trial.words(trial.own)}, and at none of the rates {rates} it learns; with a bias "
            f"in every layer, 0 at first, {biased.words(members[0], plainly=True)}"
        )


def _of_scale(trial: _Trial) -> Iterator[str]:
    """Yield that inputs of equal scale make it learn at the same rate."""
    setting = trial.setting
    deviation = setting.inputs.std(axis=0)
    if setting.seen.data is None or not np.all(deviation > 0):
        return
    inputs = (setting.inputs - setting.inputs.mean(axis=0)) / deviation
    scaled = _try(replace(setting, inputs=inputs))
    if scaled.learnt[scaled.own]:
        x, spans = setting.seen.data.names[0], np.ptp(setting.inputs, axis=0)
        yield (
            f"the columns of {x} span from {spans.min():.3g} to {spans.max():.3g}: {trial.words(trial.own)}; with "
            f"every column of {x} at mean 0 and deviation 1, {scaled.words(scaled.own, plainly=True)}"
        )


@dataclass(frozen=True, eq=False)
class _Setting:
    """What is trained.

    Attributes:
        seen: what the program says of itself.
        start: the first weights; None: random ones.
        network: what the program computes.
        inputs: the data's inputs, `(samples, inputs)`.
        targets: their labels, zeros and ones, `(samples, outputs)`.
        of: the data, in words.
        convention: what the program's rate multiplies.
        rate: the program's learning rate.
        epochs: how long it is trained.
    """

    seen: Seen
    start: Start | None
    network: Network
    inputs: np.ndarray
    targets: np.ndarray
    of: str
    convention: Convention
    rate: float
    epochs: int

    def schedule(self, rates: Sequence[float]) -> Schedule:
        """Return the plan of members with these rates."""
        multiplied = _factor(self.convention, self.targets.shape) * np.array(rates)
        if not self.convention.per_sample:
            return Schedule(multiplied, self.epochs)
        order = np.tile(np.arange(len(self.inputs)), (self.epochs, 1))
        return Schedule(multiplied, self.epochs, batch_size=1, order=order)


def _factor(convention: Convention, shape: Sequence[int]) -> float:
    """Return what the gradient of the mean is multiplied by, for labels of this shape."""
    samples, outputs = shape
    return float(convention.factor.value(1 if convention.per_sample else samples, outputs))


@dataclass(frozen=True, eq=False)
class _Trial:
    """The outcome: members start from the first weights, or at random, and have different rates.

    Attributes:
        setting: what was trained.
        rates: of each member, as the program counts them.
        random: for each member, whether it starts from random weights.
        losses: the first and the last loss of each member, `(2, members)`.
        taken: for how many epochs each member was trained.
        learnt: whether each member then had every sample on the right side of one half.
    """

    setting: _Setting
    rates: Sequence[float]
    random: Sequence[bool]
    losses: np.ndarray
    taken: np.ndarray
    learnt: np.ndarray

    own = 0
    """The member with the program's own weights and rate comes first."""

    @property
    def failed(self) -> bool:
        """True if the program's own weights do not learn at its own rate."""
        return not self.learnt[self.own]

    def _groups(self, *, random: bool) -> list[list[int]]:
        """Return the members that start in this way, those of one rate together; near rates first."""
        every = [
            [k for k, r in enumerate(self.rates) if self.random[k] is random and r == rate]
            for rate in dict.fromkeys(self.rates)
        ]
        return [group for group in every if group]

    @property
    def going_on(self) -> list[int]:
        """The members whose outcome counts: of the own rate, and all of a kind, own or random, that has not learnt."""
        groups = [*self._groups(random=False)[:1], *self._groups(random=True)[:1]]
        for random in (True, False):
            of_kind = self._groups(random=random)
            if not any(np.all(self.learnt[group]) for group in of_kind):
                groups += of_kind
        return sorted({k for group in groups for k in group if np.isfinite(self.losses[1, k])})

    @property
    def other_rate(self) -> int | None:
        """A member of another rate, all of whose members learn, while of the program's own rate none does."""
        own, *others = self._groups(random=self.random[self.own])
        if self.setting.seen.rate is None or any(self.learnt[own]):
            return None
        return next((group[0] for group in others if np.all(self.learnt[group])), None)

    @property
    def draws(self) -> list[int]:
        """The random starts of one rate, the one at which most of them learn."""
        return max(self._groups(random=True), key=lambda group: int(self.learnt[group].sum()))

    @property
    def only_draws_learn(self) -> bool:
        """True if all random starts learn at the program's own rate, or at a rate while its own start does at none."""
        own_rate = self.rates[self.draws[0]] == self.rates[self.own]
        return bool(np.all(self.learnt[self.draws])) and (own_rate or self.other_rate is None)

    @property
    def from_random(self) -> Iterator[str]:
        """What comes out of random starts, if most of them learn."""
        learnt = [k for k in self.draws if self.learnt[k]]
        if 2 * len(learnt) > len(self.draws):
            last = max(learnt, key=lambda k: float(self.losses[1, k]))
            count = f"{len(learnt)} of {len(self.draws)} draws"
            yield f"from random weights, N(0, 1), {self._ends(last)} ({count})"

    def words(self, member: int, *, plainly: bool = False) -> str:
        """Say what comes out of a member; without weights and data if it is not the own one, or `plainly`."""
        setting = self.setting
        if plainly or member != self.own:
            return self._ends(member)
        first, last = self.losses[:, member]
        ends = f"{last:.2g}" if np.isfinite(last) else "no number"
        where = setting.seen.rate.where if setting.seen.rate else "the assignment's"
        weights = _listed(setting.start.where) if setting.start else "random weights, N(0, 1),"
        return (
            f"from {weights} at rate {self.rates[member]:g} ({where}) the loss on {setting.of} goes from "
            f"{first:.2g} to {ends} in {self.taken[member]:,} epochs"
        )

    def _ends(self, member: int) -> str:
        right = f", and {_RIGHT}" if self.learnt[member] else ""
        loss, taken = self.losses[1, member], self.taken[member]
        return f"at rate {self.rates[member]:g} it goes to {loss:.2g} in {taken:,} epochs{right}"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) < 4 else f"{names[0]} … {names[-1]}"


def _network(
    widths: Sequence[int], biases: Sequence[bool], convention: Convention
) -> Network | None:
    """Return the contract's network that computes what the program does; None if there is none."""
    each = biases if len(biases) == len(widths) - 1 else [biases[0]] * (len(widths) - 1)
    layers = tuple(Dense(n, bias=bias) for n, bias in zip(widths[1:], each, strict=True))
    network = convention.network(Network((widths[0],), layers))
    *hidden, output = network.layers
    if of_logits := _OF_LOGITS.get((output.activation, network.loss)):
        output = replace(output, activation="identity")
        network = replace(network, layers=(*hidden, output), loss=of_logits)
    known = all(layer.activation in get_args(Activation) for layer in network.layers)
    return network if known and network.loss in LOSS_KINDS else None


_OF_LOGITS: dict[tuple[str, str], Loss] = {
    ("sigmoid", "binary_cross_entropy_of_probabilities"): "binary_cross_entropy",
    ("softmax", "cross_entropy_of_probabilities"): "softmax_cross_entropy",
}
"""Losses of probabilities as the contract has them, by the output layer's activation."""


def _setting(seen: Seen, limits: Limits, convention: Convention) -> _Setting | None:
    """Return what is to be trained; None if the program says too little, or what is not trained here."""
    if (seen.start is None and seen.rate is None) or convention.penalty is not None:
        return None
    if seen.start is not None:
        widths, biases = seen.start.widths, seen.start.biased
    else:
        widths = limits.widths or WIDTHS
        biases = limits.biases or (True,)
    network = _network(widths, biases, convention)
    data = _data(seen, (widths[0], widths[-1]), limits, convention)
    if network is None or data is None:
        return None
    inputs, targets, of = data
    samples, factor = len(inputs), _factor(convention, targets.shape)
    sigmoids = network.loss == "mse" and all(
        layer.activation == "sigmoid" for layer in network.layers
    )
    most = (_FAST if sigmoids else _OTHER) // (samples if convention.per_sample else 1)
    epochs = int(seen.epochs.value) if seen.epochs else most
    if epochs > most:
        return None  # what comes out of fewer epochs is not what comes out of the program
    rate = seen.rate.value if seen.rate else RATE / factor
    return _Setting(seen, seen.start, network, inputs, targets, of, convention, rate, epochs)


def _data(
    seen: Seen, ends: tuple[int, int], limits: Limits, convention: Convention
) -> tuple[np.ndarray, np.ndarray, str] | None:
    """Return inputs, labels, and their name: the program's own, or XOR's; None if they do not fit."""
    if seen.data is not None:
        inputs, targets, of = seen.data.inputs, seen.data.targets, f"its own {seen.data.names[0]}"
    elif ends == (2, 1):
        inputs, targets = datasets.xor()
        of = f"the {len(inputs)} points of XOR"
        samples, outputs = targets.shape
        by_count = _factor(convention, (samples, outputs)) != _factor(
            convention, (2 * samples, outputs)
        )
        if by_count and limits.samples != samples:
            return None  # its step depends on the number of its samples, which is not known
    else:
        return None
    return (inputs, targets, of) if set(np.unique(targets)) <= {0.0, 1.0} else None


def _try(setting: _Setting) -> _Trial:
    """Train from the first weights at several rates, and from random ones at some."""
    network = setting.network
    drawn = [initial_params(network, "standard_normal", seed, "float64") for seed in range(_DRAWS)]
    rates = [float(f"{setting.rate * factor:.6g}") for factor in _FACTORS]
    if setting.start is None:
        members = [(rate, True, params) for rate in rates for params in drawn]
    else:
        members = [(rate, False, setting.start.params) for rate in rates]
        members += [(rate, True, params) for rate in rates[:2] for params in drawn]
    stacked = map_params(lambda *arrays: np.stack(arrays), *(params for _, _, params in members))
    done = evaluate(network, stacked, setting.inputs, setting.targets)
    first, count = np.asarray(done.loss, dtype=float), len(members)
    trial = _Trial(
        setting,
        rates=[rate for rate, _, _ in members],
        random=[random for _, random, _ in members],
        losses=np.stack([first, first]),
        taken=np.zeros(count, dtype=int),
        learnt=np.zeros(count, dtype=bool),
    )
    _train(trial, stacked)
    return trial


def _train(trial: _Trial, params: Params) -> None:
    """Train in pieces, and write the outcome into the trial.

    The program's own weights are trained at its rate to the end, unless they learn. Of the others, those go on that may
    still be the first ones to learn.
    """
    setting = trial.setting
    network, data = setting.network, (setting.inputs, setting.targets)
    trainer, schedule = registry.load("numpy-tuned"), setting.schedule(trial.rates)
    active = np.arange(len(trial.rates))
    piece = max(_PIECE // schedule.updates_per_epoch, 1)
    for begin in range(0, schedule.epochs, piece):
        epochs = min(piece, schedule.epochs - begin)
        part = replace(
            schedule,
            learning_rate=schedule.learning_rate[active],
            epochs=epochs,
            order=None if schedule.order is None else schedule.order[:epochs],
        )
        params = trainer.train_ensemble(network, params, *data, part).final.params
        done = evaluate(network, params, *data)
        outputs = predictions(network, done.activations[-1])
        trial.learnt[active] = [
            accuracy(one, setting.targets)["threshold_0.5"] == 1 for one in outputs
        ]
        trial.losses[1, active], trial.taken[active] = done.loss, begin + epochs
        on = np.isin(active, trial.going_on)
        if not trial.failed or not any(on):
            return
        active, params = active[on], map_params(lambda array, on=on: array[on], params)


def _command(trial: _Trial) -> Iterator[str]:
    """Yield the sweep that trains such networks from many seeds, if their data are XOR."""
    setting = trial.setting
    shapes, own, data = setting.network.shapes, setting.convention, setting.seen.data
    if (
        own.per_sample
        or (shapes[0], shapes[-1]) != ((2,), (1,))
        or (data and not _inseparable(data))
    ):
        return
    points, labels = datasets.xor()
    factor = _factor(own, labels.shape)
    chosen = [trial.own, trial.other_rate or trial.draws[0]]
    rates = ",".join(dict.fromkeys(f"{factor * trial.rates[k]:.6g}" for k in chosen))
    layers = ", ".join(
        f'{{units = {layer.units}, activation = "{layer.activation}", bias = {str(layer.bias).lower()}}}'
        for layer in setting.network.layers
        if isinstance(layer, Dense)
    )
    words = ["gradparity", "sweep", SWEPT, "--seeds", str(SEEDS), "--set", f"learning_rate={rates}"]
    words += ["--set", f"epochs={setting.epochs}", "--set", f"layers=[{layers}]"]
    if setting.network.loss != "mse":
        words += ["--set", f"loss={setting.network.loss}"]
    yield (
        f"how often and how soon it learns the {len(points)} points of XOR, from {SEEDS} random starts: "
        f"{shlex.join(words)}"
    )
