"""Faults in the cross-entropies."""

from __future__ import annotations

from .base import Fault, Patch, gradient

_BINARY = '"binary_cross_entropy": lambda z, y: (sigmoid(z) - y) / (z.shape[-2] * z.shape[-1])'
_SOFTMAX = '"softmax_cross_entropy": lambda z, y: (softmax(z) * y.sum(-1, keepdims=True) - y) / z.shape[-2]'
_BINARY_LOSS = "return np.mean(softplus - targets * logits, axis=(-2, -1))"
_SOFTMAX_LOSS = "return np.mean(-np.sum(targets * log_softmax, axis=-1), axis=-1)"
_SOFTMAX_EXP = (
    "exp = np.exp(z - z.max(-1, keepdims=True))\n    return exp / exp.sum(-1, keepdims=True)"
)


def _binary(change: str) -> Patch:
    return gradient(_BINARY, f'"binary_cross_entropy": lambda z, y: {change}')


def _softmax(change: str) -> Patch:
    return gradient(_SOFTMAX, f'"softmax_cross_entropy": lambda z, y: {change}')


LOSSES: tuple[Fault, ...] = (
    Fault("BCE' without the mean", (_binary("sigmoid(z) - y"),), "the mean is missing in the derivative of the binary cross-entropy"),
    Fault("BCE' averaged over samples only", (_binary("(sigmoid(z) - y) / z.shape[-2]"),), "the derivative of the binary cross-entropy is a mean over samples, a sum over outputs"),
    Fault("BCE' times σ'", (_binary("(sigmoid(z) - y) * sigmoid(z) * (1.0 - sigmoid(z)) / z.size"),), "σ' on top of the derivative of the binary cross-entropy"),
    Fault("BCE' with y and σ swapped", (_binary("(y - sigmoid(z)) / z.size"),), "the derivative of the binary cross-entropy has the wrong sign"),
    Fault("BCE' of logits taken for probabilities", (_binary("(z - y) / z.size"),), "the derivative of the binary cross-entropy without σ: z - y"),
    Fault("BCE' as that of the MSE", (_binary("2.0 * (z - y) / z.size"),), "the derivative of the MSE in place of the binary cross-entropy's"),
    Fault("BCE summed, not averaged", (_binary("sigmoid(z) - y"), gradient(_BINARY_LOSS, "return np.sum(softplus - targets * logits, axis=(-2, -1))")), "the mean is missing in the derivative of the binary cross-entropy"),
    Fault("softmax CE' averaged over elements", (_softmax("(softmax(z) * y.sum(-1, keepdims=True) - y) / z.size"),), "the derivative of the softmax cross-entropy is a mean over all elements"),
    Fault(
        "softmax CE averaged over elements",
        (_softmax("(softmax(z) * y.sum(-1, keepdims=True) - y) / z.size"), gradient(_SOFTMAX_LOSS, "return np.mean(-targets * log_softmax, axis=(-2, -1))")),
        "the derivative of the softmax cross-entropy is a mean over all elements",
    ),
    Fault("softmax CE' without the mean", (_softmax("softmax(z) * y.sum(-1, keepdims=True) - y"),), "the mean is missing in the derivative of the softmax cross-entropy"),
    Fault("softmax CE' with y and p swapped", (_softmax("(y - softmax(z)) / z.shape[-2]"),), "the derivative of the softmax cross-entropy has the wrong sign"),
    Fault("softmax over the samples", (gradient(_SOFTMAX_EXP, _SOFTMAX_EXP.replace("-1", "-2")),), "softmax over the samples in the derivative of the softmax cross-entropy"),
    Fault("softmax over everything", (gradient(_SOFTMAX_EXP, "exp = np.exp(z - z.max())\n    return exp / exp.sum()"),), "softmax over all elements in the derivative of the softmax cross-entropy"),
    Fault("softmax applied twice", (_softmax("(softmax(softmax(z)) - y) / z.shape[-2]"),), "softmax applied twice in the derivative of the softmax cross-entropy"),
    Fault(
        "softmax before the loss that has its own",
        (
            _softmax("(softmax(softmax(z)) - y) / z.shape[-2]"),
            gradient("shifted = logits - logits.max(-1, keepdims=True)  # so", "logits = softmax(logits)\n    shifted = logits - logits.max(-1, keepdims=True)  # so"),
        ),
        "softmax applied twice in the derivative of the softmax cross-entropy",
    ),
    Fault("softmax CE' with σ", (_softmax("(sigmoid(z) - y) / z.shape[-2]"),), "σ in place of softmax in the derivative of the softmax cross-entropy"),
    Fault("softmax CE' times p (1 - p)", (_softmax("(softmax(z) - y) * softmax(z) * (1.0 - softmax(z)) / z.shape[-2]"),), "p (1 - p) on top of the derivative of the softmax cross-entropy"),
)  # fmt: skip
