"""Credentials and clients: one SDK session and one client for each target."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiobotocore.config import AioConfig
from aiobotocore.credentials import AioAssumeRoleCredentialFetcher, AioDeferredRefreshableCredentials
from aiobotocore.session import AioSession, get_session
from botocore.exceptions import NoCredentialsError

from exporter import __version__
from exporter.aws.answers import answer_parsers
from exporter.aws.calls import watch
from exporter.aws.errors import api_error
from exporter.aws.resolver import Resolver
from exporter.aws.transport import sharing_tls
from exporter.polling.api import ASSUME, IDENTITY, Calls

# The SDK tries again by itself, with growing pauses, whatever AWS says to be temporary.
_ATTEMPTS = 3
# botocore knows only the first; Lambda, EKS and all newer SDKs set the second.
_REGION_VARIABLES = ["AWS_DEFAULT_REGION", "AWS_REGION"]


@dataclass(frozen=True, slots=True)
class Role:
    """A role to assume; nothing of it is ever shown."""

    arn: str = field(repr=False)
    external_id: str | None = field(default=None, repr=False)
    session_name: str = "sagemaker-exporter"

    @property
    def account(self) -> str:
        return self.arn.split(":")[4]


class Sessions:
    """The sessions share what is big: the loaded models of the services."""

    def __init__(self, timeout: float, connections: int) -> None:
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
        self._base = _session()
        self._account: str | None = None

    def default_region(self) -> str | None:
        """The region of the environment or of the profile. Raises ApiError."""
        try:
            region = self._base.get_config_variable("region")
        except Exception as error:
            raise api_error(IDENTITY, error) from error
        return region if isinstance(region, str) else None

    async def account(self, region: str, role: Role | None) -> str:
        """The account id: the role's, or what STS says of the environment's credentials. Raises ApiError."""
        if role is not None:
            return role.account
        if self._account is None:
            try:
                async with self._base.create_client("sts", region, config=self._config) as sts:
                    self._account = str((await sts.get_caller_identity())["Account"])
            except Exception as error:
                raise api_error(IDENTITY, error) from error
        return self._account

    @asynccontextmanager
    async def client(self, region: str, role: Role | None, calls: Calls) -> AsyncIterator[Any]:
        """An open client for SageMaker, whose requests are counted. Raises ApiError."""
        try:
            session = self._base if role is None else await self._assumed(role, region)
            context = session.create_client("sagemaker", region, config=self._config)
            client = await context.__aenter__()
        except Exception as error:
            raise api_error(ASSUME if role else IDENTITY, error) from error
        try:
            watch(client, calls)
            yield client
        finally:
            await client.close()

    async def _assumed(self, role: Role, region: str) -> AioSession:
        """A session with the role's credentials, which the SDK renews some minutes before they expire. They are asked
        for in the target's own region, so that one that is down or not enabled fails alone."""
        extra = {"RoleSessionName": role.session_name}
        if role.external_id is not None:
            extra["ExternalId"] = role.external_id
        source = await self._base.get_credentials()
        if source is None:
            raise NoCredentialsError

        def sts(service: str, **keys: Any) -> Any:
            return self._base.create_client(service, region, config=self._config, **keys)

        fetcher = AioAssumeRoleCredentialFetcher(sts, source, role.arn, extra_args=extra)
        session = _session()
        session.register_component("data_loader", self._base.get_component("data_loader"))
        session.register_component("credential_provider", _Only(fetcher.fetch_credentials))
        return session


class _Only:
    """The one provider of a role's credentials. They are fetched at the first request, and again in time."""

    def __init__(self, fetch: Callable[[], Awaitable[Any]]) -> None:
        self._credentials = AioDeferredRefreshableCredentials(fetch, "assume-role")

    async def load_credentials(self) -> AioDeferredRefreshableCredentials:
        return self._credentials


def _session() -> AioSession:
    session = get_session({"region": ("region", _REGION_VARIABLES, None, None)})
    session.register_component("response_parser_factory", answer_parsers())
    return session
