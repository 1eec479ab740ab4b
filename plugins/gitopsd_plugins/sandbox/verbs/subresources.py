"""Requests that are not reads or writes of whole objects: scale, eviction, tokens, namespace finalization, reviews.

Each takes a request and gives the object to answer with. Writes go through `writes.py`, so that owners and rules hold.
"""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import Any

from msgspec import structs

from gitopsd_plugins.sandbox.access import rbac
from gitopsd_plugins.sandbox.cluster import Cluster
from gitopsd_plugins.sandbox.facts.schema import Json
from gitopsd_plugins.sandbox.merging import fields, owners, patch
from gitopsd_plugins.sandbox.requests import bodies, causes, identity, status
from gitopsd_plugins.sandbox.requests.call import Call
from gitopsd_plugins.sandbox.requests.user import Attributes, authenticated
from gitopsd_plugins.sandbox.storage.store import Stored
from gitopsd_plugins.sandbox.verbs import creation, deletion, reads, writes

BUILT_IN_SCALE: Json = {
    "specReplicasPath": ".spec.replicas",
    "statusReplicasPath": ".status.replicas",
    "labelSelectorPath": ".spec.selector",
}


def scale(cluster: Cluster, call: Call) -> Json:
    """Get, put or patch a scale subresource. Raises `Refused`."""
    stored = reads.found(cluster, call)
    paths = call.resource.scale or BUILT_IN_SCALE
    shown = _scale(stored, paths)
    if call.verb == "get":
        if call.resource.custom and _at(stored.body, paths["specReplicasPath"]) is None:
            raise status.internal(f'the spec replicas field "{paths["specReplicasPath"]}" does not exist')
        return shown
    wanted = _wanted(_as(call, "autoscaling", "Scale"), shown)
    writes.check_uid(call, stored, wanted["metadata"])
    creation.check_preconditions(call, stored, wanted["metadata"])
    replicas = _replicas(call, wanted)
    body = patch.merge(stored.body, _nested(paths["specReplicasPath"], replicas))
    body["metadata"] = {**stored.metadata}
    path = _path(paths)
    # a Scale of zero has no field that anyone could own, and where nobody owns it nobody comes to own it by scaling
    is_owned = any(fields.has(owner.fields, path) for owner in owners.read(stored.metadata.get("managedFields")))
    written = writes.replace(cluster, call, stored, body, () if replicas and is_owned else (path,))
    return _scale(written, paths) if isinstance(written, Stored) else {**shown, "spec": _spec(replicas)}


def _path(paths: Json) -> tuple[str, ...]:
    return tuple(f"f:{key}" for key in paths["specReplicasPath"].strip(".").split("."))


def _replicas(call: Call, wanted: Json) -> int:
    """The number that a Scale asks for. Raises `Refused`."""
    replicas: int = (wanted.get("spec") or {}).get("replicas", 0)
    if not call.resource.custom and replicas < 0:
        cause = causes.wrong("spec.replicas", replicas, "must be greater than or equal to 0")
        raise status.invalid("autoscaling", "Scale", call.target.name, [cause])
    return replicas


def _spec(replicas: Any) -> Json:
    return {"replicas": replicas} if replicas else {}


def _wanted(call: Call, shown: Json) -> Json:
    """The Scale that is asked for. Raises `Refused`."""
    if call.verb == "update":
        body = bodies.read(call, bodies.document(call))
    else:
        body = bodies.read_patched(call, identity.patched(call, writes.after_patch(call, shown)))
    creation.check_name(call, body)
    return body


def _as(call: Call, group: str, kind: str) -> Call:
    """The request as one to an object of the kind that its subresource speaks."""
    spoken = replace(
        call.resource,
        kind=kind,
        group=group,
        version="v1",
        type_name=f"io.k8s.api.{group.partition('.')[0]}.v1.{kind}",
        custom=False,
    )
    return structs.replace(call, target=structs.replace(call.target, resource=spoken, subresource=""))


def _scale(stored: Stored, paths: Json) -> Json:
    metadata = {
        name: stored.metadata[name]
        for name in ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
        if name in stored.metadata
    }
    result: Json = {"replicas": _at(stored.body, paths.get("statusReplicasPath", "")) or 0}
    selector = _at(stored.body, paths.get("labelSelectorPath", ""))
    if text := _selector_text(selector):
        result["selector"] = text
    spec = _spec(_at(stored.body, paths["specReplicasPath"]))
    return {"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": metadata, "spec": spec, "status": result}


def _at(body: Any, path: str) -> Any:
    for key in path.strip(".").split("."):
        body = body.get(key) if isinstance(body, dict) else None
    return body


def _nested(path: str, value: Any) -> Json:
    for key in reversed(path.strip(".").split(".")):
        value = {key: value}
    result: Json = value
    return result


def _selector_text(selector: Any) -> str:
    if isinstance(selector, str):
        return selector
    labels = (selector or {}).get("matchLabels") or {}
    return ",".join(f"{name}={value}" for name, value in sorted(labels.items()))


def evict(cluster: Cluster, call: Call) -> Json:
    """POST pods/NAME/eviction: deletes the pod; disruption budgets are not counted."""
    stored = reads.found(cluster, call)
    if not call.dry_run:
        deletion.mark(cluster, stored, {})
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}


def token(cluster: Cluster, call: Call) -> Json:
    """POST serviceaccounts/NAME/token: a token that this server takes for that account."""
    stored = reads.found(cluster, call)
    asked = _as(call, "authentication.k8s.io", "TokenRequest")
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
        return scale(cluster, call)
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
