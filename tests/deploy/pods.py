"""Run a pod's exporter as a local process: with its mounted files, its flags and its probes."""

from __future__ import annotations

import asyncio
import os
import re
import ssl
import sys
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import aiohttp

from tests.deploy.kubernetes import Object, of_kind
from tests.prometheus import ROOT

# Printed, or logged where the log is JSON.
_SAID = re.compile(r'metrics(?: at |": ")https?://127\.0\.0\.1:(\d+)/metrics')
# Where the manifests mount; on this machine below a folder of the test.
_MOUNTS = ("/etc/sagemaker-exporter", "/var/lib/sagemaker-exporter")


class Running(NamedTuple):
    """Hold a container's process that has logged where it listens."""

    container: Object
    port: int
    log: Path

    async def probe(self, name: str) -> int:
        """Return the status that startupProbe, livenessProbe or readinessProbe gets, or 0 for a port."""
        probe = self.container[name]
        if "tcpSocket" in probe:
            _, writer = await asyncio.open_connection("127.0.0.1", self.port)
            writer.close()
            await writer.wait_closed()
            return 0
        return await self.get(probe["httpGet"]["path"], probe["httpGet"].get("scheme", "HTTP").lower())

    async def get(self, path: str, scheme: str = "http", **headers: str) -> int:
        """Return the status of a response. Like a kubelet, accept any certificate."""
        trusting = ssl.create_default_context()
        trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
        url = f"{scheme}://127.0.0.1:{self.port}{path}"
        async with aiohttp.ClientSession() as session, session.get(url, ssl=trusting, headers=headers) as answer:
            return answer.status

    async def until(self, name: str, status: int, within: float = 60.0) -> None:
        """Repeat a probe until it has this status."""
        async with asyncio.timeout(within):
            while await self.probe(name) != status:
                await asyncio.sleep(0.05)


@asynccontextmanager
async def running(
    container: Object,
    found: Iterable[Object],
    pod: Object,
    folder: Path,
    environment: Mapping[str, str],
    secrets: Mapping[str, Path] | None = None,
) -> AsyncIterator[Running]:
    """Run the container with the mounts of its manifests.

    `secrets` are folders for secrets that no manifest creates.
    """
    _lay_out(container, list(found), pod, folder, secrets or {})
    flags = [_here(each, folder) for each in container["args"]]
    log = folder / "exporter.log"
    with log.open("ab") as sink:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "exporter", *flags, "--web.listen-address=127.0.0.1:0"),
            env={**os.environ, **_environment(container), **environment},
            cwd=ROOT,
            stdout=sink,
            stderr=sink,
        )
        try:
            async with asyncio.timeout(60):
                while not (said := _SAID.search(log.read_text())):
                    assert process.returncode is None, log.read_text()
                    await asyncio.sleep(0.05)
            yield Running(container, int(said[1]), log)
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()


def _environment(container: Object) -> dict[str, str]:
    return {each["name"]: each.get("value", "pod-0") for each in container["env"]} if "env" in container else {}


def _here(text: str, folder: Path) -> str:
    for mount in _MOUNTS:
        text = text.replace(mount, f"{folder}{mount}")
    return text


def _lay_out(container: Object, found: list[Object], pod: Object, folder: Path, secrets: Mapping[str, Path]) -> None:
    volumes = {each["name"]: each for each in pod["volumes"]}
    for mount in container["volumeMounts"]:
        target = Path(_here(mount["mountPath"], folder))
        target.parent.mkdir(parents=True, exist_ok=True)
        volume = volumes.get(mount["name"], {})
        kind, name = _source(volume)
        if name in secrets:
            target.symlink_to(secrets[name])
            continue
        target.mkdir(exist_ok=True)
        for each in (o for o in of_kind(kind, found) if o["metadata"]["name"] == name):
            for file, text in (each.get("data") or each["stringData"]).items():
                (target / file).write_text(_here(text, folder))


def _source(volume: Object) -> tuple[str, str]:
    if "configMap" in volume:
        return "ConfigMap", volume["configMap"]["name"]
    return "Secret", volume.get("secret", {}).get("secretName", "")
