"""What a literal is for: read off the operation that takes it, and those around it."""

from __future__ import annotations

from collections.abc import Iterator

from ...tracing.recording import LEAVES, PARAMETER, Event, Recording, Ref
from .bench import MOVES_ONLY
from .literals import Slot
from .signatures import argument, operation, short

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
    ("tril", "diagonal"): "the causal mask",
    ("triu", "diagonal"): "the causal mask",
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
_AVERAGES = {"aten.lerp", "aten._foreach_lerp", "aten.addcmul", "aten._foreach_addcmul"}
_PLAIN = {
    **dict.fromkeys(_CHOICES, "the value of masked entries"),
    **dict.fromkeys({*_POWERS, "integer_pow"}, "an exponent"),
    **dict.fromkeys(_LIMITS, "a limit"),
}

A_NUMBER, A_FACTOR, A_TERM, A_NORM = (
    "a constant",
    "a constant factor",
    "a constant that is added",
    "the normalisation's ε",
)
VAGUE = frozenset({A_NUMBER, A_FACTOR, A_TERM, A_NORM, "an exponent", "a limit"})
"""What says little: the other side's name for it is taken, if that says more."""


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
    if operation(event) in _POWERS and slot.path == ("arguments", 0):
        return "the base of a power"
    return known or _by_place(recording, event)


def neutral(recording: Recording, slot: Slot) -> float | None:
    """Return the number that does nothing in the place of a literal; None if there is none."""
    event = recording.events[slot.event]
    users = recording.users[slot.event]
    if event.operation in LEAVES and users:
        event = recording.events[users[0]]
    name = argument(event, slot.path)
    if name == "eps" or operation(event) in _ADDS | _SUBTRACTIONS:
        return 0.0
    if operation(event) in _FACTORS | _POWERS:
        return 1.0
    return None


def _by_place(recording: Recording, event: Event) -> str:
    name = operation(event)
    if name in _ADDS:
        return _of_added(recording, event)
    if name in _FACTORS:
        return _of_factor(recording, event)
    if event.phase == "update" and name in _AVERAGES:
        return "the optimizer's β"
    if name in _PLAIN:
        return _PLAIN[name]
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
    found: list[Event] = []
    left = list(recording.users[event.index])
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
