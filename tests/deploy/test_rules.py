"""Test that the rules are valid, use only existing metrics, and have test cases that pass in promtool."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from exporter.polling.api import THROTTLES
from tests.deploy.rule_labels import labels_of, mistakes
from tests.deploy.ruleset import ALERTS, CASES, FILES, FOLDER, RECORDS, REPOSITORY, RULES, expressions, load, selectors
from tests.prometheus import ROOT, Outcome

Promtool = Callable[..., Outcome]
SCRAPES = (FOLDER / "prometheus.example.yml", *sorted((ROOT / "deploy/compose").glob("prometheus*.yml")))
# Cases of hours or weeks, which promtool evaluates by the minute or hour.
LONG = {
    "recording",
    "recording-month",
    "recording-replicas",
    "SageMakerTrainingFailureRateHigh",
    "SageMakerTrainingFinalMetricRegressed",
    "SageMakerTrainingJobNearMaxRuntime",
    "SageMakerTrainingJobStuckPending",
    "SageMakerTrainingMonthlySpendHigh",
}


def _name(file: Path) -> str:
    return file.name.removesuffix(".test.yml")


def cases() -> Iterator[dict[str, Any]]:
    for file in CASES:
        yield from load(file)["tests"]


def test_there_is_each_rule_once() -> None:
    assert [str(file.relative_to(FOLDER)) for file in FILES] == [
        "jobs/sagemaker-jobs.rules.yml",
        "rates/sagemaker-rates.rules.yml",
        "sagemaker-alerting.rules.yml",
        "sagemaker-recording.rules.yml",
    ]
    assert len(RULES) == len(ALERTS) + len(RECORDS)
    assert len(ALERTS) >= 21
    assert len(RECORDS) >= 22


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_promtool_takes_the_rules(promtool: Promtool, file: Path) -> None:
    outcome = promtool("check", "rules", "--lint-fatal", file)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr


@pytest.mark.parametrize(
    "file",
    [pytest.param(file, marks=pytest.mark.long if _name(file) in LONG else ()) for file in CASES],
    ids=_name,
)
def test_promtool_finds_the_cases_right(promtool: Promtool, file: Path) -> None:
    outcome = promtool("test", "rules", file)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_has_cases_in_which_it_fires_and_in_which_it_does_not(alert: str) -> None:
    (file,) = [file for file in CASES if file.name == f"{alert}.test.yml"]
    tests = load(file)["tests"]
    checks = [check for test in tests for check in test["alert_rule_test"]]
    assert {check["alertname"] for check in checks} == {alert}
    assert {bool(check["exp_alerts"]) for check in checks} == {True, False}
    # One case in which the alert never fires, and one in which it resolves.
    fires = [[bool(check["exp_alerts"]) for check in test["alert_rule_test"]] for test in tests]
    assert any(not any(case) for case in fires)
    assert any(any(case) and not case[-1] for case in fires)


@pytest.mark.parametrize("record", RECORDS)
def test_a_recording_rule_has_a_case_with_samples(record: str) -> None:
    checks = [check for case in cases() for check in case.get("promql_expr_test", ())]
    assert [check for check in checks if check["expr"].startswith(record) and check["exp_samples"]]


@pytest.mark.parametrize("record", RECORDS)
def test_a_recording_rule_is_named_level_metric_operation(record: str) -> None:
    level, metric, operation = record.split(":")
    parts = "account|region|team|owner|type|spot|usage|category|secondary_status|status|job|model"
    assert re.fullmatch(f"({parts}|_)+", level)
    assert metric.startswith("sagemaker_training_")
    assert re.fullmatch(r"(max|sum|avg|month_start|month_to_date|(ratio|rate|increase|median|count)\d+[hd])", operation)


@pytest.mark.parametrize(("rule", "expr"), [*expressions()])
def test_a_rule_names_what_the_exporter_has(rule: str, expr: str) -> None:
    assert list(mistakes(expr)) == []


@pytest.mark.parametrize("file", CASES, ids=_name)
def test_the_cases_are_made_of_what_the_exporter_has(file: Path) -> None:
    series = [each["series"] for test in load(file)["tests"] for each in test["input_series"]]
    assert series
    assert [mistake for each in series for mistake in mistakes(each)] == []


def test_a_mistake_is_seen() -> None:
    assert list(mistakes('sagemaker_training_jobs_total{a="b"}')) == ["no metric sagemaker_training_jobs_total"]
    assert list(mistakes('sagemaker_training_job_status{state="training"}')) == [
        "sagemaker_training_job_status has no label state"
    ]
    assert list(mistakes('sum(rate(sagemaker_training_jobs_finished_total{status=~"Failed|Broken"}[5m]))')) == [
        "sagemaker_training_jobs_finished_total has no status ['Broken']"
    ]


def test_throttled_is_what_the_exporter_calls_so() -> None:
    (codes,) = re.findall(r'code=~"([^"]+)"', ALERTS["SageMakerExporterThrottled"]["expr"])
    assert sorted(codes.split("|")) == sorted(THROTTLES)


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_says_what_it_is_about_and_where_to_read_on(alert: str) -> None:
    rule = ALERTS[alert]
    assert re.fullmatch(r"SageMaker(Training|Exporter)[A-Z]\w+", alert)
    assert rule["labels"].keys() - {"owner"} == {"severity"}
    assert rule["labels"]["severity"] in {"critical", "warning", "info"}
    assert rule["annotations"].keys() == {"summary", "description", "runbook_url"}
    assert rule["annotations"]["runbook_url"] == f"{REPOSITORY}/blob/main/docs/runbooks/{alert}.md"
    assert len(rule["annotations"]["summary"]) < 120
    assert "\n" not in rule["annotations"]["description"]


def test_no_annotation_shows_what_may_be_secret() -> None:
    """The team is in a budget's alert only if totals.by_tags, an allowlist, names it."""
    texts = [text for rule in ALERTS.values() for text in rule["annotations"].values()]
    assert [text for text in texts if re.search(r"\breason\b|hyperparameter|\$labels\.tag(?!_team\b)", text)] == []


