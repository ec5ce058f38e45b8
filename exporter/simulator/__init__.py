"""Simulate the SageMaker API for the demo and the tests."""

from exporter.simulator.answers import describe, search_record, summary
from exporter.simulator.clock import ManualClock, ScaledClock
from exporter.simulator.faults import Fault, Faults, Kind, mixture
from exporter.simulator.generator import Plan, steady
from exporter.simulator.life import Life
from exporter.simulator.pricing import Prices
from exporter.simulator.quotas import Quotas
from exporter.simulator.server import Simulator
from exporter.simulator.store import Consistency
from exporter.simulator.sts import Role
from exporter.simulator.truth import Expected, Totals, expected, total

__all__ = [
    "Consistency",
    "Expected",
    "Fault",
    "Faults",
    "Kind",
    "Life",
    "ManualClock",
    "Plan",
    "Prices",
    "Quotas",
    "Role",
    "ScaledClock",
    "Simulator",
    "Totals",
    "describe",
    "expected",
    "mixture",
    "search_record",
    "steady",
    "summary",
    "total",
]
