"""Test that no query breaks when several instances are scraped: what all show is aggregated before it is joined."""

from __future__ import annotations

import re
from collections.abc import Iterator

import promql_parser
import pytest

from exporter.catalogue import CATALOGUE
from tests.deploy import boards
from tests.deploy.boards import ALL_PANELS
from tests.deploy.ruleset import expressions
from tests.deploy.test_grafana_queries import QUERIES
from tests.docs.markdown import documents


def separate(block: str) -> list[str]:
    """Return the queries of a block, without comments. What is indented, operators and brackets continue a query."""
    lines = "\n".join(line for line in block.splitlines() if line.strip() and not line.startswith("#"))
    return re.split(r"\n(?![ )]|[-*/]|or )", lines)


# Every replica shows these, whichever targets it holds.
SHOWN_BY_ALL = {
    family.name
    for family in CATALOGUE
    if "aws_account_id" not in family.label_names and not family.name.startswith("sagemaker_exporter_")
}
EVERYWHERE = [
    *(pytest.param(expr, id=rule) for rule, expr in expressions()),
    *(pytest.param(boards.filled(each.expr, {**ALL_PANELS, "job": "a"}), id=each.where) for each in QUERIES),
    *(
        pytest.param(boards.filled(query, ALL_PANELS), id=f"{document.name}:{block.line}")
        for document in documents()
        for block in document.blocks
        if block.language == "promql"
        for query in separate(block.text)
    ),
]


def ambiguous(node: promql_parser.Expr, joined: bool = False) -> Iterator[str]:
    """Yield the families that every instance shows, and that are an operand of a join without an aggregation."""
    if isinstance(node, promql_parser.VectorSelector) and joined:
        yield from {node.name or ""} & SHOWN_BY_ALL
    if isinstance(node, promql_parser.AggregateExpr):
        joined = False
    elif isinstance(node, promql_parser.BinaryExpr):
        joined = joined or not any(isinstance(side, promql_parser.NumberLiteral) for side in (node.lhs, node.rhs))
    inner = [getattr(node, name) for name in ("expr", "lhs", "rhs", "vector_selector") if hasattr(node, name)]
    for each in (*inner, *getattr(node, "args", ())):
        yield from ambiguous(each, joined)


def test_the_prices_and_the_hardware_are_what_every_replica_shows() -> None:
    assert {
        "sagemaker_instance_price_per_hour",
        *(f"sagemaker_instance_{each}" for each in ("gpus", "vcpus", "memory_bytes")),
    } == SHOWN_BY_ALL


@pytest.mark.parametrize("expr", EVERYWHERE)
def test_what_several_instances_show_is_aggregated_before_it_is_joined(expr: str) -> None:
    assert list(ambiguous(promql_parser.parse(expr))) == []


@pytest.mark.parametrize(
    ("expr", "found"),
    [
        ("sum(x * on (instance_type) group_left () sagemaker_instance_gpus)", ["sagemaker_instance_gpus"]),
        ("x / on (a) (abs(sagemaker_instance_vcpus) + 1)", ["sagemaker_instance_vcpus"]),
        ("x * on (a) last_over_time(sagemaker_instance_gpus[5m])", ["sagemaker_instance_gpus"]),
        ("x * on (instance_type) group_left () max by (instance_type) (sagemaker_instance_gpus)", []),
        ("sagemaker_instance_price_per_hour * 24", []),
    ],
)
def test_a_join_that_breaks_would_have_been_found(expr: str, found: list[str]) -> None:
    assert list(ambiguous(promql_parser.parse(expr))) == found
