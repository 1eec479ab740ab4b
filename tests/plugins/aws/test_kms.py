"""AWS KMS is asked with signed requests: with whose keys, in which role, and what is refused by name. With moto's KMS where it is installed."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json

import pytest
import pytest_asyncio
from aiohttp import web
from fakes import clouds

from gitopsd.plugin import Asker, Keys, Lock, Rejected
from gitopsd.plugin.cloud import Account
from gitopsd.plugin.conformance.key_service import KeyServiceSuite
from gitopsd_plugins.aws.service import Kms

DATA_KEY = bytes(range(32))
ARN = "arn:aws:kms:eu-west-1:111122223333:key/abc"
ROBOT = Account(namespace="apps", name="robot")
FIELDS = {"arn": ARN, "enc": "c2VhbGVk", "role": "", "context.env": "test"}


class TestKms(KeyServiceSuite):
    service = Kms
    lock = Lock.of("kms", FIELDS)
    unfit = Lock.of("kms", {"arn": "arn:aws:s3:::bucket"})
    held = "sops.aws-kms"
    broken = b"aws_access_key_id: very-secret"


def verified(secret: str):
    """KMS that checks the signature from what was sent, as AWS describes it, for this secret."""

    def answer(asked: clouds.Asked) -> web.Response:
        parts = dict(p.strip().split("=", 1) for p in asked.headers["authorization"].partition(" ")[2].split(","))
        _, date, region, service, end = parts["Credential"].split("/")
        lines = "".join(f"{n}:{asked.headers[n].strip()}\n" for n in parts["SignedHeaders"].split(";"))
        body = hashlib.sha256(asked.body).hexdigest()
        request = f"POST\n{asked.path}\n\n{lines}\n{parts['SignedHeaders']}\n{body}"
        scope = f"{date}/{region}/{service}/{end}"
        text = (
            f"AWS4-HMAC-SHA256\n{asked.headers['x-amz-date']}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
        )
        key = f"AWS4{secret}".encode()
        for part in (date, region, service, end):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        if hmac.new(key, text.encode(), hashlib.sha256).hexdigest() != parts["Signature"]:
            return web.json_response({"__type": "x", "message": "The request signature does not match"}, status=400)
        assert asked.headers["x-amz-target"] == "TrentService.Decrypt"
        return web.json_response({"Plaintext": base64.b64encode(DATA_KEY).decode()})

    return answer


@pytest_asyncio.fixture
async def aws():
    async with clouds.serving() as running:
        running.replies = {
            "POST /kms": verified("wJalrXUtnFEMI"),
            "POST /sts": lambda asked: web.Response(text=clouds.sts(asked.form["Action"], secret="wJalrXUtnFEMI")),
        }
        yield running


@pytest.fixture
def home(aws):
    found = clouds.Home()
    found.platform = {"AWS_ENDPOINT_URL_STS": f"{aws.url}/sts", "AWS_ENDPOINT_URL_KMS": f"{aws.url}/kms"}
    return found


def held(url: str, secret: str = "wJalrXUtnFEMI") -> tuple[Keys, ...]:
    text = f"aws_access_key_id: AKID\naws_secret_access_key: {secret}\nendpoint: {url}/kms\n"
    return (Keys(place="Secret/apps/sops", values={"sops.aws-kms": text.encode()}),)


async def opened(home: clouds.Home, asker: Asker, **fields: str) -> bytes:
    return await Kms().open(Lock.of("kms", {**FIELDS, **fields}), asker, home.context())


@pytest.mark.asyncio
async def test_it_is_asked_with_a_signature_and_the_context(aws, home):
    assert await opened(home, Asker(keys=held(aws.url), account=ROBOT)) == DATA_KEY
    (asked,) = aws.asked
    assert json.loads(asked.body) == {
        "KeyId": ARN, "CiphertextBlob": "c2VhbGVk", "EncryptionContext": {"env": "test"},
    }  # fmt: skip
    assert "/eu-west-1/kms/aws4_request" in asked.headers["authorization"]
    assert "wJalrXUtnFEMI" in home.masked


@pytest.mark.asyncio
async def test_a_wrong_secret_is_said_in_its_words(aws, home):
    with pytest.raises(Rejected, match=r"AWS KMS, key arn:aws:kms:eu-west-1:.*signature does not match"):
        await opened(home, Asker(keys=held(aws.url, "other")))


@pytest.mark.asyncio
async def test_the_role_of_a_service_account_is_used(aws, home):
    home.annotations["apps", "robot"] = {"eks.amazonaws.com/role-arn": "arn:aws:iam::111122223333:role/robot"}
    assert await opened(home, Asker(account=ROBOT)) == DATA_KEY
    assert aws.asked[0].form["Action"] == "AssumeRoleWithWebIdentity"
    assert aws.asked[0].form["RoleArn"] == "arn:aws:iam::111122223333:role/robot"


@pytest.mark.asyncio
async def test_the_role_that_a_file_names_is_assumed_with_the_keys_at_hand(aws, home):
    role = "arn:aws:iam::444455556666:role/opener"
    assert await opened(home, Asker(keys=held(aws.url)), role=role) == DATA_KEY
    assert (aws.asked[0].form["Action"], aws.asked[0].form["RoleArn"]) == ("AssumeRole", role)
    assert "session" in aws.asked[1].headers["x-amz-security-token"]


@pytest.mark.asyncio
async def test_gitopsd_itself_asks_for_keys_and_in_roles_that_the_settings_name(aws, home):
    home.platform |= {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI"}
    role = "arn:aws:iam::444455556666:role/opener"
    allowed = "arn:aws:kms:*:111122223333:key/*"
    assert await opened(home, Asker(own=(allowed,))) == DATA_KEY
    with pytest.raises(Rejected, match=f"names the role {role}, and the setting decryption.ownIdentity does not"):
        await opened(home, Asker(own=(allowed,)), role=role)
    assert await opened(home, Asker(own=(allowed, role)), role=role) == DATA_KEY


@pytest.mark.asyncio
async def test_what_is_not_served_is_named(aws, home):
    with pytest.raises(Rejected, match="names the profile 'work' of somebody's own AWS settings"):
        await opened(home, Asker(keys=held(aws.url)), aws_profile="work")
    with pytest.raises(Rejected, match="which is no ARN of a role"):
        await opened(home, Asker(keys=held(aws.url)), role="opener")
    assert aws.asked == []


@pytest.mark.asyncio
@pytest.mark.parametrize("answer", [{}, {"Plaintext": "?"}, {"Plaintext": 7}])
async def test_an_answer_without_a_plaintext_is_refused(aws, home, answer):
    aws.replies = {"POST": answer}
    with pytest.raises(Rejected, match="answered without a plaintext"):
        await opened(home, Asker(keys=held(aws.url)))
