"""The parts of a report: its sections, their input and their content."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...campaigns.campaign import Campaign
from ...guarded import Guarded
from ...plotting import Drawing
from ..results import Result


@dataclass(frozen=True)
class Trained:
    """The experiments, trained and judged for this report, and the stored campaigns that it shows.

    Attributes:
        implementations: in the order in which they were given.
        results: one for each experiment.
        summary: the same as plain numbers, as in `results.json`.
        commands: the command that reproduces each experiment's figures, by its name; for the whole page, `page`.
        campaigns: each with the content of its file.
    """

    implementations: Sequence[Guarded]
    results: Sequence[Result]
    summary: Mapping[str, Any]
    commands: Mapping[str, str]
    campaigns: Sequence[tuple[Campaign, Mapping[str, Any]]]


@dataclass(frozen=True)
class Content:
    """The content of a section.

    Attributes:
        values: the variables of its templates.
        drawings: figures by name; the Markdown edition has them in `figures/`.
        parts: id and title of each part that is listed in the contents.
        files: further files of the report, each with its template.
    """

    values: Mapping[str, Any]
    drawings: Mapping[str, Drawing] = field(default_factory=dict)
    parts: Sequence[tuple[str, str]] = ()
    files: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Section:
    """One section. Its templates are `NAME.html.j2` and `NAME.md.j2`, with _ for each - of its name.

    Attributes:
        name: its id in the page.
        title: its heading.
        show: returns the content, or None if there is nothing to show. Its argument is `Trained`; for a section with
            campaigns, its arguments are the contents of their files, None for one that has no file.
        campaigns: the campaigns that it shows; the section is left out if none has a file.
        markdown: True if the section is in the Markdown edition.
    """

    name: str
    title: str
    show: Callable[..., Content | None]
    campaigns: tuple[Campaign, ...] = ()
    markdown: bool = True

    @property
    def anchor(self) -> str:
        """The id that GitHub gives to its heading in the Markdown edition."""
        return re.sub(r"[^\w -]", "", self.title.lower()).replace(" ", "-")

    @property
    def template(self) -> str:
        """The stem of its templates."""
        return self.name.replace("-", "_")


def text_alone(_: Trained) -> Content:
    """Return the content of a section whose templates need only the summary and the constants."""
    return Content({})


@dataclass(frozen=True)
class Part:
    """A part of a section: a text, a figure and a table.

    Attributes:
        name: its id in the page.
        number: the section of the original assignment; empty if there is none.
        text: a few sentences.
        headings: the table's headings.
        caption: the figure's caption.
    """

    name: str
    number: str
    title: str
    text: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    drawing: Drawing
    caption: str


def drawings(parts: Sequence[Part]) -> dict[str, Drawing]:
    """Return the figures of these parts, by name."""
    return {part.name: part.drawing for part in parts}
