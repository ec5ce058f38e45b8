"""Derives the settings of pollers and their rate limits from the configuration."""

from __future__ import annotations

from exporter.aws.rates import RateLimits
from exporter.aws.sagemaker import rate_limits
from exporter.config import Config
from exporter.polling.settings import PollerSettings
from exporter.training.parsing import Allowlist


def poller_settings(config: Config) -> PollerSettings:
    """Return the settings of every target's poller."""
    polling = config.polling
    return PollerSettings(
        discovery_interval=polling.discovery_interval,
        active_interval=polling.active_interval,
        settle=polling.settle,
        retention=config.jobs.retention,
        resync_interval=polling.resync_interval,
        lookback=polling.lookback,
        search=polling.strategy == "search",
        workers=polling.max_concurrency,
        allowlist=allowlist(config),
    )


def job_limits(config: Config) -> RateLimits:
    """Return the limits of SageMaker in each target."""
    polling = config.polling
    return rate_limits(
        polling.list_rps, polling.describe_rps, polling.search_rps, polling.max_concurrency, polling.timeout
    )


def allowlist(config: Config) -> Allowlist:
    """Return what the configuration allows to export of the fields that can hold secrets."""
    jobs = config.jobs
    return Allowlist(
        frozenset(jobs.tags), frozenset(jobs.hyperparameters), config.totals.by_tags, jobs.failure_reason_length
    )
