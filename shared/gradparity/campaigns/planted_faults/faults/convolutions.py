"""Faults in convolutions, and in the dense layer that takes their images."""

from __future__ import annotations

from .base import Fault, Patch, gradient

_PAD = "padded = np.pad(a, [*[(0, 0)] * len(lead), pad, pad, (0, 0)])"
_STRIDE = "patches = patches[..., :: layer.stride, :: layer.stride, :, :, :]"
_LAST = "patches = np.moveaxis(patches, -3, -1)  # the channels last, as the weight has them"
_MATRIX = "return weight.reshape(*weight.shape[:-4], -1, layer.channels)"
_FLAT = "return a.reshape(*lead, -1)"
_UNFLAT = "return rows.reshape(*rows.shape[:-1], *shape)"
_ADD = "d_a[..., i : i + below : s, j : j + right : s, :] += patches[..., i, j, :]"
_CROP = "return d_a[..., p : p + height, p : p + width, :]"
_WEIGHT = "weight_grad = (rows.mT @ d_z).reshape(weight.shape)"
_BIAS = "bias_grad = None if bias is None else d_z.sum(-2)"
_CONV = "isinstance(layer, Conv)"


def _forward(name: str, old: str, new: str, mistake: str) -> Fault:
    return Fault(name, (Patch("model", old, new),), mistake)


def _backward(name: str, old: str, new: str, mistake: str) -> Fault:
    return Fault(name, (gradient(old, new),), mistake)


FLIPPED = "return weight[..., ::-1, ::-1, :, :].reshape(*weight.shape[:-4], -1, layer.channels)"
_PLACES = "d_z.reshape(-1, int(np.prod(a_out.shape[-3:-1])), d_z.shape[-1])"

CONVOLUTIONS: tuple[Fault, ...] = (
    _forward("padded with the edge", _PAD, _PAD.replace(")])", ')], mode="edge")'), "the image is padded with its edge, not with zeros"),
    _forward("padding shifted by one", _PAD, "pad = (2 * layer.padding, 0)\n    " + _PAD, "the padding is all above and to the left"),
    _forward("padding all at the end", _PAD, "pad = (0, 2 * layer.padding)\n    " + _PAD, "the padding is all below and to the right"),
    _forward("stride begins one late", _STRIDE, _STRIDE.replace(":: layer", "layer.stride - 1 :: layer"), "the kernel's first place is one stride, less one, too late"),
    Fault(
        "true convolution",
        (Patch("model", _MATRIX, FLIPPED), gradient(_WEIGHT, f"{_WEIGHT}\n        if {_CONV}:\n            weight_grad = weight_grad[::-1, ::-1]")),
        "the kernel is flipped",
    ),
    _forward("kernel flipped, not so its gradient", _MATRIX, FLIPPED, "the kernel is flipped, not so its gradient"),
    _forward("kernel's height and width swapped", _LAST, f"{_LAST}\n    patches = patches.swapaxes(-3, -2)", "the kernel's height and width are swapped, not so in what is passed down"),
    _forward("kernel's channels first", _LAST, "pass", "the kernel is read with its channels first, not so in what is passed down"),
    _forward("kernel transposed to (channels_out, …)", _MATRIX, "return weight.reshape(*weight.shape[:-4], layer.channels, -1).mT", "the kernel is read with its output channels first"),
    _forward("channels first into the dense layer", _FLAT, "return (a if len(shape) < 3 else np.moveaxis(a, -1, -3)).reshape(*lead, -1)", "the image is flattened with its channels first, and back with them last"),
    Fault(
        "channels first into the dense layer and back",
        (
            Patch("model", _FLAT, "return (a if len(shape) < 3 else np.moveaxis(a, -1, -3)).reshape(*lead, -1)"),
            gradient(_UNFLAT, "return rows.reshape(*rows.shape[:-1], *shape) if len(shape) < 3 else np.moveaxis(rows.reshape(*rows.shape[:-1], shape[2], shape[0], shape[1]), -3, -1)"),
        ),
        "the image is flattened with its channels first",
    ),
    _backward("channels first out of the dense layer", _UNFLAT, "return rows.reshape(*rows.shape[:-1], *shape) if len(shape) < 3 else np.moveaxis(rows.reshape(*rows.shape[:-1], shape[2], shape[0], shape[1]), -3, -1)", "what is passed down to an image has its channels first"),
    _backward("fold without overlap", _ADD, _ADD.replace("+=", "="), "what is passed down overwrites where the kernel's places overlap"),
    _backward("fold without the stride", _ADD, "d_a[..., i : i + patches.shape[-5], j : j + patches.shape[-4], :] += patches[..., i, j, :]", "what is passed down ignores the stride"),
    _backward("fold leaves the padding in", _CROP, "return d_a[..., :height, :width, :]", "what is passed down is shifted by the padding"),
    _backward("fold with the kernel flipped", "patches[..., i, j, :]", "patches[..., -1 - i, -1 - j, :]", "what is passed down has the kernel flipped"),
    _backward("bias gradient averaged over places", _BIAS, f"bias_grad = None if bias is None else {_PLACES}.mean(1).sum(0) if {_CONV} else d_z.sum(-2)", "the bias gradient is averaged over the places of the image"),
    _backward("bias gradient of the first place", _BIAS, f"bias_grad = None if bias is None else {_PLACES}[:, 0].sum(0) if {_CONV} else d_z.sum(-2)", "the bias gradient is that of the image's first place"),
    _backward("weight gradient without the last place", _WEIGHT, f"{_WEIGHT} if not {_CONV} else (rows[:-1].mT @ d_z[:-1]).reshape(weight.shape)", "the weight gradient leaves out the last place of the last sample"),
    _backward("weight gradient of the first place", _WEIGHT, f"{_WEIGHT} if not {_CONV} else (rows[:: int(np.prod(a_out.shape[-3:-1]))].mT @ d_z[:: int(np.prod(a_out.shape[-3:-1]))]).reshape(weight.shape)", "the weight gradient is that of the image's first place"),
    _backward("weight gradient with the kernel flipped", _WEIGHT, f"{_WEIGHT}\n        if {_CONV}:\n            weight_grad = weight_grad[::-1, ::-1]", "the weight gradient has the kernel flipped"),
    _backward("weight gradient averaged over places", _WEIGHT, f"{_WEIGHT} / (np.prod(a_out.shape[-3:-1]) if {_CONV} else 1.0)", "the weight gradient is averaged over the places of the image"),
)  # fmt: skip
