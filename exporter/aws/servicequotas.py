"""AWS's Service Quotas API: the applied quotas of SageMaker in one account and region."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence

from exporter.aws.client import Client, InFlight
from exporter.aws.rates import RateLimiters, RateLimits
from exporter.aws.sessions import AwsService, Role, Sessions
from exporter.clock import Clock
from exporter.polling.api import Calls
from exporter.quotas.applied import LIST_QUOTAS, SERVICE

SERVICE_QUOTAS = AwsService("service-quotas")
_PAGE = 100
# AWS allows 10 calls per second in an account and region, to all its users together.
_PER_SECOND = 5.0


def quota_limits(max_concurrency: int, timeout: float) -> RateLimits:
    """Return the limits of one target."""
    return RateLimits({(LIST_QUOTAS,): _PER_SECOND}, max_concurrency, timeout)


class AppliedQuotas:
    """Implements `exporter.quotas.applied.QuotaSource` with the credentials of one target.

    ListServiceQuotas returns applied values only; a quota that has none is not in the list.
    """

    def __init__(
        self,
        sessions: Sessions,
        role: Role | None,
        limiters: RateLimiters,
        in_flight: InFlight,
        clock: Clock,
        calls: Calls,
    ) -> None:
        self._sessions, self._role, self._limiters = sessions, role, limiters
        self._in_flight, self._clock, self._calls = in_flight, clock, calls

    async def items(self, region: str) -> AsyncGenerator[Sequence[object]]:
        """Yield the applied quotas of SageMaker in a region, a page at a time. Raises ApiError."""
        async with self._sessions.client(SERVICE_QUOTAS, region, self._role, self._calls) as sdk:
            client = Client(sdk, self._calls, self._limiters, self._in_flight, self._clock)
            async for page in client.pages(LIST_QUOTAS, {"ServiceCode": SERVICE, "MaxResults": _PAGE}, "Quotas"):
                yield page
