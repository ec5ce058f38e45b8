"""Test that a signal while an event loop is created or closed ends a command like any other signal."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from exporter.process import signals
from exporter.process.stopping import run


class _Policy(asyncio.DefaultEventLoopPolicy):
    """Send this process a signal while a loop is created or closed."""

    def __init__(self, number: signal.Signals, moment: str) -> None:
        super().__init__()
        self._number, self._moment = number, moment

    def new_event_loop(self) -> asyncio.AbstractEventLoop:
        if self._moment == "made":
            os.kill(os.getpid(), self._number)
        loop = super().new_event_loop()
        if self._moment == "closed":
            close = loop.close

            def closed() -> None:
                os.kill(os.getpid(), self._number)
                close()

            loop.close = closed  # type: ignore[method-assign]
        return loop


@pytest.mark.parametrize("number", signals.STOPPING)
@pytest.mark.parametrize("moment", ["made", "closed"])
def test_a_signal_waits_for_a_loop_to_be_made_or_closed(number: signal.Signals, moment: str) -> None:
    ran = []

    async def work() -> None:
        ran.append(moment)

    asyncio.set_event_loop_policy(_Policy(number, moment))
    try:
        with pytest.raises(signals.Interrupted) as interrupted, signals.raising():
            run(work)
    finally:
        asyncio.set_event_loop_policy(None)
    assert interrupted.value.status == 128 + number
    assert ran == (["closed"] if moment == "closed" else [])
