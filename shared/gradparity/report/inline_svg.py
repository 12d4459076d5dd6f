"""Turn Matplotlib's SVG into a part of the page: in the page's colours, light or dark, and less than half as long."""

from __future__ import annotations

import re
from collections.abc import Mapping
from xml.etree import ElementTree as ET

from markupsafe import Markup

_SVG, _LINK = "{http://www.w3.org/2000/svg}", "{http://www.w3.org/1999/xlink}href"
_DROPPED = ("metadata", "style")
_ROUNDED = ("d", "x", "y", "width", "height", "transform")
# Matplotlib draws text, axes and background in black or white, and data in colours.
_COLOURS = {"#000000": "currentColor", "#ffffff": "var(--page)"}
_SMALLEST = 0.9
"""CSS pixels for a point of the drawing, so that its letters are readable; in a narrower window it scrolls."""


def inline(svg: bytes, name: str, label: str) -> Markup:
    """Return the drawing as an element of the page.

    Args:
        svg: the drawing as Matplotlib saves it, with text as text.
        name: the prefix of its ids, different for every figure.
        label: a description for screen readers.
    """
    root = ET.fromstring(svg)
    box = root.attrib["viewBox"]
    width = float(box.split()[2])
    found = " ".join(value for element in root.iter() for value in element.attrib.values())
    _shorten(root, f"{name}-", set(re.findall(r"#([\w-]+)", found)))
    root.attrib = {
        "viewBox": box,
        "role": "img",
        "aria-label": label,
        "style": f"width:{width:.0f}pt;min-width:{_SMALLEST * width:.0f}px",
    }
    return Markup(ET.tostring(root, encoding="unicode"))


def _shorten(element: ET.Element, prefix: str, used: set[str]) -> None:
    element.tag = element.tag.removeprefix(_SVG)
    if element.tag not in ("text", "tspan"):
        element.text = None
    element.attrib = dict(_attributes(element.attrib, prefix, used))
    children: list[ET.Element] = []
    for child in element:
        child.tail = None
        _shorten(child, prefix, used)
        if child.tag == "g" and not child.attrib:
            children += child
        elif child.tag not in _DROPPED and (child.attrib or child.text or len(child)):
            children.append(child)
    element[:] = children
    styles = {child.get("style") for child in children}
    if element.tag == "g" and len(children) > 1 and len(styles) == 1 and styles != {None}:
        element.attrib["style"] = ";".join(filter(None, (element.get("style"), *styles)))
        for child in children:
            del child.attrib["style"]


def _attributes(given: Mapping[str, str], prefix: str, used: set[str]) -> Mapping[str, str]:
    kept = {key: value for key, value in given.items() if key != "id" or value in used}
    if "id" in kept:
        kept["id"] = prefix + kept["id"]
    if _LINK in kept:
        kept["href"] = re.sub("^#", f"#{prefix}", kept.pop(_LINK))
    if "clip-path" in kept:
        kept["clip-path"] = kept["clip-path"].replace("#", f"#{prefix}")
    if "style" in kept:
        kept["style"] = _style(kept["style"])
    if kept.get("transform", "").startswith("rotate(-0 "):
        del kept["transform"]
    for key in _ROUNDED:
        if key in kept and "matrix" not in kept[key]:
            kept[key] = re.sub(
                r"-?\d+\.\d+", lambda found: f"{round(float(found[0]), 2):g}", kept[key]
            )
    if "d" in kept:
        kept["d"] = re.sub(r"\s*([A-Za-z])\s*", r"\1", kept["d"])
    return kept


def _style(text: str) -> str:
    """Return the style without fonts; the page sets them."""
    kept = []
    for part in text.split(";"):
        key, _, value = part.strip().partition(": ")
        if key != "font-family":
            kept.append(f"{key}:{_COLOURS.get(value, value)}")
    return ";".join(kept)
