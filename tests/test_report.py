"""The report: complete, self-contained, the same bytes for the same results, and safe with any name."""

from __future__ import annotations

import functools
import hashlib
import json
import operator
import re
from base64 import b64encode
from collections.abc import Iterator
from html import escape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from gradparity.campaigns.campaign import Campaign
from gradparity.campaigns.random_networks.run import random_networks
from gradparity.errors import InputError
from gradparity.experiments import experiment
from gradparity.experiments.experiment import Experiment
from gradparity.report import page as page_module
from gradparity.report import rendering
from gradparity.report.constants import CONSTANTS
from gradparity.report.page import build
from gradparity.report.results import SCHEMA
from gradparity.report.sections import SECTIONS
from gradparity.report.sections.section import Content, Section, text_alone
from gradparity.verdict.judge import Verdict

from .docs.pages import broken_links
from .helpers import ROOT, InThisProcess, small_experiment

ORDER = ("verdict", "code", "one", "experiments", "experiment", "how", "machine")
HOSTILE = "<script>alert(1)|*x*"


@pytest.fixture(autouse=True, scope="module")
def in_a_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Where the hostile implementation lies: its path is part of the commands that the page tells."""
    folder = tmp_path_factory.mktemp("hostile")
    (folder / f"{HOSTILE}.py").write_text("from gradparity.implementations.impl_numpy import *\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield


def _build(out: Path, *experiments: Experiment) -> Verdict:
    targets = ["numpy", f"{HOSTILE}.py"]
    chosen = experiments or [small_experiment()]
    return build(chosen, targets, out, campaigns=out, executor=InThisProcess)


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.sources: list[str] = []
        self.tags: list[str] = []
        self.figures: list[dict[str, str | None]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        given = dict(attrs)
        if "id" in given:
            self.ids.append(given["id"] or "")
        if tag == "a" and given.get("href"):
            self.links.append(given["href"] or "")
        if tag == "svg":
            self.figures.append(given)
        self.sources += [given[key] or "" for key in ("src", "srcset", "data") if key in given]


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    assert _build(folder) is Verdict.AGREE
    return folder


def test_three_files_and_figures(out: Path) -> None:
    assert {p.name for p in out.iterdir()} == {
        "index.html", "README.md", "machine.md", "results.json", "figures",
    }  # fmt: skip
    markdown = (out / "README.md").read_text()
    shown = set(re.findall(r"\]\((figures/[^)]*)\)", markdown))
    assert shown == {f"figures/{p.name}" for p in (out / "figures").iterdir()}
    assert len(shown) == 3


def test_the_page_stands_alone(out: Path) -> None:
    text = (out / "index.html").read_text()
    page = Page(text)
    assert {"link", "iframe", "img", "object"}.isdisjoint(page.tags)
    assert page.tags.count("script") == 1
    assert not page.sources
    assert set(re.findall(r"url\((.)", text)) == {"#"}
    assert len(page.figures) == 3
    assert all(figure["role"] == "img" and figure["aria-label"] for figure in page.figures)
    assert len(set(page.ids)) == len(page.ids)
    assert page.links
    assert all(link.removeprefix("#") in page.ids for link in page.links)


def test_the_page_lets_nothing_be_fetched_nor_run_but_its_own_script(out: Path) -> None:
    text = (out / "index.html").read_text()
    policy = re.findall(r'Content-Security-Policy" content="([^"]*)"', text)
    script = re.findall(r"<script>(.*)</script>", text, flags=re.DOTALL)
    allowed = b64encode(hashlib.sha256(script[0].encode()).digest()).decode()
    assert policy == [
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
        f"script-src 'sha256-{allowed}'"
    ]


def test_its_order_is_the_readers(out: Path) -> None:
    sections = [
        one for one in Page((out / "index.html").read_text()).ids if one.partition("-")[0] in ORDER
    ]
    assert sections == [
        "verdict", "code",
        "code-activations", "code-losses", "code-layers", "code-forward", "code-optimizers", "code-train",
        "one-step", "experiments", "experiment-small", "how-judged", "machine",
    ]  # fmt: skip


def test_the_markdown_edition_is_in_the_same_order(out: Path) -> None:
    text = (out / "README.md").read_text()
    title, sentence = text.split("\n\n")[:2]
    assert title == "# One experiment, 2 implementations, the same numbers"
    assert re.fullmatch(r"\*\*numpy, .*: agree\.\*\* On 1 experiment, every number .*\.", sentence)
    headings = re.findall(r"^## (.*)", text, flags=re.MULTILINE)
    assert headings == [
        "One step, three ways", "The experiments", "How agreement is judged", "What was run, and where",
    ]  # fmt: skip
    assert "```" not in text  # no source: it is in the page
    assert not broken_links(out / "README.md", text)


def test_the_command_stands_under_each_figure(out: Path) -> None:
    text = (out / "index.html").read_text()
    captions = re.findall(r"<figcaption>(.*?)</figcaption>", text)
    assert len(captions) == 3
    command = f"gradparity report small.toml --impl=numpy &#39;--impl={escape(HOSTILE)}.py&#39;"
    assert all(f"<code>{command}</code>" in caption for caption in captions)


def test_the_full_page_is_small() -> None:
    assert (ROOT / "reports" / "reference" / "index.html").stat().st_size < 3_500_000


def test_constants_in_the_texts_are_those_of_the_code(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = {
        "close": 0.3,
        "threshold": 0.6,
        "safety": 1.02,
        "sigmoid_ulp": 17,
        "resolution": 0.02,
        "members": 9,
        "margin": 7.0,
        "window": 11,
        "chaotic": 0.1,
        "parted": 0.002,
    }
    assert changed.keys() == CONSTANTS.keys()
    monkeypatch.setattr(rendering, "CONSTANTS", changed)
    summary = json.loads((out / "results.json").read_text())
    shown = [(one, Content({})) for one in SECTIONS if one.show is text_alone]
    page, markdown = (
        rendering.render(shown, summary)[name].decode() for name in ("index.html", "README.md")
    )
    for phrase in (
        *("bound is more than 0.02 of", "nine copies", "seven times", "grows beyond a tenth of"),
        "|ŷ − y| &lt; 0.3",
    ):
        assert phrase in page, phrase
        assert phrase.replace("&lt;", "<") in markdown, phrase
    for phrase in ("by up to 17 units", "by 1.02,", "K = 9 noisy copies within 11 samples"):
        assert phrase in page, phrase
    numbers = re.findall(r"<mn>(\d+)</mn>", page)
    assert numbers.count("17") == 2  # ε, on either side of the activation's error
    assert {"50", "10", "7"} <= set(numbers)  # 1 / resolution, 1 / chaotic, margin


def test_a_hostile_name_is_text(out: Path) -> None:
    for name in ("index.html", "README.md", "machine.md"):
        assert "<script>a" not in (out / name).read_text()
    assert "&lt;script&gt;alert" in (out / "index.html").read_text()


def test_tables_of_the_markdown_are_whole(out: Path) -> None:
    text = (out / "README.md").read_text() + (out / "machine.md").read_text()
    tables = re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE)
    assert len(tables) == 9
    for table in tables:
        rows = table.splitlines()
        assert re.fullmatch(r"\|(:?-+:?\|)+", rows[1]), table
        assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows}) == 1, table
        assert len(rows) > 2


def test_the_same_results_give_the_same_bytes(out: Path, tmp_path: Path) -> None:
    _build(tmp_path)
    for path in out.rglob("*"):
        if path.is_file() and path.name not in ("machine.md", "index.html"):  # these tell seconds
            assert path.read_bytes() == (tmp_path / path.relative_to(out)).read_bytes(), path
    pages = [(folder / "index.html").read_text() for folder in (out, tmp_path)]
    parts = [re.split(r'<section id="machine">', page)[0] for page in pages]
    assert parts[0] == parts[1]


def test_results_are_json_for_everybody(out: Path) -> None:
    results = json.loads((out / "results.json").read_text(), parse_constant=pytest.fail)
    assert results["schema"] == SCHEMA
    assert results["verdict"] == "agree"
    one = results["experiments"][0]
    assert [row["epoch"] for row in one["losses"]] == list(range(3, 31, 3))
    assert len(one["parity"]["pairs"]) == 3 * 2
    assert 0 < results["largest_shares"]["float32"]["gradient"] < 1


def test_a_run_that_diverges_is_reported(tmp_path: Path) -> None:
    """A learning rate of 1e300 drives the weights to infinity; that is no reason to have no report."""
    wild = small_experiment(learning_rate=1e300, epochs=3)
    verdict = _build(tmp_path, wild)
    assert verdict in (Verdict.AGREE, Verdict.ABSTAIN)
    json.loads((tmp_path / "results.json").read_text(), parse_constant=pytest.fail)


def test_an_experiment_of_one_epoch(tmp_path: Path) -> None:
    xor = experiment.load("xor")
    short = xor.model_copy(update={"training": xor.training.model_copy(update={"epochs": 1})})
    assert _build(tmp_path, short) is Verdict.AGREE
    assert (tmp_path / "figures" / "xor-boundaries.png").exists()


CAMPAIGNS = pytest.mark.parametrize(
    "campaign",
    [campaign for section in SECTIONS for campaign in section.campaigns],
    ids=lambda campaign: campaign.name,
)


@CAMPAIGNS
def test_the_committed_campaigns_are_of_their_formats(campaign: Campaign) -> None:
    found = campaign.read(ROOT / "reports" / "campaigns")
    assert found is not None
    assert set(campaign.command.split()) <= set(found["command"].split())


@pytest.mark.parametrize(
    ("content", "has"),
    [({}, "no format"), ({"format": 0}, "format 0"), ({"format": "1"}, "format '1'")],
)
@CAMPAIGNS
def test_a_campaign_of_another_format_is_named(
    campaign: Campaign, content: dict[str, object], has: str, tmp_path: Path
) -> None:
    (tmp_path / campaign.file).write_text(json.dumps(content))
    message = (
        f"{campaign.file}' has {has}; this version of gradparity reads format {campaign.format}: "
        f"renew it with '{campaign.command}', or remove it"
    )
    with pytest.raises(InputError, match=re.escape(message)):
        _build(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == [campaign.file]


DEEP: dict[str, tuple[str | int, ...]] = {
    "study": ("tables", "relu", 0, "results", "jax", "success_by_epoch", "share"),
    "random-networks-core": ("agreement", "pairs", 0, "phases", "update", "tensors"),
    "random-networks-full": ("features", 2, "largest_share", "float32", "loss"),
    "planted-faults": ("random_features", "ReLU' of the wrong side", "misnamed"),
    "narrow-faults": ("wrong", "memory", "relevant_missed"),
    "bit-for-bit": ("attribution", 3, "variants", 0, "pairs", 1, "distance"),
    "bench": ("workloads", 0, "rows", 2, "us_per_step"),
}
"""A field deep in each campaign's file."""


