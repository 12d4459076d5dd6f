"""Which operations only move numbers."""

from __future__ import annotations

from .recording import LEAVES, Event

_NUMPY = """
array asarray ascontiguousarray astype broadcast_to concatenate copy copyto diagonal empty empty_like expand_dims
flatten flip full full_like getitem matrix_transpose moveaxis ones ones_like overlay pad ravel repeat reshape rollaxis
setitem sliding_window_view squeeze stack swapaxes take transpose zeros zeros_like
"""

_ATEN = """
_reshape_alias _to_copy _unsafe_view alias as_strided cat clone constant_pad_nd copy_ detach empty empty_like
empty_strided expand fill_ flip full full_like index lift_fresh new_empty new_empty_strided new_zeros ones_like permute
reshape select slice split split_with_sizes squeeze stack t transpose unbind unsqueeze view zero_ zeros zeros_like
"""

_JAX = """
broadcast_in_dim concatenate convert_element_type copy dynamic_slice gather pad reshape rev slice split squeeze
stop_gradient transpose
"""

MOVES = {
    "numpy": frozenset(_NUMPY.split()),
    "torch": frozenset(["overlay", *(f"aten.{name}" for name in _ATEN.split())]),
    "jax": frozenset(_JAX.split()),
}
"""By framework: what lays numbers out otherwise, copies, takes a part of them, or makes an array of one constant."""


def computes(event: Event, framework: str) -> bool:
    """Return True if an event computes its numbers: they were neither given nor only moved."""
    return event.operation not in LEAVES and event.operation not in MOVES[framework]
