"""TLS to the API server: what is not trusted is not talked to."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gitopsd.plugin import Access, Context, Rejected, Tls
from gitopsd.plugin.conformance.scene import actor
from gitopsd_plugins.kubernetes.client import Client
from gitopsd_plugins.sandbox import server

pytestmark = pytest.mark.asyncio


async def test_a_server_is_trusted_by_its_authority_and_name_only(ctx: Context) -> None:
    async with server.serve(tls=True) as running:

        async def headers() -> dict[str, str]:
            return {"Authorization": f"Bearer {running.token}"}

        known = Access(cluster="a", server=running.url, tls=Tls(ca=running.authority.encode()), headers=headers)
        async with Client(known, actor(), ctx) as client:
            assert (await client.get("/version")).ok
        named = replace(known, tls=replace(known.tls, name="no.such.name"))
        for wrong in (replace(known, tls=Tls()), named):
            async with Client(wrong, actor(), ctx) as client:
                with pytest.raises(Rejected, match="is not trusted") as raised:
                    await client.get("/version")
            assert raised.value.reason == "NotTrusted"
        assert len(running.journal.requests()) == 1
        careless = replace(known, tls=Tls(insecure=True))
        async with Client(careless, actor(), ctx) as client:
            assert (await client.get("/version")).ok
