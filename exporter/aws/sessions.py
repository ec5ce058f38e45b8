"""Opens SDK clients with the credentials of each target: one session and one client per service and target."""

from __future__ import annotations

import asyncio
import os
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiobotocore.config import AioConfig
from aiobotocore.credentials import AioAssumeRoleCredentialFetcher, AioDeferredRefreshableCredentials
from aiobotocore.session import AioSession, get_session
from botocore.loaders import create_loader

from exporter import __version__
from exporter.aws.answers import answer_parsers
from exporter.aws.calls import log_calls, watch
from exporter.aws.causes import LocalError
from exporter.aws.credentials import Renewable, renew_when_refused, with_source
from exporter.aws.errors import api_error
from exporter.aws.providers import provider_chain
from exporter.aws.resolver import Resolver
from exporter.aws.transport import sharing_tls
from exporter.polling.api import ASSUME, IDENTITY, Calls, advice_of

# The SDK itself retries temporary errors, with exponential backoff.
_ATTEMPTS = 3
# botocore reads only the first; Lambda, EKS and all newer SDKs set the second.
_REGION_VARIABLES = ["AWS_DEFAULT_REGION", "AWS_REGION"]
# The files with credentials, by the SDK's setting, and the variable that names another file.
_FILES = {"credentials_file": "AWS_SHARED_CREDENTIALS_FILE", "config_file": "AWS_CONFIG_FILE"}


@dataclass(frozen=True, slots=True)
class Role:
    """An IAM role to assume. Its ARN and external ID are never shown, not even by repr()."""

    arn: str = field(repr=False)
    external_id: str | None = field(default=None, repr=False)
    session_name: str = "sagemaker-exporter"

    @property
    def account(self) -> str:
        """Return the account ID in the ARN."""
        return self.arn.split(":")[4]


def _never(_: object) -> bool:
    return False


def _there(region: str) -> str:
    return region


@dataclass(frozen=True, slots=True)
class AwsService:
    """A service of AWS, by the SDK's name. `is_answer` returns whether an error of it is an answer, not a failure;
    `endpoint` returns the region whose endpoint answers for a region."""

    name: str
    is_answer: Callable[[object], bool] = _never
    endpoint: Callable[[str], str] = _there


