"""Threads are pinned, as tiny networks want it; shapes in signatures are checked while tests run."""

import os

# Before NumPy is imported: its BLAS reads them then.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ["MKL_NUM_THREADS"] = "1"

from jaxtyping import install_import_hook

install_import_hook(
    [
        "gradparity.implementations.impl_numpy",
        # Not impl_torch.tuned: torch compiles what it traces, and checks in between it cannot trace.
        *(
            f"gradparity.implementations.impl_torch.{file}"
            for file in (
                *("activations", "losses", "layers", "gradients"),
                *("optimizers", "train", "ensemble"),
            )
        ),
        "gradparity.implementations.impl_jax",
        "gradparity.experiments.datasets",
        "gradparity.experiments.initial",
    ],
    "beartype.beartype",
)
