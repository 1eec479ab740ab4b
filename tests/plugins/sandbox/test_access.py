"""Who may do what: denials of a test, roles and bindings, reviews, tokens of service accounts."""

from __future__ import annotations

import json

import in_process
from in_process import CM, Json, ask, config_map, ok, post

from gitopsd_plugins.sandbox.access.access import Deny
from gitopsd_plugins.sandbox.cluster import Cluster
from gitopsd_plugins.sandbox.requests.user import Attributes, authenticated

RBAC = "/apis/rbac.authorization.k8s.io/v1"
BOB = authenticated("bob")
ROBOT = authenticated("system:serviceaccount:default:robot")


def bind(cluster: Cluster, role: str, subject: Json, namespace: str = "") -> None:
    where = f"/namespaces/{namespace}/rolebindings" if namespace else "/clusterrolebindings"
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role}
    ok(post(cluster, RBAC + where, {"metadata": {"name": "b"}, "roleRef": reference, "subjects": [subject]}))


def test_a_user_without_roles_is_refused_in_the_servers_words(cluster: Cluster) -> None:
    answer = ask(cluster, "GET", CM, user=BOB)
    expected = 'configmaps is forbidden: User "bob" cannot list resource "configmaps" in API group "" in the namespace "default"'
    assert (answer.code, json.loads(answer.body)["message"]) == (403, expected)
    assert ask(cluster, "GET", "/api/v1/namespaces", user=BOB).code == 403


def test_a_binding_in_a_namespace_holds_there_only(cluster: Cluster) -> None:
    bind(cluster, "view", {"kind": "User", "name": "bob"}, "default")
    assert ask(cluster, "GET", CM, user=BOB).code == 200
    assert ask(cluster, "GET", "/api/v1/namespaces/kube-system/configmaps", user=BOB).code == 403
    assert ask(cluster, "POST", CM, json.dumps(config_map("a")).encode(), user=BOB).code == 403


def test_a_service_account_may_what_its_cluster_role_says(cluster: Cluster) -> None:
    bind(cluster, "cluster-admin", {"kind": "ServiceAccount", "name": "robot", "namespace": "default"})
    assert ask(cluster, "POST", CM, json.dumps(config_map("a")).encode(), user=ROBOT).code == 201
    assert ask(cluster, "GET", CM, user=BOB).code == 403


def test_a_denial_holds_for_the_administrator_too(cluster: Cluster) -> None:
    cluster.access.denied.append(Deny(verb="list", resource="configmaps", namespace="default"))
    assert ask(cluster, "GET", CM).code == 403
    assert ask(cluster, "GET", "/api/v1/configmaps").code == 200


def test_an_authorizer_decides_instead_of_roles(cluster: Cluster) -> None:
    def only_gets(asked: Attributes) -> bool:
        return asked.verb == "get"

    cluster.access.authorizer = only_gets
    assert ask(cluster, "GET", CM).code == 403
    assert ask(cluster, "GET", f"{CM}/missing", user=BOB).code == 404


def review(cluster: Cluster, verb: str) -> bool:
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    asked = {"spec": {"resourceAttributes": {"verb": verb, "resource": "configmaps", "namespace": "default"}}}
    answer = ask(cluster, "POST", path, json.dumps(asked).encode(), user=BOB)
    return bool(ok(answer)["status"]["allowed"])


def test_reviews_answer_as_requests_would_be(cluster: Cluster) -> None:
    assert not review(cluster, "get")
    bind(cluster, "view", {"kind": "User", "name": "bob"}, "default")
    assert review(cluster, "get")
    assert not review(cluster, "delete")


def test_rules_reviews_list_the_rules(cluster: Cluster) -> None:
    path = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
    answer = ok(ask(cluster, "POST", path, json.dumps({"spec": {"namespace": "default"}}).encode()))
    assert {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]} in answer["status"]["resourceRules"]


def test_a_requested_token_names_its_account(cluster: Cluster) -> None:
    ok(post(cluster, "/api/v1/namespaces/default/serviceaccounts", {"metadata": {"name": "robot"}}))
    answer = ok(in_process.ask(cluster, "POST", "/api/v1/namespaces/default/serviceaccounts/robot/token", b"{}"))
    token = answer["status"]["token"]
    assert cluster.tokens[token].name == "system:serviceaccount:default:robot"
