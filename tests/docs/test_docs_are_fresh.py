"""Documents that must not drift from what they speak of."""

from __future__ import annotations

import re
from pathlib import Path

import botocore.session

from exporter import document

_ROOT = Path(__file__).parents[2]


def test_docs_metrics_is_what_the_catalogue_says() -> None:
    assert (_ROOT / "docs/metrics.md").read_text() == document.as_markdown() + "\n"


def test_every_field_of_the_api_is_fed_or_left_out_with_a_reason() -> None:
    model = botocore.session.get_session().get_service_model("sagemaker")
    answer = model.operation_model("DescribeTrainingJob").output_shape
    assert answer is not None
    fields = set(answer.members)
    rows = re.findall(r"^\| ([A-Z][\w, ]*) \| (.+) \|$", (_ROOT / "docs/fields.md").read_text(), re.MULTILINE)
    named = [name for row, _ in rows for name in row.split(", ")]
    assert set(named) == fields
    assert len(named) == len(set(named))
    assert all(reason.strip() for _, reason in rows)


def test_the_readme_opens_with_the_two_commands_and_its_links_lead_somewhere() -> None:
    readme = (_ROOT / "README.md").read_text()
    assert readme.index("make demo") < readme.index("make test") < readme.index("##")
    links = re.findall(r"\]\(([^)#]+)\)", readme)
    assert links
    assert [link for link in links if not link.startswith("http") and not (_ROOT / link).exists()] == []
