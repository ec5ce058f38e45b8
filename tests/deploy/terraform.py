"""Read a Terraform module with python-hcl2, and resolve its references.

Terraform and its AWS provider are in no registry that the tests may use, so that nothing is planned or applied.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hcl2

_REFERENCE = re.compile(r"(?<![\w.\"/-])((?:var|local|module|data\.aws_\w+|aws_\w+)\.\w+)")
_META = {"count", "dynamic", "for_each", "lifecycle", "provider", "providers", "source"}
_KINDS = {"variable": "var", "module": "module", "output": "output"}


@dataclass(frozen=True, slots=True)
class Module:
    """Hold the .tf files of one folder. Blocks have the names used in expressions: var.name, data.aws_x.name."""

    path: Path
    blocks: dict[str, dict[str, Any]]
    expressions: tuple[str, ...]

    def named(self, kind: str) -> dict[str, dict[str, Any]]:
        """Return the blocks of a kind (var, local, module, output, aws_, data.) by the rest of their names."""
        return {name.removeprefix(kind): block for name, block in self.blocks.items() if name.startswith(kind)}

    def references(self) -> set[str]:
        return {found for text in self.expressions for found in _REFERENCE.findall(text)}


def read(path: Path) -> Module:
    """Return the blocks of all .tf files in a folder."""
    blocks: dict[str, dict[str, Any]] = {}
    expressions: list[str] = []
    for file in sorted(path.glob("*.tf")):
        document = _unquoted(hcl2.loads(file.read_text()))
        for name, block in _blocks(document):
            assert name not in blocks, f"{file}: {name} stands twice"
            blocks[name] = block
        expressions += _texts(document)
    return Module(path, blocks, tuple(expressions))


def arguments(block: dict[str, Any]) -> set[str]:
    """Return the arguments and nested blocks of a block, including dynamic ones, without Terraform's own."""
    dynamic = {kind for item in block.get("dynamic", []) for kind in item}
    return (block.keys() | dynamic) - _META


def _blocks(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for kind, prefix in _KINDS.items():
        for item in document.get(kind, []):
            yield from ((f"{prefix}.{name}", block) for name, block in item.items())
    for item in document.get("locals", []):
        yield from ((f"local.{name}", {"value": value}) for name, value in item.items())
    for kind, prefix in (("data", "data."), ("resource", "")):
        for item in document.get(kind, []):
            for type_, named in item.items():
                yield from ((f"{prefix}{type_}.{name}", block) for name, block in named.items())


def _unquoted(value: Any) -> Any:
    """Return a value without the parser's markers, and with plain strings unquoted."""
    if isinstance(value, dict):
        return {key.strip('"'): _unquoted(item) for key, item in value.items() if not key.startswith("__")}
    if isinstance(value, list):
        return [_unquoted(item) for item in value]
    return value[1:-1] if isinstance(value, str) and value.startswith('"') and value.endswith('"') else value


def _texts(value: Any) -> Iterator[str]:
    """Yield every text that can contain references: ${...} whole, and the interpolations of strings."""
    if isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, str) and "${" in value:
        yield value if value.startswith("${") else " ".join(re.findall(r"\$\{([^}]*)\}", value))
