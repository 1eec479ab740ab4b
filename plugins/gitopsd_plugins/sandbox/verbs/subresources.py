"""Requests that are not reads or writes of whole objects: eviction, tokens, namespace finalization, reviews.

Each takes a request and gives the object to answer with; `scale.py` is one of them.
"""

from __future__ import annotations

import secrets

from gitopsd_plugins.sandbox.access import rbac
from gitopsd_plugins.sandbox.cluster import Cluster
from gitopsd_plugins.sandbox.facts.schema import Json
from gitopsd_plugins.sandbox.requests import bodies, causes, status
from gitopsd_plugins.sandbox.requests.call import Call, speaking
from gitopsd_plugins.sandbox.requests.user import Attributes, authenticated
from gitopsd_plugins.sandbox.storage.store import Stored
from gitopsd_plugins.sandbox.verbs import creation, deletion, reads, scale


def evict(cluster: Cluster, call: Call) -> Json:
    """POST pods/NAME/eviction: deletes the pod; disruption budgets are not counted."""
    stored = reads.found(cluster, call)
    if not call.dry_run:
        deletion.mark(cluster, stored, {})
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}


def token(cluster: Cluster, call: Call) -> Json:
    """POST serviceaccounts/NAME/token: a token that this server takes for that account."""
    stored = reads.found(cluster, call)
    asked = speaking(call, "authentication.k8s.io", "TokenRequest")
    body = bodies.read(asked, bodies.document(asked))
    issued = secrets.token_urlsafe(24)
    namespace, name = stored.key
    if not call.dry_run:
        cluster.tokens[issued] = authenticated(f"system:serviceaccount:{namespace}:{name}")
    expiry = {"token": issued, "expirationTimestamp": cluster.now_plus(3600)}
    return {
        "kind": "TokenRequest",
        "apiVersion": "authentication.k8s.io/v1",
        "metadata": {},
        "spec": body.get("spec", {}),
        "status": expiry,
    }


def finalize(cluster: Cluster, call: Call) -> Stored:
    """PUT namespaces/NAME/finalize: sets `spec.finalizers`."""
    stored = reads.found(cluster, call)
    body = bodies.read(call, bodies.document(call))
    creation.check_name(call, body)
    creation.check_preconditions(call, stored, body["metadata"])
    new = {**stored.body, "spec": body.get("spec", {})}
    new["metadata"] = {**stored.metadata}
    return deletion.finish_if_free(cluster, cluster.store.put(stored.collection, stored.key, new))


def review(cluster: Cluster, call: Call) -> Json:
    """The reviews of authorization.k8s.io and authentication.k8s.io."""
    body = bodies.read(call, bodies.document(call))
    kind = call.resource.kind
    spec = body.get("spec") or {}
    answer: Json = {"kind": kind, "apiVersion": call.resource.api_version, "metadata": {}, "spec": spec}
    user = {"username": call.user.name, "groups": list(call.user.groups)}
    if kind == "SelfSubjectReview":
        return {**{k: v for k, v in answer.items() if k != "spec"}, "status": {"userInfo": user}}
    if kind == "TokenReview":
        return {**answer, "status": {"authenticated": True, "user": user}}
    if kind == "SelfSubjectRulesReview":
        return {**answer, "spec": {}, "status": _rules(cluster, call, spec)}
    return {**answer, "status": {"allowed": _allowed(cluster, call, spec)}}


OF_THE_KNOWN: tuple[Json, ...] = (
    {
        "verbs": ["create"],
        "apiGroups": ["authorization.k8s.io"],
        "resources": ["selfsubjectaccessreviews", "selfsubjectrulesreviews"],
    },
    {"verbs": ["create"], "apiGroups": ["authentication.k8s.io"], "resources": ["selfsubjectreviews"]},
    {
        "verbs": ["get"],
        "nonResourceURLs": [
            *("/api", "/api/*", "/apis", "/apis/*", "/healthz", "/livez"),
            *("/openapi", "/openapi/*", "/readyz", "/version", "/version/"),
        ],
    },
)
"""What everyone with a credential may do, by roles that a real server makes for itself."""


def _rules(cluster: Cluster, call: Call, spec: Json) -> Json:
    held = [*OF_THE_KNOWN, *rbac.rules(cluster.store, call.user, spec.get("namespace", ""))]
    resources = [rule for rule in held if "resources" in rule]
    urls = [rule for rule in held if "nonResourceURLs" in rule]
    return {"resourceRules": resources, "nonResourceRules": urls, "incomplete": False}


def _allowed(cluster: Cluster, call: Call, spec: Json) -> bool:
    asked, url = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    user = authenticated(spec["user"], tuple(spec.get("groups") or ())) if spec.get("user") else call.user
    if asked is None and url is not None:
        return cluster.access.allows_url(user, url.get("verb", ""), url.get("path", ""))
    if asked is None or url is not None:
        why = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
        cause = causes.wrong("spec.resourceAttributes", asked, why)
        raise status.invalid("authorization.k8s.io", "", "", [cause])
    return cluster.access.allows(
        Attributes(
            user=user,
            verb=asked.get("verb", ""),
            group=asked.get("group", ""),
            resource=asked.get("resource", ""),
            subresource=asked.get("subresource", ""),
            namespace=asked.get("namespace", ""),
            name=asked.get("name", ""),
        )
    )


def answer(cluster: Cluster, call: Call) -> Stored | Json | None:
    """The answer to a request for such a subresource or review; None where it is an ordinary one."""
    if call.target.subresource == "scale":
        return scale.answer(cluster, call)
    match (call.resource.plural, call.target.subresource):
        case ("pods", "eviction"):
            return evict(cluster, call)
        case ("serviceaccounts", "token"):
            return token(cluster, call)
        case ("namespaces", "finalize"):
            return finalize(cluster, call)
    if call.resource.group in ("authorization.k8s.io", "authentication.k8s.io"):
        return review(cluster, call)
    if call.target.subresource not in ("", "status", "resize", "ephemeralcontainers", "approval"):
        raise status.method_not_allowed()
    return None
