"""Charts that the real helm pushes into a real registry and cosign or notation signs; what is not there is named in a skip."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import anyio
import pytest
from fakes import charts as made

from gitopsd.plugin import VerificationFailed

# notation gives its test certificates any number, also one below zero
pytestmark = pytest.mark.filterwarnings("ignore:Parsed a serial number which wasn't positive")


@pytest.fixture
def pushed(running, tool, tmp_path):
    """Pushes a version of the chart `web`; its address by digest, without the scheme."""

    def push(version):
        for path, data in made.files(version=version).items():
            file = tmp_path / "web" / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
        tool("helm", "package", "web")
        said = tool("helm", "push", f"web-{version}.tgz", f"oci://{running.host}/team", "--plain-http", both=True)
        digest = next(line.split()[-1] for line in said.splitlines() if line.startswith("Digest:"))
        return f"{running.host}/team/web@{digest}"

    return push


@pytest.fixture
def fetch(charts, repository, chart, running):
    """Fetches a version of it, by the clock of the tools."""

    async def fetched(version, **verify):
        charts.world.ctx = replace(charts.world.ctx, now=lambda: datetime.now(UTC))
        await charts.repository(repository(url=f"oci://{running.host}/team", type="oci", insecure=True))
        intent = chart(version=version, verify=verify)
        ctx = charts.ctx(intent)
        return await charts.source.fetch(intent, await charts.source.resolve(intent, ctx), None, ctx)

    return lambda version, **verify: anyio.run(lambda: fetched(version, **verify))


def test_chart_that_cosign_signed_comes_in_and_no_other(pushed, fetch, tool, charts, tmp_path):
    signed, _ = pushed("1.0.0"), pushed("1.1.0")
    tool("cosign", "generate-key-pair")
    offline = ("--use-signing-config=false", "--tlog-upload=false", "--allow-http-registry", "--yes")
    tool("cosign", "sign", "--key", "cosign.key", *offline, signed)
    charts.world.secrets.data["keys"] = {"cosign.pub": (tmp_path / "cosign.pub").read_bytes()}

    stored = fetch("1.0.0", secretRef={"name": "keys"})

    assert stored.verified == "verified signature of version 1.0.0 by the key cosign.pub"
    with pytest.raises(VerificationFailed, match="is not signed"):
        fetch("1.1.0", secretRef={"name": "keys"})


def test_chart_that_notation_signed_comes_in_and_no_other(pushed, fetch, tool, charts, tmp_path, running):
    signed, _ = pushed("1.0.0"), pushed("1.1.0")
    tool("notation", "cert", "generate-test", "--default", "tests.example.org")
    tool("notation", "sign", "--insecure-registry", signed)
    statement = {
        "name": "charts",
        "registryScopes": [f"{running.host}/team/web"],
        "signatureVerification": {"level": "strict"},
        "trustStores": ["ca:tests"],
        "trustedIdentities": ["x509.subject: C=US, ST=WA, O=Notary"],
    }
    certificate = tmp_path / "config/notation/localkeys/tests.example.org.crt"
    charts.world.secrets.data["trust"] = {
        "trustpolicy.json": json.dumps({"version": "1.0", "trustPolicies": [statement]}).encode(),
        "tests.crt": certificate.read_bytes(),
    }
    asked = {"provider": "notation", "secretRef": {"name": "trust"}}

    stored = fetch("1.0.0", **asked)

    assert "CN=tests.example.org" in stored.verified
    with pytest.raises(VerificationFailed, match="is not signed with notation"):
        fetch("1.1.0", **asked)
