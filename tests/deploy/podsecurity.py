"""Check pods against the restricted Pod Security standard of Kubernetes, as far as it applies here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
_OF_THE_HOST = ("hostNetwork", "hostPID", "hostIPC", "hostUsers")


def violations(pod: dict[str, Any]) -> list[str]:
    """Return the violations of the standard in a pod's specification."""
    containers = [*pod.get("initContainers", ()), *pod["containers"]]
    return [*_of_the_pod(pod), *(found for each in containers for found in _of_a_container(each, pod))]


def _of_the_pod(pod: dict[str, Any]) -> Iterator[str]:
    yield from (key for key in _OF_THE_HOST if pod.get(key))
    for volume in pod.get("volumes", ()):
        if not volume.keys() - {"name"} <= _VOLUMES:
            yield f"volume {volume['name']}"


def _of_a_container(container: dict[str, Any], pod: dict[str, Any]) -> Iterator[str]:
    name = container["name"]
    its = container.get("securityContext", {})
    whole = {**pod.get("securityContext", {}), **its}
    if its.get("privileged") or its.get("allowPrivilegeEscalation") is not False:
        yield f"{name}: privileges"
    capabilities = its.get("capabilities", {})
    if capabilities.get("drop") != ["ALL"] or not set(capabilities.get("add", ())) <= {"NET_BIND_SERVICE"}:
        yield f"{name}: capabilities"
    if whole.get("runAsNonRoot") is not True or whole.get("runAsUser") == 0:
        yield f"{name}: root"
    if whole.get("seccompProfile", {}).get("type") not in {"RuntimeDefault", "Localhost"}:
        yield f"{name}: seccomp"
    if any("hostPort" in port for port in container.get("ports", ())):
        yield f"{name}: host port"
