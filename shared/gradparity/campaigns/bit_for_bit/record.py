"""The file of the comparison bit for bit."""

from __future__ import annotations

from ..campaign import Campaign, Record, Stored


class _Difference(Stored):
    update: int
    tensor: str
    index: tuple[int, ...]
    values: tuple[str, str]


class _Located(_Difference):
    pair: tuple[str, str]
    after: int | None = None


class _Digests(Stored):
    losses: str
    weights: dict[str, str]


class _Exact(Stored):
    experiment: str
    seed: int
    updates: int
    identical: bool
    differences: tuple[_Located, ...]
    sha256: dict[str, _Digests]
    seconds: dict[str, float]


class _Pair(Stored):
    pair: tuple[str, str]
    first_difference: _Difference | None
    distance: float


class _Variant(Stored):
    alike: tuple[str, ...] | None
    pairs: tuple[_Pair, ...]


class _Setting(Stored):
    experiment: str
    dtype: str
    updates: int
    chaotic_from_update: int | None
    variants: tuple[_Variant, ...]


class _BitForBit(Record):
    exact: tuple[_Exact, ...]
    attribution: tuple[_Setting, ...]


BIT_FOR_BIT = Campaign("bit-for-bit", "Bit for bit", 1, "gradparity bit-for-bit", _BitForBit)
