"""Implement `python -m exporter.simulator`, which runs the simulated API in a process of its own."""

from __future__ import annotations

import argparse
import asyncio
import re
from collections.abc import Callable, Sequence

from exporter.process import output, signals
from exporter.process.arguments import Parser, within
from exporter.process.stopping import handled, run
from exporter.simulator.clock import ScaledClock
from exporter.simulator.faults import mixture
from exporter.simulator.generator import DEMO_PACE, Plan, steady
from exporter.simulator.server import Simulator

# The largest factor of a speed or a duration; it only keeps out infinity.
_MOST = 1_000_000_000


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM. Return the exit status, 1 if the address cannot be bound."""
    try:
        options = _parser().parse_args(arguments)
        with signals.raising():
            run(lambda: _serve(options))
    except signals.Interrupted:
        return 0
    except OSError as error:
        host, port = options.listen_address
        output.complain(f"cannot listen on {host}:{port}: {error.strerror or error}")
        return 1
    except output.OutputError as error:
        output.complain(str(error))
        return 1
    return 0


async def _serve(options: argparse.Namespace) -> None:
    host, port = options.listen_address
    simulator = Simulator(
        clock=ScaledClock(options.speed),
        seed=options.seed,
        plan=Plan(jobs=options.jobs, pace=options.pace, strange=options.strange),
        accounts=options.accounts,
        regions=options.regions,
        faults=mixture(options.fault_rate, options.seed),
        host=host,
        port=port,
    )
    lives = tuple(steady(options.steady, simulator.clock.time() - 600))
    for account in options.accounts:
        for region in options.regions:
            simulator.store.add(account, region, *lives)
    ended = asyncio.Event()
    with handled(dict.fromkeys(signals.STOPPING, ended.set)):
        async with simulator:
            output.say(simulator.url)
            await ended.wait()


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        allow_abbrev=False,
        prog="python -m exporter.simulator",
        description="Run a simulated SageMaker API. When it is ready, it prints its URL, for AWS_ENDPOINT_URL.",
        epilog="The access key ID AKIA<account>TEST selects the account; any other selects the first of --accounts.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--listen-address", type=_address, default="127.0.0.1:0", metavar="HOST:PORT", help="port 0: any free one")
    add("--jobs", type=within(int, 0, 100_000), default=40, help="active jobs at a time, over all accounts and regions")
    add("--steady", type=within(int, 0, 1_000_000), default=0, help="jobs that never end, per account and region")
    add("--seed", type=int, default=0, help="seed of the random numbers; the same seed gives the same jobs")
    add("--speed", type=within(float, 1e-3, _MOST), default=1.0, help="how much faster than real time the clock runs")
    add("--pace", type=within(float, 1e-4, _MOST), default=DEMO_PACE, help="factor of the durations of jobs")
    add(
        "--accounts",
        type=_names("an account: 12 digits", r"\d{12}"),
        default="123456789012",
        help="account IDs of 12 digits, separated by commas",
    )
    add("--regions", type=_names("a region", r"[a-z]{2}(-[a-z]+)+-\d"), default="us-east-1", help="separated by commas")
    add("--fault-rate", type=within(float, 0, 1), default=0.0, help="share of responses that fail, 0 to 1")
    add("--strange", action="store_true", help="give some jobs unknown statuses")
    return parser


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65535 or not _can_be_asked_for(host):
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT")
    return host.strip("[]") or "127.0.0.1", int(port)


def _can_be_asked_for(host: str) -> bool:
    try:
        host.encode("idna")
    except UnicodeError:
        return False
    return True


def _names(kind: str, pattern: str) -> Callable[[str], tuple[str, ...]]:
    def parse(text: str) -> tuple[str, ...]:
        names = tuple(name.strip() for name in text.split(","))
        for name in names:
            if not re.fullmatch(pattern, name):
                raise argparse.ArgumentTypeError(f"{name!r} is not {kind}")
        return names

    return parse
