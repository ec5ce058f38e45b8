"""The queries of the documents that are asked of the demo, beside those of the dashboards."""

from __future__ import annotations

from tests.deploy.boards import Asked
from tests.docs.markdown import queries, read
from tests.prometheus import ROOT

# docs/totals.md and the runbooks have tests of their own.
DOCUMENTS = (
    "README.md",
    "docs/questions.md",
    "docs/queries.md",
    "docs/cloudwatch.md",
    "docs/quotas.md",
    "docs/prices.md",
)


def of_documents() -> list[Asked]:
    """Return each query with the document and the line that it stands in. `JOB` stands for the name of a job."""
    blocks = [
        (name, query)
        for name in DOCUMENTS
        for block in read(ROOT / name).blocks
        if block.language == "promql"
        for query in queries(block)
    ]
    return [
        Asked(f"{name}:{block.line}", block.text.strip().replace('job_name="JOB"', 'job_name="$job"'), instant=True)
        for name, block in blocks
    ]
