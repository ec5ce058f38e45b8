"""Test the exporter on moto's SageMaker, an independent implementation: it polls, and exports the job created there."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from exporter.app import App
from exporter.aws.client import Client, InFlight
from exporter.aws.rates import RateLimiters, RateLimits
from exporter.aws.sessions import AwsService, Sessions
from exporter.clock import SystemClock
from exporter.config import Config
from exporter.doctor.examination import examine
from exporter.doctor.report import markdown
from exporter.polling.api import Calls
from tests.e2e.exposed import Exposed

REGION = "us-east-1"
JOB: dict[str, Any] = {
    "TrainingJobName": "made-in-moto",
    "AlgorithmSpecification": {
        "TrainingImage": "683313688378.dkr.ecr.us-east-1.amazonaws.com/xgb:1",
        "TrainingInputMode": "File",
    },
    "RoleArn": "arn:aws:iam::123456789012:role/training",
    "OutputDataConfig": {"S3OutputPath": "s3://models/"},
    "ResourceConfig": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 2, "VolumeSizeInGB": 30},
    "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
    "Tags": [{"Key": "team", "Value": "vision"}],
}


@pytest.fixture
def moto(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Run a moto server, point the AWS settings at it, and return its URL."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    monkeypatch.setenv("AWS_ENDPOINT_URL_SAGEMAKER", url)
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", url)
    yield url
    server.stop()


async def test_a_job_of_moto_is_shown(moto: str) -> None:
    client = boto3.client("sagemaker", REGION, endpoint_url=moto)
    client.create_training_job(**JOB)
    answer = client.describe_training_job(TrainingJobName=JOB["TrainingJobName"])
    config = Config.model_validate({"targets": [{"regions": [REGION]}], "jobs": {"tags": ["team"]}})
    async with App.open(config, SystemClock()) as app:
        assert await app.once()
        metrics = Exposed(b"".join([piece async for piece in app.board.metrics(False, False)]).decode())
    who = {"aws_account_id": "123456789012", "aws_region": REGION, "job_name": "made-in-moto"}
    prefix = "sagemaker_training_job_"
    assert metrics.by(prefix + "status", "status", **who) == {(answer["TrainingJobStatus"],): 1}
    assert metrics.by(prefix + "instances", "instance_type", **who) == {("ml.m5.xlarge",): 2}
    assert metrics.value(prefix + "volume_size_bytes", **who) == 30 * 2**30
    assert metrics.value(prefix + "max_runtime_seconds", **who) == 3600
    assert metrics.by(prefix + "tags", "tag_team", **who) == {("vision",): 1}
    assert metrics.value(prefix + "creation_timestamp_seconds", **who) == answer["CreationTime"].timestamp()


async def test_cloudwatch_of_moto_answers_a_client_of_the_same_kind(moto: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """CloudWatch supports three protocols: the SDK has to choose the one with JSON responses."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDWATCH", moto)
    namespace, read, now = "/aws/sagemaker/TrainingJobs", "GetMetricData", datetime.now(UTC)
    metric = {"MetricName": "GPUUtilization", "Dimensions": [{"Name": "Host", "Value": "a-job/algo-1"}]}
    boto3.client("cloudwatch", REGION, endpoint_url=moto).put_metric_data(
        Namespace=namespace, MetricData=[{**metric, "Timestamp": now, "Value": 42.0}]
    )
    stat = {"Metric": {**metric, "Namespace": namespace}, "Period": 60, "Stat": "Average"}
    asked = {
        "MetricDataQueries": [{"Id": "q0", "MetricStat": stat}],
        "StartTime": now - timedelta(minutes=5),
        "EndTime": now + timedelta(minutes=5),
    }
    calls, clock = Calls(), SystemClock()
    async with Sessions(10.0, 10).client(AwsService("cloudwatch"), REGION, None, calls) as sdk:
        limiters = RateLimiters(RateLimits({(read,): 10.0}, 5, 10.0), clock)
        client = Client(sdk, calls, limiters, InFlight(5, 5), clock)
        answer = await client.call(read, asked, listing="MetricDataResults")
    (result,) = answer["MetricDataResults"]
    assert (result["Values"], result["StatusCode"]) == ([42.0], "Complete")
    assert abs(result["Timestamps"][0] - now.timestamp()) <= 60
    assert (dict(calls.requests), dict(calls.errors)) == ({read: 1}, {})


async def test_the_doctor_reads_moto_and_says_what_it_lacks(moto: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDWATCH", moto)
    boto3.client("sagemaker", REGION, endpoint_url=moto).create_training_job(**JOB)
    settings = Config.model_validate(
        {"targets": [{"regions": [REGION]}], "jobs": {"tags": ["team"]}, "cloudwatch": {"utilization": ["cpu"]}}
    )
    findings = await examine(settings, SystemClock())
    results = {reading.operation: bool(reading.done) for reading in findings.sections[0].readings}
    # Nothing serves prices and quotas there.
    missing = {"GetProducts", "ListServiceQuotas"}
    assert {operation for operation, done in results.items() if not done} == missing
    report = markdown(findings, settings)
    assert JOB["TrainingJobName"] not in report
    assert not findings.complete
