"""The server's refusals as errors of the tree."""

from __future__ import annotations

import pytest

from gitopsd.plugin import Conflict, GitopsdError, Rejected, Transient
from gitopsd_plugins.kubernetes import refusal
from gitopsd_plugins.kubernetes.refusal import Reply


def _reply(status: int, reason: str = "", message: str = "no", **body: object) -> Reply:
    return Reply(status=status, body={"reason": reason, "message": message, **body}, retry_after=3.0)


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (_reply(403, "Forbidden"), Rejected),
        (_reply(404, "NotFound"), Rejected),
        (_reply(409, "Conflict"), Conflict),
        (_reply(409, "AlreadyExists"), Conflict),
        (_reply(413), Rejected),
        (_reply(422, "Invalid"), Rejected),
        (_reply(429, "TooManyRequests"), Transient),
        (_reply(500, "InternalError"), Rejected),
        (_reply(500, "ServerTimeout"), Transient),
        (_reply(503, "ServiceUnavailable"), Transient),
        (_reply(504, "Timeout"), Transient),
    ],
)
def test_the_class_says_what_happens_next(reply: Reply, kind: type[GitopsdError]) -> None:
    assert type(refusal.error(reply, "x")) is kind


def test_the_message_reads_as_fluxs() -> None:
    reply = _reply(422, "Invalid", 'Service "web" is invalid')
    found = refusal.error(reply, "Service/shop/web dry-run failed")
    assert str(found) == 'Service/shop/web dry-run failed (Invalid): Service "web" is invalid'


def test_an_answer_without_words_still_says_something() -> None:
    assert str(refusal.error(Reply(status=502), "x failed")) == "x failed (502): HTTP 502"


def test_the_servers_wish_to_be_left_alone_is_passed_on() -> None:
    found = refusal.error(_reply(429), "x")
    assert isinstance(found, Transient)
    assert found.retry_after == 3.0


@pytest.mark.parametrize(
    "message",
    [
        'Deployment.apps "a" is invalid: spec.selector: Invalid value: {}: field is immutable',
        'ConfigMap "a" is invalid: data: Forbidden: field is immutable when `immutable` is set',
        'the ImmutableSinceFirstWrite "test1" is invalid: value: Invalid value: "string": Value is immutable',
        'admission webhook "deny" denied the request: the IAMPolicyMember\'s spec is immutable',
        "spec: Forbidden: updates to statefulset spec for fields other than 'replicas' and 'template' are forbidden",
        'RoleBinding "a" is invalid: roleRef: Invalid value: {"Kind":"Role","Name":"b"}: cannot change roleRef',
        'PriorityClass.scheduling.k8s.io "a" is invalid: value: Forbidden: may not be changed in an update.',
        "spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.tolerations`",
        'Service "a" is invalid: spec.clusterIPs[0]: Invalid value: ["10.0.0.9"]: may not change once set',
    ],
)
def test_immutable_fields_are_told(message: str) -> None:
    assert refusal.is_immutable(_reply(422, "Invalid", message))


@pytest.mark.parametrize(
    "reply",
    [
        _reply(422, "Invalid", "spec.template.spec.containers: Required value"),
        _reply(422, "Invalid", "is not immutable"),
        _reply(409, "Conflict", "the object has been modified"),
        _reply(500, "InternalError", "field is immutable"),
    ],
)
def test_other_refusals_never_cause_a_recreation(reply: Reply) -> None:
    assert not refusal.is_immutable(reply)


def test_a_missing_namespace_is_told_from_a_missing_object() -> None:
    missing = _reply(404, "NotFound", details={"kind": "namespaces", "name": "web"})
    assert refusal.is_missing_namespace(missing, "web")
    assert not refusal.is_missing_namespace(missing, "shop")
    assert not refusal.is_missing_namespace(_reply(404, "NotFound", details={"kind": "services", "name": "web"}), "web")
