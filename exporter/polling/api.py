"""The operations that a poller needs from SageMaker in one account and region, and how they can fail."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

LIST, DESCRIBE, SEARCH, TAGS = "ListTrainingJobs", "DescribeTrainingJob", "Search", "ListTags"
# The code of a listing that returns the same NextToken twice.
ENDLESS = "RepeatedToken"
IDENTITY, ASSUME = "GetCallerIdentity", "AssumeRole"

Answer = Mapping[str, Any]

THROTTLES = ("Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequestsException")
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
# The number of distinct codes per target. Codes come from the endpoint: one that varies them must not add series
# without limit.
_CODES = 200
# What to do, by AWS's code or one of the exporter's. AWS's own messages name roles and are never shown.
_ADVICE = {
    **dict.fromkeys(
        THROTTLES,
        "throttled; the whole account shares the limit: lower the rates or lengthen the intervals in the configuration",
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
    "NoCredentials": "no AWS credentials were found in the environment, the profile or the instance; set AWS_PROFILE "
    "or the keys, or give the instance, the task or the pod a role",
    "PartialCredentials": "the AWS credentials in the environment are incomplete",
    "NoRegion": "no AWS region is set; name one in targets or in AWS_REGION",
    "DuplicateTarget": "this account and region is another target already, through a role; remove one of them",
    "NoSuchProfile": "the AWS profile that the environment names does not exist",
    "EndpointConnectionError": "cannot be reached; is there a network, and this service in that region?",
    "ConnectionError": "the connection broke",
    "Timeout": "no answer within polling.timeout",
    "InvalidResponse": "the answer cannot be read",
    ENDLESS: "the pages of the listing repeat endlessly; retrying at the next interval. "
    "Is there a proxy or a cache between the exporter and AWS?",
}


NO_ADVICE = "AWS answered with an error"


def advice_of(code: str) -> str:
    """Return what to do about a code, "" if this module has no advice for it."""
    return _ADVICE.get(code, "")


class ApiError(Exception):
    """A failure of an operation, after its retries.

    `code` is AWS's error code or one of the exporter's. `advice` says what to do; by default it follows from the code.
    The text never contains AWS's message, which may name roles.
    """

    def __init__(self, operation: str, code: str, advice: str = "") -> None:
        advice = advice or advice_of(code) or NO_ADVICE
        super().__init__(f"{operation}: {code}: {advice}")
        self.operation, self.code, self.advice = operation, code, advice

    @property
    def fields(self) -> dict[str, str]:
        """Return the failure as fields of a log line."""
        return {"operation": self.operation, "code": self.code, "advice": self.advice}

    @property
    def denied(self) -> bool:
        """Return whether AWS denied the operation: retries fail too until a policy changes."""
        return self.code in _DENIALS or self.code.startswith("AccessDenied")

    @property
    def isolated(self) -> bool:
        """Return whether only this response was bad, so that the next call is likely to succeed."""
        return self.code in _ISOLATED or self.code.isdecimal()

    @property
    def ambiguous(self) -> bool:
        """Return whether the failure may concern one job or the whole target.

        A policy may deny some jobs by name or tag. A code that the exporter does not know may mean either.
        """
        return not self.isolated and (self.denied or self.code == "Timeout" or self.code not in _ADVICE)


class Calls:
    """Counts the requests to AWS for one target by operation, and the failures by operation and code.

    Retries are counted too, as AWS's rate limits do.
    """

    def __init__(self) -> None:
        self.requests: Counter[str] = Counter()
        self.errors: Counter[tuple[str, str]] = Counter()

    def sent(self, operation: str) -> None:
        """Count a request."""
        self.requests[operation] += 1

    def failed(self, operation: str, code: str) -> None:
        """Count a failure. Beyond the limit of distinct codes, new ones are counted as "Other"."""
        if (operation, code) not in self.errors and len(self.errors) >= _CODES:
            code = "Other"
        self.errors[operation, code] += 1

    def refused(self, operation: str, code: str) -> ApiError:
        """Count a response that AWS returned as a success but that is unusable; return the error to raise."""
        self.failed(operation, code)
        return ApiError(operation, code)


class JobPage(NamedTuple):
    """A page of jobs as JSON objects, the NextToken (None on the last page), and the operation that returned it."""

    jobs: Sequence[Answer]
    next_token: str | None
    operation: str = LIST


class CreatedBetween(NamedTuple):
    """A range of CreationTime in Unix seconds; None leaves an end open."""

    after: float | None
    before: float | None


class Api(Protocol):
    """SageMaker as a poller uses it. Methods that call AWS raise ApiError."""

    async def list_jobs(self, span: CreatedBetween, token: str | None) -> JobPage:
        """Return a page of ListTrainingJobs, newest first."""
        ...

    async def search_active(self, token: str | None) -> JobPage:
        """Return a page of Search for the jobs that have not ended, as of the search index."""
        ...

    async def search_created(self, span: CreatedBetween, token: str | None) -> JobPage:
        """Return a page of Search by creation time, newest first."""
        ...

    async def describe(self, name: str) -> Answer | None:
        """Return the response of DescribeTrainingJob; None if the job does not exist (any more)."""
        ...

    async def tags(self, arn: str) -> list[Answer]:
        """Return all tags of a job by ListTags, as objects with Key and Value."""
        ...

    def now(self) -> float:
        """Return AWS's time in Unix seconds, estimated from its responses."""
        ...

    def doubts_now(self) -> bool:
        """Return whether `now` may be wrong: responses contradict the machine's clock, and it is not yet known which
        one is right. Meanwhile nothing may be settled or deleted because of `now`."""
        ...
