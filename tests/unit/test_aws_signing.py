"""Signatures are the SDK's own, for every kind of credentials, endpoint and name."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from unittest.mock import Mock

import pytest
from botocore import UNSIGNED, auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials
from botocore.exceptions import NoCredentialsError
from hypothesis import given
from hypothesis import strategies as st

from exporter.aws import signing
from exporter.aws.signing import Signer, sign_alike

NOON = datetime(2026, 3, 4, 12, 0, 5, tzinfo=UTC)
REGION, SERVICE = "eu-west-1", "sagemaker"
TYPE, TARGET = "application/x-amz-json-1.1", "SageMaker.DescribeTrainingJob"
URL = "https://api.sagemaker.eu-west-1.amazonaws.com/"
PLAIN = ReadOnlyCredentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", None)
SESSION = ReadOnlyCredentials("ASIAEXAMPLE", "secret", "FwoGZXIvYXdzEBYaD+/=")


def stand_still(patch: pytest.MonkeyPatch, at: datetime) -> None:
    clock = Mock(spec=datetime)
    clock.now.return_value = at
    patch.setattr(signing, "datetime", clock)
    patch.setattr(auth, "get_current_datetime", lambda *_, **__: at)


@pytest.fixture(autouse=True, scope="module")
def noon() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        stand_still(patch, NOON)
        yield


def theirs(url: str, body: bytes, credentials: ReadOnlyCredentials) -> dict[str, str]:
    headers = {"Content-Type": TYPE, "X-Amz-Target": TARGET}
    request = AWSRequest(method="POST", url=url, headers=headers, data=body)
    auth.SigV4Auth(credentials, SERVICE, REGION).add_auth(request)
    return {name: value for name, value in request.headers.items() if name not in headers}


def ours(signer: Signer, url: str, body: bytes, credentials: ReadOnlyCredentials) -> dict[str, str]:
    return signer.headers(url, {"Content-Type": TYPE, "X-Amz-Target": TARGET, "User-Agent": "x"}, body, credentials)


@pytest.mark.parametrize("credentials", [PLAIN, SESSION], ids=["plain", "session"])
@pytest.mark.parametrize(
    "url",
    [
        URL,
        "https://api.sagemaker.eu-west-1.amazonaws.com",
        "https://api.sagemaker.eu-west-1.amazonaws.com:443/",
        "http://127.0.0.1:8080",
        "http://[::1]:8080/",
        "http://gateway.example:80/a path/to~it",
        "https://vpce-1.api.sagemaker.eu-west-1.vpce.amazonaws.com:8443/",
    ],
)
def test_a_signature_is_the_sdks(url: str, credentials: ReadOnlyCredentials) -> None:
    body = b'{"TrainingJobName":"a"}'
    assert ours(Signer(REGION, SERVICE), url, body, credentials) == theirs(url, body, credentials)


@given(st.lists(st.tuples(st.binary(max_size=40), st.sampled_from([PLAIN, SESSION])), min_size=1, max_size=4))
def test_one_request_leaves_nothing_of_itself_to_the_next(requests: list[tuple[bytes, ReadOnlyCredentials]]) -> None:
    signer = Signer(REGION, SERVICE)
    for body, credentials in requests:
        assert ours(signer, URL, body, credentials) == theirs(URL, body, credentials)


def test_a_new_day_has_a_key_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    signer = Signer(REGION, SERVICE)
    today = ours(signer, URL, b"{}", PLAIN)
    stand_still(monkeypatch, NOON.replace(day=5))
    assert ours(signer, URL, b"{}", PLAIN) == theirs(URL, b"{}", PLAIN)
    assert ours(signer, URL, b"{}", PLAIN) != today


class WithoutCredentials:
    """A session in an environment that has none."""

    async def get_credentials(self) -> None:
        return None


async def test_without_credentials_nothing_is_sent() -> None:
    handlers: dict[str, Any] = {}
    client = Mock()
    client.meta.service_model.service_id.hyphenize.return_value = "sagemaker"
    client.meta.events.register = handlers.__setitem__
    await sign_alike(client, WithoutCredentials())
    assert handlers["choose-signer.sagemaker"]() is UNSIGNED
    with pytest.raises(NoCredentialsError):
        await handlers["request-created.sagemaker"](Mock())
