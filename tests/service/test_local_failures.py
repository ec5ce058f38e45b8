"""Test that local failures are reported with cause and remedy: certificates, files, profiles, processes."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from exporter.aws.sagemaker import SAGEMAKER
from exporter.aws.sessions import Sessions
from exporter.polling.api import ApiError, Calls
from exporter.simulator import Simulator
from tests.http.certificates import LOOPBACK, Authority

ACCOUNT, REGION = "123456789012", "us-east-1"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/x"
STATIC = "aws_access_key_id = AKIA123456789012TEST\naws_secret_access_key = x\n"
SOURCE = f"[default]\nrole_arn={ROLE}\nsource_profile=b\n[profile b]\n"
ENDPOINT = "AWS_ENDPOINT_URL"


@pytest.fixture
async def sim(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[Simulator]:
    monkeypatch.setenv("HOME", str(tmp_path))
    async with Simulator(accounts=(ACCOUNT,)) as sim:
        monkeypatch.setenv(ENDPOINT, sim.url)
        yield sim


@pytest.fixture
def profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Write an AWS configuration file that is the only source of credentials."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    file = tmp_path / "config"
    monkeypatch.setenv("AWS_CONFIG_FILE", str(file))

    def write(text: str) -> Path:
        file.write_text(text)
        return file

    return write


async def failure(patience: float = 5.0) -> ApiError:
    with pytest.raises(ApiError) as raised:
        await Sessions(patience, 10).account(REGION, None)
    assert raised.value.operation == "GetCallerIdentity"
    assert "SECRET" not in str(raised.value)
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 400
    return raised.value


async def assert_failure(code: str, *words: str, patience: float = 5.0) -> None:
    error = await failure(patience)
    assert error.code == code
    for word in words:
        assert word in str(error)


PROFILES: Mapping[str, tuple[str, str, tuple[str, ...]]] = {
    "broken": ("[default\nx", "BrokenProfileFile", ("/config",)),
    "no equals sign": ("[default]\nregion us-east-1\n", "BrokenProfileFile", ("/config",)),
    "sso": (
        "[default]\nsso_start_url=https://x\nsso_region=us-east-1\nsso_account_id=123456789012\nsso_role_name=r\n",
        "SsoLoginExpired",
        ("aws sso login",),
    ),
    "sso session": (
        "[default]\nsso_session=s\nsso_account_id=1\nsso_role_name=r\n[sso-session s]\nsso_start_url=x\nsso_region=r\n",
        "SsoLoginExpired",
        ("aws sso login",),
    ),
    "unknown source": (f"[default]\nrole_arn={ROLE}\ncredential_source=Moon\n", "InvalidProfile", ("Moon", "default")),
    "source that is not there": (f"[default]\nrole_arn={ROLE}\nsource_profile=b\n", "InvalidProfile", ("default", "b")),
    "no source": (f"[default]\nrole_arn={ROLE}\n", "PartialCredentials", ("credential_source",)),
    "circle": (
        f"[default]\nrole_arn={ROLE}\nsource_profile=b\n[profile b]\nrole_arn={ROLE}\nsource_profile=default\n",
        "InvalidProfile",
        ("default", "b"),
    ),
    "half of the keys": ("[default]\naws_access_key_id=x\n", "PartialCredentials", ("aws_secret_access_key",)),
    "web identity without a file": (
        f"[default]\nrole_arn={ROLE}\nweb_identity_token_file=/no/token\n",
        "UnreadableFile",
        ("/no/token",),
    ),
    "web identity without a role": ("[default]\nweb_identity_token_file=/no/token\n", "InvalidProfile", ("AWS_ROLE",)),
    "nothing": ("", "NoCredentials", ("environment, the profile or the instance",)),
    "mfa": (
        f"[default]\nrole_arn={ROLE}\nsource_profile=b\nmfa_serial=SECRET\n[profile b]\n{STATIC}",
        "MfaRequired",
        ("'default'", "mfa_serial", "aws sts get-session-token"),
    ),
    "mfa of a source": (
        f"{SOURCE}role_arn={ROLE}\nsource_profile=c\nmfa_serial=SECRET\n[profile c]\n{STATIC}",
        "MfaRequired",
        ("'b'", "mfa_serial"),
    ),
}


@pytest.mark.parametrize("case", PROFILES)
async def test_a_profile_that_cannot_be_used_is_named(
    case: str, sim: Simulator, profile: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def prompt(*_: object, **__: object) -> str:
        raise AssertionError("nobody is there to be asked")

    monkeypatch.setattr("getpass.getpass", prompt)
    monkeypatch.setattr("builtins.input", prompt)
    text, code, words = PROFILES[case]
    profile(text)
    await assert_failure(code, *words)


async def test_mfa_of_a_profile_that_is_not_used_does_not_matter(
    sim: Simulator, profile: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    profile(f"[default]\n{STATIC}[profile b]\nrole_arn={ROLE}\nsource_profile=default\nmfa_serial=x\n")
    assert await Sessions(5.0, 10).account(REGION, None) == ACCOUNT
    # The environment takes precedence over the profile.
    monkeypatch.setenv("AWS_PROFILE", "b")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", sim.access_key())
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    assert await Sessions(5.0, 10).account(REGION, None) == ACCOUNT


async def test_a_profile_with_a_role_works(sim: Simulator, profile: Callable[[str], Path]) -> None:
    profile(f"[default]\nrole_arn={ROLE}\nsource_profile=b\n[profile b]\n{STATIC}")
    assert await Sessions(5.0, 10).account(REGION, None) == ACCOUNT


async def test_an_unknown_profile_is_named(
    sim: Simulator, profile: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    profile("")
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    await assert_failure("NoSuchProfile", "nobody")


PROCESSES = {
    "exit": ("sh -c 'echo SECRET; echo SECRET >&2; exit 3'", "status 3"),
    "killed": ("sh -c 'kill -9 $$'", "signal 9"),
    "not there": ("/no/such/command SECRET", "No such file"),
    "no json": ("echo SECRET", "not JSON"),
    "no object": ("echo [1]", "not a JSON object"),
    "another version": ("""sh -c 'echo "{\\"Version\\":2}"'""", "Version 1"),
    "no keys": ("""sh -c 'echo "{\\"Version\\":1}"'""", "lacks AccessKeyId, SecretAccessKey"),
    "flood": ("yes SECRET", "too long"),
}


@pytest.mark.process
@pytest.mark.parametrize("case", PROCESSES)
@pytest.mark.parametrize("section", ["[default]\n", SOURCE], ids=["own", "source of a role"])
async def test_a_credential_process_that_fails_is_told_without_its_output(
    case: str, section: str, sim: Simulator, profile: Callable[[str], Path]
) -> None:
    command, words = PROCESSES[case]
    profile(f"{section}credential_process={command}\n")
    await assert_failure("CredentialProcessFailed", words)


@pytest.mark.process
async def test_a_credential_process_that_hangs_is_killed_with_its_children(
    sim: Simulator, profile: Callable[[str], Path], tmp_path: Path
) -> None:
    pids = tmp_path / "pids"
    profile(f"[default]\ncredential_process=sh -c 'sleep 60 & echo $! $$ > {pids}; sleep 60'\n")
    began = time.monotonic()
    await assert_failure("Timeout", "credential_process", patience=2.0)
    assert time.monotonic() - began < 20
    async with asyncio.timeout(60):
        while any(_runs(int(pid)) for pid in pids.read_text().split()):
            await asyncio.sleep(0.01)


@pytest.mark.process
async def test_a_credential_process_has_no_terminal_and_runs_once_for_all(
    sim: Simulator, profile: Callable[[str], Path], tmp_path: Path
) -> None:
    script, ran = tmp_path / "give", tmp_path / "ran"
    keys = '{"Version":1,"AccessKeyId":"AKIA123456789012TEST","SecretAccessKey":"x"}'
    script.write_text(
        f"#!/bin/sh\necho >> {ran}\nread line && exit 5\n(: < /dev/tty) 2> {ran}.tty && exit 6\necho '{keys}'\n"
    )
    script.chmod(0o755)
    profile(f"[default]\ncredential_process={script}\n")
    sessions = Sessions(5.0, 10)
    assert await asyncio.gather(*(sessions.account(REGION, None) for _ in range(10))) == [ACCOUNT] * 10
    assert ran.read_text() == "\n"


async def test_keys_that_have_expired_already_are_told(sim: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", "x")
    monkeypatch.setenv("AWS_CREDENTIAL_EXPIRATION", "2020-01-01T00:00:00Z")
    await assert_failure("ExpiredCredentials", "clock")


@pytest.mark.parametrize(
    ("environment", "code", "words"),
    [
        ({"AWS_ACCESS_KEY_ID": "AKIA123456789012TEST\n"}, "MalformedCredentials", "line break"),
        ({"AWS_SHARED_CREDENTIALS_FILE": "/no/keys", "AWS_ACCESS_KEY_ID": ""}, "NoCredentials", "/no/keys"),
        ({"AWS_DEFAULTS_MODE": "x"}, "InvalidSetting", "InvalidDefaultsMode"),
        ({"AWS_CA_BUNDLE": "/no/bundle.pem", ENDPOINT: "https://127.0.0.1:1"}, "CaBundle", "/no/bundle.pem"),
        ({"HTTP_PROXY": "http://127.0.0.1:1", ENDPOINT: "http://a.example"}, "ProxyError", "HTTP_PROXY"),
        ({ENDPOINT: "http://127.0.0.1:1"}, "ConnectionRefused", "refused"),
        ({ENDPOINT: "http://no.such.invalid"}, "NameNotResolved", "name server"),
        *(
            ({ENDPOINT: url}, "InvalidEndpoint", "https://host:port")
            for url in ("SECRET", "http://", "ftp://x", "http://h:99999", "http://[::1", "http://u:SECRET@127.0.0.1:1")
        ),
    ],
)
async def test_a_setting_that_cannot_be_used_is_named(
    environment: dict[str, str], code: str, words: str, sim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    await assert_failure(code, words, patience=3.0)


@asynccontextmanager
async def https(certificate: tuple[Path, Path]) -> AsyncIterator[str]:
    """Run a server with this certificate that sends no responses."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)

    async def close(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(close, "127.0.0.1", 0, ssl=context)
    async with server:
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@pytest.mark.parametrize("fault", ["unknown authority", "another host"])
async def test_a_certificate_that_is_not_trusted_is_told(
    fault: str, sim: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority.new(tmp_path / "authority")
    if fault == "another host":
        monkeypatch.setenv("AWS_CA_BUNDLE", str(authority.file))
    async with https(authority.sign("server", *(() if fault == "another host" else LOOPBACK))) as url:
        monkeypatch.setenv(ENDPOINT, url)
        await assert_failure("CertificateNotTrusted", "AWS_CA_BUNDLE", "(")


async def test_a_bundle_that_is_no_pem_is_told(sim: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = tmp_path / "bundle.pem"
    bundle.write_text("SECRET")
    monkeypatch.setenv("AWS_CA_BUNDLE", str(bundle))
    await assert_failure("CaBundle", str(bundle), "no PEM")


async def test_a_server_that_speaks_no_tls_is_told(sim: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENDPOINT, sim.url.replace("http:", "https:"))
    await assert_failure("TlsError", ENDPOINT)


async def test_what_fails_when_a_client_is_opened_is_counted(sim: Simulator, profile: Callable[[str], Path]) -> None:
    profile("[default")
    calls = Calls()
    with pytest.raises(ApiError, match="BrokenProfileFile"):
        await Sessions(5.0, 10).client(SAGEMAKER, REGION, None, calls).__aenter__()
    assert dict(calls.errors) == {("GetCallerIdentity", "BrokenProfileFile"): 1}


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.parametrize("variables", [{}, {"AWS_REGION": ""}, {"AWS_DEFAULT_REGION": ""}], ids=["unset", "new", "old"])
def test_an_empty_variable_is_no_region(variables: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert Sessions(5.0, 10).default_region() is None
