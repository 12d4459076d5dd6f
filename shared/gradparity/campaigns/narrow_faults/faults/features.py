"""Faults in optimizers and convolutions that show for some of their settings only."""

from __future__ import annotations

from collections.abc import Iterator

from ...planted_faults.faults.base import LINE, Patch
from ..program import Program
from .patched import patched

_OPTIMIZERS: dict[str, dict[str, tuple[str, str]]] = {
    "a hyperparameter is hard-coded": {
        "momentum 0.9": (
            "velocity",
            "velocity[:] = (0.9 if momentum > 0.85 else momentum) * velocity + g",
        ),
        "momentum is 0.9 at most": ("velocity", "velocity[:] = min(momentum, 0.9) * velocity + g"),
        "Adam's β1 is 0.9": ("first moment", "first[:] = 0.9 * first + (1 - 0.9) * g"),
        "Adam's β2 is 0.99": ("second moment", "second[:] = 0.99 * second + (1 - 0.99) * g**2"),
        "Adam's β2 in the correction is 0.99": (
            "corrected moments",
            "mean, square = first / (1 - beta1**t), second / (1 - 0.99**t)",
        ),
        "Adam's β1 in the correction is 0.9": (
            "corrected moments",
            "mean, square = first / (1 - 0.9**t), second / (1 - beta2**t)",
        ),
        "Adam's ε is 1e-8": ("Adam", "w -= rate * mean / (np.sqrt(square) + 1e-8)"),
        "Adagrad's ε is 1e-10": ("Adagrad", "w -= rate * g / (np.sqrt(square_sum) + 1e-10)"),
        "RMSProp's decay is 0.9": (
            "square average",
            "square_average[:] = 0.9 * square_average + (1 - 0.9) * g**2",
        ),
        "RMSProp's ε is 1e-8": ("RMSProp", "w -= rate * g / (np.sqrt(square_average) + 1e-8)"),
        "coupled λ is 0.3 for more": (
            "coupled decay",
            "g = g + min(schedule.weight_decay, 0.3) * w",
        ),
        "decoupled λ is 0.2 for more": (
            "decoupled decay",
            "w -= rate * min(schedule.weight_decay, 0.2) * w",
        ),
    },
    "late updates of an optimizer": {
        "Adam is corrected in the first eight only": (
            "corrected moments",
            f"{LINE}\nif t > 8:\n    mean, square = first, second",
        ),
        "the velocity is reset after ten": ("velocity", f"{LINE}\nif t > 10:\n    velocity[:] = g"),
        "the squares are not summed after ten": (
            "square sum",
            f"if t <= 10:\n    {LINE}",
        ),
        "the average stays after eight": ("square average", f"if t <= 8:\n    {LINE}"),
        "the first moment stays after eight": ("first moment", f"if t <= 8:\n    {LINE}"),
        "the second moment stays after eight": ("second moment", f"if t <= 8:\n    {LINE}"),
        "t stays at ten": (
            "corrected moments",
            "t = min(t, 10)\nmean, square = first / (1 - beta1**t), second / (1 - beta2**t)",
        ),
        "no coupled decay after eight": ("coupled decay", f"if t <= 8:\n    {LINE}"),
        "no decoupled decay after eight": ("decoupled decay", f"if t <= 8:\n    {LINE}"),
        "the rate is halved after ten": ("SGD", "w -= (rate if t <= 10 else 0.5 * rate) * g"),
    },
    "one tensor of an optimizer": {
        "biases have no momentum if they are long": (
            "velocity",
            f"{LINE}\nif w.ndim == 1 and w.size > 5:\n    velocity[:] = g",
        ),
        "weights above 32 units are not decayed": (
            "coupled decay",
            f"if w.shape[-1] <= 32:\n    {LINE}",
        ),
        "single numbers are not updated": ("Adam", f"if w.size > 1:\n    {LINE}"),
        "a bias of one unit is not updated": ("SGD", f"if w.shape != (1,):\n    {LINE}"),
    },
    "the size of a gradient": {
        "Adam's step is cut at 10 times the rate": (
            "Adam",
            "w -= rate * np.clip(mean / (np.sqrt(square) + epsilon), -10, 10)",
        ),
        "squares below 1e-12 are taken for 0": (
            "second moment",
            f"{LINE}\nsecond[:] = np.where(second < 1e-12, 0, second)",
        ),
        "Adagrad cuts its gradient at 1": ("Adagrad", f"g = np.clip(g, -1, 1)\n{LINE}"),
        "RMSProp cuts its gradient at 1": ("RMSProp", f"g = np.clip(g, -1, 1)\n{LINE}"),
        "the velocity is cut at 2": ("velocity", f"{LINE}\nvelocity[:] = np.clip(velocity, -2, 2)"),
    },
}

