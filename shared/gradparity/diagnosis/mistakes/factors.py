"""Factors on the whole gradient: other multiples of the MSE, and mistakes in its mean."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Factor:
    """A factor on the whole gradient. Its value depends on the numbers of samples and outputs; `name` is its symbol."""

    name: str
    value: Callable[[int, int], float]
    meaning: str


FACTORS: tuple[Factor, ...] = (
    Factor("1", lambda n, o: 1.0, ""),
    Factor("½", lambda n, o: 0.5, "the 2 of the derivative is missing"),
    Factor("2", lambda n, o: 2.0, "a factor 2 too many"),
    Factor("N/2", lambda n, o: n / 2, "the 2/N of the mean over N samples is missing"),
    Factor("N", lambda n, o: n, "the 1/N is missing: a sum over the samples for a mean"),
    Factor("1/N", lambda n, o: 1 / n, "divided by N twice"),
    Factor("2/N", lambda n, o: 2 / n, "multiplied by 2/N twice"),
    Factor("1/(2N)", lambda n, o: 1 / (2 * n), "divided by N twice, and the 2 is missing"),
    Factor("outputs", lambda n, o: o, "a mean over the batch, but a sum over the outputs"),
    Factor("outputs/2", lambda n, o: o / 2, "a mean over the batch, but a sum over the outputs, and the 2 is missing"),
    Factor("1/outputs", lambda n, o: 1 / o, "divided by the number of outputs twice"),
    Factor("N·outputs/2", lambda n, o: n * o / 2, "the 2/(N·outputs) of the mean is missing"),
    Factor("N·outputs", lambda n, o: n * o, "the 1/(N·outputs) is missing: a sum for a mean"),
    Factor("1/(N·outputs)", lambda n, o: 1 / (n * o), "divided by the number of elements twice"),
)  # fmt: skip

UNIT = FACTORS[0]
