"""Why an object is not healthy, in one sentence: what its pods wait for, or what the server reported about it last.

Pods are looked at only here, when somebody asks; health itself is judged by the object's own status.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from gitopsd.plugin import Body, Live
from gitopsd_plugins.kubernetes.client import Client

_PODS = 50
_WAITS_WELL = frozenset({"ContainerCreating", "PodInitializing"})
_LONGEST = 400


async def of(client: Client, live: Live) -> str:
    """The sentence; '' where nothing is to be found."""
    for pod in await _pods(client, live):
        reason = of_pod(pod)
        if reason:
            return f"Pod/{pod['metadata'].get('namespace', '')}/{pod['metadata'].get('name', '')}: {reason}"
    return await _last_warning(client, live)


def of_pod(pod: Body) -> str:
    """What one pod suffers from; '' for a pod that does well."""
    status: Mapping[str, Any] = pod.get("status") or {}
    for container in [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]:
        reason = _of_container(container)
        if reason:
            return f"container {container.get('name', '')}: {reason}"
    for condition in status.get("conditions") or []:
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            return _sentence(condition.get("reason", ""), condition.get("message", ""))
    if status.get("phase") == "Failed":
        return _sentence(status.get("reason") or "Failed", status.get("message", ""))
    return ""


def _of_container(container: Mapping[str, Any]) -> str:
    state: Mapping[str, Any] = container.get("state") or {}
    waiting, ended = state.get("waiting") or {}, state.get("terminated") or {}
    if waiting.get("reason") and waiting["reason"] not in _WAITS_WELL:
        last = ((container.get("lastState") or {}).get("terminated") or {}).get("exitCode")
        code = f" (last exit code {last})" if last is not None else ""
        return _sentence(waiting["reason"], waiting.get("message", "")) + code
    if ended.get("exitCode"):
        return _sentence(
            f"{ended.get('reason') or 'ended'} with exit code {ended['exitCode']}", ended.get("message", "")
        )
    return ""


async def _pods(client: Client, live: Live) -> Sequence[Body]:
    if (live.id.group, live.id.kind) == ("", "Pod"):
        return [live.body]
    selector = _selector((live.body.get("spec") or {}).get("selector"))
    if not selector or not live.id.namespace or live.id.kind == "Service":
        return ()
    params = {"labelSelector": selector, "limit": str(_PODS)}
    reply = await client.get(f"/api/v1/namespaces/{live.id.namespace}/pods", params)
    return (reply.body.get("items") or []) if reply.ok else ()


def _selector(selector: Any) -> str:
    labels = selector.get("matchLabels") if isinstance(selector, Mapping) else None
    return ",".join(f"{key}={value}" for key, value in labels.items()) if isinstance(labels, Mapping) else ""


async def _last_warning(client: Client, live: Live) -> str:
    fields = {"involvedObject.uid": live.uid, "type": "Warning"}
    params = {"fieldSelector": ",".join(f"{key}={value}" for key, value in fields.items()), "limit": str(_PODS)}
    reply = await client.get(f"/api/v1/namespaces/{live.id.namespace or 'default'}/events", params)
    warnings: Iterable[Mapping[str, Any]] = (reply.body.get("items") or []) if reply.ok and live.uid else ()
    last = max(
        warnings, key=lambda event: str(event.get("lastTimestamp") or event.get("eventTime") or ""), default=None
    )
    return _sentence(last.get("reason", ""), last.get("message", "")) if last else ""


def _sentence(reason: str, message: str) -> str:
    return (f"{reason}: {message}" if reason and message else reason or message)[:_LONGEST]
