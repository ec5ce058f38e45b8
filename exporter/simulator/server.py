"""The simulated API over HTTP: JSON for SageMaker, prices, quotas and CloudWatch, the query protocol for STS."""

from __future__ import annotations

import socket
import struct
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from types import TracebackType
from typing import Any
from urllib.parse import parse_qsl

import orjson
from aiohttp import web

from exporter.clock import Clock
from exporter.simulator import cloudwatch, identity, operations, pricing, quotas
from exporter.simulator.clock import ScaledClock
from exporter.simulator.errors import ApiError
from exporter.simulator.faults import Buckets, Call, Fault, Faults, Kind, error_of
from exporter.simulator.generator import Plan, fleets
from exporter.simulator.store import Consistency, Store
from exporter.simulator.sts import Role, Sts, error_xml

JSON = "application/x-amz-json-1.1"
TARGET, PRICING_TARGET, QUOTAS_TARGET = "SageMaker.", "AWSPriceListService.", "ServiceQuotasV20190624."
CLOUDWATCH_TARGET = "GraniteServiceVersion20100801."
REMEMBERED_REQUESTS = 1_000_000

Key = tuple[str, str, str]
Wire = dict[str, Any]
Handler = Callable[[Call, Wire, Fault | None], Wire]


@dataclass(frozen=True, slots=True)
class Request:
    """A received request, with its time on the simulator's wall clock and on its monotonic clock."""

    account: str
    region: str
    operation: str
    time: float
    monotonic: float


@dataclass(frozen=True, slots=True)
class Answer:
    """A response."""

    body: bytes
    status: int = 200
    content_type: str = JSON


