"""What the board shows of CloudWatch for a target whose region becomes another one."""

from __future__ import annotations

from exporter.catalogue import GROUPS
from exporter.cloudwatch import display
from exporter.cloudwatch.readings import Readings
from exporter.exposition.board import Board
from tests.e2e.exposed import Exposed

UP = "sagemaker_exporter_source_up"
REQUESTED = "sagemaker_exporter_cloudwatch_metrics_requested_total"


async def test_a_target_that_is_not_polled_any_more_leaves_nothing() -> None:
    board = Board(GROUPS)
    for target in (("1", "us-east-1"), ("1", "eu-west-1")):
        display.TargetDisplay(board, target).state(Readings(0.0, requested=7, up=True))
    display.forget(board, ("1", "us-east-1"))
    shown = Exposed(b"".join([piece async for piece in board.metrics(False, False)]).decode())
    assert shown.by(UP, "aws_region") == {("eu-west-1",): 1}
    assert shown.by(REQUESTED, "aws_region") == {("eu-west-1",): 7}
