"""Define the dashboard of one job: its status, phases, results and bill."""

from __future__ import annotations

from deploy.grafana import board, colors, limits, money, panels, tables
from deploy.grafana.board import Board, Section
from deploy.grafana.panels import Query, now
from deploy.grafana.promql import ENDS, ID, JOB, THIS, active, cluster, each, hours, job

_LABELS = ("${__field.labels.aws_region}", "${__field.labels.job_name}")
# Joined with a series of the chosen accounts and regions.
_RUNS = f"on ({ID}) " + job("status", THIS, 'status="InProgress"') + " == 1"
_PER_HOUR = each(job("cost_per_hour", JOB), f"{ID}, currency")


def build() -> Board:
    """Return the dashboard that all job names link to."""
    return Board(
        uid=board.JOB,
        title="SageMaker / Job",
        description="One training job: its phases, deadlines, final metrics, bill, spot interruptions and warm pool.",
        variables=[board.account(), board.region(), board.one_job()],
        sections=[
            Section("Now", [*_state(), *_numbers()]),
            Section("Phases", [_timeline(), _phases()]),
            Section("Cost and utilization", [_costs(), _utilization(), _bill()]),
            Section("Results", [_curves(), _metrics(), _facts()]),
            Section("Serverless progress, debugger and profiler", [_progress(), _rules()], collapsed=True),
        ],
        since="now-24h",
        refresh="30s",
    )


def _state() -> list[panels.Panel]:
    failure = each(job("failure_info", JOB), f"{ID}, category")
    return [
        panels.word(
            "Status",
            "TrainingJobStatus. Click for the AWS console and the logs.",
            now(f"{each(job('status', JOB), ID + ', status')} == 1", "{{status}}"),
        )
        .overrides(colors.by_name(colors.STATUS))
        .data_links(panels.in_aws(*_LABELS))
        .span(3),
        panels.word(
            "Phase",
            "SecondaryStatus, as SageMaker reports it.",
            now(f"{each(job('secondary_status', JOB), ID + ', secondary_status')} == 1", "{{secondary_status}}"),
        )
        .overrides(colors.by_name(colors.PHASE))
        .span(3),
        panels.word("Failure", "By whose fault the job failed; nothing if it did not.", now(failure, "{{category}}"))
        .overrides(colors.by_name(colors.FAILURE))
        .span(4),
    ]


def _numbers() -> list[panels.Panel]:
    spot = each(job("info", JOB, 'spot="true"'))
    interrupted = each(job("secondary_status_transitions", JOB, 'secondary_status="Interrupted"'))
    return [
        panels.single(
            "Deadline in",
            "When SageMaker stops the job: after MaxRuntimeInSeconds on instances, after MaxPendingTimeInSeconds of "
            "waiting, MaxWaitTimeInSeconds after a spot job was created. Empty once it has ended.",
            now(limits.left(JOB), "{{limit}}"),
        )
        .thresholds(colors.steps(colors.RED, (3600, colors.ORANGE), (14400, colors.GREEN)))
        .unit("s")
        .decimals(0)
        .span(5),
        panels.single(
            "Billed",
            "Billed instance hours: billable time times instances, with the spot discount included. AWS reports it "
            "at the end.",
            now(hours(cluster(job("billable_instance_seconds", JOB))), "billed"),
        )
        .unit(panels.INSTANCE_HOURS)
        .decimals(2)
        .span(3),
        panels.single(
            "Saved by spot", "1 - billable / training seconds of a spot job.", now(each(job("spot_savings_ratio", JOB)))
        )
        .thresholds(colors.steps(colors.ORANGE, (0.3, colors.GREEN)))
        .unit("percentunit")
        .decimals(0)
        .span(3),
        panels.single(
            "Interruptions",
            "Number of spot interruptions; empty for an on-demand job.",
            now(f"{interrupted} or {spot} * 0"),
        )
        .thresholds(colors.steps(colors.GREEN, (1, colors.ORANGE), (3, colors.RED)))
        .unit("short")
        .decimals(0)
        .span(3),
    ]


def _timeline() -> panels.Panel:
    sources = {
        "Status": ("status", job("status", JOB)),
        "Phase": ("secondary_status", job("secondary_status", JOB)),
        "Pool": ("status", job("warm_pool_status", JOB)),
    }
    renamed = {
        line: f'max by ({line}) (label_replace({selector} == 1, "{line}", "$1", "{label}", "(.*)"))'
        for line, (label, selector) in sources.items()
    }
    return (
        panels.states("Phases", "Status, phase and warm pool of the job, as the exporter read them.", renamed)
        .mappings([*colors.by_value(colors.STATUS, colors.PHASE, colors.WARM_POOL)])
        .span(16)
    )


def _phases() -> panels.Panel:
    closed = each(job("phase_seconds", JOB, f'secondary_status!~"{ENDS}"'), f"{ID}, secondary_status")
    current = f"time() - {active(THIS)}"
    both = f'label_replace({closed}, "part", "closed", "", "") or label_replace({current}, "part", "open", "", "")'
    return (
        panels.bars(
            "Time in each phase",
            "From SageMaker's own times, over all entries of a phase, including the current one.",
            now(f"sort_desc(sum by (secondary_status) ({both}))", "{{secondary_status}}"),
        )
        .overrides(colors.by_name(colors.PHASE))
        .unit("s")
        .decimals(0)
        .span(8)
    )


