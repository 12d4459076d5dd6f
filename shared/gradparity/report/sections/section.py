"""What a section of the report is, and what it is made from."""

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
    """The experiments, trained and judged for this report; with the results of campaigns that it shows.

    Attributes:
        implementations: in the order in which they were given.
        results: one for each experiment.
        summary: the same in plain numbers, as in `results.json`.
        commands: what makes each experiment's figures again, by its name; and the whole page, as `page`.
        campaigns: with the file of each.
    """

    implementations: Sequence[Guarded]
    results: Sequence[Result]
    summary: Mapping[str, Any]
    commands: Mapping[str, str]
    campaigns: Sequence[tuple[Campaign, Mapping[str, Any]]]


@dataclass(frozen=True)
class Content:
    """What a section shows.

    Attributes:
        values: the variables of its templates.
        drawings: by name; the Markdown edition has them in `figures/`.
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
        show: returns its content, or None if there is nothing to show; given `Trained`, or, where the section shows
            campaigns, the file of each, None if there is none.
        campaigns: those that it shows; it is left out if none has a file.
        markdown: it is in the Markdown edition.
    """

    name: str
    title: str
    show: Callable[..., Content | None]
    campaigns: tuple[Campaign, ...] = ()
    markdown: bool = True

    @property
    def anchor(self) -> str:
        """The id that GitHub gives its heading in the Markdown edition."""
        return re.sub(r"[^\w -]", "", self.title.lower()).replace(" ", "-")

    @property
    def template(self) -> str:
        """The stem of its templates."""
        return self.name.replace("-", "_")


def text_alone(_: Trained) -> Content:
    """The content of a section whose templates need nothing but the summary and the constants, which all have."""
    return Content({})


@dataclass(frozen=True)
class Part:
    """A part of a section that consists of a text, a figure and a table.

    Attributes:
        name: its id in the page.
        number: the homework's section; empty where it has none.
        text: a few sentences on it.
        headings: of the table.
        caption: the figure's.
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
    """The figures of some parts, by name."""
    return {part.name: part.drawing for part in parts}
