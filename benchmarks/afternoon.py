"""Implement the exporter that one writes in an afternoon: boto3, a pool of threads, and labelled gauges."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from typing import Any

import boto3
from botocore.config import Config
from prometheus_client import CollectorRegistry, Gauge, start_http_server

from benchmarks import gauges
from benchmarks.children import REGION

_WORKERS = 20
_STATUSES = ("InProgress", "Completed", "Failed", "Stopping", "Stopped")
_TIMES = {
    "creation": "CreationTime",
    "training_start": "TrainingStartTime",
    "training_end": "TrainingEndTime",
    "last_modified": "LastModifiedTime",
}
_NUMBERS = {"training_seconds": "TrainingTimeInSeconds", "billable_seconds": "BillableTimeInSeconds"}
_NESTED = {
    "instances": ("ResourceConfig", "InstanceCount"),
    "volume_gb": ("ResourceConfig", "VolumeSizeInGB"),
    "max_runtime_seconds": ("StoppingCondition", "MaxRuntimeInSeconds"),
}
_INFO = ("instance_type", "training_image", "input_mode", "spot")


class Exporter:
    """Poll everything at once, with one describe for each running job."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        plain = (*(f"{name}_timestamp" for name in _TIMES), *_NUMBERS, *_NESTED)
        self._gauges = {name: self._gauge(name) for name in plain}
        self._info = self._gauge("info", *_INFO)
        self._status = self._gauge("status", "status")
        self._secondary = self._gauge("secondary_status", "secondary_status")
        self._phase = self._gauge("phase_seconds", "secondary_status")
        self._metric = self._gauge("final_metric", "metric_name")
        self._client: Any = boto3.client("sagemaker", REGION, config=Config(max_pool_connections=_WORKERS))
        self._pool = ThreadPoolExecutor(_WORKERS)

    def poll(self, spread: float = 0.0) -> int:
        """Poll once, with all threads at once or with one thread over this many seconds. Return the number of jobs."""
        pages = self._client.get_paginator("list_training_jobs").paginate(
            StatusEquals="InProgress", PaginationConfig={"PageSize": 100}
        )
        names = [job["TrainingJobName"] for found in pages for job in found["TrainingJobSummaries"]]
        for job in _spread(names, self._describe, spread) if spread else self._pool.map(self._describe, names):
            self._show(job)
        return len(names)

    def _describe(self, name: str) -> dict[str, Any]:
        answer: dict[str, Any] = self._client.describe_training_job(TrainingJobName=name)
        return answer

    def _show(self, job: dict[str, Any]) -> None:
        name = job["TrainingJobName"]
        for gauge, key in _TIMES.items():
            if key in job:
                self._gauges[f"{gauge}_timestamp"].labels(REGION, name).set(job[key].timestamp())
        for gauge, key in _NUMBERS.items():
            if key in job:
                self._gauges[gauge].labels(REGION, name).set(job[key])
        for gauge, (part, key) in _NESTED.items():
            if key in job.get(part, {}):
                self._gauges[gauge].labels(REGION, name).set(job[part][key])
        for status in _STATUSES:
            self._status.labels(REGION, name, status).set(status == job["TrainingJobStatus"])
        self._secondary.labels(REGION, name, job["SecondaryStatus"]).set(1)
        self._show_parts(name, job)

    def _show_parts(self, name: str, job: dict[str, Any]) -> None:
        resources, algorithm = job.get("ResourceConfig", {}), job.get("AlgorithmSpecification", {})
        self._info.labels(
            REGION,
            name,
            resources.get("InstanceType", ""),
            algorithm.get("TrainingImage", ""),
            algorithm.get("TrainingInputMode", ""),
            job.get("EnableManagedSpotTraining", ""),
        ).set(1)
        for phase in job.get("SecondaryStatusTransitions", ()):
            if "EndTime" in phase:
                seconds = (phase["EndTime"] - phase["StartTime"]).total_seconds()
                self._phase.labels(REGION, name, phase["Status"]).set(seconds)
        for metric in job.get("FinalMetricDataList", ()):
            self._metric.labels(REGION, name, metric["MetricName"]).set(metric["Value"])

    def _gauge(self, name: str, *labels: str) -> Gauge:
        names = ("region", "job_name", *labels)
        return Gauge(f"sagemaker_training_job_{name}", f"SageMaker training job {name}", names, registry=self.registry)


def _spread(names: list[str], describe: Callable[[str], dict[str, Any]], seconds: float) -> Iterator[dict[str, Any]]:
    began = time.monotonic()
    for number, name in enumerate(names):
        time.sleep(max(0.0, began + seconds * number / len(names) - time.monotonic()))
        yield describe(name)


def run(pipe: Connection) -> None:
    """Send the address for scrapes after the first poll. Then poll on each request, over the requested number of
    seconds, and send the cost."""
    began = time.perf_counter()
    exporter = Exporter()
    server, _ = start_http_server(0, "127.0.0.1", exporter.registry)
    exporter.poll()
    pipe.send({"port": server.server_port, "ready": time.perf_counter() - began})
    while True:
        seconds = float(pipe.recv())
        before = time.process_time()
        jobs = exporter.poll(seconds)
        pipe.send({"cpu": time.process_time() - before, "jobs": jobs, "memory": gauges.resident()})
