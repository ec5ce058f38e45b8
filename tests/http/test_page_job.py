"""Test the page of one job: its parts, what it leaves out, and that nothing but what is allowed is on it."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from aiohttp import ClientSession

from exporter.cloudwatch.families import Emitted, Utilization
from exporter.training.job import FinalMetric, Progress, Rule, Serverless, TrainingJob, Transition, WarmPool
from exporter.training.parsing import Allowlist, parse
from exporter.web.page import CONTENT_SECURITY_POLICY, JobQuery, JobStatus, ShownJob, render_job
from tests.http.fakes import NOW, FakeExporter, serving, status
from tests.http.pages import HOSTILE, full_job, job, phases
from tests.http.parsed import Page


def page_of(shown: ShownJob | None, query: JobQuery | None = None, root: str = "") -> Page:
    return Page(render_job(of(shown, root), query))


def of(shown: ShownJob | None, root: str = "") -> JobStatus:
    found = shown.job if shown else TrainingJob(account="123456789012", region="us-east-1", name="gone")
    return JobStatus("1", NOW, found.account, found.region, found.name, shown, root)


def test_a_running_job() -> None:
    text = page_of(full_job().found).text
    for expected in (
        "bert All jobs AWS console Logs in CloudWatch",
        "▶ InProgress Training us-east-1 · 123456789012",
        "Cost so far ≈ $41.67 estimated, before the spot discount",
        "Cost at most $100.00 if it runs as long as MaxRuntime allows",
        "Cost now $50.00 per hour",
        "Deadline in 1 h 10 min MaxRuntime",
        "GPUs busy 50%",
        "Starting 1 h ago 10 min Launching requested ML instances",
        "Training 50 min ago 50 min Training image download completed",
        "Image repo/image:1 Algorithm xgboost Input mode FastFile Instances 2 ml.p4d.24xlarge, spot",
        "Volume 100 GiB per instance Isolated network no VPC yes Hyperparameter epochs 3",
        "Who owns it Tag project rank Tag team vision Tuning job tuner Experiment exp Trial trial-1",
        "Created 2026-11-24 04:53:20 UTC, 1 h 6 min ago",
        "MaxRuntime 2 h, ends in 1 h 10 min MaxWait 1 d 1 h, ends in 23 h 53 min Retries 3 at most",
        "in the minute that began 2 min ago",
        "Host CPU GPU algo-1 50% 25% algo-2 unknown 75%",
        "train:loss 0.125 1 min 30 s ago",
        "val:acc 0.912346 1 min ago odd NaN unknown",
        "LossNotDecreasing debugger InProgress",
    ):
        assert expected in text, expected


def test_the_timeline_shows_each_phase_where_it_was() -> None:
    bars = [(a["class"], a["x"], a["width"]) for a in page_of(full_job().found).all("rect")]
    assert bars == [("wait", "0.00", "166.67"), ("train", "166.67", "833.33")]
    odd = (Transition("Starting", None, None), Transition("Training", NOW - 60, None))
    page = page_of(job(transitions=odd))
    assert [(a["x"], a["width"]) for a in page.all("rect")] == [("0.00", "0.00"), ("0.00", "1000.00")]
    assert "Starting unknown unknown" in page.text


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (
            {
                "status": "Failed",
                "secondary_status": "Failed",
                "failure_category": "ClientError",
                "failure_detail": "input",
            },
            "✗ Failed failed: ClientError",
        ),
        ({"status": "Failed", "failure_category": "ClientError", "failure_detail": "input"}, "Where to look input"),
        ({"status": "Failed", "failure_category": None}, "Failure Category unknown What it runs"),
        ({"status": "Failed", "failure_category": "Other", "failure_reason": "Because."}, "Reason Because."),
        ({"status": "Stopped", "secondary_status": "MaxRuntimeExceeded"}, "Stopped by max runtime"),
        (
            {"status": "Completed", "warm_pool": WarmPool("Available", 60.0, None), "keep_alive_seconds": 600.0},
            "Warm pool Available Warm pool billed 1 min",
        ),
        ({"status": "Completed", "warm_pool": WarmPool("Reused", 60.0, "next-job")}, "Warm pool reused by next-job"),
        (
            {"status": "Completed", "training_seconds": 100.0, "billable_seconds": 30.0},
            "Trained 1 min 40 s Billed per instance 30 s Saved by spot 70%",
        ),
        (
            {"secondary_status": "Starting", "started": None, "waiting": "pending"},
            "Waiting for 1 h 6 min pending",
        ),
        (
            {"instances": (), "serverless": Serverless("FineTuning", "SFT", "llama"), "progress": Progress(1, 3, 20)},
            "Instances serverless Serverless job FineTuning, SFT, llama Progress epoch 1 of 3, step 20",
        ),
        ({"billable_tokens": 1234567.0}, "Billed tokens 1,234,567"),
        ({"training_plan": "plan-a"}, "Training plan plan-a"),
    ],
)
def test_other_jobs(fields: dict[str, object], expected: str) -> None:
    assert expected in page_of(job(**fields)).text


def test_what_is_unknown_is_left_out_or_said_and_never_0() -> None:
    text = page_of(ShownJob(TrainingJob(account="1", region="r", name="new", status="InProgress"))).text
    assert "Cost so far no bill yet" in text
    assert "No phases are known yet." in text
    assert "None is known: it is read of jobs that hold instances" in text
    assert not re.search(r"\b0\b", text)


def test_nothing_is_shown_that_no_allowlist_permits() -> None:
    answer = {
        "TrainingJobName": "j",
        "TrainingJobStatus": "Failed",
        "SecondaryStatus": "Failed",
        "FailureReason": "AlgorithmError: SECRET",
        "HyperParameters": {"token": "SECRET"},
        "Environment": {"KEY": "SECRET"},
        "RoleArn": "arn:aws:iam::1:role/SECRET",
        "OutputDataConfig": {"S3OutputPath": "s3://SECRET"},
        "Tags": [{"Key": "team", "Value": "SECRET"}],
        "SecondaryStatusTransitions": [{"Status": "Failed", "StartTime": NOW, "StatusMessage": "failed: SECRET"}],
    }
    closed = parse(answer, "1", "r", Allowlist())
    assert closed is not None
    assert "SECRET" not in render_job(of(ShownJob(closed)))
    allowed = parse(answer, "1", "r", Allowlist(frozenset({"team"}), frozenset({"token"}), failure_reason_length=22))
    assert allowed is not None
    text = page_of(ShownJob(allowed)).text
    assert text.count("SECRET") == 4
    assert "arn:" not in text
    assert "s3:" not in text


def test_the_links_lead_to_the_console_and_the_logs_of_its_partition() -> None:
    def links(**fields: object) -> list[str]:
        return [a["href"] for a in page_of(job(1, **fields)).all("a") if a["href"].startswith("https:")]

    group = "$252Faws$252Fsagemaker$252FTrainingJobs"
    logs = f"logsV2:log-groups/log-group/{group}$3FlogStreamNameFilter$3Djob-00001$252F"
    assert links() == [
        "https://console.aws.amazon.com/sagemaker/home?region=us-east-1#/jobs/job-00001",
        f"https://console.aws.amazon.com/cloudwatch/home?region=us-east-1#{logs}",
    ]
    assert all(link.startswith("https://console.amazonaws.cn/") for link in links(region="cn-north-1"))
    assert all(link.startswith("https://console.amazonaws-us-gov.com/") for link in links(region="us-gov-west-1"))


def test_the_page_leads_back_and_refreshes_when_asked_to() -> None:
    links = [a["href"] for a in page_of(job(1)).all("a") if not a["href"].startswith("https:")]
    own = "job?account=123456789012&region=us-east-1&name=job-00001"
    assert links == ["./", f"{own}&refresh=30"]
    page = page_of(job(1), JobQuery("123456789012", "us-east-1", "job-00001", "30"), "/sm/")
    assert [a["href"] for a in page.all("a") if not a["href"].startswith("https:")] == ["/sm/", f"/sm/{own}"]
    assert [a["content"] for a in page.all("meta") if a.get("http-equiv") == "refresh"] == ["30"]


def test_a_job_that_is_not_tracked_has_a_page_that_says_so() -> None:
    assert "This job is not tracked: it does not exist in us-east-1 of account 123456789012" in page_of(None).text
    text = Page(render_job(replace(of(None), elsewhere=True), None)).text
    assert "This replica does not poll us-east-1 of account 123456789012; ask the one that does." in text


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_breaks_out_of_its_place(text: str) -> None:
    hostile = job(
        account=text,
        region=text,
        name=text,
        status=text,
        secondary_status=text + "!",
        training_image=text,
        failure_reason=text,
        tags=((text, text),),
        hyperparameters=((text, text),),
        rules=(Rule(text, text, text),),
        final_metrics=(FinalMetric(text, 1.0, None),),
        transitions=(Transition(text, NOW - 5, None, text),),
        warm_pool=WarmPool(text, None, text),
    )
    shown = replace(
        hostile,
        algorithm={text: Emitted(1.0, NOW)},
        utilization=Utilization(NOW, {"gpu": ((text, 1.0),)}),
    )
    html = render_job(of(shown))
    Page(html)
    html.encode()
    assert "\x00" not in html
    assert len(html) < 60_000


async def test_the_server_has_a_page_for_each_job() -> None:
    exporter = FakeExporter(
        shown=lambda: status(job(1, tags=(("team", "vision"),)), job(2, transitions=phases(("Starting", 9.0))))
    )
    async with serving(exporter) as port, ClientSession() as session:
        base = f"http://127.0.0.1:{port}"
        async with session.get(f"{base}/job?account=123456789012&region=us-east-1&name=job-00001") as answer:
            assert (answer.status, answer.content_type) == (200, "text/html")
            assert answer.headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
            assert "vision" in await answer.text()
        for query in ("?account=123456789012&region=us-east-1&name=gone", "?name=job-00001", ""):
            async with session.get(f"{base}/job{query}") as answer:
                assert answer.status == 404
                assert "This job is not tracked" in await answer.text()
