"""What kubelets say of pods, for a control plane that has none: through the status subresource, as their images tell.

An image with `broken` in its name crashes, as in the sandbox, which needs no such help.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
from fakes.real_cluster import RealCluster
from fakes.world import MERGE, World


@asynccontextmanager
async def kubelet(world: World, namespace: str) -> AsyncIterator[None]:
    """Every pod of the namespace runs, ends or crashes while the block runs."""
    async with anyio.create_task_group() as tasks:
        if isinstance(world.running, RealCluster):
            tasks.start_soon(_look_after, world, namespace)
        yield
        tasks.cancel_scope.cancel()


async def _look_after(world: World, namespace: str) -> None:
    url = f"{world.running.url}/api/v1/namespaces/{namespace}/pods?watch=true"
    async with world.http.get(url) as events:
        async for line in events.content:
            event = json.loads(line)
            pod = event["object"]
            if event["type"] != "DELETED" and not pod["status"].get("containerStatuses"):
                path = f"/api/v1/namespaces/{namespace}/pods/{pod['metadata']['name']}/status"
                await world.send("PATCH", path, {"status": _status(pod)}, MERGE)


def _status(pod: dict[str, Any]) -> dict[str, Any]:
    container = pod["spec"]["containers"][0]
    crashes = "broken" in container["image"]
    ends = any(owner["kind"] == "Job" for owner in pod["metadata"].get("ownerReferences", ()))
    state: dict[str, Any] = {"running": {}}
    if ends:
        state = {"terminated": {"exitCode": int(crashes), "reason": "Error" if crashes else "Completed"}}
    elif crashes:
        state = {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}
    ready = "running" in state
    phase = ("Failed" if crashes else "Succeeded") if ends else ("Running" if ready else "Pending")
    told = {"name": container["name"], "image": container["image"], "imageID": "", "restartCount": 0}
    return {
        "phase": phase,
        "conditions": [{"type": "Ready", "status": str(ready)}],
        "containerStatuses": [{**told, "ready": ready, "state": state}],
    }
