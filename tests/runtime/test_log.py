from __future__ import annotations

import base64
import io
import json
import logging
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.contextvars import bound_contextvars

from gitopsd.model.masking import MASK, Secrets
from gitopsd.runtime import log

SECRET = "s3cr3t/pass+word=="


@pytest.fixture
def secrets() -> Secrets:
    it = Secrets()
    it.add(SECRET)
    return it


@pytest.fixture
def root_logger() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.parametrize(
    "form",
    [
        SECRET,
        quote(SECRET, safe=""),
        base64.b64encode(SECRET.encode()).decode(),
        base64.urlsafe_b64encode(SECRET.encode()).decode(),
        f"https://user:{quote(SECRET, safe='')}@host/",
    ],
)
def test_a_secret_is_masked_in_every_form_that_it_is_written_in(secrets: Secrets, form: str) -> None:
    masked = secrets.masked(f"before {form} after")

    assert MASK in masked
    assert masked.startswith("before ")
    assert masked.endswith(" after")
    assert form not in masked


@given(user=st.text(max_size=12), password=st.text(min_size=8, max_size=40, alphabet=st.characters(codec="utf-8")))
def test_a_password_in_a_basic_authentication_header_cannot_be_read_back(user: str, password: str) -> None:
    secrets = Secrets()
    secrets.add(password)
    header = base64.b64encode(f"{user}:{password}".encode()).decode()

    if len(password.strip()) >= 8:
        assert MASK in secrets.masked(header)


def test_each_line_of_a_key_is_masked_by_itself_and_words_are_not() -> None:
    secrets = Secrets()
    secrets.add("-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n-----END KEY-----\n")
    secrets.add("admin")

    assert secrets.masked("got MIIEvQIBADANBgkqhkiG9w0BAQEFAASC by admin") == f"got {MASK} by admin"


def test_json_lines_carry_the_object_and_no_secret(secrets: Secrets) -> None:
    stream = io.StringIO()
    logger = log.make(stream, json=True, secrets=secrets)

    with bound_contextvars(object="Kustomization/flux-system/apps", cluster="prod"):
        logger.info("done", revision="main@sha1:1", value=[SECRET, SECRET.encode()])

    line = json.loads(stream.getvalue())
    assert line["event"] == "done"
    assert line["object"] == "Kustomization/flux-system/apps"
    assert line["cluster"] == "prod"
    assert line["level"] == "info"
    assert line["timestamp"].endswith("Z")
    assert SECRET not in stream.getvalue()


def test_a_traceback_is_in_the_line_with_secrets_masked(secrets: Secrets) -> None:
    for json_lines in (True, False):
        stream = io.StringIO()
        logger = log.make(stream, json=json_lines, secrets=secrets)

        try:
            raise ValueError(SECRET)
        except ValueError:
            logger.exception("broke")

        assert "ValueError" in stream.getvalue()
        assert SECRET not in stream.getvalue()


def test_there_are_no_colours_outside_a_terminal_and_no_lines_below_the_level(secrets: Secrets) -> None:
    stream = io.StringIO()
    logger = log.make(stream, json=False, secrets=secrets, level=logging.WARNING)

    logger.info("quiet")
    logger.warning("loud", object="a")

    assert "\x1b" not in stream.getvalue()
    assert "quiet" not in stream.getvalue()
    assert "loud" in stream.getvalue()


@pytest.mark.usefixtures("root_logger")
def test_lines_of_libraries_come_out_in_the_same_stream(secrets: Secrets) -> None:
    stream = io.StringIO()
    log.adopt_standard(log.make(stream, json=True, secrets=secrets))

    logging.getLogger("aiohttp.client").warning("odd %s", SECRET)
    logging.getLogger("aiohttp.client").info("chatter")

    (line,) = stream.getvalue().splitlines()
    assert json.loads(line)["event"] == f"odd {MASK}"
    assert json.loads(line)["logger"] == "aiohttp.client"
