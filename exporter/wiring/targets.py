"""List the targets of a configuration, which are pairs of account and region, and select those of this shard."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

from exporter.aws.sessions import Role
from exporter.config import Config


@dataclass(frozen=True, slots=True)
class TargetSpec:
    """Describe a configured target.

    `region` is None for the SDK's default region, and `role` is None for the exporter's own account.
    """

    region: str | None
    role: Role | None

    @property
    def key(self) -> str:
        """Return the account and region as configured. Keys are unique among targets."""
        return f"{self.role.account if self.role else ''}/{self.region or ''}"


def target_specs(config: Config) -> list[TargetSpec]:
    """Return the targets of this shard. A stable hash assigns each account and region to one shard."""
    found = []
    for target in config.targets:
        secret = target.external_id.get_secret_value() if target.external_id else None
        role = Role(target.role_arn, secret, target.session_name) if target.role_arn else None
        found += [TargetSpec(region, role) for region in target.regions or (None,)]
    return list(_of_shard(found, config.sharding.index, config.sharding.total))


def _of_shard(found: Iterable[TargetSpec], index: int, total: int) -> Iterable[TargetSpec]:
    for spec in found:
        # Not `hash`, which differs between processes, and not the resolved account, which STS may not tell yet.
        if int.from_bytes(sha256(spec.key.encode()).digest()[:8], "big") % total == index:
            yield spec
