"""What is sent of a field that others may set: never ours over theirs, and never so that it goes."""

from __future__ import annotations

from typing import Any

import pytest

from gitopsd.plugin import Live, ObjectRef, Ours, ResourceId
from gitopsd_plugins.kubernetes import yielding

APP = ObjectRef(kind="Kustomization", namespace="flux-system", name="app")
OURS = ("gitopsd", "Apply", "")
AUTOSCALER = ("kube-controller-manager", "Update", "scale")
REPLICAS: dict[str, Any] = {"f:spec": {"f:replicas": {}}}
IMAGE: dict[str, Any] = {"f:spec": {"f:containers": {'k:{"name":"web"}': {".": {}, "f:name": {}, "f:image": {}}}}}


def live(*entries: tuple[tuple[str, str, str], dict[str, Any]], contested: tuple[str, ...] = (), **spec: Any) -> Live:
    managers = tuple(
        {"manager": name, "operation": operation, "subresource": subresource, "fieldsV1": fields}
        for (name, operation, subresource), fields in entries
    )
    return Live(
        id=ResourceId(group="apps", kind="Deployment", namespace="shop", name="web"),
        version="v1",
        uid="u",
        resource_version="1",
        owner=Ours(app=APP),
        mark="m",
        body={"apiVersion": "apps/v1", "kind": "Deployment", "spec": spec},
        contested=contested,
        managers=managers,
    )


GONE = object()


@pytest.mark.parametrize(
    ("seen", "sent"),
    [
        pytest.param(live((OURS, REPLICAS), replicas=9), 9, id="ours alone: as it is"),
        pytest.param(live((AUTOSCALER, REPLICAS), replicas=9), GONE, id="theirs: not sent"),
        pytest.param(live((OURS, REPLICAS), (AUTOSCALER, REPLICAS), replicas=9), 9, id="both hold it: as it is"),
        pytest.param(
            live((OURS, REPLICAS), (("keda", "Apply", ""), REPLICAS), replicas=9), GONE, id="another applies it: let go"
        ),
        pytest.param(live(replicas=9), GONE, id="nobody's: it stays"),
        pytest.param(live((OURS, {"f:spec": {}}), replicas=9), 9, id="ours as a whole"),
        pytest.param(live((AUTOSCALER, REPLICAS)), GONE, id="not there"),
        pytest.param(
            live((("kubectl", "Update", ""), REPLICAS), contested=("kubectl",), replicas=9),
            9,
            id="taken over with the object: leaving it out would remove it",
        ),
    ],
)
def test_a_field_that_is_left_to_others(seen: Live, sent: Any) -> None:
    body = {"kind": "Deployment", "spec": {"replicas": 2, "paused": True}}

    adapted = yielding.adapted(body, seen, ["/spec/replicas"], "gitopsd", seen.contested)

    assert adapted["spec"].get("replicas", GONE) is sent or adapted["spec"].get("replicas") == sent
    assert adapted["spec"]["paused"] is True
    assert body["spec"]["replicas"] == 2


def test_an_item_of_a_list_is_known_by_its_merge_key() -> None:
    seen = live((("kustomizer", "Update", ""), IMAGE), containers=[{"name": "web", "image": "web:9"}])
    body = {"spec": {"containers": [{"name": "web", "image": "web:1"}]}}

    assert yielding.adapted(body, seen, ["/spec/containers/0/image"], "gitopsd") == {
        "spec": {"containers": [{"name": "web"}]}
    }


def test_a_map_of_which_nothing_is_left_is_not_sent_and_an_empty_value_is() -> None:
    body = {"spec": {"volume": {"emptyDir": {"sizeLimit": "1Gi"}}, "paused": True}}
    assert yielding.adapted(body, live(), ["/spec/volume/emptyDir/sizeLimit"], "gitopsd") == {"spec": {"paused": True}}

    ours = live((OURS, {"f:spec": {"f:volume": {"f:emptyDir": {}}}}), volume={"emptyDir": {}})
    sent = yielding.adapted(body, ours, ["/spec/volume/emptyDir"], "gitopsd")
    assert sent == {"spec": {"volume": {"emptyDir": {}}, "paused": True}}


def test_a_key_with_a_slash_is_one_step() -> None:
    assert yielding.steps("/metadata/annotations/example.com~1a~0b") == ("metadata", "annotations", "example.com/a~b")


def test_a_pointer_to_nothing_changes_nothing() -> None:
    body = {"spec": {"containers": [{"name": "web"}]}}
    for pointer in ("/spec/replicas", "/spec/containers/7/image", "/spec/containers/x", "/a/b"):
        assert yielding.adapted(body, live(), [pointer], "gitopsd") == body


@pytest.mark.parametrize(
    ("manager", "scaled"),
    [
        (AUTOSCALER, True),
        (("kubectl", "Update", "scale"), False),
        (("kubectl-edit", "Update", ""), False),
        (OURS, False),
    ],
)
def test_who_scales_is_told_from_a_person(manager: tuple[str, str, str], scaled: bool) -> None:
    assert yielding.scaled_by_others(live((manager, REPLICAS), replicas=3), "gitopsd") is scaled
