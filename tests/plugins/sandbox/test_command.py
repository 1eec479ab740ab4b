"""`gitopsd sandbox up` writes a kubeconfig for its owner only; the access of `Cluster` objects opens and closes a server."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import aiohttp
import pytest
from click.testing import CliRunner

from gitopsd.plugin import Context, Misconfigured
from gitopsd.plugin.spec import SpecError
from gitopsd_plugins.sandbox import command
from gitopsd_plugins.sandbox.cluster_access import SandboxAccess


def context() -> Context:
    """What the access uses of a context: the clock."""
    return cast("Context", SimpleNamespace(now=lambda: datetime.now(UTC)))


def test_the_kubeconfig_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text("old")
    path.chmod(0o644)
    command.write_private(path, "new")
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("new", 0o600)


def test_help_has_examples() -> None:
    result = CliRunner().invoke(command.sandbox, ["up", "--help"])
    assert result.exit_code == 0
    assert "gitopsd sandbox up" in result.output


@pytest.mark.asyncio
async def test_the_access_reaches_a_server_for_as_long_as_it_is_open(tmp_path: Path) -> None:
    spec: dict[str, Any] = {"persist": str(tmp_path), "settling": 0}
    async with SandboxAccess().open("here", spec, context()) as access, aiohttp.ClientSession() as session:
        assert access.headers is not None
        response = await session.get(f"{access.server}/version", headers=await access.headers())
        assert response.status == 200
        server = access.server
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.get(f"{server}/healthz")


@pytest.mark.asyncio
@pytest.mark.parametrize("spec", [{"settling": -1}, {"persist": 3}, {"other": 1}])
async def test_a_wrong_field_is_named(spec: dict[str, Any]) -> None:
    with pytest.raises(SpecError) as raised:
        await SandboxAccess().open("here", spec, context()).__aenter__()
    assert next(iter(spec)) in (*raised.value.path, *str(raised.value).replace("`", " ").replace('"', " ").split())


@pytest.mark.asyncio
async def test_a_folder_in_use_is_named(tmp_path: Path) -> None:
    spec = {"persist": str(tmp_path)}
    async with SandboxAccess().open("here", spec, context()):
        with pytest.raises(Misconfigured, match="another sandbox runs"):
            await SandboxAccess().open("there", spec, context()).__aenter__()
