"""What every way to reach a cluster promises. Subclass it and give it the fixture `way`:

    class TestMyAccess(AccessSuite):
        @pytest.fixture
        def way(self, tmp_path):
            return Way(access=MyAccess(), spec={...}, ctx=..., secrets=["the token"])

What `spec` leads to must be there and answer as an API server does. Needs pytest and pytest-asyncio.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any

import pytest

from gitopsd.model.errors import Misconfigured
from gitopsd.plugin.context import Context
from gitopsd.plugin.roles import Access, ClusterAccess
from gitopsd.plugin.spec import SpecError

# ruff: noqa: D102 - the name of a test states the promise

NAME = "conformance"
SEVERAL = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A way under test. `spec` is what stands below its name in a `Cluster` object, and opens it."""

    access: ClusterAccess
    spec: Mapping[str, Any]
    ctx: Context
    secrets: Sequence[str] = field(default=(), repr=False)
    """Credentials that it is opened with: nothing that is shown may hold one."""
    broken: Sequence[Mapping[str, Any]] = ()
    """Further values that cannot be meant."""

    def open(self, spec: Mapping[str, Any] | None = None) -> AbstractAsyncContextManager[Access]:
        """Open it under the name of the tests."""
        return self.access.open(NAME, self.spec if spec is None else spec, self.ctx)


@pytest.mark.asyncio
class AccessSuite:
    """The promises. Subclasses provide the fixture `way`."""

    @pytest.fixture
    def way(self) -> Way:
        """A way to a server that answers."""
        raise NotImplementedError("override the fixture `way`")

    async def test_its_name_can_be_a_key_of_a_cluster(self, way: Way) -> None:
        assert way.access.name.isidentifier()

    async def test_it_says_which_cluster_and_server_it_leads_to(self, way: Way) -> None:
        async with way.open() as access:
            assert access.cluster == NAME
            assert access.server.startswith(("http://", "https://"))
            assert not access.server.endswith("/")

    async def test_the_server_takes_its_credentials_each_time(self, way: Way) -> None:
        async with way.open() as access:
            for _ in range(SEVERAL):
                assert await _answer(access, way.ctx) == 200

    async def test_the_server_takes_them_after_they_were_refused_once(self, way: Way) -> None:
        async with way.open() as access:
            await _answer(access, way.ctx)
            if access.expire is not None:
                access.expire()
            assert await _answer(access, way.ctx) == 200

    async def test_it_is_opened_again_after_it_was_closed(self, way: Way) -> None:
        for _ in range(SEVERAL):
            async with way.open() as access:
                assert await _answer(access, way.ctx) == 200

    async def test_what_is_written_is_left_alone(self, way: Way) -> None:
        written = copy.deepcopy(dict(way.spec))
        async with way.open():
            assert way.spec == written

    async def test_nothing_that_is_shown_holds_a_credential(self, way: Way) -> None:
        async with way.open() as access:
            assert [secret for secret in way.secrets if secret in repr(access)] == []

    async def test_an_unknown_field_is_an_error_that_names_it(self, way: Way) -> None:
        with pytest.raises(SpecError) as caught:
            async with way.open({**way.spec, "noSuchField": 1}):
                pass
        assert caught.value.path == ("noSuchField",)

    async def test_what_cannot_be_meant_is_refused_in_words(self, way: Way) -> None:
        wrong = [*way.broken, *({**way.spec, name: [7]} for name in way.spec)]
        for spec in wrong:
            with pytest.raises(Misconfigured) as caught:
                async with way.open(spec):
                    pass
            assert str(caught.value)
            assert [secret for secret in way.secrets if secret in str(caught.value)] == []


async def _answer(access: Access, ctx: Context) -> int:
    """The status of the smallest question to a server that needs credentials."""
    headers = dict(await access.headers()) if access.headers else {}
    async with (
        ctx.http.session(tls=access.tls, anywhere=True) as session,
        session.get(f"{access.server}/api/v1/namespaces/kube-system", headers=headers) as response,
    ):
        return response.status
