"""Kubeconfigs: the named context and nothing else, merged files, and every way to say who asks."""

from __future__ import annotations

import base64
import json
import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gitopsd.plugin import Access, Context, Misconfigured, Rejected, SpecError
from gitopsd_plugins.kubernetes.access.incluster import InClusterAccess
from gitopsd_plugins.kubernetes.access.kubeconfig import KubeconfigAccess

pytestmark = pytest.mark.asyncio

CA = base64.b64encode(b"the CA").decode()


def _write(
    path: Path, cluster: dict[str, Any] | None = None, user: dict[str, Any] | None = None, name: str = "prod"
) -> Path:
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "clusters": [{"name": name, "cluster": {"server": "https://prod.example.com:6443", **(cluster or {})}}],
        "users": [{"name": f"{name}-admin", "user": user or {}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": f"{name}-admin"}}],
    }
    path.write_text(json.dumps(document))
    return path


async def _open(ctx: Context, path: Path | str, context: str = "prod") -> Access:
    async with KubeconfigAccess().open("main", {"path": str(path), "context": context}, ctx) as access:
        return access


async def _headers(access: Access) -> list[tuple[str, str]]:
    return list((await access.headers()).items()) if access.headers else []


def _plugin(path: Path, **status: Any) -> dict[str, Any]:
    """An exec plugin that counts its runs, notes what it was told, and prints this status."""
    version = status.pop("version", "client.authentication.k8s.io/v1")
    path.write_text(
        "import json, os, pathlib, sys\n"
        f"here = pathlib.Path({str(path.parent)!r})\n"
        "runs = here / 'runs'\n"
        "runs.write_text(str(int(runs.read_text()) + 1 if runs.exists() else 1))\n"
        "(here / 'told').write_text(os.environ['KUBERNETES_EXEC_INFO'] + sys.argv[1] + os.environ['PROFILE'])\n"
        f"status = json.loads({json.dumps(json.dumps(status))})\n"
        "status['token'] = status.get('token', 'run-') + runs.read_text()\n"
        f"print(json.dumps({{'apiVersion': {version!r}, 'kind': 'ExecCredential', 'status': status}}))\n"
    )
    return {
        "apiVersion": version,
        "command": sys.executable,
        "args": [str(path), "arg"],
        "env": [{"name": "PROFILE", "value": "work"}],
    }


def _runs(folder: Path) -> int:
    return int((folder / "runs").read_text())


async def test_the_named_context_is_opened(ctx: Context, tmp_path: Path) -> None:
    cluster = {
        "certificate-authority-data": CA,
        "tls-server-name": "internal",
        "proxy-url": "http://proxy:3128",
    }
    access = await _open(ctx, _write(tmp_path / "config", cluster))
    assert (access.cluster, access.server, access.context) == ("main", "https://prod.example.com:6443", "prod")
    assert (access.tls.ca, access.tls.name, access.proxy) == (b"the CA", "internal", "http://proxy:3128")
    assert access.headers is None


async def test_without_a_context_the_contexts_are_listed_and_none_is_taken(ctx: Context, tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"name a context \(its contexts: prod\)"):
        await _open(ctx, _write(tmp_path / "config"), context="")


async def test_an_unknown_context_is_named_with_those_there_are(ctx: Context, tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"no context 'prdo' \(its contexts: prod\)"):
        await _open(ctx, _write(tmp_path / "config"), context="prdo")


async def test_a_missing_file_is_named(ctx: Context, tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"kubeconfig .*/nowhere cannot be read: No such file"):
        await _open(ctx, tmp_path / "nowhere")


@pytest.mark.parametrize("text", ["[1, 2]", "clusters: 7", "contexts: [{name: prod}]", "a: [", "contexts: [{}]"])
async def test_a_file_of_another_shape_is_named(ctx: Context, tmp_path: Path, text: str) -> None:
    path = tmp_path / "config"
    path.write_text(text)
    with pytest.raises(Misconfigured, match=str(path)):
        await _open(ctx, path)


async def test_unknown_settings_are_spec_errors(ctx: Context) -> None:
    with pytest.raises(SpecError, match="unknown field 'contxt'"):
        async with KubeconfigAccess().open("main", {"path": "x", "contxt": "y"}, ctx):
            pass


async def test_of_several_files_the_first_that_has_a_name_wins(ctx: Context, tmp_path: Path) -> None:
    first = _write(tmp_path / "one", {"server": "https://first"}, {"token": "t1"})
    second = _write(tmp_path / "two", {"server": "https://second"}, {"token": "t2"})
    third = _write(tmp_path / "three", {"server": "https://third"}, {"token": "t3"}, name="stage")
    paths = os.pathsep.join(map(str, (first, second, third)))
    assert (await _open(ctx, paths)).server == "https://first"
    assert (await _open(ctx, paths, "stage")).server == "https://third"


async def test_paths_in_a_file_are_meant_from_its_folder(ctx: Context, tmp_path: Path) -> None:
    (tmp_path / "pki").mkdir()
    for name in ("ca.crt", "me.crt", "me.key"):
        (tmp_path / "pki" / name).write_bytes(name.encode())
    user = {"client-certificate": "pki/me.crt", "client-key": str(tmp_path / "pki" / "me.key")}
    access = await _open(ctx, _write(tmp_path / "config", {"certificate-authority": "pki/ca.crt"}, user))
    assert (access.tls.ca, access.tls.certificate, access.tls.key) == (b"ca.crt", b"me.crt", b"me.key")


async def test_an_ipv6_server_is_taken_as_it_is(ctx: Context, tmp_path: Path) -> None:
    access = await _open(ctx, _write(tmp_path / "config", {"server": "https://[fd00::1]:6443"}))
    assert access.server == "https://[fd00::1]:6443"


async def test_a_server_without_a_scheme_is_refused(ctx: Context, tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="has no server address"):
        await _open(ctx, _write(tmp_path / "config", {"server": "prod.example.com"}))


async def test_tls_is_checked_unless_the_file_says_otherwise(ctx: Context, tmp_path: Path) -> None:
    assert not (await _open(ctx, _write(tmp_path / "one"))).tls.insecure
    assert (await _open(ctx, _write(tmp_path / "two", {"insecure-skip-tls-verify": True}))).tls.insecure
    both = {"insecure-skip-tls-verify": True, "certificate-authority-data": CA}
    with pytest.raises(Misconfigured, match="remove one"):
        await _open(ctx, _write(tmp_path / "three", both))


async def test_a_token_and_a_login_become_headers(ctx: Context, tmp_path: Path) -> None:
    access = await _open(ctx, _write(tmp_path / "one", user={"token": "abc"}))
    assert await _headers(access) == [("Authorization", "Bearer abc")]
    assert "abc" not in repr(access)
    access = await _open(ctx, _write(tmp_path / "two", user={"username": "ada", "password": "pw"}))
    assert await _headers(access) == [("Authorization", f"Basic {base64.b64encode(b'ada:pw').decode()}")]


async def test_a_token_file_is_read_again_when_it_changes(ctx: Context, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("one\n")
    access = await _open(ctx, _write(tmp_path / "config", user={"tokenFile": "token", "token": "ignored"}))
    assert await _headers(access) == [("Authorization", "Bearer one")]
    (tmp_path / "token").write_text("second\n")
    assert await _headers(access) == [("Authorization", "Bearer second")]


async def test_impersonation_goes_along_with_the_login(ctx: Context, tmp_path: Path) -> None:
    user = {
        "token": "abc",
        "as": "deployer",
        "as-uid": "7",
        "as-groups": ["a", "b"],
        "as-user-extra": {"example.com/scope": ["x"]},
    }
    access = await _open(ctx, _write(tmp_path / "config", user=user))
    assert await _headers(access) == [
        ("Impersonate-User", "deployer"),
        ("Impersonate-Uid", "7"),
        ("Impersonate-Group", "a"),
        ("Impersonate-Group", "b"),
        ("Impersonate-Extra-example.com%2Fscope", "x"),
        ("Authorization", "Bearer abc"),
    ]


async def test_groups_without_a_user_to_act_as_are_refused(ctx: Context, tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="need `as`"):
        await _open(ctx, _write(tmp_path / "config", user={"as-groups": ["a"]}))


@pytest.mark.parametrize("version", ["client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"])
async def test_an_exec_plugin_is_asked_once_while_its_answer_holds(ctx: Context, tmp_path: Path, version: str) -> None:
    end = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    entry = _plugin(tmp_path / "plugin.py", version=version, expirationTimestamp=end)
    access = await _open(ctx, _write(tmp_path / "config", user={"exec": entry}))
    assert await _headers(access) == [("Authorization", "Bearer run-1")]
    assert await _headers(access) == [("Authorization", "Bearer run-1")]
    assert access.expire is not None
    access.expire()
    assert await _headers(access) == [("Authorization", "Bearer run-2")]


async def test_an_exec_plugin_is_asked_again_before_its_answer_ends(ctx: Context, tmp_path: Path) -> None:
    end = (datetime.now(UTC) + timedelta(seconds=30)).strftime("%Y-%m-%dT%H:%M:%SZ")
    entry = _plugin(tmp_path / "plugin.py", expirationTimestamp=end)
    access = await _open(ctx, _write(tmp_path / "config", user={"exec": entry}))
    await _headers(access)
    assert _runs(tmp_path) == 2


async def test_an_exec_plugin_is_told_what_it_asks_for(ctx: Context, tmp_path: Path) -> None:
    extension = {"name": "client.authentication.k8s.io/exec", "extension": {"audience": "x"}}
    cluster = {"certificate-authority-data": CA, "extensions": [extension]}
    entry = {**_plugin(tmp_path / "plugin.py"), "provideClusterInfo": True}
    await _open(ctx, _write(tmp_path / "config", cluster, {"exec": entry}))
    told = (tmp_path / "told").read_text()
    assert told.endswith("argwork")
    request = json.loads(told.removesuffix("argwork"))
    assert request["spec"] == {
        "interactive": False,
        "cluster": {
            "server": "https://prod.example.com:6443",
            "certificate-authority-data": CA,
            "config": {"audience": "x"},
        },
    }


async def test_a_client_certificate_of_an_exec_plugin_is_used(ctx: Context, tmp_path: Path) -> None:
    entry = _plugin(tmp_path / "plugin.py", clientCertificateData="CERT", clientKeyData="KEY")
    access = await _open(ctx, _write(tmp_path / "config", user={"exec": entry}))
    assert (access.tls.certificate, access.tls.key) == (b"CERT", b"KEY")


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("import sys; sys.exit('not logged in')", "failed with exit code 1: not logged in"),
        ('print(\'{"token": "secret"}\')', "did not print an ExecCredential"),
        ("print('secret')", "did not print an ExecCredential"),
        (
            'print(\'{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential"}\')',
            "printed no credentials",
        ),
        ('print(\'{"apiVersion": "v2", "kind": "ExecCredential"}\')', "printed v2 ExecCredential"),
    ],
)
async def test_a_failing_exec_plugin_is_told_without_its_secrets(
    ctx: Context, tmp_path: Path, script: str, words: str
) -> None:
    entry = {"apiVersion": "client.authentication.k8s.io/v1", "command": sys.executable, "args": ["-c", script]}
    with pytest.raises(Rejected, match=words) as raised:
        await _open(ctx, _write(tmp_path / "config", user={"exec": entry}))
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"command": "no-such-login-tool", "installHint": "install it"}, "cannot be run: No such file.*; install it"),
        ({"command": "x", "apiVersion": "client.authentication.k8s.io/v1alpha1"}, "speaks .*v1alpha1"),
        ({"command": "x", "interactiveMode": "Always"}, "wants a terminal"),
    ],
)
async def test_an_exec_plugin_that_cannot_work_is_told(
    ctx: Context, tmp_path: Path, entry: dict[str, Any], words: str
) -> None:
    with pytest.raises(Misconfigured, match=words):
        await _open(ctx, _write(tmp_path / "config", user={"exec": entry}))


