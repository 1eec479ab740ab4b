"""Amazon's signature, against its published vectors and against botocore where that is installed."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import pytest

from gitopsd.plugin.cloud import Keys, sigv4

KEYS = Keys(access="AKIDEXAMPLE", secret="wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", until=datetime.max)
SESSION = Keys(access="ASIA", secret="s3cret/+", token="FwoG//token+=", until=datetime.max)
SCOPE = sigv4.Scope(region="us-east-1", service="service", now=datetime(2015, 8, 30, 12, 36, tzinfo=UTC))


@pytest.mark.parametrize(
    ("method", "url", "signature"),
    [
        ("GET", "/", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        (
            "GET",
            "/?Param2=value2&Param1=value1",
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
        ),
        ("POST", "/", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
    ],
    ids=["get-vanilla", "get-vanilla-query-order-key-case", "post-vanilla"],
)
def test_signature_is_the_one_of_amazons_vectors(method, url, signature):
    found = sigv4.signed(KEYS, method, f"https://example.amazonaws.com{url}", {}, b"", SCOPE)

    assert found["Authorization"] == (
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        f"SignedHeaders=host;x-amz-date, Signature={signature}"
    )


@pytest.mark.parametrize("keys", [KEYS, SESSION], ids=["keys", "session"])
@pytest.mark.parametrize(
    ("url", "headers", "body"),
    [
        ("https://sts.eu-west-1.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15", {}, b""),
        ("https://kms.eu-west-1.amazonaws.com/", {"X-Amz-Target": "TrentService.Decrypt"}, b'{"a": "b"}'),
        ("https://eks.eu-west-1.amazonaws.com/clusters/my%20own?b=%2F&a=1&empty=", {"X-Odd": "  a   b "}, b""),
    ],
)
def test_signature_of_headers_is_botocores(keys, url, headers, body):
    pytest.importorskip("botocore")
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    theirs = SigV4Auth(Credentials(keys.access, keys.secret, keys.token or None), "service", "us-east-1")
    request = AWSRequest(method="POST", url=url, headers=dict(headers), data=body)
    ours = sigv4.signed(keys, "POST", url, headers, body, SCOPE)
    signature = _of_botocore(theirs, request)

    assert ours["Authorization"].endswith(f"Signature={signature}")


@pytest.mark.parametrize("keys", [KEYS, SESSION], ids=["keys", "session"])
def test_signed_address_is_botocores(keys):
    pytest.importorskip("botocore")
    from botocore.auth import SigV4QueryAuth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    url = "https://sts.eu-west-1.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15"
    ours = sigv4.presigned(keys, "GET", url, {"x-k8s-aws-id": "my-cluster"}, SCOPE, seconds=60)
    theirs = SigV4QueryAuth(Credentials(keys.access, keys.secret, keys.token or None), "service", "us-east-1", 60)
    request = AWSRequest(method="GET", url=url, headers={"x-k8s-aws-id": "my-cluster"})
    signature = _of_botocore(theirs, request)

    query = parse_qs(urlsplit(ours).query)
    assert query["X-Amz-Signature"] == [signature]
    assert query["X-Amz-SignedHeaders"] == ["host;x-k8s-aws-id"]
    assert query["X-Amz-Expires"] == ["60"]


def _of_botocore(signer, request):
    """The steps of its `add_auth`, which takes the time from the clock."""
    request.context["timestamp"] = SCOPE.at
    signer._modify_request_before_signing(request)
    return signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)
