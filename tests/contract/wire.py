"""Bare HTTP to a server of the contract: what is asked and what comes back, headers included, with no client in between."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import anyio

Json = dict[str, Any]

APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
SOON = 60.0


@dataclass(frozen=True, slots=True)
class Heard:
    """An answer."""

    status: int
    body: Any
    kind: str
    """The content type without parameters."""
    warnings: tuple[str, ...] = ()

    @property
    def causes(self) -> list[str]:
        """The fields that a refusal names."""
        return [cause.get("field", "") for cause in (self.body.get("details") or {}).get("causes", ())]


@dataclass(frozen=True, slots=True)
class Wire:
    """A session of the administrator."""

    session: aiohttp.ClientSession

    async def ask(
        self, method: str, path: str, body: Any = None, kind: str = "application/json", **headers: str
    ) -> Heard:
        """One request; `headers` have `_` for `-`."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if body is not None:
            named["Content-Type"] = kind
        text = body if isinstance(body, str) else None if body is None else json.dumps(body)
        async with self.session.request(method, path, data=text, headers=named) as response:
            content = await response.read()
            warnings = tuple(response.headers.getall("Warning", ()))
            return Heard(response.status, _decoded(content), response.content_type, warnings)

    async def make(self, path: str, body: Json) -> Json:
        """Create an object that must be accepted."""
        heard = await self.ask("POST", path, body)
        assert heard.status == 201, heard.body
        made: Json = heard.body
        return made

    async def namespace(self) -> str:
        """A fresh namespace."""
        name = f"w{uuid.uuid4().hex[:10]}"
        await self.make("/api/v1/namespaces", {"metadata": {"name": name}})
        return name

    async def until(self, path: str, holds: Any) -> Json:
        """The object at a path as soon as `holds` is true of its answer."""
        with anyio.fail_after(SOON):
            while not holds(heard := await self.ask("GET", path)):  # noqa: ASYNC110 - a server tells nothing by itself
                await asyncio.sleep(0.05)
        found: Json = heard.body
        return found

    @asynccontextmanager
    async def watch(self, path: str, **headers: str) -> AsyncIterator[Any]:
        """A watch; call what it gives for the next event."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.session.get(path, headers=named, timeout=aiohttp.ClientTimeout(total=SOON)) as response:

            async def following() -> Json:
                event: Json = json.loads(await response.content.readline())
                return event

            try:
                yield following
            finally:
                _cut(response)


def _cut(response: aiohttp.ClientResponse) -> None:
    """End the connection at once: the goodbye of TLS would outlive the test's event loop."""
    if response.connection is not None and response.connection.transport is not None:
        response.connection.transport.abort()


def _decoded(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return content.decode()


def config_map(name: str, data: Mapping[str, str] | None = None, **metadata: Any) -> Json:
    body: Json = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **metadata}}
    return body if data is None else {**body, "data": dict(data)}


def config_maps(namespace: str, name: str = "") -> str:
    return f"/api/v1/namespaces/{namespace}/configmaps" + (f"/{name}" if name else "")


def deployment(name: str, image: str = "i:1", **spec: Any) -> Json:
    template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "c", "image": image}]}}
    whole = {"replicas": 0, "selector": {"matchLabels": {"app": name}}, "template": template, **spec}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": whole}


def deployments(namespace: str, name: str = "") -> str:
    return f"/apis/apps/v1/namespaces/{namespace}/deployments" + (f"/{name}" if name else "")


DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


def definition(group: str, schema: Json, plural: str = "things", **version: Any) -> Json:
    """A definition of the kind `Thing`, without namespaces and in one version."""
    served = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}, **version}
    names = {"kind": "Thing", "plural": plural}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {"group": group, "scope": "Cluster", "names": names, "versions": [served]},
    }


def managers(body: Json) -> list[tuple[str, str, str]]:
    entries = body["metadata"].get("managedFields", [])
    return [(each["manager"], each["operation"], each.get("subresource", "")) for each in entries]
