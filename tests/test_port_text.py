"""A result in words: the headline, and a terminal of 80 columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from itertools import cycle
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from gradparity.cli.terminal import say
from gradparity.porting.result import (
    Cause,
    Conversion,
    Difference,
    Judged,
    Mode,
    Place,
    Result,
    Side,
)
from gradparity.porting.text import WIDTH, headline, lines
from gradparity.porting.words import PARTS
from gradparity.tracing.regions import Verdict

from .support.port_results import judged, results

FOUND = results(Path("/work"))


def report(name: str) -> str:
    return "\n".join(lines(FOUND[name]))


def section(name: str, title: str) -> str:
    """The lines of a section, joined where they were broken."""
    _, _, rest = f"\n{report(name)}\n\n".partition(f"\n\n{title}")
    return rest.partition("\n\n")[0].replace("\n      ", " ")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "agree",
            "agree: output, loss and 24 gradients are equal to within rounding (1 more is 0 on both sides); "
            "in float32 expect differences up to 3.1e-06",
        ),
        ("island", "agree, with a float32 island at port.py:8 (port)"),
        (
            "epsilon",
            "disagree: LayerNorm's ε is 1e-05 in the original and 1e-06 in the port (port.py:11, at 5 places)",
        ),
        ("unknown", "disagree at port.py:22: cause unknown"),
        (
            "two",
            "disagree: LayerNorm's ε is 1e-05 in the original and 1e-06 in the port (port.py:11, at 5 places); "
            "and 1 more difference",
        ),
        (
            "not loaded",
            "disagree: 2 parameters are not loaded; blocks.0.attention.out.kernel is transposed; "
            "q, k, v in another order (blocks.0.attention.qkv.kernel); and 1 difference",
        ),
        ("abstain", "abstain: no rule for aten._fft_r2c"),
        (
            "modes",
            "disagree in train mode at model.py:44 (original), the gradient of blocks.0.up.bias: cause unknown",
        ),
    ],
)
def test_the_headline_is_the_verdict(name: str, expected: str) -> None:
    assert headline(FOUND[name]) == expected
    assert " ".join(report(name).split("\n\n")[0].split()).startswith(f"pair.py: {expected} torch")


def difference(**changes: Any) -> Difference:
    return replace(FOUND["unknown"].modes[0].differences[0], **changes)


def disagreeing(*found: Difference, judged: tuple[Judged, ...] = ()) -> Result:
    return Result("pair.py", ("torch", "jax"), (Mode("", "disagree", judged, found),))


def test_a_headline_without_lines_or_values() -> None:
    nowhere = Place("port", "", 0, 0, "")
    cases = {
        "disagree in the gradient of w: cause unknown": difference(
            what="the gradient of w", original=(), port=(nowhere,)
        ),
        "disagree in the update: cause unknown": difference(part="update", original=(), port=()),
        "disagree: a missing term (port.py:22)": difference(
            cause=Cause("a missing term", "", "", "with it the two agree")
        ),
        "disagree: axes are exchanged: in the port undone by (0, 2, 1) (port.py:22)": difference(
            cause=Cause("axes are exchanged", "", "undone by (0, 2, 1)", "so the two agree")
        ),
        "disagree: a mask is inverted: causal in the original, none in the port (port.py:22)": difference(
            cause=Cause("a mask is inverted", "causal", "none", "with causal the two agree")
        ),
    }
    for expected, one in cases.items():
        assert headline(disagreeing(one)) == expected
        assert "∅" not in "\n".join(lines(disagreeing(one)))
    assert headline(Result("pair.py", ("torch", "jax"), ())) == "abstain: nothing was judged"
    wrong = judged("updated w", "disagree", 3.0, why="AdamW's decay")
    assert headline(disagreeing(judged=(wrong,))) == "disagree: updated w: AdamW's decay"


def test_only_what_is_informative_counts_as_equal() -> None:
    mode = Mode("", "agree", (judged("output"), judged("gradient b", zero=True)))
    found = Result("pair.py", ("torch", "jax"), (mode,))
    assert (
        headline(found) == "agree: output is equal to within rounding (1 more is 0 on both sides)"
    )
    assert "gradient: 0 of 1 equal; 1 is 0 as far as rounding goes" in "\n".join(lines(found))


def test_conversions_come_first() -> None:
    text = report("not loaded")
    assert text.index("wrong conversions") < text.index("difference, forward pass")
    for one in FOUND["not loaded"].modes[0].conversions:
        assert f"{one.kind}: {one.text}" in section("not loaded", "wrong conversions")


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("in another order", "w is in another order"),
        ("without a partner", "w is without a partner"),
        ("axes swapped", "axes swapped (w)"),
        ("gates in another order", "gates in another order (w)"),
    ],
)
def test_kinds_of_conversions_make_a_sentence(kind: str, expected: str) -> None:
    wrong = Conversion(kind, (), ("w",), "")
    mode = Mode("", "disagree", (), conversions=(wrong,))
    assert headline(Result("pair.py", ("torch", "jax"), (mode,))) == f"disagree: {expected}"


def test_a_difference_has_its_lines_numbers_and_cause() -> None:
    text = section("epsilon", "difference, forward pass")
    for expected in (
        "original: model.py:42  x = x + self.attention(self.norm1(x))",
        'port: port.py:11  return ((x32 - mean) / jnp.sqrt(variance + 1e-6) * p["scale"]',
        "runs add, sqrt, div, mul",
        "from equal arrays of: model.py:75, port.py:35",
        "[2, 3, 1] of (3, 10, 64): 0.12345679 in the original, 0.12345812 in the port",
        "1,912 of 1,920 entries, at most 1.2e+09 times what rounding can do",
        "cause: LayerNorm's ε is 1e-05 in the original and 1e-06 in the port, at 5 places",
        "(original: model.py:42; port: port.py:11)",
        "remedy: with 1e-05 the two agree",
    ):
        assert expected in text
    assert "cause: unknown" in section("unknown", "difference")


def test_two_values_are_told_apart() -> None:
    close = difference(values=(1.0, 1.0 + 2e-16))
    text = " ".join(" ".join(lines(disagreeing(close))).split())
    assert "1 in the original, 1.0000000000000002 in the port" in text


def test_a_share_without_a_bound_is_told_in_words() -> None:
    assert "3 of 256 entries; no rounding explains it" in section("modes", "difference")
    assert "inf" not in report("modes")


def test_what_was_not_judged_is_named_ten_times_and_counted() -> None:
    text = section("abstain", "judged")
    assert "gradients: 1 of 15 equal" in text
    assert "output, loss: no rule for aten._fft_r2c" in text
    assert "filters.7.weight: not reached" in text
    assert "gradients of filters.0.weight, filters.1.weight" in text
    assert "filters.8" not in text
    assert "and 6 more" in text


def test_a_name_that_differs_in_the_port_is_told() -> None:
    wrong = replace(
        judged("gradient norm.weight", "abstain", why="no rule"), port="gradient norm.scale"
    )
    mode = Mode("", "abstain", (wrong,))
    told = "\n".join(lines(Result("pair.py", ("torch", "jax"), (mode,))))
    assert "gradient of norm.weight (norm.scale in the port): no rule" in told


def test_modes_repeat_nothing() -> None:
    text = report("modes")
    for once in ("output: 1 of 1 equal", "gradients: 24 of 24", "parameters as they came"):
        assert text.count(once) == 1
        assert f"mode: {once}" not in text
    assert "in train mode: updated parameter: 1 of 1 equal" in text
    assert "in train mode: Dropout is off" in text
    assert "difference, backward pass in train mode" in text
    both = replace(FOUND["modes"].modes[1], name="eval")
    same = "\n".join(lines(replace(FOUND["modes"], modes=(both, FOUND["modes"].modes[1]))))
    assert "in train mode:" not in same
    assert "in eval and train mode" in same
    assert same.count("the gradient of blocks.0.up.bias\n") == 1


def altered(value: Any, texts: Iterator[str], numbers: Iterator[float]) -> Any:
    """Put other texts and numbers in the place of a result's own; verdicts and sides stay."""
    if isinstance(value, str):
        return value if value in (*get_args(Verdict), *get_args(Side), *PARTS) else next(texts)
    if isinstance(value, float):
        return next(numbers)
    if isinstance(value, Mapping):
        return {key: altered(item, texts, numbers) for key, item in value.items()}
    if isinstance(value, tuple):
        return tuple(altered(item, texts, numbers) for item in value)
    if is_dataclass(value) and not isinstance(value, type):
        names = [one.name for one in fields(value)]
        return replace(value, **{n: altered(getattr(value, n), texts, numbers) for n in names})
    return value


