"""Provide statuses for the page: an ordinary one, and one full of text that must never appear unescaped."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from exporter.cloudwatch.families import Emitted, Utilization
from exporter.training.cost import Rate
from exporter.training.job import FinalMetric, Instances, Rule, TrainingJob, Transition
from exporter.web.page import ErrorRow, JobStatus, ShownJob, StateRow, Status, TargetRow
from tests.http.fakes import NOW

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "&lt;b&gt;&amp;",
    "\u202egnirts ltr \u2066",
    "]]>--><!--</style></title>",
    "a" * 10_000,
    "\x00\x07\x1b[31m\ud800",
    "שלום عالم 日本語 🚀",
)


def job(number: int = 0, /, **fields: object) -> ShownJob:
    """Return a job in the middle of its training; `fields` override its attributes."""
    settled = bool(fields.pop("settled", False))
    values: dict[str, object] = {
        "account": "123456789012",
        "region": "us-east-1",
        "name": f"job-{number:05}",
        "status": "InProgress",
        "secondary_status": "Training",
        "created": NOW - 4000 - number,
        "started": NOW - 3600,
        "modified": NOW - 10,
        "instances": (Instances("ml.p4d.24xlarge", "", 2),),
        "spot": True,
        "transitions": phases(("Starting", 120.0), ("Downloading", 60.0), ("Training", 3420.0)),
        # Without the two minutes in which it had no instances.
        "max_runtime_seconds": 7200.0 + 60.0 + 3420.0,
    }
    return ShownJob(TrainingJob(**(values | fields)), settled)  # type: ignore[arg-type]


def phases(*spans: tuple[str, float]) -> tuple[Transition, ...]:
    """Return successive transitions of these lengths in seconds, the last one ending now."""
    found, start = [], NOW - sum(seconds for _, seconds in spans)
    for status, seconds in spans:
        found.append(Transition(status, start, start + seconds))
        start += seconds
    return tuple(found)


def ordinary(jobs: int = 40) -> Status:
    """Return targets in every state, and jobs of every status."""
    statuses = ("InProgress", "Completed", "Failed", "Stopped", "Stopping", "Deleting", "Paused")
    errors = (
        ErrorRow("DescribeTrainingJob", "ThrottlingException", "Rate exceeded", NOW - 60, 12),
        ErrorRow("ListTrainingJobs", "AccessDenied", "not authorized", NOW - 7, 1),
    )
    rows = []
    for number in range(jobs):
        status = statuses[number % len(statuses)]
        ended = NOW - 50 if status in ("Completed", "Failed", "Stopped") else None
        region = "us-east-1" if number % 2 else "eu-west-1"
        rows.append(job(number, status=status, ended=ended, region=region, settled=number % 3 == 0))
    return Status(
        version="1.2.3",
        started=NOW - 93_784,
        now=NOW,
        ready=False,
        targets=(
            TargetRow("123456789012", "us-east-1", True, NOW - 12, NOW - 12, 1.34, 23, 840, None, NOW + 41),
            TargetRow(
                "210987654321", "eu-west-1", False, NOW - 7, NOW - 3700, 10.0, 3, 12, "5 of 12 read", None, errors
            ),
            TargetRow("", "", None),
            TargetRow("123456789012", "us-west-2", True, first_sync="page 3, back to 2026-10-30"),
        ),
        jobs=tuple(rows),
        shard="1 of 3",
        state=StateRow(NOW - 4, 2),
        config_loaded=NOW - 93_000,
        config_ok=False,
    )


def hostile() -> Status:
    """Return a status in which every text from elsewhere is hostile."""
    targets = tuple(
        TargetRow(text, text, False, NOW, NOW, 1.0, 1, 1, text, NOW, (ErrorRow(text, text, text, NOW, 3),))
        for text in HOSTILE
    )
    jobs = tuple(
        job(
            account=text,
            region=text,
            name=text,
            status=text,
            secondary_status=text + "!",
            failure_category=text + "?",
            instances=(Instances(text, "", 1),),
            transitions=phases((text, 60.0), ("Training", 60.0)),
        )
        for text in HOSTILE
    )
    text = HOSTILE[0]
    return Status(text, NOW - 5, NOW, True, targets, jobs, text, text)


def wordy() -> Status:
    """Return a status with the longest words that are usual."""
    started = {"created": NOW - 86_340, "started": NOW - 80_000}
    jobs = (
        job(1, name="pytorch-training-2026-11-24-06-00-00-000", secondary_status="DownloadingTrainingImage", **started),
        job(
            2, secondary_status="PreparingTrainingStack", instances=(Instances("ml.trn1n.32xlarge", "", 64),), **started
        ),
        job(3, status="Stopped", secondary_status="MaxWaitTimeExceeded", ended=NOW - 80_000, **started),
        job(
            4,
            status="Failed",
            failure_category="InternalServerError",
            ended=NOW - 80_000,
            tags=(("team", "recommendations"),),
        ),
        job(5, secondary_status="LaunchingMLInstances", waiting="insufficient_capacity", **started),
    )
    status = ordinary(0)
    last = status.targets[1]
    error = ErrorRow(
        "ListTrainingJobs", "UnrecognizedClientException", "the credentials are not valid here", NOW - 86_340, 1234
    )
    targets = (*status.targets, replace(last, errors=(*last.errors, error), failed={"InternalServerError": 1234}))
    rates = {("ml.p4d.24xlarge", "spot_training"): Rate(Fraction("25.25"), "USD")}
    return replace(status, jobs=tuple(replace(one, rates=rates) for one in jobs), targets=targets, owner_tag="team")


def full_job() -> JobStatus:
    """Return a running job with a value of everything that it can have."""
    one = job(
        name="bert",
        transitions=(
            Transition("Starting", NOW - 3600, NOW - 3000, "Launching requested ML instances"),
            Transition("Training", NOW - 3000, None, "Training image download completed"),
        ),
        max_runtime_seconds=7200.0,
        max_wait_seconds=90_000.0,
        retry_max_attempts=3.0,
        training_image="repo/image:1",
        algorithm_name="xgboost",
        input_mode="FastFile",
        volume_gib=100.0,
        tags=(("team", "vision"),),
        cost_tags=(("project", "rank"),),
        hyperparameters=(("epochs", "3"),),
        tuning_job="tuner",
        experiment="exp",
        trial="trial-1",
        vpc=True,
        network_isolation=False,
        final_metrics=(FinalMetric("val:acc", 0.912345678, NOW - 60), FinalMetric("odd", float("nan"), None)),
        rules=(Rule("debugger", "LossNotDecreasing", "InProgress"),),
    )
    found = replace(
        one,
        rates={("ml.p4d.24xlarge", "spot_training"): Rate(Fraction(25), "USD")},
        utilization=Utilization(NOW - 120, {"cpu": (("algo-1", 0.5),), "gpu": (("algo-1", 0.25), ("algo-2", 0.75))}),
        algorithm={"train:loss": Emitted(0.125, NOW - 90)},
    )
    return JobStatus("1", NOW, one.job.account, one.job.region, one.job.name, found)
