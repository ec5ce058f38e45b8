"""What the exporter asks of SageMaker in one account and region, and how that can fail."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

LIST, DESCRIBE, SEARCH, TAGS = "ListTrainingJobs", "DescribeTrainingJob", "Search", "ListTags"
# The code of a walk whose answers repeat a NextToken.
ENDLESS = "RepeatedToken"
IDENTITY, ASSUME = "GetCallerIdentity", "AssumeRole"

Answer = Mapping[str, Any]

_THROTTLES = ("Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequestsException")
_DENIALS = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "NotAuthorized")
_ISOLATED = (
    ENDLESS,
    "InvalidResponse",
    "AnswerTooLarge",
    "ConnectionError",
    "InternalFailure",
    "ServiceUnavailable",
    "ValidationException",
)
# Codes are AWS's: an endpoint that invents them must not make ever more series.
_CODES = 200
# By AWS's code or by our own: what it means to the intake. AWS's own messages name roles and are never shown.
_ADVICE = {
    **dict.fromkeys(
        _THROTTLES, "throttled; the limit is shared by the account: lower polling.*_rps or poll less often"
    ),
    **dict.fromkeys(_DENIALS, "not allowed; the policy of the credentials or role lacks this operation"),
    "ExpiredToken": "the credentials have expired; renew them",
    "ExpiredTokenException": "the credentials have expired; renew them",
    "UnrecognizedClientException": "the credentials are not valid here; is the region enabled in the account?",
    "InvalidClientTokenId": "the credentials are not valid here; is the region enabled in the account?",
    **dict.fromkeys(
        ("InvalidAccessKeyId", "AuthFailure", "SignatureDoesNotMatch", "InvalidSignatureException", "InvalidSignature"),
        "the access key or its secret is wrong; correct the credentials",
    ),
    "IncompleteSignature": "the access key is malformed; correct the credentials",
    **dict.fromkeys(
        ("RequestTimeTooSkewed", "RequestExpired", "RequestInTheFuture"),
        "this machine's clock differs from AWS's by more than five minutes; set it, for example by NTP",
    ),
    "InvalidIdentityToken": "AWS refuses the token of AWS_WEB_IDENTITY_TOKEN_FILE; check the role's OIDC provider",
    "OptInRequired": "the region is not enabled in the account",
    "RegionDisabled": "the region is not enabled in the account",
    "NoCredentials": "no AWS credentials were found in the environment, the profile or the instance",
    "PartialCredentials": "the AWS credentials in the environment are incomplete",
    "NoRegion": "no AWS region is set; name one in targets or in AWS_REGION",
    "DuplicateTarget": "this account and region is another target already, through a role; remove one of them",
    "NoSuchProfile": "the AWS profile that the environment names does not exist",
    "EndpointConnectionError": "cannot be reached; is there a network, and SageMaker in that region?",
    "ConnectionError": "the connection broke",
    "Timeout": "no answer within polling.timeout",
    "InvalidResponse": "the answer cannot be read",
    ENDLESS: "the pages of the listing repeat without end; it is tried again at the next interval. "
    "Is there a proxy or a cache between the exporter and AWS?",
}


class ApiError(Exception):
    """An operation that failed, after its retries. `code` is AWS's error code or one of our own; the text says what
    to do and holds nothing that AWS said, which may name roles. `advice` replaces what the code stands for."""

    def __init__(self, operation: str, code: str, advice: str = "") -> None:
        advice = advice or _ADVICE.get(code, "AWS answered with an error")
        super().__init__(f"{operation}: {code}: {advice}")
        self.operation, self.code, self.advice = operation, code, advice

    @property
    def fields(self) -> dict[str, str]:
        """What a log line says of the failure."""
        return {"operation": self.operation, "code": self.code, "advice": self.advice}

    @property
    def denied(self) -> bool:
        """AWS will say the same again until somebody changes a policy."""
        return self.code in _DENIALS or self.code.startswith("AccessDenied")

    @property
    def isolated(self) -> bool:
        """Whether the next call may well succeed: it is this answer that was bad, not the target."""
        return self.code in _ISOLATED or self.code.isdecimal()

    @property
    def ambiguous(self) -> bool:
        """Whether it may be this job's alone or the target's: a policy may deny some jobs by name or tag. What nobody
        knows may be either, too."""
        return not self.isolated and (self.denied or self.code == "Timeout" or self.code not in _ADVICE)


class Calls:
    """What went to AWS for one target since the process began: requests by operation, failures by operation and
    code. Retries are counted: AWS's limits count them too."""

    def __init__(self) -> None:
        self.requests: Counter[str] = Counter()
        self.errors: Counter[tuple[str, str]] = Counter()

    def sent(self, operation: str) -> None:
        self.requests[operation] += 1

    def failed(self, operation: str, code: str) -> None:
        if (operation, code) not in self.errors and len(self.errors) >= _CODES:
            code = "Other"
        self.errors[operation, code] += 1

    def refused(self, operation: str, code: str) -> ApiError:
        """Count an answer that AWS gave as a good one and that is none; gives the error to raise."""
        self.failed(operation, code)
        return ApiError(operation, code)


class JobPage(NamedTuple):
    """Some of the jobs that were asked for, the token of the next page, and the operation that gave it."""

    jobs: Sequence[Answer]
    next_token: str | None
    operation: str = LIST


class TagPage(NamedTuple):
    """Some of the tags of a job, and the token of the next page."""

    tags: Sequence[Answer]
    next_token: str | None
    operation: str = TAGS


class CreatedBetween(NamedTuple):
    """A span of CreationTime, Unix seconds; None: open."""

    after: float | None
    before: float | None


class Api(Protocol):
    """SageMaker, to the poller. Every method raises ApiError."""

    async def list_jobs(self, span: CreatedBetween, token: str | None) -> JobPage:
        """ListTrainingJobs, newest first."""
        ...

    async def search_active(self, token: str | None) -> JobPage:
        """Search for the jobs that have not ended, as the index knows them."""
        ...

    async def search_created(self, span: CreatedBetween, token: str | None) -> JobPage:
        """Search by creation time, newest first."""
        ...

    async def describe(self, name: str) -> Answer | None:
        """DescribeTrainingJob; None when there is no such job (any more)."""
        ...

    async def tags(self, arn: str) -> list[Answer]:
        """ListTags of a job, all pages."""
        ...

    def now(self) -> float:
        """AWS's clock by its last answer, Unix seconds."""
        ...

    def doubts_now(self) -> bool:
        """Whether `now` may be wrong: answers contradict the machine's clock, and it is not decided yet which of them
        is right. Nothing is settled or deleted by `now` then."""
        ...