def _costs() -> panels.Panel:
    """What the job has cost, costs now and may cost. It is billed when it has ended; until then its time counts."""
    started = each(job("training_start_timestamp_seconds", THIS))
    billed = each(job("cost", JOB), f"{ID}, instance_type, instance_group, usage, currency")
    so_far = f"{_at_its_price(f'time() - {started}')} or sum by (currency) ({billed})"
    costs = panels.single(
        "Cost",
        "So far: what was billed, warm pool included; in progress, the time since the start at the job's price. Per "
        "hour: the instances that the job or its warm pool holds now. At most: if it runs as long as "
        "MaxRuntimeInSeconds allows. A spot discount comes with the bill.",
        now(so_far, "{{currency}} so far"),
        now(f"sum by (currency) ({_PER_HOUR})", "{{currency}} per hour"),
        now(_at_its_price(each(job("max_runtime_seconds", THIS))), "{{currency}} at most"),
    )
    return money.in_currency(costs).span(24)


def _at_its_price(seconds: str) -> str:
    return f"sum by (currency) ({_PER_HOUR} * on ({ID}) group_left () ({seconds} and {_RUNS})) / 3600"


def _utilization() -> panels.Panel:
    kinds = {"GPU": "gpu", "GPU memory": "gpu_memory", "CPU": "cpu", "memory": "memory", "disk": "disk"}
    of_hosts = {name: each(job(f"{kind}_utilization_ratio", JOB), f"{ID}, host") for name, kind in kinds.items()}
    return (
        panels.lines(
            "Utilization",
            "Average over the hosts of the job, by CloudWatch. Needs cloudwatch.utilization in the exporter's "
            "configuration.",
            *(Query(f"avg({hosts})", name) for name, hosts in of_hosts.items()),
        )
        .unit("percentunit")
        .max(1)
        .span(14)
    )


def _curves() -> panels.Panel:
    return (
        panels.lines(
            "Algorithm metrics",
            "Values of the job's own metrics while it trains, by CloudWatch, one a minute at most. Needs "
            "cloudwatch.algorithm_metrics in the exporter's configuration.",
            Query(each(job("algorithm_metric", JOB), f"{ID}, metric_name"), "{{metric_name}}"),
        )
        .unit("none")
        .span(24)
    )


def _metrics() -> panels.Panel:
    by = f"{ID}, metric_name"
    return tables.rows(
        "Final metrics",
        "FinalMetricDataList: last value of each metric that the algorithm emitted.",
        [
            tables.label("metric_name", "Metric"),
            tables.value("A", "Value", "none", decimals=4),
            tables.value("B", "Emitted", "dateTimeAsIso", **{"custom.width": 160}),
        ],
        each(job("final_metric", JOB), by),
        f"{each(job('final_metric_timestamp_seconds', JOB), by)} * 1000",
        sort="Metric",
        desc=False,
    ).span(12)


def _bill() -> panels.Panel:
    by = f"{ID}, instance_type, instance_group"
    narrow, wide = {"custom.width": 90}, {"custom.width": 150}
    return tables.rows(
        "Instances and their hours",
        "Instance hours billed for the job, and for its warm pool afterwards. AWS reports them late.",
        [
            tables.label("instance_type", "Type"),
            tables.label("instance_group", "Group", **{"custom.width": 105}),
            tables.value("A", "Number", "short", **narrow),
            tables.value("B", "Billed", panels.INSTANCE_HOURS, decimals=2, **wide),
            tables.value("C", "Pool kept", panels.INSTANCE_HOURS, decimals=2, **wide),
        ],
        each(job("instances", JOB), by),
        hours(each(job("billable_instance_seconds", JOB), by)),
        hours(each(job("warm_pool_retained_billable_instance_seconds", JOB), by)),
    ).span(10)


def _facts() -> panels.Panel:
    what = (
        "training_image, algorithm_name, input_mode, spot, tuning_job, automl_job, labeling_job, experiment, trial, "
        "training_plan"
    )
    isolation = "network_isolation, inter_container_encryption, vpc, volume_kms, output_kms"
    return tables.facts(
        "Information",
        "What the job runs, what started it, and its isolation and encryption settings.",
        each(job("info", JOB), what),
        each(job("security_info", JOB), isolation),
        each(job("warm_pool_reused_by_info", JOB), "reused_by_job"),
    ).span(12)


def _progress() -> panels.Panel:
    return (
        panels.lines(
            "Progress",
            "Share of the epochs, and of the steps in the current epoch, that are done. Serverless jobs only.",
            *(
                Query(f"{each(job(done, JOB))} / ({each(job(all_, JOB))} > 0)", name)
                for name, done, all_ in (
                    ("epochs", "progress_epoch", "progress_max_epoch"),
                    ("steps", "progress_step", "progress_steps_per_epoch"),
                )
            ),
        )
        .unit("percentunit")
        .max(1)
        .height(6)
        .span(12)
    )


def _rules() -> panels.Panel:
    return (
        tables.rows(
            "Debugger and profiler rules",
            "Results of the job's rules.",
            [
                tables.label("kind", "Kind"),
                tables.label("rule", "Rule"),
                tables.label("status", "Status", mappings=colors.by_value(colors.RULE), **tables.TEXT),
            ],
            each(job("rule_evaluation_status", JOB), f"{ID}, kind, rule, status"),
        )
        .height(6)
        .span(12)
    )
