"""Runs the commands."""

from __future__ import annotations

import argparse
import os
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from ipaddress import ip_address
from types import MappingProxyType
from typing import Any

from exporter import demo, flags
from exporter.app import App
from exporter.aws.regions import known_regions
from exporter.catalogue import CATALOGUE, GROUPS
from exporter.clock import Clock, SystemClock
from exporter.config import Config, ConfigError, Problem, load
from exporter.config.database import place_name
from exporter.config.watched import WatchedFile
from exporter.doctor.examination import examine
from exporter.doctor.report import markdown
from exporter.exposition import catalogue_docs as document
from exporter.ledger.copying import copy
from exporter.ledger.opening import open_for_copying
from exporter.ledger.store import StoreError
from exporter.prices import files as price_files
from exporter.process import logs, output, signals
from exporter.process.logs import Log
from exporter.process.output import OutputError, ReaderGoneError
from exporter.process.stopping import run, until_stopped
from exporter.service import Service
from exporter.serving import serve_until_stopped
from exporter.web import config as webconfig
from exporter.web.config import WebConfigFile
from exporter.web.listener import ListenError

_log = Log(__name__)
_NAMES = frozenset(family.name for family in CATALOGUE)
_NOTHING: Mapping[str, object] = MappingProxyType({})
# Commands that run until a signal stops them: for these, a signal is a success.
_SERVING = (None, "demo")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return the exit code. Errors are printed as a line or two on standard error."""
    try:
        options = flags.parser().parse_args(arguments)
        logs.configure(options.log_level, options.log_format)
        return _run(options)
    except ReaderGoneError:
        # `sagemaker-exporter metrics | head` is not a failure.
        return 0
    except OutputError as error:
        output.complain(str(error))
    return 1


def _run(options: argparse.Namespace) -> int:
    try:
        with signals.raising():
            return _COMMANDS[options.command](options)
    except signals.Interrupted as ended:
        if options.command in _SERVING:
            return 0
        output.complain(f"{options.command}: stopped by {ended.name}")
        return ended.status
    except OutputError:
        raise
    except (ConfigError, StoreError, ListenError) as error:
        output.complain(str(error))
    except Exception as error:  # noqa: BLE001
        _report_bug(error, options.log_level == "debug")
    return 1


def _report_bug(error: Exception, verbose: bool) -> None:
    """Print an unexpected exception without its message, which may contain secrets."""
    hint = "" if verbose else "; --log.level=debug shows where"
    output.complain(f"internal error ({type(error).__name__}), please report it{hint}")
    if verbose:
        output.complain("".join(traceback.format_tb(error.__traceback__)).rstrip())


def _serve(options: argparse.Namespace) -> int:
    security = _security(options)
    clock = SystemClock()
    file = _watched(options, clock, lambda: _load(options))
    service = Service(file.load, clock)
    announce = _announce(service.config, security, options.log_format)
    run(lambda: serve_until_stopped(service, options.web_enable_lifecycle, security, announce, file))
    return 0


def _check_config(options: argparse.Namespace) -> int:
    read: list[Config] = []
    fine = _fine(options.file, lambda: read.append(_read(options.file, _warn_on_standard_error)))
    if prices := next((config.prices.file for config in read), ""):
        fine = _fine(prices, lambda: _check_prices(prices)) and fine
    if options.web_config_file:
        fine = _fine(options.web_config_file, lambda: webconfig.check(options.web_config_file)) and fine
    return 0 if fine else 1


def _check_prices(file: str) -> None:
    """Check a price file. Raises ConfigError with all of its problems."""
    if wrong := price_files.problems(file, price_files.read(file)):
        raise ConfigError(wrong)


def _fine(file: str, check: Callable[[], object]) -> bool:
    """Check a file; print its problems or OK, and return whether it has none."""
    try:
        check()
    except ConfigError as error:
        output.complain(str(error))
        return False
    output.say(f"{file}: OK")
    return True


def _once(options: argparse.Namespace) -> int:
    config = _load(options)
    well, metrics = run(lambda: until_stopped(_poll_once(config)))
    # Written outside of the event loop, so that a signal interrupts a write that blocks.
    output.write(metrics)
    return 0 if well else 1


async def _poll_once(config: Config) -> tuple[bool, list[bytes]]:
    async with App.open(config, SystemClock()) as app:
        well = await app.once()
        return well, [piece async for piece in app.board.metrics(openmetrics=False, gzip=False)]


def _doctor(options: argparse.Namespace) -> int:
    # Debug lines name accounts and jobs, and the log is likely to be published together with the report.
    logs.configure("error", options.log_format)
    config = _read(options.config_file, _warn_on_standard_error)
    if config.prices.file:
        _check_prices(config.prices.file)
    findings = run(lambda: until_stopped(examine(config, SystemClock())))
    output.say(markdown(findings, config))
    return 0 if findings.complete else 1


def _demo(options: argparse.Namespace) -> int:
    run(lambda: _run_demo(options))
    return 0


async def _run_demo(options: argparse.Namespace) -> None:
    security = _security(options)
    async with demo.simulated(demo.Demo(options.jobs, options.seed, options.speed)) as clock:
        file = _watched(options, clock, lambda: demo.own_targets(_load(options, demo.SETTINGS)))
        service = Service(file.load, clock)
        await demo.refuse_real_totals(service.config.state.path, service.config.state.url, clock)
        announce = _announce(service.config, security, options.log_format)
        await serve_until_stopped(service, options.web_enable_lifecycle, security, announce, file)


def _copy_state(options: argparse.Namespace) -> int:
    places = (("--from", options.source, None), ("--to", options.destination, SystemClock().time()))
    with ExitStack() as stack:
        source, destination = (
            stack.enter_context(open_for_copying(place, place_name(flag, place), options.password_file, created))
            for flag, place, created in places
        )
        copied = copy(source, destination)
    output.say(f"copied {copied.records} jobs and the totals of {copied.targets} targets")
    return 0


def _metrics(options: argparse.Namespace) -> int:
    output.say(document.as_json(GROUPS) if options.format == "json" else document.as_markdown(GROUPS))
    return 0


_COMMANDS = {
    None: _serve,
    "check-config": _check_config,
    "once": _once,
    "doctor": _doctor,
    "demo": _demo,
    "metrics": _metrics,
    "state": _copy_state,
}


def _security(options: argparse.Namespace) -> WebConfigFile | None:
    return WebConfigFile(options.web_config_file) if options.web_config_file else None


def _watched(options: argparse.Namespace, clock: Clock, load: Callable[[], Config]) -> WatchedFile:
    return WatchedFile(options.config_file, options.config_auto_reload_interval, clock, load)


def _load(options: argparse.Namespace, defaults: Mapping[str, object] = _NOTHING) -> Config:
    return _read(options.config_file, _warn_in_log, overrides=flags.overrides(options), defaults=defaults)


def _read(file: str | None, warn: Callable[[Problem], None], **options: Any) -> Config:
    return load(file, os.environ, known_metrics=_NAMES, known_regions=known_regions(), warn=warn, **options)


def _warn_in_log(problem: Problem) -> None:
    _log.warning("a setting may be wrong", **problem.fields)


def _warn_on_standard_error(problem: Problem) -> None:
    output.complain(f"warning: {problem}")


def _announce(
    config: Config, security: WebConfigFile | None, style: str
) -> Callable[[tuple[tuple[str, int], ...]], None]:
    """Return a function that prints the URLs of the addresses that the server is bound to."""
    scheme, web = "https" if security and security.tls() else "http", config.web

    def say(bound: tuple[tuple[str, int], ...]) -> None:
        for host, port in bound:
            name = "localhost" if ip_address(host).is_unspecified else f"[{host}]" if ":" in host else host
            root = f"{scheme}://{name}:{port}{web.prefix}"
            metrics, status = f"{root}{web.telemetry_path}", f"{root}/"
            if style == "json":
                # Container runtimes merge standard output and error, and a JSON log must have no other lines.
                _log.info("listening", metrics=metrics, status=status)
                continue
            try:
                output.say(f"metrics at {metrics}, status at {status}")
            except OutputError as error:
                _log.warning("listening", metrics=metrics, status=status, reason=str(error))

    return say
