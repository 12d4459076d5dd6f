"""What a literal is for: read off the operation that takes it, and those around it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...tracing.recording import LEAVES, PARAMETER, Event, Recording, Ref, refs
from ..counterfactual import Call
from .bench import MOVES_ONLY
from .literals import Path, Slot

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

KNOWN = {
    ("native_layer_norm", "eps"): "LayerNorm's ε",
    ("_fused_rms_norm", "eps"): "RMSNorm's ε",
    ("native_group_norm", "eps"): "GroupNorm's ε",
    ("native_batch_norm", "eps"): "BatchNorm's ε",
    ("native_batch_norm_backward", "eps"): "BatchNorm's ε",
    ("_native_batch_norm_legit", "eps"): "BatchNorm's ε",
    ("native_batch_norm", "momentum"): "BatchNorm's momentum",
    ("_native_batch_norm_legit", "momentum"): "BatchNorm's momentum",
    ("native_batch_norm", "training"): "BatchNorm's statistics",
    ("_native_batch_norm_legit", "training"): "BatchNorm's statistics",
    ("native_batch_norm_backward", "training"): "BatchNorm's statistics",
    ("leaky_relu", "negative_slope"): "leaky ReLU's slope",
    ("leaky_relu_backward", "negative_slope"): "leaky ReLU's slope",
    ("elu", "alpha"): "ELU's α",
    ("elu_backward", "alpha"): "ELU's α",
    ("softplus", "beta"): "softplus's β",
    ("softplus_backward", "beta"): "softplus's β",
    ("masked_fill", "value"): "the value of masked entries",
    ("_softmax", "dim"): "the softmax's axis",
    ("_log_softmax", "dim"): "the softmax's axis",
    ("_softmax_backward_data", "dim"): "the softmax's axis",
    ("_log_softmax_backward_data", "dim"): "the softmax's axis",
    ("gelu", "approximate"): "GELU",
    ("gelu_backward", "approximate"): "GELU",
    ("convolution", "stride"): "the convolution's stride",
    ("convolution", "padding"): "the convolution's padding",
    ("convolution", "dilation"): "the convolution's dilation",
    ("convolution", "groups"): "the convolution's groups",
    ("conv_general_dilated", "padding"): "the convolution's padding",
    ("conv_general_dilated", "window_strides"): "the convolution's stride",
    ("conv_general_dilated", "rhs_dilation"): "the convolution's dilation",
    ("conv_general_dilated", "feature_group_count"): "the convolution's groups",
    ("smooth_l1_loss", "beta"): "the smooth L1 loss's β",
    ("huber_loss", "delta"): "the Huber loss's δ",
    ("mse_loss", "reduction"): "the loss's reduction",
    ("smooth_l1_loss", "reduction"): "the loss's reduction",
    ("huber_loss", "reduction"): "the loss's reduction",
    ("nll_loss_forward", "reduction"): "the loss's reduction",
    ("binary_cross_entropy", "reduction"): "the loss's reduction",
    ("avg_pool2d", "count_include_pad"): "whether the average pooling counts the padding",
    ("var", "correction"): "the variance's correction",
    ("var_mean", "correction"): "the variance's correction",
    ("std", "correction"): "the standard deviation's correction",
}

_ROOTS = {"aten.rsqrt", "aten.sqrt", "rsqrt", "sqrt", "numpy.sqrt", "aten._foreach_sqrt"}
_POWERS = {"aten.pow", "pow", "power"}
_SUMS = {
    *("aten.mean", "aten.sum", "aten.var", "aten.var_mean", "aten.std"),
    *("reduce_sum", "sum", "mean", "var", "std", "add.reduce"),
}
_OWN_CENTRE = {"aten.var", "aten.var_mean", "aten.std", "var", "std"}
_ADDS = {"aten.add", "add", "aten._foreach_add", "add_any"}
_SUBTRACTIONS = {"aten.sub", "sub", "subtract"}
_FACTORS = {
    "aten.mul",
    "aten.div",
    "mul",
    "div",
    "multiply",
    "divide",
    "true_divide",
    "aten._foreach_mul",
}
_CHOICES = {
    "aten.where",
    "aten.masked_fill",
    "select_n",
    "where",
    "aten.scalar_tensor",
    "aten.full",
}
_SOFTMAX = {"aten._softmax", "aten._log_softmax", "reduce_max", "aten._safe_softmax"}
_LIMITS = {
    "aten.clamp",
    "max",
    "min",
    "clamp",
    "maximum",
    "minimum",
    "aten.clamp_min",
    "aten.clamp_max",
}

A_NUMBER, A_FACTOR, A_TERM, A_NORM = (
    "a constant",
    "a constant factor",
    "a constant that is added",
    "the normalisation's ε",
)
VAGUE = frozenset({A_NUMBER, A_FACTOR, A_TERM, A_NORM, "an exponent", "a limit"})
"""What says little: the other side's name for it is taken, if that says more."""


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
    if path[0] == "attributes":
        return str(path[1])
    names = ARGUMENTS.get(operation(event), "").split()
    return names[path[1]] if path[1] < len(names) else ""


def role(recording: Recording, slot: Slot) -> str:
    """Return what a literal is for, in a few words."""
    event = recording.events[slot.event]
    if event.operation in LEAVES:
        users = recording.users[slot.event]
        if not users:
            return A_NUMBER
        event = recording.events[users[0]]
        return _by_place(recording, event)
    name = argument(event, slot.path)
    known = KNOWN.get((short(event), name))
    return known or _by_place(recording, event)


