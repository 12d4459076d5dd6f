"""The style of figures, and figures as files. Drawing needs no display; the same results give the same bytes."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

# Okabe and Ito's palette, which can be distinguished with any colour vision; dashes distinguish the lines as well.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
DASHES = ("-", "--", ":", "-.", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 3)))

STYLE: Any = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "lines.linewidth": 1.6,
    "legend.frameon": False,
    "figure.constrained_layout.w_pad": 0.08,  # a browser's font may be wider than Matplotlib's
    "figure.constrained_layout.h_pad": 0.08,
    "svg.fonttype": "none",
    "svg.hashsalt": "gradparity",
}


@dataclass(frozen=True)
class Drawing:
    """A figure as SVG, with fixed ids and no date, and as PNG, at twice the usual screen resolution."""

    svg: bytes
    png: bytes

    @classmethod
    def of(cls, figure: Figure) -> Drawing:
        """Draw a figure."""
        with mpl.rc_context(STYLE):
            layout = figure.get_layout_engine()
            assert layout is not None
            layout.execute(figure)
            figure.set_layout_engine("none")  # computed once, not for each format
        return cls(_save(figure, "svg", metadata={"Date": None}), png(figure))


def png(figure: Figure) -> bytes:
    """Return the figure as PNG, at twice the usual screen resolution."""
    return _save(figure, "png", dpi=160, metadata={"Software": None})


def _save(figure: Figure, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    with mpl.rc_context(STYLE):
        figure.savefig(buffer, format=kind, **options)
    return buffer.getvalue()
