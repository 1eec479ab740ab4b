"""What obstore's errors become: no text of theirs is repeated, since it may hold a signed address."""

from __future__ import annotations

import sys

import pytest
from obstore.exceptions import GenericError, InvalidPathError, PermissionDeniedError, PreconditionError

from gitopsd.plugin import Misconfigured, Rejected, Transient
from gitopsd_plugins.bucket import remote
from gitopsd_plugins.bucket.order import Order

SIGNED = "Error performing GET https://account.blob.core.windows.net/c?sig=hush%2Fhush in 3ms - "
NON_2XX = SIGNED + "Server returned non-2xx status code: "


@pytest.fixture
def order() -> Order:
    return Order(
        provider="azure",
        bucket="c",
        place='bucket "c" at https://account.blob.core.windows.net',
        url="https://account.blob.core.windows.net",
        known_as="x",
        store={"sas_key": "sig=hush"},
        client={},
        login="spec.secretRef",
        timeout=48.0,
        spool="",
    )


@pytest.mark.parametrize(
    ("error", "name", "kind", "words"),
    [
        (PermissionDeniedError(NON_2XX + "403 Forbidden: <Code>AuthenticationFailed</Code>"), "", Rejected, "refused"),
        (
            GenericError(NON_2XX + "404 Not Found: <Code>ContainerNotFound</Code>"),
            "",
            Rejected,
            "404 ContainerNotFound",
        ),
        (GenericError(NON_2XX + "503 Slow Down: <Code>SlowDown</Code>"), "", Transient, "503 SlowDown"),
        (GenericError(NON_2XX + "301 Moved: <Code>PermanentRedirect</Code>"), "", Rejected, "spec.region"),
        (GenericError(NON_2XX + "400 Bad Request: "), "", Rejected, "answered 400"),
        (GenericError(SIGNED + "HTTP error: source: TimedOut"), "", Transient, "within 48 s"),
        (GenericError(SIGNED + "HTTP error: invalid peer certificate: UnknownIssuer"), "", Rejected, "certSecretRef"),
        (GenericError(SIGNED + 'HTTP error: "dns error"'), "", Transient, "host of"),
        (GenericError(SIGNED + "HTTP error"), "", Transient, "cannot be reached"),
        (FileNotFoundError(NON_2XX + "404 Not Found"), "a.yaml", Transient, "a.yaml changed while it was read"),
        (PreconditionError(NON_2XX + "412 Precondition"), "a.yaml", Transient, "a.yaml changed"),
        (InvalidPathError('Error parsing Path "../x": illegal'), "", Rejected, "../x: a name that can be no path"),
    ],
)
def test_error_is_told_in_our_words(order, error, name, kind, words):
    meant = remote.meaning(error, order, name)

    assert isinstance(meant, kind)
    assert words in str(meant)
    assert "hush" not in str(meant)


def test_missing_extra_is_named_with_what_to_install(order, monkeypatch):
    monkeypatch.setitem(sys.modules, "obstore.store", None)

    extra = pytest.raises(Misconfigured, match=r"needs the extra \[bucket\].*pip install 'gitopsd\[bucket\]'")
    with extra, remote.opened(order):
        raise AssertionError
