"""Serve a simulated API, and connect AWS's own client or a bare client to it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.exceptions import ClientError

from exporter.simulator import Simulator

ACCOUNT, REGION = "123456789012", "us-east-1"
START = 1_700_000_000.0
Client = Any
SIGNED = {"Authorization": f"AWS4-HMAC-SHA256 Credential=AKIA{ACCOUNT}TEST/20260101/{REGION}/sagemaker/aws4_request"}


@asynccontextmanager
async def connected(
    sim: Simulator, service: str = "sagemaker", key: str = "", region: str = REGION, token: str | None = None
) -> AsyncIterator[Client]:
    """Return a client without retries."""
    async with get_session().create_client(
        service,
        region_name=region,
        endpoint_url=sim.url,
        aws_access_key_id=key or sim.access_key(),
        aws_secret_access_key="secret",
        aws_session_token=token,
        config=AioConfig(retries={"total_max_attempts": 1}, read_timeout=5),
    ) as client:
        yield client


async def post(sim: Simulator, body: str, headers: dict[str, str]) -> tuple[int, bytes]:
    async with aiohttp.ClientSession() as session, session.post(sim.url, data=body, headers=headers) as response:
        return response.status, await response.read()


def code(error: pytest.ExceptionInfo[ClientError]) -> str:
    return str(error.value.response["Error"]["Code"])
