"""Why an object is not healthy, in one sentence: what its pods suffer from, or what the server reported about it last.

Pods and events are looked at only here, when somebody asks; health itself is judged by the object's own status. With one
exception, which is kstatus's: a StatefulSet or ReplicaSet whose pod has failed has failed too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from gitopsd.plugin import Body, Explanation, Health, Live
from gitopsd_plugins.kubernetes.client import Client
from gitopsd_plugins.kubernetes.health import generic, pods, status

_PODS = 50
_WAITS_WELL = frozenset({"ContainerCreating", "PodInitializing"})
_FAILS_WITH_ITS_PODS = frozenset({("apps", "StatefulSet"), ("apps", "ReplicaSet")})
_LONGEST = 400


async def of(client: Client, live: Live) -> Explanation:
    """The sentence, and whether it means failure."""
    found = await _pods(client, live)
    suffering = [(pod, reason) for pod in found if (reason := of_pod(pod))]
    if suffering:
        failing = [(pod, reason) for pod, reason in suffering if _failed(pod)]
        pod, reason = (failing or suffering)[0]
        broken = bool(failing) and (live.id.group, live.id.kind) in _FAILS_WITH_ITS_PODS
        return Explanation(message=f"{_name(pod)}: {reason}", failed=broken)
    if refused := status.condition(live.body, "ReplicaFailure"):
        return Explanation(message=_sentence(refused.get("reason", ""), refused.get("message", "")))
    return Explanation(message=await _last_warning(client, live, found))


def of_pod(pod: Body) -> str:
    """What one pod suffers from; '' for a pod that does well, or that only begins."""
    state: Mapping[str, Any] = pod.get("status") or {}
    for container in [*(state.get("initContainerStatuses") or []), *(state.get("containerStatuses") or [])]:
        reason = _of_container(container)
        if reason:
            return f"container {container.get('name', '')}: {reason}"
    for condition in state.get("conditions") or []:
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            return _sentence(condition.get("reason", ""), condition.get("message", ""))
    if state.get("phase") == "Failed":
        return _sentence(state.get("reason") or "Failed", state.get("message", ""))
    return ""


def _failed(pod: Body) -> bool:
    """kstatus's measure: failed, not on its way out, and not for want of a node."""
    scheduled = status.condition(pod, "PodScheduled").get("status") != "False"
    verdict = generic.before(pod) or pods.pod(pod)
    return scheduled and verdict.health is Health.FAILED


def _of_container(container: Mapping[str, Any]) -> str:
    state: Mapping[str, Any] = container.get("state") or {}
    waiting, ended = state.get("waiting") or {}, state.get("terminated") or {}
    if waiting.get("reason") and waiting["reason"] not in _WAITS_WELL:
        last = _ended((container.get("lastState") or {}).get("terminated") or {})
        return _sentence(waiting["reason"], waiting.get("message", "")) + (f" (it last ended: {last})" if last else "")
    return _ended(ended) if ended.get("exitCode") else ""


def _ended(terminated: Mapping[str, Any]) -> str:
    """`OOMKilled with exit code 137: message`; '' for a container that did not end."""
    if "exitCode" not in terminated:
        return ""
    return _sentence(
        f"{terminated.get('reason') or 'ended'} with exit code {terminated['exitCode']}", terminated.get("message", "")
    )


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


async def _last_warning(client: Client, live: Live, found: Sequence[Body]) -> str:
    """The newest warning about the object itself, else about its first pod that is not ready (a probe that fails)."""
    if own := await _warning(client, live.id.namespace, live.uid):
        return own
    for pod in found:
        if not status.is_true(pod, "Ready") and (uid := pod["metadata"].get("uid", "")) != live.uid:
            reason = await _warning(client, live.id.namespace, uid)
            return f"{_name(pod)}: {reason}" if reason else ""
    return ""


async def _warning(client: Client, namespace: str, uid: str) -> str:
    if not uid:
        return ""
    params = {"fieldSelector": f"involvedObject.uid={uid},type=Warning", "limit": str(_PODS)}
    reply = await client.get(f"/api/v1/namespaces/{namespace or 'default'}/events", params)
    warnings: Iterable[Mapping[str, Any]] = (reply.body.get("items") or []) if reply.ok else ()
    last = max(
        warnings, key=lambda event: str(event.get("lastTimestamp") or event.get("eventTime") or ""), default=None
    )
    return _sentence(last.get("reason", ""), last.get("message", "")) if last else ""


def _name(pod: Body) -> str:
    return f"Pod/{pod['metadata'].get('namespace', '')}/{pod['metadata'].get('name', '')}"


def _sentence(reason: str, message: str) -> str:
    return (f"{reason}: {message}" if reason and message else reason or message)[:_LONGEST]
