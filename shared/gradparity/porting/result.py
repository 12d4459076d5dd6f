"""What `port` finds out about a pair of models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from ..tracing.regions.results import Verdict, worst

Side = Literal["original", "port"]
Pass = Literal["forward", "backward", "update"]


@dataclass(frozen=True)
class Place:
    """A line of one of the two programs, and what runs there.

    Attributes:
        side: whose line it is.
        file: its absolute path; empty where no line is known.
        line: counted from 1; 0 where no line is known.
        last: the last line of the expression, at least `line`.
        text: the line as written, without its indent.
        operations: what the framework runs there, in order.
    """

    side: Side
    file: str
    line: int
    last: int
    text: str
    operations: tuple[str, ...] = ()


@dataclass(frozen=True)
class Cause:
    """Why the two differ: tried, and with it the difference vanishes.

    Attributes:
        name: in a few words: `LayerNorm's ε`.
        original: what the original has there: `1e-05`; empty if that says nothing.
        port: what the port has.
        remedy: what was changed so that they agree, a clause: `with 1e-05 the two agree`.
        places: the lines that hold what differs, of both sides.
    """

    name: str
    original: str
    port: str
    remedy: str
    places: tuple[Place, ...] = ()


@dataclass(frozen=True)
class Difference:
    """Two arrays that should be equal, made from equal ones, and are not.

    Attributes:
        part: the pass in which it is.
        what: which quantity it is, in words, if it has a name: `the gradient of blocks.0.weight`; else empty.
        original, port: the lines that make the two arrays, the last first.
        inputs: the lines that make what both start from.
        shape: of the original's array.
        index: the entry that is worst, in the original's array.
        values: that entry on both sides, the port's as it is from the original's inputs.
        entries: how many entries differ by more than rounding can do.
        size: how many there are.
        share: the largest difference, in units of what rounding can do.
        cause: why, if it was found: otherwise unknown.
        times: at how many places in all the same cause was found; the others are not listed again.
    """

    part: Pass
    what: str
    original: tuple[Place, ...]
    port: tuple[Place, ...]
    inputs: tuple[Place, ...]
    shape: tuple[int, ...]
    index: tuple[int, ...]
    values: tuple[float, float]
    entries: int
    size: int
    share: float
    cause: Cause | None = None
    times: int = 1


@dataclass(frozen=True)
class Conversion:
    """A parameter that was converted wrongly.

    Attributes:
        kind: what happened, in a few words: `not loaded`, `transposed`, `gates in another order`, `untied`.
        original, port: names of the parameters concerned.
        text: a sentence with the names and what would be right.
    """

    kind: str
    original: tuple[str, ...]
    port: tuple[str, ...]
    text: str


@dataclass(frozen=True)
class Island:
    """A part of a program that computes in a shorter format than its inputs have.

    Attributes:
        places: its lines.
        format: `float32`, `bfloat16`.
        difference: how far it moves the outputs, relative to their largest entry; None if it was not measured.
        text: a sentence.
    """

    side: Side
    places: tuple[Place, ...]
    format: str
    difference: float | None
    text: str


@dataclass(frozen=True)
class Judged:
    """An output, a gradient, a buffer or an updated parameter.

    Attributes:
        name: the original's name of it: `output`, `loss`, `gradient 0.weight`, `updated norm.running_mean`.
        port: the port's.
        verdict: abstain if it was not reached.
        share: the largest difference on the way to it, in units of what rounding can do.
        informative: False if it is 0 as far as rounding goes.
        why: why it is not agreed upon; empty otherwise.
    """

    name: str
    port: str
    verdict: Verdict
    share: float
    informative: bool
    why: str = ""


@dataclass(frozen=True)
class Line:
    """Lines of the two programs that make the same array, for the page.

    Attributes:
        original, port: where each makes it.
        verdict: of the region that makes it.
        share: as in `Difference`.
        shape: of the array.
    """

    original: Place
    port: Place
    verdict: Verdict
    share: float
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Precision:
    """What each side did in the format in which it runs.

    Attributes:
        formats: for each side, the floating-point format of its parameters as they came: `float32`.
        settings: what lowers a format: `torch.backends.cuda.matmul.allow_tf32 = True`.
        difference: the largest difference of the outputs when both run in that format, relative to the largest entry.
        gradient: likewise of the gradients.
        because: where rounding grows most; None if it grows nowhere much.
        growth: by how much it grows there.
    """

    formats: Mapping[str, str]
    settings: tuple[str, ...]
    difference: float | None
    gradient: float | None
    because: Place | None = None
    growth: float = 1.0


@dataclass(frozen=True)
class Mode:
    """The pair in one mode.

    Attributes:
        name: `eval`, `train`, or empty where the models know no modes.
        differences: the first one first.
        notes: what was not reached, not mapped, not informative; sentences.
    """

    name: str
    verdict: Verdict
    judged: Sequence[Judged]
    differences: Sequence[Difference] = ()
    conversions: Sequence[Conversion] = ()
    islands: Sequence[Island] = ()
    lines: Sequence[Line] = ()
    precision: Precision | None = None
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class Result:
    """The verdict on a pair.

    Attributes:
        pair: the file's name, or what the models are called.
        frameworks: the original's and the port's: `torch`, `flax.linen`.
        seconds: how long it took in all.
    """

    pair: str
    frameworks: tuple[str, str]
    modes: Sequence[Mode]
    notes: Sequence[str] = ()
    seconds: float = field(default=0.0, compare=False)

    @property
    def verdict(self) -> Verdict:
        """The worst of the modes'."""
        return worst(mode.verdict for mode in self.modes)

    def as_json(self) -> dict[str, Any]:
        """Return it as plain dictionaries and lists."""
        return {"verdict": self.verdict, **asdict(self)}
