"""Defines the keys of the configuration with their types, limits and defaults. Nothing else defines these.

Durations are in seconds: `Polling(active_interval=5.0)` in code, "5s" in a file.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    SecretStr,
    SkipValidation,
    Tag,
    ValidationInfo,
    field_validator,
)

from exporter.config import address, database, syntax
from exporter.config.address import Address
from exporter.config.duration import parse
from exporter.config.model import SettingsModel
from exporter.config.pattern import Pattern
from exporter.config.sources import CloudWatch, Prices, Quotas
from exporter.config.syntax import Span, Whole, refused

_Rate = Annotated[float, BeforeValidator(syntax.rate)]
_Pattern = Annotated[Pattern, SkipValidation, BeforeValidator(syntax.pattern)]
_Region = Annotated[str, BeforeValidator(syntax.region)]
_TagKey = Annotated[str, BeforeValidator(syntax.tag_key)]
_TagKeyOrAll = Annotated[str, BeforeValidator(syntax.tag_key_or_all)]
_HyperparameterOrAll = Annotated[str, BeforeValidator(syntax.hyperparameter_or_all)]
_MetricGlob = Annotated[str, BeforeValidator(syntax.metric_glob)]
_Address = Annotated[Address, BeforeValidator(address.parse)]
_Addresses = Annotated[tuple[_Address, ...], BeforeValidator(syntax.listed), AfterValidator(address.distinct_addresses)]
_Interval = Annotated[float, BeforeValidator(Span("1s", "30d"))]


class Web(SettingsModel):
    """Where the exporter listens, and the paths that it serves."""

    listen_address: Annotated[
        Annotated[_Address, Tag(syntax.ONE)] | Annotated[_Addresses, Tag(syntax.SEVERAL)],
        Discriminator(syntax.one_or_several),
    ] = Address("", 9841)
    telemetry_path: Annotated[str, BeforeValidator(syntax.telemetry_path)] = "/metrics"
    external_url: Annotated[str, BeforeValidator(syntax.external_url)] = ""
    route_prefix: Annotated[str, BeforeValidator(syntax.route_prefix)] = ""

    @property
    def listen_addresses(self) -> tuple[Address, ...]:
        """Return the addresses to listen on, one or more."""
        return (self.listen_address,) if isinstance(self.listen_address, Address) else self.listen_address

    @property
    def external_path(self) -> str | None:
        """Return the path under which clients reach the exporter, "" for the root; None without an external_url."""
        return urlsplit(self.external_url).path.rstrip("/") if self.external_url else None

    @property
    def prefix(self) -> str:
        """Return the prefix of all routes; "" for none."""
        return (self.route_prefix or self.external_path or "").rstrip("/")


class Polling(SettingsModel):
    """How often AWS is called. Rates are in requests per second and apply to each target."""

    discovery_interval: _Interval = parse("60s")
    active_interval: _Interval = parse("30s")
    resync_interval: _Interval = parse("1h")
    lookback: Annotated[float, BeforeValidator(Span("1s", "10y"))] = parse("30d")
    settle: Annotated[float, BeforeValidator(Span("1s", "1d"))] = parse("2m")
    strategy: Literal["describe", "search"] = "describe"
    max_concurrency: Annotated[int, BeforeValidator(Whole(1, 1000))] = 20
    list_rps: _Rate = 1.0
    describe_rps: _Rate = 20.0
    search_rps: _Rate = 1.0
    timeout: Annotated[float, BeforeValidator(Span("100ms", "5m"))] = parse("10s")


class TargetConfig(SettingsModel):
    """Regions of one account. Without a role it is the account of the exporter's own credentials, without regions the
    SDK's default region."""

    regions: Annotated[tuple[_Region, ...], BeforeValidator(syntax.listed)] = Field(
        description="a list of one or more AWS regions such as us-east-1"
    )
    role_arn: Annotated[str, BeforeValidator(syntax.role_arn)] | None = Field(default=None, repr=False)
    external_id: Annotated[SecretStr, BeforeValidator(syntax.external_id)] | None = None
    session_name: Annotated[str, BeforeValidator(syntax.session_name)] = "sagemaker-exporter"

    @field_validator("regions")
    @classmethod
    def _some_region(cls, regions: tuple[str, ...]) -> tuple[str, ...]:
        if not regions:
            raise refused("is empty", str(cls.model_fields["regions"].description))
        return regions

    @field_validator("external_id", "session_name")
    @classmethod
    def _for_a_role(cls, value: object, info: ValidationInfo) -> object:
        # A role_arn that was rejected is missing in `data`, and has its own error.
        if value is not None and info.data.get("role_arn", "refused") is None:
            raise refused("means nothing without role_arn", "only beside role_arn")
        return value

    @property
    def account_id(self) -> str | None:
        """Return the account ID of the role; None for the exporter's own account, which only STS knows."""
        return syntax.account_of(self.role_arn)


