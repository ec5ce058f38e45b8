"""Classify failure reasons into a few details: what an operator would look at first.

AWS writes failure reasons for people and may change the texts. To classify another one, add its words to a row of the
tables below; the first row that matches decides. If none matches, the error that the reason names first decides.
"""

from __future__ import annotations

import re
from typing import NamedTuple

FAILURE_CATEGORIES = ("AlgorithmError", "ClientError", "InternalServerError", "CapacityError", "Other")
FAILURE_DETAILS = (
    "memory_or_disk",
    "access_or_network",
    "image",
    "input",
    "user_code",
    "capacity",
    "internal",
    "other",
)
_CATEGORY = re.compile(r"\s*(?:Insufficient)?(AlgorithmError|ClientError|InternalServerError|CapacityError)\b")
# AWS documents at most 1024 characters. Longer text is not searched, so that no reason can take long.
_LOOKED_AT = 4096


class _Row(NamedTuple):
    detail: str
    words: re.Pattern[str]

    @classmethod
    def of(cls, detail: str, *words: str) -> _Row:
        return cls(detail, re.compile("|".join(words), re.IGNORECASE))


# Who failed: user code, capacity, SageMaker or the request. The match that comes first in the text decides.
_SOURCES = (
    _Row.of(
        "user_code",
        r"algorithm ?error",
        r"execute ?user ?script ?error",
        r"framework ?error",
        r"uncaught exception",
        r"traceback \(most recent",
        r"exit(?:ed)?(?: with)? ?(?:code|status)",
    ),
    _Row.of("capacity", r"capacity ?error", r"insufficient ?(?:instance ?)?capacity", r"resource ?limit ?exceeded"),
    _Row.of(
        "internal",
        r"internal ?(?:server|service)? ?(?:error|exception|failure)",
        r"hardware (?:failure|error|fault)",
        r"service ?unavailable",
        r"platform error",
    ),
    _Row.of("input", r"client ?error", r"validation ?(?:error|exception)"),
)

# Causes that are specific enough to be trusted even in the output of the user's code.
_ALWAYS = (
    _Row.of(
        "memory_or_disk",
        r"out[ -]?of[ -]?(?:\w+ )?memory",
        r"memory (?:was )?exhausted",
        r"\boom\b",
        r"oom[-_ ]?kill",
        r"memory ?error",
        r"memory limit",
        r"(?:more|enough|insufficient|exceed\w*)(?: gpu| host| shared| system| available)? memory",
        r"allocate (?:\S+ ){0,4}memory",
        r"(?:unable|failed) to allocate",
        r"bad_alloc",
        r"alloc_failed",
        r"resource_?exhausted",
        r"(?:larger|bigger) instance",
        r"no space left",
        r"disk (?:space|quota|usage|is full|full)",
        r"(?:not enough|insufficient) disk",
        r"storage space",
        r"volume ?size",
        r"(?:larger|bigger) (?:\w+ )?volume",
        r"exit ?(?:code|status):? ?(?:137|-9)\b",
        r"\bsigkill\b",
        r"signal:? ?(?:9\b|killed)",
    ),
    _Row.of(
        "image",
        r"cannot ?pull",
        r"cannot ?start ?container",
        r"(?:failed|unable) to pull",
        r"exec format error",
        r"executable file not found",
        r"docker run",
    ),
    _Row.of(
        "access_or_network",
        r"access ?denied",
        r"(?:not|un)[ -]?authori[sz]ed",
        r"\bforbidden\b",
        r"unable to locate credentials",
        r"expired ?token",
        r"could not connect",
        r"name resolution",
        r"connection (?:timed out|refused|reset)",
        r"connect(?:ion)? ?timeout",
        r"max retries exceeded",
        r"network is unreachable",
        r"no route to host",
    ),
)

# Causes in SageMaker's own words. They are not searched in the output of the user's code, which may print these words
# for unrelated reasons.
_OF_SAGEMAKER = (
    _Row.of(
        "capacity",
        r"unable to provision",
        r"(?:enough|no|requested)(?: \w+){0,2} capacity",
        r"service limit",
        r"\bquota",
    ),
    _Row.of(
        "image",
        r"\bimage (?:\S+ )?(?:does not exist|not found|could not be found|is not valid)",
        r"invalid image",
        r"image (?:manifest|digest|tag)\b",
        r"manifest unknown",
        r"\becr\b",
    ),
    _Row.of("access_or_network", r"accessdeni", r"assume[\w ]{0,9}role", r"\b40[13]\b"),
    _Row.of("input", r"no s3 objects? found", r"manifest file", r"both a folder"),
    _Row.of(
        "access_or_network",
        r"permission",
        r"credential",
        r"\bkms\b",
        r"subnet",
        r"security ?group",
        r"\beni\b",
        r"\bvpc\b",
        r"route table",
        r"network (?:interface|connection|error|timeout)",
        r"ip address",
        r"\bconnect(?:ion|ivity)?\b",
        r"timed? ?out",
        r"unreachable",
        r"\bmount",
        r"file system",
    ),
    _Row.of("input", r"does not exist", r"no ?such ?(?:key|bucket)", r"not found", r"\b404\b"),
    _Row.of(
        "access_or_network",
        r"(?:download|upload) failed",
        r"(?:unable|failed) to (?:download|upload)",
        r"permanent ?redirect",
    ),
)


def failure_detail(reason: str) -> str:
    """Return the detail of a FailureReason, one of FAILURE_DETAILS."""
    text = reason[:_LOOKED_AT]
    source = _source(text)
    # Here the rest of the text does not name a cause that the user could fix.
    if source in ("capacity", "internal"):
        return source
    rows = _ALWAYS if source == "user_code" else (*_ALWAYS, *_OF_SAGEMAKER)
    return next((row.detail for row in rows if row.words.search(text)), source)


def _source(text: str) -> str:
    found = [(match.start(), row.detail) for row in _SOURCES if (match := row.words.search(text))]
    return min(found)[1] if found else "other"


def failure_category(reason: str) -> str:
    """Return the category that a FailureReason begins with ("AlgorithmError: ..."), one of FAILURE_CATEGORIES."""
    match = _CATEGORY.match(reason)
    return match.group(1) if match else "Other"
