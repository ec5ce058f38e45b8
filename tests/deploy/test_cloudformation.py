"""Test the CloudFormation templates: lint, deployment to moto's IAM, equality with the policies of deploy/iam."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from cfnlint.api import lint, lint_file
from cfnlint.decode.cfn_yaml import load
from moto import mock_aws

from tests.prometheus import ROOT

TEMPLATES = ROOT / "deploy/cloudformation"
EXPORTER = "arn:aws:iam::123456789012:role/sagemaker-exporter-hub"
REGION = "eu-west-1"
FEATURES = [
    {},
    {"Search": "true"},
    {"Tags": "true"},
    {"Search": "true", "Tags": "true"},
    {"Quotas": "false"},
    {"CloudWatch": "true"},
]

Statement = dict[str, Any]


@pytest.fixture(autouse=True)
def aws() -> Iterator[None]:
    """Provide an empty AWS account."""
    with mock_aws():
        yield


def statements(feature: str) -> list[Statement]:
    document = json.loads((ROOT / f"deploy/iam/{feature}.json").read_text())
    assert isinstance(document["Statement"], list)
    return document["Statement"]


def deployed(template: str, **parameters: str) -> tuple[dict[str, Any], dict[str, list[Statement]]]:
    """Return the role that a stack of the template creates, and the statements of its policies by name."""
    cloudformation, iam = boto3.client("cloudformation", REGION), boto3.client("iam", REGION)
    cloudformation.create_stack(
        StackName="stack",
        TemplateBody=(TEMPLATES / template).read_text(),
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )
    stack = cloudformation.describe_stacks(StackName="stack")["Stacks"][0]
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    arn = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}["RoleArn"]
    name = arn.rpartition("/")[2]
    role = iam.get_role(RoleName=name)["Role"]
    assert role["Arn"] == arn
    policies = {
        policy: iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]["Statement"]
        for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]
    }
    return role, policies


def features(parameters: dict[str, str]) -> set[str]:
    return {
        key.lower() for key, value in {"Describe": "true", "Quotas": "true", **parameters}.items() if value == "true"
    }


@pytest.mark.parametrize("template", sorted(path.name for path in TEMPLATES.glob("*.yaml")))
def test_the_linter_has_nothing_to_say(template: str) -> None:
    assert lint_file(TEMPLATES / template) == []


def test_the_linter_would_say_something() -> None:
    broken = (TEMPLATES / "reader-role.yaml").read_text().replace("RoleName:", "RoleNames:")
    assert lint(broken)


@pytest.mark.parametrize("parameters", FEATURES)
def test_a_reader_may_do_what_the_policies_of_its_features_say(parameters: dict[str, str]) -> None:
    _, policies = deployed("reader-role.yaml", ExporterRoleArn=EXPORTER, **parameters)
    assert policies == {feature: statements(feature) for feature in features(parameters)}


@pytest.mark.parametrize("parameters", FEATURES)
def test_the_exporter_may_besides_assume_the_readers(parameters: dict[str, str]) -> None:
    _, policies = deployed("exporter-role.yaml", RunsOn="ec2", **parameters)
    own = {"assume-role", "prices"}
    assert policies == {feature: statements(feature) for feature in features(parameters) | own}


def test_without_readers_the_exporter_assumes_nothing() -> None:
    _, policies = deployed("exporter-role.yaml", RunsOn="ec2", ReaderRoleName="", Prices="false", Quotas="false")
    assert set(policies) == {"describe"}


def test_readers_can_be_those_of_one_organization() -> None:
    _, policies = deployed("exporter-role.yaml", RunsOn="ec2", ReaderRoleName="reader", OrganizationId="o-abcdefghij")
    statement = policies["assume-role"][0]
    assert statement["Resource"] == "arn:*:iam::*:role/reader"
    assert statement["Condition"] == {"StringEquals": {"aws:ResourceOrgID": "o-abcdefghij"}}


@pytest.mark.parametrize("external_id", ["", "8f14e45f-ceea"])
def test_only_the_exporter_may_assume_a_reader(external_id: str) -> None:
    role, _ = deployed("reader-role.yaml", ExporterRoleArn=EXPORTER, ExternalId=external_id)
    assume, tag = role["AssumeRolePolicyDocument"]["Statement"]
    assert [s["Principal"] for s in (assume, tag)] == [{"AWS": EXPORTER}] * 2
    assert [s["Action"] for s in (assume, tag)] == [["sts:AssumeRole"], ["sts:TagSession"]]
    asked = {"StringEquals": {"sts:ExternalId": external_id}} if external_id else None
    assert assume.get("Condition") == asked


@pytest.mark.parametrize(
    ("runs_on", "service", "actions"),
    [
        ("ec2", "ec2.amazonaws.com", ["sts:AssumeRole"]),
        ("pod-identity", "pods.eks.amazonaws.com", ["sts:AssumeRole", "sts:TagSession"]),
    ],
)
def test_the_exporters_role_is_for_what_it_runs_on(runs_on: str, service: str, actions: list[str]) -> None:
    role, _ = deployed("exporter-role.yaml", RunsOn=runs_on)
    (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert (statement["Principal"], statement["Action"]) == ({"Service": service}, actions)
    profiles = boto3.client("iam", REGION).list_instance_profiles_for_role(RoleName=role["RoleName"])
    assert len(profiles["InstanceProfiles"]) == (runs_on == "ec2")
    assert ("Condition" in statement) == (runs_on == "pod-identity")


@pytest.mark.parametrize(
    ("arn", "fits"),
    [
        (EXPORTER, True),
        ("arn:aws-us-gov:iam::123456789012:role/monitoring/exporter", True),
        ("arn:aws:iam::123456789012:user/somebody", False),
        ("123456789012", False),
        ("*", False),
    ],
)
def test_a_reader_trusts_a_role_and_nothing_wider(arn: str, fits: bool) -> None:
    pattern = load(str(TEMPLATES / "reader-role.yaml"))["Parameters"]["ExporterRoleArn"]["AllowedPattern"]
    assert (re.fullmatch(pattern, arn) is not None) is fits


def test_the_readme_names_every_feature_that_a_parameter_adds() -> None:
    readme = (TEMPLATES / "README.md").read_text()
    templates = [load(str(path)) for path in TEMPLATES.glob("*.yaml")]
    switches = {
        name
        for template in templates
        for name, parameter in template["Parameters"].items()
        if parameter.get("AllowedValues") == ["true", "false"]
    }
    assert len(switches) == 5
    assert [name for name in switches if f"`{name}`" not in readme] == []
