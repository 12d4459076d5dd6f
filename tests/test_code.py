"""The source side by side: all of it, lined up, with the equations of the lines that it has now."""

from __future__ import annotations

import re
from html import unescape
from inspect import getsource
from pathlib import Path
from types import SimpleNamespace

import pytest

from gradparity import registry
from gradparity.guarded import Guarded
from gradparity.markers import find_line
from gradparity.report.align import align
from gradparity.report.code import Exhibit, exhibits
from gradparity.report.equations import EQUATIONS

from .helpers import ROOT, implementation

NAMES = ("forward", "loss_and_grads", "train")
PLAIN = {name: f"impl_{name}" for name in registry.PLAIN}


@pytest.fixture(scope="module")
def shown() -> list[Exhibit]:
    return exhibits([implementation(name) for name in PLAIN])


def test_rows_hold_what_is_alike() -> None:
    columns = ["abcx", "bcy", "zacy"]
    rows = align([list(column) for column in columns], lambda a, b: float(a == b))
    assert ["".join(entry or "-" for entry in row) for row in rows] == [
        "--z", "a-a", "bb-", "ccc", "x--", "-yy",
    ]  # fmt: skip


def test_what_is_not_alike_stands_alone() -> None:
    assert align([["a"], ["b"]], lambda a, b: 0.0) == [["a", None], [None, "b"]]


def test_the_source_is_shown_whole_and_in_reading_order(shown: list[Exhibit]) -> None:
    files = {
        "activations": "activations.py",
        "losses": "losses.py",
        "layers": "layers.py",
        "forward": "gradients.py",
        "optimizers": "optimizers.py",
        "train": "train.py",
    }
    assert [one.name for one in shown] == list(files)
    for exhibit, file in zip(shown, files.values(), strict=True):
        assert exhibit.files == dict.fromkeys(PLAIN, file)
        for name, folder in PLAIN.items():
            html = "\n".join(line.html for line in exhibit.columns[name] if line)
            text = unescape(re.sub(r"<[^>]*>", "", html))
            source = (ROOT / folder / file).read_text()
            assert _not_blank(text) == _not_blank(source)


def _not_blank(text: str) -> list[str]:
    return [line for line in text.split("\n") if line]


@pytest.mark.parametrize(
    "begin",
    [
        "def mse(",
        "def softmax_cross_entropy(",
        "LOSSES",
        "LAYERS",
        "ACTIVATIONS",
        "def loss_and_grads(",
        "def forward(",
        "def train(",
        "    losses: list[",
        "    return Trajectory(",
    ],
)
def test_what_corresponds_is_in_one_row(shown: list[Exhibit], begin: str) -> None:
    for exhibit in shown:
        places = [
            [at for at, line in enumerate(column) if line and line.text.startswith(begin)]
            for column in exhibit.columns.values()
        ]
        if any(places):
            assert places[0] == places[1] == places[2] != []
            return
    pytest.fail(f"no line begins with {begin!r}")


def test_what_has_one_name_begins_in_one_row(shown: list[Exhibit]) -> None:
    (exhibit,) = [one for one in shown if one.name == "forward"]
    numpy, _, jax = exhibit.columns.values()
    (row,) = [
        at for at, line in enumerate(jax) if line and line.text.startswith("value_and_grad =")
    ]
    beside = numpy[row]
    assert beside is not None
    assert beside.text == "def value_and_grad("


def test_every_equation_is_of_one_line() -> None:
    for file, definition, marker in EQUATIONS:
        source = (ROOT / "impl_numpy" / f"{file}.py").read_text()
        assert find_line(file, source, definition, marker).code


def test_a_marker_that_is_gone_or_not_unique_is_an_error() -> None:
    source = "TABLE = {\n    1: 2,  # one\n}\n\n\ndef f(x):\n    # one\n    y = '# one'  # one\n    return y  # two\n"
    assert find_line("file", source, "TABLE", "one")[2:] == (1, "1: 2,")
    assert find_line("file", source, "f", "one")[2:] == (7, "y = '# one'")
    with pytest.raises(ValueError, match=r"file\.py: f has no lines with the comment '# three'"):
        find_line("file", source, "f", "three")
    with pytest.raises(ValueError, match=r"file\.py: g has no lines with the comment '# one'"):
        find_line("file", source, "g", "one")
    twice = source.replace("# two", "# one")
    with pytest.raises(ValueError, match=r"file\.py: f has 2 lines with the comment '# one'"):
        find_line("file", twice, "f", "one")


def test_every_derivative_has_its_equation_beside_it(shown: list[Exhibit]) -> None:
    for name, count in (("losses", 3), ("layers", 3), ("forward", 4)):
        (exhibit,) = [one for one in shown if one.name == name]
        lines = [line for line in exhibit.columns["numpy"] if line]
        explained = [line for line in lines if "&#x02202;" in line.equation]
        assert len(explained) == count
        assert all("  # " in line.text and "dL/d" in line.text for line in explained)
        assert exhibit.explained == {"numpy"}


def test_a_file_is_shown_once(tmp_path: Path) -> None:
    mine = tmp_path / "mine.py"
    mine.write_text(
        "# </code><script>\nfrom gradparity.implementations import impl_numpy\n\n"
        + "".join(f"def {name}(*args): return impl_numpy.{name}(*args)\n" for name in NAMES)
        + "# the end\n"
    )
    (only,) = exhibits([registry.load(str(mine))])
    text = [line.text for line in only.columns["mine"] if line]
    assert _not_blank("\n".join(text)) == _not_blank(mine.read_text())
    assert not any("<script>" in line.html for line in only.columns["mine"] if line)


def test_the_file_of_a_package_is_shown_with_the_package() -> None:
    shown = exhibits([implementation("numpy-exact")])
    assert [one.files["numpy-exact"] for one in shown] == ["exact/__init__.py"]


def test_what_has_no_source_is_left_out() -> None:
    train = implementation("numpy").implementation.train
    built_in = SimpleNamespace(forward=abs, loss_and_grads=abs, train=train)
    (only,) = exhibits([Guarded("mixed", built_in)])
    assert only.name == "train"
    assert getsource(train).splitlines()[-1] in [
        line.text for line in only.columns["mixed"] if line
    ]
