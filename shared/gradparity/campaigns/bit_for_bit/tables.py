"""The results as tables, for the terminal and the report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ...tables import Table
from .attribution import ALL_BUT_ONE, CAUSES, ONE_BY_ONE

Found = Mapping[str, Any]
WORDS = {"sigmoid": "σ", "order": "order of sums", "fused": "multiply-adds"}
ROUNDED = "float64 rounded to float32: the exact variants"


class Variant(NamedTuple):
    """The causes that were removed, their description, and the result for every two frameworks."""

    alike: Sequence[str] | None
    label: str
    pairs: Sequence[Found]


def tables(found: Found) -> tuple[Table, Table]:
    """Return the table of the exact variants and that of the attribution."""
    return exact_table(found["exact"]), attribution_table(found["attribution"])


def exact_table(runs: Sequence[Found]) -> Table:
    """Return a row for each experiment: how many seeds end the same to the last bit, and how long a run takes."""
    targets = list(runs[0]["sha256"])
    rows = []
    for name in dict.fromkeys(run["experiment"] for run in runs):
        own = [run for run in runs if run["experiment"] == name]
        same = [run for run in own if run["identical"]]
        slowest = (f"{max(run['seconds'][target] for run in own):.1f}" for target in targets)
        digests = own[0]["sha256"][targets[0]]["weights"]
        rows.append(
            [
                name,
                str(own[0]["updates"]),
                f"{len(same)} of {len(own)}",
                digests[str(own[0]["updates"])][:16],
                *slowest,
            ]
        )
    seconds = [f"{target}, s" for target in targets]
    return Table(
        ["experiment", "epochs", "seeds with the same bits", "final weights, seed 0", *seconds],
        rows,
    )


def differences(runs: Sequence[Found]) -> Iterator[str]:
    """Yield a sentence for every two exact variants that differ: the first difference and its values."""
    for run in runs:
        for one in run["differences"]:
            yield f"{run['experiment']}, seed {run['seed']}: {' and '.join(one['pair'])} {where(one)}"


def where(difference: Found) -> str:
    """Describe the first differing bit."""
    values = " and ".join(difference["values"])
    layer, _, name = difference["tensor"].rpartition(".")
    entry = f"layer {layer} {name}{difference['index']}" if layer else name
    between = f", not before epoch {difference['after'] + 1}" if "after" in difference else ""
    return f"first differ at epoch {difference['update']}{between}: {entry}: {values}"


def one_by_one(setting: Found) -> list[Variant]:
    """Return the variants of an experiment, each with one cause fewer; last the exact variants, if there are any."""
    known = _by_alike(setting)
    variants = [Variant(alike, _words(alike), known[alike]) for alike in ONE_BY_ONE]
    return variants if None not in known else [*variants, Variant(None, ROUNDED, known[None])]


def each_alone(setting: Found) -> dict[str, Variant]:
    """Return the variants with a single cause left, by that cause."""
    known = _by_alike(setting)
    return {
        cause: Variant(alike, f"all but {WORDS[cause]}", known[alike])
        for cause, alike in zip(CAUSES, ALL_BUT_ONE, strict=True)
    }


def attribution_table(settings: Sequence[Found]) -> Table:
    """Return a row for each variant: the first difference and the final distance of every two frameworks."""
    rows = [
        [setting["experiment"], setting["dtype"], variant.label, *map(_parted, variant.pairs)]
        for setting in settings
        for variant in (*one_by_one(setting), *each_alone(setting).values())
    ]
    pairs = settings[0]["variants"][0]["pairs"]
    return Table(
        ["experiment", "dtype", "removed causes", *(" – ".join(p["pair"]) for p in pairs)], rows
    )


def _by_alike(setting: Found) -> dict[tuple[str, ...] | None, Sequence[Found]]:
    return {
        None if one["alike"] is None else tuple(one["alike"]): one["pairs"]
        for one in setting["variants"]
    }


def _words(alike: Sequence[str]) -> str:
    return ", ".join(WORDS[cause] for cause in alike) or "none: the plain variants"


def _parted(pair: Found) -> str:
    if pair["first_difference"] is None:
        return "the same bits"
    return f"epoch {pair['first_difference']['update']}; {pair['distance']:.2g}"
