"""Adapts the SDK's chain of credential providers to a service without a terminal.

The SDK's providers expect a person at a terminal: a profile with mfa_serial prompts for a code and blocks the event
loop meanwhile, and a credential_process may prompt, hang, or print without end.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
from typing import Any, NoReturn

from aiobotocore.credentials import (
    AioAssumeRoleProvider,
    AioCanonicalNameCredentialSourcer,
    AioCredentialResolver,
    AioProcessProvider,
    AioProfileProviderBuilder,
    create_credential_resolver,
)
from aiobotocore.session import AioSession

from exporter.aws.causes import LocalError

# Bytes that a credential_process may print. Those of AWS print about 2 kB.
_OUTPUT = 2**16
# Values of credential_source in a profile that the SDK supports.
_SOURCES = ("env", "container-role", "iam-role")


def provider_chain(session: AioSession, region: str | None) -> AioCredentialResolver:
    """Return the credential providers of a session in the SDK's order, with those that may prompt replaced.

    `region` is the region of the STS endpoint that they call.
    """
    chain = create_credential_resolver(session, region_name=region)
    profile = session.get_config_variable("profile") or "default"
    profiles = _Profiles(session, cache={}, region_name=region)

    def client(service: str, **settings: Any) -> Any:
        return session.create_client(service, **{"region_name": region, **settings})

    roles = _AssumeRole(
        load_config=lambda: session.full_config,
        client_creator=client,
        cache={},
        profile_name=profile,
        prompter=_refuse,
        credential_sourcer=AioCanonicalNameCredentialSourcer([chain.get_provider(name) for name in _SOURCES]),
        profile_provider_builder=profiles,
    )
    for provider in (roles, profiles.process_provider(profile)):
        # `remove` drops the first provider of a name: the SDK's own, since the replacement is inserted after it.
        chain.insert_after(provider.METHOD, provider)
        chain.remove(provider.METHOD)
    return chain


class _AssumeRole(AioAssumeRoleProvider):
    def _get_role_config(self, profile_name: str) -> dict[str, Any]:
        """Return the role settings of a profile. Called for each profile in the chain of source_profile."""
        # The type stubs lack this method.
        role: dict[str, Any] = super()._get_role_config(profile_name)  # type: ignore[misc]
        if role["mfa_serial"] is not None:
            raise LocalError(
                "MfaRequired",
                f"the AWS profile {profile_name!r} has mfa_serial, but a service cannot be given an MFA code; use a "
                "role without MFA, or the credentials that `aws sts get-session-token` returns",
            )
        return role


class _Profiles(AioProfileProviderBuilder):
    _session: AioSession

    def process_provider(self, profile_name: str) -> AioProcessProvider:
        session = self._session
        return AioProcessProvider(profile_name, lambda: session.full_config, popen=_start)

    # The SDK's builder calls this name for a source_profile with a credential_process.
    _create_process_provider = process_provider


class _Process:
    """A running credential_process, with the interface that the SDK's provider expects. Its output is never logged."""

    # `communicate` raises on failure, so the SDK only ever sees a success.
    returncode = 0

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def communicate(self) -> tuple[bytes, bytes]:
        """Return the output, and an empty standard error. Raises LocalError; kills the process when cancelled."""
        try:
            output = await self._output()
            status = await self._process.wait()
        except BaseException:
            await self._kill()
            raise
        if status:
            how = f"exited with status {status}" if status > 0 else f"was killed by signal {-status}"
            raise _failed(f"it {how}")
        try:
            parsed = json.loads(output)
        except ValueError:
            raise _failed("its output is not JSON") from None
        if not isinstance(parsed, dict) or parsed.get("Version") != 1:
            raise _failed("its output is not a JSON object with Version 1")
        if missing := [key for key in ("AccessKeyId", "SecretAccessKey") if not isinstance(parsed.get(key), str)]:
            raise _failed(f"its output lacks {', '.join(missing)}")
        return output, b""

    async def _output(self) -> bytes:
        if self._process.stdout is None:
            return b""
        try:
            # To read fewer bytes is the normal case: more than these would not be read at all.
            await self._process.stdout.readexactly(_OUTPUT)
        except asyncio.IncompleteReadError as error:
            return error.partial
        raise _failed("its output is too long")

    async def _kill(self) -> None:
        """Kill the process and its children, which may keep its output open."""
        with contextlib.suppress(ProcessLookupError, TimeoutError):
            os.killpg(self._process.pid, signal.SIGKILL)
            async with asyncio.timeout(1):
                # Reads up to the end of the output and so closes the pipe.
                await self._process.communicate()


async def _start(*command: str, **_: Any) -> _Process:
    """Start a credential_process in its own session, without a terminal to prompt on."""
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as error:
        raise _failed(f"it cannot be started: {error.strerror}") from error
    return _Process(process)


def _failed(why: str) -> LocalError:
    return LocalError(
        "CredentialProcessFailed",
        f"the credential_process of the AWS profile failed: {why}; run it as the exporter's user to see more",
    )


def _refuse(_: str) -> NoReturn:
    """Replace the prompt of the SDK. Raises LocalError."""
    raise LocalError("MfaRequired", "the AWS profile asks for an MFA code, which a service cannot be given")
