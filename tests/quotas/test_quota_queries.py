"""The queries of docs/quotas.md answer what the document says."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.docs.markdown import documents
from tests.prometheus import ROOT, Outcome

Promtool = Callable[..., Outcome]
(DOCUMENT,) = [document for document in documents() if document.name == "docs/quotas.md"]
OF_TYPES, OF_ALL = [block.text.strip() for block in DOCUMENT.blocks if block.language == "promql"]
RULES = ROOT / "deploy/prometheus/sagemaker-recording.rules.yml"
SCRAPE = 'job="sagemaker-exporter",instance="exporter:9841"'
HERE, THERE = ('aws_account_id="123456789012",aws_region="us-east-1"', 'aws_account_id="1",aws_region="eu-west-1"')
SERIES = {
    f'sagemaker_training_instances{{{HERE},instance_type="ml.g5.xlarge",usage="training",{SCRAPE}}}': 9,
    f'sagemaker_training_instances{{{HERE},instance_type="ml.g5.xlarge",usage="spot_training",{SCRAPE}}}': 2,
    f'sagemaker_training_instances{{{HERE},instance_type="ml.g5.xlarge",usage="warm_pool",{SCRAPE}}}': 1,
    f'sagemaker_training_instances{{{THERE},instance_type="ml.g5.xlarge",usage="training",{SCRAPE}}}': 3,
    # Of this type no quota is known.
    f'sagemaker_training_instances{{{THERE},instance_type="ml.r5.large",usage="training",{SCRAPE}}}': 1,
    f'sagemaker_training_quota_instances{{{HERE},instance_type="ml.g5.xlarge",usage="training",{SCRAPE}}}': 10,
    f'sagemaker_training_quota_instances{{{HERE},instance_type="ml.g5.xlarge",usage="spot_training",{SCRAPE}}}': 8,
    f'sagemaker_training_quota_instances{{{HERE},instance_type="ml.g5.xlarge",usage="warm_pool",{SCRAPE}}}': 4,
    f'sagemaker_training_quota_instances{{{THERE},instance_type="ml.g5.xlarge",usage="training",{SCRAPE}}}': 12,
    f"sagemaker_training_quota_all_instances{{{HERE},{SCRAPE}}}": 44,
    f"sagemaker_training_quota_all_instances{{{THERE},{SCRAPE}}}": 16,
}
ANSWERS = {
    OF_TYPES: {
        f'{{{HERE},instance_type="ml.g5.xlarge",usage="training"}}': 0.9,
        f'{{{HERE},instance_type="ml.g5.xlarge",usage="spot_training"}}': 0.25,
        f'{{{HERE},instance_type="ml.g5.xlarge",usage="warm_pool"}}': 0.25,
        f'{{{THERE},instance_type="ml.g5.xlarge",usage="training"}}': 0.25,
    },
    OF_ALL: {f"{{{HERE}}}": 0.25, f"{{{THERE}}}": 0.25},
}


@pytest.mark.parametrize("query", ANSWERS)
def test_a_query_has_two_lines_at_most_and_is_right(query: str, promtool: Promtool, tmp_path: Path) -> None:
    assert len(query.splitlines()) <= 2
    samples = [{"labels": labels, "value": value} for labels, value in ANSWERS[query].items()]
    case: dict[str, Any] = {
        "interval": "1m",
        # A second exporter, as for a moment after a restart, has the same values.
        "input_series": [
            {"series": series.replace("exporter:9841", f"{pod}:9841"), "values": f"{value}x5"}
            for series, value in SERIES.items()
            for pod in ("exporter-1", "exporter-2")
        ],
        "promql_expr_test": [{"expr": query, "eval_time": "5m", "exp_samples": samples}],
    }
    (tmp_path / "case.test.yml").write_text(
        json.dumps({"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": [case]})
    )
    outcome = promtool("test", "rules", tmp_path / "case.test.yml")
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