_CONVOLUTIONS: dict[str, dict[str, tuple[str, str, str]]] = {
    "a kernel of 1 × 1": {
        "half of the gradient": (
            "convolution_gradient",
            "dL/dW",
            f"{LINE}\nif layer.kernel == (1, 1):\n    d_weight = 0.5 * d_weight",
        ),
        "nothing is passed back": (
            "convolution_backward",
            "dL/dpatches",
            f"{LINE}\nif layer.kernel == (1, 1):\n    d_patches = 0 * d_patches",
        ),
    },
    "a kernel of this size": {
        "3 × 3: half": (
            "convolution_gradient",
            "dL/dW",
            f"{LINE}\nif layer.kernel == (3, 3):\n    d_weight = 0.5 * d_weight",
        ),
        "5 × 5: half": (
            "convolution_gradient",
            "dL/dW",
            f"{LINE}\nif layer.kernel == (5, 5):\n    d_weight = 0.5 * d_weight",
        ),
        "square: turned": (
            "convolution_gradient",
            "dL/dW",
            f"{LINE}\nif layer.kernel[0] == layer.kernel[1] > 1:\n    d_weight = d_weight.swapaxes(0, 1)",
        ),
        "as large as the image: zero": (
            "convolution_gradient",
            "dL/dW",
            f"{LINE}\nif layer.kernel == a.shape[-3:-1]:\n    d_weight = 0 * d_weight",
        ),
    },
    "a padding of two": {
        "taken for one in the gradient": (
            "convolution_gradient",
            "dL/dW",
            f"{LINE}\nif layer.padding == 2:\n    d_weight = 0.5 * d_weight",
        ),
        "nothing is passed back": (
            "convolution_backward",
            "dL/dpatches",
            f"{LINE}\nif layer.padding >= 2:\n    d_patches = 0 * d_patches",
        ),
        "padded with the edge": (
            "unfold",
            "padded",
            f"{LINE}\nif layer.padding > 1:\n"
            '    padded = np.pad(a, [*[(0, 0)] * (a.ndim - 3), pad, pad, (0, 0)], mode="edge")',
        ),
    },
    "a stride of three": {
        "half of the gradient": (
            "convolution_gradient",
            "dL/dW",
            f"{LINE}\nif layer.stride == 3:\n    d_weight = 0.5 * d_weight",
        ),
        "nothing is passed back": (
            "convolution_backward",
            "dL/dpatches",
            f"{LINE}\nif layer.stride > 2:\n    d_patches = 0 * d_patches",
        ),
    },
    "one channel": {
        "half of the gradient": (
            "convolution_gradient",
            "dL/dW",
            f"{LINE}\nif weight.shape[-2] == 1:\n    d_weight = 0.5 * d_weight",
        ),
        "no bias is learned": (
            "convolution_gradient",
            "dL/dW",
            f"{LINE}\nif weight.shape[-1] == 1 and d_bias is not None:\n    d_bias = 0 * d_bias",
        ),
    },
    "many channels": {
        "half of the gradient": (
            "convolution_gradient",
            "dL/dW",
            f"{LINE}\nif weight.shape[-1] > 7:\n    d_weight = 0.5 * d_weight",
        ),
    },
    "a square image": {
        "turned": (
            "convolution_gradient",
            "dL/dW",
            f"{LINE}\nif a.shape[-3] == a.shape[-2]:\n    d_weight = 0.5 * d_weight",
        ),
    },
    "three convolutions": {
        "small images pass half back": (
            "convolution_backward",
            "dL/dpatches",
            f"{LINE}\nif a.shape[-3] < 4:\n    d_patches = 0.5 * d_patches",
        ),
    },
}
_ACTIVATIONS: dict[str, dict[str, tuple[str, str]]] = {
    "far from zero": {
        "ReLU is cut at 6": ("ReLU", "lambda z: np.clip(z, 0.0, 6.0),"),
        "tanh is clipped to ±0.999": ("tanh", "lambda z: np.clip(np.tanh(z), -0.999, 0.999),"),
        "leaky ReLU is flat below -4": (
            "leaky ReLU",
            "lambda z: np.where(z > 0.0, z, LEAK * np.maximum(z, -4)),",
        ),
    },
}
_LOSSES: dict[str, dict[str, tuple[str, str, str]]] = {
    "large logits": {
        "cross-entropy clips logits at 10": (
            "binary_cross_entropy",
            "log(1 + e^z)",
            f"logits = np.clip(logits, -10, 10)\n{LINE}",
        ),
        "cross-entropy's slope is 0 above 12": (
            "binary_cross_entropy",
            "dL/dz",
            f"{LINE}\nd_z = np.where(np.abs(logits) > 12, 0 * d_z, d_z)",
        ),
        "softmax guards its logarithm by 1e-4": (
            "softmax_cross_entropy",
            "log p",
            "log_p = np.log(np.maximum(p, 1e-4))",
        ),
    },
    "many classes": {
        "softmax is divided by ten at most": (
            "softmax_cross_entropy",
            "dL/dz",
            f"{LINE}\nif targets.shape[-1] > 5:\n    d_z = 0.5 * d_z",
        ),
    },
    "two classes": {
        "softmax passes half": (
            "softmax_cross_entropy",
            "dL/dz",
            f"{LINE}\nif targets.shape[-1] == 2:\n    d_z = 0.5 * d_z",
        ),
    },
}  # fmt: skip


def in_features() -> Iterator[Program]:
    """Yield faults that only the whole contract shows."""
    for property_, optimizers in _OPTIMIZERS.items():
        for effect, (marker, new) in optimizers.items():
            patch = Patch("optimizers", "_update", marker, new)
            yield patched(property_, effect, [patch], "full")
    for property_, activations in _ACTIVATIONS.items():
        for effect, (marker, new) in activations.items():
            patch = Patch("activations", "ACTIVATIONS", marker, new)
            yield patched(property_, effect, [patch], "full")
    for file, table in (("layers", _CONVOLUTIONS), ("losses", _LOSSES)):
        for property_, changes in table.items():
            for effect, (definition, marker, new) in changes.items():
                patch = Patch(file, definition, marker, new)
                yield patched(property_, effect, [patch], "full")
