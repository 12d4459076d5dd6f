"""The command that shows one update of several implementations, line by line."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import wrap

from ..errors import InputError
from ..experiments import experiment
from ..tracing import step, step_text
from ..tracing.recording import Source
from .options import AsJson, Experiment, Impls, load_implementations
from .terminal import output, progress, say

_WIDTH = 80
_EXPLAINED = """\
Below each line of {first}: the operations that it runs, the shapes of the arrays that they make, and what makes the
same arrays in the others. A number is the largest difference, in units of what rounding can do to both arrays from
the data on: 1 is the most. "inside": an inner result of that operation, which the other never sees.
"backward of": the framework differentiates that line.\
"""


def trace_step(name: Experiment, impl: Impls = None, as_json: AsJson = False) -> None:
    """Record one update in each implementation; show which lines and operations make the same arrays."""
    chosen = experiment.load(name)
    implementations = list(load_implementations(impl).values())
    if len(implementations) < 2:
        raise InputError("two implementations are needed: give --impl twice")
    with progress(1) as advance:
        advance(f"{chosen.name}: record an update")
        found = step.trace(chosen, implementations)
    if found.left_out:
        raise InputError("; ".join(found.left_out.values()))
    if as_json:
        output().print_json(data=step_text.as_json(found))
        return
    say(*_page(found))


def _page(found: step.Step) -> Iterator[str]:
    """Yield the lines of the text; none is longer than 80 characters, if its words allow."""
    first = found.implementations[0]
    yield from (f"{found.experiment}: one update in {', '.join(found.implementations)}", "")
    yield from wrap(_EXPLAINED.format(first=first), _WIDTH)
    part, line = "", None
    for entry in step_text.entries(found.rows):
        if entry.part != part:
            part = entry.part
            yield from ("", f"--- {part} ---")
        if entry.source != line:
            line = entry.source
            yield from ("", *_wrapped("", _line(line)))
        yield from _entry(entry)
    for name, rows in found.alone.items():
        alone = [entry for entry in step_text.alone(rows) if entry.needed]
        if alone:
            yield from ("", f"--- only in {name} ---")
        for entry in alone:
            yield from ("", *_wrapped("", _line(entry.source)), *_entry(entry))
    yield from ("", "--- the lines of the others ---")
    for name, sources in step_text.lines(found).items():
        if name != first:
            yield from ("", name)
            yield from (text for one in sources for text in _wrapped("  ", _line(one)))
    yield from ("", *wrap(step_text.summary(found), _WIDTH))


def _entry(entry: step_text.Entry) -> Iterator[str]:
    yield from _wrapped("  ", step_text.makes(entry))
    widest = max(map(len, entry.partners))
    for name, partner in entry.partners.items():
        distance = f": {partner.distance}" if partner.distance else ""
        yield from _wrapped("    ", f"{name:{widest}} {step_text.in_words(partner)}{distance}")


def _line(source: Source | None) -> str:
    return f"{source}  {source.text}" if source else "no line of the program"


def _wrapped(indent: str, text: str) -> Iterator[str]:
    """Yield the text in lines that are broken at blanks alone."""
    inner = f"{indent}    "
    parts = wrap(
        text,
        _WIDTH,
        initial_indent=indent,
        subsequent_indent=inner,
        break_long_words=False,
        break_on_hyphens=False,
    )
    yield from (part.replace(step_text.TOGETHER, " ") for part in parts)
