"""The files of random networks: one for the core (sigmoid, MSE, gradient descent), one for all kinds."""

from __future__ import annotations

from ..campaign import Campaign, Record, Stored


class _Tally(Stored):
    verdict: str
    tensors: int
    abstained: int
    disagreeing: int
    largest_share: float | None
    median_share: float | None
    largest_at: str | None


class _Phases(Stored):
    forward: _Tally
    loss: _Tally
    gradient: _Tally
    update: _Tally


class _Pair(Stored):
    subject: str
    other: str
    dtype: str
    verdict: str
    phases: _Phases


class _Divergence(Stored):
    subject: str
    other: str
    where: str


class _Agreement(Stored):
    verdict: str
    steps: int
    pairs: tuple[_Pair, ...]
    first_divergence: tuple[_Divergence, ...]


class _Shares(Stored):
    forward: float | None
    loss: float | None
    gradient: float | None
    update: float | None


class _Dtypes(Stored):
    float64: _Shares
    float32: _Shares


class _Feature(Stored):
    feature: str
    configurations: int
    alarms: int
    largest_share: _Dtypes


class _RandomNetworks(Record):
    networks: int
    seed: int
    agreement: _Agreement
    features: tuple[_Feature, ...]


CORE = Campaign(
    "random-networks-core",
    "Random networks: core",
    1,
    "gradparity random-networks --kind core",
    _RandomNetworks,
)
FULL = Campaign(
    "random-networks-full",
    "Random networks: full",
    1,
    "gradparity random-networks --kind full",
    _RandomNetworks,
)
