"""Signature version 4 for requests that are all alike. The SDK's own signer, made for any request, takes a fifth of the
CPU of a describe: it walks over the headers again and again, and derives the day's key for each request."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any
from urllib.parse import quote, urlsplit

from botocore import UNSIGNED
from botocore.exceptions import NoCredentialsError

_ALGORITHM = "AWS4-HMAC-SHA256"
_PORTS = {"http": 80, "https": 443}


class Signer:
    """Signs what goes to one region of a service with a JSON protocol."""

    def __init__(self, region: str, service: str) -> None:
        self._scope = f"{region}/{service}/aws4_request"
        self._key_of: tuple[str, str] = "", ""
        self._key = b""
        self._url = self._host = self._path = ""

    def headers(self, url: str, headers: Mapping[str, str], body: bytes, credentials: Any) -> dict[str, str]:
        """What signs a POST. Of the headers it has, its type and its target are signed."""
        now = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        self._look_at(url)
        token = {"X-Amz-Security-Token": credentials.token} if credentials.token else {}
        signed = {
            "content-type": headers["Content-Type"],
            "host": self._host,
            "x-amz-date": now,
            **{name.lower(): value for name, value in token.items()},
            "x-amz-target": headers["X-Amz-Target"],
        }
        names, lines = ";".join(signed), "".join([f"{name}:{value}\n" for name, value in signed.items()])
        request = f"POST\n{self._path}\n\n{lines}\n{names}\n{sha256(body).hexdigest()}"
        scope = f"{now[:8]}/{self._scope}"
        text = f"{_ALGORITHM}\n{now}\n{scope}\n{sha256(request.encode()).hexdigest()}"
        proof = hmac.digest(self._key_for(credentials.secret_key, now[:8]), text.encode(), "sha256").hex()
        authorization = f"{_ALGORITHM} Credential={credentials.access_key}/{scope}, SignedHeaders={names}"
        return {"X-Amz-Date": now, "Authorization": f"{authorization}, Signature={proof}", **token}

    def _key_for(self, secret: str, day: str) -> bytes:
        if self._key_of != (secret, day):
            key = f"AWS4{secret}".encode()
            for part in (day, *self._scope.split("/")):
                key = hmac.digest(key, part.encode(), "sha256")
            self._key_of, self._key = (secret, day), key
        return self._key

    def _look_at(self, url: str) -> None:
        if self._url != url:
            parts = urlsplit(url)
            self._host = parts.netloc.rpartition("@")[2].removesuffix(f":{_PORTS.get(parts.scheme)}")
            self._url, self._path = url, quote(parts.path or "/", safe="/~")


async def sign_alike(client: Any, session: Any) -> None:
    """Sign the requests of a client with the session's credentials, in the place of the SDK."""
    service = client.meta.service_model
    signer = Signer(client.meta.region_name, service.signing_name)
    credentials = await session.get_credentials()

    async def sign(request: Any, **_: Any) -> None:
        if credentials is None:
            raise NoCredentialsError
        frozen = await credentials.get_frozen_credentials()
        for header, value in signer.headers(request.url, request.headers, request.data, frozen).items():
            request.headers[header] = value

    name = service.service_id.hyphenize()
    client.meta.events.register(f"choose-signer.{name}", lambda **_: UNSIGNED)
    client.meta.events.register(f"request-created.{name}", sign)
