"""Show that each mistake of `mistakes` changes outputs, gradients, running statistics, loss or updates by more than rounding."""

import sys
import tempfile
from pathlib import Path

from .mistakes import MISTAKES, planted
from .sides import agrees, differences, evaluate


def main() -> None:
    """Print the mistakes without an effect; those whose pair begins with an argument, or all."""
    chosen = tuple(sys.argv[1:]) or ("",)
    for mistake in MISTAKES:
        if not mistake.pair.startswith(chosen):
            continue
        mistake.lines()
        with tempfile.TemporaryDirectory() as folder:
            file = planted([mistake], Path(folder))
            try:
                found = differences(evaluate(file, train=False, deep=False))
                if agrees(mistake.file.stem, found):
                    found = differences(evaluate(file, train=False))
                if agrees(mistake.file.stem, found):
                    found = differences(evaluate(file, train=True))
            except Exception as error:
                print(
                    f"! {mistake.pair}: {mistake.wrong}: {type(error).__name__}: {error}",
                    flush=True,
                )
                continue
        shown = ", ".join(f"{k} {v:.0e}" for k, v in found.items() if v > 1e-11)
        print(
            f"{'!' if agrees(mistake.file.stem, found) else ' '} {mistake.pair}: {mistake.wrong[:60]!r}: {shown}",
            flush=True,
        )


if __name__ == "__main__":
    main()
