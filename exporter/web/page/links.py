"""Builds the links of the status page: to the pages of the exporter, the AWS console and the logs of a job."""

from __future__ import annotations

from urllib.parse import quote

from exporter.training.job import TrainingJob
from exporter.web.page.selection import JobQuery
from exporter.web.page.text import LONGEST, Whole

_LOG_GROUP = "/aws/sagemaker/TrainingJobs"


def of_job(root: str, job: TrainingJob) -> Whole:
    """Return the link to the page of a job. `root` is "" for a link relative to the page, or an absolute path."""
    return Whole(root + JobQuery(job.account, job.region, job.name[:LONGEST]).link())


def console(job: TrainingJob) -> Whole:
    """Return the URL of a job in the AWS console of its partition."""
    return Whole(f"{_console(job, 'sagemaker')}#/jobs/{_quoted(job.name[:LONGEST])}")


def logs(job: TrainingJob) -> Whole:
    """Return the URL of the log streams of a job in CloudWatch's console."""
    # The console escapes the fragment twice, with $ instead of % the second time.
    group, prefix = (_quoted(_quoted(text)).replace("%", "$") for text in (_LOG_GROUP, f"{job.name[:LONGEST]}/"))
    query = f"$3FlogStreamNameFilter$3D{prefix}"
    return Whole(f"{_console(job, 'cloudwatch')}#logsV2:log-groups/log-group/{group}{query}")


def _console(job: TrainingJob, service: str) -> str:
    domain = "console.aws.amazon.com"
    if job.region.startswith("cn-"):
        domain = "console.amazonaws.cn"
    elif job.region.startswith("us-gov-"):
        domain = "console.amazonaws-us-gov.com"
    return f"https://{domain}/{service}/home?region={_quoted(job.region[:LONGEST])}"


def _quoted(text: str) -> str:
    return quote(text, safe="", errors="replace")
