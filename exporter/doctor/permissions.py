"""Defines the permissions that are asked about: which setting needs each, and which families are lost without it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from exporter.catalogue import CATALOGUE, GROUPS
from exporter.cloudwatch.api import GET_METRIC_DATA
from exporter.config import Config
from exporter.ledger.sums import TOTALS
from exporter.polling.api import ASSUME, DESCRIBE, IDENTITY, LIST, SEARCH, TAGS
from exporter.prices.products import GET_PRODUCTS
from exporter.quotas.applied import LIST_QUOTAS

# Everything starts with credentials, and with finding and reading jobs.
_BEGINNINGS = ("", "assume-role", "describe")


@dataclass(frozen=True, slots=True)
class Permission:
    """An operation, the IAM action that allows it, the file in deploy/iam that has the action ("" if none is needed),
    the setting that needs it ("" if it is always needed), and whether a configuration does."""

    operation: str
    action: str
    policy: str
    setting: str
    wanted: Callable[[Config], bool]


def _always(_: Config) -> bool:
    return True


def _tags(config: Config) -> bool:
    return bool(config.jobs.tags or config.totals.by_tags)


PERMISSIONS: dict[str, Permission] = {
    each.operation: each
    for each in (
        Permission(IDENTITY, "sts:GetCallerIdentity", "", "", _always),
        Permission(ASSUME, "sts:AssumeRole", "assume-role", "role_arn", _always),
        Permission(LIST, "sagemaker:ListTrainingJobs", "describe", "", _always),
        Permission(DESCRIBE, "sagemaker:DescribeTrainingJob", "describe", "", _always),
        Permission(TAGS, "sagemaker:ListTags", "tags", "jobs.tags, totals.by_tags", _tags),
        Permission(
            SEARCH, "sagemaker:Search", "search", "polling.strategy", lambda config: config.polling.strategy == "search"
        ),
        Permission(
            GET_PRODUCTS, "pricing:GetProducts", "prices", "prices.source", lambda config: config.prices.source == "api"
        ),
        Permission(
            LIST_QUOTAS,
            "servicequotas:ListServiceQuotas",
            "quotas",
            "quotas.interval",
            lambda config: config.quotas.interval > 0,
        ),
        Permission(
            GET_METRIC_DATA,
            "cloudwatch:GetMetricData",
            "cloudwatch",
            "cloudwatch",
            lambda config: config.cloudwatch.enabled,
        ),
    )
}


def lost(permissions: Iterable[Permission], config: Config) -> str:
    """Return what is not exported without any of these permissions: names of families, and titles of groups that are
    lost whole. "" if nothing is lost."""
    policies = {each.policy for each in permissions}
    if not policies.isdisjoint(_BEGINNINGS):
        number = sum(family.policy != "" for family in CATALOGUE)
        return f"all {number} families of the target; only what the exporter says of itself is left"
    found = []
    for group in GROUPS:
        whole = "tags" in policies and group is TOTALS and bool(config.totals.by_tags)
        names = [family.name for family in group.families if whole or family.policy in policies]
        if names and len(names) == len(group.families) > 1:
            found.append(f'all {len(names)} of "{group.title}"')
        else:
            found += names
    return ", ".join(found)