HOSTILE = st.one_of(
    st.text(max_size=40),
    st.text("ab \t\n\r\x1b[31m\x07\x9b\u202e\u200b\xa0\u3000日本🅱:x([{\ud800", max_size=60),
    st.lists(st.text("abc.:é日", min_size=1, max_size=90), max_size=8).map(" ".join),
)
_words = st.builds("{}{}".format, st.just("a") | st.just("日"), st.integers(0, 86).map("b".__mul__))


@settings(deadline=None)
@given(st.lists(_words, min_size=1, max_size=6).map(" ".join))
def test_only_a_long_word_makes_a_long_line(text: str) -> None:
    found = Result("pair.py", ("torch", "jax"), (Mode("", "abstain", ()),), notes=(text,))
    told = list(lines(found))
    assert " ".join("\n".join(told).partition("notes\n")[2].split()) == text
    for line in told:
        assert cell_len(line) <= WIDTH or cell_len(line.strip()) > WIDTH
        assert cell_len(line) <= WIDTH or len(line.split()) == 1


@settings(deadline=None)
@given(
    st.sampled_from(list(FOUND)),
    st.lists(HOSTILE, min_size=1, max_size=5),
    st.lists(st.floats(), min_size=1, max_size=5),
)
def test_no_text_and_no_number_breaks_a_line(
    name: str, texts: list[str], numbers: list[float]
) -> None:
    result = altered(FOUND[name], cycle(texts), cycle(numbers))
    told = list(lines(result))
    for line in told:
        assert line.isprintable()  # neither escapes nor breaks, nor what turns or hides letters
        assert cell_len(line) <= WIDTH or len(line.split()) == 1
    assert headline(result).isprintable()


@pytest.mark.parametrize("name", FOUND)
def test_every_line_fits(name: str) -> None:
    assert max(cell_len(line) for line in lines(FOUND[name])) <= WIDTH


def test_source_text_is_printed_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    say("y[:x:] = a[b:o:c]")  # Rich has emojis of these names
    assert capsys.readouterr().out == "y[:x:] = a[b:o:c]\n"
