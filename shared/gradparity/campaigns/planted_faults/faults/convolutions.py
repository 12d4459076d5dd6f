"""Faults in convolutions, and in the dense layer that takes their images."""

from __future__ import annotations

from .base import LINE, Fault, Patch


def _one(name: str, definition: str, marker: str, new: str, mistake: str) -> Fault:
    return Fault(name, (Patch("layers", definition, marker, new),), mistake)


_EDGE = 'padded = np.pad(a, [*[(0, 0)] * (a.ndim - 3), pad, pad, (0, 0)], mode="edge")'
_LATE = """
late = layer.stride - 1
patches = patches[..., late :: layer.stride, late :: layer.stride, :, :, :]
""".strip()
_FLIPPED = """
weight = weight[..., ::-1, ::-1, :, :]
return weight.reshape(*weight.shape[:-4], -1, weight.shape[-1])
""".strip()
_FLIPPED_GRADIENT = f"{LINE}\nd_weight = d_weight[::-1, ::-1]"
_CHANNELS_FIRST = "return np.moveaxis(a, -1, -3).reshape(*a.shape[: weight.ndim - 1], -1)"
_FROM_CHANNELS_FIRST = f"""
if a.ndim > 3:
    height, width, channels = a.shape[-3:]
    d_a = np.moveaxis(d_a.reshape(-1, channels, height, width), -3, -1)
{LINE}
""".strip()
_ADD = "d_a[..., {rows}, {columns}, :] {operator} d_patches[..., {i}, {j}, :]"
_HERE = {"rows": "i : i + down : s", "columns": "j : j + right : s", "i": "i", "j": "j"}
_NO_STRIDE = {
    "rows": "i : i + d_patches.shape[-5]",
    "columns": "j : j + d_patches.shape[-4]",
    "i": "i",
    "j": "j",
}
_BY_POSITION = "d_z.reshape(len(d_z), -1, d_z.shape[-1])"
_FIRST_POSITION = """
positions = d_z.shape[1] * d_z.shape[2]
d_weight = (a_rows[::positions].mT @ d_rows[::positions]).reshape(weight.shape)
""".strip()

CONVOLUTIONS: tuple[Fault, ...] = (
    _one(
        "padded with the edge",
        "unfold",
        "padded",
        _EDGE,
        "the image is padded with its edge, not with zeros",
    ),
    _one(
        "padding shifted by one",
        "unfold",
        "padded",
        f"pad = (2 * layer.padding, 0)\n{LINE}",
        "the padding is all above and to the left",
    ),
    _one(
        "padding all at the end",
        "unfold",
        "padded",
        f"pad = (0, 2 * layer.padding)\n{LINE}",
        "the padding is all below and to the right",
    ),
    _one(
        "stride begins one late",
        "unfold",
        "strides",
        _LATE,
        "the kernel's first place is one stride, less one, too late",
    ),
    Fault(
        "true convolution",
        (
            Patch("layers", "matrix", "W", _FLIPPED),
            Patch("layers", "convolution_gradient", "dL/dW", _FLIPPED_GRADIENT),
        ),
        "the kernel is flipped",
    ),
    _one(
        "kernel flipped, not so its gradient",
        "matrix",
        "W",
        _FLIPPED,
        "the kernel is flipped, not so its gradient",
    ),
    _one(
        "kernel's height and width swapped",
        "unfold",
        "channels last, as in the kernel",
        f"{LINE}.swapaxes(-3, -2)",
        "the kernel's height and width are swapped, not so in what is passed down",
    ),
    _one(
        "kernel's channels first",
        "unfold",
        "channels last, as in the kernel",
        "return patches",
        "the kernel is read with its channels first, not so in what is passed down",
    ),
    _one(
        "kernel transposed to (channels_out, …)",
        "matrix",
        "W",
        "return weight.reshape(*weight.shape[:-4], weight.shape[-1], -1).mT",
        "the kernel is read with its output channels first",
    ),
    _one(
        "channels first into the dense layer",
        "flat",
        "rows",
        _CHANNELS_FIRST,
        "the image is flattened with its channels first, and back with them last",
    ),
    Fault(
        "channels first into the dense layer and back",
        (
            Patch("layers", "flat", "rows", _CHANNELS_FIRST),
            Patch("layers", "dense_backward", "as a", _FROM_CHANNELS_FIRST),
        ),
        "the image is flattened with its channels first",
    ),
    _one(
        "channels first out of the dense layer",
        "dense_backward",
        "as a",
        _FROM_CHANNELS_FIRST,
        "what is passed down to an image has its channels first",
    ),
    _one(
        "fold without overlap",
        "fold",
        "dL/da",
        _ADD.format(**_HERE, operator="="),
        "what is passed down overwrites where the kernel's places overlap",
    ),
    _one(
        "fold without the stride",
        "fold",
        "dL/da",
        _ADD.format(**_NO_STRIDE, operator="+="),
        "what is passed down ignores the stride",
    ),
    _one(
        "fold leaves the padding in",
        "fold",
        "without the padding",
        "return d_a[..., :height, :width, :]",
        "what is passed down is shifted by the padding",
    ),
    _one(
        "fold with the kernel flipped",
        "fold",
        "dL/da",
        _ADD.format(**(_HERE | {"i": "-1 - i", "j": "-1 - j"}), operator="+="),
        "what is passed down has the kernel flipped",
    ),
    _one(
        "bias gradient averaged over places",
        "convolution_gradient",
        "dL/db",
        f"{LINE}\nd_bias = None if bias is None else {_BY_POSITION}.mean(1).sum(0)",
        "the bias gradient is averaged over the places of the image",
    ),
    _one(
        "bias gradient of the first place",
        "convolution_gradient",
        "dL/db",
        f"{LINE}\nd_bias = None if bias is None else {_BY_POSITION}[:, 0].sum(0)",
        "the bias gradient is that of the image's first place",
    ),
    _one(
        "weight gradient without the last place",
        "convolution_gradient",
        "dL/dW",
        "d_weight = (a_rows[:-1].mT @ d_rows[:-1]).reshape(weight.shape)",
        "the weight gradient leaves out the last place of the last sample",
    ),
    _one(
        "weight gradient of the first place",
        "convolution_gradient",
        "dL/dW",
        _FIRST_POSITION,
        "the weight gradient is that of the image's first place",
    ),
    _one(
        "weight gradient with the kernel flipped",
        "convolution_gradient",
        "dL/dW",
        _FLIPPED_GRADIENT,
        "the weight gradient has the kernel flipped",
    ),
    _one(
        "weight gradient averaged over places",
        "convolution_gradient",
        "dL/dW",
        f"{LINE}\nd_weight = d_weight / np.prod(d_z.shape[1:3])",
        "the weight gradient is averaged over the places of the image",
    ),
)
