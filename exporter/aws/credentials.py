"""Credentials that are read again once AWS refuses them.

The SDK reads a shared credentials file once, and believes in session credentials until the time that they came with.
People rotate such files, and revoke sessions, while the exporter runs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from aiobotocore.client import AioBaseClient
from aiobotocore.credentials import AioCredentials
from botocore.credentials import ReadOnlyCredentials
from botocore.exceptions import ClientError

from exporter.aws.errors import LocalError, code_of, is_known

# How often refused credentials are looked for anew while nothing says that there are others.
_PAUSE = 60.0
# How often a request is sent again with other credentials, however often they change.
_ATTEMPTS = 3
_REFUSED = frozenset(
    (
        "AuthFailure",
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidSignature",
        "InvalidSignatureException",
        "InvalidToken",
        "SignatureDoesNotMatch",
        "UnrecognizedClient",
        "UnrecognizedClientException",
    )
)
_T = TypeVar("_T")
_GENERATION = "exporter.generation"


class Renewable(AioCredentials):
    """Credentials as an SDK client takes them. `load` gives those of the SDK anew; `version` changes when it may give
    others than before, and `patience` is how many seconds it may take. Each `generation` has other keys."""

    def __init__(
        self,
        load: Callable[[], Awaitable[Any]],
        version: Callable[[], object],
        patience: float,
        monotonic: Callable[[], float],
    ) -> None:
        super().__init__("", "", method="renewable")
        self._load, self._version, self._patience, self._monotonic = load, version, patience, monotonic
        self._held: Any = None
        self._keys: ReadOnlyCredentials | None = None
        self._getting: asyncio.Task[ReadOnlyCredentials] | None = None
        self._renewing = asyncio.Lock()
        self._next, self._seen = -float("inf"), object()
        self._problem: Exception | None = None
        self.generation = 0

    async def get_frozen_credentials(self) -> ReadOnlyCredentials:  # type: ignore[override]  # as the SDK does
        """Return the keys to sign with. Those who ask at the same time wait for one load or refresh, and share its
        failure. Raises what `load` raises, or LocalError."""
        if self._held is not None and not _due(self._held):
            keys: ReadOnlyCredentials = await self._held.get_frozen_credentials()
            return keys
        if self._getting is None:
            self._getting = asyncio.create_task(self._get())
            self._getting.add_done_callback(self._got)
        return await asyncio.shield(self._getting)

    def version(self) -> object:
        """Return what changes when there may be other keys than before."""
        return self.generation, self._version()

    async def renewed(self, refused: int) -> bool:
        """Whether there are other credentials than those of the generation that AWS refused. They are looked for once
        in a while only; until then a failure to find any is raised again."""
        async with self._renewing:
            if self.generation != refused:
                return True
            now, version = self._monotonic(), self._version()
            if now < self._next and version == self._seen:
                if self._problem is not None:
                    raise self._problem.with_traceback(None)
                return False
            self._next, self._seen = now + _PAUSE, version
            try:
                held, keys = await self._fresh()
            except Exception as error:
                self._problem = error
                raise
            self._problem = None
            self._held = held
            self._keep(keys)
            return self.generation != refused

    async def _get(self) -> ReadOnlyCredentials:
        keys: ReadOnlyCredentials
        if self._held is None:
            self._held, keys = await self._fresh()
        else:
            try:
                keys = await self._bounded(self._held.get_frozen_credentials())
            except Exception:
                # What the SDK remembers of profiles and files may be wrong by now.
                self._held = None
                raise
        self._keep(keys)
        return keys

    def _keep(self, keys: ReadOnlyCredentials) -> None:
        if keys != self._keys:
            self._keys = keys
            self.generation += 1

    async def _fresh(self) -> tuple[Any, ReadOnlyCredentials]:
        return await self._bounded(self._load_and_freeze())

    async def _load_and_freeze(self) -> tuple[Any, ReadOnlyCredentials]:
        held = await self._load()
        return held, await held.get_frozen_credentials()

    async def _bounded(self, getting: Awaitable[_T]) -> _T:
        try:
            async with asyncio.timeout(self._patience):
                return await getting
        except TimeoutError as error:
            raise LocalError(
                "Timeout", f"no credentials came within {self._patience:g} s; does a credential_process hang, or STS?"
            ) from error
        except Exception as error:
            if is_known(error):
                raise
            raise LocalError(
                "CredentialsUnavailable", f"the source of the credentials gave none ({type(error).__name__})"
            ) from error

    def _got(self, task: asyncio.Task[ReadOnlyCredentials]) -> None:
        self._getting = None
        if not task.cancelled():
            # Perhaps nobody waits for it any more.
            task.exception()


def is_refusal(error: object) -> bool:
    """Whether AWS says of the credentials that they are not valid, or not any more."""
    return code_of(error) in _REFUSED


def renew_when_refused(client: AioBaseClient, credentials: Renewable) -> None:
    """Have a client look for other credentials when AWS refuses those it has, and send the request again with them."""

    def signing(request: Any, **_: Any) -> None:
        request.context[_GENERATION] = credentials.generation

    async def needs_retry(response: Any, request_dict: Any, attempts: int, **_: Any) -> float | None:
        if attempts > _ATTEMPTS or response is None or not is_refusal(response[1].get("Error")):
            return None
        return 0.0 if await credentials.renewed(request_dict["context"][_GENERATION]) else None

    service = client.meta.service_model.service_id.hyphenize()
    client.meta.events.register(f"before-sign.{service}", signing)
    handler: Any = needs_retry
    client.meta.events.register(f"needs-retry.{service}", handler)


async def with_source(source: Renewable, call: Callable[[], Awaitable[_T]]) -> _T:
    """Make a call with keys of `source`, and once more with others if AWS refuses those."""
    generation = source.generation
    try:
        return await call()
    except ClientError as error:
        if is_refusal(error.response.get("Error")) and await source.renewed(generation):
            return await call()
        raise


def _due(held: Any) -> bool:
    """Whether the SDK will refresh these credentials before it gives them."""
    needed = getattr(held, "refresh_needed", None)
    return needed is not None and bool(needed())
