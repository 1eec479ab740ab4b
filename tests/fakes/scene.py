"""A place in a cluster for one app, and for others who have a say in its objects."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from fakes.staged import Staged

from gitopsd.model.manifest import Body, Manifest
from gitopsd.plugin import Access, Context
from gitopsd.plugin.conformance.scene import actor, eventually, place
from gitopsd_plugins.kubernetes import client as clients
from gitopsd_plugins.kubernetes.client import APPLY, Client
from gitopsd_plugins.kubernetes.sink import KubernetesSink
from gitopsd_plugins.kubernetes.target import KubernetesTarget

MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"


def wide(kind: str, api: str, name: str, **parts: Any) -> dict[str, Any]:
    """An object without a namespace."""
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name, **parts.pop("metadata", {})}, **parts}


@dataclass(slots=True, kw_only=True)
class Scene:
    """One namespace, the app, and a client of somebody else."""

    app: Staged
    namespace: str
    client: Client

    def object(self, kind: str, name: str = "web", *, api: str = "v1", metadata: Any = None, **parts: Any) -> Body:
        """A manifest in the scene's namespace."""
        known = {"name": name, "namespace": self.namespace, **(metadata or {})}
        return {"apiVersion": api, "kind": kind, "metadata": known, **parts}

    def config_map(self, data: Mapping[str, str], **metadata: Any) -> Body:
        """A ConfigMap."""
        return self.object("ConfigMap", metadata=metadata, data=dict(data))

    def deployment(self, *, image: str = "web:1", metadata: Any = None, container: Any = None, **spec: Any) -> Body:
        """A Deployment of one container; paused, so that its controller writes nothing while we look."""
        labels = {"app": "web"}
        pod = {"containers": [{"name": "web", "image": image, **(container or {})}]}
        template = {"metadata": {"labels": labels}, "spec": pod}
        return self.object(
            "Deployment",
            api="apps/v1",
            metadata=metadata,
            spec={"paused": True, "selector": {"matchLabels": labels}, "template": template, **spec},
        )

    async def as_manager(self, manager: str, body: Body, **parts: Any) -> None:
        """Somebody applies these parts of an object, forced, as `kubectl apply --server-side` does."""
        names = {key: body["metadata"][key] for key in ("name", "namespace") if key in body["metadata"]}
        metadata = {**names, **parts.pop("metadata", {})}
        stated = {"apiVersion": body["apiVersion"], "kind": body["kind"], "metadata": metadata, **parts}
        await self._send("PATCH", body, stated, APPLY, {"fieldManager": manager, "force": "true"})

    async def edit(self, manager: str, body: Body, change: Any, content_type: str = STRATEGIC) -> None:
        """Somebody edits an object, as `kubectl edit` does."""
        await self._send("PATCH", body, change, content_type, {"fieldManager": manager})

    async def create(self, manager: str, body: Body) -> None:
        """Somebody makes an object, as `kubectl create` does."""
        await self._send("POST", body, body, "application/json", {"fieldManager": manager}, named=False)

    async def remove(self, body: Body) -> None:
        """An object is deleted, and gone; its dependants go after it."""

        async def gone() -> bool:
            return await self.app.look(body) is None

        await self._send("DELETE", body, {"propagationPolicy": "Background"}, "application/json", {})
        await eventually(gone)

    async def stored_in(self, version: str, definition: Body) -> None:
        """Say that all objects of a definition are stored in this version, as whoever migrates them does."""
        params = {"fieldManager": "migrator"}
        path = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{definition['metadata']['name']}/status"
        body = {"status": {"storedVersions": [version]}}
        clients.checked(await self.client.send("PATCH", path, params=params, body=body, content_type=MERGE), path)

    async def managers(self, body: Body) -> set[tuple[str, str]]:
        """Who holds fields of the object itself, and by which operation."""
        live = await self.app.look(body)
        assert live is not None
        return {(e["manager"], e["operation"]) for e in live.managers if not e.get("subresource")}

    async def _send(
        self, method: str, body: Body, what: Any, content_type: str, params: Mapping[str, str], *, named: bool = True
    ) -> None:
        id, target = Manifest.of(body).id, self.app.target
        assert isinstance(target, KubernetesTarget)
        resource = await target.discovery.find(id.group, id.kind, body["apiVersion"].rpartition("/")[2])
        path = resource.path(id.namespace, id.name)
        path = path if named else path.rpartition("/")[0]
        reply = await self.client.send(method, path, params=params, body=what, content_type=content_type)
        clients.checked(reply, f"{method} {path}")


@asynccontextmanager
async def opened(access: Access, ctx: Context) -> AsyncIterator[Scene]:
    """A scene of its own."""
    async with (
        Client(access, actor(), ctx) as client,
        place(lambda who: KubernetesSink().connect(access, who, ctx)) as (target, namespace),
    ):
        yield Scene(app=Staged(target), namespace=namespace, client=client)
