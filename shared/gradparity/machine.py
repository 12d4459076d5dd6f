"""The machine that a result was obtained on: processor, system, versions."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

_CPUINFO = Path("/proc/cpuinfo")
_INSTRUCTIONS = {
    "fma": "FMA",
    "avx2": "AVX2",
    "avx512f": "AVX-512",
    "asimd": "NEON",
    "sve": "SVE",
}
"""By the name that Linux has for them, on x86 and on ARM."""

_PACKAGES = ("gradparity", "numpy", "torch", "jax", "jaxlib")


def machine() -> dict[str, str]:
    """The processor, its cores and vector instructions, the system, Python, and the precision of `long double`.

    Kernels differ in their last bits between instruction sets; the oracle rests on `long double`.
    """
    return {
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "instructions": _instructions(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "long double": f"{np.finfo(np.longdouble).nmant + 1} bits",
    }


def versions() -> dict[str, str]:
    """Versions of the packages that decide about the numbers, as far as they are installed."""
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _processor() -> str:
    return _cpuinfo("model name") or platform.processor() or platform.machine()


def _instructions() -> str:
    """The vector instructions of the processor, as far as its system lists them."""
    flags = (_cpuinfo("flags") or _cpuinfo("Features")).split()
    return ", ".join(name for flag, name in _INSTRUCTIONS.items() if flag in flags) or "not known"


def _cpuinfo(key: str) -> str:
    """The first value of this key in Linux's description of the processors; empty elsewhere."""
    if _CPUINFO.exists():
        for line in _CPUINFO.read_text().splitlines():
            name, _, value = line.partition(":")
            if name.strip() == key:
                return value.strip()
    return ""
