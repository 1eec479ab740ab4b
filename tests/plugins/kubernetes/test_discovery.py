"""Discovery: the aggregated answer, the classic one, and groups that do not answer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web

from gitopsd.plugin import Access, Context
from gitopsd.plugin.conformance.scene import actor
from gitopsd_plugins.kubernetes.client import Client
from gitopsd_plugins.kubernetes.discovery import Discovery, Resource


def _item(kind: str, plural: str, scope: str = "Namespaced") -> dict[str, Any]:
    return {"resource": plural, "responseKind": {"kind": kind}, "scope": scope, "verbs": ["get", "list"]}


def _group(name: str, version: str, *items: dict[str, Any], freshness: str = "Current") -> dict[str, Any]:
    versions = [{"version": version, "resources": list(items), "freshness": freshness}]
    return {"metadata": {"name": name}, "versions": versions}


def _aggregated(*groups: dict[str, Any]) -> dict[str, Any]:
    return {"kind": "APIGroupDiscoveryList", "items": list(groups)}


CORE = _aggregated(_group("", "v1", _item("ConfigMap", "configmaps"), _item("Namespace", "namespaces", "Cluster")))
METRICS = _group("metrics.k8s.io", "v1beta1", _item("PodMetrics", "pods"))


@dataclass
class Api:
    """A server of canned answers by path; what has none is a 503."""

    answers: dict[str, Any] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        self.asked.append(request.path)
        found: Mapping[str, Any] | None = self.answers.get(request.path)
        return web.json_response(found or {"kind": "Status", "message": "away"}, status=200 if found else 503)


@asynccontextmanager
async def _discovery(api: Api, ctx: Context, now: list[float] | None = None) -> AsyncIterator[Discovery]:
    runner = web.ServerRunner(web.Server(api.answer, access_log=None))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        access = Access(cluster="a", server=f"http://127.0.0.1:{runner.addresses[0][1]}")
        async with Client(access, actor(), ctx) as client:
            clock = now if now is not None else [0.0]
            yield Discovery(client, lambda: clock[0])
    finally:
        await runner.cleanup()


@pytest.mark.asyncio
async def test_kinds_are_found_with_their_paths(ctx: Context) -> None:
    api = Api({"/api": CORE, "/apis": _aggregated(_group("apps", "v1", _item("Deployment", "deployments")))})
    async with _discovery(api, ctx) as discovery:
        deployment = await discovery.find("apps", "Deployment", "v1")
        namespace = await discovery.find("", "Namespace")
        assert deployment is not None
        assert namespace is not None
        assert deployment.path("web", "app") == "/apis/apps/v1/namespaces/web/deployments/app"
        assert deployment.path() == "/apis/apps/v1/deployments"
        assert namespace.path("ignored", "web") == "/api/v1/namespaces/web"
        assert await discovery.find("apps", "Deployment", "v1beta1") is None
    assert api.asked == ["/api", "/apis"]


@pytest.mark.asyncio
async def test_unknown_kinds_cause_no_storm_of_requests(ctx: Context) -> None:
    api, now = Api({"/api": CORE, "/apis": _aggregated()}), [0.0]
    async with _discovery(api, ctx, now) as discovery:
        for _ in range(10):
            assert await discovery.find("example.com", "Thing") is None
        assert len(api.asked) == 2
        api.answers["/apis"] = _aggregated(_group("example.com", "v1", _item("Thing", "things")))
        now[0] = 6.0
        assert await discovery.find("example.com", "Thing") is not None


@pytest.mark.asyncio
async def test_a_group_that_does_not_answer_leaves_the_others_and_its_last_known_kinds(ctx: Context) -> None:
    api, now = Api({"/api": CORE, "/apis": _aggregated(METRICS)}), [0.0]
    async with _discovery(api, ctx, now) as discovery:
        await discovery.refresh()
        assert discovery.kinds.stale == frozenset()
        api.answers["/apis"] = _aggregated(_group("metrics.k8s.io", "v1beta1", freshness="Stale"))
        now[0] = 1.0
        await discovery.refresh()
        assert discovery.kinds.stale == {"metrics.k8s.io"}
        assert discovery.kinds.find("metrics.k8s.io", "PodMetrics") is not None
        assert discovery.kinds.find("", "ConfigMap") is not None


@pytest.mark.asyncio
async def test_an_older_server_is_asked_group_by_group(ctx: Context) -> None:
    names = [{"version": "v1beta1"}, {"version": "v1"}]
    groups = [
        {"name": "apps", "versions": names, "preferredVersion": {"version": "v1"}},
        {"name": "broken.example.com", "versions": [{"version": "v1"}]},
    ]
    deployments = {"name": "deployments", "kind": "Deployment", "namespaced": True, "verbs": ["get"]}
    status = {"name": "deployments/status", "kind": "Deployment", "namespaced": True, "verbs": ["get"]}
    api = Api(
        {
            "/api": {"kind": "APIVersions", "versions": ["v1"]},
            "/apis": {"kind": "APIGroupList", "groups": groups},
            "/api/v1": {"resources": [{"name": "nodes", "kind": "Node", "namespaced": False, "verbs": ["get"]}]},
            "/apis/apps/v1": {"resources": [deployments, status]},
            "/apis/apps/v1beta1": {"resources": [deployments]},
        }
    )
    async with _discovery(api, ctx) as discovery:
        found = await discovery.find("apps", "Deployment")
        assert found is not None
        assert (found.version, found.plural) == ("v1", "deployments")
        assert await discovery.find("apps", "Deployment", "v1beta1") is not None
        assert await discovery.find("", "Node") is not None
        assert discovery.kinds.stale == {"broken.example.com"}


def test_names_in_paths_are_quoted() -> None:
    role = Resource(group="rbac.authorization.k8s.io", version="v1", kind="Role", plural="roles", namespaced=True)
    assert role.path("web", "system:node/x?y") == (
        "/apis/rbac.authorization.k8s.io/v1/namespaces/web/roles/system:node%2Fx%3Fy"
    )
