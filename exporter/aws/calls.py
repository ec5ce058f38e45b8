"""Hears what an SDK client sends and gets."""

from __future__ import annotations

from typing import Any

from aiobotocore.client import AioBaseClient

from exporter.aws.errors import code_of, code_of_exception, is_gone
from exporter.polling.api import Calls


def watch(client: AioBaseClient, calls: Calls) -> None:
    """Count what this client sends, and every failure that it gets to hear of."""

    def sent(event_name: str, **_: Any) -> None:
        calls.sent(_operation(event_name))

    def received(
        event_name: str, parsed_response: Any = None, exception: BaseException | None = None, **_: Any
    ) -> None:
        error = parsed_response.get("Error") if isinstance(parsed_response, dict) else None
        if exception is not None:
            calls.failed(_operation(event_name), code_of_exception(exception))
        elif error and not is_gone(error):
            calls.failed(_operation(event_name), code_of(error))

    service = client.meta.service_model.service_id.hyphenize()
    client.meta.events.register(f"before-send.{service}", sent)
    client.meta.events.register(f"response-received.{service}", received)


def _operation(event_name: str) -> str:
    return event_name.rpartition(".")[2]
