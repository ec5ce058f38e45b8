"""Credentials and clients: one SDK session and one client for each service and target."""

from __future__ import annotations

import asyncio
import os
import time
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
from exporter.aws.credentials import Renewable, renew_when_refused, with_source
from exporter.aws.errors import LocalError, api_error
from exporter.aws.providers import provider_chain
from exporter.aws.resolver import Resolver
from exporter.aws.transport import sharing_tls
from exporter.polling.api import ASSUME, IDENTITY, Calls

# The SDK tries again by itself, with growing pauses, whatever AWS says to be temporary.
_ATTEMPTS = 3
# botocore knows only the first; Lambda, EKS and all newer SDKs set the second.
_REGION_VARIABLES = ["AWS_DEFAULT_REGION", "AWS_REGION"]
# What the SDK reads credentials from, by its own names, and the variables that name another file.
_FILES = {"credentials_file": "AWS_SHARED_CREDENTIALS_FILE", "config_file": "AWS_CONFIG_FILE"}


@dataclass(frozen=True, slots=True)
class Role:
    """A role to assume; nothing of it is ever shown."""

    arn: str = field(repr=False)
    external_id: str | None = field(default=None, repr=False)
    session_name: str = "sagemaker-exporter"

    @property
    def account(self) -> str:
        return self.arn.split(":")[4]


def _never(_: object) -> bool:
    return False


def _there(region: str) -> str:
    return region


@dataclass(frozen=True, slots=True)
class AwsService:
    """A service of AWS by the SDK's name. `is_answer` tells of its errors those that are answers, and no failures;
    `endpoint` gives the region whose endpoint answers for a region."""

    name: str
    is_answer: Callable[[object], bool] = _never
    endpoint: Callable[[str], str] = _there


class Sessions:
    """Opens clients of any service. They share what is big (the loaded models of the services, the authorities to
    trust) and the credentials of the environment, the profile or the instance."""

    def __init__(self, timeout: float, connections: int, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._config = AioConfig(
            connect_timeout=timeout,
            read_timeout=timeout,
            retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
            max_pool_connections=connections,
            parameter_validation=False,
            # To be known by in CloudTrail; the SDK would put its own together anew for every request.
            user_agent=f"sagemaker-exporter/{__version__}",
            # Reads of the same job come every interval: a connection that waits is cheaper than a new one.
            connector_args={"keepalive_timeout": 60, "resolver": Resolver(timeout)},
            http_session_cls=sharing_tls(),
        )
        # A session would look for it in the profile, which may be broken now and correct later.
        self._loader = create_loader(os.environ.get("AWS_DATA_PATH"))
        self._base = self._session()
        # Less than a call may take, so that a call does not end before its credentials could.
        self._patience, self._monotonic = _ATTEMPTS * timeout, monotonic
        self._own = Renewable(self._load_own, self._stamps, self._patience, monotonic)
        self._region: str | None = None
        self._account: str | None = None

    def default_region(self) -> str | None:
        """Return the region of the environment or of the profile. Raises ApiError."""
        try:
            region = self._session().get_config_variable("region")
        except Exception as error:
            raise api_error(IDENTITY, error) from error
        return region if isinstance(region, str) else None

    async def account(self, region: str, role: Role | None) -> str:
        """Return the account id: the role's, or what STS says of the environment's credentials. Raises ApiError."""
        if role is not None:
            return role.account
        if self._account is None:
            self._region = self._region or region
            try:
                async with asyncio.timeout(2 * self._patience):
                    self._account = await self._account_of(self._own, region)
            except Exception as error:
                raise api_error(IDENTITY, error) from error
        return self._account

    @asynccontextmanager
    async def client(self, service: AwsService, region: str, role: Role | None, calls: Calls) -> AsyncIterator[Any]:
        """Open the SDK's client for a service, whose requests are counted. Raises ApiError."""
        self._region = self._region or region
        target = f"{role.account if role else self._account or 'own account'}/{region}"
        async with AsyncExitStack() as stack:
            try:
                # What is wrong with the exporter's own credentials shows here, and not in each call.
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
        """Open a client with credentials that may be renewable. Its calls are logged as those of `target`."""
        async with self._session(credentials).create_client(service, region, config=self._config) as client:
            if isinstance(credentials, Renewable):
                renew_when_refused(client, credentials)
            log_calls(client.meta.events, target)
            yield client

    async def _account_of(self, credentials: Any, region: str) -> str:
        async with self._opened("sts", region, credentials, f"own account/{region}") as sts:
            return str((await sts.get_caller_identity())["Account"])

    async def _load_own(self) -> Any:
        """Read the environment, the files of the profile, or whatever they name, anew."""
        # What the SDK remembers of the files is out of date.
        session, self._base = self._session(), self._session()
        # For what the providers ask by themselves: STS, SSO.
        session.set_default_client_config(self._config)
        log_calls(session.get_component("event_emitter"), f"own account/{self._region}")
        session.get_scoped_config()
        found = await provider_chain(session, self._region).load_credentials()
        if found is None:
            raise LocalError("NoCredentials", _nothing_found(session))
        if self._account is not None and await self._account_of(found, self._region or "") != self._account:
            # The targets are named by the account: what one account has must not be added to the totals of another.
            raise LocalError(
                "AccountChanged", "the credentials are of another account now; restart the exporter to poll it"
            )
        return found

    def _assumed(self, role: Role, region: str, target: str) -> Renewable:
        """Return the role's credentials, which the SDK renews some minutes before they expire. They are asked for in
        the target's own region, so that one that is down or not enabled fails alone."""
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
        """Return what changes when one of the files does that credentials are read from."""
        return tuple(_stamp(os.path.expanduser(self._base.get_config_variable(name))) for name in _FILES)

    def _session(self, credentials: Any = None) -> AioSession:
        session = get_session({"region": ("region", _REGION_VARIABLES, None, None)})
        session.register_component("data_loader", self._loader)
        session.register_component("response_parser_factory", answer_parsers())
        if credentials is not None:
            session.register_component("credential_provider", _Only(credentials))
        return session


class _Only:
    """The one provider of a session's credentials."""

    def __init__(self, credentials: Any) -> None:
        self._credentials = credentials

    async def load_credentials(self) -> Any:
        return self._credentials


def _stamp(path: str) -> object:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


def _nothing_found(session: AioSession) -> str:
    advice = "no AWS credentials were found in the environment, the profile or the instance"
    for name, variable in _FILES.items():
        path = os.path.expanduser(session.get_config_variable(name))
        if variable in os.environ and not os.access(path, os.R_OK):
            advice += f"; {variable} names {path}, which cannot be read"
    return advice
