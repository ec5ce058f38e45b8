"""The targets that a configuration names: each account and region, and the shard that polls it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

from exporter.aws.sessions import Role
from exporter.config import Config


@dataclass(frozen=True, slots=True)
class TargetSpec:
    """A target as the configuration names it; the region is None for the SDK's default."""

    region: str | None
    role: Role | None

    @property
    def key(self) -> str:
        """Account and region as they are written; no two targets have the same."""
        return f"{self.role.account if self.role else ''}/{self.region or ''}"


def target_specs(config: Config) -> list[TargetSpec]:
    """The targets that are this shard's: every account and region belongs to one shard, by a stable hash."""
    found = []
    for target in config.targets:
        secret = target.external_id.get_secret_value() if target.external_id else None
        role = Role(target.role_arn, secret, target.session_name) if target.role_arn else None
        found += [TargetSpec(region, role) for region in target.regions or (None,)]
    return list(_of_shard(found, config.sharding.index, config.sharding.total))


def _of_shard(found: Iterable[TargetSpec], index: int, total: int) -> Iterable[TargetSpec]:
    for spec in found:
        if int.from_bytes(sha256(spec.key.encode()).digest()[:8], "big") % total == index:
            yield spec
