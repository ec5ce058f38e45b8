"""Adapts the HTTP session of the SDK: hundreds of clients share one TLS context, and response bodies are limited."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import Any

from aiobotocore.awsrequest import AioAWSResponse
from aiobotocore.httpsession import AIOHTTPSession
from aiohttp import ClientError, ClientResponse
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError

from exporter.aws.causes import AnswerTooLarge, LocalError

# Bytes. The largest description that the limits of SageMaker's API allow has 3.4 MB; a page of a hundred typical ones
# has 0.3 MB. Parsing JSON of this size blocks the event loop for about 30 ms.
LARGEST = 4 * 2**20
# XML takes more time and memory to parse than JSON, and responses of STS are short.
LARGEST_XML = 2**20
_CHUNK = 2**16


@dataclass(frozen=True, slots=True)
class _Body:
    """A body that was read already, with the interface that the SDK's response expects."""

    content: bytes

    async def read(self) -> bytes:
        return self.content


def sharing_tls() -> type[AIOHTTPSession]:
    """Return a session class for `http_session_cls` whose instances share TLS contexts.

    By default each client of the SDK loads all certificate authorities again: 0.8 MB and 50 ms of CPU for each target
    and for STS. If a later SDK version builds its context elsewhere, nothing is shared and everything still works.
    """
    contexts: dict[Any, ssl.SSLContext] = {}

    class SharingTls(AIOHTTPSession):
        _verify: Any

        def _build_verify_context(self) -> ssl.SSLContext:
            if self._verify not in contexts:
                try:
                    # The type stubs lack this method.
                    contexts[self._verify] = super()._build_verify_context()  # type: ignore[misc]
                except OSError as error:
                    raise _bundle_error(self._verify, error) from error
            return contexts[self._verify]

        # The types of the stubs differ from those of the SDK.
        async def send(self, request: Any) -> Any:
            # Otherwise the SDK reads the whole body, whatever its size.
            request.stream_output = True
            response: Any = await super().send(request)
            # Only requests of the JSON protocol have this header.
            limit = LARGEST if "X-Amz-Target" in request.headers else LARGEST_XML
            body = _Body(await _read(response.raw, limit, request.url))
            return AioAWSResponse(response.url, response.status_code, response.headers, body)

    return SharingTls


async def _read(raw: ClientResponse, limit: int, url: str) -> bytes:
    """Read a body of at most `limit` bytes.

    Raises AnswerTooLarge for a longer one, and for a broken connection or a timeout the exceptions that the SDK raises
    and retries.
    """
    chunks, size = [], 0
    try:
        if (raw.content_length or 0) > limit:
            raise AnswerTooLarge
        async for chunk in raw.content.iter_chunked(_CHUNK):
            size += len(chunk)
            if size > limit:
                raise AnswerTooLarge
            chunks.append(chunk)
    except BaseException as error:
        # The rest of the body is still to come: the connection cannot be reused.
        raw.close()
        if isinstance(error, TimeoutError):
            raise ReadTimeoutError(endpoint_url=url, error=error) from error
        if isinstance(error, ClientError):
            raise ConnectionClosedError(endpoint_url=url, error=error) from error
        raise
    return b"".join(chunks)


def _bundle_error(verify: object, error: OSError) -> LocalError:
    reason = error.strerror if isinstance(error.strerror, str) and not isinstance(error, ssl.SSLError) else "no PEM"
    return LocalError(
        "CaBundle", f"the authorities in {verify} (AWS_CA_BUNDLE, or ca_bundle of the profile) cannot be read: {reason}"
    )
