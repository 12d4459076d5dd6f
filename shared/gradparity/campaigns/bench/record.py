"""The benchmark's file."""

from __future__ import annotations

from ..campaign import Campaign, Record, Stored


class _Cost(Stored):
    seconds: float
    peak_mb: float


class _Candidate(Stored):
    candidate: str
    first_seconds: float
    us_per_step: tuple[float, float, float]
    cpu_us_per_step: float
    times_limit: float | None
    deviation: float | None


class _Workload(Stored):
    size: str
    dtype: str
    detailed: bool
    curves: dict[str, int]
    updates: int
    rows: tuple[_Candidate, ...]
    kernels: tuple[str, ...]


class _Bench(Record):
    device: str
    start_up: dict[str, _Cost]
    workloads: tuple[_Workload, ...]


BENCH = Campaign("bench", "Benchmark", 1, "gradparity bench", _Bench)