class Sessions:
    """Opens clients of any service.

    The clients share what is large (service models, certificate authorities) and the exporter's own credentials: those
    of the environment, the profile or the instance. `timeout` is in seconds, for one attempt; `connections` is the
    size of each client's pool.
    """

    def __init__(self, timeout: float, connections: int, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._config = AioConfig(
            connect_timeout=timeout,
            read_timeout=timeout,
            retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
            max_pool_connections=connections,
            parameter_validation=False,
            # Identifies the exporter in CloudTrail. The SDK would build its own for every request.
            user_agent=f"sagemaker-exporter/{__version__}",
            # Jobs are described every interval: to keep idle connections is cheaper than to open new ones.
            connector_args={"keepalive_timeout": 60, "resolver": Resolver(timeout)},
            http_session_cls=sharing_tls(),
        )
        # Without a loader a session looks for the path in the profile, which may be broken now and correct later.
        self._loader = create_loader(os.environ.get("AWS_DATA_PATH"))
        self._base = self._session()
        # Shorter than the timeout of a call, so that a call that waits for credentials fails with their error.
        self._patience, self._monotonic = _ATTEMPTS * timeout, monotonic
        self._own = Renewable(self._load_own, self._stamps, self._patience, monotonic)
        self._region: str | None = None
        self._account: str | None = None
        self._asking = defaultdict[str, asyncio.Lock](asyncio.Lock)

    def default_region(self) -> str | None:
        """Return the region of the environment or the profile; None if neither sets one. Raises ApiError."""
        try:
            region = self._session().get_config_variable("region")
        except Exception as error:
            raise api_error(IDENTITY, error) from error
        # Compose files and charts easily set an empty variable, which is no region.
        return region if isinstance(region, str) and region else None

    async def account(self, region: str, role: Role | None) -> str:
        """Return the account ID of the role or, without one, of the exporter's own credentials by STS.

        STS is asked until it has answered once. Raises ApiError.
        """
        if role is not None:
            return role.account
        if self._account is None:
            self._region = self._region or region
            try:
                # The STS of another region may answer when this one does not.
                async with asyncio.timeout(2 * self._patience), self._asking[region]:
                    return await self._own_account(region)
            except Exception as error:
                raise api_error(IDENTITY, error) from error
        return self._account

    @asynccontextmanager
    async def client(self, service: AwsService, region: str, role: Role | None, calls: Calls) -> AsyncIterator[Any]:
        """Open an SDK client of a service with the credentials of a target, and count its requests in `calls`.
        Raises ApiError."""
        self._region = self._region or region
        target = f"{role.account if role else self._account or 'own account'}/{region}"
        async with AsyncExitStack() as stack:
            try:
                # Fails here once if the exporter's own credentials are unusable, instead of in each call.
                await self._own.get_frozen_credentials()
                credentials = self._own if role is None else self._assumed(role, region, target)
                opened = self._opened(service.name, service.endpoint(region), credentials, target)
                client = await stack.enter_async_context(opened)
            except Exception as error:
                failure = api_error(ASSUME if role else IDENTITY, error)
                calls.failed(failure.operation, failure.code)
                raise failure from error
            watch(client, calls, service.is_answer)
            yield client

    @asynccontextmanager
    async def _opened(self, service: str, region: str, credentials: Any, target: str) -> AsyncIterator[Any]:
        """Open a client with credentials, which may be renewable. Its calls are logged with `target`."""
        async with self._session(credentials).create_client(service, region, config=self._config) as client:
            if isinstance(credentials, Renewable):
                renew_when_refused(client, credentials)
            log_calls(client.meta.events, target)
            yield client

    async def _own_account(self, region: str) -> str:
        if self._account is None:
            self._account = await self._account_of(self._own, region)
        return self._account

    async def _account_of(self, credentials: Any, region: str) -> str:
        async with self._opened("sts", region, credentials, f"own account/{region}") as sts:
            return str((await sts.get_caller_identity())["Account"])

    async def _load_own(self) -> Any:
        """Load the exporter's own credentials from the environment, the profile or the instance. Raises LocalError."""
        # New sessions, because the old ones have cached the files.
        session, self._base = self._session(), self._session()
        # Applies to the clients that the providers open themselves: STS and SSO.
        session.set_default_client_config(self._config)
        log_calls(session.get_component("event_emitter"), f"own account/{self._region}")
        session.get_scoped_config()
        found = await provider_chain(session, self._region).load_credentials()
        if found is None:
            raise LocalError("NoCredentials", _nothing_found(session))
        if self._account is not None and await self._account_of(found, self._region or "") != self._account:
            # Targets are keyed by account: jobs of one account must not be added to the totals of another.
            raise LocalError(
                "AccountChanged", "the credentials belong to another account now; restart the exporter to poll it"
            )
        return found

    def _assumed(self, role: Role, region: str, target: str) -> Renewable:
        """Return the credentials of a role, which the SDK refreshes some minutes before they expire.

        STS is called in the target's own region, so that a region that is down or not enabled does not affect others.
        """
        extra = {"RoleSessionName": role.session_name}
        if role.external_id is not None:
            extra["ExternalId"] = role.external_id

        @asynccontextmanager
        async def sts(service: str, **keys: Any) -> AsyncIterator[Any]:
            async with self._base.create_client(service, region, config=self._config, **keys) as client:
                log_calls(client.meta.events, target)
                yield client

        creator: Any = sts

        async def load() -> AioDeferredRefreshableCredentials:
            fetcher = AioAssumeRoleCredentialFetcher(creator, self._own, role.arn, extra_args=extra)
            return AioDeferredRefreshableCredentials(
                lambda: with_source(self._own, fetcher.fetch_credentials), "assume-role"
            )

        return Renewable(load, self._own.version, self._patience, self._monotonic)

    def _stamps(self) -> object:
        """Return a value that changes when one of the credential files changes."""
        return tuple(_stamp(os.path.expanduser(self._base.get_config_variable(name))) for name in _FILES)

    def _session(self, credentials: Any = None) -> AioSession:
        """Return a new session that uses only `credentials`, or the SDK's own chain of providers without them."""
        session = get_session({"region": ("region", _REGION_VARIABLES, None, None)})
        session.register_component("data_loader", self._loader)
        session.register_component("response_parser_factory", answer_parsers())
        if credentials is not None:
            session.register_component("credential_provider", _Only(credentials))
        return session


class _Only:
    """A provider of fixed credentials, which replaces the SDK's chain of providers in a session."""

    def __init__(self, credentials: Any) -> None:
        self._credentials = credentials

    async def load_credentials(self) -> Any:
        return self._credentials


def _stamp(path: str) -> object:
    """Return a value that changes when a file is written or replaced; None if it is not readable."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


def _nothing_found(session: AioSession) -> str:
    advice = advice_of("NoCredentials")
    for name, variable in _FILES.items():
        path = os.path.expanduser(session.get_config_variable(name))
        if variable in os.environ and not os.access(path, os.R_OK):
            advice += f"; {variable} names {path}, which cannot be read"
    return advice
