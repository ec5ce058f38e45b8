"""Runs the commands."""

from __future__ import annotations

import argparse
import traceback
from collections.abc import Sequence
from importlib import import_module

from exporter import flags
from exporter.process import logs, output, signals
from exporter.process.errors import UserError
from exporter.process.output import OutputError, ReaderGoneError

# Modules of exporter.commands. Only the one that is run is imported: most of the program's start is imports.
COMMANDS = {
    None: "serve",
    "check-config": "check_config",
    "once": "once",
    "doctor": "doctor",
    "demo": "demo",
    "metrics": "metrics",
    "state": "copy_state",
}
# Commands that run until a signal stops them: for these, a signal is a success.
_SERVING = (None, "demo")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return the exit code. Errors are printed as a line or two on standard error."""
    try:
        options = flags.parse(arguments)
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
        command = import_module(f"exporter.commands.{COMMANDS[options.command]}")
        with signals.raising():
            status: int = command.run(options)
            return status
    except signals.Interrupted as ended:
        if options.command in _SERVING:
            return 0
        output.complain(f"{options.command}: stopped by {ended.name}")
        return ended.status
    except OutputError:
        raise
    except UserError as error:
        output.complain(str(error))
    except Exception as error:  # noqa: BLE001
        # A traceback means nothing to a user, and its message may quote a secret.
        _report_bug(error, options.log_level == "debug")
    return 1


def _report_bug(error: Exception, verbose: bool) -> None:
    """Print an unexpected exception without its message, which may contain secrets."""
    hint = "" if verbose else "; --log.level=debug shows where"
    output.complain(f"internal error ({type(error).__name__}), please report it{hint}")
    if verbose:
        output.complain("".join(traceback.format_tb(error.__traceback__)).rstrip())
