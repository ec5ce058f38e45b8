"""Hears what an SDK client sends and gets: counts it, and logs it at debug level."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from aiobotocore.client import AioBaseClient
from botocore.hooks import BaseEventHooks

from exporter.aws.errors import code_of, code_of_exception
from exporter.polling.api import Calls
from exporter.process.logs import Log

_log = Log(__name__)
_STARTED, _JOB = "exporter.started", "exporter.job"


def watch(client: AioBaseClient, calls: Calls, is_answer: Callable[[object], bool]) -> None:
    """Count what this client sends, and every failure that it gets to hear of, but errors that are answers."""

    def sent(event_name: str, **_: Any) -> None:
        calls.sent(_operation(event_name))

    def received(
        event_name: str, parsed_response: Any = None, exception: BaseException | None = None, **_: Any
    ) -> None:
        error = parsed_response.get("Error") if isinstance(parsed_response, dict) else None
        if exception is not None:
            calls.failed(_operation(event_name), code_of_exception(exception))
        elif error and not is_answer(error):
            calls.failed(_operation(event_name), code_of(error))

    service = client.meta.service_model.service_id.hyphenize()
    client.meta.events.register(f"before-send.{service}", sent)
    client.meta.events.register(f"response-received.{service}", received)


def log_calls(events: BaseEventHooks, target: str) -> None:
    """Log each call of a client, or of all clients of a session, in one line with its retries, if debug messages are
    wanted. Of what is sent only the name of the job is in it, of what comes back only the status and the code."""
    if not _log.shows_debug:
        return

    def started(params: Any, context: dict[str, Any], **_: Any) -> None:
        context[_STARTED] = time.perf_counter()
        context[_JOB] = params.get("TrainingJobName")

    def answered(event_name: str, http_response: Any, parsed: Any, context: dict[str, Any], **_: Any) -> None:
        error = parsed.get("Error") if isinstance(parsed, dict) else None
        said(event_name, context, status=http_response.status_code, code=code_of(error) if error else None)

    def failed(event_name: str, exception: BaseException, context: dict[str, Any], **_: Any) -> None:
        said(event_name, context, status=None, code=code_of_exception(exception))

    def said(event_name: str, context: dict[str, Any], status: int | None, code: str | None) -> None:
        _log.debug(
            "AWS call",
            operation=_operation(event_name),
            target=target,
            job=context.get(_JOB),
            duration_seconds=round(time.perf_counter() - context[_STARTED], 3),
            attempts=context.get("retries", {}).get("attempt"),
            status=status,
            code=code,
        )

    events.register("provide-client-params", started)
    events.register("after-call", answered)
    events.register("after-call-error", failed)


def _operation(event_name: str) -> str:
    return event_name.rpartition(".")[2]
