"""Observes the requests and responses of an SDK client: counts them, and logs them at debug level."""

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
# Keys in the request context of botocore, which is shared with botocore's own handlers.
_STARTED, _JOB = "exporter.started", "exporter.job"


def watch(client: AioBaseClient, calls: Calls, is_answer: Callable[[object], bool]) -> None:
    """Count the requests of a client, and the failures that it reports.

    An error response for which `is_answer` returns true is not a failure. Failures before a request is sent or after
    a response is parsed do not reach these events; `Client` counts those.
    """

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
    # Both events fire once per attempt, so retries of the SDK are counted: AWS's rate limits count them too.
    client.meta.events.register(f"before-send.{service}", sent)
    client.meta.events.register(f"response-received.{service}", received)


def log_calls(events: BaseEventHooks, target: str) -> None:
    """Log each call of a client, or of all clients of a session, as one line at debug level.

    The line has the job name from the request, and the HTTP status and the error code from the response. Nothing else
    of either is logged: both can hold secrets.
    """
    # Handlers cost CPU on every call, so they are registered only when their lines are wanted.
    if not _log.shows_debug:
        return

    def started(params: Any, context: dict[str, Any], **_: Any) -> None:
        context[_STARTED] = time.perf_counter()
        context[_JOB] = params.get("TrainingJobName")

    def answered(event_name: str, http_response: Any, parsed: Any, context: dict[str, Any], **_: Any) -> None:
        error = parsed.get("Error") if isinstance(parsed, dict) else None
        log(event_name, context, status=http_response.status_code, code=code_of(error) if error else None)

    def failed(event_name: str, exception: BaseException, context: dict[str, Any], **_: Any) -> None:
        log(event_name, context, status=None, code=code_of_exception(exception))

    def log(event_name: str, context: dict[str, Any], status: int | None, code: str | None) -> None:
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
    """Return the operation of an event named `<event>.<service>.<operation>`."""
    return event_name.rpartition(".")[2]
