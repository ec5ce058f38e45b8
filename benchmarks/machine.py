"""Describe the machine and the software of a measurement."""

from __future__ import annotations

import os
import platform
import zlib
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from exporter import __version__

_PACKAGES = ("aiobotocore", "botocore", "boto3", "aiohttp", "orjson", "prometheus-client")


def described() -> dict[str, str]:
    """Return the machine and the versions, for comparisons."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "sagemaker-exporter": __version__,
        "processor": f"{os.cpu_count()} x {_processor()}",
        "memory": f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "zlib": zlib.ZLIB_RUNTIME_VERSION,
        **{name: version(name) for name in _PACKAGES},
    }


def load() -> float:
    """Return the load average of the last minute."""
    return os.getloadavg()[0]


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())
