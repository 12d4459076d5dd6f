"""The study's file."""

from __future__ import annotations

from ..campaign import Campaign, Record, Stored


class _Curve(Stored):
    epochs: tuple[int, ...]
    share: tuple[float, ...]


class _Result(Stored):
    members: int
    successes: int
    success_rate: float
    interval_95: tuple[float, float]
    epochs_to_success: dict[str, float | None]
    median_loss: dict[str, float | None]
    diverged: int
    dead: int
    epochs: int
    success_by_epoch: _Curve


class _Known(Stored):
    success: float | None = None
    losses: dict[str, float] | None = None
    epochs: int | None = None


class _Row(Stored):
    label: str
    experiment: str
    changed: dict[str, str]
    fresh_data: bool
    known: _Known
    results: dict[str, _Result]


class _Tables(Stored):
    assignment: tuple[_Row, ...]
    optimizers: tuple[_Row, ...]
    initial_scale: tuple[_Row, ...]
    gradient: tuple[_Row, ...]
    relu: tuple[_Row, ...]


class _Dead(Stored):
    linear: dict[str, float]
    xor: dict[str, float]


class _KnownDigits(Stored):
    accuracy: float


class _Digits(Stored):
    label: str
    parameters: int
    rate: float
    accuracy: tuple[float, ...]
    known: _KnownDigits


class _Example(Stored):
    seed: int
    epochs: tuple[int, ...]
    difference: tuple[float, ...]


class _Chaos(Stored):
    label: str
    implementations: tuple[str, str]
    parted: dict[str, float]
    example: _Example


class _Losses(Stored):
    epochs: tuple[int, ...]
    ours: tuple[float, ...]
    theirs: tuple[float, ...]


class _Convention(Stored):
    subject: str
    ours: str
    theirs: str
    losses: _Losses


class _Study(Record):
    seeds: int
    implementations: tuple[str, ...]
    tables: _Tables
    least_squares: dict[str, float]
    dead: _Dead
    digits: tuple[_Digits, ...]
    chaos: tuple[_Chaos, ...]
    conventions: tuple[_Convention, ...]


STUDY = Campaign("study", "The study", 2, "gradparity study", _Study)
