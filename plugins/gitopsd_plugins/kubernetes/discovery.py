"""Which kinds the server has, under which paths. Read with one or two requests, kept, and read again when a kind is missing.

The server's aggregated answer is preferred; older or partial servers are asked group by group. An API group whose server
does not answer (a broken APIService) leaves its last known kinds and is listed as stale; the others are not affected.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import anyio

from gitopsd.plugin import ResourceId
from gitopsd_plugins.kubernetes import client as clients
from gitopsd_plugins.kubernetes.client import Client

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"
_PATIENCE = 5.0
"""Seconds between two readings that unknown kinds may cause."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A kind in one version, as the server offers it."""

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool
    verbs: frozenset[str] = frozenset()

    @property
    def api_version(self) -> str:
        """As in a manifest."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str = "", name: str = "") -> str:
        """The URL path of an object, of the collection in a namespace, or of all there are."""
        parts = ["/apis", self.group, self.version] if self.group else ["/api", self.version]
        if self.namespaced and namespace:
            parts += ["namespaces", quote(namespace, safe="")]
        parts.append(self.plural)
        if name:
            parts.append(quote(name, safe=":"))
        return "/".join(parts)

    def id(self, namespace: str, name: str) -> ResourceId:
        """The identity of an object of this kind."""
        return ResourceId(group=self.group, kind=self.kind, namespace=namespace if self.namespaced else "", name=name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kinds:
    """One reading. `resources` by (group, kind), the server's preferred version first; `stale`: groups that do not answer."""

    resources: Mapping[tuple[str, str], tuple[Resource, ...]] = field(default_factory=dict)
    stale: frozenset[str] = frozenset()

    def find(self, group: str, kind: str, version: str = "") -> Resource | None:
        """The kind in this version, or in the preferred one where the version is not served (or not given)."""
        offered = self.resources.get((group, kind), ())
        return next((r for r in offered if r.version == version), offered[0] if offered else None)


class Discovery:
    """Keeps the server's kinds. Concurrent readers share one request."""

    def __init__(self, client: Client, now: Callable[[], float] = anyio.current_time) -> None:
        self._client, self._now = client, now
        self._lock = anyio.Lock()
        self._read_at: float | None = None
        self._changed = anyio.Event()
        self.kinds = Kinds()

    async def find(self, group: str, kind: str, version: str = "") -> Resource | None:
        """The kind as the server offers it; None where it has none, even after reading again (at most every 5 s).

        With a version, exactly this one, or None.
        """
        found = self._exactly(group, kind, version)
        if found is None and (self._read_at is None or self._now() - self._read_at > _PATIENCE):
            await self.refresh()
            found = self._exactly(group, kind, version)
        return found

    async def refresh(self) -> None:
        """Read again, now. Raises `Transient` or `Rejected` where the server gives no answer at all."""
        asked_at = self._now()
        async with self._lock:
            if self._read_at is not None and self._read_at > asked_at:
                return  # somebody read while this one waited
            self.kinds = await self._read()
            self._read_at = self._now()
            self._changed.set()
            self._changed = anyio.Event()

    async def changed(self, timeout: float) -> None:
        """Return when the kinds were read again, or after `timeout` seconds."""
        with anyio.move_on_after(timeout):
            await self._changed.wait()

    def forget(self) -> None:
        """What is kept was found wrong: read again at the next question."""
        self.kinds = Kinds()
        self._read_at = None

    def _exactly(self, group: str, kind: str, version: str) -> Resource | None:
        found = self.kinds.find(group, kind, version)
        return found if found is not None and version in {"", found.version} else None

    async def _read(self) -> Kinds:
        answers = [
            clients.checked(await self._client.get(path, accept=AGGREGATED), f"reading {path}")
            for path in ("/api", "/apis")
        ]
        if all(answer.get("kind") == "APIGroupDiscoveryList" for answer in answers):
            resources, stale = _from_aggregated(answers)
        else:
            resources, stale = await self._group_by_group(answers)
        return Kinds(resources=_with_last_known(resources, self.kinds, stale), stale=stale)

    async def _group_by_group(self, answers: Iterable[Mapping[str, Any]]) -> tuple[dict[Any, Any], frozenset[str]]:
        resources: dict[tuple[str, str], tuple[Resource, ...]] = {}
        stale: set[str] = set()
        for group, version in _group_versions(answers):
            reply = await self._client.get(f"/apis/{group}/{version}" if group else f"/api/{version}")
            if not reply.ok:
                stale.add(group)
                continue
            for item in reply.body.get("resources") or []:
                _add(resources, _classic(group, version, item))
        return resources, frozenset(stale)


def _from_aggregated(answers: Iterable[Mapping[str, Any]]) -> tuple[dict[Any, Any], frozenset[str]]:
    resources: dict[tuple[str, str], tuple[Resource, ...]] = {}
    stale: set[str] = set()
    for group in (item for answer in answers for item in answer.get("items") or []):
        name = group.get("metadata", {}).get("name", "")
        for version in group.get("versions") or []:
            if version.get("freshness") == "Stale":
                stale.add(name)
            for item in version.get("resources") or []:
                _add(resources, _aggregated(name, version["version"], item))
    return resources, frozenset(stale)


def _aggregated(group: str, version: str, item: Mapping[str, Any]) -> Resource | None:
    kind = (item.get("responseKind") or {}).get("kind")
    if not kind or not item.get("verbs"):
        return None
    return Resource(
        group=group,
        version=version,
        kind=kind,
        plural=item["resource"],
        namespaced=item.get("scope") == "Namespaced",
        verbs=frozenset(item["verbs"]),
    )


def _classic(group: str, version: str, item: Mapping[str, Any]) -> Resource | None:
    if "/" in item.get("name", "/") or not item.get("kind"):
        return None
    return Resource(
        group=group,
        version=version,
        kind=item["kind"],
        plural=item["name"],
        namespaced=bool(item.get("namespaced")),
        verbs=frozenset(item.get("verbs") or ()),
    )


def _group_versions(answers: Iterable[Mapping[str, Any]]) -> Iterable[tuple[str, str]]:
    for answer in answers:
        yield from (("", version) for version in answer.get("versions") or [])
        for group in answer.get("groups") or []:
            preferred = (group.get("preferredVersion") or {}).get("version")
            versions = [v["version"] for v in group.get("versions") or []]
            yield from ((group["name"], v) for v in sorted(versions, key=lambda v: v != preferred))


def _add(resources: dict[tuple[str, str], tuple[Resource, ...]], found: Resource | None) -> None:
    if found is not None:
        key = (found.group, found.kind)
        resources[key] = (*resources.get(key, ()), found)


def _with_last_known(
    found: Mapping[tuple[str, str], tuple[Resource, ...]], before: Kinds, stale: frozenset[str]
) -> Mapping[tuple[str, str], tuple[Resource, ...]]:
    kept = {key: value for key, value in before.resources.items() if key[0] in stale}
    return {**kept, **found}
