"""Test that alerts and runbooks match one to one, and that the queries and commands of runbooks work."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import botocore.session
import pytest
import yaml
from botocore import xform_name

from tests.deploy.rule_labels import mistakes
from tests.deploy.ruleset import ALERTS, FILES, FOLDER, RUNBOOKS, load
from tests.prometheus import Outcome

PAGES = {path.stem: path for path in RUNBOOKS.glob("*.md") if path.stem != "README"}
INDEX = (RUNBOOKS / "README.md").read_text()
HEADINGS = ["Meaning", "Impact", "How to look", "What to do", "How to tune or silence"]
# Options of the AWS CLI itself, not of a service.
_GLOBAL = {"--region", "--query"}


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def queries(text: str) -> list[str]:
    """Yield one query per line. Indented lines and closing brackets continue a query."""
    return [query for block in blocks(text, "promql") for query in re.split(r"\n(?![ )]|$)", block)]


def commands(text: str) -> list[str]:
    return [line for block in blocks(text, "sh") for line in block.splitlines() if line.startswith("aws ")]


def test_each_alert_has_its_runbook_and_each_runbook_its_alert() -> None:
    assert PAGES.keys() == ALERTS.keys()


@pytest.mark.parametrize("alert", PAGES)
def test_all_runbooks_are_built_alike(alert: str) -> None:
    text = PAGES[alert].read_text()
    assert re.findall(r"^# (.*)", text, re.MULTILINE) == [alert]
    assert re.findall(r"^## (.*)", text, re.MULTILINE) == HEADINGS
    assert min(len(section.strip()) for section in re.split(r"^## .*\n", text, flags=re.MULTILINE)) > 20
    assert len(text.splitlines()) < 80
    assert len(queries(text)) > 0


@pytest.mark.parametrize("alert", PAGES)
def test_the_queries_name_what_the_exporter_has(alert: str) -> None:
    found = [mistake for query in queries(PAGES[alert].read_text()) for mistake in mistakes(query)]
    assert found == []


@pytest.mark.parametrize("alert", PAGES)
def test_the_commands_are_ones_that_aws_knows(alert: str) -> None:
    for command in commands(PAGES[alert].read_text()):
        _, service, operation, *options = shlex.split(command)
        if (service, operation) == ("logs", "tail"):
            continue
        model = botocore.session.get_session().get_service_model(service)
        (name,) = [name for name in model.operation_names if xform_name(name, "-") == operation]
        shape: Any = model.operation_model(name).input_shape
        members = {f"--{xform_name(member, '-')}" for member in (shape.members if shape else ())}
        required = {f"--{xform_name(member, '-')}" for member in (shape.required_members if shape else ())}
        given = {option for option in options if option.startswith("--")}
        assert given - members - _GLOBAL == set(), command
        assert required <= given, command
        assert "--region" in given, command


def test_the_rule_that_takes_a_tag_for_the_model_works(promtool: Callable[..., Outcome], tmp_path: Path) -> None:
    expr = queries(PAGES["SageMakerTrainingFinalMetricRegressed"].read_text())[-1]
    record = "job:sagemaker_training_job_final_metric:max"
    job = 'aws_account_id="1", aws_region="eu-west-1", job_name="{}"'
    series = {
        "sagemaker_training_job_final_metric": ', metric_name="validation:loss"',
        "sagemaker_training_job_status": ', status="Completed"',
        "sagemaker_training_job_tags": ', tag_model="fraud"',
    }
    given = [f"{name}{{{job.format('nightly')}{more}}}" for name, more in series.items()]
    # A job without the tag has no model.
    given += [each.replace("nightly", "untagged") for each in given[:2]]
    found = f'{record}{{{job.format("nightly")}, metric_name="validation:loss", model="fraud"}}'
    check = {"expr": record, "eval_time": "1m", "exp_samples": [{"labels": found, "value": 1}]}
    case = {
        "interval": "1m",
        "input_series": [{"series": each, "values": "1 1 1"} for each in given],
        "promql_expr_test": [check],
    }
    rules = {"groups": [{"name": "models", "rules": [{"record": record, "expr": expr}]}]}
    (tmp_path / "model.yml").write_text(yaml.safe_dump(rules))
    (tmp_path / "case.yml").write_text(yaml.safe_dump({"rule_files": ["model.yml"], "tests": [case]}))
    outcome = promtool("test", "rules", tmp_path / "case.yml")
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr


@pytest.mark.parametrize("page", [*PAGES.values(), RUNBOOKS / "README.md"], ids=lambda page: page.stem)
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)\)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_index_has_a_line_for_each_alert_with_its_severity() -> None:
    rows = re.findall(r"^\| \[(\w+)\]\((\w+)\.md\) \| (\w+) \|", INDEX, re.MULTILINE)
    assert [name for name, link, _ in rows if name != link] == []
    assert {name: severity for name, _, severity in rows} == {
        name: rule["labels"]["severity"] for name, rule in ALERTS.items()
    }
    # What every installation has comes first, then a table for each profile; each in the order of its file.
    files = sorted(FILES, key=lambda file: file.parent != FOLDER)
    groups = [group for file in files for group in load(file)["groups"]]
    assert [name for name, *_ in rows] == [
        rule["alert"] for group in groups for rule in group["rules"] if "alert" in rule
    ]


def test_the_example_for_alertmanager_names_alerts_and_labels_that_there_are() -> None:
    (block,) = blocks(INDEX, "yaml")
    config = yaml.safe_load(block)
    receivers = {receiver["name"] for receiver in config["receivers"]}
    routes = [config["route"], *config["route"]["routes"]]
    assert {route["receiver"] for route in routes} == receivers
    inhibitions = config["inhibit_rules"]
    assert len(inhibitions) == 3
    sides = [side for rule in inhibitions for side in (rule["source_matchers"], rule["target_matchers"])]
    for matcher in [m for side in sides for m in side] + config["route"]["routes"][0]["matchers"]:
        found = re.fullmatch(r'alertname (=|=~) "(.+)"', matcher)
        assert found, matcher
        assert [alert for alert in ALERTS if re.fullmatch(found[2], alert)], matcher


def inhibitions() -> list[tuple[set[str], set[str], set[str]]]:
    """Return, for each inhibition, its sources, its targets and the labels that must be equal."""
    (block,) = blocks(INDEX, "yaml")
    rules = yaml.safe_load(block)["inhibit_rules"]
    sides = [[rule["source_matchers"][0], rule["target_matchers"][0]] for rule in rules]
    named = [[{name for name in ALERTS if re.fullmatch(side.split('"')[1], name)} for side in both] for both in sides]
    return [(source, target, set(rule.get("equal", ()))) for (source, target), rule in zip(named, rules, strict=True)]


def labelled(alert: str) -> set[str]:
    return set(re.findall(r"\$labels\.(\w+)", ALERTS[alert]["annotations"]["description"]))


def test_what_inhibits_has_the_labels_that_must_be_equal() -> None:
    assert [name for sources, _, equal in inhibitions() for name in sources if not equal <= labelled(name)] == []


def test_a_target_that_is_down_inhibits_every_alert_on_its_jobs() -> None:
    place = {"aws_account_id", "aws_region"}
    (inhibited,) = [targets for sources, targets, _ in inhibitions() if sources == {"SageMakerExporterTargetDown"}]
    assert {name for name in ALERTS if name.startswith("SageMakerTraining") and place <= labelled(name)} <= inhibited
