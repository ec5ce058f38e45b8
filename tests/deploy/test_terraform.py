"""Test the Terraform modules: their references resolve, and their policies equal those of deploy/iam."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from cfnlint.decode.cfn_yaml import load

from tests.deploy import terraform
from tests.deploy.terraform import Module
from tests.prometheus import ROOT

TERRAFORM = ROOT / "deploy/terraform"
MODULES = {path.name: terraform.read(path) for path in sorted(TERRAFORM.iterdir()) if path.is_dir()}
ROLES = ("exporter-role", "reader-role")
# The attributes in the AWS provider's documentation that the modules use.
ARGUMENTS = {
    "aws_iam_role": {
        "name", "path", "description", "assume_role_policy", "permissions_boundary", "tags", "max_session_duration",
    },
    "aws_iam_role_policy": {"name", "role", "policy"},
    "aws_iam_instance_profile": {"name", "path", "role", "tags"},
    "aws_iam_policy_document": {"source_policy_documents", "statement"},
    "aws_eks_pod_identity_association": {"cluster_name", "namespace", "service_account", "role_arn", "tags"},
    "aws_cloudformation_stack_set": {
        "name", "description", "permission_model", "call_as", "capabilities", "template_body", "tags", "parameters",
        "auto_deployment", "operation_preferences",
    },
    "aws_cloudformation_stack_instances": {"stack_set_name", "call_as", "regions", "deployment_targets"},
}  # fmt: skip


def every(module: Module) -> dict[str, dict[str, Any]]:
    """Return the resources and data sources of a module by type and name."""
    return module.named("aws_") and {
        name.removeprefix("data."): block
        for name, block in module.blocks.items()
        if name.removeprefix("data.").startswith("aws_")
    }


def test_the_modules_are_there() -> None:
    assert set(MODULES) == {"exporter-role", "reader-role", "reader-stackset", "example"}


@pytest.mark.parametrize("name", MODULES)
def test_whatever_is_referred_to_exists_and_nothing_is_idle(name: str) -> None:
    module = MODULES[name]
    assert module.references() - module.blocks.keys() == set()
    declared = {block for block in module.blocks if block.startswith(("var.", "local.", "data."))}
    assert declared - module.references() == set()


@pytest.mark.parametrize("name", MODULES)
def test_every_input_and_output_says_what_it_is(name: str) -> None:
    module = MODULES[name]
    assert all(block["description"].endswith(".") and block["type"] for block in module.named("var.").values())
    outputs = module.named("output.")
    assert outputs
    assert all(block["description"].endswith(".") for block in outputs.values())


@pytest.mark.parametrize("name", [name for name in MODULES if name != "example"])
def test_the_provider_knows_every_argument(name: str) -> None:
    for block, content in every(MODULES[name]).items():
        assert terraform.arguments(content) <= ARGUMENTS[block.partition(".")[0]], block


@pytest.mark.parametrize("name", ROLES)
def test_the_policies_are_the_files_of_deploy_iam(name: str) -> None:
    module = MODULES[name]
    assert module.blocks["local.policies"]["value"] == "${path.module}/../../iam"
    folder = (module.path / "../../iam").resolve()
    features = re.findall(r'"([a-z]+)"', module.blocks["local.features"]["value"])
    chosen = {"describe", "tags", "search", "quotas", "cloudwatch"}
    assert set(features) == chosen
    read = [text for text in module.expressions if re.search(r"\bfile\(", text)]
    files = {found for text in read for found in re.findall(r"/([a-z-]+)\.json", text)} | set(features)
    expected = chosen | ({"assume-role", "prices"} if name == "exporter-role" else set())
    assert files == expected
    assert all((folder / f"{file}.json").is_file() for file in files)


def test_no_action_is_written_a_second_time() -> None:
    files = [(path, path.read_text()) for path in TERRAFORM.rglob("*.tf")]
    assert [path for path, text in files if re.search("(sagemaker|pricing|servicequotas|cloudwatch):[A-Z]", text)] == []


def test_a_reader_trusts_the_exporters_role_alone() -> None:
    trust = MODULES["reader-role"].blocks["data.aws_iam_policy_document.trust"]
    assert [statement["actions"] for statement in trust["statement"]] == [["sts:AssumeRole"], ["sts:TagSession"]]
    for statement in trust["statement"]:
        assert statement["principals"] == [{"type": "AWS", "identifiers": ["${var.exporter_role_arn}"]}]
    condition = trust["statement"][0]["dynamic"][0]["condition"]["content"][0]
    assert (condition["variable"], condition["test"]) == ("sts:ExternalId", "StringEquals")


def test_web_identity_is_bound_to_one_service_account() -> None:
    trust = MODULES["exporter-role"].blocks["data.aws_iam_policy_document.trust"]
    statements = {item["statement"]["content"][0]["sid"]: item["statement"]["content"][0] for item in trust["dynamic"]}
    assert set(statements) == {"Irsa", "PodIdentity", "Ec2"}
    conditions = {condition["variable"]: condition for condition in statements["Irsa"]["condition"]}
    assert set(conditions) == {"${local.issuer}:sub", "${local.issuer}:aud"}
    assert {condition["test"] for condition in conditions.values()} == {"StringEquals"}
    assert len(statements["PodIdentity"]["condition"]) == 2


def test_the_stack_set_gives_the_template_all_its_parameters() -> None:
    module = MODULES["reader-stackset"]
    stack_set = module.blocks["aws_cloudformation_stack_set.readers"]
    template = "${path.module}/../../cloudformation/reader-role.yaml"
    assert stack_set["template_body"] == f'${{file("{template}")}}'
    declared = load(str((module.path / "../../cloudformation/reader-role.yaml").resolve()))["Parameters"]
    assert stack_set["parameters"].keys() == declared.keys()
    defaults = {"ExternalId": "external_id", "RoleName": "role_name"}
    assert {key: declared[key]["Default"] for key in defaults} == {
        key: module.blocks[f"var.{variable}"]["default"] for key, variable in defaults.items()
    }


def test_the_example_calls_the_modules_as_they_want_to_be_called() -> None:
    calls = MODULES["example"].named("module.")
    assert len(calls) == 2
    for call in calls.values():
        called = MODULES[Path(call["source"]).name]
        assert (MODULES["example"].path / call["source"]).resolve() == called.path
        inputs = called.named("var.")
        assert terraform.arguments(call) <= inputs.keys()
        assert {name for name, block in inputs.items() if "default" not in block} <= call.keys()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("${var.a + local.b}", {"var.a", "local.b"}),
        ("${[for x in data.aws_iam_role.r : x.var.no]}", {"data.aws_iam_role.r"}),
        ("plain var.no ${module.m.out}/aws_iam_role.no", {"module.m"}),
    ],
)
def test_references_are_found_where_they_are(tmp_path: Path, text: str, found: set[str]) -> None:
    value = text[2:-1] if text.startswith("${") else f'"{text}"'
    (tmp_path / "main.tf").write_text(f"locals {{\n  here = {value}\n}}\n")
    assert terraform.read(tmp_path).references() == found
