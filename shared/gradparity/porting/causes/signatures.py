"""What the operations' arguments are called, and what they are where nothing is given."""

from __future__ import annotations

from typing import Any

from ...tracing.recording import Event
from ..counterfactual import Call

Path = tuple[Any, ...]
"""Where in a call: `("arguments", 1)`, `("attributes", "padding", 0, 1)`; empty for a leaf that is one number."""

ARGUMENTS = {
    "aten.native_layer_norm": "input shape weight bias eps",
    "aten._fused_rms_norm": "input shape weight eps",
    "aten.native_group_norm": "input weight bias n c hxw groups eps",
    "aten.native_batch_norm": "input weight bias mean var training momentum eps",
    "aten._native_batch_norm_legit": "input weight bias mean var training momentum eps",
    "aten.native_batch_norm_backward": "grad input weight mean var save invstd training eps mask",
    "aten._softmax": "input dim half",
    "aten._log_softmax": "input dim half",
    "aten._softmax_backward_data": "grad output dim dtype",
    "aten._log_softmax_backward_data": "grad output dim dtype",
    "aten.leaky_relu": "input negative_slope",
    "aten.leaky_relu_backward": "grad input negative_slope in_place",
    "aten.elu": "input alpha scale input_scale",
    "aten.elu_backward": "grad alpha scale input_scale is_result input",
    "aten.softplus": "input beta threshold",
    "aten.softplus_backward": "grad input beta threshold",
    "aten.hardtanh": "input min_val max_val",
    "aten.hardtanh_backward": "grad input min_val max_val",
    "aten.masked_fill": "input mask value",
    "aten.convolution": "input weight bias stride padding dilation transposed output_padding groups",
    "aten.convolution_backward": (
        "grad input weight bias_sizes stride padding dilation transposed output_padding groups mask"
    ),
    "aten.avg_pool2d": (
        "input kernel_size stride padding ceil_mode count_include_pad divisor_override"
    ),
    "aten.avg_pool3d": (
        "input kernel_size stride padding ceil_mode count_include_pad divisor_override"
    ),
    "aten.avg_pool2d_backward": (
        "grad input kernel_size stride padding ceil_mode count_include_pad divisor_override"
    ),
    "aten.max_pool2d_with_indices": "input kernel_size stride padding dilation ceil_mode",
    "aten.max_pool3d_with_indices": "input kernel_size stride padding dilation ceil_mode",
    "aten.upsample_bilinear2d": "input size align_corners",
    "aten.upsample_linear1d": "input size align_corners",
    "aten.upsample_trilinear3d": "input size align_corners",
    "aten.upsample_bilinear2d_backward": "grad size input_size align_corners",
    "aten.mean": "input dim keepdim",
    "aten.sum": "input dim keepdim",
    "aten.var": "input dim unbiased",
    "aten.var_mean": "input dim unbiased",
    "aten.std": "input dim unbiased",
    "aten.argmax": "input dim keepdim",
    "aten.argmin": "input dim keepdim",
    "aten.cumsum": "input dim",
    "aten.tril": "input diagonal",
    "aten.triu": "input diagonal",
    "aten.flip": "input dims",
    "aten.roll": "input shifts dims",
    "aten.slice": "input dim start end step",
    "aten.select": "input dim index",
    "aten.constant_pad_nd": "input pad value",
    "aten.mse_loss": "input target reduction",
    "aten.smooth_l1_loss": "input target reduction beta",
    "aten.huber_loss": "input target reduction delta",
    "aten.nll_loss_forward": "input target weight reduction ignore_index",
    "aten.binary_cross_entropy": "input target weight reduction",
    "aten.transpose": "input dim0 dim1",
    "aten.permute": "input dims",
    "aten.pixel_shuffle": "input upscale_factor",
    "aten.lerp": "input end weight",
    "aten.addcmul": "input tensor1 tensor2 value",
    "aten.addcdiv": "input tensor1 tensor2 value",
    "aten.norm": "input p dim",
    "aten.linalg_vector_norm": "input ord dim",
}
"""The names that PyTorch gives to an operation's arguments, in order."""

DEFAULTS: dict[str, dict[str, Any]] = {
    "gelu": {"approximate": "none"},
    "gelu_backward": {"approximate": "none"},
    "leaky_relu": {"negative_slope": 0.01},
    "var": {"correction": 1},
    "std": {"correction": 1},
    "var_mean": {"correction": 1},
    "elu": {"alpha": 1, "scale": 1, "input_scale": 1},
    "softplus": {"beta": 1, "threshold": 20},
    "avg_pool2d": {"stride": [], "padding": [0, 0], "ceil_mode": False, "count_include_pad": True},
    "max_pool2d_with_indices": {"padding": [0, 0], "dilation": [1, 1], "ceil_mode": False},
    "mse_loss": {"reduction": 1},
    "smooth_l1_loss": {"reduction": 1, "beta": 1.0},
    "huber_loss": {"reduction": 1, "delta": 1.0},
    "binary_cross_entropy": {"reduction": 1},
    "tril": {"diagonal": 0},
    "triu": {"diagonal": 0},
}
"""What PyTorch's operations take where nothing is given."""


def operation(event: Event) -> str:
    """Return an operation's name, without that it writes in place."""
    name = event.operation
    return name[:-1] if name.startswith("aten.") and name.endswith("_") else name


def short(event: Event) -> str:
    """Return an operation's name without its namespace."""
    return operation(event).removeprefix("aten.")


def argument(event: Event, path: Path) -> str:
    """Return what an argument is called; empty if that is not known."""
    if not path:
        return ""
    if path[0] != "arguments":
        return str(path[1])
    known = names(event)
    return known[path[1]] if path[1] < len(known) else ""


def names(event: Event) -> list[str]:
    """Return the names of an operation's arguments, in order; none if they are not known."""
    return ARGUMENTS.get(operation(event), "").split()


def defaults(event: Event) -> dict[str, Any]:
    """Return the arguments of a call that it is not given, and what they then are."""
    return DEFAULTS.get(short(event), {})


def called(event: Event, name: str, value: Any) -> Call:
    """Return a call with another argument; those in front of it that were left out get their defaults."""
    if name in event.attributes:
        return Call(event.arguments, {**event.attributes, name: value})
    known = names(event)
    if name not in known:
        return Call(event.arguments, {**event.attributes, name: value})
    at, given = known.index(name), list(event.arguments)
    while len(given) <= at:
        given.append(defaults(event).get(known[len(given)]))
    given[at] = value
    return Call(tuple(given), event.attributes)
