"""Implement GetCallerIdentity and the AssumeRole operations of STS, in the query protocol with XML responses."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from xml.sax.saxutils import escape

from exporter.simulator.errors import ApiError
from exporter.simulator.identity import Caller, access_key

ROLE = re.compile(r"arn:aws[a-z-]*:iam::(\d{12}):role/(.+)")
NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"
OPERATIONS = ("GetCallerIdentity", "AssumeRole", "AssumeRoleWithWebIdentity")


@dataclass(frozen=True, slots=True)
class Role:
    """The conditions for assuming a role. A role that is not configured can be assumed by anyone."""

    external_id: str = ""
    denied: bool = False


@dataclass(frozen=True, slots=True)
class Session:
    """The assumed-role ARN of a session, and when it expires (Unix seconds)."""

    arn: str
    expires: float


@dataclass(slots=True)
class Sts:
    """The roles by ARN, and the issued sessions by access key ID.

    `session_seconds` overrides the duration that a caller requests.
    """

    roles: Mapping[str, Role] = field(default_factory=lambda: MappingProxyType({}))
    session_seconds: float | None = None
    sessions: dict[str, Session] = field(default_factory=dict)
    _serial: itertools.count[int] = field(default_factory=itertools.count)

    def check(self, who: Caller, now: float) -> None:
        """Raise ApiError if the caller's session has expired."""
        session = self.sessions.get(who.access_key)
        if session and now >= session.expires:
            raise ApiError("ExpiredTokenException", "The security token included in the request is expired")

    def perform(self, form: Mapping[str, str], who: Caller, now: float) -> str:
        """Perform the operation in `Action` and return the XML response. Raises ApiError."""
        action = form.get("Action", "")
        if action == "GetCallerIdentity":
            return _answer(action, self._identity(who))
        if action in OPERATIONS:
            return _answer(action, self._assume(form, who, now))
        raise ApiError("InvalidAction", f"Could not find operation {action}")

    def _identity(self, who: Caller) -> str:
        session = self.sessions.get(who.access_key)
        arn = session.arn if session else f"arn:aws:iam::{who.account}:user/simulated"
        return f"<Arn>{escape(arn)}</Arn><UserId>{who.access_key}</UserId><Account>{who.account}</Account>"

    def _assume(self, form: Mapping[str, str], who: Caller, now: float) -> str:
        arn = form.get("RoleArn", "")
        found = ROLE.fullmatch(arn)
        if not found:
            raise ApiError("ValidationError", f"{arn} is invalid")
        role = self.roles.get(arn, Role())
        if role.denied or (role.external_id and role.external_id != form.get("ExternalId")):
            raise ApiError(
                "AccessDenied",
                f"User: arn:aws:iam::{who.account}:user/simulated is not authorized to perform: "
                f"sts:{form['Action']} on resource: {arn}",
                403,
            )
        account, name = found.groups()
        key = access_key(account, next(self._serial))
        holder = f"arn:aws:sts::{account}:assumed-role/{name.split('/')[-1]}/{form.get('RoleSessionName', '')}"
        lasts = self.session_seconds or float(form.get("DurationSeconds", "3600"))
        self.sessions[key] = Session(holder, now + lasts)
        expires = datetime.fromtimestamp(now + lasts, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return (
            f"<AssumedRoleUser><AssumedRoleId>AROA:{key}</AssumedRoleId><Arn>{escape(holder)}</Arn></AssumedRoleUser>"
            f"<Credentials><AccessKeyId>{key}</AccessKeyId><SecretAccessKey>simulated</SecretAccessKey>"
            f"<SessionToken>session-{key}</SessionToken><Expiration>{expires}</Expiration></Credentials>"
        )


def error_xml(error: ApiError, request_id: str) -> str:
    """Return the XML response for an error. Some codes are spelled differently from those of the JSON protocol."""
    code = {"ExpiredTokenException": "ExpiredToken", "ThrottlingException": "Throttling"}.get(error.code, error.code)
    return (
        f'<ErrorResponse xmlns="{NAMESPACE}"><Error><Type>Sender</Type><Code>{escape(code)}</Code>'
        f"<Message>{escape(error.message)}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>"
    )


def _answer(action: str, result: str) -> str:
    return (
        f'<{action}Response xmlns="{NAMESPACE}"><{action}Result>{result}</{action}Result>'
        f"<ResponseMetadata><RequestId>simulated</RequestId></ResponseMetadata></{action}Response>"
    )
