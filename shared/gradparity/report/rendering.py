"""Render the report's files from the contents of its sections."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from jinja2 import Environment
from latex2mathml.converter import convert
from markupsafe import Markup

from ..plotting import Drawing
from ..verdict.judge import PHASES
from .constants import CONSTANTS, spelled
from .environment import environment, script
from .inline_svg import inline
from .sections.section import Content, Section


def render(
    shown: Sequence[tuple[Section, Content]], summary: Mapping[str, Any]
) -> dict[str, bytes]:
    """Return `index.html`, `README.md` with its figures, and the sections' further files."""
    templates = _environment()
    drawn = {name: one for _, content in shown for name, one in content.drawings.items()}
    common = {
        "results": summary,
        "sections": shown,
        "phases": PHASES,
        "figures": drawn,
        "draw": partial(_draw, drawn),
    }

    def rendered(template: str, section: Section, content: Content) -> Markup:
        values = common | {"section": section} | dict(content.values)
        return Markup(templates.get_template(template).render(values))

    def edition(suffix: str, chosen: Sequence[tuple[Section, Content]]) -> Markup:
        return Markup("").join(rendered(f"{one.template}.{suffix}.j2", one, c) for one, c in chosen)

    page = templates.get_template("index.html.j2").render(
        common, body=edition("html", shown), **script()
    )
    files = {
        "index.html": page.encode(),
        "README.md": edition("md", [one for one in shown if one[0].markdown]).encode(),
    }
    for section, content in shown:
        for name, template in content.files.items():
            files[name] = rendered(template, section, content).encode()
    return files | {f"figures/{name}.png": figure.png for name, figure in drawn.items()}


def _draw(drawn: Mapping[str, Drawing], name: str, label: str) -> Markup:
    return inline(drawn[name].svg, f"f{list(drawn).index(name)}", label)


def _plain(text: str) -> Markup:
    """Escape text so that Markdown shows it literally, in a table too; quotes need no escape outside attributes."""
    return Markup("".join(f"&#{ord(c)};" if c in "|*_`[]~<>&" else c for c in text))


def _environment() -> Environment:
    templates = environment()
    templates.globals["constants"] = CONSTANTS
    templates.filters["spelled"] = spelled
    templates.filters["plain"] = _plain
    templates.filters["math"] = lambda latex: Markup(convert(latex))
    templates.filters["display_math"] = lambda latex: Markup(convert(latex, display="block"))
    templates.filters["loss"] = lambda value: "–" if value is None else f"{value:.6g}"
    templates.filters["percent"] = lambda value: f"{100 * value:.4g} %"
    return templates
