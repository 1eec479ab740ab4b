"""Keys for AWS: who is asked in which order, what is sent there, and what is made of each answer."""

from __future__ import annotations

import base64
import socket
from dataclasses import replace
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import anyio
import pytest
from aiohttp import web
from fakes.clouds import START, sts, sts_error

from gitopsd.plugin import Http, NotReady, Rejected, Transient
from gitopsd.plugin.cloud import Account, Keys, aws
from gitopsd.plugin.egress import Egress
from gitopsd.plugin.sources import proxy

pytestmark = pytest.mark.asyncio

ROLE = "arn:aws:iam::123456789012:role/reader"
ROBOT = Account(namespace="apps", name="robot")
WEB = "AssumeRoleWithWebIdentity"


@pytest.fixture
def annotated(home, cloud):
    """An account with a role, and a token service that gives keys for it."""
    home.annotations["apps", "robot"] = {"eks.amazonaws.com/role-arn": ROLE}
    home.platform = {"AWS_ENDPOINT_URL_STS": cloud.url, "AWS_REGION": "eu-west-1"}
    cloud.replies["POST /"] = sts(WEB)
    return home


async def test_account_assumes_the_role_of_its_annotation_by_a_token_of_its_own(annotated, cloud):
    keys = await aws.keys(ROBOT, "", annotated.context(), 5.0)

    assert (keys.access, keys.secret, keys.token) == ("AKIA", "s3cret", "session")
    assert keys.until == START + timedelta(hours=1)
    assert annotated.issued == [("apps/robot", ("sts.amazonaws.com",))]
    assert cloud.asked[0].form == {
        "Action": WEB,
        "Version": "2011-06-15",
        "RoleArn": ROLE,
        "RoleSessionName": "robot.apps.eu-west-1.gitopsd",
        "WebIdentityToken": "apps/robot for sts.amazonaws.com",
    }
    assert {"s3cret", "session"} <= set(annotated.masked)
    assert "s3cret" not in repr(keys)


async def test_secret_of_the_accounts_name_needs_no_cluster(home, cloud):
    home.secrets["apps", "robot"] = {"roleArn": f"{ROLE}\n", "token": "from a file\n"}
    home.platform = {"AWS_ENDPOINT_URL_STS": cloud.url}
    cloud.replies["POST /"] = sts(WEB)

    await aws.keys(ROBOT, "eu-west-1", home.context(), 5.0)

    assert cloud.asked[0].form["WebIdentityToken"] == "from a file"
    assert (home.described, home.issued) == ([], [])


async def test_keys_are_asked_for_once_by_many_and_again_shortly_before_they_end(annotated, cloud):
    ctx = annotated.context()
    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(aws.keys, ROBOT, "", ctx, 5.0)
    assert len(cloud.asked) == 1

    annotated.now += timedelta(minutes=54)
    await aws.keys(ROBOT, "", ctx, 5.0)
    assert len(cloud.asked) == 1

    annotated.now += timedelta(minutes=2)
    await aws.keys(ROBOT, "", ctx, 5.0)
    assert len(cloud.asked) == 2


async def test_keys_that_were_refused_are_asked_for_anew(annotated, cloud):
    ctx = annotated.context()
    keys = await aws.keys(ROBOT, "", ctx, 5.0)

    assert ctx.kept.forget(keys)
    assert not ctx.kept.forget(keys)
    await aws.keys(ROBOT, "", ctx, 5.0)

    assert len(cloud.asked) == 2


async def test_another_role_in_the_annotation_counts_a_minute_later(annotated, cloud):
    ctx = annotated.context()
    await aws.keys(ROBOT, "", ctx, 5.0)
    annotated.annotations["apps", "robot"] = {"eks.amazonaws.com/role-arn": f"{ROLE}2"}

    annotated.now += timedelta(seconds=61)
    await aws.keys(ROBOT, "", ctx, 5.0)

    assert [asked.form["RoleArn"] for asked in cloud.asked] == [ROLE, f"{ROLE}2"]


