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
"""Vector instructions by their names in Linux, on x86 and on ARM."""

_PACKAGES = ("gradparity", "numpy", "torch", "jax", "jaxlib")


def machine() -> dict[str, str]:
    """Return the processor, its cores and vector instructions, the system, Python, and the precision of `long double`.

    Results differ in their last bits between instruction sets; the oracle computes in `long double`.
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
    """Return the versions of the installed packages that affect the numbers."""
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
    """Return the vector instructions of the processor that its system lists."""
    flags = (_cpuinfo("flags") or _cpuinfo("Features")).split()
    return ", ".join(name for flag, name in _INSTRUCTIONS.items() if flag in flags) or "not known"


def _cpuinfo(key: str) -> str:
    """Return the first value of this key in /proc/cpuinfo; empty on other systems than Linux."""
    if _CPUINFO.exists():
        for line in _CPUINFO.read_text().splitlines():
            name, _, value = line.partition(":")
            if name.strip() == key:
                return value.strip()
    return ""
