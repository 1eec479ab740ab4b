"""Who a request is from: tokens, client certificates, and acting as somebody else."""

from __future__ import annotations

import json
import ssl
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from in_process import CM

from gitopsd_plugins.sandbox.server import Running, serve

pytestmark = pytest.mark.asyncio

RBAC = "/apis/rbac.authorization.k8s.io/v1"
ME = "/apis/authentication.k8s.io/v1/selfsubjectreviews"


async def bind(session: aiohttp.ClientSession, role: str, user: str) -> None:
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role}
    body = {"metadata": {"name": role}, "roleRef": reference, "subjects": [{"kind": "User", "name": user}]}
    assert (await session.post(f"{RBAC}/clusterrolebindings", json=body)).status == 201


async def allow(session: aiohttp.ClientSession, user: str, rule: dict[str, Any]) -> None:
    name = f"r-{rule['resources'][0]}"
    body = {"metadata": {"name": name}, "rules": [{"apiGroups": [""], **rule}]}
    assert (await session.post(f"{RBAC}/clusterroles", json=body)).status == 201
    await bind(session, name, user)


async def whoami(session: aiohttp.ClientSession, headers: Any = None) -> tuple[str, list[str]]:
    async with session.post(ME, json={}, headers=headers) as response:
        user = (await response.json())["status"]["userInfo"]
        return user["username"], user["groups"]


async def refusal(session: aiohttp.ClientSession, headers: Any) -> tuple[int, str]:
    async with session.get(CM, headers=headers) as response:
        return response.status, (await response.json())["message"]


async def test_a_users_token_gives_what_his_roles_say(sandbox: Running, session: aiohttp.ClientSession) -> None:
    headers = {"Authorization": f"Bearer {sandbox.token_for('jane', ['devs'])}"}
    async with aiohttp.ClientSession(sandbox.url, headers=headers) as jane:
        assert await whoami(jane) == ("jane", ["devs", "system:authenticated"])
        assert (await jane.get(CM)).status == 403
        await bind(session, "view", "jane")
        assert (await jane.get(CM)).status == 200


async def test_a_client_certificate_names_user_and_groups(tmp_path: Path) -> None:
    async with serve(tls=True) as secure:
        assert secure.certificates is not None
        certificate, key = secure.certificates.client("jane", ["devs", "ops"])
        (tmp_path / "jane.pem").write_text(key + certificate)
        trust = ssl.create_default_context(cadata=secure.authority)
        trust.load_cert_chain(tmp_path / "jane.pem")
        async with aiohttp.ClientSession(secure.url, connector=aiohttp.TCPConnector(ssl=trust)) as jane:
            assert await whoami(jane) == ("jane", ["devs", "ops", "system:authenticated"])
            assert (await jane.get(CM)).status == 403
        config = json.loads(secure.kubeconfig_for("jane"))
        assert set(config["users"][0]["user"]) == {"client-certificate-data", "client-key-data"}


async def test_the_administrator_acts_as_anybody(session: aiohttp.ClientSession) -> None:
    headers = [("Impersonate-User", "bob"), ("Impersonate-Group", "a"), ("Impersonate-Group", "b")]
    assert await whoami(session, headers) == ("bob", ["a", "b", "system:authenticated"])
    account = {"Impersonate-User": "system:serviceaccount:web:robot"}
    groups = ["system:serviceaccounts", "system:serviceaccounts:web", "system:authenticated"]
    assert await whoami(session, account) == ("system:serviceaccount:web:robot", groups)
    assert (await whoami(session, {"Impersonate-User": "system:anonymous"}))[1] == ["system:unauthenticated"]


async def test_others_act_as_those_whom_their_roles_name(sandbox: Running, session: aiohttp.ClientSession) -> None:
    headers = {"Authorization": f"Bearer {sandbox.token_for('jane')}"}
    async with aiohttp.ClientSession(sandbox.url, headers=headers) as jane:
        why = 'users "bob" is forbidden: User "jane" cannot impersonate resource "users" in API group "" at the cluster scope'
        assert await refusal(jane, {"Impersonate-User": "bob"}) == (403, why)
        await allow(session, "jane", {"resources": ["users"], "verbs": ["impersonate"], "resourceNames": ["bob"]})
        assert (await whoami(jane, {"Impersonate-User": "bob"}))[0] == "bob"
        assert (await refusal(jane, {"Impersonate-User": "eve"}))[0] == 403
        assert (await refusal(jane, {"Impersonate-User": "bob", "Impersonate-Group": "system:masters"}))[0] == 403


async def test_groups_without_a_user_are_refused(session: aiohttp.ClientSession) -> None:
    assert (await refusal(session, {"Impersonate-Group": "a"}))[0] == 400


async def test_an_aggregated_role_has_the_rules_of_the_roles_that_it_selects(
    sandbox: Running, session: aiohttp.ClientSession
) -> None:
    part = {"metadata": {"name": "part", "labels": {"to": "all"}}}
    part["rules"] = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["list"]}]  # type: ignore[assignment]  # two shapes
    whole = {
        "metadata": {"name": "whole"},
        "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"to": "all"}}]},
    }
    for body in (part, whole):
        assert (await session.post(f"{RBAC}/clusterroles", json=body)).status == 201
    await bind(session, "whole", "jane")
    assert (await session.get(CM, headers={"Impersonate-User": "jane"})).status == 200


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "example.com", "::"])
async def test_it_answers_on_loopback_only(host: str) -> None:
    with pytest.raises(ValueError, match="no loopback address"):
        await serve(host=host).__aenter__()