@pytest.mark.parametrize(
    ("annotations", "words"),
    [
        ({}, "ServiceAccount/apps/robot lacks the annotation eks.amazonaws.com/role-arn"),
        ({"eks.amazonaws.com/role-arn": "reader"}, "role-arn is 'reader', not arn:aws:iam::NUMBER:role/NAME"),
    ],
)
async def test_account_without_a_role_is_named(annotated, cloud, annotations, words):
    annotated.annotations["apps", "robot"] = annotations

    with pytest.raises(Rejected, match=words):
        await aws.keys(ROBOT, "", annotated.context(), 5.0)

    assert cloud.asked == []


async def test_account_that_nobody_knows_is_looked_for_in_both_places(home):
    with pytest.raises(
        NotReady, match=r"there is none in cluster home; or describe it in a Secret of that name \(Secret/"
    ) as caught:
        await aws.keys(ROBOT, "eu-west-1", home.context(), 5.0)

    assert caught.value.reason == "AuthenticationFailed"


async def test_account_in_a_secret_without_a_token_needs_a_cluster_and_says_so(home):
    home.secrets["apps", "robot"] = {"roleArn": ROLE}

    with pytest.raises(
        NotReady, match=r"no cluster that could issue a token for it; or put it into Secret/apps/robot under token"
    ):
        await aws.keys(ROBOT, "eu-west-1", home.context(), 5.0)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("InvalidIdentityToken", "Incorrect token audience"),
        ("ExpiredTokenException", "Token expired"),
        ("AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity"),
    ],
)
async def test_refusal_of_the_token_service_is_passed_on(annotated, cloud, code, said):
    cloud.replies["POST /"] = sts_error(code, said, 403)

    with pytest.raises(Rejected, match=f"for {ROLE} answered 403: {said}; check the role's trust policy") as caught:
        await aws.keys(ROBOT, "", annotated.context(), 5.0)

    assert caught.value.reason == "AuthenticationFailed"
    assert "apps/robot for sts" not in str(caught.value)


@pytest.mark.parametrize("status", [429, 503])
async def test_token_service_that_is_busy_is_asked_later(annotated, cloud, status):
    cloud.replies["POST /"] = web.Response(status=status, headers={"Retry-After": "7"})

    with pytest.raises(Transient, match=f"answered {status}; it is asked again later") as caught:
        await aws.keys(ROBOT, "", annotated.context(), 5.0)

    assert caught.value.retry_after == 7


async def test_token_service_that_is_busy_is_left_alone_by_everybody(annotated, cloud):
    cloud.replies["POST /"] = web.Response(status=429, headers={"Retry-After": "70"})
    annotated.annotations["apps", "other"] = {"eks.amazonaws.com/role-arn": ROLE.replace("reader", "writer")}
    ctx = annotated.context()
    with pytest.raises(Transient, match="answered 429"):
        await aws.keys(ROBOT, "", ctx, 5.0)

    with pytest.raises(Transient, match="is left alone for 71 s: it asked for that") as caught:
        await aws.keys(replace(ROBOT, name="other"), "", ctx, 5.0)

    assert caught.value.retry_after > 70
    assert len(cloud.asked) == 1


@pytest.mark.parametrize(
    "answer",
    [
        "<html>",
        "",
        '{"Credentials": {}}',
        sts(WEB, secret=""),
        sts(WEB, token=""),
        sts(WEB, until="tomorrow"),
        sts(WEB, until="2026-01-02T03:04:05"),
        "<!DOCTYPE x [<!ENTITY a 'aaaa'>]>" + sts(WEB, secret="&amp;a;"),
        "x" * (2 << 20),
    ],
    ids=["html", "nothing", "json", "no secret", "no token", "no time", "no zone", "entities", "too large"],
)
async def test_answer_of_an_impostor_is_refused(annotated, cloud, answer):
    cloud.replies["POST /"] = answer

    with pytest.raises(Rejected, match=r"AWS STS at .*(could be used|until when|more than)"):
        await aws.keys(ROBOT, "", annotated.context(), 5.0)


