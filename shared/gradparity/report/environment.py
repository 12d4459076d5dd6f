"""What all pages share: how templates are read, the script, and highlighted Python."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from functools import cache
from importlib import resources

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

_LEXER, _FORMATTER = PythonLexer(stripnl=False), HtmlFormatter(nowrap=True)


def environment() -> Environment:
    """Return Jinja for the package's templates; it escapes whatever is not markup."""
    # Markdown is escaped like HTML: a name such as <script> is shown as text in both editions.
    found = Environment(
        loader=PackageLoader(__package__),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    found.filters["share"] = lambda value: "∞" if value is None else f"{value:.2g}"
    return found


@cache
def script() -> dict[str, Markup | str]:
    """Return the page's script, and its hash, by which the page's policy knows it."""
    text = (resources.files(__package__) / "templates" / "page.js").read_text(encoding="utf-8")
    digest = b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return {"script": Markup(text), "script_hash": digest}


def highlighted(source: str) -> str:
    """Return Python source as HTML, highlighted."""
    return highlight(source, _LEXER, _FORMATTER)
