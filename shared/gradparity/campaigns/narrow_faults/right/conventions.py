"""What a correct program may choose: the formula of the sigmoid, and the loss with its slope."""

from __future__ import annotations

from dataclasses import dataclass

SIGMOIDS = {
    "quotient": "return 1 / (1 + np.exp(-z))",
    "tanh": "return (1 + np.tanh(z / 2)) / 2",
    "two branches": """
e = np.exp(-np.abs(z))
return np.where(z >= 0, 1 / (1 + e), e / (1 + e))
""".strip(),
    "ratio": "e = np.exp(z)\nreturn e / (1 + e)",
    "logaddexp": "return np.exp(-np.logaddexp(0, -z))",
    "complement": "return 1 - 1 / (1 + np.exp(z))",
    "piecewise": """
def positive(t):
    return 1 / (1 + np.exp(-t))


def negative(t):
    return np.exp(t) / (1 + np.exp(t))


return np.piecewise(z, [z >= 0], [positive, negative])
""".strip(),
}
"""By name: the body of `sigma(z)` in NumPy. The first one can be used with complex numbers."""


@dataclass(frozen=True)
class Convention:
    """A loss, as the sum of a term of each output times a share.

    Attributes:
        name: the loss, in words.
        term: the term of an output p with the target y; it uses `log`, `clip` and `where`.
        slope: its derivative with respect to the output's z, for a sigmoid at the output.
        share: the factor on the sum, for n samples and m outputs.
        words: what the report must say.
        smooth: the term is a formula of p and y alone, so that numbers of any kind can be used in it.
        labels: it holds for targets 0 and 1 only, which an adapter makes of the given ones.
        penalty: λ of an L2 penalty on the weights; the gradient contains it, too.
        factor: the gradient is that of the loss times this expression of n and m.
    """

    name: str
    term: str
    slope: str
    share: str = "1 / (n * m)"
    words: tuple[str, ...] = ()
    smooth: bool = True
    labels: bool = False
    penalty: float = 0.0
    factor: str = "1"

    @property
    def functions(self) -> str:
        """The source of `term`, `slope` and `share`."""
        return "\n\n\n".join(
            f"def {head}:\n    return {body}"
            for head, body in (
                ("term(p, y)", self.term),
                ("slope(p, y)", self.slope),
                ("share(n, m)", self.share),
            )
        )


_SQUARE, _SLOPE = "(p - y) ** 2", "2 * (p - y) * p * (1 - p)"
_ENTROPY = "-(y * log(p) + (1 - y) * log(1 - p))"
_BCE = ("binary cross-entropy",)


def _guarded(epsilon: str) -> Convention:
    return Convention(
        f"cross-entropy guarded by {epsilon}",
        f"-(y * log(p + {epsilon}) + (1 - y) * log(1 - p + {epsilon}))",
        f"((1 - y) / (1 - p + {epsilon}) - y / (p + {epsilon})) * p * (1 - p)",
        words=_BCE,
    )


MSE = Convention("MSE", _SQUARE, _SLOPE)
CONVENTIONS = (
    MSE,
    Convention("cross-entropy", _ENTROPY, "p - y", words=_BCE),
    Convention("half the MSE", f"{_SQUARE} / 2", "(p - y) * p * (1 - p)", words=("½",)),
    Convention("sum of squares", _SQUARE, _SLOPE, "1.0", words=("times the",)),
    _guarded("1e-9"),
    Convention("mean over the samples only", _SQUARE, _SLOPE, "1 / n"),
    Convention(
        "cross-entropy by quotients",
        _ENTROPY,
        "((1 - y) / (1 - p) - y / p) * p * (1 - p)",
        words=_BCE,
    ),
    Convention("half the sum of squares", f"{_SQUARE} / 2", "(p - y) * p * (1 - p)", "1.0", ("times the",)),
    _guarded("1e-15"),
    Convention("MSE with an L2 penalty", _SQUARE, _SLOPE, words=("penalty",), penalty=0.03),
    _guarded("1e-7"),
    Convention(
        "cross-entropy of clipped outputs",
        "-(y * log(clip(p, 1e-12, 1 - 1e-12)) + (1 - y) * log(clip(1 - p, 1e-12, 1 - 1e-12)))",
        "where(abs(p - 0.5) < 0.5 - 1e-12, p - y, 0 * p)",
        words=_BCE,
        smooth=False,
    ),
    Convention("sum of cross-entropies", _ENTROPY, "p - y", "1.0", words=_BCE),
    Convention(
        "cross-entropy of labels",
        "-log(where(y == 1, p, 1 - p))",
        "where(y == 1, p - 1, p)",
        words=_BCE,
        smooth=False,
        labels=True,
    ),
    _guarded("1e-12"),
    Convention("cross-entropy with an L2 penalty", _ENTROPY, "p - y", words=(*_BCE, "penalty"), penalty=0.02),
    Convention("N/2 times the gradient of the MSE", _SQUARE, _SLOPE, words=("n/2",), factor="n / 2"),
)  # fmt: skip