async def test_silence_ends_with_the_time_that_was_given(annotated):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        annotated.platform["AWS_ENDPOINT_URL_STS"] = f"http://127.0.0.1:{silent.getsockname()[1]}"

        with pytest.raises(Transient, match=r"AWS STS at .*: no answer within 0\.2 s"):
            await aws.keys(ROBOT, "", annotated.context(), 0.2)


async def test_redirect_is_not_followed(annotated, cloud):
    cloud.replies["POST /"] = web.Response(status=307, headers={"Location": "/elsewhere"})

    with pytest.raises(Rejected, match="answered 307"):
        await aws.keys(ROBOT, "", annotated.context(), 5.0)

    assert len(cloud.asked) == 1


async def test_token_service_of_an_object_obeys_the_settings_of_the_network(annotated, cloud):
    annotated.http = Http(egress=Egress(private=False))
    named = aws.Sts(endpoint=f"{cloud.url}/")

    await aws.keys(ROBOT, "", annotated.context(), 5.0)  # the environment's is the operator's choice
    with pytest.raises(Rejected, match="no public address"):
        await aws.keys(ROBOT, "", annotated.context(), 5.0, named)

    assert len(cloud.asked) == 1


async def test_address_that_is_none_is_named(annotated):
    annotated.platform["AWS_ENDPOINT_URL_STS"] = "http://["

    with pytest.raises(Rejected, match=r"AWS STS at http://\[/ .*: is no address"):
        await aws.keys(ROBOT, "", annotated.context(), 5.0)


async def test_region_is_needed_and_is_one(annotated):
    annotated.platform.pop("AWS_REGION")
    with pytest.raises(Rejected, match="AWS needs a region"):
        await aws.keys(ROBOT, "", annotated.context(), 5.0)
    with pytest.raises(Rejected, match=r"'evil.org/' is no region of AWS"):
        await aws.keys(ROBOT, "evil.org/", annotated.context(), 5.0)


async def test_process_takes_keys_of_its_environment_first(home):
    home.platform = {"AWS_ACCESS_KEY_ID": "AK", "AWS_SECRET_ACCESS_KEY": "SK", "AWS_SESSION_TOKEN": "T"}

    found = await aws.keys(None, "", home.context(), 5.0)

    assert (found.access, found.secret, found.token) == ("AK", "SK", "T")


async def test_process_exchanges_its_web_identity(home, cloud, tmp_path):
    file = tmp_path / "token"
    file.write_text("projected\n")
    home.platform = {
        "AWS_ENDPOINT_URL_STS": cloud.url,
        "AWS_REGION": "eu-west-1",
        "AWS_ROLE_ARN": ROLE,
        "AWS_WEB_IDENTITY_TOKEN_FILE": str(file),
    }
    cloud.replies["POST /"] = sts(WEB)

    await aws.keys(None, "", home.context(), 5.0)

    assert cloud.asked[0].form["WebIdentityToken"] == "projected"
    assert cloud.asked[0].form["RoleArn"] == ROLE
    assert "projected" in home.masked


@pytest.mark.parametrize(
    ("platform", "words"),
    [
        ({"AWS_WEB_IDENTITY_TOKEN_FILE": "/nowhere"}, "needs AWS_ROLE_ARN"),
        ({"AWS_WEB_IDENTITY_TOKEN_FILE": "/nowhere", "AWS_ROLE_ARN": ROLE}, r"/nowhere \(AWS_WEB_.*\) cannot be read"),
        ({"AWS_WEB_IDENTITY_TOKEN_FILE": "/dev/null", "AWS_ROLE_ARN": ROLE}, "holds no token"),
        ({"AWS_EC2_METADATA_DISABLED": "true"}, "this process has no identity in AWS"),
    ],
)
async def test_half_an_identity_is_named(home, platform, words):
    home.platform = platform

    with pytest.raises(Rejected, match=words):
        await aws.keys(None, "eu-west-1", home.context(), 5.0)


