"""Make the frameworks compute on a device other than the CPU."""

from __future__ import annotations

import importlib.util

from .errors import InputError

CPU = "cpu"


def use_device(device: str) -> str:
    """Make every installed framework compute on `device` ("cuda") from now on, without TF32; return the device's name.

    TF32 keeps only 10 of the 23 mantissa bits of float32 in a product, so no results would agree.
    NumPy stays on the CPU.

    Raises:
        InputError: no installed framework has such a device.
    """
    names = [
        name
        for package, find in (("torch", _torch), ("jax", _jax))
        if importlib.util.find_spec(package) is not None and (name := find(device))
    ]
    if not names:
        raise InputError(
            f"neither torch nor JAX has a device {device!r} here; install a build that has, or leave out --device"
        )
    return f"{', '.join(dict.fromkeys(names))}, TF32 off"


def _torch(device: str) -> str | None:
    import torch

    if device == "cuda" and torch.cuda.is_available():
        torch.backends.cuda.matmul.allow_tf32 = False
        torch.backends.cudnn.allow_tf32 = False
        torch.set_default_device(device)
        return torch.cuda.get_device_name()
    return None


def _jax(device: str) -> str | None:
    import jax

    try:
        found = jax.devices(device)[0]
    except RuntimeError:  # JAX has no such platform here
        return None
    jax.config.update("jax_default_device", found)
    jax.config.update("jax_default_matmul_precision", "highest")
    return str(found.device_kind)
