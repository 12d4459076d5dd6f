"""The page on a port as readers have it: wide and narrow, light and dark, by keyboard, on paper, without a script."""

from __future__ import annotations

from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, FloatRect, Locator

from gradparity.report.port_page import page

from ..support.port_results import Programs, results
from .test_page import NARROW, WIDE, Open

NAMES = tuple(results(Path("/nowhere")))


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A page of each kind of result, and one whose programs are missing."""
    folder = tmp_path_factory.mktemp("port")
    Programs(folder).write()
    found = results(folder) | {"missing": results(Path("/nowhere"))["two"]}
    files = {name: folder / f"{name}.html" for name in found}
    for name, result in found.items():
        files[name].write_text(page(result))
    return files


@pytest.mark.parametrize("width", [WIDE, NARROW])
@pytest.mark.parametrize("name", [*NAMES, "missing"])
def test_it_opens_without_a_word_or_a_request(
    pages: dict[str, Path], opened: Open, name: str, width: int
) -> None:
    with opened(pages[name], width) as view:
        view.page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
        view.page.wait_for_timeout(100)
        assert view.wrong == []


@pytest.mark.parametrize("width", [320, NARROW, 768, 1024, 1280, WIDE, 1920])
@pytest.mark.parametrize("name", ["two", "not loaded", "abstain", "modes"])
def test_nothing_is_wider_than_the_window(
    pages: dict[str, Path], opened: Open, name: str, width: int
) -> None:
    with opened(pages[name], width) as view:
        assert view.page.evaluate("document.documentElement.scrollWidth") <= width
        cut = view.page.eval_on_selector_all(
            "main .column p, main .column code, main .mark, main dd, main h1",
            "all => all.filter(one => one.scrollWidth > one.clientWidth + 1 && one.clientWidth).length",
        )
        assert cut == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [WIDE, NARROW])
@pytest.mark.parametrize("name", ["epsilon", "not loaded", "modes"])
def test_axe_finds_nothing(
    pages: dict[str, Path], opened: Open, name: str, width: int, scheme: str
) -> None:
    with opened(pages[name], width, scheme) as view:
        if view.page.locator("[data-rows]:visible").count():
            view.page.locator("[data-rows]:visible").first.focus()  # its colours are tried, too
        found = Axe().run(view.page).response
        assert len(found["passes"]) > 10
        assert [(one["id"], one["nodes"][0]["html"]) for one in found["violations"]] == []


def test_a_line_lights_its_partners_and_tells_them(pages: dict[str, Path], opened: Open) -> None:
    with opened(pages["two"]) as view:
        sources = view.page.locator("#sources")
        scores = sources.locator("#column-original p", has_text="scores = q @")
        assert sources.locator(".lit").count() == 0
        scores.hover()
        lit = sources.locator(".column .lit").all_inner_texts()
        assert len(lit) == 2
        assert all("scores = q @" in one for one in lit)
        assert "port port.py:22 scores = q @" in sources.locator(".said").inner_text()
        assert "shapes (3, 4, 10, 10)" in sources.locator(".said").inner_text().replace("\xa0", " ")
        view.page.mouse.move(0, 0)
        assert sources.locator(".lit").count() == 0

        linear = sources.locator("#column-port p", has_text='return x @ p["kernel"]')
        linear.focus()  # it runs for two lines of the original
        assert sources.locator("#column-original .lit").count() == 2
        view.page.keyboard.press("Tab")
        assert "q, k, v = (one.reshape" in (
            view.page.evaluate("document.activeElement.textContent")
        )
        assert sources.locator("#column-original .lit").count() == 1


def box(part: Locator) -> FloatRect:
    """Where a part of the page stands."""
    found = part.bounding_box()
    assert found is not None
    return found


def test_partners_stand_in_one_row(pages: dict[str, Path], opened: Open) -> None:
    with opened(pages["two"]) as view:
        tops = [
            box(view.page.locator(f"#column-{side} p", has_text=text))["y"]
            for side, text in (("original", "torch.softmax"), ("port", "jax.nn.softmax"))
        ]
        assert tops[0] == tops[1]


def test_the_region_that_differs_is_open_with_its_numbers(
    pages: dict[str, Path], opened: Open
) -> None:
    with opened(pages["two"]) as view:
        marks = view.page.locator(".column .mark.difference")
        assert marks.count() == 4
        assert all(mark.is_visible() for mark in marks.all())
        assert view.page.locator(".column details .differs").count() == 0
        marks.nth(3).get_by_role("link").click()
        assert view.page.url.endswith("#difference-2")
        folded = view.page.locator(".column p", has_text="nn.init.normal_")
        assert not folded.is_visible()
        view.page.locator(".column summary", has=view.page.locator("text=/^14 lines$/")).click()
        assert folded.is_visible()


def test_without_a_script_everything_is_there(pages: dict[str, Path], browser: Browser) -> None:
    context = browser.new_context(
        java_script_enabled=False, viewport={"width": NARROW, "height": 900}
    )
    shown = context.new_page()
    shown.goto(pages["two"].as_uri())
    assert shown.locator(".column:visible").count() == 2
    assert shown.locator(".column .mark.difference:visible").count() == 4
    assert shown.locator(".tabs:visible").count() == 0
    shown.locator(".all summary").click()
    rows = shown.locator("#sources tbody tr:visible").all_inner_texts()
    assert len(rows) == 12
    assert any("scores = q @ k.transpose" in row and "k.swapaxes" in row for row in rows)
    context.close()


def test_nothing_is_cut_on_paper(pages: dict[str, Path], opened: Open) -> None:
    a4 = 680  # 210 mm less margins of 15 mm, in CSS pixels
    with opened(pages["two"], a4) as view:
        view.page.emulate_media(media="print")
        assert view.page.evaluate("document.documentElement.scrollWidth") <= a4
        assert view.page.locator("#contents:visible, .tabs:visible").count() == 0
        assert view.page.locator(".column:visible").count() == 2
        assert view.page.locator("#sources tbody tr").first.is_visible()
        lefts = [box(column)["x"] for column in view.page.locator(".column").all()]
        assert lefts == sorted(set(lefts))