def _by_place(recording: Recording, event: Event) -> str:
    name = operation(event)
    if name in _ADDS:
        return _of_added(recording, event)
    if name in _FACTORS:
        return _of_factor(recording, event)
    if name in _CHOICES:
        return "the value of masked entries"
    if name in _POWERS or name == "integer_pow":
        return "an exponent"
    if name in _LIMITS:
        return "a limit"
    if event.phase == "update" and name in {"aten.lerp", "aten._foreach_lerp"}:
        return "the optimizer's β"
    if event.phase == "update" and name in {"aten.addcmul", "aten._foreach_addcmul"}:
        return "the optimizer's β"
    if name in {"broadcast_in_dim", *MOVES_ONLY}:
        for user in recording.users[event.index]:
            if operation(recording.events[user]) not in MOVES_ONLY:
                return _by_place(recording, recording.events[user])
    return A_NUMBER


def _of_added(recording: Recording, event: Event) -> str:
    below = _next(recording, event)
    above = {operation(recording.events[i]) for i in event.inputs}
    roots_above = bool(above & _ROOTS) or any(
        operation(recording.events[k]) in _ROOTS
        for i in event.inputs
        for k in recording.events[i].inputs
        if operation(recording.events[i]) in _FACTORS
    )
    is_rooted = any(
        operation(one) in _ROOTS or (operation(one) in _POWERS and event.phase != "update")
        for one in below
    )
    if event.phase == "update" and (roots_above or is_rooted):
        return "the optimizer's ε"
    if is_rooted or (roots_above and any(operation(one) in {"aten.div", "div"} for one in below)):
        return _kind_of_norm(recording, event)
    return A_TERM


def _next(recording: Recording, event: Event) -> list[Event]:
    """Return what takes an array, views and copies passed over."""
    found, left = [], list(recording.users[event.index])
    while left and len(found) < 8:
        one = recording.events[left.pop()]
        if operation(one) in MOVES_ONLY:
            left += recording.users[one.index]
        else:
            found.append(one)
    return found


def _kind_of_norm(recording: Recording, event: Event) -> str:
    """Return of which normalisation it is: by the axes over which the moments are taken."""
    sums, centred, running = [], False, False
    for one in _above(recording, event):
        name = operation(one)
        centred |= name in _SUBTRACTIONS or name in _OWN_CENTRE
        running |= one.operation in LEAVES and "var" in one.name
        if name in _SUMS:
            sums.append(one)
            if len(sums) == 2:
                break
    if running:
        return "BatchNorm's ε"
    axes = _axes(recording, sums[0]) if sums else None
    if not axes:
        return A_NORM
    over, ndim = axes
    if 0 in over and len(over) < ndim:
        return "BatchNorm's ε"
    if over == (ndim - 1,):
        return "LayerNorm's ε" if centred else "RMSNorm's ε"
    return A_NORM


def _above(recording: Recording, event: Event) -> Iterator[Event]:
    """Yield what an array is made of, the nearest first, as far as a normalisation reaches."""
    seen, left = {event.index}, [event.index]
    for _ in range(24):
        if not left:
            return
        one = recording.events[left.pop(0)]
        yield one
        for i in one.inputs:
            if i not in seen:
                seen.add(i)
                left.append(i)


def _axes(recording: Recording, event: Event) -> tuple[tuple[int, ...], int] | None:
    """Return over which axes a sum goes, and of how many."""
    if not event.inputs:
        return None
    ndim = recording.events[event.inputs[0]].value.ndim
    given = event.attributes.get("axes", event.attributes.get("axis"))
    if given is None and len(event.arguments) > 1:
        given = event.arguments[1]
    if isinstance(given, int):
        given = (given,)
    if not isinstance(given, list | tuple) or not all(isinstance(i, int) for i in given):
        return None
    return tuple(sorted(i % max(ndim, 1) for i in given)), ndim


def _of_factor(recording: Recording, event: Event) -> str:
    if event.phase == "update":
        leaves = [recording.events[i] for i in event.inputs]
        if any(leaf.operation == PARAMETER for leaf in leaves):
            return "the optimizer's weight decay"
        return "a constant of the optimizer"
    left, seen = [event], 0
    while left and seen < 12:
        one = left.pop(0)
        seen += 1
        for below in _next(recording, one):
            if operation(below) in _SOFTMAX:
                return "the scale of what goes into the softmax"
            if operation(below) in _CHOICES or operation(below) in _ADDS:
                left.append(below)
    return A_FACTOR


def has_array(event: Event) -> bool:
    """Whether a call takes an array."""
    return bool(event.inputs) or any(isinstance(one, Ref) for one in event.arguments)


def references(argument: object) -> Iterator[Ref]:
    """Yield the arrays in an argument."""
    return refs(argument)


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


def defaults(event: Event) -> dict[str, Any]:
    """Return the arguments of a call that it is not given, and what they then are."""
    return DEFAULTS.get(short(event), {})


def called(event: Event, name: str, value: Any) -> Call:
    """Return a call with another argument; those in front of it that were left out get their defaults."""
    if name in event.attributes:
        return Call(event.arguments, {**event.attributes, name: value})
    names = ARGUMENTS.get(operation(event), "").split()
    if name not in names:
        return Call(event.arguments, {**event.attributes, name: value})
    at, given = names.index(name), list(event.arguments)
    while len(given) <= at:
        given.append(defaults(event).get(names[len(given)]))
    given[at] = value
    return Call(tuple(given), event.attributes)
