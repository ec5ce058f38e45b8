"""Check and set the version of a release: in the manifests, the documents and the changelog, and the tag.

    python -m hack.release check 0.2.0      says what does not agree, and ends with status 1
    python -m hack.release prepare 0.2.0    writes the version and today's date to where they belong
    python -m hack.release notes 0.2.0      prints the section of the changelog
    python -m hack.release chart 0.2.0 REPOSITORY    packs the chart into dist/, with the image of that repository

The Python package, and with it the image, takes its version from the tag (pyproject.toml). What people install out of
a checkout cannot: the chart, the manifests of kustomize and the commands in the documents name the version of an image.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from hack.programs import ROOT, program

CHART = "deploy/helm/sagemaker-exporter"
_NUMBER = r"\d+\.\d+\.\d+"
_VERSION = re.compile(_NUMBER)
# Each file, and the text before the version in it.
PLACES = (
    (f"{CHART}/Chart.yaml", r"^version: "),
    (f"{CHART}/Chart.yaml", r'^appVersion: "'),
    ("deploy/kustomize/base/kustomization.yaml", r"newTag: "),
    ("deploy/kustomize/components/sidecar/kustomization.yaml", r"newTag: "),
    ("docs/getting-started.md", r"sagemaker-exporter:|VERSION="),
    ("docs/kubernetes.md", r"sagemaker-exporter:|VERSION="),
)
_UNRELEASED = "## [Unreleased]\n"


def main(arguments: list[str]) -> int:
    match arguments:
        case ["check", version]:
            found = list(problems(ROOT, version))
            print(*found or [f"{version} can be released"], sep="\n", file=sys.stderr if found else sys.stdout)
            return int(bool(found))
        case ["prepare", version] if _VERSION.fullmatch(version):
            prepare(ROOT, version, datetime.now(UTC).date().isoformat())
        case ["notes", version]:
            print(section((ROOT / "CHANGELOG.md").read_text(), version))
        case ["chart", version, repository]:
            chart(ROOT, version, repository, ROOT / "dist")
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    return 0


def problems(root: Path, version: str) -> Iterator[str]:
    """Return the reasons why this version cannot be released."""
    if not _VERSION.fullmatch(version):
        yield f"{version!r} is not a version: three numbers such as 0.2.0, without v"
        return
    for file, before in PLACES:
        pattern = re.compile(rf"(?:{before})({_NUMBER})", re.MULTILINE)
        for found in pattern.findall((root / file).read_text()) or ["no version"]:
            if found != version:
                yield f"{file}: {found}, not {version}: make release-prepare VERSION={version}"
    changes = (root / "CHANGELOG.md").read_text()
    if not section(changes, version):
        yield f"CHANGELOG.md: nothing under [{version}]: make release-prepare VERSION={version}"
    if section(changes, "Unreleased"):
        yield f"CHANGELOG.md: changes under [Unreleased] that belong to {version}"


def section(changes: str, version: str) -> str:
    """Return the section of the changelog for a version."""
    found = re.search(rf"(?ms)^## \[{re.escape(version)}\][^\n]*\n(.*?)(?=^## \[|\Z)", changes)
    return found[1].strip() if found else ""


def prepare(root: Path, version: str, day: str) -> None:
    """Write the version everywhere, and give the unreleased section of the changelog its version and date."""
    for file, before in PLACES:
        text = (root / file).read_text()
        (root / file).write_text(re.sub(rf"({before}){_NUMBER}", rf"\g<1>{version}", text, flags=re.MULTILINE))
    changelog = root / "CHANGELOG.md"
    changes = changelog.read_text()
    if not section(changes, version):
        changelog.write_text(changes.replace(_UNRELEASED, f"{_UNRELEASED}\n## [{version}] - {day}\n", 1))


def chart(root: Path, version: str, repository: str, target: Path) -> None:
    """Package the chart with this version, and with the image of this repository as its default."""
    helm = program("helm")
    if helm is None:
        raise SystemExit("helm is not on the PATH: https://helm.sh/docs/intro/install/")
    with tempfile.TemporaryDirectory() as folder:
        copied = Path(shutil.copytree(root / CHART, Path(folder) / "sagemaker-exporter"))
        for values in (copied / "values.yaml", copied / "defaults.yaml"):
            text = values.read_text()
            values.write_text(re.sub(r"(?m)^  repository: .*$", f"  repository: {repository}", text, count=1))
        versions = ("--version", version, "--app-version", version)
        command: list[str | Path] = [helm, "package", copied, *versions, "--destination", target]
        subprocess.run(command, check=True)  # noqa: S603


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
