"""Faults in the cross-entropies."""

from __future__ import annotations

from .base import LINE, Fault, Patch


def _binary(change: str) -> Patch:
    return Patch("losses", "binary_cross_entropy", "dL/dz", f"d_z = {change}")


def _softmax(change: str, marker: str = "dL/dz") -> Patch:
    return Patch("losses", "softmax_cross_entropy", marker, change)


_BINARY_SUM = Patch(
    "losses",
    "binary_cross_entropy",
    "L",
    "loss = np.sum(softplus - targets * logits, axis=(-2, -1))",
)
_OVER_ELEMENTS = _softmax("d_z = (p * targets.sum(-1, keepdims=True) - targets) / logits.size")
_OVER_SAMPLES = """
exp = np.exp(logits - logits.max(-2, keepdims=True))
p = exp / exp.sum(-2, keepdims=True)
""".strip()
_OVER_EVERYTHING = """
exp = np.exp(logits - logits.max())
p = exp / exp.sum()
""".strip()
_TWICE = """
exp = np.exp(p - p.max(-1, keepdims=True))
d_z = (exp / exp.sum(-1, keepdims=True) - targets) / samples
""".strip()
_BEFORE = f"""
exp = np.exp(logits - logits.max(-1, keepdims=True))
logits = exp / exp.sum(-1, keepdims=True)
{LINE}
""".strip()

LOSSES: tuple[Fault, ...] = (
    Fault(
        "BCE' without the mean",
        (_binary("sigmoid(logits) - targets"),),
        "the mean is missing in the derivative of the binary cross-entropy",
    ),
    Fault(
        "BCE' averaged over samples only",
        (_binary("(sigmoid(logits) - targets) / len(logits)"),),
        "the derivative of the binary cross-entropy is a mean over samples, a sum over outputs",
    ),
    Fault(
        "BCE' times σ'",
        (
            _binary(
                "(sigmoid(logits) - targets) * sigmoid(logits) * (1.0 - sigmoid(logits)) / elements"
            ),
        ),
        "σ' on top of the derivative of the binary cross-entropy",
    ),
    Fault(
        "BCE' with y and σ swapped",
        (_binary("(targets - sigmoid(logits)) / elements"),),
        "the derivative of the binary cross-entropy has the wrong sign",
    ),
    Fault(
        "BCE' of logits taken for probabilities",
        (_binary("(logits - targets) / elements"),),
        "the derivative of the binary cross-entropy without σ: z - y",
    ),
    Fault(
        "BCE' as that of the MSE",
        (_binary("2.0 * (logits - targets) / elements"),),
        "the derivative of the MSE in place of the binary cross-entropy's",
    ),
    Fault(
        "BCE summed, not averaged",
        (_binary("sigmoid(logits) - targets"), _BINARY_SUM),
        "the mean is missing in the derivative of the binary cross-entropy",
    ),
    Fault(
        "softmax CE' averaged over elements",
        (_OVER_ELEMENTS,),
        "the derivative of the softmax cross-entropy is a mean over all elements",
    ),
    Fault(
        "softmax CE averaged over elements",
        (_OVER_ELEMENTS, _softmax("loss = np.mean(-targets * log_p, axis=(-2, -1))", "L")),
        "the derivative of the softmax cross-entropy is a mean over all elements",
    ),
    Fault(
        "softmax CE' without the mean",
        (_softmax("d_z = p * targets.sum(-1, keepdims=True) - targets"),),
        "the mean is missing in the derivative of the softmax cross-entropy",
    ),
    Fault(
        "softmax CE' with y and p swapped",
        (_softmax("d_z = (targets - p) / samples"),),
        "the derivative of the softmax cross-entropy has the wrong sign",
    ),
    Fault(
        "softmax over the samples",
        (_softmax(_OVER_SAMPLES, "p"),),
        "softmax over the samples in the derivative of the softmax cross-entropy",
    ),
    Fault(
        "softmax over everything",
        (_softmax(_OVER_EVERYTHING, "p"),),
        "softmax over all elements in the derivative of the softmax cross-entropy",
    ),
    Fault(
        "softmax applied twice",
        (_softmax(_TWICE),),
        "softmax applied twice in the derivative of the softmax cross-entropy",
    ),
    Fault(
        "softmax before the loss that has its own",
        (
            _softmax("d_z = (p - targets) / samples"),
            _softmax(_BEFORE, "z - max z"),
        ),
        "softmax applied twice in the derivative of the softmax cross-entropy",
    ),
    Fault(
        "softmax CE' with σ",
        (_softmax("d_z = (sigmoid(logits) - targets) / samples"),),
        "σ in place of softmax in the derivative of the softmax cross-entropy",
    ),
    Fault(
        "softmax CE' times p (1 - p)",
        (_softmax("d_z = (p - targets) * p * (1.0 - p) / samples"),),
        "p (1 - p) on top of the derivative of the softmax cross-entropy",
    ),
)
