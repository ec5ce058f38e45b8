"""Answer as AWS would, with every member of every answer filled from botocore's model: each string is a secret."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs

import botocore.session
import orjson
import pytest
from aiohttp import web

SECRET = "s3cret"
Fill = Callable[[Any, str], object]
_SERVICES = {
    "SageMaker": "sagemaker",
    "AWSPriceListService": "pricing",
    "ServiceQuotasV20190624": "service-quotas",
    "GraniteServiceVersion20100801": "cloudwatch",
}
_DENIED = (
    "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code>"
    f"<Message>User: arn:aws:iam::123456789012:user/{SECRET} may not assume {SECRET}</Message></Error></ErrorResponse>"
)
# Of these enumerations a job that has ended needs a value that is true.
_ENDED = ("Completed", "Terminated")


def secret(shape: Any, path: str) -> object:
    """Return the secret for every string, also where the model lists the values."""
    del shape
    return f"{SECRET}-{path}"


def ended(shape: Any, path: str) -> object:
    """Return a listed value where the model lists them, so that the answer is one of an ended job."""
    return (
        next((value for value in _ENDED if value in shape.enum), shape.enum[0]) if shape.enum else secret(shape, path)
    )


def wire(shape: Any, fill: Fill, path: str = "", seen: tuple[str, ...] = ()) -> Any:
    """Return a value of a shape as JSON, with every member; a shape within itself is left out."""
    kind = shape.type_name
    if kind == "structure":
        members = {name: member for name, member in shape.members.items() if member.name not in seen}
        return {name: wire(each, fill, f"{path}.{name}", (*seen, shape.name)) for name, each in members.items()}
    if kind == "list":
        return [wire(shape.member, fill, path, seen)]
    if kind == "map":
        return {f"{SECRET}-key": wire(shape.value, fill, path, seen)}
    if kind == "timestamp":
        return time.time() - (7200 if path.endswith(("CreationTime", "StartTime")) else 3600)
    return fill(shape, path) if kind == "string" else True if kind == "boolean" else 1800


def answer(target: str, fill: Fill) -> dict[str, Any]:
    """Return the answer of an operation, named as in X-Amz-Target."""
    service, _, operation = target.partition(".")
    model: Any = botocore.session.get_session().get_service_model(_SERVICES[service])
    found = dict(wire(model.operation_model(operation).output_shape, fill))
    # There is one page.
    found.pop("NextToken", None)
    return found


@asynccontextmanager
async def serving(
    patch: pytest.MonkeyPatch, reply: Callable[[str], tuple[int, Mapping[str, object]]], assumes: bool = True
) -> AsyncIterator[list[str]]:
    """Serve the answers that `reply` returns for a target, with the status; yield what was asked. Unless it
    `assumes` roles, STS denies them."""
    asked: list[str] = []

    async def handle(request: web.Request) -> web.Response:
        target = request.headers.get("X-Amz-Target", "")
        if not target:
            action = parse_qs(await request.text())["Action"][0]
            asked.append(action)
            denied = action == "AssumeRole" and not assumes
            return web.Response(
                text=_DENIED if denied else _xml(action), status=403 if denied else 200, content_type="text/xml"
            )
        asked.append(target.partition(".")[2])
        status, found = reply(target)
        return web.Response(body=orjson.dumps(found), status=status, content_type="application/x-amz-json-1.1")

    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        for service in ("SAGEMAKER", "STS", "PRICING", "SERVICE_QUOTAS", "CLOUDWATCH"):
            patch.setenv(f"AWS_ENDPOINT_URL_{service}", f"http://127.0.0.1:{runner.addresses[0][1]}")
        yield asked
    finally:
        await runner.cleanup()


def _xml(action: str) -> str:
    keys = (
        f"<Credentials><AccessKeyId>{SECRET}</AccessKeyId><SecretAccessKey>{SECRET}</SecretAccessKey>"
        f"<SessionToken>{SECRET}</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>"
    )
    who = f"<Arn>{SECRET}</Arn><UserId>{SECRET}</UserId><Account>{SECRET}</Account>"
    return f"<{action}Response><{action}Result>{keys}{who}</{action}Result></{action}Response>"