def test_an_alert_on_jobs_says_whose_they_are() -> None:
    """Alertmanager routes by `owner`. Quotas, prices and warm pools are of a whole account."""
    of_all = {"QuotaNearlyUsed", "Unpriced", "FailureRateHigh", "WarmPoolsIdle"}
    names = {name.removeprefix("SageMakerTraining") for name in ALERTS if name.startswith("SageMakerTraining")}
    owned = {
        name.removeprefix("SageMakerTraining")
        for name, rule in ALERTS.items()
        if re.search(r"\(owner\)|, owner\b", rule["expr"]) or "owner" in rule["labels"]
    }
    assert owned == names - of_all


def test_the_profile_of_rates_leaves_the_children_of_tuning_jobs_out() -> None:
    rules = [rule for group in load(FOLDER / "rates/sagemaker-rates.rules.yml")["groups"] for rule in group["rules"]]
    of_jobs = [each for rule in rules for each in selectors(rule["expr"]) if (each.name or "").startswith("job:")]
    described = [each for each in of_jobs if "tuning_job" in labels_of(each.name or "")]
    assert len(described) >= 8
    for each in described:
        assert [(m.name, m.value) for m in each.matchers.matchers if m.name == "tuning_job"] == [("tuning_job", "")], (
            each
        )


# Labels that a series may lack: an unknown account, a job without a team, a failure that nobody has classified.
OPTIONAL = {"owner", "tag_team", "category", "detail", "instance_type", "usage"}
_UNGUARDED = re.compile(r"\{\{-? *\$labels\.(\w+)")


@pytest.mark.parametrize("alert", ALERTS)
def test_a_text_shows_a_label_that_may_be_missing_only_where_it_is_there(alert: str) -> None:
    of_targets = {"aws_account_id"} if alert.startswith("SageMakerExporter") else set[str]()
    for text in ALERTS[alert]["annotations"].values():
        always = re.sub(r"\{\{ if .*?\{\{ end \}\}", "", text)
        shown = set(_UNGUARDED.findall(always))
        if alert == "SageMakerTrainingUnpriced":
            shown.discard("instance_type")
        assert not shown & (OPTIONAL | of_targets), text


def test_no_text_has_an_empty_label() -> None:
    """As promtool finds them in the cases, some of which lack every label that a series may lack."""
    checks = [check for case in cases() for check in case.get("alert_rule_test", ())]
    texts = [text for check in checks for alert in check["exp_alerts"] for text in alert["exp_annotations"].values()]
    assert len(texts) > 100
    gaps = re.compile(r"  | [.,:;)]|\(\)|^ | $|\b(of|in)( account| team)?([.,:;]|$)")
    assert [text for text in texts if gaps.search(text)] == []


@pytest.mark.parametrize("file", SCRAPES, ids=lambda file: file.name)
def test_the_scrape_is_named_so_that_a_dead_exporter_is_noticed(file: Path) -> None:
    found = re.search(r'job=~"([^"]+)"', ALERTS["SageMakerExporterDown"]["expr"])
    assert found
    (scrape,) = load(file)["scrape_configs"]
    assert re.fullmatch(found[1], scrape["job_name"])


def test_promtool_takes_the_example_with_all_rules(promtool: Promtool) -> None:
    outcome = promtool("check", "config", FOLDER / "prometheus.example.yml")
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    assert "3 rule files found" in outcome.stdout


def test_promtool_takes_what_the_example_shows_as_comments(promtool: Promtool, tmp_path: Path) -> None:
    text = (FOLDER / "prometheus.example.yml").read_text()
    bare = re.sub(r"^( *)#(?! \S)", r"\1", text, flags=re.MULTILINE)
    bare = bare.replace("/etc/prometheus", str(tmp_path)).replace('- "', f'- "{FOLDER}/')
    for name in ("sagemaker-exporter-ca.pem", "sagemaker-exporter-password"):
        (tmp_path / name).touch()
    file = tmp_path / "prometheus.yml"
    file.write_text(bare)
    outcome = promtool("check", "config", file)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr + bare
    config = load(file)
    assert config["scrape_configs"][0]["basic_auth"]["username"] == "prometheus"
    assert config["scrape_configs"][0]["tls_config"]["ca_file"].startswith(str(tmp_path))
    assert config["alerting"]["alertmanagers"]