@dataclass(kw_only=True, eq=False)
class Simulator:
    """A simulated API: `async with Simulator(...) as sim` serves at `sim.url` until the end of the block.

    With a `plan`, jobs are generated in all of the `accounts` and `regions`, `plan.jobs` at a time in total. `pace` is
    the factor of the durations of jobs that are created through the API. `faults`, `prices`, `quotas`, `sts.roles` and
    `store.consistency` can be replaced at any time. `calls` counts requests by (account, region, operation), `errors`
    error responses by these and the error code. `requests` holds the last million requests, and `in_flight_peak` is
    the largest number of concurrent ones.
    """

    clock: Clock = field(default_factory=ScaledClock)
    seed: int = 0
    plan: Plan | None = None
    accounts: Sequence[str] = ("123456789012",)
    regions: Sequence[str] = ("us-east-1",)
    pace: float = 1.0
    faults: Faults = field(default_factory=Faults)
    roles: Mapping[str, Role] = field(default_factory=dict)
    consistency: Consistency = field(default_factory=Consistency)
    prices: pricing.Prices = field(default_factory=pricing.Prices)
    quotas: quotas.Quotas = field(default_factory=quotas.Quotas)
    host: str = "127.0.0.1"
    port: int = 0

    store: Store = field(init=False)
    sts: Sts = field(init=False)
    calls: Counter[Key] = field(init=False, default_factory=Counter)
    errors: Counter[tuple[str, str, str, str]] = field(init=False, default_factory=Counter)
    requests: deque[Request] = field(init=False, default_factory=lambda: deque(maxlen=REMEMBERED_REQUESTS))
    in_flight_peak: int = field(init=False, default=0)
    _in_flight: int = field(init=False, default=0)
    _buckets: Buckets = field(init=False, default_factory=Buckets)
    _runner: web.ServerRunner | None = field(init=False, default=None)
    # The services beside SageMaker by the prefix of their targets: the only operation of each, and its handler.
    _services: Mapping[str, tuple[str, Handler]] = field(init=False)

    def __post_init__(self) -> None:
        homes = [(account, region) for account in self.accounts for region in self.regions]
        self.store = Store(fleets(self.plan, self.seed, self.clock.time(), homes), self.consistency)
        self.sts = Sts(self.roles)
        self._services = {
            PRICING_TARGET: (pricing.OPERATION, self._list_prices),
            QUOTAS_TARGET: (quotas.OPERATION, self._list_quotas),
            CLOUDWATCH_TARGET: (cloudwatch.OPERATION, self._read_metrics),
        }

    async def __aenter__(self) -> Simulator:
        self._runner = web.ServerRunner(web.Server(self._handle, access_log=None), shutdown_timeout=0.1)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self.host, self.port).start()
        except OSError:
            await self._runner.cleanup()
            raise
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._runner:
            await self._runner.cleanup()

    @property
    def url(self) -> str:
        """Return the base URL, for AWS_ENDPOINT_URL."""
        return f"http://[{self.host}]:{self.port}" if ":" in self.host else f"http://{self.host}:{self.port}"

    def access_key(self, account: str | None = None) -> str:
        """Return an access key ID of this account. Any secret key is accepted with it."""
        return identity.access_key(account or self.accounts[0])

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self._in_flight += 1
        self.in_flight_peak = max(self.in_flight_peak, self._in_flight)
        try:
            return await self._respond(request, await request.read())
        finally:
            self._in_flight -= 1

    async def _respond(self, request: web.BaseRequest, body: bytes) -> web.StreamResponse:
        target = request.headers.get("X-Amz-Target", "")
        number = f"{len(self.requests):012x}"
        if target:
            answer, fault = await self._json(request, body, target)
        else:
            answer, fault = await self._sts(request, body, number)
        headers = {
            "Content-Type": answer.content_type,
            "Date": formatdate(self.clock.time(), usegmt=True),
            "x-amzn-RequestId": f"00000000-0000-4000-8000-{number}",
        }
        if fault and fault.kind is Kind.RESET:
            _reset(request)
        if fault and fault.kind is Kind.CUT:
            return await _cut(request, answer, headers)
        return web.Response(body=answer.body, status=answer.status, headers=headers)

    async def _json(self, request: web.BaseRequest, body: bytes, target: str) -> tuple[Answer, Fault | None]:
        prefix = next((prefix for prefix in self._services if target.startswith(prefix)), TARGET)
        operation = target.removeprefix(prefix)
        call, fault = Call("", "", operation), None
        try:
            who = self._caller(request)
            call = self._count(who.account, who.region, operation)
            self.sts.check(who, self.clock.time())
            fault = await self._fault(call)
            answer = _damaged(self._answer(prefix, call, body, fault), fault)
        except ApiError as error:
            self.errors[call.account, call.region, operation, error.code] += 1
            answer = Answer(orjson.dumps({"__type": error.code, "message": error.message}), error.status)
        return answer, fault

    def _answer(self, prefix: str, call: Call, body: bytes, fault: Fault | None) -> Answer:
        # A reset stands for a connection that broke before the request arrived, so nothing is performed.
        if fault and fault.kind is Kind.RESET:
            return Answer(b"")
        only, perform = self._services.get(prefix, (call.operation, self._perform))
        if call.operation != only:
            raise ApiError("UnknownOperationException", f"{call.operation} is not simulated.")
        return Answer(orjson.dumps(perform(call, _parsed(body), fault)))

    def _perform(self, call: Call, request: Wire, _: Fault | None) -> Wire:
        at = operations.Context(
            self.store.jobs(call.account, call.region),
            call.account,
            call.region,
            self.clock.time(),
            self.store.consistency,
            self.seed,
            self.plan.pace if self.plan else self.pace,
        )
        return operations.perform(call.operation, request, at)

    def _list_prices(self, _: Call, request: Wire, __: Fault | None) -> Wire:
        return pricing.get_products(request, self.prices)

    def _list_quotas(self, call: Call, request: Wire, fault: Fault | None) -> Wire:
        expired = fault is not None and fault.kind is Kind.PAGING_REFUSED
        return quotas.list_quotas(request, call.account, call.region, self.quotas, expired)

    def _read_metrics(self, call: Call, request: Wire, _: Fault | None) -> Wire:
        jobs, now = self.store.jobs(call.account, call.region), self.clock.time()
        jobs.grow(now)
        return cloudwatch.get_metric_data(request, jobs, now)

    async def _sts(self, request: web.BaseRequest, body: bytes, number: str) -> tuple[Answer, Fault | None]:
        form = dict(parse_qsl(body.decode(errors="replace")))
        operation = form.get("Action", "")
        call, fault = Call("", "", operation), None
        try:
            who = self._caller(request, signed=operation != "AssumeRoleWithWebIdentity")
            call = self._count(who.account, who.region, operation)
            self.sts.check(who, self.clock.time())
            fault = await self._fault(call)
            text = "" if fault and fault.kind is Kind.RESET else self.sts.perform(form, who, self.clock.time())
            answer = _damaged(Answer(text.encode(), content_type="text/xml"), fault)
        except ApiError as error:
            self.errors[call.account, call.region, operation, error.code] += 1
            answer = Answer(error_xml(error, number).encode(), error.status, "text/xml")
        return answer, fault

    def _caller(self, request: web.BaseRequest, signed: bool = True) -> identity.Caller:
        if not signed:
            return identity.Caller("", self.accounts[0], "")
        return identity.caller(request.headers.get("Authorization", ""), self.accounts[0])

    def _count(self, account: str, region: str, operation: str) -> Call:
        key = (account, region, operation)
        self.calls[key] += 1
        self.requests.append(Request(*key, self.clock.time(), self.clock.monotonic()))
        return Call(*key, self.calls[key])

    async def _fault(self, call: Call) -> Fault | None:
        """Return the fault that hits this call, after the delay of a slow one. Raises ApiError if it is an error
        response."""
        rate = self.faults.rates.get(call.operation)
        if rate and not self._buckets.take(call, rate, self.clock.monotonic()):
            raise ApiError("ThrottlingException", "Rate exceeded")
        fault = self.faults.strike(call, self.clock.time())
        if fault and (error := error_of(fault.kind, call)):
            raise error
        if fault and fault.kind is Kind.SLOW:
            await self.clock.sleep(fault.seconds)
        return fault


def _parsed(body: bytes) -> Wire:
    try:
        parsed = orjson.loads(body or b"{}")
    except orjson.JSONDecodeError:
        parsed = None
    if not isinstance(parsed, dict):
        raise ApiError("SerializationException", "The request is not a JSON object.")
    return parsed


def _damaged(answer: Answer, fault: Fault | None) -> Answer:
    if fault is None:
        return answer
    if fault.kind is Kind.TRUNCATED:
        return replace(answer, body=answer.body[: len(answer.body) // 2])
    if fault.kind is Kind.NOT_JSON:
        return Answer(b"<html><body>Bad gateway</body></html>", content_type="text/html")
    return replace(answer, body=b"{}") if fault.kind is Kind.EMPTY else answer


def _reset(request: web.BaseRequest) -> None:
    """Abort the connection. SO_LINGER with a timeout of 0 makes the kernel send RST instead of FIN."""
    transport = request.transport
    if transport is not None:
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()


async def _cut(request: web.BaseRequest, answer: Answer, headers: Mapping[str, str]) -> web.StreamResponse:
    response = web.StreamResponse(status=answer.status, headers=headers)
    response.content_length = len(answer.body)
    await response.prepare(request)
    await response.write(answer.body[: len(answer.body) // 2])
    if request.transport is not None:
        request.transport.close()
    return response
