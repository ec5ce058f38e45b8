"""The commands and flags, with the names that other Prometheus exporters use."""

from __future__ import annotations

import argparse
import platform
from collections.abc import Mapping, Sequence
from typing import Any

from exporter import __version__
from exporter.config import duration
from exporter.process import logs
from exporter.process.arguments import Parser, parsed, single, within

_AFTER = "after_"
# The limits of the demo: one process cannot simulate and poll more.
_JOBS, _SPEED = (1, 10_000), (0.01, 100.0)
# What a command that polls takes, and what one that serves takes as well.
_FLAGS: dict[str, dict[str, Any]] = {
    "--config.file": {"metavar": "FILE", "default": None, "help": "configuration file (none: the defaults)"},
    "--log.level": {"choices": logs.LEVELS, "default": "info", "help": "lowest level to log (info)"},
    "--log.format": {"choices": logs.FORMATS, "default": "logfmt", "help": "format of the log (logfmt)"},
}
_SERVING_FLAGS: dict[str, dict[str, Any]] = {
    "--config.auto-reload-interval": {
        "type": parsed(duration.parse, "a duration such as 30s"),
        "metavar": "DURATION",
        "default": 0.0,
        "help": "how often to reload the configuration file if it has changed (0s: never)",
    },
    "--web.listen-address": {
        "action": "append",
        "metavar": "HOST:PORT",
        "default": None,
        "help": "address to listen on (:9841); may be repeated",
    },
    "--web.telemetry-path": {"metavar": "PATH", "default": None, "help": "path of the metrics (/metrics)"},
    "--web.external-url": {"metavar": "URL", "default": None, "help": "URL under which clients reach the exporter"},
    "--web.route-prefix": {
        "metavar": "PATH",
        "default": None,
        "help": "prefix of paths (that of the external URL)",
    },
    "--web.config.file": {"metavar": "FILE", "default": None, "help": "TLS and basic auth, as in the exporter-toolkit"},
    "--web.enable-lifecycle": {"action": "store_true", "default": False, "help": "enable reloads by POST /-/reload"},
}
# What a command takes of these flags besides those of the log; one that serves takes all.
_TAKEN: dict[str, tuple[str, ...]] = {
    "once": ("--config.file",),
    "doctor": ("--config.file",),
    "check-config": ("--web.config.file",),
    "metrics": (),
    "state": (),
}


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the parsed command line. Ends the process for a bad one, also for a flag before a command that does not
    take it."""
    found = parser()
    options = found.parse_args(arguments)
    if (taken := _TAKEN.get(options.command)) is not None:
        for flag, settings in (_FLAGS | _SERVING_FLAGS).items():
            given = getattr(options, _dest(flag)) != settings["default"]
            if given and flag not in taken and not flag.startswith("--log."):
                found.error(f"argument {flag}: means nothing with {options.command}")
    return options


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    once = single()
    common = Parser(add_help=False)
    for flag, settings in (_FLAGS | _SERVING_FLAGS).items():
        common.add_argument(flag, dest=_dest(flag), **{"action": once} | settings)
    found = Parser(
        prog="sagemaker-exporter",
        description="Prometheus exporter for Amazon SageMaker training jobs.",
        parents=[common],
        allow_abbrev=False,
    )
    version = f"sagemaker-exporter, version {__version__} (python {platform.python_version()})"
    found.add_argument("--version", action="version", version=version)
    commands = found.add_subparsers(dest="command", metavar="COMMAND")
    polling, serving = _after_a_command(_FLAGS, once), _after_a_command(_SERVING_FLAGS, once)
    check = commands.add_parser("check-config", help="report all problems of a configuration file")
    check.add_argument("file", metavar="FILE", help="the configuration file to check, and the price file that it names")
    check.add_argument(
        "--web.config.file",
        dest="web_config_file",
        action=once,
        metavar="FILE",
        default=argparse.SUPPRESS,
        help="also check this web configuration file and its certificates",
    )
    commands.add_parser("once", help="poll every target once and print the metrics", parents=[polling])
    configured = _after_a_command({"--config.file": _FLAGS["--config.file"]}, once)
    commands.add_parser("doctor", help="ask AWS everything once, and print a report to publish", parents=[configured])
    demo_ = commands.add_parser("demo", help="run with a simulated SageMaker API", parents=[polling, serving])
    demo_.add_argument("--jobs", type=within(int, *_JOBS), default=40, help="number of active jobs (40)")
    demo_.add_argument("--seed", type=int, default=0, help="seed of the simulation (0)")
    demo_.add_argument("--speed", type=within(float, *_SPEED), default=1.0, help="speed of simulated time (1)")
    state = commands.add_parser("state", help="copy totals from a state file to a database, or back")
    actions = state.add_subparsers(dest="action", metavar="ACTION", required=True)
    copy = actions.add_parser("copy", help="copy all totals to an empty place; stop the exporters first")
    place: dict[str, Any] = {"metavar": "PLACE", "required": True, "action": once}
    copy.add_argument("--from", dest="source", **place, help="path of a state file, or URL of a database")
    copy.add_argument("--to", dest="destination", **place, help="path of a new state file, or URL of an empty database")
    copy.add_argument(
        "--password-file", metavar="FILE", default="", help="password of the database (PGPASSWORD or a passfile)"
    )
    metrics = commands.add_parser("metrics", help="list all metrics")
    metrics.add_argument(
        "--format",
        choices=("markdown", "json"),
        default="markdown",
        help="markdown for docs/metrics.md, or json for programs (markdown)",
    )
    return found


def _after_a_command(flags: Mapping[str, Mapping[str, Any]], once: type[argparse.Action]) -> Parser:
    """Return a parent for the parser of a command: the same flags after the command.

    They have no defaults, which would override values from before the command. Lists have another name, since they
    would be replaced.
    """
    parent = Parser(add_help=False, argument_default=argparse.SUPPRESS)
    for flag, settings in flags.items():
        dest = (_AFTER if settings.get("action") == "append" else "") + _dest(flag)
        parent.add_argument(flag, dest=dest, **{"action": once, **settings, "default": argparse.SUPPRESS})
    return parent


def overrides(options: argparse.Namespace) -> dict[str, str | list[str]]:
    """Return the values of flags by key path of the configuration; a list for a flag that was given several times."""
    # argparse stores values before a command and after it in separate places.
    addresses = [*(options.web_listen_address or ()), *(getattr(options, _AFTER + "web_listen_address", None) or ())]
    found = {
        "web.listen_address": addresses[0] if len(addresses) == 1 else addresses or None,
        "web.telemetry_path": options.web_telemetry_path,
        "web.external_url": options.web_external_url,
        "web.route_prefix": options.web_route_prefix,
    }
    return {key: value for key, value in found.items() if value is not None}


def _dest(flag: str) -> str:
    return flag.lstrip("-").replace(".", "_").replace("-", "_")
