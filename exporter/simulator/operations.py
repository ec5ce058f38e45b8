"""Implement the operations of SageMaker: each maps a request, and the jobs of its account and region, to a response."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from exporter.simulator import creating, life
from exporter.simulator.answers import describe, tag_list
from exporter.simulator.casting import Casting
from exporter.simulator.errors import ApiError
from exporter.simulator.life import Life
from exporter.simulator.listing import list_training_jobs
from exporter.simulator.paging import constraint
from exporter.simulator.rng import seeded
from exporter.simulator.search import search
from exporter.simulator.store import Consistency, Jobs

Wire = dict[str, Any]

ARN = re.compile(r"arn:aws[a-z-]*:sagemaker:([a-z0-9-]*):(\d{12}):training-job/(.+)")


@dataclass(frozen=True, slots=True)
class Context:
    """The jobs, account, region and time of a request, and the pace of the jobs that it creates."""

    jobs: Jobs
    account: str
    region: str
    now: float
    consistency: Consistency
    seed: int = 0
    pace: float = 1.0


def create(request: Wire, at: Context) -> Wire:
    name = request.get("TrainingJobName", "")
    if namesake := at.jobs.find(name, at.now):
        raise ApiError(
            "ResourceInUse",
            "Training job names must be unique within an AWS account and region, and a training job "
            f"with this name already exists ({namesake.arn})",
        )
    rng = seeded(at.seed, at.account, at.region, name, at.now)
    born = creating.born(request, Casting(rng, at.now, at.account, at.region, at.pace))
    at.jobs.add(born)
    return {"TrainingJobArn": born.arn}


def list_jobs(request: Wire, at: Context) -> Wire:
    return list_training_jobs(request, at.jobs, at.now, at.consistency)


def describe_job(request: Wire, at: Context) -> Wire:
    return describe(_named(request, at), at.now)


def search_jobs(request: Wire, at: Context) -> Wire:
    return search(request, at.jobs, at.now, at.consistency)


def stop_job(request: Wire, at: Context) -> Wire:
    job = _named(request, at)
    at.jobs.replace(job, life.stop(job, at.now))
    return {}


def delete_job(request: Wire, at: Context) -> Wire:
    job = _named(request, at)
    at.jobs.replace(job, life.delete(job, at.now))
    return {}


def list_tags(request: Wire, at: Context) -> Wire:
    return {"Tags": tag_list(_by_arn(request, at))}


def add_tags(request: Wire, at: Context) -> Wire:
    job = _by_arn(request, at)
    tagged = replace(job, tags={**job.tags, **{tag["Key"]: tag["Value"] for tag in request.get("Tags", ())}})
    at.jobs.replace(job, tagged)
    return {"Tags": tag_list(tagged)}


OPERATIONS: Mapping[str, Callable[[Wire, Context], Wire]] = MappingProxyType(
    {
        "CreateTrainingJob": create,
        "ListTrainingJobs": list_jobs,
        "DescribeTrainingJob": describe_job,
        "Search": search_jobs,
        "StopTrainingJob": stop_job,
        "DeleteTrainingJob": delete_job,
        "ListTags": list_tags,
        "AddTags": add_tags,
    }
)


def perform(operation: str, request: Wire, at: Context) -> Wire:
    """Perform an operation and return its response. Raises ApiError, also for an operation that is not simulated."""
    if operation not in OPERATIONS:
        raise ApiError("UnknownOperationException", f"{operation} is not simulated.")
    at.jobs.grow(at.now)
    return OPERATIONS[operation](request, at)


def _named(request: Wire, at: Context) -> Life:
    name = request.get("TrainingJobName")
    if not isinstance(name, str):
        raise constraint("null", "trainingJobName", "Member must not be null")
    return _found(name, at)


def _by_arn(request: Wire, at: Context) -> Life:
    arn = ARN.fullmatch(request.get("ResourceArn", ""))
    if not arn or arn.groups()[:2] != (at.region, at.account):
        raise ApiError("ValidationException", "ResourceArn is not the ARN of a training job of this account.")
    return _found(arn[3], at)


def _found(name: str, at: Context) -> Life:
    job = at.jobs.find(name, at.now)
    if job is None:
        raise ApiError(at.consistency.missing_code, "Requested resource not found.")
    return job
