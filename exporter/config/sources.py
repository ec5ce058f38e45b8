"""Defines the keys of the sources beside SageMaker: prices, quotas and CloudWatch. Durations are in seconds."""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SkipValidation, ValidationInfo, field_validator

from exporter.config import syntax
from exporter.config.duration import parse
from exporter.config.model import SettingsModel
from exporter.config.problems import quote
from exporter.config.syntax import Span, Whole, refused

_MetricGlob = Annotated[str, BeforeValidator(syntax.metric_glob)]


class Adjustment(SettingsModel):
    """A negotiated rate: what the list price of some instances is multiplied by."""

    account: Annotated[str, BeforeValidator(syntax.account)] | None = None
    instance_type: Annotated[str, BeforeValidator(syntax.instance_type_glob)] = "*"
    usage: Literal["training", "spot_training", "warm_pool"] | None = None
    multiplier: Annotated[Fraction, SkipValidation, BeforeValidator(syntax.multiplier)] = Field(
        description="what the list price is multiplied by, such as 0.88"
    )


class Prices(SettingsModel):
    """Where prices come from, and the negotiated rates that adjust them."""

    source: Literal["api", "file", "none"] = "api"
    file: Annotated[str, BeforeValidator(syntax.price_file)] = Field(default="", validate_default=True)
    refresh_interval: Annotated[float, BeforeValidator(Span("1m", "30d"))] = parse("24h")
    adjustments: Annotated[tuple[Adjustment, ...], BeforeValidator(syntax.listed)] = ()

    @field_validator("file")
    @classmethod
    def _for_its_source(cls, file: str, info: ValidationInfo) -> str:
        if info.data.get("source") == "file" and not file:
            raise refused("is empty, and the source is a file", "the path of a price file")
        if info.data.get("source") == "none" and file:
            raise refused("means nothing with the source none", 'source: file, or ""')
        return file


def _off_or_interval(value: object, info: ValidationInfo) -> float:
    seconds = Span("0s", "30d")(value, info)
    if 0 < seconds < parse("1m"):
        raise refused(f"{quote(value)} is out of range", "0s, or 1m to 30d")
    return seconds


class Quotas(SettingsModel):
    """How often quotas are read."""

    interval: Annotated[float, BeforeValidator(_off_or_interval)] = parse("12h")


class CloudWatch(SettingsModel):
    """What is requested of CloudWatch, and how often. AWS bills each metric that is requested: nothing by default."""

    utilization: Annotated[
        tuple[Literal["cpu", "memory", "gpu", "gpu_memory", "disk"], ...],
        BeforeValidator(syntax.listed),
        AfterValidator(syntax.distinct),
    ] = ()
    algorithm_metrics: Annotated[
        tuple[_MetricGlob, ...], BeforeValidator(syntax.listed), AfterValidator(syntax.distinct)
    ] = ()
    interval: Annotated[float, BeforeValidator(Span("10s", "1h"))] = parse("5m")
    max_metrics_per_hour: Annotated[int, BeforeValidator(Whole(1, 1_000_000_000))] = 20_000

    @property
    def enabled(self) -> bool:
        """Return whether anything is requested."""
        return bool(self.utilization or self.algorithm_metrics)
