"""The page on a port, in one file: the verdict, what differs, and the two programs beside each other."""

from __future__ import annotations

import re
from collections.abc import Hashable
from functools import cache

from jinja2 import Template
from markupsafe import Markup, escape

from ..porting import words
from ..porting.result import Judged, Result
from ..porting.text import headline
from .environment import environment, script
from .port_sources import SIDES, code, sources


def page(result: Result) -> str:
    """Return the page as HTML."""
    result = words.cleaned(result)
    judged = _judged(result)
    return _template().render(
        result=result,
        headline=headline(result),
        modes=words.in_modes([mode.name for mode in result.modes]),
        sides=SIDES,
        sources=sources(result),
        judged=judged,
        renamed=any(one.port != one.name for one, _ in judged),
        reasons=any(one.why for one, _ in judged),
        words=words,
        **script(),
    )


@cache
def _template() -> Template:
    templates = environment()
    templates.filters["code"] = code
    templates.filters["held"] = _held
    return templates.get_template("port.html.j2")


def _judged(result: Result) -> list[tuple[Judged, str]]:
    """Return everything judged; what is the same in all modes, once."""

    def key(one: Judged) -> Hashable:
        return one.name, one.verdict, one.informative, one.why, words.number(one.share)

    return words.gathered(result, lambda mode: mode.judged, key)


def _held(text: str) -> Markup:
    """Return text with code between backticks, in which a browser breaks no number: behind the hyphen of 1e-05."""
    html = re.sub(r"[\d.]+e-\d+", r'<span class="number">\g<0></span>', str(escape(text)))
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", html))
