"""Clusters of clouds, with services on loopback that answer as the clouds document it: what is asked, and what comes of it."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import pytest_asyncio
from aiohttp import web
from fakes import clouds
from fakes.clouds import START, Asked, Cloud, Reply

from gitopsd.plugin import Access, GitopsdError, Misconfigured, NotReady, Rejected, Transient
from gitopsd.plugin.cloud import Keys, sigv4
from gitopsd_plugins.kubernetes.access.configmap import ConfigMapAccess

pytestmark = pytest.mark.asyncio

PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
CODED = base64.b64encode(PEM.encode()).decode()
ARN = "arn:aws:eks:eu-west-1:123456789012:cluster/production"
ID = "/subscriptions/0a-1b/resourceGroups/Prod_rg/providers/Microsoft.ContainerService/managedClusters/prod"
NAME = "projects/shop-1/locations/europe-west1/clusters/prod"
MANAGEMENT, AKS = "https://management", "6dae42f8-4368-4678-94ff-3960e28e3630/.default"
LIST = f"POST {ID}/listClusterUserCredential?api-version=2024-05-01"
GRANT = "POST /tenant/oauth2/v2.0/token"


@dataclass(slots=True)
class Team(clouds.Home):
    """The home, with the ConfigMap `team/remote`, and the Secret that says who `team/deployer` is."""

    config_map: dict[str, str] = field(default_factory=dict)

    async def config(self, namespace: str, name: str) -> Mapping[str, bytes]:
        return {key: text.encode() for key, text in self.config_map.items()}

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Access]:
        async with ConfigMapAccess().open("x", {"namespace": "team", "name": "remote"}, self.context()) as access:
            yield access


@pytest_asyncio.fixture
async def cloud() -> AsyncIterator[Cloud]:
    async with clouds.serving() as running:
        yield running


def team(cloud: Cloud, provider: str, cluster: str, **more: str) -> Team:
    """A home whose ways to the clouds lead to the loopback one, where nobody has said yet what is answered."""
    identity = {
        "aws": {"roleArn": "arn:aws:iam::123456789012:role/deployer", "token": "proof"},
        "azure": {"tenantId": "tenant", "clientId": "client", "clientSecret": "s3cret", "authorityHost": cloud.url},
        "gcp": {"workloadIdentityProvider": PROVIDER, "token": "proof"},
    }
    platform = {
        "AWS_ENDPOINT_URL_STS": cloud.url,
        "AWS_ENDPOINT_URL_EKS": cloud.url,
        "AZURE_RESOURCE_MANAGER_URL": cloud.url,
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_STS": cloud.url,
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_CONTAINER": cloud.url,
    }
    described = {"provider": provider, "cluster": cluster, "serviceAccountName": "deployer", **more}
    secrets = {("team", "deployer"): identity.get(provider, {})}
    return Team(config_map=described, secrets=secrets, platform=platform)


PROVIDER = "projects/1/locations/global/workloadIdentityPools/pool/providers/home"


async def sent(access: Access) -> str:
    assert access.headers is not None
    return dict(await access.headers())["Authorization"].removeprefix("Bearer ")


def eks(endpoint: str = "https://ABC.gr7.eu-west-1.eks.amazonaws.com") -> Reply:
    return {"cluster": {"endpoint": endpoint, "certificateAuthority": {"data": CODED}, "status": "ACTIVE"}}


def kubeconfigs(*servers: str) -> Reply:
    """What Azure's resource manager lists: one kubeconfig for each server."""
    texts = [
        f"apiVersion: v1\nkind: Config\nclusters:\n- name: c\n  cluster: {{server: '{server}', "
        f"certificate-authority-data: {CODED}}}\n"
        for server in servers
    ]
    values = [{"name": "clusterUser", "value": base64.b64encode(text.encode()).decode()} for text in texts]
    return {"kubeconfigs": values}