async def test_pod_identity_is_asked_of_the_agent_with_its_token(home, cloud, tmp_path):
    file = tmp_path / "token"
    file.write_text("of the pod")
    home.platform = {
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{cloud.url}/v1/credentials",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(file),
    }
    cloud.replies["GET /v1/credentials"] = _metadata(AccountId="123456789012")

    found = await aws.keys(None, "", home.context(), 5.0)

    assert found.access == "A"
    assert cloud.asked[0].headers["authorization"] == "of the pod"


@pytest.mark.parametrize(
    "url", ["http://10.0.0.1/", "http://agent.example/", "http://169.254.170.2.evil.org/", "file:///x", "http://["]
)
async def test_pod_identity_goes_to_the_machine_itself_only(home, url):
    home.platform = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": url}

    with pytest.raises(Rejected, match="AWS_CONTAINER_CREDENTIALS_FULL_URI names"):
        await aws.keys(None, "", home.context(), 5.0)


def _metadata(**more):
    until = (START + timedelta(hours=6)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"AccessKeyId": "A", "SecretAccessKey": "S", "Token": "T", "Expiration": until, **more}


async def test_machine_lends_the_keys_of_its_role(home, cloud):
    home.platform = {"AWS_EC2_METADATA_SERVICE_ENDPOINT": f"{cloud.url}/"}
    cloud.replies |= {
        "PUT /latest/api/token": "session of the machine",
        "GET /latest/meta-data/iam/security-credentials/the%20role": _metadata(),
        "GET /latest/meta-data/iam/security-credentials/": "the role\n",
    }

    found = await aws.keys(None, "", home.context(), 5.0)

    assert (found.access, found.token) == ("A", "T")
    assert cloud.asked[0].headers["x-aws-ec2-metadata-token-ttl-seconds"] == "60"
    assert [asked.headers["x-aws-ec2-metadata-token"] for asked in cloud.asked[1:]] == ["session of the machine"] * 2


async def test_machine_without_a_role_is_said(home, cloud):
    home.platform = {"AWS_EC2_METADATA_SERVICE_ENDPOINT": cloud.url}
    cloud.replies["PUT /latest/api/token"] = "session"

    with pytest.raises(Rejected, match=r"metadata service at .* answered 404; has this machine a role\?"):
        await aws.keys(None, "", home.context(), 5.0)


async def test_another_role_is_assumed_with_signed_words(annotated, cloud):
    cloud.replies["POST /"] = sts("AssumeRole", access="ASIA")
    by = Keys(access="AK", secret="SK", token="T", until=START + timedelta(hours=1))

    found = await aws.assumed(by, ROLE, "", annotated.context(), 5.0)

    assert found.access == "ASIA"
    (asked,) = cloud.asked
    assert (asked.form["Action"], asked.form["RoleArn"]) == ("AssumeRole", ROLE)
    assert asked.headers["authorization"].startswith(
        "AWS4-HMAC-SHA256 Credential=AK/20260102/eu-west-1/sts/aws4_request"
    )
    assert asked.headers["x-amz-security-token"] == "T"


async def test_eks_takes_a_signed_question(home):
    by = Keys(access="AK", secret="SK", token="T", until=START)

    found = aws.eks_token(by, "production", "eu-west-1", home.context())

    start, _, rest = found.partition(".")
    url = urlsplit(base64.urlsafe_b64decode(rest + "=" * (-len(rest) % 4)).decode())
    query = parse_qs(url.query)
    assert start == "k8s-aws-v1"
    assert url.netloc == "sts.eu-west-1.amazonaws.com"
    assert query["Action"] == ["GetCallerIdentity"]
    assert query["X-Amz-SignedHeaders"] == ["host;x-k8s-aws-id"]
    assert query["X-Amz-Security-Token"] == ["T"]


async def test_one_who_asks_through_a_broken_proxy_disturbs_no_other(annotated, cloud):
    ctx = annotated.context()
    annotated.secrets["apps", "proxy"] = {"address": "http://127.0.0.1:9"}
    through = await proxy.routed(("apps", "proxy"), ctx)

    with pytest.raises(Transient, match="cannot be reached"):
        await aws.keys(ROBOT, "", through, 5.0)

    assert (await aws.keys(ROBOT, "", ctx, 5.0)).access == "AKIA"
