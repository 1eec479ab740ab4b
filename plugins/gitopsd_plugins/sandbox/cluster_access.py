"""The way to reach a sandbox: it is started when a target is opened, and stopped with it.

In a `Cluster` object: `sandbox: {}`, or with `persist` (a folder that keeps the state over restarts) and `settling`
(seconds). The server is imported when it is needed, so that the registry stays cheap.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta

from gitopsd.plugin import Access, ClusterAccess, Context, Misconfigured, Spec, hookimpl
from gitopsd.plugin.spec import decode


class SandboxSpec(Spec, frozen=True, kw_only=True):
    """`persist` is a folder that keeps the state over restarts, '' for none; `settling` is in seconds."""

    persist: str = ""
    settling: Annotated[float, Meta(ge=0)] = 0.3


class SandboxAccess:
    """Starts an API server in this process for as long as the access is open."""

    name = "sandbox"

    @asynccontextmanager
    async def open(self, cluster: str, spec: Mapping[str, Any], ctx: Context) -> AsyncIterator[Access]:
        """Access to a fresh or persisted sandbox. Raises `Misconfigured` for a wrong field or a folder that cannot be used."""
        # here, because a registry that only lists plugins must not load an HTTP server
        from gitopsd_plugins.sandbox.cluster import Settings
        from gitopsd_plugins.sandbox.server import serve

        wanted = decode(spec, SandboxSpec)
        folder = Path(wanted.persist) if wanted.persist else None
        async with AsyncExitStack() as stack:
            server = serve(persist=folder, settings=Settings(settling=wanted.settling, clock=ctx.now))
            try:
                running = await stack.enter_async_context(server)
            except (OSError, ValueError) as error:
                raise Misconfigured(f"Cluster/{cluster}: {error}") from error
            headers = {"Authorization": f"Bearer {running.token}"}

            async def authenticate() -> Mapping[str, str]:
                return headers

            yield Access(cluster=cluster, server=running.url, context="sandbox", headers=authenticate)


@hookimpl
def gitopsd_accesses() -> Iterable[ClusterAccess]:
    """The embedded sandbox, used only where it is named."""
    return [SandboxAccess()]
