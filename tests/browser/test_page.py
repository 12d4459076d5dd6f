"""The page as readers have it: wide and narrow, light and dark, by keyboard, on paper."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator

from ..docs.pages import broken_links, links
from .conftest import HOSTILE, View

Open = Callable[..., AbstractContextManager[View]]
WIDE, NARROW = 1440, 360
CONTRAST = 4.5
"""Of letters, as WCAG 2 (AA) wants it."""


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_it_opens_without_a_word_or_a_request(report: Path, opened: Open, width: int) -> None:
    with opened(report, width) as view:
        view.page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
        view.page.wait_for_timeout(200)
        assert view.wrong == []


@pytest.mark.parametrize(
    ("planted", "seen"),
    [
        ('<img src="https://example.org/a.png">', "violates the following Content Security Policy"),
        ("<script>alert(1)</script>", "violates the following Content Security Policy"),
        ('<link rel="stylesheet" href="other.css">', "other.css"),
    ],
)
def test_what_it_should_not_do_is_seen(
    report: Path, opened: Open, tmp_path: Path, planted: str, seen: str
) -> None:
    spoilt = tmp_path / "spoilt.html"
    spoilt.write_text(report.read_text().replace("</main>", f"{planted}</main>"))
    with opened(spoilt) as view:
        view.page.wait_for_timeout(200)
        assert any(seen in line for line in view.wrong)


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_links_of_the_contents_land(report: Path, opened: Open, width: int) -> None:
    with opened(report, width) as view:
        page = view.page
        links = page.locator("#contents a")
        assert links.count() > 20
        for link in links.all():
            if not link.is_visible():
                page.locator("#contents summary").click()
            link.click()
            target = (link.get_attribute("href") or "").removeprefix("#")
            place = page.evaluate(
                "id => document.getElementById(id).getBoundingClientRect().top", target
            )
            last = page.evaluate(
                "scrollY + innerHeight >= document.documentElement.scrollHeight - 1"
            )
            assert -1 <= place < 100 or (last and place < 900), target
            assert page.url.endswith(f"#{target}")


def test_every_section_tells_its_link(report: Path, opened: Open) -> None:
    with opened(report) as view:
        linked = view.page.eval_on_selector_all(
            "main section[id]",
            "all => all.map(one => [one.id, one.querySelector('.here')?.getAttribute('href')])",
        )
        assert linked
        assert [one for one in linked if one[1] != f"#{one[0]}"] == []


def test_code_columns_line_up_where_there_is_room(report: Path, opened: Open) -> None:
    with opened(report) as view:
        assert view.page.locator(".tabs:visible").count() == 0
        assert view.page.locator(".columns").count() == 6
        for columns in view.page.locator(".columns").all():
            tops = columns.evaluate(
                "all => [...all.children].map(column => [...column.children].map("
                "line => Math.round(line.getBoundingClientRect().top)))"
            )
            lefts = columns.evaluate(
                "all => [...all.children].map(column => column.getBoundingClientRect().left)"
            )
            assert len(tops) == 3
            assert tops[0] == tops[1] == tops[2]
            assert len(set(tops[0])) == len(tops[0]) > 40
            assert lefts == sorted(set(lefts))


def test_code_columns_are_tabs_where_there_is_not(report: Path, opened: Open) -> None:
    with opened(report, NARROW) as view:
        code = view.page.locator(".code").first
        tabs, panels = code.get_by_role("tab"), code.get_by_role("tabpanel")
        assert tabs.all_text_contents() == ["numpy", "torch", HOSTILE]
        assert panels.count() == 1
        tabs.nth(0).focus()
        for key, chosen in (
            ("ArrowRight", 1),
            ("End", 2),
            ("ArrowRight", 0),
            ("ArrowLeft", 2),
            ("Home", 0),
        ):
            view.page.keyboard.press(key)
            state = [tab.get_attribute("aria-selected") for tab in tabs.all()]
            assert state == ["true" if at == chosen else "false" for at in range(3)], key
            assert tabs.nth(chosen).evaluate("tab => tab === document.activeElement")
            assert panels.count() == 1
            assert panels.get_attribute("id") == tabs.nth(chosen).get_attribute("aria-controls")
            assert panels.get_attribute("aria-labelledby") == tabs.nth(chosen).get_attribute("id")
        tabs.nth(1).click()
        assert "autograd" in panels.inner_text()
        view.page.set_viewport_size({"width": WIDE, "height": 900})
        view.page.wait_for_function("document.querySelector('.tabs').hidden")
        assert code.locator(".column:visible").count() == 3
        assert code.locator("[role=tabpanel]").count() == 0


def test_a_line_lights_its_partners(report: Path, opened: Open) -> None:
    with opened(report) as view:
        step = view.page.locator("#one-step")
        lines = step.locator(".lines li")
        sigma = lines.filter(has_text="np.exp(-z)")
        assert sigma.count() == 1
        assert step.locator(".lit").count() == 0
        sigma.hover()
        _expect_lit(step, ["np.exp(-z)", "activation(z)", "ACTIVATIONS[layer.activation](z)"])
        lit = step.locator("tr.lit").all_inner_texts()
        assert len(lit) == 2
        assert all("activations.py" in row and "logistic" in row for row in lit)
        assert step.locator(".said p").count() == 2
        view.page.mouse.move(0, 0)
        assert step.locator(".lit").count() == 0

        lines.first.focus()  # the same by keyboard
        view.page.keyboard.press("Tab")
        focused = view.page.evaluate("document.activeElement.textContent")
        assert focused == lines.nth(1).text_content()
        assert "lit" in (lines.nth(1).get_attribute("class") or "")
        assert step.locator(".said").inner_text()
        assert view.wrong == []


def _expect_lit(step: Locator, texts: list[str]) -> None:
    found = step.locator(".lines li.lit").all_inner_texts()
    assert len(found) == len(texts)
    assert all(text in one for text, one in zip(texts, found, strict=True))


def test_without_a_script_the_table_says_the_same(report: Path, browser: Browser) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(report.as_uri())
    rows = page.locator("#one-step tbody tr").all_inner_texts()
    assert any("aten.sigmoid_backward, backward of gradients.py" in row for row in rows)
    assert page.locator("#one-step .lit, #one-step [tabindex]").count() == 0
    context.close()


@pytest.mark.parametrize("width", [320, NARROW, 768, 1024, 1280, WIDE, 1920])
def test_nothing_is_wider_than_the_window(report: Path, opened: Open, width: int) -> None:
    with opened(report, width) as view:
        assert view.page.evaluate("document.documentElement.scrollWidth") <= width


def test_nothing_is_cut_on_paper(report: Path, opened: Open) -> None:
    a4 = 680  # 210 mm less margins of 15 mm, in CSS pixels
    with opened(report, a4) as view:
        view.page.emulate_media(media="print")
        assert view.page.evaluate("document.documentElement.scrollWidth") <= a4
        assert view.page.locator("#contents:visible, .tabs:visible").count() == 0
        assert view.page.locator(".column:visible").count() == view.page.locator(".column").count()
        cut = view.page.eval_on_selector_all(
            "main *",
            "all => all.filter(one => ['auto', 'scroll'].includes(getComputedStyle(one).overflowX)).length",
        )
        assert cut == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_letter_of_a_figure_can_be_read(report: Path, opened: Open, scheme: str) -> None:
    with opened(report, scheme=scheme) as view:
        page_colour = _colour(view.page.evaluate("getComputedStyle(document.body).backgroundColor"))
        assert (sum(page_colour) < 3 * 128) == (scheme == "dark")
        texts = view.page.eval_on_selector_all(
            "figure svg text",
            "all => all.map(one => [one.textContent.trim(), getComputedStyle(one).fill])",
        )
        assert len(texts) > 200
        faint = {
            (text, fill) for text, fill in texts if _contrast(_colour(fill), page_colour) < CONTRAST
        }
        assert faint == set()


def _colour(text: str) -> tuple[int, int, int]:
    red, green, blue, *_ = map(int, re.findall(r"\d+", text))
    return red, green, blue


def _contrast(one: tuple[int, int, int], other: tuple[int, int, int]) -> float:
    """As WCAG 2 defines it."""

    def luminance(colour: tuple[int, int, int]) -> float:
        linear = [
            c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
            for c in (value / 255 for value in colour)
        ]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_axe_finds_nothing(report: Path, opened: Open, width: int, scheme: str) -> None:
    with opened(report, width, scheme) as view:
        found = Axe().run(view.page).response
        assert len(found["passes"]) > 10
        assert [_violation(one) for one in found["violations"]] == []


def _violation(found: dict[str, Any]) -> str:
    nodes = "; ".join(node["html"][:120] for node in found["nodes"][:3])
    return f"{found['id']}: {found['help']}: {nodes}"


def test_a_hostile_name_is_text(report: Path, opened: Open) -> None:
    with opened(report) as view:
        assert view.page.locator("script").count() == 1
        assert view.page.get_by_text(HOSTILE).count() > 5
        assert view.wrong == []


def test_tables_are_sorted_by_keyboard(report: Path, opened: Open) -> None:
    with opened(report) as view:
        table = view.page.locator("#planted-faults table").first
        heading = table.get_by_role("columnheader", name="visible")
        before, total = _column(table, 8), table.locator("tfoot").inner_text()
        assert before != sorted(before)
        heading.get_by_role("button").focus()
        view.page.keyboard.press("Enter")
        assert heading.get_attribute("aria-sort") == "ascending"
        assert _column(table, 8) == sorted(before)
        view.page.keyboard.press("Space")
        assert heading.get_attribute("aria-sort") == "descending"
        assert _column(table, 8) == sorted(before, reverse=True)
        assert table.locator("tfoot").inner_text() == total
        table.get_by_role("columnheader", name="fault").get_by_role("button").press("Enter")
        assert table.locator("[aria-sort]").count() == 1


def _column(table: Locator, number: int) -> list[int]:
    return [
        int(text) for text in table.locator(f"tbody td:nth-child({number})").all_text_contents()
    ]


def test_what_scrolls_can_be_reached_by_keyboard(report: Path, opened: Open) -> None:
    with opened(report, 768) as view:
        boxes = view.page.locator(".scroll").all()
        assert {box.evaluate("one => one.scrollWidth > one.clientWidth") for box in boxes} == {
            True,
            False,
        }
        for box in boxes:
            scrolls = box.evaluate("one => one.scrollWidth > one.clientWidth")
            assert (box.get_attribute("tabindex") == "0") == scrolls


def test_links_of_the_markdown_edition_land(report: Path) -> None:
    """No browser is needed; but here a report has everything in it."""
    page = report.with_name("README.md")
    text = page.read_text()
    assert {"#the-study", "#planted-faults", "#bit-for-bit", "#benchmark"} < set(links(text))
    assert not broken_links(page, text)
