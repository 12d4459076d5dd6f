"""Call a target on every configuration, in the process that the conformance suite starts for it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ..check.judgement import Judgement
from ..check.judging import judge
from ..check.loading import load
from ..check.observing import vetted
from ..check.supervise import answer
from ..check.worker import patience
from ..errors import InputError
from ..processes import one_quiet_thread
from ..verdict.judge import Verdict

_STEP = re.compile(r", (update \d+|after the last update).*")
"""What follows the configuration in the words for an observation."""


def work(question: Any, say: Callable[[str], None]) -> Mapping[str, Any]:
    """Judge a target on each configuration; return pairs of its name and what is wrong there, in lines."""
    say("it was being imported")
    try:
        target = load(
            question["target"], question["adapter"] or None, patience(question["timeout"])
        )
    except InputError as error:
        return {"input_error": str(error)}
    say("it was being judged")
    with one_quiet_thread():
        observed = {dtype: vetted(target, dtype) for dtype in ("float64", "float32")}
        return {"steps": list(_steps(judge(target, observed)))}


def _steps(judgement: Judgement) -> Iterator[tuple[str, list[str]]]:
    """Yield each configuration, and what is wrong in its activations, losses, gradients and updates."""
    for one in judgement.judged:
        wrong: dict[str, list[str]] = {}
        for where, observation in one.observed.observations:
            configuration = _STEP.sub("", where)
            wrong.setdefault(configuration, []).extend(
                f"{where.removeprefix(configuration).lstrip(', ')}: {finding}"
                for finding in observation.findings
                if finding.verdict is Verdict.DISAGREE
            )
        for line in (*one.observed.not_judged, *one.observed.broken):
            configuration, _, what = line.partition(": ")
            wrong.setdefault(configuration, []).append(what)
        yield from ((f"{one.dtype}-{where}", lines) for where, lines in wrong.items())


if __name__ == "__main__":
    answer(work)
