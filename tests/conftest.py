"""Shapes in signatures are checked while tests run; threads are pinned, as tiny networks want it."""

import os

for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

from jaxtyping import install_import_hook

install_import_hook(
    ["impl_numpy", "impl_torch", "impl_jax", "gradparity.datasets", "gradparity.initial"],
    "beartype.beartype",
)
