"""Judge a target on the vetted suite, in float64 and in float32, and over a training run."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from ..errors import InputError
from ..processes import one_quiet_thread
from ..suites.core import Kind
from .judging import Judged, conclude, judge, not_judged
from .observing import Observed, observe
from .report import Report
from .target import Target


def examine(target: Target, kind: Kind = "core") -> Report:
    """Judge a target on everything it offers, on networks of this kind.

    Raises:
        InputError: `kind` is "full", and the target is not an implementation of the contract.
    """
    if kind == "full" and not target.contract:
        raise InputError(
            f"'{target.name}' is {target.kind}: only an implementation of the contract can be checked with "
            "other activations, losses and optimizers; leave out --kind full"
        )
    begin = time.perf_counter()
    # As in the runner: the networks are tiny, and an overflow is judged, so it needs no warning.
    with one_quiet_thread():
        observed = {dtype: observe(target, dtype, kind) for dtype in ("float64", "float32")}
        judged = judge(target, _to_be_judged(target, observed))
        conclusion = conclude(target, kind, judged)
        phases = {j.dtype: j.phases for j in judged if j.observed.observations or j.rejected}
    return Report(
        target=target.name,
        kind=target.kind,
        verdict=conclusion.verdict,
        headline=conclusion.headline,
        offered=sorted(target.functions),
        phases=phases,
        first=conclusion.first,
        diagnosis=conclusion.diagnosis,
        notes=tuple(dict.fromkeys(_notes(target, observed, judged))),
        not_judged=not_judged(judged),
        seconds=round(time.perf_counter() - begin, 2),
    )


def _to_be_judged(target: Target, observed: Mapping[str, Observed]) -> Mapping[str, Observed]:
    """Return both dtypes; only float32 for a target that always returns float32, which the contract does not allow."""
    if not _is_narrow(observed):
        return observed
    wide = observed["float64"]
    broken = (*wide.broken, "it returns float32 for float64")
    return {**observed, "float64": replace(wide, broken=broken) if target.contract else Observed()}


def _is_narrow(observed: Mapping[str, Observed]) -> bool:
    return any(one.narrow for one in observed.values())


def _notes(
    target: Target, observed: Mapping[str, Observed], judged: Sequence[Judged]
) -> Iterator[str]:
    """Yield what else a reader must know."""
    if _is_narrow(observed) and not target.contract:
        yield "it returns float32 for float64, so it is judged in float32 only"
    for one in judged:
        yield from one.explanation.notes if one.explanation else ()
    for noticed in observed.values():
        yield from (f"{name} changes the arrays that it gets" for name in noticed.mutations)