async def test_an_old_auth_provider_is_asked_through_the_library_that_knows_it(ctx: Context, tmp_path: Path) -> None:
    end = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    provider = {"name": "gcp", "config": {"access-token": "old-token", "expiry": end}}
    access = await _open(ctx, _write(tmp_path / "config", user={"auth-provider": provider}))
    assert await _headers(access) == [("Authorization", "Bearer old-token")]


async def test_inside_a_pod_token_and_authority_are_read_from_their_folder(ctx: Context, tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_text("CA")
    (tmp_path / "token").write_text("one")
    async with InClusterAccess().open("here", {"path": str(tmp_path)}, ctx) as access:
        assert (access.server, access.tls.ca) == ("https://kubernetes.default.svc", b"CA")
        assert await _headers(access) == [("Authorization", "Bearer one")]
        (tmp_path / "token").write_text("renewed")
        assert await _headers(access) == [("Authorization", "Bearer renewed")]


async def test_outside_a_pod_the_missing_file_is_named(ctx: Context, tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="is this a pod"):
        async with InClusterAccess().open("here", {"path": str(tmp_path)}, ctx):
            pass


async def test_a_proxy_of_a_kind_that_cannot_be_used_is_told_without_its_password(ctx: Context, tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="must be an http or https address") as raised:
        await _open(ctx, _write(tmp_path / "config", {"proxy-url": "socks5://me:secret@proxy"}))
    assert "secret" not in str(raised.value)
