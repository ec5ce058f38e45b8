"""The simulated list of quotas as AWS's own client sees it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from exporter.demo import REGIONS
from exporter.simulator import Fault, Faults, Kind, Life, ManualClock, Plan, Quotas, Simulator
from exporter.simulator.answers import describe
from exporter.simulator.generator import DEMO_PACE, Fleet
from exporter.simulator.quotas import list_quotas
from exporter.training.holding import holding
from exporter.training.parsing import Allowlist, parse
from tests.simulator.conformity import problems
from tests.simulator.served import ACCOUNT, REGION, START, code, connected

OURS: dict[str, Any] = {"ServiceCode": "sagemaker"}


def listed(quotas: Quotas) -> list[dict[str, Any]]:
    """Everything that the list has, of all pages."""
    found: list[dict[str, Any]] = []
    token: dict[str, str] = {}
    while True:
        request = {**OURS, "MaxResults": 100, **token}
        assert problems("ListServiceQuotasRequest", request, "service-quotas") == []
        answer = list_quotas(request, ACCOUNT, REGION, quotas)
        assert problems("ListServiceQuotasResponse", answer, "service-quotas") == []
        found += answer["Quotas"]
        if "NextToken" not in answer:
            return found
        token = {"NextToken": answer["NextToken"]}


def test_it_is_as_long_as_the_real_one() -> None:
    found = listed(Quotas())
    names = [item["QuotaName"] for item in found]
    assert len(set(names)) == len(names) == len({item["QuotaCode"] for item in found})
    assert 1700 < len(names) <= 1800
    for other in ("endpoint", "processing job", "transform job", "cluster", "spot cluster", "notebook instance"):
        assert f"ml.g5.xlarge for {other} usage" in names


async def test_awss_client_reads_it_page_by_page() -> None:
    async with Simulator(clock=ManualClock(START)) as sim, connected(sim, "service-quotas") as client:
        pages = client.get_paginator("list_service_quotas").paginate(**OURS, PaginationConfig={"PageSize": 100})
        found = [item async for page in pages for item in page["Quotas"]]
        assert found == listed(Quotas())
        assert sim.calls[ACCOUNT, REGION, "ListServiceQuotas"] == 18


def test_quotas_can_be_exchanged_and_some_are_not_applied() -> None:
    quotas = Quotas(training={"ml.m5.xlarge": 5.0}, spot={}, warm_pool={}, without=("ml.c5.large",), all_instances=None)
    found = {item["QuotaName"]: item["Value"] for item in listed(quotas)}
    assert found["ml.m5.xlarge for training job usage"] == quotas.of("ml.m5.xlarge") == 5.0
    assert found["ml.m5.xlarge for spot training job usage"] == quotas.of("ml.m5.xlarge", "spot_training") == 0.0
    assert "ml.c5.large for training job usage" not in found
    assert "ml.c5.large for endpoint usage" in found
    assert quotas.of("ml.c5.large") is None
    assert "Number of instances across all training jobs" not in found
    assert quotas.times(2.5).of("ml.m5.xlarge") == 13.0
    assert Quotas().times(2.0).all_instances == 160.0
    assert quotas.times(2.0).all_instances is None


def held(lives: Iterable[Life], now: float) -> Counter[tuple[str, str]]:
    """Return the instances that jobs hold, by type and usage."""
    found: Counter[tuple[str, str]] = Counter()
    for life in lives:
        job = parse(describe(life, now), ACCOUNT, REGION, Allowlist())
        assert job is not None
        its = holding(job)
        found.update({(type_, its.usage): number for type_, number in its.instances})
    return found


@pytest.mark.parametrize("seed", range(3))
def test_the_demo_never_holds_more_than_its_quotas(seed: int) -> None:
    quotas = Quotas()
    for region in REGIONS:
        lives: list[Life] = []
        fleet = Fleet(Plan(jobs=20, pace=DEMO_PACE), seed, START, ACCOUNT, region)
        # Twenty minutes.
        for now in (START + 30.0 * step for step in range(40)):
            lives = [*(life for life in lives if life.end > now - 900), *fleet.until(now)]
            found = held((life for life in lives if life.created <= now), now)
            assert found
            limits = {key: quotas.of(*key) for key in found}
            assert {key: n for key, n in found.items() if (limit := limits[key]) is not None and n > limit} == {}
            assert found.total() <= (quotas.all_instances or 0.0)


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        ({"ServiceCode": "ec2"}, "NoSuchResourceException"),
        ({**OURS, "MaxResults": 101}, "IllegalArgumentException"),
        ({**OURS, "NextToken": "ZnJvbSAxMDAwMDA="}, "InvalidPaginationTokenException"),
        ({**OURS, "NextToken": "other"}, "InvalidPaginationTokenException"),
        ({**OURS, "NextToken": "/w=="}, "InvalidPaginationTokenException"),
    ],
)
async def test_what_cannot_be_asked(request_: dict[str, Any], expected: str) -> None:
    async with Simulator(clock=ManualClock(START)) as sim, connected(sim, "service-quotas") as client:
        with pytest.raises(ClientError) as caught:
            await client.list_service_quotas(**request_)
        assert code(caught) == expected


async def test_faults_strike_it_too(sim: Simulator) -> None:
    async with connected(sim, "service-quotas") as client:
        sim.faults = Faults((Fault(Kind.PAGING_REFUSED),))
        first = await client.list_service_quotas(**OURS)
        with pytest.raises(ClientError) as caught:
            await client.list_service_quotas(**OURS, NextToken=first["NextToken"])
        assert code(caught) == "InvalidPaginationTokenException"
        sim.faults = Faults((Fault(Kind.ACCESS_DENIED, operation="ListServiceQuotas"),))
        with pytest.raises(ClientError) as caught:
            await client.list_service_quotas(**OURS)
        assert code(caught) == "AccessDeniedException"
        sim.faults = Faults((Fault(Kind.RESET, operation="ListServiceQuotas"),))
        with pytest.raises(Exception, match="Could not connect"):
            await client.list_service_quotas(**OURS)