@pytest.mark.parametrize("damage", ["missing", "unknown", "of another type"])
@CAMPAIGNS
def test_a_damaged_campaign_is_named(campaign: Campaign, damage: str, tmp_path: Path) -> None:
    stored = json.loads((ROOT / "reports" / "campaigns" / campaign.file).read_text())
    *place, name = DEEP[campaign.name]
    record = functools.reduce(operator.getitem, place, stored)
    if damage == "missing":
        del record[name]
    elif damage == "unknown":
        name = "more"
        record[name] = 1
    else:
        record[name] = {"more": 1}
    (tmp_path / campaign.file).write_text(json.dumps(stored))
    where = re.escape(".".join(map(str, (*place, name))))
    message = rf"{campaign.file}' is damaged: {where}: .*; renew it with '{campaign.command}', or"
    with pytest.raises(InputError, match=message):
        _build(tmp_path)


def test_a_mistake_in_a_section_is_not_taken_for_a_stale_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(stored: dict[str, Any]) -> None:
        stored["no such key"]

    random_networks(["numpy"], 1, 0, tmp_path, executor=InThisProcess)
    shown = next(one for one in SECTIONS if one.name == "random-networks")
    section = Section("broken", "Broken", broken, shown.campaigns[:1])
    monkeypatch.setattr(page_module, "SECTIONS", (*SECTIONS[:3], section))
    with pytest.raises(KeyError, match="no such key"):
        _build(tmp_path)