async def test_eks_is_asked_for_the_cluster_of_the_arn_and_opened_by_a_signed_question(cloud: Cloud) -> None:
    cloud.replies = {"POST /": clouds.sts("AssumeRoleWithWebIdentity"), "GET /clusters/production": eks()}
    home = team(cloud, "aws", ARN)
    async with home.opened() as access:
        assert access.server == "https://abc.gr7.eu-west-1.eks.amazonaws.com:443"
        assert access.tls.ca == PEM.encode()
        token = await sent(access)
    sts, described = cloud.asked
    assert sts.form["RoleSessionName"] == "deployer.team.eu-west-1.gitopsd"
    keys = Keys(access="AKIA", secret="s3cret", token="session", until=START)
    scope = sigv4.Scope(region="eu-west-1", service="eks", now=START)
    wanted = sigv4.signed(keys, "GET", f"{cloud.url}/clusters/production", {}, b"", scope)
    assert described.headers["authorization"] == wanted["Authorization"]
    assert described.headers["x-amz-security-token"] == "session"
    start, _, rest = token.partition(".")
    query = parse_qs(urlsplit(base64.urlsafe_b64decode(rest + "=" * (-len(rest) % 4)).decode()).query)
    assert (start, query["Action"], query["X-Amz-Expires"]) == ("k8s-aws-v1", ["GetCallerIdentity"], ["60"])
    assert token in home.masked


async def test_a_token_of_eks_is_made_anew_before_its_quarter_of_an_hour_is_over(cloud: Cloud) -> None:
    cloud.replies = {"POST /": clouds.sts("AssumeRoleWithWebIdentity")}
    home = team(cloud, "aws", ARN, address="https://here", **{"ca.crt": PEM})
    async with home.opened() as access:
        first = await sent(access)
        home.now += timedelta(minutes=11)
        assert await sent(access) == first
        home.now += timedelta(minutes=3)
        assert await sent(access) != first
    assert len(cloud.asked) == 1  # the keys of the role last for an hour


async def test_aks_is_found_by_its_resource_id_and_opened_by_another_token_than_azure_is(cloud: Cloud) -> None:
    def granted(asked: Asked) -> web.Response:
        return web.json_response({"access_token": f"for {asked.form['scope']}", "expires_in": 3600})

    cloud.replies = {GRANT: granted, LIST: kubeconfigs("https://prod.hcp.azmk8s.io:443")}
    home = team(cloud, "azure", ID)
    async with home.opened() as access:
        assert (access.server, access.tls.ca) == ("https://prod.hcp.azmk8s.io:443", PEM.encode())
        assert await sent(access) == f"for {AKS}"
    grant, listed, _ = cloud.asked
    assert grant.form["client_secret"] == "s3cret"
    assert listed.headers["authorization"] == f"Bearer for {cloud.url}/.default"
    assert "s3cret" in home.masked


async def test_of_several_addresses_of_aks_the_one_that_the_config_map_names_is_used(cloud: Cloud) -> None:
    cloud.replies = {
        GRANT: {"access_token": "t", "expires_in": 3600},
        LIST: kubeconfigs("https://public.example:443", "https://private.example:443"),
    }
    async with team(cloud, "azure", ID, address="private.example").opened() as access:
        assert (access.server, access.tls.ca) == ("https://private.example:443", PEM.encode())
    with pytest.raises(Rejected, match=r"knows no kubeconfig whose server is https://other\.example:443"):
        async with team(cloud, "azure", ID, address="other.example").opened():
            pass


async def test_gke_is_found_by_its_resource_name(cloud: Cloud) -> None:
    cloud.replies = {
        "POST /v1/token": {"access_token": "google", "expires_in": 3600, "token_type": "Bearer"},
        f"GET /v1/{NAME}": {"endpoint": "203.0.113.7", "masterAuth": {"clusterCaCertificate": CODED}},
    }
    async with team(cloud, "gcp", NAME).opened() as access:
        assert (access.server, access.tls.ca) == ("https://203.0.113.7:443", PEM.encode())
        assert await sent(access) == "google"
    exchanged, described = cloud.asked
    assert exchanged.form["subject_token"] == "proof"
    assert described.headers["authorization"] == "Bearer google"


