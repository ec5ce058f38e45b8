"""Define the dashboard of the exporter itself: its health, freshness, API calls and series."""

from __future__ import annotations

from deploy.grafana import board, colors, panels, tables
from deploy.grafana.board import Board, Section
from deploy.grafana.panels import Query, now
from deploy.grafana.promql import TARGET, down, each, own, total

_PLACE = "aws_account_id, aws_region"
_NAMED = "{{aws_account_id}} {{aws_region}}"


def build() -> Board:
    """Return the dashboard for those who run the exporter."""
    return Board(
        uid=board.EXPORTER,
        title="SageMaker / Exporter",
        description="Health of the exporter: targets that fail or are stale, errors of the API, and its own cost.",
        variables=[board.account(), board.region()],
        sections=[
            Section("Health", _numbers()),
            Section("Targets", [_targets(), _up()]),
            Section("AWS API", [_requests(), _errors(), _polls()]),
            Section("What Prometheus gets", [_series(), _scrape()]),
        ],
        since="now-3h",
        refresh="30s",
    )


def _numbers() -> list[panels.Panel]:
    age = f"time() - {own('target_last_success_timestamp_seconds', TARGET)}"
    errors = own("api_errors_total", TARGET)
    return [
        _alarm(
            "Targets down",
            "Accounts and regions whose last poll failed.",
            down(),
        ),
        panels.single(
            "Oldest data", "Time since the last successful poll of the target with the oldest data.", now(f"max({age})")
        )
        .thresholds(colors.steps(colors.GREEN, (180, colors.ORANGE), (600, colors.RED)))
        .unit("s")
        .decimals(0)
        .span(4),
        _alarm(
            "API errors",
            "Requests to AWS that failed in the time range, throttled ones included.",
            f"round({total(f'increase({errors}[$__range])')})",
            (1, colors.ORANGE),
            (10, colors.RED),
        ),
        _alarm(
            "Unknown statuses",
            "Statuses that this version does not know, since the exporter started. They are exported unchanged.",
            f"{total(own('unknown_status_total', TARGET))} or vector(0)",
            (1, colors.ORANGE),
        ),
        _alarm(
            "State write errors",
            "Failed writes of the state file in the time range. Their data is kept in memory.",
            f"round(sum(increase({own('state_write_errors_total')}[$__range])))",
        ),
        panels.single(
            "Configuration",
            "Whether the last load of the configuration succeeded. If not, the previous one stays in effect.",
            now(f"min({own('config_reload_success')})"),
        )
        .thresholds(colors.steps(colors.RED, (1, colors.GREEN)))
        .mappings([*colors.words({"0": "refused", "1": "loaded"})])
        .unit("none")
        .span(4),
    ]


def _alarm(title: str, description: str, expr: str, *levels: tuple[float, str]) -> panels.Panel:
    return (
        panels.single(title, description, now(expr))
        .thresholds(colors.steps(colors.GREEN, *(levels or [(1, colors.RED)])))
        .unit("short")
        .decimals(0)
        .span(4)
    )


def _targets() -> panels.Panel:
    return tables.rows(
        "Targets",
        "Polled accounts and regions. A target without an age has never been polled successfully.",
        [
            tables.label("aws_account_id", "Account"),
            tables.label("aws_region", "Region"),
            tables.value(
                "A",
                "State",
                "none",
                mappings=colors.words({"0": "down", "1": "up"}),
                **tables.colored(colors.RED, (1, colors.GREEN)),
            ),
            tables.value("B", "Jobs followed", "short"),
            tables.value("C", "Age of data", "s", decimals=0, **tables.colored("text", (180, "orange"), (600, "red"))),
            tables.value("D", "Poll took", "s", decimals=2),
        ],
        each(own("target_up", TARGET), _PLACE),
        each(own("target_jobs", TARGET), _PLACE),
        f"time() - {each(own('target_last_success_timestamp_seconds', TARGET), _PLACE)}",
        each(own("target_poll_duration_seconds", TARGET), _PLACE),
        sort="Age of data",
    ).span(12)


def _up() -> panels.Panel:
    return (
        panels.timeline(
            "Up and down",
            "Whether each target's last poll succeeded.",
            Query(each(own("target_up", TARGET), _PLACE), _NAMED),
        )
        .mappings([*colors.words({"0": "down", "1": "up"})])
        .thresholds(colors.steps(colors.RED, (1, colors.GREEN)))
        .span(12)
    )


def _requests() -> panels.Panel:
    rate = total(f"rate({own('api_requests_total', TARGET)}[$__rate_interval])", "operation")
    return (
        panels.lines(
            "Requests to AWS, by operation",
            "Per second, retries included. ListTrainingJobs has a limit of about 2 per second for the whole account.",
            Query(rate, "{{operation}}"),
        )
        .unit("reqps")
        .span(8)
    )


def _errors() -> panels.Panel:
    rate = total(f"rate({own('api_errors_total', TARGET)}[$__rate_interval])", "code")
    return (
        panels.lines("Failed requests, by error code", "Per second, by AWS's error code.", Query(rate, "{{code}}"))
        .axis_soft_max(0.1)
        .unit("reqps")
        .span(8)
    )


def _polls() -> panels.Panel:
    return (
        panels.lines(
            "Duration of a poll, by target",
            "The ten slowest at any time. A poll is spread over polling.active_interval on purpose.",
            Query(f"topk(10, {each(own('target_poll_duration_seconds', TARGET), _PLACE)})", _NAMED),
        )
        .unit("s")
        .span(8)
    )


def _series() -> panels.Panel:
    families = f'label_replace({own("series")}, "family", "$1", "family", "sagemaker_(.*)")'
    return (
        panels.bars(
            "Series by family, the ten largest",
            "Series in a scrape. jobs.disabled_metrics disables families; jobs.include and jobs.exclude select jobs.",
            now(f"sort_desc(topk(10, sum by (family) ({families})))", "{{family}}"),
        )
        .unit("locale")
        .span(12)
    )


def _scrape() -> panels.Panel:
    of_exporter = f"on (instance, job) {own('build_info')}"
    return (
        panels.lines(
            "Duration of a scrape",
            "Measured by Prometheus, for each exporter.",
            Query(f"scrape_duration_seconds and {of_exporter}", "{{instance}}"),
        )
        .unit("s")
        .span(12)
    )