def test_a_folder_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "results.json").mkdir()
    with pytest.raises(InputError, match=r"cannot write .*results\.json': it is a folder"):
        _build(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["results.json"]


def test_campaigns_are_shown_where_there_are_any(tmp_path: Path) -> None:
    random_networks(["numpy"], 2, 0, tmp_path, executor=InThisProcess)
    _build(tmp_path)
    page, markdown = ((tmp_path / name).read_text() for name in ("index.html", "README.md"))
    assert '<li><a href="#random-networks">Random networks</a></li>' in page
    assert '<section id="random-networks">' in page
    assert " · [random networks](#random-networks) · [how agreement" in markdown
    assert "\n## Random networks\n" in markdown
    command = "gradparity random-networks --networks 2 --seed 0 --kind core --impl numpy"
    for text in (page, markdown):
        assert text.count(command) == 2  # below its heading, and in the table of commands
    assert not broken_links(tmp_path / "README.md", markdown)


def test_a_broken_campaign_is_named(tmp_path: Path) -> None:
    (tmp_path / "study.json").write_text("{")
    with pytest.raises(InputError, match=r"study\.json' is damaged: it is not JSON"):
        _build(tmp_path)
    (tmp_path / "study.json").write_text("[]")
    with pytest.raises(InputError, match=r"study\.json' is damaged: it is not a JSON object"):
        _build(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["study.json"]
