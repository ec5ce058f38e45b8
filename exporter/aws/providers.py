"""Where the exporter's own credentials come from: the SDK's chain of providers, made fit for a service.

The SDK's providers are made for people at a terminal: a profile with mfa_serial prompts for a code and blocks the event
loop meanwhile, and a credential_process may prompt too, hang, or fill the memory.
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

from exporter.aws.errors import LocalError

# What a credential_process may print; AWS's own print some 2 kB.
_OUTPUT = 2**16
_SOURCES = ("env", "container-role", "iam-role")


def provider_chain(session: AioSession, region: str | None) -> AioCredentialResolver:
    """Return the providers of a session in the SDK's order, none of which prompts. `region` is where they ask STS."""
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
        # It removes the first of a name: that of the SDK.
        chain.insert_after(provider.METHOD, provider)
        chain.remove(provider.METHOD)
    return chain


class _AssumeRole(AioAssumeRoleProvider):
    def _get_role_config(self, profile_name: str) -> dict[str, Any]:
        """Called for each profile on the way to the source of the credentials."""
        # The stubs leave it out.
        role: dict[str, Any] = super()._get_role_config(profile_name)  # type: ignore[misc]
        if role["mfa_serial"] is not None:
            raise LocalError(
                "MfaRequired",
                f"the AWS profile {profile_name!r} has mfa_serial, and nobody is there to type a code; use a role "
                "without MFA, or the credentials that `aws sts get-session-token` gives",
            )
        return role


class _Profiles(AioProfileProviderBuilder):
    _session: AioSession

    def process_provider(self, profile_name: str) -> AioProcessProvider:
        session = self._session
        return AioProcessProvider(profile_name, lambda: session.full_config, popen=_start)

    # The builder's name for it, where a source_profile has a credential_process.
    _create_process_provider = process_provider


class _Process:
    """A credential_process that runs, as the SDK's provider expects a process. Its output is never shown."""

    returncode = 0

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def communicate(self) -> tuple[bytes, bytes]:
        """Return the output, and no errors. Raises LocalError; kills the process when cancelled."""
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
            raise _failed("its output is no JSON") from None
        if not isinstance(parsed, dict) or parsed.get("Version") != 1:
            raise _failed("its output is no JSON object with Version 1")
        if missing := [key for key in ("AccessKeyId", "SecretAccessKey") if not isinstance(parsed.get(key), str)]:
            raise _failed(f"its output lacks {', '.join(missing)}")
        return output, b""

    async def _output(self) -> bytes:
        if self._process.stdout is None:
            return b""
        try:
            await self._process.stdout.readexactly(_OUTPUT)
        except asyncio.IncompleteReadError as error:
            return error.partial
        raise _failed("its output is too long")

    async def _kill(self) -> None:
        """Kill it with its children, which may hold on to its output."""
        with contextlib.suppress(ProcessLookupError, TimeoutError):
            os.killpg(self._process.pid, signal.SIGKILL)
            async with asyncio.timeout(1):
                # To the end of what it wrote: the pipe is closed then.
                await self._process.communicate()


async def _start(*command: str, **_: Any) -> _Process:
    """Start a credential_process in a session of its own, without a terminal to prompt on."""
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
        f"the credential_process of the AWS profile gave none: {why}; run it as the exporter's user to see more",
    )


def _refuse(_: str) -> NoReturn:
    """Stand in for a prompt."""
    raise LocalError("MfaRequired", "the AWS profile asks for an MFA code, and nobody is there to type it")
