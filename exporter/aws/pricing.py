"""Call AWS's Price List API for the prices of SageMaker in one region, at an endpoint of its partition."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from typing import Any

from exporter.aws.client import Client, InFlight
from exporter.aws.rates import RateLimiters, RateLimits
from exporter.aws.sessions import AwsService, Sessions
from exporter.clock import Clock
from exporter.polling.api import ApiError, Calls
from exporter.prices.offers import SERVICE
from exporter.prices.products import GET_PRODUCTS, NO_ENDPOINT

_PAGE = 100
# AWS documents no rate limit. A read takes about five calls, so that a low rate is enough.
_PER_SECOND = 2.0
# The endpoints by prefix of the region; a region without its own endpoint uses the first one of its partition. For the
# newest partitions AWS's SDK has one endpoint each. GovCloud has none.
_ENDPOINTS: Mapping[str, tuple[str, ...]] = {
    "cn-": ("cn-northwest-1",),
    "us-gov-": (),
    "us-iso-": ("us-iso-east-1",),
    "us-isob-": ("us-isob-east-1",),
    "eu-isoe-": ("eu-isoe-west-1",),
    "us-isof-": ("us-isof-south-1",),
    "eusc-": ("eusc-de-east-1",),
    "": ("us-east-1", "eu-central-1", "ap-south-1"),
}
# Two queries, because AWS joins filters with "and": on-demand training, and spot training.
_QUERIES = (("component", "Training"), ("platoinstancetype", "SpotTraining"))


def endpoint_region(region: str) -> str | None:
    """Return the region whose endpoint has the prices of `region`, None if its partition has no endpoint."""
    endpoints = next(found for prefix, found in _ENDPOINTS.items() if region.startswith(prefix))
    return region if region in endpoints else next(iter(endpoints), None)


PRICING = AwsService("pricing", endpoint=lambda region: endpoint_region(region) or region)


def pricing_limits(max_concurrency: int, timeout: float) -> RateLimits:
    """Return the limits on price requests, which all regions share."""
    return RateLimits({(GET_PRODUCTS,): _PER_SECOND}, max_concurrency, timeout)


class PriceLists:
    """Read price lists with the exporter's own credentials, because list prices are the same for all accounts.

    `calls_of` returns the counters of the requests for a region.
    """

    def __init__(
        self,
        sessions: Sessions,
        limiters: RateLimiters,
        in_flight: InFlight,
        clock: Clock,
        calls_of: Callable[[str], Calls],
    ) -> None:
        self._sessions, self._limiters, self._in_flight = sessions, limiters, in_flight
        self._clock, self._calls_of = clock, calls_of

    async def items(self, region: str) -> AsyncGenerator[Sequence[object]]:
        """Yield pages of the entries of a region that may be about training. Raises ApiError."""
        if endpoint_region(region) is None:
            advice = "AWS has no Price List API for the partition of this region; set prices.file"
            raise ApiError(GET_PRODUCTS, NO_ENDPOINT, advice)
        calls = self._calls_of(region)
        async with self._sessions.client(PRICING, region, None, calls) as sdk:
            client = Client(sdk, calls, self._limiters, self._in_flight, self._clock)
            for query in _QUERIES:
                async for page in client.pages(GET_PRODUCTS, _parameters(region, *query), "PriceList"):
                    yield page


def _parameters(region: str, field: str, value: str) -> dict[str, Any]:
    filters = [
        {"Type": "TERM_MATCH", "Field": name, "Value": wanted}
        for name, wanted in (("regionCode", region), (field, value))
    ]
    return {"ServiceCode": SERVICE, "FormatVersion": "aws_v1", "MaxResults": _PAGE, "Filters": filters}
