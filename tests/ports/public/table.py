"""Judge the cases of `layers` and `optimizers`, and print what was found beside what is true.

python -m tests.ports.public.table [WORDS OF NAMES ...]
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator

from gradparity.errors import InputError
from gradparity.porting.api import port
from gradparity.porting.result import Result

from . import layers, optimizers


def main(words: list[str]) -> None:
    """Print a row for each case whose name has one of the words."""
    print("| case | verdict | found | truth | CPU s |\n|---|---|---|---|---|")
    for name, judge, truth in _cases():
        if words and not any(word in name for word in words):
            continue
        begun = time.process_time()
        try:
            result = judge()
            verdict, found = result.verdict, "; ".join(dict.fromkeys(said(result))) or "-"
        except InputError as error:
            verdict, found = "error", str(error)
        seconds = time.process_time() - begun
        print(f"| {name} | {verdict} | {found} | {truth} | {seconds:.1f} |", flush=True)


def _cases() -> Iterator[tuple[str, Callable[[], Result], str]]:
    for case in layers.CASES:
        yield (
            case.name,
            lambda case=case: port(case.original, case.port, case.inputs, name=case.name),
            case.truth,
        )
    for name, ours, theirs, truth in optimizers.CASES:
        yield (
            f"optimizer {name}",
            lambda ours=ours, theirs=theirs, name=name: port(
                optimizers.Net,
                optimizers.port,
                optimizers.inputs,
                optimizers=(ours, theirs),
                name=name,
            ),
            truth,
        )


def said(result: Result) -> Iterator[str]:
    """Yield what a result says besides its verdict, in short."""
    for mode in result.modes:
        for one in mode.differences:
            cause = f"{one.cause.name}, {one.cause.remedy}" if one.cause else "unknown"
            yield f"{mode.name} {one.part} {one.what}: {cause}".strip()
        yield from (f"{mode.name} {one.kind}".strip() for one in mode.conversions)
        yield from (f"{one.side}: {one.format} island" for one in mode.islands)
        if mode.verdict == "abstain":
            yield from (one.why for one in mode.judged if one.why)
            yield from mode.notes


if __name__ == "__main__":
    main(sys.argv[1:])
