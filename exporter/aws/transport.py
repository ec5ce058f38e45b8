"""The SDK's HTTP, for hundreds of clients that trust the same authorities, with a limit to what an answer may take."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import Any

from aiobotocore.awsrequest import AioAWSResponse
from aiobotocore.httpsession import AIOHTTPSession
from aiohttp import ClientError, ClientResponse
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError

from exporter.aws.errors import AnswerTooLarge, LocalError

# The longest description that the limits of SageMaker's API allow has 3.4 MB; a page of a hundred typical ones has 0.3.
# Parsing JSON of this size holds the event loop up for some 30 ms.
LARGEST = 4 * 2**20
# Answers in XML, of which STS gives short ones, take more time and memory to read.
LARGEST_XML = 2**20
_PIECE = 2**16


@dataclass(frozen=True, slots=True)
class _Body:
    """A body that was read, as the SDK's response expects one."""

    content: bytes

    async def read(self) -> bytes:
        return self.content


def sharing_tls() -> type[AIOHTTPSession]:
    """For `http_session_cls`. The SDK has each client read all authorities anew: 0.8 MB and 50 ms of CPU for each
    target, STS included. A version of it that builds its context elsewhere shares nothing, and works all the same."""
    contexts: dict[Any, ssl.SSLContext] = {}

    class SharingTls(AIOHTTPSession):
        _verify: Any

        def _build_verify_context(self) -> ssl.SSLContext:
            if self._verify not in contexts:
                try:
                    # The stubs leave it out.
                    contexts[self._verify] = super()._build_verify_context()  # type: ignore[misc]
                except OSError as error:
                    raise _bundle_error(self._verify, error) from error
            return contexts[self._verify]

        # The stubs have other types here than the SDK.
        async def send(self, request: Any) -> Any:
            # The SDK would read any answer to its end, however long it is.
            request.stream_output = True
            response: Any = await super().send(request)
            limit = LARGEST if "X-Amz-Target" in request.headers else LARGEST_XML
            body = _Body(await _read(response.raw, limit, request.url))
            return AioAWSResponse(response.url, response.status_code, response.headers, body)

    return SharingTls


async def _read(raw: ClientResponse, limit: int, url: str) -> bytes:
    """Read a body of at most `limit` bytes. Raises what the SDK raises, and tries again, or AnswerTooLarge."""
    pieces, size = [], 0
    try:
        if (raw.content_length or 0) > limit:
            raise AnswerTooLarge
        async for piece in raw.content.iter_chunked(_PIECE):
            size += len(piece)
            if size > limit:
                raise AnswerTooLarge
            pieces.append(piece)
    except BaseException as error:
        # The rest is still to come: the connection cannot be used for another request.
        raw.close()
        if isinstance(error, TimeoutError):
            raise ReadTimeoutError(endpoint_url=url, error=error) from error
        if isinstance(error, ClientError):
            raise ConnectionClosedError(endpoint_url=url, error=error) from error
        raise
    return b"".join(pieces)


def _bundle_error(verify: object, error: OSError) -> LocalError:
    reason = error.strerror if isinstance(error.strerror, str) and not isinstance(error, ssl.SSLError) else "no PEM"
    return LocalError(
        "CaBundle", f"the authorities in {verify} (AWS_CA_BUNDLE, or ca_bundle of the profile) cannot be read: {reason}"
    )
