"""Build the rows of the `_info` families, whose labels describe a job."""

from __future__ import annotations

from collections.abc import Iterable

from exporter.exposition.family import Row
from exporter.training.job import TrainingJob


def _boolean(value: bool | None) -> str:
    return "" if value is None else str(value).lower()


def of_job(job: TrainingJob) -> Iterable[Row]:
    """Return the row of `sagemaker_training_job_info`: what the job runs, and what started it."""
    types = ",".join(sorted({i.type for i in job.instances}))
    values = (
        types,
        job.training_image,
        job.algorithm_name,
        job.input_mode,
        _boolean(job.spot),
        job.tuning_job,
        job.automl_job,
        job.labeling_job,
        job.experiment,
        job.trial,
        job.training_plan,
        *job.serverless,
    )
    # A summary of ListTrainingJobs has none of these fields: no sample instead of one with empty labels.
    return [(values, 1.0)] if any(values) else []


def security(job: TrainingJob) -> Iterable[Row]:
    """Return the row of the job's network isolation and encryption settings."""
    values = (
        _boolean(job.network_isolation),
        _boolean(job.inter_container_encryption),
        _boolean(job.vpc),
        _boolean(job.volume_kms),
        _boolean(job.output_kms),
    )
    return [(values, 1.0)] if any(values) else []


def waiting(job: TrainingJob) -> Iterable[Row]:
    """Return the row of what the job is waiting for."""
    return [((job.waiting,), 1.0)] if job.waiting else []


def failure(job: TrainingJob) -> Iterable[Row]:
    """Return the row of why the job failed."""
    if not job.failure_category:
        return []
    return [((job.failure_category, job.failure_detail, job.failure_reason), 1.0)]


def reused_by(job: TrainingJob) -> Iterable[Row]:
    """Return the row of the job that reused this job's warm pool."""
    return [((job.warm_pool.reused_by,), 1.0)] if job.warm_pool and job.warm_pool.reused_by else []
