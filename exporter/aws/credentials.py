"""Credentials that are reloaded when AWS rejects them.

The SDK reads a shared credentials file once, and uses session credentials until the expiry that came with them. While
the exporter runs, such files are rotated and sessions are revoked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from aiobotocore.client import AioBaseClient
from aiobotocore.credentials import AioCredentials
from botocore.credentials import ReadOnlyCredentials
from botocore.exceptions import ClientError

from exporter.aws.causes import LocalError
from exporter.aws.errors import code_of, is_known

# Seconds between two attempts to replace rejected credentials while no sign of new ones is seen.
_PAUSE = 60.0
# A request is sent this often at most with new credentials, however often they change.
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
    """Credentials for an SDK client that can be replaced.

    `load` returns fresh credentials of the SDK within `patience` seconds. The value of `version` changes when `load`
    may return other ones than before, such as after a change of the credentials file. `generation` is incremented each
    time the keys change.
    """

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
        """Return the keys to sign a request with. Concurrent callers share one load or refresh, and its failure.
        Raises what `load` raises, or LocalError."""
        if self._held is not None and not _due(self._held):
            keys: ReadOnlyCredentials = await self._held.get_frozen_credentials()
            return keys
        if self._getting is None:
            self._getting = asyncio.create_task(self._get())
            self._getting.add_done_callback(self._got)
        # A caller that is cancelled must not cancel the load of the others.
        return await asyncio.shield(self._getting)

    def version(self) -> object:
        """Return a value that changes when the keys may have changed: roles assumed with them compare it."""
        return self.generation, self._version()

    async def renewed(self, refused: int) -> bool:
        """Reload the credentials, and return whether they differ from those of the rejected generation.

        They are reloaded at most once a minute unless `version` changes. Until then the last failure to load them is
        raised again.
        """
        async with self._renewing:
            # Another request replaced them while this one waited for the lock.
            if self.generation != refused:
                return True
            now, version = self._monotonic(), self._version()
            if now < self._next and version == self._seen:
                if self._problem is not None:
                    # An exception that is raised repeatedly would collect the frames of every caller.
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
                # What the SDK cached of profiles and files may be stale: load them again next time.
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
                "CredentialsUnavailable", f"the source of the credentials returned none ({type(error).__name__})"
            ) from error

    def _got(self, task: asyncio.Task[ReadOnlyCredentials]) -> None:
        self._getting = None
        if not task.cancelled():
            # Mark the exception as retrieved: every caller may have been cancelled.
            task.exception()


def is_refusal(error: object) -> bool:
    """Return whether an AWS error rejects the credentials as invalid or expired."""
    return code_of(error) in _REFUSED


def renew_when_refused(client: AioBaseClient, credentials: Renewable) -> None:
    """Make a client reload its credentials when AWS rejects them, and retry the request with the new ones."""

    def signing(request: Any, **_: Any) -> None:
        request.context[_GENERATION] = credentials.generation

    async def needs_retry(response: Any, request_dict: Any, attempts: int, **_: Any) -> float | None:
        if attempts > _ATTEMPTS or response is None or not is_refusal(response[1].get("Error")):
            return None
        # botocore retries after the delay that is returned; None leaves the decision to its other handlers.
        return 0.0 if await credentials.renewed(request_dict["context"][_GENERATION]) else None

    service = client.meta.service_model.service_id.hyphenize()
    client.meta.events.register(f"before-sign.{service}", signing)
    handler: Any = needs_retry
    client.meta.events.register(f"needs-retry.{service}", handler)


async def with_source(source: Renewable, call: Callable[[], Awaitable[_T]]) -> _T:
    """Make a call that signs with the keys of `source`; repeat it once with new keys if AWS rejects them."""
    generation = source.generation
    try:
        return await call()
    except ClientError as error:
        if is_refusal(error.response.get("Error")) and await source.renewed(generation):
            return await call()
        raise


def _due(held: Any) -> bool:
    """Return whether the SDK would refresh these credentials before returning them."""
    needed = getattr(held, "refresh_needed", None)
    return needed is not None and bool(needed())
