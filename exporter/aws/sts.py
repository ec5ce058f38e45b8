"""AWS's STS: the account that credentials belong to."""

from __future__ import annotations

from exporter.aws.client import Client
from exporter.aws.rates import RateLimits
from exporter.aws.sessions import AwsService
from exporter.polling.api import IDENTITY

STS = AwsService("sts")
# AWS documents no rate limit; nothing asks more than once.
_PER_SECOND = 5.0


def sts_limits(max_concurrency: int, timeout: float) -> RateLimits:
    """Return the limits of STS in one target."""
    return RateLimits({(IDENTITY,): _PER_SECOND}, max_concurrency, timeout)


async def account_of(client: Client) -> str:
    """Return the account ID of a client's credentials. Raises ApiError."""
    return str((await client.call(IDENTITY, {})).get("Account"))
