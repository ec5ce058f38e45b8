"""AWS's Price List API: the prices of SageMaker in one region, from the endpoint of its partition."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from typing import NamedTuple

from exporter.aws.client import Client, InFlight, token_of, with_token
from exporter.aws.rates import RateLimiters, RateLimits
from exporter.aws.sessions import AwsService, Sessions
from exporter.clock import Clock
from exporter.polling.api import ApiError, Calls
from exporter.polling.paging import pages
from exporter.prices.offers import SERVICE
from exporter.prices.products import GET_PRODUCTS, NO_ENDPOINT

_PAGE = 100
# Nobody else asks for prices all the time, and AWS does not say what it allows.
_PER_SECOND = 2.0
# The endpoints of a partition, the first one for regions that have none of their own; of the newest partitions AWS's
# SDK knows one each. GovCloud has none, whatever the credentials.
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
# What a training job is priced by: its own meter, and that of spot. Filters are joined by "and".
_QUESTIONS = (("component", "Training"), ("platoinstancetype", "SpotTraining"))


def endpoint_region(region: str) -> str | None:
    """Return the region of the endpoint that knows a region's prices; None where the partition has none."""
    endpoints = next(found for prefix, found in _ENDPOINTS.items() if region.startswith(prefix))
    return region if region in endpoints else next(iter(endpoints), None)


PRICING = AwsService("pricing", endpoint=lambda region: endpoint_region(region) or region)


def pricing_limits(max_concurrency: int, timeout: float) -> RateLimits:
    """Return the limits of all regions together."""
    return RateLimits({(GET_PRODUCTS,): _PER_SECOND}, max_concurrency, timeout)


class _Page(NamedTuple):
    items: Sequence[object]
    next_token: str | None
    operation: str = GET_PRODUCTS


class PriceLists:
    """Reads price lists with the exporter's own credentials, whoever's jobs they are for: the prices of a region are
    the same for all accounts. `calls_of` gives the counts that a region's requests go into."""

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
        """Yield the entries of a region that may price training, a page at a time. Raises ApiError."""
        if endpoint_region(region) is None:
            advice = "AWS has no price list for the partition of this region; name a file in prices.file"
            raise ApiError(GET_PRODUCTS, NO_ENDPOINT, advice)
        calls = self._calls_of(region)
        async with self._sessions.client(PRICING, region, None, calls) as sdk:
            client = Client(sdk, calls, self._limiters, self._in_flight, self._clock)
            for question in _QUESTIONS:
                async for page in _answers(client, region, *question):
                    yield page.items


def _answers(client: Client, region: str, field: str, value: str) -> AsyncIterator[_Page]:
    filters = [
        {"Type": "TERM_MATCH", "Field": name, "Value": wanted}
        for name, wanted in (("regionCode", region), (field, value))
    ]
    parameters = {"ServiceCode": SERVICE, "FormatVersion": "aws_v1", "MaxResults": _PAGE, "Filters": filters}

    async def fetch(token: str | None) -> _Page:
        answer = await client.call(GET_PRODUCTS, with_token(parameters, token), listing="PriceList")
        return _Page(answer["PriceList"], token_of(answer))

    return pages(fetch, client.calls.refused)
