"""The page on a port: complete, of one file, safe with any name, and right where a program is missing."""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from itertools import cycle
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradparity.porting.result import Result
from gradparity.porting.text import headline
from gradparity.porting.words import TOGETHER
from gradparity.report.port_page import page
from gradparity.report.port_sources import Fold, Heading, Source, Sources, sources

from .support.port_results import MODEL, PORT, Programs, results
from .test_port_text import HOSTILE, altered

NAMES = tuple(results(Path("/nowhere")))
CANNOT_CLOSE = {"meta", "wbr", "link", "img", "br"}
LOADING = ("src", "href", "srcset", "data", "action", "style")
MARKUP = (
    "<script>alert(1)</script>",
    "</style><img src=x onerror=alert(1)>",
    '" onmouseover=alert(1) x="',
    "{{ 7 * 7 }} {% raw %} {{",
    "</title><base href=//example.org>",
    "1e-5<b>2e-7",
)


class Read(HTMLParser):
    """What a page has: its text, ids, links, and what a browser would load."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text, self.open = "", list[str]()
        self.ids, self.links, self.loads = list[str](), list[str](), list[str]()
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in CANNOT_CLOSE:
            self.open.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            elif name == "href" and tag == "a":
                self.links.append(value or "")
            elif name == "style" and re.fullmatch(r"--[\w:;\s-]+", value or ""):
                continue
            elif name in LOADING or name.startswith("on"):
                self.loads.append(f"{name}={value}")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        if tag not in ("b", "code", "span", "a"):
            self.text += " "

    def handle_data(self, data: str) -> None:
        if self.open[-1:] not in (["style"], ["script"]):
            self.text += data


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("pair")
    Programs(made).write()
    return made


def words(html: str) -> str:
    return " ".join(Read(html).text.split())


@pytest.mark.parametrize("name", NAMES)
def test_it_is_one_whole_file_that_loads_nothing(folder: Path, name: str) -> None:
    result = results(folder)[name]
    html = page(result)
    read = Read(html)
    assert read.open == []
    assert read.loads == []
    assert len(set(read.ids)) == len(read.ids) > 0
    assert {link.removeprefix("#") for link in read.links} <= set(read.ids)
    assert "default-src 'none'" in html
    script = html.partition("<script>")[2].partition("</script>")[0]
    digest = b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in html
    assert "url(" not in html
    assert "@import" not in html
    assert page(result) == html


@pytest.mark.parametrize("name", NAMES)
def test_the_verdict_comes_first(folder: Path, name: str) -> None:
    result = results(folder)[name]
    html = page(result)
    assert words(html).partition("12.3 s ")[2].startswith(headline(result))
    assert f'<h1 class="{result.verdict}">' in html


def test_conversions_come_before_differences(folder: Path) -> None:
    html = page(results(folder)["not loaded"])
    assert html.index('id="conversions"') < html.index('id="differences"')
    assert "must be blocks.0.attention.out.weight, transposed." in words(html)


def test_a_difference_has_its_numbers_and_its_mark(folder: Path) -> None:
    html = page(results(folder)["two"])
    text = words(html)
    for expected in (
        "0.12345679",
        "0.12345812",
        "worst entry [2, 3, 1] of (3, 10, 64)",
        "1,912 of 1,920 entries, at most 1.2e+09 times what rounding can do",
        "LayerNorm's ε is 1e-05 in the original and 1e-06 in the port, at 5 places",
        "(original: model.py:42; port: port.py:11)",
        "with 1e-05 the two agree (tried)",
        "difference 1: 0.12345679 at [2, 3, 1]",
        "difference 2: -0.1699837 at [0, 7, 200] of (3, 10, 256); beyond rounding: 7,680 of 7,680",
    ):
        assert expected in text
    assert html.count('href="#difference-2"') == 3  # its own, and one beside each line
    assert "cause unknown" in words(page(results(folder)["unknown"]))


def test_code_in_a_sentence_is_code(tmp_path: Path) -> None:
    result = results(tmp_path)["not loaded"]
    html = page(replace(result, notes=("`w < 1e-5` is <b>",)))
    assert '<li><code>w &lt; <span class="number">1e-5</span></code> is &lt;b&gt;</li>' in html


def test_modes_repeat_nothing(folder: Path) -> None:
    text = words(page(results(folder)["modes"]))
    assert text.count("gradient blocks.0.up.bias agree") == 1
    assert "in train mode: updated parameter: 1 of 1 equal" in text
    assert "updated norm.running_var ✗" not in text  # the sign is the style's
    assert "updated norm.running_var disagree train n in place of n - 1" in text
    assert "output agree 0.2 all" in text


def test_a_difference_whose_port_has_no_line_is_told_beside_the_original(folder: Path) -> None:
    found = shown(results(folder)["modes"])
    mark = line(found, "original", "self.up(self.norm2(x)),").marks[0]
    assert "no rounding explains it; cause: unknown" in mark.text


# --- The programs ---------------------------------------------------------------------------------


def shown(result: Result) -> Sources:
    found = sources(result)
    assert found
    return found


def line(found: Sources, side: str, code: str) -> Source:
    (one,) = (
        entry
        for entry in found.columns[side]  # type: ignore[index]
        if isinstance(entry, Source) and code in text_of(entry)
    )
    return one


def text_of(entry: Source) -> str:
    return unescape(re.sub(r"<[^>]*>", "", entry.html))


def test_lines_that_make_the_same_array_have_a_row_in_common(folder: Path) -> None:
    result = results(folder)["agree"]
    found = shown(result)
    assert len(found.rows) == len(result.modes[0].lines)
    for row in found.rows:
        for side, place in (("original", row.original), ("port", row.port)):
            assert row.number in line(found, side, place.text).rows
    assert len(line(found, "port", "return x @ p").rows) == 2
    html = page(result)
    numbers = {int(n) for some in re.findall(r'data-rows="([\d ]+)"', html) for n in some.split()}
    assert numbers == {int(n) for n in re.findall(r'data-row="(\d+)"', html)}


def test_they_stand_beside_each_other(folder: Path) -> None:
    found = shown(results(folder)["agree"])
    originals, ports = found.columns["original"], found.columns["port"]
    assert len(originals) == len(ports)
    for original, port in (
        ("scores = q @", "scores = q @"),
        ("torch.softmax", "jax.nn.softmax"),
        ("return x + self.down", "x = x + mlp"),
        ("return self.head", "@ params"),
    ):
        at = originals.index(line(found, "original", original))
        assert ports[at] is line(found, "port", port)


def test_every_line_is_there_once_in_order_and_what_takes_no_part_is_folded(folder: Path) -> None:
    found = shown(results(folder)["agree"])
    for side, program in (("original", MODEL), ("port", PORT)):
        all_lines, folded = list[Source](), list[Source]()
        for entry in found.columns[side]:  # type: ignore[index]
            if isinstance(entry, Fold):
                folded += entry.lines
                all_lines += entry.lines
            elif isinstance(entry, Source):
                all_lines.append(entry)
        assert [text_of(one) for one in all_lines] == program.rstrip().split("\n")
        assert not any(one.takes_part for one in folded)
        hidden = "\n".join(map(text_of, folded))
        assert "import" in hidden
        assert "def forward" not in hidden
        assert "def layer_norm" not in hidden
        assert ("nn.init.normal_" in hidden) == (side == "original")


def test_an_expression_of_several_lines_is_lit_whole(folder: Path) -> None:
    found = shown(results(folder)["two"])
    first = line(found, "original", "nn.functional.gelu(")
    for code in ("self.up(self.norm2(x)),", 'approximate="none",'):
        assert line(found, "original", code).rows == first.rows != []
        assert line(found, "original", code).differs
    assert first.marks == []
    last = found.columns["original"].index(line(found, "original", 'approximate="none",')) + 1
    closing = found.columns["original"][last]
    assert isinstance(closing, Source)
    assert [mark.difference for mark in closing.marks] == [2]
    assert not line(found, "original", "return x + self.down").differs


def test_islands_are_marked(folder: Path) -> None:
    found = shown(results(folder)["island"])
    assert [m.text for m in line(found, "port", "x.astype(jnp.float32)").marks] == [
        "float32 island"
    ]
    assert "it moves the outputs by 4.4e-08" in words(page(results(folder)["island"]))


@pytest.mark.parametrize("name", NAMES)
def test_without_the_files_the_lines_that_take_part_are_there(tmp_path: Path, name: str) -> None:
    result = results(tmp_path)[name]
    html = page(result)
    if (found := sources(result)) is None:
        assert name == "abstain"
        return
    for side in ("original", "port"):
        heading, *entries = filter(None, found.columns[side])
        assert isinstance(heading, Heading)
        assert heading.missing
        numbers = [one.number for one in entries if isinstance(one, Source)]
        assert numbers == sorted(set(numbers))
        assert len(numbers) == len(entries) > 0
    assert words(html).count("not here as it ran") == 2
    for mode in result.modes:
        for one in mode.lines:
            assert one.port.text in words(html)


def test_a_file_that_has_changed_is_not_shown_for_what_ran(tmp_path: Path) -> None:
    Programs(tmp_path).write()
    (tmp_path / "port.py").write_text("# a new line\n" + PORT)
    found = shown(results(tmp_path)["epsilon"])
    original, port = (found.columns[side][0] for side in ("original", "port"))
    assert isinstance(original, Heading)
    assert isinstance(port, Heading)
    assert (original.missing, port.missing) == (False, True)


def test_a_folder_or_bytes_in_the_place_of_a_file_are_no_program(tmp_path: Path) -> None:
    (tmp_path / "model.py").mkdir()
    (tmp_path / "port.py").write_bytes(PORT.encode() + b"\xff\xfe\x00")
    text = words(page(results(tmp_path)["epsilon"]))
    assert text.count("not here as it ran") == 2


# --- Hostile texts --------------------------------------------------------------------------------


def test_a_program_is_shown_and_not_sent(tmp_path: Path) -> None:
    programs = Programs(tmp_path)
    programs.write()
    hostile = "# </script><script>alert(1)</script> \x1b[31m \x07 \u202e & <b onclick='x'>"
    for path in programs.files.values():
        path.write_text(path.read_text().rstrip() + f"\n\n{hostile}\n")
    html = page(results(tmp_path)["epsilon"])
    read = Read(html)
    assert html.count("<script>") == html.count("</script>") == 1
    assert read.loads == []
    assert "alert(1)" in read.text
    assert "�[31m" in read.text
    assert _harmless(html)


def _harmless(html: str) -> bool:
    return all(c.isprintable() or c in ("\n", TOGETHER) for c in html)


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from(NAMES),
    st.lists(HOSTILE | st.sampled_from(MARKUP), min_size=1, max_size=5),
    st.lists(st.floats(), min_size=1, max_size=5),
)
def test_no_text_is_markup(name: str, texts: list[str], numbers: list[float]) -> None:
    plain = Read(page(results(Path("/nowhere"))[name]))
    html = page(altered(results(Path("/nowhere"))[name], cycle(texts), cycle(numbers)))
    read = Read(html)
    assert read.open == []
    assert read.loads == []
    assert set(read.ids) <= set(plain.ids)
    assert html.count("<script>") == 1
    assert _harmless(html)
    html.encode()


def test_names_of_files_are_escaped() -> None:
    result = results(Path("/nowhere"))["epsilon"]
    changed = altered(result, cycle(["/a/<img src=x onerror=alert(1)>.py"]), cycle([0.5]))
    html = page(replace(changed, pair="pair.py"))
    assert "&lt;img src=x" in html
    assert "<img" not in html