class Jobs(SettingsModel):
    """Which jobs have series of their own, for how long, and with which labels."""

    include: _Pattern = Pattern(".*")
    exclude: _Pattern = Pattern("")
    retention: Annotated[float, BeforeValidator(Span("0s", "1y"))] = parse("1h")
    per_job_metrics: bool = True
    disabled_metrics: Annotated[
        tuple[_MetricGlob, ...], BeforeValidator(syntax.listed), AfterValidator(syntax.distinct)
    ] = ()
    tags: Annotated[tuple[_TagKeyOrAll, ...], BeforeValidator(syntax.listed), AfterValidator(syntax.allowlist)] = ()
    hyperparameters: Annotated[
        tuple[_HyperparameterOrAll, ...], BeforeValidator(syntax.listed), AfterValidator(syntax.allowlist)
    ] = ()
    failure_reason_length: Annotated[int, BeforeValidator(Whole(0, 1024))] = 0

    @field_validator("include")
    @classmethod
    def _something(cls, include: Pattern) -> Pattern:
        if not include.text:
            raise refused("is empty and would match no job", 'a regular expression, ".*" for every job')
        return include

    def selects(self, job_name: str) -> bool:
        """Return whether `include` matches the whole name and `exclude` does not."""
        return self.include.matches(job_name) and not self.exclude.matches(job_name)

    def disables(self, metric: str) -> bool:
        """Return whether the family with this full name is disabled."""
        return any(fnmatchcase(metric, glob) for glob in self.disabled_metrics)


class Totals(SettingsModel):
    """How far back totals start, and the tags that they are grouped by."""

    backfill: Annotated[float, BeforeValidator(Span("0s", "10y"))] = 0.0
    by_tags: Annotated[tuple[_TagKey, ...], BeforeValidator(syntax.listed), AfterValidator(syntax.distinct)] = ()

    @field_validator("by_tags")
    @classmethod
    def _few(cls, keys: tuple[str, ...]) -> tuple[str, ...]:
        if len(keys) > 5:
            raise refused(f"has {len(keys)} keys", "at most 5, because each multiplies every counter")
        return keys


class State(SettingsModel):
    """Where totals are kept across restarts: in a file, or in a database that replicas share; with neither in memory
    only."""

    path: Annotated[str, BeforeValidator(syntax.state_path)] = ""
    url: Annotated[str, BeforeValidator(database.parse_url)] = ""
    password_file: Annotated[str, BeforeValidator(syntax.password_file)] = ""

    @field_validator("url")
    @classmethod
    def _one_place(cls, url: str, info: ValidationInfo) -> str:
        if url and info.data.get("path"):
            raise refused("means nothing beside state.path", "either a file or a database")
        return url

    @field_validator("password_file")
    @classmethod
    def _of_a_database(cls, file: str, info: ValidationInfo) -> str:
        # A URL that was rejected is missing in `data`, and has its own error.
        if file and not info.data.get("url", "refused"):
            raise refused("means nothing without state.url", "only beside state.url")
        return file

    @property
    def name(self) -> str:
        """Return the name of the place in logs."""
        return database.name_of(self.url) if self.url else self.path or "memory"


class Sharding(SettingsModel):
    """Which share of the targets this process polls."""

    total: Annotated[int, BeforeValidator(Whole(1, 1000))] = 1
    index: Annotated[int, BeforeValidator(Whole(0, 999))] = 0

    @field_validator("index")
    @classmethod
    def _below_total(cls, index: int, info: ValidationInfo) -> int:
        # A total that was rejected is missing in `data`: the largest one accepts any index.
        total = info.data.get("total", 1000)
        if index >= total:
            raise refused(f"{index} is not below the total of {total}", f"0 to {total - 1}")
        return index


# The exporter's own account and default region. Not validated, because a target in a file must list its regions.
_OWN_ACCOUNT = TargetConfig.model_construct(regions=())


def _targets(value: object) -> tuple[object, ...]:
    return (_OWN_ACCOUNT,) if value is None else syntax.listed(value)


class Config(SettingsModel):
    """The root of the configuration."""

    web: Web = Web()
    polling: Polling = Polling()
    targets: Annotated[tuple[TargetConfig, ...], BeforeValidator(_targets)] = (_OWN_ACCOUNT,)
    jobs: Jobs = Jobs()
    totals: Totals = Totals()
    prices: Prices = Prices()
    quotas: Quotas = Quotas()
    cloudwatch: CloudWatch = CloudWatch()
    state: State = State()
    sharding: Sharding = Sharding()

    @field_validator("targets")
    @classmethod
    def _some_target(cls, targets: tuple[TargetConfig, ...]) -> tuple[TargetConfig, ...]:
        if not targets:
            raise refused("is empty", "one target or more; omit the key for the exporter's own account and region")
        return targets
