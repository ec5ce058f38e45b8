"""Measure the floor of a describe and a search: requests signed by hand, responses read by orjson, no SDK."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import orjson

from benchmarks.children import REGION

_WORKERS = 20
_TYPE = "application/x-amz-json-1.1"
_NAMES = "content-type;host;x-amz-date;x-amz-target"


class _Caller:
    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session
        self._url = os.environ["AWS_ENDPOINT_URL"]
        self._host = urlsplit(self._url).netloc
        self._key, self._secret = os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"]
        self._day, self._signing_key = "", b""

    async def call(self, operation: str, request: dict[str, Any]) -> Any:
        body = orjson.dumps(request)
        async with self._session.post(self._url, data=body, headers=self._headers(operation, body)) as response:
            return orjson.loads(await response.read())

    def _headers(self, operation: str, body: bytes) -> dict[str, str]:
        now = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        target, scope = f"SageMaker.{operation}", f"{now[:8]}/{REGION}/sagemaker/aws4_request"
        head = f"content-type:{_TYPE}\nhost:{self._host}\nx-amz-date:{now}\nx-amz-target:{target}\n"
        canonical = f"POST\n/\n\n{head}\n{_NAMES}\n{hashlib.sha256(body).hexdigest()}"
        text = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        signature = hmac.digest(self._key_of(now[:8]), text.encode(), "sha256").hex()
        return {
            "Content-Type": _TYPE,
            "X-Amz-Date": now,
            "X-Amz-Target": target,
            "Authorization": f"AWS4-HMAC-SHA256 Credential={self._key}/{scope}, SignedHeaders={_NAMES}, "
            f"Signature={signature}",
        }

    def _key_of(self, day: str) -> bytes:
        if day != self._day:
            key = f"AWS4{self._secret}".encode()
            for part in (day, REGION, "sagemaker", "aws4_request"):
                key = hmac.digest(key, part.encode(), "sha256")
            self._day, self._signing_key = day, key
        return self._signing_key


def run(pipe: Connection, jobs: int) -> None:
    """Send the CPU seconds of one describe, and of a search divided by the number of jobs it returns."""
    pipe.send(asyncio.run(_run(jobs)))


async def _run(jobs: int) -> dict[str, float]:
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        caller = _Caller(session)
        names = iter([f"steady-{number:06d}" for number in range(jobs - 1)])
        await caller.call("DescribeTrainingJob", {"TrainingJobName": "steady-000000"})
        began = time.process_time()
        await asyncio.gather(*(_describe(caller, names) for _ in range(_WORKERS)))
        described = time.process_time()
        found = await _search(caller)
        return {"describe": (described - began) / (jobs - 1), "search": (time.process_time() - described) / found}


async def _describe(caller: _Caller, names: Iterator[str]) -> None:
    for name in names:
        answer = await caller.call("DescribeTrainingJob", {"TrainingJobName": name})
        if answer["TrainingJobName"] != name:
            raise ValueError(f"asked for {name}, got something else")


async def _search(caller: _Caller) -> int:
    found = 0
    token: dict[str, str] = {}
    status = {"Name": "TrainingJobStatus", "Operator": "In", "Value": "InProgress,Stopping"}
    while True:
        request = {"Resource": "TrainingJob", "MaxResults": 100, "SearchExpression": {"Filters": [status]}, **token}
        answer = await caller.call("Search", request)
        found += len(answer["Results"])
        if "NextToken" not in answer:
            return found
        token = {"NextToken": answer["NextToken"]}
