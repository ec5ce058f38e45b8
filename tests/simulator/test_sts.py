"""Test STS: identities, roles and their conditions, expiring sessions, and callers identified by signatures."""

from __future__ import annotations

import re

import pytest

from exporter.simulator.errors import ApiError
from exporter.simulator.identity import Caller, access_key, caller
from exporter.simulator.sts import Role, Sts, error_xml

ROLE = "arn:aws:iam::210987654321:role/team/exporter"
WHO = Caller(access_key("123456789012"), "123456789012", "us-east-1")


def value(xml: str, tag: str) -> str:
    found = re.search(f"<{tag}>(.*?)</{tag}>", xml)
    assert found
    return found[1]


def assume(sts: Sts, now: float = 0, **form: str) -> Caller:
    action = form.pop("Action", "AssumeRole")
    answer = sts.perform({"Action": action, "RoleArn": ROLE, "RoleSessionName": "test", **form}, WHO, now)
    key = value(answer, "AccessKeyId")
    return caller(f"AWS4-HMAC-SHA256 Credential={key}/20260101/eu-west-1/sts/aws4_request, ...", "000000000000")


def test_a_lasting_key_is_a_user_of_its_account() -> None:
    answer = Sts().perform({"Action": "GetCallerIdentity"}, WHO, 0)
    assert value(answer, "Account") == "123456789012"
    assert value(answer, "Arn") == "arn:aws:iam::123456789012:user/simulated"


@pytest.mark.parametrize("action", ["AssumeRole", "AssumeRoleWithWebIdentity"])
def test_a_role_makes_its_caller_a_member_of_its_account(action: str) -> None:
    sts = Sts()
    who = assume(sts, Action=action)
    assert (who.account, who.region) == ("210987654321", "eu-west-1")
    answer = sts.perform({"Action": "GetCallerIdentity"}, who, 0)
    assert value(answer, "Arn") == "arn:aws:sts::210987654321:assumed-role/exporter/test"


def test_a_session_ends() -> None:
    sts = Sts()
    who = assume(sts, now=1000, DurationSeconds="900")
    sts.check(who, 1899)
    with pytest.raises(ApiError, match="ExpiredTokenException: The security token included in the request is expired"):
        sts.check(who, 1900)
    sts.check(WHO, 10**9)


def test_sessions_can_be_made_short() -> None:
    sts = Sts(session_seconds=5)
    who = assume(sts, DurationSeconds="900")
    with pytest.raises(ApiError, match="expired"):
        sts.check(who, 5)


def test_the_expiration_is_iso_8601() -> None:
    answer = Sts().perform({"Action": "AssumeRole", "RoleArn": ROLE, "DurationSeconds": "900"}, WHO, 0)
    assert value(answer, "Expiration") == "1970-01-01T00:15:00Z"


def test_every_session_has_a_key_of_its_own() -> None:
    sts = Sts()
    assert len({assume(sts).access_key for _ in range(100)}) == 100


def test_an_external_id_must_fit_if_the_role_wants_one() -> None:
    sts = Sts({ROLE: Role(external_id="secret")})
    assert assume(sts, ExternalId="secret").account == "210987654321"
    for external_id in ("", "other"):
        with pytest.raises(ApiError, match=r"AccessDenied: .*not authorized to perform: sts:AssumeRole") as caught:
            assume(sts, ExternalId=external_id)
        assert caught.value.status == 403


def test_a_role_can_be_denied() -> None:
    with pytest.raises(ApiError, match="AccessDenied"):
        assume(Sts({ROLE: Role(denied=True)}))


def test_bad_requests() -> None:
    with pytest.raises(ApiError, match="ValidationError: nonsense is invalid"):
        assume(Sts(), RoleArn="nonsense")
    with pytest.raises(ApiError, match="InvalidAction: Could not find operation GetSessionToken"):
        assume(Sts(), Action="GetSessionToken")


def test_errors_are_xml_with_the_codes_of_sts() -> None:
    xml = error_xml(ApiError("ExpiredTokenException", "a < b"), "7")
    assert (value(xml, "Code"), value(xml, "Message"), value(xml, "RequestId")) == ("ExpiredToken", "a &lt; b", "7")


def test_a_key_of_another_form_means_the_default_account() -> None:
    header = "AWS4-HMAC-SHA256 Credential=testing/20260101/us-west-2/sagemaker/aws4_request, SignedHeaders=host"
    assert caller(header, "111111111111") == Caller("testing", "111111111111", "us-west-2")


def test_no_signature_is_an_error() -> None:
    with pytest.raises(ApiError, match="Missing Authentication Token"):
        caller("", "111111111111")
