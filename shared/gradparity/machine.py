"""What a result was obtained on: processor, system, versions."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

_PACKAGES = ("gradparity", "numpy", "torch", "jax", "jaxlib")


def machine() -> dict[str, str]:
    """Processor, its cores, operating system, Python, and the precision of `long double`, on which the oracle rests."""
    return {
        "processor": _processor(),
        "cores": str(os.cpu_count()),
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
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
