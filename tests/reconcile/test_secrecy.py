"""What is masked, by type, key and form, and what is not."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitopsd.reconcile import diff, secrecy

VALUE = "hunter2-hunter2"
SECRET = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}}
PRIVATE = "-----BEGIN EC PRIVATE KEY-----\nabc\n-----END EC PRIVATE KEY-----\n"


def config(**data: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": data}


def container(**fields: Any) -> dict[str, Any]:
    return {"kind": "Pod", "spec": {"containers": [{"name": "app", **fields}]}}


NAMES = """password dbPassword DB_PASSWORD PGPASSWORD spring.datasource.password passwd passphrase secret clientSecret
CLIENT_SECRET token accessToken access_token GITHUB_TOKEN apiKey API_KEY api-key x-api-key privateKey private_key
AWS_SECRET_ACCESS_KEY aws_access_key_id signingKey encryption-key credentials tls.key server.pem id_rsa ssh-privatekey
.dockerconfigjson connectionString DATABASE_DSN pwd authorization bearerToken client-key-data""".split()  # noqa: SIM905 - a list of literals would be a page long
HARMLESS = """name key data image replicas secretName secretRef passwordFile PASSWORD_FILE tokenPath token_url secretNamespace
serviceAccountName keyboard monkey passage author path hostPort tokenTTL secretKeyRef namespace tokenExpirationSeconds
compass pinned patch authors""".split()  # noqa: SIM905 - as above


@pytest.mark.parametrize("name", NAMES)
def test_names_of_secrets(name: str) -> None:
    assert secrecy.is_secret_name(name)


@pytest.mark.parametrize("name", HARMLESS)
def test_names_that_only_sound_like_one(name: str) -> None:
    assert not secrecy.is_secret_name(name)


HIDDEN = {
    "data of a Secret": {**SECRET, "data": {"anything": VALUE}},
    "stringData of a Secret": {**SECRET, "stringData": {"anything": VALUE}},
    "last applied": {"metadata": {"annotations": {secrecy.LAST_APPLIED: f'{{"data":{{"a":"{VALUE}"}}}}'}}},
    "a field": {"kind": "Database", "spec": {"auth": {"adminPassword": VALUE}}},
    "a number": {"kind": "Door", "spec": {"pin": 987654321}},
    "a list": {"kind": "Broker", "spec": {"tokens": [VALUE, VALUE]}},
    "a value below": {"kind": "Database", "spec": {"password": {"value": VALUE}}},
    "a ConfigMap's key": config(API_TOKEN=VALUE),
    "binary data": {"kind": "ConfigMap", "binaryData": {"tls.key": VALUE}},
    "an environment variable": container(env=[{"name": "DB_PASSWORD", "value": VALUE}]),
    "a flag": container(args=["serve", f"--password={VALUE}"]),
    "the argument of a flag": container(command=["serve", "--auth-token", VALUE]),
    "a line of properties": config(**{"app.properties": f"a=b\nspring.datasource.password={VALUE}\nc=d"}),
    "a line of YAML": config(**{"config.yaml": f"db:\n  user: x\n  password: {VALUE}\n"}),
    "a block of YAML": config(**{"config.yaml": f"db:\n  token: |\n    {VALUE}\n    more\n  user: x\n"}),
    "a line of JSON": config(**{"config.json": f'{{"user": "x", "password": "{VALUE}", "port": 1}}'}),
    "a URL": config(url=f"postgres://app:{VALUE}@db:5432/app"),
    "a URL among others": config(text=f"see https://example.org and amqp://u:{VALUE}@mq"),
    "a private key": config(anything=PRIVATE.replace("abc", VALUE)),
    "an annotation": {"metadata": {"annotations": {"example.org/api-key": VALUE}}},
}


@pytest.mark.parametrize("case", HIDDEN)
def test_no_output_shows_it(case: str) -> None:
    body = HIDDEN[case]
    other = _changed(body)
    for found in (diff.compared(body, other), diff.compared(None, body), diff.compared(body, None)):
        assert VALUE not in repr(found)
        assert "987654321" not in repr(found)
    assert any(VALUE in text or text == "987654321" for text in secrecy.values(body))


@pytest.mark.parametrize("case", HIDDEN)
def test_a_change_of_it_is_shown_as_one(case: str) -> None:
    body = HIDDEN[case]
    found = diff.compared(body, _changed(body))
    assert len(found.fields) in {1, 2}
    assert "(before)" in repr(found.fields[0].before)
    assert "(after)" in repr(found.fields[0].after)


def _changed(value: Any) -> Any:
    match value:
        case dict():
            return {key: _changed(one) for key, one in value.items()}
        case list():
            return [_changed(one) for one in value]
        case str():
            return value.replace(VALUE, "another-value")
        case 987654321:
            return 123
    return value


SHOWN = {
    "a reference": {"spec": {"secretName": "db", "secretKeyRef": {"name": "db", "key": "password"}}},
    "a variable": config(a="--password=$(DB_PASSWORD)", b="password: ${DB_PASSWORD}", c="token: {{ .token }}"),
    "a switch": {"spec": {"automountServiceAccountToken": False, "secret": True}},
    "a file": container(env=[{"name": "TOKEN_FILE", "value": "/run/token"}]),
    "a pull secret": {"spec": {"imagePullSecrets": [{"name": "registry"}]}},
    "rules": {"kind": "Role", "rules": [{"resources": ["secrets"], "verbs": ["get"]}]},
    "a schema": {"properties": {"password": {"type": "string", "description": "of the user"}}},
    "a URL with a user": config(url="ssh://git@example.org/x"),
}


@pytest.mark.parametrize("case", SHOWN)
def test_what_tells_about_a_secret_and_is_none_is_shown(case: str) -> None:
    assert secrecy.masked(SHOWN[case]) == (SHOWN[case],)


def test_equal_secrets_of_two_states_look_equal() -> None:
    one, other = secrecy.masked(config(token="a", x="1"), config(token="a", x="2"))
    assert (one, other) == (config(token="***", x="1"), config(token="***", x="2"))


def test_a_value_that_the_server_changes_again_is_told_apart() -> None:
    found = secrecy.masked(config(token="a"), config(token="b"), config(token="c"))
    assert [state["data"]["token"] for state in found if state] == ["*** (before)", "*** (sent)", "*** (after)"]


@pytest.mark.parametrize(
    "text", ["a" * 1_000_000, "a." * 500_000, "-----BEGIN " * 90_000, "a:" * 400_000, "a://" * 200_000]
)
def test_hostile_text_takes_no_time(text: str) -> None:
    began = time.process_time()
    secrecy.masked(config(text=text))
    assert time.process_time() - began < 5


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(0, 9) | st.text("ab=:. -", max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*NAMES[:4], "name", "value", "x"]), inner, max_size=3),
    max_leaves=10,
)  # fmt: skip


@given(
    st.dictionaries(st.sampled_from(["spec", "token", "data"]), _JSON),
    st.dictionaries(st.sampled_from(["spec", "token"]), _JSON),
)
def test_masking_again_changes_nothing_and_shape_is_kept(one: dict[str, Any], other: dict[str, Any]) -> None:
    first = secrecy.masked(one, other)
    assert _shape(first[0]) == _shape(one)
    assert _shape(first[1]) == _shape(other)


def _shape(value: Any) -> Any:
    match value:
        case dict():
            return {key: _shape(one) for key, one in value.items()}
        case list():
            return [_shape(one) for one in value]
    return None


def test_a_text_with_a_value_that_is_known_to_be_secret_is_masked_in_all_states() -> None:
    live, wanted = config(a="x-old-value", b="plain"), config(a=f"x-{VALUE}", b="other")
    found = diff.compared(live, wanted, hidden=frozenset({VALUE}))
    assert [(f.path, f.before, f.after) for f in found.fields] == [
        ("data.a", "*** (before)", "*** (after)"),
        ("data.b", "plain", "other"),
    ]
    assert VALUE not in str(found)
    assert "old-value" not in str(found)


def test_a_short_value_is_masked_where_it_is_all_of_a_text_or_number() -> None:
    live, wanted = config(a="abd", b="x-abc", c=712), config(a="abc", b="y-abc", c=713)
    found = diff.compared(live, wanted, hidden=frozenset({"abc", "713"}))
    assert [(f.path, f.before, f.after) for f in found.fields] == [
        ("data.a", "*** (before)", "*** (after)"),
        ("data.b", "x-abc", "y-abc"),
        ("data.c", "*** (before)", "*** (after)"),
    ]
