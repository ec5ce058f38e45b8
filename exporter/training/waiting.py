"""Classify what a job is waiting for into a few reasons, from its secondary status and its StatusMessage.

AWS writes these messages for people and may change them. To classify another one, add its words to a row of the table
below; the first row that matches decides. The message itself is not kept.
"""

from __future__ import annotations

import re
from typing import NamedTuple

WAITING_REASONS = (
    "insufficient_capacity",
    "unhealthy_instance",
    "launching",
    "preparing",
    "downloading_image",
    "pending",
    "other",
)


class _Row(NamedTuple):
    reason: str
    words: re.Pattern[str]

    @classmethod
    def of(cls, reason: str, *words: str) -> _Row:
        return cls(reason, re.compile("|".join(words), re.IGNORECASE))


_TABLE = (
    _Row.of("insufficient_capacity", r"insufficient (?:\w+ ){0,2}capacity"),
    _Row.of("unhealthy_instance", r"\bunhealthy\b"),
    _Row.of("downloading_image", r"downloading (?:the )?(?:training )?image"),
    _Row.of("preparing", r"preparing (?:the )?(?:\w+ ){0,2}instances?"),
    _Row.of("pending", r"waiting for (?:\w+ ){0,2}capacity"),
    _Row.of("launching", r"launching (?:the )?(?:\w+ ){0,2}instances?", r"starting the training job"),
)
# A job in one of these statuses is waiting whatever the message says; this is the reason if the message gives none.
_WAITS = {
    "Starting": "other",
    "Interrupted": "other",
    "Pending": "pending",
    "LaunchingMLInstances": "launching",
    "PreparingTrainingStack": "preparing",
    "DownloadingTrainingImage": "downloading_image",
}
WAITING_STATUSES = frozenset(_WAITS)
# A job in one of these statuses has its instances and is not waiting, except for the image: that is downloaded in the
# status Downloading, before the user's code runs. Downloading input data counts as work.
_WORKS = frozenset({"Downloading", "Training", "Uploading"})
_RUNS = "InProgress"


def waiting_reason(status: str, secondary: str | None, message: str) -> str:
    """Return one of WAITING_REASONS, or "" if the job is not waiting or its state is unknown.

    `message` is the StatusMessage of the current secondary status.
    """
    if status != _RUNS or secondary is None:
        return ""
    found = next((row.reason for row in _TABLE if row.words.search(message)), "")
    if secondary in _WORKS:
        return found if found == "downloading_image" else ""
    return found or _WAITS.get(secondary, "")
