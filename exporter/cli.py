"""Commands and flags, named as other Prometheus exporters name them."""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import sys
from collections.abc import Callable, Sequence
from ipaddress import ip_address
from typing import Any

from exporter import __version__, demo, logs
from exporter.app import App
from exporter.catalogue import CATALOGUE
from exporter.clock import SystemClock
from exporter.config import Config, ConfigError, load
from exporter.exposition import catalogue_docs as document
from exporter.ledger.statefile import StateError
from exporter.service import Service, serve_until_stopped
from exporter.web import config as webconfig
from exporter.web.config import WebConfigFile
from exporter.web.listener import ListenError

_NAMES = frozenset(family.name for family in CATALOGUE)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; gives the exit code. What goes wrong is said in a line or two on standard error."""
    options = _parser().parse_args(arguments)
    logs.configure(options.log_level, options.log_format)
    try:
        return _COMMANDS[options.command](options)
    except (ConfigError, StateError, ListenError) as error:
        print(error, file=sys.stderr)
        return 1
    except BrokenPipeError:
        return 0


def _serve(options: argparse.Namespace) -> int:
    security = _security(options)
    service = Service(lambda: _load(options), SystemClock())
    asyncio.run(serve_until_stopped(service, options.web_enable_lifecycle, security, _announce(service.config)))
    return 0


def _check_config(options: argparse.Namespace) -> int:
    fine = _fine(options.file, lambda: load(options.file, os.environ, known_metrics=_NAMES))
    if options.web_config_file:
        fine = _fine(options.web_config_file, lambda: webconfig.check(options.web_config_file)) and fine
    return 0 if fine else 1


def _fine(file: str, check: Callable[[], object]) -> bool:
    """Whether nothing is wrong with a file; says so, or everything that is."""
    try:
        check()
    except ConfigError as error:
        print(error, file=sys.stderr)
        return False
    _say(f"{file}: OK")
    return True


def _once(options: argparse.Namespace) -> int:
    return 0 if asyncio.run(_poll_once(_load(options))) else 1


async def _poll_once(config: Config) -> bool:
    async with App.open(config, SystemClock()) as app:
        well = await app.once()
        async for piece in app.board.metrics(openmetrics=False, gzip=False):
            sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()
    return well


def _demo(options: argparse.Namespace) -> int:
    asyncio.run(_run_demo(options))
    return 0


async def _run_demo(options: argparse.Namespace) -> None:
    security = _security(options)
    async with demo.simulated(demo.Demo(options.jobs, options.seed, options.speed)) as clock:
        service = Service(lambda: demo.settings(_overrides(options)), clock)
        await serve_until_stopped(service, options.web_enable_lifecycle, security, _announce(service.config))


def _metrics(options: argparse.Namespace) -> int:
    _say(document.as_json() if options.format == "json" else document.as_markdown())
    return 0


_COMMANDS = {
    None: _serve,
    "check-config": _check_config,
    "once": _once,
    "demo": _demo,
    "metrics": _metrics,
}


def _security(options: argparse.Namespace) -> WebConfigFile | None:
    return WebConfigFile(options.web_config_file) if options.web_config_file else None


def _load(options: argparse.Namespace) -> Config:
    return load(options.config_file, os.environ, overrides=_overrides(options), known_metrics=_NAMES)


def _overrides(options: argparse.Namespace) -> dict[str, str]:
    flags = {"web.listen_address": options.web_listen_address, "web.telemetry_path": options.web_telemetry_path}
    return {key: value for key, value in flags.items() if value is not None}


def _announce(config: Config) -> Callable[[tuple[tuple[str, int], ...]], None]:
    def say(bound: tuple[tuple[str, int], ...]) -> None:
        host, port = bound[0]
        name = "localhost" if ip_address(host).is_unspecified else f"[{host}]" if ":" in host else host
        _say(f"metrics at http://{name}:{port}{config.web.telemetry_path}, status at http://{name}:{port}/")

    return say


def _say(text: str) -> None:
    print(text, flush=True)


def _dest(flag: str) -> str:
    return flag.lstrip("-").replace(".", "_").replace("-", "_")


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    for flag, settings in _FLAGS.items():
        common.add_argument(flag, dest=_dest(flag), **settings)
    parser = argparse.ArgumentParser(
        prog="sagemaker-exporter",
        description="Prometheus exporter for Amazon SageMaker training jobs.",
        parents=[common],
        allow_abbrev=False,
    )
    version = f"sagemaker-exporter, version {__version__} (python {platform.python_version()})"
    parser.add_argument("--version", action="version", version=version)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    inherited = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    for flag, settings in _FLAGS.items():
        inherited.add_argument(flag, dest=_dest(flag), **settings | {"default": argparse.SUPPRESS})
    check = commands.add_parser("check-config", help="say everything that is wrong with a configuration file")
    check.add_argument("file")
    check.add_argument(
        "--web.config.file",
        dest="web_config_file",
        metavar="FILE",
        default=argparse.SUPPRESS,
        help="check that one too, its certificates included",
    )
    commands.add_parser("once", help="poll every target once and print the metrics", parents=[inherited])
    demo_ = commands.add_parser("demo", help="run on a simulated SageMaker", parents=[inherited])
    demo_.add_argument("--jobs", type=int, default=40, help="jobs that are active at once, about (40)")
    demo_.add_argument("--seed", type=int, default=0, help="of the jobs' lives (0)")
    demo_.add_argument("--speed", type=float, default=1.0, help="how fast simulated time runs (1)")
    metrics = commands.add_parser("metrics", help="list every metric")
    metrics.add_argument("--format", choices=("markdown", "json"), default="markdown")
    return parser


_FLAGS: dict[str, dict[str, Any]] = {
    "--config.file": {"metavar": "FILE", "default": None, "help": "configuration; without it the defaults"},
    "--web.listen-address": {"metavar": "HOST:PORT", "default": None, "help": "where to listen (:9841)"},
    "--web.telemetry-path": {"metavar": "PATH", "default": None, "help": "where the metrics are (/metrics)"},
    "--web.config.file": {"metavar": "FILE", "default": None, "help": "TLS and basic auth, as in the exporter-toolkit"},
    "--web.enable-lifecycle": {"action": "store_true", "default": False, "help": "reload on POST /-/reload"},
    "--log.level": {"choices": logs.LEVELS, "default": "info", "help": "info by default"},
    "--log.format": {"choices": logs.FORMATS, "default": "logfmt", "help": "logfmt by default"},
}