@pytest.mark.parametrize("provider", ["azure", "gcp"])
async def test_where_address_and_ca_are_given_the_cloud_is_asked_for_a_token_only(cloud: Cloud, provider: str) -> None:
    cloud.replies = {"POST /": {"access_token": "t", "expires_in": 3600, "token_type": "Bearer"}}
    home = team(cloud, provider, "", address="https://here:6443", **{"ca.crt": PEM})
    async with home.opened() as access:
        assert (access.server, access.tls.ca) == ("https://here:6443", PEM.encode())
        assert cloud.asked == []
        assert await sent(access) == "t"


async def test_what_a_cluster_refuses_is_not_sent_again(cloud: Cloud) -> None:
    tokens = iter(("one", "two"))

    def granted(_: Asked) -> web.Response:
        return web.json_response({"access_token": next(tokens), "expires_in": 3600})

    cloud.replies = {GRANT: granted}
    async with team(cloud, "azure", "", address="https://here").opened() as access:
        assert [await sent(access), await sent(access)] == ["one", "one"]
        assert access.expire is not None
        access.expire()
        assert await sent(access) == "two"


REFUSED = {"message": "User is not authorized to perform: eks:DescribeCluster"}


@pytest.mark.parametrize(
    ("provider", "cluster", "change", "error", "words"),
    [
        ("aws", "", {}, Misconfigured, "ConfigMap/team/remote: cluster '' is not of the form arn:aws:eks:"),
        ("aws", "arn:aws:ecs:eu-west-1:1:cluster/x", {}, Misconfigured, "is not of the form arn:aws:eks:"),
        ("azure", "/subscriptions/../x", {}, Misconfigured, "is not of the form /subscriptions/ID"),
        ("gcp", "projects/a/clusters/b", {}, Misconfigured, "is not of the form projects/PROJECT"),
        (
            "gcp",
            "",
            {},
            Misconfigured,
            "lacks the key address: the address of the API server, or cluster for the cloud",
        ),
        ("gcp", NAME, {"serviceAccountName": ""}, Misconfigured, "lacks the key serviceAccountName"),
        ("aws", ARN, {"address": "http://remote"}, Misconfigured, "is not the https address"),
    ],
)
async def test_what_cannot_be_meant_is_named_before_anybody_is_asked(
    cloud: Cloud, provider: str, cluster: str, change: dict[str, str], error: type[GitopsdError], words: str
) -> None:
    home = team(cloud, provider, cluster)
    home.config_map |= change
    with pytest.raises(error) as caught:
        async with home.opened():
            pass
    assert words in str(caught.value)
    assert cloud.asked == []


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (
            web.json_response(REFUSED, status=403),
            Rejected,
            "403: User is not authorized to perform: eks:DescribeCluster",
        ),
        (web.Response(status=503), Transient, "answered 503"),
        ({"cluster": {"status": "CREATING"}}, Rejected, "names no address of the cluster and no CA"),
        (eks("http://plain.example"), Misconfigured, "is not the https address"),
        ({"cluster": "x"}, Rejected, "names no address"),
    ],
)
async def test_a_clouds_refusal_is_told_in_its_words(
    cloud: Cloud, answer: Reply, error: type[GitopsdError], words: str
) -> None:
    cloud.replies = {"POST /": clouds.sts("AssumeRoleWithWebIdentity"), "GET /clusters/production": answer}
    with pytest.raises(error) as caught:
        async with team(cloud, "aws", ARN).opened():
            pass
    assert words in str(caught.value)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("value", ["", "%%%", base64.b64encode(b"a: [").decode(), base64.b64encode(b"1").decode()])
async def test_kubeconfigs_that_cannot_be_read_are_none(cloud: Cloud, value: str) -> None:
    answer: dict[str, Any] = {"kubeconfigs": [{"value": value}, 1]}
    cloud.replies = {GRANT: {"access_token": "t", "expires_in": 3600}, LIST: answer}
    with pytest.raises(Rejected, match="knows no kubeconfig"):
        async with team(cloud, "azure", ID).opened():
            pass


async def test_an_account_that_nobody_describes_is_waited_for(cloud: Cloud) -> None:
    home = team(cloud, "azure", ID)
    home.secrets.clear()
    with pytest.raises(NotReady, match="Secret/team/deployer not found"):
        async with home.opened():
            pass
