"""Random networks for Hypothesis, piece by piece, so that a failure shrinks to the smallest one that still fails.

`gradparity.suites.random_networks` draws the same kinds of networks from a generator, for long runs that must be the
same on every machine; but a number that seeds a generator cannot shrink.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import get_args

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gradparity.contract import Activation, Conv, Dense, Loss, Network
from gradparity.suites.random_networks import DECAYS, OPTIMIZERS, Setting
from gradparity.verdict.case import Case

DTYPES = st.sampled_from(["float64", "float32"])
SEEDS = st.integers(0, 999)
"""Seeds of the numbers in the arrays, of which no choice is simpler than another."""

ACTIVATIONS: st.SearchStrategy[Activation] = st.sampled_from(get_args(Activation))
UNITS = st.integers(1, 16)


@st.composite
def plain_settings(draw: st.DrawFn) -> Setting:
    """Sigmoid, MSE and plain SGD: one to four layers of up to 16 units, now and then of up to 100."""
    units = st.one_of(UNITS, UNITS, UNITS, st.integers(1, 100))
    inputs = draw(units)
    layers = draw(st.lists(st.builds(Dense, units, bias=st.booleans()), min_size=1, max_size=4))
    return Setting(Network((inputs,), tuple(layers)), *draw(_samples()))


@st.composite
def settings_of_any_kind(draw: st.DrawFn) -> Setting:
    """Any activation in each layer, any loss, optimizer and weight decay; with convolutions or without."""
    shape: tuple[int, ...] = (draw(UNITS),)
    layers: list[Dense | Conv] = []
    if draw(st.booleans()):
        side = st.integers(3, 8)
        shape = draw(st.tuples(side, side, st.integers(1, 3)))
        for _ in range(draw(st.integers(1, 2))):
            height, width, _channels = Network(shape, tuple(layers)).shapes[-1]
            layers.append(draw(_convolutions(height, width)))
    layers += draw(st.lists(_dense(ACTIVATIONS), max_size=2))
    loss: Loss = draw(st.sampled_from(get_args(Loss)))
    layers.append(draw(_dense(ACTIVATIONS if loss == "mse" else st.just("identity"))))
    return Setting(
        Network(shape, tuple(layers), loss),
        *draw(_samples()),
        optimizer=draw(st.sampled_from(list(OPTIMIZERS))),
        decay=draw(st.sampled_from(list(DECAYS))),
    )


def small(settings: st.SearchStrategy[Setting], weights: int) -> st.SearchStrategy[Setting]:
    """Of these settings, those whose networks have no more weights than that."""
    return settings.filter(lambda s: sum(map(prod, s.network.weight_shapes)) <= weights)


def given_a_case(
    settings: st.SearchStrategy[Setting], dtypes: st.SearchStrategy[str] = DTYPES
) -> Callable[[Callable[[Case], None]], Callable[[], None]]:
    """Give a test one update of a setting; the numbers in its arrays and which update it is come from a seed.

    The case is made outside of the strategies: what beartype checks on the way draws from `random`, which Hypothesis
    does not allow in them.
    """

    def decorate(test: Callable[[Case], None]) -> Callable[[], None]:
        def drawn(setting: Setting, dtype: str, seed: int) -> None:
            test(setting.draw(np.random.default_rng(seed), dtype))

        drawn.__name__, drawn.__qualname__ = test.__name__, test.__qualname__
        drawn.__module__ = test.__module__
        return given(settings, dtypes, SEEDS)(drawn)

    return decorate


def _dense(activations: st.SearchStrategy[Activation]) -> st.SearchStrategy[Dense]:
    return st.builds(Dense, UNITS, activations, st.booleans())


def _convolutions(height: int, width: int) -> st.SearchStrategy[Conv]:
    """Convolutions over images of this size."""
    return st.builds(
        Conv,
        channels=st.integers(1, 4),
        kernel=st.tuples(st.integers(1, min(height, 3)), st.integers(1, min(width, 3))),
        stride=st.integers(1, 2),
        padding=st.integers(0, 2),
        activation=ACTIVATIONS,
        bias=st.booleans(),
    )


@st.composite
def _samples(draw: st.DrawFn) -> tuple[int, int | None]:
    """How many samples there are, and how many in a batch: None for the full batch."""
    samples = draw(st.integers(1, 40))
    if samples == 1:
        return samples, None
    return samples, draw(st.none() | st.integers(1, samples - 1))
