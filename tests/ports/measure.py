"""Judge every pair, and every mistake in one, as `gradparity port` does: verdicts, right lines, right and wrong names, seconds.

python -m tests.ports.measure pairs|harmless|one|two [PAIR ...]
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .harmless import BESIDE_ISLANDS, ISLANDS
from .mistakes import HERE, MISTAKES, Mistake, planted, two_at_a_time


@dataclass(frozen=True)
class Judged:
    """What was said of one file.

    Attributes:
        verdict: `agree`, `disagree`, `abstain`, or the error.
        found: the JSON that the command printed; empty if there was an error.
    """

    verdict: str
    found: dict[str, Any]
    seconds: float


def judged(file: Path) -> Judged:
    """Run the command on a pair."""
    begun = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "gradparity", "port", str(file), "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.perf_counter() - begun
    try:
        found = json.loads(done.stdout)
    except json.JSONDecodeError:
        return Judged("error: " + " ".join(done.stderr.split())[-300:], {}, seconds)
    return Judged(found["verdict"], found, seconds)


def differences(found: dict[str, Any]) -> Iterable[dict[str, Any]]:
    """Yield the differences of all modes."""
    for mode in found.get("modes", ()):
        yield from mode["differences"]


def conversions(found: dict[str, Any]) -> Iterable[dict[str, Any]]:
    """Yield the wrong conversions of all modes."""
    for mode in found.get("modes", ()):
        yield from mode["conversions"]


def located(mistake: Mistake, found: dict[str, Any]) -> bool:
    """Whether a difference points at an accepted line of the port; a conversion has to be told as one."""
    if mistake.kind == "conversion":
        return any(True for _ in conversions(found))
    lines = mistake.lines()
    return any(
        lines & set(range(place["line"], max(place["line"], place["last"]) + 1))
        for one in differences(found)
        for place in one["port"]
        if Path(place["file"]).name == mistake.file.name
    )


def names(found: dict[str, Any]) -> list[str]:
    """Return what was said of each cause and conversion, in small letters."""
    causes = [one["cause"] for one in differences(found) if one["cause"]]
    told = [" ".join((c["name"], c["original"], c["port"], c["remedy"])) for c in causes]
    told += [f"{one['kind']} {one['text']}" for one in conversions(found)]
    return [one.lower() for one in dict.fromkeys(told)]


def _report(label: str, mistakes: Sequence[Mistake], said: Judged, tally: dict[str, int]) -> None:
    where = [located(one, said.found) for one in mistakes]
    told = names(said.found)
    named = [any(word in text for word in one.names for text in told) for one in mistakes]
    wrong = [
        text for text in told if not any(word in text for one in mistakes for word in one.names)
    ]
    for key, value in (
        (said.verdict.partition(":")[0], 1),
        ("mistakes", len(mistakes)),
        ("at the line", sum(where)),
        ("named", sum(named)),
        ("wrong names", len(wrong)),
    ):
        tally[key] = tally.get(key, 0) + value
    marks = "".join(
        ("L" if w else "-") + ("N" if n else "-") for w, n in zip(where, named, strict=True)
    )
    print(f"{said.verdict:10s}{marks:6s}{said.seconds:6.0f} s  {label}", flush=True)
    for text in told:
        print(f"{'WRONG NAME: ' if text in wrong else '':>26s}{text}", flush=True)


def _planted(several: Iterable[Sequence[Mistake]], chosen: tuple[str, ...]) -> None:
    tally: dict[str, int] = {}
    for mistakes in several:
        if mistakes[0].pair.startswith(chosen):
            with tempfile.TemporaryDirectory() as folder:
                said = judged(planted(mistakes, Path(folder)))
            label = f"{mistakes[0].pair}: " + " | ".join(one.wrong[:70] for one in mistakes)
            _report(label, mistakes, said, tally)
    print(tally)


def _right(files: Iterable[Path], chosen: tuple[str, ...]) -> None:
    for file in files:
        name = f"{file.parent.name}/{file.stem}"
        if not name.startswith(chosen):
            continue
        said = judged(file)
        sides = {
            island["side"] for mode in said.found.get("modes", ()) for island in mode["islands"]
        }
        expected = ISLANDS.get(file.stem, set())
        islands = f"islands {sorted(sides)}" if sides or expected else ""
        wrong = "" if said.verdict == "agree" and sides == expected else "!"
        print(f"{wrong:2s}{said.verdict:10s}{said.seconds:6.0f} s  {name} {islands}", flush=True)
        for mode in said.found.get("modes", ()):
            for one in mode["judged"]:
                if one["verdict"] != "agree":
                    print(f"      {mode['name']}: {one['name']}: {one['verdict']}: {one['why']}")
            if said.verdict != "agree":
                for note in mode["notes"]:
                    print(f"      {mode['name']}: {note}")


def pairs(*folders: str) -> list[Path]:
    """Return the files of the pairs in these folders."""
    found = (file for folder in folders for file in sorted((HERE / folder).glob("*.py")))
    return [file for file in found if "def port(" in file.read_text()]


def main() -> None:
    what, *rest = sys.argv[1:] or ["pairs"]
    chosen = tuple(rest) or ("",)
    if what == "pairs":
        _right(pairs("mlp", "conv", "rnn", "transformer", "gpt"), chosen)
    elif what == "harmless":
        _right(pairs("harmless"), chosen)
        _planted(((one,) for one in BESIDE_ISLANDS), chosen)
    elif what == "one":
        _planted(((one,) for one in MISTAKES), chosen)
    elif what == "two":
        _planted(two_at_a_time(), chosen)
    else:
        raise SystemExit(__doc__)


if __name__ == "__main__":
    main()
