"""Test create, describe, stop, delete and tags: their effects on jobs, and their errors."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from exporter.simulator.clock import ManualClock
from exporter.simulator.errors import ApiError
from exporter.simulator.life import Group, WarmPool
from exporter.simulator.operations import OPERATIONS, Context, perform
from exporter.simulator.store import Consistency, Jobs
from exporter.simulator.truth import expected
from tests.simulator.conformity import model, problems

REQUEST: dict[str, Any] = {
    "TrainingJobName": "mine",
    "RoleArn": "arn:aws:iam::123456789012:role/execution",
    "AlgorithmSpecification": {"TrainingImage": "image:1", "TrainingInputMode": "File"},
    "OutputDataConfig": {"S3OutputPath": "s3://bucket/models"},
    "ResourceConfig": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 2, "VolumeSizeInGB": 30},
    "StoppingCondition": {"MaxRuntimeInSeconds": 86400},
    "Tags": [{"Key": "team", "Value": "vision"}],
}
SPOT = {"EnableManagedSpotTraining": True, "StoppingCondition": {"MaxWaitTimeInSeconds": 90000}}
LATER = 10**6


class Service:
    """Call the operations on one store at a time that the test sets; every response is checked against the model."""

    def __init__(self, consistency: Consistency | None = None) -> None:
        self.jobs = Jobs()
        self.clock = ManualClock()
        self.consistency = consistency or Consistency()

    def __call__(self, operation: str, **request: Any) -> dict[str, Any]:
        at = Context(self.jobs, "123456789012", "us-east-1", self.clock.time(), self.consistency)
        answer = perform(operation, request, at)
        shape = model().operation_model(operation).output_shape
        assert problems(shape.name, answer) == [] if shape else answer == {}
        return answer

    def create(self, **changes: Any) -> dict[str, Any]:
        return self("CreateTrainingJob", **{**REQUEST, **changes})

    def describe(self) -> dict[str, Any]:
        return self("DescribeTrainingJob", TrainingJobName="mine")


@pytest.fixture
def service() -> Service:
    return Service()


def test_a_job_lives_as_it_was_asked_for(service: Service) -> None:
    arn = "arn:aws:sagemaker:us-east-1:123456789012:training-job/mine"
    assert service.create() == {"TrainingJobArn": arn}
    new = service.describe()
    assert (new["TrainingJobStatus"], new["SecondaryStatus"]) == ("InProgress", "Starting")
    assert new["CreationTime"] == new["LastModifiedTime"] == service.clock.time()
    for name in ("RoleArn", "AlgorithmSpecification", "ResourceConfig", "StoppingCondition"):
        assert new[name] == REQUEST[name]
    service.clock.advance(LATER)
    assert service.describe()["TrainingJobStatus"] == "Completed"
    (life,) = service.jobs.all()
    assert expected(life).instances == {"ml.m5.xlarge": 2}


def test_a_spot_job_is_billed_less_than_it_trains(service: Service) -> None:
    service.create(**SPOT)
    service.clock.advance(LATER)
    answer = service.describe()
    assert 0 < answer["BillableTimeInSeconds"] < answer["TrainingTimeInSeconds"]


def test_a_job_with_keep_alive_gets_a_pool(service: Service) -> None:
    service.create(ResourceConfig={**REQUEST["ResourceConfig"], "KeepAlivePeriodInSeconds": 600})
    service.clock.advance(LATER)
    assert service.describe()["WarmPoolStatus"] == {
        "Status": "Terminated",
        "ResourceRetainedBillableTimeInSeconds": 600,
    }


def test_instance_groups_and_preferences(service: Service) -> None:
    group = {"InstanceType": "ml.c5.xlarge", "InstanceCount": 3, "InstanceGroupName": "loaders"}
    service.create(TrainingJobName="groups", ResourceConfig={"VolumeSizeInGB": 30, "InstanceGroups": [group]})
    wishes = [{"InstanceType": "ml.g5.xlarge"}, {"InstanceType": "ml.g5.2xlarge"}]
    service.create(ResourceConfig={"VolumeSizeInGB": 30, "InstanceCount": 2, "InstancePreferences": wishes})
    assert {life.name: life.groups for life in service.jobs.all()} == {
        "groups": (Group("ml.c5.xlarge", 3, "loaders"),),
        "mine": (Group("ml.g5.xlarge", 2),),
    }
    service.clock.advance(LATER)
    config = service.describe()["ResourceConfig"]
    assert (config["SelectedInstanceType"], config["SelectedInstanceCount"]) == ("ml.g5.xlarge", 2)


def test_a_serverless_job_has_progress_and_tokens(service: Service) -> None:
    base = "arn:aws:sagemaker:us-east-1:aws:hub-content/SageMakerPublicHub/Model/small/1.0.0"
    request = {name: value for name, value in REQUEST.items() if name != "ResourceConfig"}
    service("CreateTrainingJob", **request, ServerlessJobConfig={"BaseModelArn": base, "JobType": "FineTuning"})
    service.clock.advance(LATER)
    answer = service.describe()
    assert answer["ProgressInfo"]["CurrentStep"] == 100
    assert answer["BillableTokenCount"] > 0
    assert "BillableTimeInSeconds" not in answer


def test_the_run_time_limit_ends_a_job(service: Service) -> None:
    service.create(StoppingCondition={"MaxRuntimeInSeconds": 60})
    service.clock.advance(LATER)
    answer = service.describe()
    assert (answer["TrainingJobStatus"], answer["SecondaryStatus"]) == ("Stopped", "MaxRuntimeExceeded")
    assert answer["TrainingTimeInSeconds"] == 60


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"TrainingJobName": "-no"}, "trainingJobName.*regular expression"),
        ({"ResourceConfig": {"VolumeSizeInGB": 30}}, "ResourceConfig must name"),
        ({"EnableManagedSpotTraining": True}, "MaxWaitTimeInSeconds must be set"),
    ],
)
def test_requests_that_cannot_be(service: Service, changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ApiError, match=complaint):
        service.create(**changes)
    assert service.jobs.all() == ()


@pytest.mark.parametrize("member", ["TrainingJobName", "RoleArn", "OutputDataConfig", "StoppingCondition"])
def test_what_every_request_must_have(service: Service, member: str) -> None:
    request = {name: value for name, value in REQUEST.items() if name != member}
    with pytest.raises(ApiError, match=f"'{member[0].lower()}{member[1:]}'.*must not be null"):
        service("CreateTrainingJob", **request)


def test_a_name_is_taken_until_its_job_is_deleted(service: Service) -> None:
    service.create()
    service.clock.advance(LATER)
    with pytest.raises(ApiError, match="already exists") as caught:
        service.create()
    assert caught.value.code == "ResourceInUse"
    first = service.describe()["CreationTime"]
    service("DeleteTrainingJob", TrainingJobName="mine")
    with pytest.raises(ApiError, match="Requested resource not found"):
        service.describe()
    service.create()
    assert service.describe()["CreationTime"] == first + LATER
    assert len(service.jobs.all()) == 2


def test_stopping(service: Service) -> None:
    service.create()
    (life,) = service.jobs.all()
    service.clock.advance(life.phases[0].seconds + life.phases[1].seconds + 100)
    assert service("StopTrainingJob", TrainingJobName="mine") == {}
    answer = service.describe()
    assert (answer["TrainingJobStatus"], answer["SecondaryStatus"]) == ("Stopping", "Stopping")
    with pytest.raises(ApiError, match="is in status Stopping"):
        service("StopTrainingJob", TrainingJobName="mine")
    service.clock.advance(LATER)
    answer = service.describe()
    assert (answer["TrainingJobStatus"], answer["SecondaryStatus"]) == ("Stopped", "Stopped")
    on_instances = life.phases[1].seconds + 100 + life.stopping_seconds
    assert answer["TrainingTimeInSeconds"] == pytest.approx(on_instances, abs=1)
    with pytest.raises(ApiError, match="is in status Stopped"):
        service("StopTrainingJob", TrainingJobName="mine")


def test_stopping_before_there_are_instances(service: Service) -> None:
    service.create(ResourceConfig={**REQUEST["ResourceConfig"], "KeepAlivePeriodInSeconds": 600})
    service.clock.advance(1)
    service("StopTrainingJob", TrainingJobName="mine")
    service.clock.advance(LATER)
    answer = service.describe()
    assert answer["TrainingJobStatus"] == "Stopped"
    assert not {"TrainingStartTime", "TrainingEndTime", "TrainingTimeInSeconds", "WarmPoolStatus"} & set(answer)


def test_a_stopped_job_retains_no_pool(service: Service) -> None:
    service.create(ResourceConfig={**REQUEST["ResourceConfig"], "KeepAlivePeriodInSeconds": 600})
    service.clock.advance(1000)
    service("StopTrainingJob", TrainingJobName="mine")
    service.clock.advance(LATER)
    pool = {"Status": "Terminated", "ResourceRetainedBillableTimeInSeconds": 0}
    assert service.describe()["WarmPoolStatus"] == pool


def test_only_what_has_ended_and_holds_nothing_can_be_deleted(service: Service) -> None:
    service.create()
    with pytest.raises(ApiError, match="still in progress"):
        service("DeleteTrainingJob", TrainingJobName="mine")
    (life,) = service.jobs.all()
    service.jobs.replace(life, replace(life, pool=WarmPool(LATER), deleting_seconds=5))
    service.clock.advance(LATER / 2)
    with pytest.raises(ApiError, match="warm pool") as caught:
        service("DeleteTrainingJob", TrainingJobName="mine")
    assert caught.value.code == "ResourceInUse"
    service.clock.advance(LATER)
    service("DeleteTrainingJob", TrainingJobName="mine")
    assert service.describe()["TrainingJobStatus"] == "Deleting"
    with pytest.raises(ApiError, match="cannot be deleted"):
        service("DeleteTrainingJob", TrainingJobName="mine")
    service.clock.advance(5)
    assert service("ListTrainingJobs") == {"TrainingJobSummaries": []}


def test_tags(service: Service) -> None:
    arn = service.create()["TrainingJobArn"]
    added = [{"Key": "team", "Value": "language"}, {"Key": "project", "Value": "x"}]
    assert service("AddTags", ResourceArn=arn, Tags=added) == {"Tags": added}
    assert service("ListTags", ResourceArn=arn) == {"Tags": added}
    assert service("Search", Resource="TrainingJob")["Results"][0]["TrainingJob"]["Tags"] == added


@pytest.mark.parametrize(
    "arn",
    ["", "arn:aws:sagemaker:us-east-1:123456789012:model/x", "arn:aws:sagemaker:eu-west-1:123456789012:training-job/x"],
)
def test_arns_of_something_else(service: Service, arn: str) -> None:
    with pytest.raises(ApiError, match="ResourceArn is not"):
        service("ListTags", ResourceArn=arn)


@pytest.mark.parametrize("operation", ["DescribeTrainingJob", "StopTrainingJob", "DeleteTrainingJob"])
def test_a_job_that_is_not_there(operation: str) -> None:
    with pytest.raises(ApiError, match="Requested resource not found") as caught:
        Service()(operation, TrainingJobName="mine")
    assert caught.value.code == "ValidationException"
    with pytest.raises(ApiError) as caught:
        Service(Consistency(missing_code="ResourceNotFound"))(operation, TrainingJobName="mine")
    assert caught.value.code == "ResourceNotFound"
    with pytest.raises(ApiError, match=r"'trainingJobName'.*must not be null"):
        Service()(operation)


def test_operations_that_are_not_simulated(service: Service) -> None:
    with pytest.raises(ApiError, match="CreateModel is not simulated"):
        perform("CreateModel", {}, Context(service.jobs, "", "", 0, Consistency()))
    assert set(OPERATIONS) <= set(model().operation_names)
